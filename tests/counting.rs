//! Whatever an answer says counts, in each dialect, streamed and whole; what only names it, or says it again, does not.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "tests")]

use serde_json::{Value, json};
use tollgate::dialect::{Counter, Dialect};

/// What each frame of a stream counts: `(event, data)`.
fn counts(dialect: Dialect, frames: &[(&str, Value)]) -> Vec<u64> {
    let mut counter = Counter::new(dialect);
    frames
        .iter()
        .map(|(event, data)| counter.count(Some(event.as_bytes()), data.to_string().as_bytes()).get())
        .collect()
}

fn whole(dialect: Dialect, answer: &Value) -> u64 {
    dialect.count_answer(answer.to_string().as_bytes()).get()
}

const LONG: &str = "01234567890123456789";

#[test]
fn claude_is_counted_by_every_delta_and_every_block() {
    let delta = |delta: Value| ("", json!({"type": "content_block_delta", "index": 0, "delta": delta}));
    let block = |block: Value| ("", json!({"type": "content_block_start", "index": 0, "content_block": block}));
    let frames = [
        (
            (
                "",
                json!({"type": "message_start", "message": {"id": "m", "model": "c", "content": [], "usage": {"input_tokens": 9}}}),
            ),
            0,
        ),
        (block(json!({"type": "text", "text": ""})), 0),
        (delta(json!({"type": "text_delta", "text": "hi"})), 1),
        (delta(json!({"type": "thinking_delta", "thinking": LONG})), 5),
        (delta(json!({"type": "signature_delta", "signature": "A".repeat(160)})), 10),
        (delta(json!({"type": "input_json_delta", "partial_json": "{\"a"})), 1),
        (
            delta(
                json!({"type": "citations_delta", "citation": {"type": "x", "cited_text": "a", "url": "http://x", "title": "t"}}),
            ),
            1,
        ),
        (delta(json!({"type": "never_heard_of", "words": LONG})), 5),
        (block(json!({"type": "tool_use", "id": "toolu_0123456789", "name": "weather", "input": {}})), 1),
        (
            block(
                json!({"type": "server_tool_use", "id": "srvtoolu_01234", "name": "web_search", "input": {"query": LONG}}),
            ),
            11,
        ),
        (block(json!({"type": "redacted_thinking", "data": "A".repeat(160)})), 10),
        (
            block(
                json!({"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"type": "r", "url": "u", "encrypted_content": "A".repeat(1_599)}]}),
            ),
            100,
        ),
        (
            block(
                json!({"type": "code_execution_tool_result", "content": {"type": "r", "stdout": "out", "return_code": 0}}),
            ),
            1,
        ),
        (("", json!({"type": "content_block_stop", "index": 0})), 0),
        (("", json!({"type": "ping"})), 0),
        (
            ("", json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}})),
            0,
        ),
        (("", json!({"type": "message_stop"})), 0),
        (("", json!({"type": "error", "error": {"type": "x", "message": "a long story"}})), 0),
        (("", json!({"type": "something_new", "id": "0123456789abcdefg", "said": {"in": [LONG]}})), 5),
    ];
    let (said, tokens): (Vec<_>, Vec<_>) = frames.into_iter().unzip();
    assert_eq!(counts(Dialect::Anthropic, &said), tokens);
    let answer = json!({"id": "m", "role": "assistant", "content": [
        {"type": "thinking", "thinking": LONG, "signature": "A".repeat(160)}, {"type": "text", "text": LONG},
        {"type": "tool_use", "id": "t", "name": "name", "input": {"a": 1, "b": true}}, {"type": "redacted_thinking", "data": "A".repeat(160)}]});
    assert_eq!(whole(Dialect::Anthropic, &answer), (20 + 20 + 4 + 16_u64).div_ceil(4) + 20);
}

#[test]
fn gemini_is_counted_by_every_part() {
    let chunk = |part: Value| {
        (
            "",
            json!({"candidates": [{"index": 0, "content": {"role": "model", "parts": [part]}}], "modelVersion": "g", "responseId": "0123456789abcdefg"}),
        )
    };
    let frames = [
        (chunk(json!({"text": "hi"})), 1),
        (chunk(json!({"text": LONG, "thought": true})), 5),
        (chunk(json!({"text": "", "thoughtSignature": "A".repeat(160)})), 10),
        (chunk(json!({"functionCall": {"name": "f", "args": {"n": 1}, "id": "0123456789abcdefg"}})), 1),
        (chunk(json!({"executableCode": {"language": "PYTHON", "code": LONG}})), 5),
        (chunk(json!({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}})), 1),
        (chunk(json!({"inlineData": {"mimeType": "image/png", "data": "A".repeat(10_240)}})), 10),
        (chunk(json!({"neverHeardOf": {"words": LONG}})), 5),
        (
            (
                "",
                json!({"candidates": [{"groundingMetadata": {"searchEntryPoint": {"renderedContent": LONG.repeat(100)}}}]}),
            ),
            1,
        ),
        (
            (
                "",
                json!({"candidates": [{"groundingMetadata": {}, "finishReason": "STOP", "safetyRatings": [{"category": LONG}]}]}),
            ),
            0,
        ),
        (("", json!({"usageMetadata": {"promptTokenCount": 1}, "modelVersion": "g"})), 0),
        (("", json!({"promptFeedback": {"blockReason": "SAFETY"}})), 0),
        (("", json!({"somethingNew": {"said": LONG}})), 5),
    ];
    let (said, tokens): (Vec<_>, Vec<_>) = frames.into_iter().unzip();
    assert_eq!(counts(Dialect::Gemini, &said), tokens);
    let parts =
        json!([{"text": LONG, "thought": true}, {"text": LONG}, {"functionCall": {"name": "name", "args": {"n": 1}}}]);
    let answer = json!({"candidates": [{"content": {"parts": parts}}, {"index": 1, "content": {"parts": parts}}]});
    assert_eq!(whole(Dialect::Gemini, &answer), (2 * (20 + 20 + 4 + 7_u64)).div_ceil(4));
}

#[test]
fn responses_are_counted_by_every_delta_and_not_again_when_it_is_done() {
    let delta = |kind: &str, delta: Value| {
        (
            "",
            json!({"type": format!("response.{kind}.delta"), "item_id": "0123456789abcdefg", "delta": delta, "obfuscation": LONG}),
        )
    };
    let event = |kind: &str, more: Value| {
        let mut event =
            json!({"type": format!("response.{kind}"), "sequence_number": 7, "item_id": "0123456789abcdefg"});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ("", event)
    };
    let message = json!({"type": "message", "id": "i", "status": "completed", "content": [{"type": "output_text", "text": LONG, "annotations": []}]});
    let image =
        json!({"type": "image_generation_call", "id": "g", "status": "completed", "result": "A".repeat(10_240)});
    let search = json!({"type": "web_search_call", "id": "w", "action": {"type": "search", "query": LONG}});
    let frames = [
        (event("created", json!({"response": {"id": "r", "model": "m", "instructions": LONG}})), 0),
        (event("output_item.added", json!({"item": {"type": "message", "id": "i", "content": []}})), 0),
        (delta("output_text", json!(LONG)), 5),
        (event("output_text.done", json!({"text": LONG})), 0),
        (event("content_part.done", json!({"part": {"type": "output_text", "text": LONG}})), 0),
        (event("output_item.done", json!({"item": message})), 0),
        (delta("reasoning_summary_text", json!(LONG)), 5),
        (delta("function_call_arguments", json!("{\"a")), 1),
        (delta("code_interpreter_call_code", json!(LONG)), 5),
        (delta("mcp_call_arguments", json!(LONG)), 5),
        (delta("refusal", json!("no")), 1),
        (delta("audio", json!("A".repeat(10_240))), 10),
        (delta("audio.transcript", json!(LONG)), 5),
        (delta("never_heard_of", json!({"words": LONG})), 5),
        (event("image_generation_call.partial_image", json!({"partial_image_b64": "A".repeat(10_240)})), 10),
        (
            event(
                "output_text.annotation.added",
                json!({"annotation": {"type": "url_citation", "url": "u", "title": "t"}}),
            ),
            1,
        ),
        (event("web_search_call.searching", json!({"output_index": 1})), 0),
        (event("something_new", json!({"said": LONG})), 5),
    ];
    let (said, tokens): (Vec<_>, Vec<_>) = frames.into_iter().unzip();
    assert_eq!(counts(Dialect::Responses, &said), tokens);

    // What was not said bit by bit counts when it is done, or at the end of all.
    let mut counter = Counter::new(Dialect::Responses);
    let mut count = |(_, data): (&str, Value)| counter.count(None, data.to_string().as_bytes()).get();
    assert_eq!(count(delta("output_text", json!(LONG))), 5);
    assert_eq!(count(event("output_item.done", json!({"item": message}))), 0);
    assert_eq!(count(event("output_item.done", json!({"item": image}))), 10);
    assert_eq!(count(event("output_item.done", json!({"item": search}))), 2);
    let output =
        json!([message, image, search, {"type": "function_call", "name": "name", "arguments": LONG, "call_id": "c"}]);
    assert_eq!(count(event("completed", json!({"response": {"id": "r", "output": output}}))), 6);
    assert_eq!(
        whole(Dialect::Responses, &json!({"id": "r", "output": output, "instructions": LONG})),
        (20 + 4 + 20) / 4 + 2 + 10
    );
}

#[test]
fn bedrock_and_workers_ai_are_counted_by_every_event() {
    let delta = |delta: Value| ("contentBlockDelta", json!({"contentBlockIndex": 0, "delta": delta, "p": LONG}));
    let frames = [
        (("messageStart", json!({"role": "assistant", "p": LONG})), 0),
        (("contentBlockStart", json!({"start": {"toolUse": {"toolUseId": LONG, "name": "weather"}}})), 1),
        (delta(json!({"text": "hi"})), 1),
        (delta(json!({"toolUse": {"input": LONG}})), 5),
        (delta(json!({"reasoningContent": {"text": LONG}})), 5),
        (delta(json!({"reasoningContent": {"signature": "A".repeat(160)}})), 10),
        (delta(json!({"reasoningContent": {"redactedContent": "A".repeat(160)}})), 10),
        (delta(json!({"citation": {"title": "t", "sourceContent": [{"text": "a"}]}})), 1),
        (delta(json!({"neverHeardOf": LONG})), 5),
        (("contentBlockStop", json!({"contentBlockIndex": 0, "p": LONG})), 0),
        (("messageStop", json!({"stopReason": "end_turn", "p": LONG})), 0),
        (("metadata", json!({"usage": {"inputTokens": 1}, "p": LONG})), 0),
        (("throttlingException", json!({"message": LONG})), 0),
        (("somethingNew", json!({"said": LONG})), 5),
    ];
    let (said, tokens): (Vec<_>, Vec<_>) = frames.into_iter().unzip();
    assert_eq!(counts(Dialect::Converse, &said), tokens);
    let content = json!([{"text": LONG}, {"toolUse": {"toolUseId": LONG, "name": "name", "input": {"n": 1}}}]);
    assert_eq!(
        whole(Dialect::Converse, &json!({"output": {"message": {"role": "assistant", "content": content}}})),
        (20 + 4 + 7_u64).div_ceil(4)
    );

    let frames = [
        (("", json!({"response": "hi", "p": LONG})), 1),
        (("", json!({"response": {"a": 1}})), 1),
        (("", json!({"tool_calls": [{"name": "f", "arguments": {"n": 1}}]})), 1),
        (("", json!({"choices": [{"delta": {"content": LONG}}], "id": LONG, "model": LONG})), 5),
        (("", json!({"response": "", "usage": {"prompt_tokens": 1}})), 0),
        (("", json!({"somethingNew": LONG})), 5),
    ];
    let (said, tokens): (Vec<_>, Vec<_>) = frames.into_iter().unzip();
    assert_eq!(counts(Dialect::WorkersAi, &said), tokens);
}
