use super::*;

/// Fri, 31 Jul 2026 08:00:00 GMT.
const NOW: Millis = Millis::new(1_785_484_800_000);

#[track_caller]
fn check(lines: &str, body: &str, millis: Option<u64>) {
    let waits = Waits::of_headers(lines, NOW).and_body(body.as_bytes(), NOW);
    assert_eq!(waits.wait(), millis.map(Millis::new), "{lines:?} {body}");
}

#[test]
fn the_clock_of_these_tests_is_as_it_says() {
    assert_eq!(http_date("Fri, 31 Jul 2026 08:00:00 GMT"), Some(NOW));
}

#[test]
fn retry_after_is_read_in_seconds_and_in_every_form_of_a_date() {
    for (value, millis) in [
        ("0", Some(0)),
        ("7", Some(7_000)),
        (" 7 ", Some(7_000)),
        ("41.250000001", Some(41_251)),
        ("0.0001", Some(1)),
        ("2.", None),
        (".5", None),
        ("-3", None),
        ("+3", None),
        ("1e3", None),
        ("soon", None),
        ("", None),
        ("NaN", None),
        ("99999999999999999999999", Some(3_600_000)),
        ("7200", Some(3_600_000)),
        ("2m30s", Some(150_000)),
        ("40, 41", Some(41_000)),
        ("40, soon", Some(40_000)),
        ("Fri, 31 Jul 2026 08:00:40 GMT", Some(40_000)),
        ("Friday, 31-Jul-26 08:00:40 GMT", Some(40_000)),
        ("Fri Jul 31 08:00:40 2026", Some(40_000)),
        ("Sat Aug  1 07:00:00 2026", Some(3_600_000)),
        ("Fri, 31 Jul 2026 08:00:60 GMT", Some(59_000)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
        ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
        ("Mon, 30 Jun 1969 00:00:00 GMT", Some(0)),
        ("Fri, 32 Jul 2026 08:00:40 GMT", None),
        ("Fri, 31 Foo 2026 08:00:40 GMT", None),
        ("Fri, 31 Jul 2026 08:00:40 CET", None),
        ("2026-07-31T08:00:40Z", Some(40_000)),
        ("2026-07-31T10:00:40+02:00", Some(40_000)),
        ("1785484840", Some(40_000)),
        ("1785484840000", Some(40_000)),
        ("1", Some(1_000)),
    ] {
        check(&format!("retry-after\n{value}"), "", millis);
    }
}

#[test]
fn milliseconds_are_exact_where_they_say_what_the_seconds_say_and_the_longer_counts_else() {
    for (lines, millis) in [
        ("retry-after-ms\n1500", Some(1_500)),
        ("retry-after-ms\n1500.2", Some(1_501)),
        ("x-ms-retry-after-ms\n26000", Some(26_000)),
        ("retry-after\n2\nretry-after-ms\n1500", Some(1_500)),
        ("retry-after\n40\nretry-after-ms\n1", Some(40_000)),
        ("retry-after\n1\nretry-after-ms\n40000", Some(40_000)),
        ("retry-after\nx\nretry-after-ms\ny", None),
        ("retry-after-ms\n40000\nx-ms-retry-after-ms\n1", Some(40_000)),
    ] {
        check(lines, "", millis);
    }
}

#[test]
fn a_limit_of_which_nothing_remains_says_when_it_is_reset() {
    for (lines, millis) in [
        ("x-ratelimit-remaining-requests\n0\nx-ratelimit-reset-requests\n6m0s", Some(360_000)),
        ("x-ratelimit-reset-tokens\n12ms\nx-ratelimit-remaining-tokens\n0", Some(12)),
        ("x-ratelimit-remaining-tokens\n0\nx-ratelimit-reset-tokens\n0h2m3.5s", Some(123_500)),
        ("x-ratelimit-remaining-requests\n3\nx-ratelimit-reset-requests\n6m0s", None),
        (
            "x-ratelimit-remaining-requests\n0\nx-ratelimit-reset-requests\n7.66s\nx-ratelimit-remaining-tokens\n0\nx-ratelimit-reset-tokens\n2m59.56s",
            Some(179_560),
        ),
        ("x-ratelimit-remaining-requests-day\n0\nx-ratelimit-reset-requests-day\n330.5", Some(330_500)),
        ("x-ratelimit-remaining\n0\nx-ratelimit-reset\n1785484823000", Some(23_000)),
        (
            "anthropic-ratelimit-input-tokens-remaining\n0\nanthropic-ratelimit-input-tokens-reset\n2026-07-31T08:00:23Z",
            Some(23_000),
        ),
        (
            "anthropic-ratelimit-unified-5h-status\nrejected\nanthropic-ratelimit-unified-5h-reset\n1785484823",
            Some(23_000),
        ),
        ("anthropic-ratelimit-unified-status\nallowed\nanthropic-ratelimit-unified-reset\n1785484823", None),
        ("ratelimit\n\"rpm\";r=3;t=9, \"tpm\";r=0;t=23, \"rpd\";t=44;r=0", Some(44_000)),
        ("ratelimit-remaining\n0\nratelimit-reset\n23", Some(23_000)),
        ("x-ratelimit-remaining-requests\n0\nx-ratelimit-reset-requests\n6m0s\nretry-after\n2", Some(2_000)),
        ("x-ratelimit-remaining-requests\n0", None),
        ("x-ratelimit-remaining-requests", None),
    ] {
        check(lines, "", millis);
    }
}

#[test]
fn the_body_says_what_the_head_does_not() {
    let google = r#"{"error":{"code":429,"message":"Quota. Please retry in 99s.","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure"},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"41.250000001s"}]}}"#;
    for (lines, body, millis) in [
        ("", google.to_owned(), Some(41_251)),
        ("", format!("[{google}]"), Some(41_251)),
        ("retry-after\n60", google.to_owned(), Some(60_000)),
        ("retry-after\n6", google.to_owned(), Some(41_251)),
        ("", r#"{"error":{"details":[{"retryDelay":{"seconds":"41","nanos":250000001}}]}}"#.to_owned(), Some(41_251)),
        ("", r#"{"error":{"details":{"retryDelay":"3s"}}}"#.to_owned(), Some(3_000)),
        ("", r#"{"error":{"message":"Busy.","retry_after":12}}"#.to_owned(), Some(12_000)),
        ("", r#"{"retry_after_ms":1200.5}"#.to_owned(), Some(1_201)),
        ("", r#"{"error":"Model is loading","estimated_time":20.5}"#.to_owned(), Some(20_500)),
        ("", r#"{"error":{"type":"usage_limit_reached","resets_at":1785484823}}"#.to_owned(), Some(23_000)),
        (
            "",
            r#"{"error":{"code":429,"metadata":{"headers":{"X-RateLimit-Remaining":"0","X-RateLimit-Reset":"1785484823000"}}}}"#
                .to_owned(),
            Some(23_000),
        ),
        ("", r#"{"error":{"details":[{"retryDelay":"garbage"}],"retry_after":null}}"#.to_owned(), None),
    ] {
        check(lines, &body, millis);
    }
}

#[test]
fn the_text_is_the_last_that_is_asked() {
    for (text, millis) in [
        ("You exceeded your current quota. Please retry in 41.25s.", Some(41_250)),
        ("Rate limit reached on tokens per min. Please try again in 1m2.5s. Visit us.", Some(62_500)),
        ("Please try again in 6ms.", Some(6)),
        ("Please retry after 26 seconds.", Some(26_000)),
        ("Try again in about 2 minutes and 3 seconds", Some(123_000)),
        ("Please wait for 1 hour, 2 minutes.", Some(3_600_000)),
        ("Please try again in a moment.", None),
        ("Please try again in 20.", None),
        ("in 20s", None),
        ("retry in 1s or retry in 3s", Some(3_000)),
    ] {
        check("", text, millis);
        check("", &format!("{{\"error\":{{\"message\":{text:?}}}}}"), millis);
    }
    check("x-ratelimit-remaining-tokens\n0\nx-ratelimit-reset-tokens\n2s", "Please try again in 9s.", Some(2_000));
}

#[test]
fn no_text_however_strange_is_too_much() {
    let deep = "[".repeat(20_000);
    let many = "x-ratelimit-remaining-tokens\n0\n".repeat(5_000);
    for text in ["retry in ", "retry in 9", "retry in 9é", "wait 1h1h1h1h", "\u{130} retry in \u{130}9s", &deep] {
        let _ = Waits::of_headers(text, NOW).and_body(text.as_bytes(), NOW);
    }
    assert_eq!(Waits::of_headers(&many, NOW).wait(), None);
    check("retry-after\n18446744073709551615.999999999999d", "", Some(3_600_000));
}
