use super::*;
use crate::units::Tokens;

const JSON: &str = "application/json; charset=utf-8";
const EVENTS: &str = "text/event-stream";

fn usage(input: u64, output: u64) -> Usage {
    Usage { input: Tokens::new(input), output: Tokens::new(output), ..Usage::default() }
}

/// What is found in `answer`, cut into chunks of every `size`.
#[track_caller]
fn check(content_type: &str, answer: &str, model: Option<&str>, found: Option<Usage>) {
    for size in [1, 2, 7, 64, 1_000_000] {
        let mut meter = Meter::new(content_type);
        answer.as_bytes().chunks(size).for_each(|chunk| meter.push(chunk));
        meter.finish();
        assert_eq!((meter.model(), meter.usage()), (model, found), "in chunks of {size}: {answer:.200}");
    }
}

#[test]
fn a_whole_answer_is_understood_in_every_dialect() {
    let cached = Usage { cached_input: Tokens::new(4), ..usage(9, 3) };
    for (answer, model, found) in [
        (
            r#"{"model":"m","usage":{"prompt_tokens":9,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":4}}}"#,
            Some("m"),
            Some(cached),
        ),
        (
            r#"{"model":"m","usage":{"input_tokens":9,"output_tokens":3,"input_tokens_details":{"cached_tokens":4}}}"#,
            Some("m"),
            Some(cached),
        ),
        (
            r#"{"model":"m","usage":{"input_tokens":5,"output_tokens":3,"cache_read_input_tokens":4,"cache_creation_input_tokens":0}}"#,
            Some("m"),
            Some(cached),
        ),
        (
            r#"{"modelVersion":"m","usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":3,"cachedContentTokenCount":4}}"#,
            Some("m"),
            Some(cached),
        ),
        (
            r#"{"modelVersion":"m","usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":1,"thoughtsTokenCount":2,"toolUsePromptTokenCount":1}}"#,
            Some("m"),
            Some(Usage { reasoning: Tokens::new(2), ..usage(10, 3) }),
        ),
        (
            r#"{"created":1,"data":[{"b64_json":"aGk="}],"usage":{"input_tokens":9,"output_tokens":3,"total_tokens":12}}"#,
            None,
            Some(usage(9, 3)),
        ),
        (
            r#"{"text":"hi","usage":{"type":"tokens","input_tokens":9,"input_token_details":{"audio_tokens":8},"output_tokens":3}}"#,
            None,
            Some(Usage { audio_input: Tokens::new(8), ..usage(9, 3) }),
        ),
        (r#"{"text":"hi","usage":{"type":"duration","seconds":9}}"#, None, None),
        (r#"{"model":"rerank-2","usage":{"total_tokens":9}}"#, Some("rerank-2"), Some(usage(9, 0))),
        (r#"{"id":"modr-1","model":"omni-moderation-latest","results":[]}"#, Some("omni-moderation-latest"), None),
        (r#"{"model":"m","usage":null}"#, Some("m"), None),
        (r#"{"model":7,"usage":{"prompt_tokens":-1}}"#, None, None),
        (r#"{"model":"a\u0000b","usage":[1]}"#, None, None),
        (r#"["usage"]"#, None, None),
        (r#"{"model":"m","usage":{"prompt_tokens":9,"completion_tokens":3}"#, Some("m"), Some(usage(9, 3))),
        (
            r#"{"us\u0061ge":{"prompt_tokens":9,"completion_tokens":3},"mod\u0065l":"\u006d"}"#,
            Some("m"),
            Some(usage(9, 3)),
        ),
        (
            r#"{"usage":{"prompt_tokens":1,"completion_tokens":1},"usage":{"prompt_tokens":9,"prompt_tokens":9,"completion_tokens":3}}"#,
            None,
            Some(usage(9, 3)),
        ),
        (
            r#"{"usage":{"inputTokens":5,"outputTokens":3,"cacheReadInputTokens":4,"totalTokens":12}}"#,
            None,
            Some(cached),
        ),
        ("", None, None),
    ] {
        check(JSON, answer, model, found);
    }
}

#[test]
fn a_stream_tells_its_usage_bit_by_bit_and_the_last_word_counts() {
    let frames = |list: &[&str]| list.iter().map(|data| format!("data: {data}\n\n")).collect::<String>();
    for (stream, model, found) in [
        (
            frames(&[
                r#"{"model":"m","choices":[{}],"usage":null}"#,
                r#"{"model":"m","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3}}"#,
                "[DONE]",
            ]),
            Some("m"),
            Some(usage(9, 3)),
        ),
        (
            frames(&[
                r#"{"type":"message_start","message":{"model":"c","usage":{"input_tokens":5,"cache_read_input_tokens":4,"output_tokens":1}}}"#,
                r#"{"type":"content_block_delta","delta":{"text":"\"usage\""}}"#,
                r#"{"type":"message_delta","usage":{"output_tokens":3}}"#,
            ]),
            Some("c"),
            Some(Usage { cached_input: Tokens::new(4), ..usage(9, 3) }),
        ),
        (
            frames(&[
                r#"{"type":"response.created","response":{"model":"r","usage":null}}"#,
                r#"{"type":"response.completed","response":{"model":"r","usage":{"input_tokens":9,"output_tokens":3}}}"#,
            ]),
            Some("r"),
            Some(usage(9, 3)),
        ),
        (
            frames(&[
                r#"{"usageMetadata":{"promptTokenCount":9},"modelVersion":"g"}"#,
                r#"{"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":3},"modelVersion":"g"}"#,
            ]),
            Some("g"),
            Some(usage(9, 3)),
        ),
        ("data: {\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3}}".to_owned(), None, Some(usage(9, 3))),
        (": only a comment\n\nevent: ping\n\n".to_owned(), None, None),
    ] {
        check(EVENTS, &stream, model, found);
        check(EVENTS, &stream.replace('\n', "\r\n"), model, found);
    }
}

#[test]
fn what_only_looks_like_a_usage_is_none() {
    let told = r#""usage":{"prompt_tokens":900,"completion_tokens":900},"model":"other""#;
    for answer in [
        format!(r#"{{"output":[{{{told}}}]}}"#),
        format!(r#"{{"output":{{{told}}}}}"#),
        format!(r#"{{"choices":[{{"message":{{{told}}}}}]}}"#),
        format!(r#"{{"message":{{"content":{{{told}}}}}}}"#),
        format!(r#"{{"message":[{{{told}}}]}}"#),
        format!(r#"{{"response":{{"message":{{{told}}}}}}}"#),
        format!(r#"{{"text":{}}}"#, serde_json::Value::from(format!("{{{told}}}"))),
        format!(r#"{{"text":"\\\"}},{}"}}"#, told.replace('"', "\\\"")),
        format!(r#"[[{{{told}}}]]"#),
        r#"{"a":"usage","b":{"prompt_tokens":9,"completion_tokens":3}}"#.to_owned(),
        r#"{"usage":[{"prompt_tokens":9,"completion_tokens":3}]}"#.to_owned(),
        r#"{"usage":"{\"prompt_tokens\":9}"}"#.to_owned(),
        r#"{"_usage":{"prompt_tokens":9},"usage ":{"prompt_tokens":9},"Usage":{"prompt_tokens":9}}"#.to_owned(),
        r#""usage":{"prompt_tokens":9,"completion_tokens":3}"#.to_owned(),
    ] {
        // The last is no JSON; but the object in it is an answer, which has no usage.
        check(JSON, &answer, None, None);
        check(EVENTS, &format!("data: {answer}\n\n"), None, None);
    }
}

#[test]
fn one_answer_after_the_other_and_a_list_of_them_are_read_as_the_events_of_one() {
    let first = r#"{"usageMetadata":{"promptTokenCount":9},"modelVersion":"g","candidates":[{"content":[]}]}"#;
    let last = r#"{"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":3},"modelVersion":"g"}"#;
    for (content_type, answer) in [
        (JSON, format!("[{first},\r\n{last}\n]\n")),
        (JSON, format!(" [ {first} , {last}")),
        (JSON, format!("{first}{last}")),
        ("application/x-ndjson", format!("{first}\n{last}\n")),
        ("application/jsonl", format!("{first}\n{last}")),
        ("application/json-seq", format!("\u{1e}{first}\n\u{1e}{last}\n")),
    ] {
        check(content_type, &answer, Some("g"), Some(usage(9, 3)));
    }
}

#[test]
fn the_parts_of_many_answers_are_summed_up() {
    let part =
        |usage: &str| format!("content-type: application/json; x=\"{{\"\r\n\r\nHTTP/1.1 200 OK\r\n\r\n{usage}\r\n");
    let one = part(r#"{"model":"m","usage":{"prompt_tokens":9,"completion_tokens":3}}"#);
    let one = one.replace("; x=\"{\"", "");
    let other = part("{\n\"usage\":\n{\"prompt_tokens\":2,\n\"completion_tokens\":1}}").replace("; x=\"{\"", "");
    let answer = format!("--b\r\n{one}--b\r\n{other}--b--\r\n");
    check("multipart/mixed; boundary=b", &answer, Some("m"), Some(usage(11, 4)));
}

/// One message of Amazon's event stream.
fn message(payload: &str) -> Vec<u8> {
    let headers = b"\x0b:event-type\x07\x00\x08metadata";
    let length = u32::try_from(12 + headers.len() + payload.len() + 4).unwrap();
    let lengths = [length.to_be_bytes(), u32::try_from(headers.len()).unwrap().to_be_bytes(), [0; 4]].concat();
    [&lengths, headers.as_slice(), payload.as_bytes(), &[0; 4]].concat()
}

#[test]
fn the_events_of_a_binary_stream_are_read_wherever_they_are_cut() {
    let stream = [
        message(r#"{"contentBlockIndex":0,"delta":{"text":"{\"usage\":{\"inputTokens\":7}}"}}"#),
        message(""),
        message(r#"{"usage":{"inputTokens":9,"outputTokens":3,"totalTokens":12},"metrics":{"latencyMs":1}}"#),
    ]
    .concat();
    for size in [1, 3, 11, 12, 13, 1_000] {
        let mut meter = Meter::new("application/vnd.amazon.eventstream");
        stream.chunks(size).for_each(|chunk| meter.push(chunk));
        assert_eq!(meter.usage(), Some(usage(9, 3)), "before its end, in chunks of {size}");
        meter.finish();
        assert_eq!(meter.usage(), Some(usage(9, 3)), "in chunks of {size}");
    }
    for lengths in [[0_u32, 0], [15, 0], [40, 25], [u32::MAX, u32::MAX]] {
        let mut meter = Meter::new("application/vnd.amazon.eventstream");
        meter.push(&lengths.map(u32::to_be_bytes).concat());
        meter.push(&stream);
        assert!(!meter.understands() && meter.usage().is_none());
    }
}

#[test]
fn a_usage_that_was_told_before_a_cut_counts_where_nothing_came_after_it() {
    let frames = |list: &[&str]| list.iter().map(|data| format!("data: {data}\n\n")).collect::<String>();
    let begun = r#"{"type":"message_start","message":{"model":"c","usage":{"input_tokens":5,"output_tokens":1}}}"#;
    let text = r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"0123456789abcdef"}}"#;
    let told = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":30}}"#;
    for (stream, known, reckoned) in [
        (frames(&[begun]), None, usage(5, 1)),
        (frames(&[begun, text]) + "data: {\"ty", None, usage(5, 1 + 4)),
        (frames(&[begun, text, text]) + "data: {\"text\":\"01234567", None, usage(5, 1 + 8)),
        (frames(&[begun, text, told]), Some(usage(5, 30)), usage(5, 30)),
        (frames(&[begun, text, told, r#"{"type":"message_stop"}"#]), Some(usage(5, 30)), usage(5, 30)),
        (
            frames(&[begun, text, told, r#"{"type":"unheard_of","text":"0123456789"}"#]),
            Some(usage(5, 30)),
            usage(5, 30 + 3),
        ),
        (frames(&[r#"{"usage":{"prompt_tokens":5,"completion_tokens":1}}"#, text]), None, usage(5, 1 + 4)),
        (frames(&[r#"{"usageMetadata":{"promptTokenCount":9}}"#]), None, usage(9, 0)),
        (frames(&[r#"{"audio":"QUJD"}"#, r#"{"audio":"QUJD"}"#]), None, usage(0, 1)),
        (frames(&["[DONE]"]), None, usage(0, 0)),
    ] {
        for size in [1, 7, 1_000_000] {
            let mut meter = Meter::new(EVENTS);
            stream.as_bytes().chunks(size).for_each(|chunk| meter.push(chunk));
            assert_eq!((meter.usage(), meter.reckoned()), (known, reckoned), "in chunks of {size}: {stream}");
        }
    }
}

#[test]
fn no_size_of_an_answer_or_of_an_event_keeps_its_usage_from_being_read() {
    let picture = format!("{}\\\\\\\"\\u00e9\u{e9}", "aGk=".repeat(1_500_000));
    let deep = format!("{}{}", "[".repeat(300_000), "]".repeat(300_000));
    let numbers = format!("[{}1]", "0.123456789,".repeat(200_000));
    let told = r#""usage":{"input_tokens":9,"output_tokens":3}"#;
    for large in [format!("\"{picture}\""), deep, numbers] {
        let answer = format!(r#"{{"data":[{{"b64_json":{large}}},{{"{picture}":{large}}}],{told},"model":"m"}}"#);
        for (content_type, answer) in [(JSON, answer.clone()), (EVENTS, format!("data: {answer}\n\n"))] {
            let mut meter = Meter::new(content_type);
            for chunk in answer.as_bytes().chunks(65_536) {
                meter.push(chunk);
                assert!(meter.scanner.held() < 8_192, "{}", meter.scanner.held());
            }
            meter.finish();
            assert_eq!((meter.model(), meter.usage()), (Some("m"), Some(usage(9, 3))));
        }
    }
}

#[test]
fn what_stands_in_a_usage_that_no_provider_writes_costs_no_memory() {
    for large in [format!("\"{}\"", "x".repeat(3_000_000)), "[".repeat(3_000_000), "1".repeat(3_000_000)] {
        let mut meter = Meter::new(JSON);
        for chunk in format!(r#"{{"usage":{{"prompt_tokens":9,"x":{large}"#).as_bytes().chunks(65_536) {
            meter.push(chunk);
            assert!(meter.scanner.held() < 200_000, "{}", meter.scanner.held());
        }
    }
    let note = format!(r#"{{"usage":{{"note":"{}","prompt_tokens":9,"completion_tokens":3}}}}"#, "x".repeat(100_000));
    check(JSON, &note, None, Some(usage(9, 3)));
}

#[test]
fn texts_are_passed_over_whole_whatever_they_hold() {
    for length in [0, 1, 1_023, 2_046, 2_047, 2_048, 2_049, 4_096] {
        for tail in ["", "\\\"", "\\\\", "\\u00e9", "\u{e9}", "\\\\\\\""] {
            let answer = format!(r#"{{"x":"{}{tail}","{tail}":1,"model":"m"}}"#, "x".repeat(length));
            check(JSON, &answer, Some("m"), None);
        }
    }
}

#[test]
fn sound_and_pictures_are_not_looked_at() {
    check("audio/mpeg", r#"{"usage":{"prompt_tokens":9,"completion_tokens":3}}"#, None, None);
    check("", r#"{"usage":{"prompt_tokens":9,"completion_tokens":3}}"#, None, None);
    assert!(Meter::new("application/problem+json").understands() && !Meter::new("image/png").understands());
}

proptest::proptest! {
    #[test]
    fn no_bytes_stop_it_and_no_cut_matters(
        bytes in "([\\[\\]{}\":,\\\\u0a-]|\"usage\":|\"model\":\"m\"|\"message\":|data: |\r|\n|--){0,60}",
        cuts in proptest::collection::vec(0..200_usize, 0..6),
    ) {
        for content_type in [JSON, EVENTS, "multipart/mixed", "application/vnd.amazon.eventstream"] {
            let found = |chunks: &mut dyn Iterator<Item = &[u8]>| {
                let mut meter = Meter::new(content_type);
                chunks.for_each(|chunk| meter.push(chunk));
                meter.finish();
                (meter.model().map(str::to_owned), meter.usage(), meter.reckoned())
            };
            let whole = found(&mut std::iter::once(bytes.as_bytes()));
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).chain([0, bytes.len()]).collect();
            cuts.sort_unstable();
            let mut pieces = cuts.windows(2).map(|pair| &bytes.as_bytes()[pair[0]..pair[1]]);
            proptest::prop_assert_eq!(found(&mut pieces), whole);
        }
    }
}
