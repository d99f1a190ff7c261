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
        (r#"{"model":"m","usage":{"prompt_tokens":9,"completion_tokens":3}"#, None, None),
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
fn what_was_said_before_a_cut_counts() {
    let mut meter = Meter::new(EVENTS);
    meter.push(b"data: {\"type\":\"message_start\",\"message\":{\"model\":\"c\",\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n\ndata: {\"ty");
    assert_eq!((meter.model(), meter.usage()), (Some("c"), Some(usage(5, 1))));
    meter.finish();
    assert_eq!(meter.usage(), Some(usage(5, 1)));
}

#[test]
fn long_texts_are_left_out_and_so_a_picture_costs_no_memory() {
    let picture = format!("{}\\\\\\\"\\u00e9\u{e9}", "aGk=".repeat(1_000_000));
    let usage_ = r#""usage":{"input_tokens":9,"output_tokens":3}"#;
    let answer = format!(r#"{{"data":[{{"b64_json":"{picture}"}},{{"b64_json":"{picture}"}}],{usage_},"model":"m"}}"#);
    let mut meter = Meter::new(JSON);
    for chunk in answer.as_bytes().chunks(65_536) {
        meter.push(chunk);
        let Form::Json(outline) = &meter.form else { panic!() };
        assert!(outline.kept.len() < 4_096 && outline.kept.capacity() < 65_536 * 4);
    }
    meter.finish();
    assert_eq!((meter.model(), meter.usage()), (Some("m"), Some(usage(9, 3))));
}

#[test]
fn texts_are_left_out_whole_whatever_they_hold() {
    for length in [TEXT_BYTES_MAX - 2, TEXT_BYTES_MAX - 1, TEXT_BYTES_MAX, TEXT_BYTES_MAX + 1, TEXT_BYTES_MAX + 2] {
        for tail in ["", "\\\"", "\\\\", "\\u00e9", "\u{e9}", "\\\\\\\""] {
            let answer = format!(r#"{{"x":"{}{tail}","{tail}":1,"model":"m"}}"#, "x".repeat(length));
            check(JSON, &answer, Some("m"), None);
        }
    }
}

#[test]
fn what_is_too_long_passes_without_being_understood() {
    let numbers = format!("[{}1]", "1,".repeat(JSON_BYTES_MAX / 2 + 1));
    let answer = format!(r#"{{"data":{numbers},"usage":{{"prompt_tokens":9,"completion_tokens":3}}}}"#);
    let mut meter = Meter::new(JSON);
    answer.as_bytes().chunks(65_536).for_each(|chunk| meter.push(chunk));
    assert!(!meter.understands());
    meter.finish();
    assert_eq!(meter.usage(), None);
}

#[test]
fn sound_and_pictures_are_not_looked_at() {
    check("audio/mpeg", r#"{"usage":{"prompt_tokens":9,"completion_tokens":3}}"#, None, None);
    check("", r#"{"usage":{"prompt_tokens":9,"completion_tokens":3}}"#, None, None);
    assert!(Meter::new("application/problem+json").understands() && !Meter::new("image/png").understands());
}
