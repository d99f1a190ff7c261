//! Where the answer of a stream begins: by the first that is said, thought or called or by why it ends, in every dialect; and
//! what stands there instead of an answer.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, clippy::cast_possible_truncation, reason = "tests")]

use tollgate::answer::instead;
use tollgate::dialect::{Dialect, Endpoint, Stamp};
use tollgate::health::Outcome;
use tollgate::relay::{End, Relay, Start};
use tollgate::units::Millis;

const CLIENTS: [Endpoint; 4] = [Endpoint::Chat, Endpoint::Responses, Endpoint::Messages, Endpoint::Generate];

/// The stream of a provider: what comes before its answer, the first bit of that, and the end of one that says nothing.
struct Provider {
    dialect: Dialect,
    preamble: Vec<Vec<u8>>,
    begins: Vec<Vec<u8>>,
    /// An error, and the status, the wait and the client's fault that it stands for.
    errors: Vec<(Vec<u8>, u16, Option<u64>)>,
}

fn sse(data: &str) -> Vec<u8> {
    format!("data: {data}\n\n").into_bytes()
}

fn named(data: &str) -> Vec<u8> {
    let name = data.split('"').nth(3).unwrap();
    format!("event: {name}\ndata: {data}\n\n").into_bytes()
}

fn chunk(delta: &str) -> Vec<u8> {
    sse(&format!(
        r#"{{"id":"c","object":"chat.completion.chunk","model":"m","choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}"#
    ))
}

fn message(name: &str, payload: &str) -> Vec<u8> {
    let kind = if name.ends_with("Exception") { "exception" } else { "event" };
    let mut headers = Vec::new();
    for (header, value) in [(format!(":{kind}-type").as_str(), name), (":message-type", kind)] {
        headers.push(header.len() as u8);
        headers.extend_from_slice(header.as_bytes());
        headers.extend_from_slice(&[7, 0, value.len() as u8]);
        headers.extend_from_slice(value.as_bytes());
    }
    let mut bytes = ((16 + headers.len() + payload.len()) as u32).to_be_bytes().to_vec();
    bytes.extend_from_slice(&(headers.len() as u32).to_be_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
    bytes.extend_from_slice(&headers);
    bytes.extend_from_slice(payload.as_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
    bytes
}

fn openai() -> Provider {
    Provider {
        dialect: Dialect::OpenAi,
        preamble: vec![
            b": OPENROUTER PROCESSING\n\n".to_vec(),
            b"\n\n\r\n".to_vec(),
            sse("null"),
            sse(""),
            sse(r#"{"choices":[],"prompt_filter_results":[{"prompt_index":0}]}"#),
            chunk(r#"{"role":"assistant","content":"","refusal":null}"#),
            chunk(r#"{"role":"assistant","content":null,"tool_calls":[]}"#),
            sse(r#"{"choices":[{"index":0,"delta":{},"finish_reason":""}],"error":null}"#),
        ],
        begins: vec![
            chunk(r#"{"content":"Hi"}"#),
            chunk(r#"{"reasoning_content":"Hm"}"#),
            chunk(r#"{"refusal":"No."}"#),
            chunk(r#"{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{"}}]}"#),
            sse(r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#),
        ],
        errors: vec![
            (sse(r#"{"error":{"message":"Overloaded","type":"server_error","code":503}}"#), 503, None),
            (
                sse(
                    r#"{"error":{"message":"Slow down.","type":"requests","code":"rate_limit_exceeded","retry_after":7}}"#,
                ),
                429,
                Some(7),
            ),
            (sse(r#"{"error":"it broke"}"#), 502, None),
            (b"event: error\ndata: {\"message\":\"it broke\"}\n\n".to_vec(), 502, None),
            (
                sse(
                    r#"{"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}],"error":{"code":502,"message":"No room."}}"#,
                ),
                502,
                None,
            ),
            (sse("upstream connect error"), 502, None),
            (sse(r#"{"choices":[{"index":0,"delta":{"con"#), 502, None),
            (
                sse(
                    r#"{"error":{"message":"Too long.","type":"invalid_request_error","code":"context_length_exceeded"}}"#,
                ),
                400,
                None,
            ),
        ],
    }
}

fn anthropic() -> Provider {
    let start = r#"{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","content":[],"model":"m","stop_reason":null,"usage":{"input_tokens":9,"output_tokens":1}}}"#;
    let error = |kind: &str| named(&format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"Why."}}}}"#));
    Provider {
        dialect: Dialect::Anthropic,
        preamble: vec![named(r#"{"type":"ping"}"#), named(start), b": still here\n\n".to_vec()],
        begins: vec![
            named(r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}"#),
            named(
                r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"#,
            ),
            named(
                r#"{"type":"content_block_start","index":0,"content_block":{"type":"redacted_thinking","data":"x"}}"#,
            ),
            named(
                r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":1}}"#,
            ),
        ],
        errors: vec![
            (error("overloaded_error"), 529, None),
            (error("rate_limit_error"), 429, None),
            (error("api_error"), 502, None),
            (error("timeout_error"), 504, None),
            (error("authentication_error"), 502, None),
            (error("invalid_request_error"), 400, None),
            (sse(r#"{"error":{"message":"as another dialect has it","code":503}}"#), 503, None),
            (b"event: error\ndata: {}\n\n".to_vec(), 502, None),
            (sse("<html>"), 502, None),
        ],
    }
}

fn responses() -> Provider {
    let created = r#"{"type":"response.created","sequence_number":0,"response":{"id":"r","object":"response","status":"in_progress","model":"m","output":[]}}"#;
    Provider {
        dialect: Dialect::Responses,
        preamble: vec![
            named(created),
            named(&created.replace("response.created", "response.in_progress")),
            named(&created.replace("response.created", "response.queued")),
            named(
                r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"message","id":"i","role":"assistant","content":[]}}"#,
            ),
        ],
        begins: vec![
            named(
                r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"item_id":"i","delta":"Hi"}"#,
            ),
            named(
                r#"{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"item_id":"i","delta":"Hm"}"#,
            ),
            named(
                r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","id":"i","call_id":"c","name":"f","arguments":""}}"#,
            ),
            named(r#"{"type":"response.completed","response":{"id":"r","status":"completed","output":[]}}"#),
        ],
        errors: vec![
            (
                named(
                    r#"{"type":"error","sequence_number":1,"code":"rate_limit_exceeded","message":"Please try again in 6.2s."}"#,
                ),
                429,
                Some(7),
            ),
            (
                named(
                    r#"{"type":"response.failed","response":{"id":"r","status":"failed","error":{"code":"rate_limit_exceeded","message":"Try again in 3s."}}}"#,
                ),
                429,
                Some(3),
            ),
            (
                named(
                    r#"{"type":"response.failed","response":{"id":"r","status":"failed","error":{"code":"server_error","message":"Oh."}}}"#,
                ),
                502,
                None,
            ),
            (
                named(
                    r#"{"type":"error","error":{"type":"insufficient_quota","code":"insufficient_quota","message":"Spent."}}"#,
                ),
                429,
                None,
            ),
            (sse(r#"{"error":{"message":"The server is overloaded","code":"server_is_overloaded"}}"#), 503, None),
        ],
    }
}

fn gemini() -> Provider {
    Provider {
        dialect: Dialect::Gemini,
        preamble: vec![
            sse(r#"{"responseId":"r","modelVersion":"m","usageMetadata":{"promptTokenCount":4}}"#),
            sse(r#"{"candidates":[{"index":0,"content":{"role":"model","parts":[{"text":""}]}}]}"#),
        ],
        begins: vec![
            sse(r#"{"candidates":[{"index":0,"content":{"role":"model","parts":[{"text":"Hi"}]}}]}"#),
            sse(r#"{"candidates":[{"index":0,"content":{"role":"model","parts":[{"text":"Hm","thought":true}]}}]}"#),
            sse(
                r#"{"candidates":[{"index":0,"content":{"role":"model","parts":[{"functionCall":{"name":"f","args":{}}}]}}]}"#,
            ),
            sse(r#"{"candidates":[{"index":0,"finishReason":"STOP"}]}"#),
        ],
        errors: vec![
            (
                sse(
                    r#"{"error":{"code":429,"message":"Quota.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"41.25s"}]}}"#,
                ),
                429,
                Some(42),
            ),
            (sse(r#"{"error":{"message":"The model is overloaded.","status":"UNAVAILABLE"}}"#), 503, None),
            (sse(r#"[{"error":{"code":500,"message":"Internal","status":"INTERNAL"}}]"#), 500, None),
            (sse(r#"{"error":{"code":400,"message":"No.","status":"INVALID_ARGUMENT"}}"#), 400, None),
        ],
    }
}

fn converse() -> Provider {
    Provider {
        dialect: Dialect::Converse,
        preamble: vec![message("messageStart", r#"{"role":"assistant"}"#)],
        begins: vec![
            message("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"Hi"}}"#),
            message("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"Hm"}}}"#),
            message("contentBlockStart", r#"{"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"t","name":"f"}}}"#),
            message("messageStop", r#"{"stopReason":"end_turn"}"#),
        ],
        errors: vec![
            (message("throttlingException", r#"{"message":"Too many."}"#), 429, None),
            (message("serviceUnavailableException", r#"{"message":"Busy."}"#), 503, None),
            (message("modelTimeoutException", r#"{"message":"Late."}"#), 504, None),
            (message("internalServerException", r#"{"message":"Oh."}"#), 502, None),
            (message("validationException", r#"{"message":"No."}"#), 400, None),
        ],
    }
}

fn workers_ai() -> Provider {
    Provider {
        dialect: Dialect::WorkersAi,
        preamble: vec![],
        begins: vec![sse(r#"{"response":"Hi"}"#)],
        errors: vec![
            (
                sse(
                    r#"{"internalCode":3040,"description":"Capacity temporarily exceeded","name":"InferenceUpstreamError"}"#,
                ),
                503,
                None,
            ),
            (sse(r#"{"errors":[{"code":10000,"message":"It broke."}]}"#), 502, None),
        ],
    }
}

fn providers() -> [Provider; 6] {
    [openai(), anthropic(), responses(), gemini(), converse(), workers_ai()]
}

/// A relay for each client, to which all this has come, in two cuts.
fn relays(dialect: Dialect, events: &[&[u8]]) -> Vec<(Endpoint, Relay)> {
    let stamp = Stamp { id: "1-2", created: 17, model: "m" };
    let one = |to: Endpoint, size: usize| {
        let mut relay = Relay::between(dialect, to, &stamp, true);
        for chunk in events.concat().chunks(size) {
            let _ = relay.push(chunk);
        }
        (to, relay)
    };
    CLIENTS.into_iter().flat_map(|to| [one(to, usize::MAX), one(to, 5)]).collect()
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn nothing_before_the_first_bit_of_an_answer_is_one() {
    for Provider { dialect, preamble, .. } in providers() {
        let events: Vec<&[u8]> = preamble.iter().map(Vec::as_slice).collect();
        for many in 0..=events.len() {
            for (to, mut relay) in relays(dialect, &events[..many]) {
                assert_eq!(relay.start(), Start::Waiting, "{dialect:?} to {to:?}, {many} events");
                relay.finish(End::Whole);
                assert_eq!(relay.start(), Start::Failed, "{dialect:?} to {to:?}, {many} events and no more");
                assert_eq!(relay.failed(), None);
            }
            for (to, mut relay) in relays(dialect, &events[..many]) {
                relay.finish(End::Cut);
                assert_eq!(relay.start(), Start::Failed, "{dialect:?} to {to:?}, {many} events and a cut");
            }
        }
    }
}

#[test]
fn whatever_is_said_first_begins_an_answer() {
    for Provider { dialect, preamble, begins, .. } in providers() {
        for first in &begins {
            for events in [vec![first.as_slice()], preamble.iter().chain([first]).map(Vec::as_slice).collect()] {
                for (to, relay) in relays(dialect, &events) {
                    assert_eq!(relay.start(), Start::Begun, "{dialect:?} to {to:?}: {}", shown(first));
                }
            }
        }
    }
}

#[test]
fn an_error_in_place_of_an_answer_is_known_for_what_it_is() {
    for Provider { dialect, preamble, begins, errors } in providers() {
        for (error, status, wait) in &errors {
            for events in [vec![error.as_slice()], preamble.iter().chain([error]).map(Vec::as_slice).collect()] {
                for (to, relay) in relays(dialect, &events) {
                    let what = format!("{dialect:?} to {to:?}: {}", shown(error));
                    assert_eq!(relay.start(), Start::Failed, "{what}");
                    let failed = relay.failed().unwrap();
                    let (outcome, refusal) = instead(dialect, failed.name.as_deref(), &failed.data, Millis::ZERO);
                    assert_eq!(refusal.status, *status, "{what}");
                    let seconds = refusal.retry_after.map(Millis::as_secs_ceil);
                    assert_eq!(seconds, *wait, "{what}");
                    assert_eq!(outcome == Outcome::Answered, *status == 400, "{what}: only then the target is well");
                }
            }
            // Once an answer has begun, an error is its end.
            for (to, relay) in relays(dialect, &[&begins[0], error]) {
                assert_eq!(relay.start(), Start::Begun, "{dialect:?} to {to:?}: {}", shown(error));
            }
        }
    }
}

#[test]
fn an_end_alone_is_no_answer_and_one_with_a_usage_is() {
    let done = sse("[DONE]");
    let usage = sse(r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4}}"#);
    let role = chunk(r#"{"role":"assistant","content":""}"#);
    for (events, start) in [
        (vec![&done], Start::Failed),
        (vec![&role, &done], Start::Failed),
        (vec![&usage, &done], Start::Begun),
        (vec![&role, &usage, &done], Start::Begun),
    ] {
        let events: Vec<&[u8]> = events.into_iter().map(Vec::as_slice).collect();
        for (to, relay) in relays(Dialect::OpenAi, &events) {
            assert_eq!(relay.start(), start, "{to:?}: {}", shown(&events.concat()));
        }
    }
}

#[test]
fn a_prompt_that_is_held_back_is_an_answer() {
    for (to, relay) in relays(Dialect::Gemini, &[&sse(r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#)]) {
        assert_eq!(relay.start(), Start::Begun, "{to:?}");
    }
}

#[test]
fn what_is_no_stream_at_all_is_kept_for_what_it_says() {
    let body = br#"{"error":{"message":"Busy.","code":503,"retry_after":"9"}}"#;
    for (to, mut relay) in relays(Dialect::OpenAi, &[body]) {
        assert_eq!(relay.start(), Start::Waiting);
        relay.finish(End::Whole);
        assert_eq!(relay.start(), Start::Failed, "{to:?}");
        let (_, refusal) = instead(Dialect::OpenAi, None, &relay.failed().unwrap().data, Millis::ZERO);
        assert_eq!((refusal.status, refusal.retry_after), (503, Some(Millis::from_secs(9))));
    }
    for (_, relay) in relays(Dialect::Converse, &[b"<html>nobody is here</html> nobody at all"]) {
        assert_eq!(relay.start(), Start::Failed);
    }
}
