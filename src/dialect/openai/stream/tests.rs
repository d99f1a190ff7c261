//! Streams: that they tell what whole answers tell, of whoever they are, and in whatever order it comes.

use super::*;
use crate::chat::{Event, Fault, Finish, Fold, Head, Usage};
use crate::dialect::Stamp;
use crate::dialect::openai::samples::{answers, fixture, fixture_json};
use crate::dialect::openai::{answer, fault};
use crate::sse::Frames;
use crate::units::Tokens;
use proptest::prelude::*;
use serde_json::{Value, json};

const STAMP: Stamp<'_> = Stamp { id: "9", created: 7, model: "asked" };

/// The events of the frames of `stream`.
fn events(stream: &[u8]) -> Vec<Event> {
    let (mut frames, mut reader, mut events) = (Frames::new(), Reader::default(), Vec::new());
    let mut rest = stream;
    while let Some(frame) = frames.next(&mut rest).unwrap() {
        if let Some(data) = frame.data() {
            reader.read(frame.event(), &data, &mut events);
        }
    }
    reader.finish(&mut events);
    events
}

/// The events of these chunks.
fn chunks(chunks: &[Value]) -> Vec<Event> {
    events(chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect::<String>().as_bytes())
}

/// The events of a stream of one choice with these deltas; what begins it is left out.
fn deltas(deltas: &[Value]) -> Vec<Event> {
    let chunk = |delta: &Value| json!({"id": "chatcmpl-a", "choices": [{"index": 0, "delta": delta}]});
    chunks(&deltas.iter().map(chunk).collect::<Vec<_>>()).split_off(1)
}

fn written(events: &[Event], show_usage: bool) -> String {
    let (mut writer, mut out) = (Writer::new(&STAMP, show_usage), Vec::new());
    events.iter().for_each(|event| writer.write(event, &mut out));
    String::from_utf8(out).unwrap()
}

fn fold(events: Vec<Event>) -> Fold {
    events.into_iter().fold(Fold::default(), |mut fold, event| {
        fold.add(event);
        fold
    })
}

fn text(choice: u32, text: &str) -> Event {
    Event::Text { choice, text: text.to_owned() }
}

fn call(nth: u32, id: &str, name: &str) -> Event {
    Event::ToolCall { choice: 0, nth, id: id.to_owned(), name: name.to_owned(), free: false }
}

fn arguments(nth: u32, text: &str) -> Event {
    Event::Arguments { choice: 0, nth, text: text.to_owned() }
}

#[test]
fn a_stream_tells_what_the_whole_answer_tells() {
    for case in ["text", "tools", "parallel", "image", "schema", "reasoning", "refusal", "length"] {
        let whole = answer::read(&fixture_json(case, "answer.json"));
        let read = events(fixture(case, "sse").as_bytes());
        let again = events(written(&read, true).as_bytes());
        assert_eq!(fold(read).finish(), Ok(whole.clone()), "{case}");
        assert_eq!(fold(again).finish(), Ok(whole), "{case}");
    }
    let error = fault::read(&fixture_json("error", "answer.json"));
    let read = events(fixture("error", "sse").as_bytes());
    assert_eq!(read[2..], [text(0, "Hel"), Event::Fault(error)]);
    let stream = written(&read, true);
    assert!(stream.ends_with("event: error\ndata: {\"error\":{\"message\":\"The server had an error while processing your request.\",\"type\":\"server_error\",\"param\":null,\"code\":null}}\n\n"), "{stream}");
}

#[test]
fn calls_are_told_apart_however_they_come() {
    let function = |name: Value, arguments: Value| json!({"name": name, "arguments": arguments});
    let both = [call(0, "a", "f"), arguments(0, "{}"), call(1, "b", "g"), arguments(1, "{\"x\":1}")];
    // Whole, in one chunk, all of one index.
    let one = json!({"tool_calls": [
        {"index": 0, "id": "a", "function": function("f".into(), "{}".into())},
        {"index": 0, "id": "b", "function": function("g".into(), json!({"x": 1}))},
    ]});
    assert_eq!(deltas(&[one]), both);
    // Without an index; the id is said once, or with each bit.
    let bits = [
        json!({"tool_calls": [{"id": "a", "function": function("f".into(), "".into())}]}),
        json!({"tool_calls": [{"function": {"arguments": "{}"}}]}),
        json!({"tool_calls": [{"id": "b", "function": function("g".into(), "{\"x\":".into())}]}),
        json!({"tool_calls": [{"id": "b", "function": {"arguments": "1}"}}]}),
    ];
    let told = [call(0, "a", "f"), arguments(0, "{}"), call(1, "b", "g"), arguments(1, "{\"x\":"), arguments(1, "1}")];
    assert_eq!(deltas(&bits), told);
    // The name and another id with each bit.
    let bits = [
        json!({"tool_calls": [{"index": 0, "id": "a", "function": function("f".into(), "{".into())}]}),
        json!({"tool_calls": [{"index": 0, "id": "z", "function": function(Value::Null, "}".into())}]}),
        json!({"tool_calls": [{"index": 0, "id": "a", "function": function("f".into(), " ".into())}]}),
    ];
    assert_eq!(deltas(&bits), [call(0, "a", "f"), arguments(0, "{"), arguments(0, "}"), arguments(0, " ")]);
    // No id at all, the older form, and a name that comes late.
    let nameless = json!({"tool_calls": [{"index": 0, "function": {"arguments": "{"}}]});
    let named = json!({"tool_calls": [{"index": 0, "function": function("f".into(), "}".into())}]});
    assert_eq!(deltas(&[nameless, named]), [call(0, "call_chatcmpl-a_0_0", "f"), arguments(0, "{}")]);
    let older =
        [json!({"function_call": {"name": "f", "arguments": ""}}), json!({"function_call": {"arguments": "{}"}})];
    assert_eq!(deltas(&older), [call(0, "call_chatcmpl-a_0_0", "f"), arguments(0, "{}")]);
}

#[test]
fn servers_that_speak_nearly_so_are_understood() {
    let thought = |text: &str| Event::Thought { choice: 0, text: text.to_owned() };
    assert_eq!(deltas(&[json!({"reasoning": "r"}), json!({"content": "a"})]), [thought("r"), text(0, "a")]);
    let twice = json!({"reasoning": "r", "reasoning_details": [{"type": "reasoning.text", "text": "r", "index": 0}]});
    assert_eq!(deltas(&[twice]), [thought("r")]);
    let signature = Event::Signature { choice: 0, signature: "s".to_owned(), sealed: true };
    let sealed = json!({"content": "", "reasoning_details": [{"type": "reasoning.encrypted", "data": "s"}]});
    assert_eq!(deltas(&[sealed, json!({"content": null})]), [signature]);

    let head = Head { id: "x".to_owned(), ..Head::default() };
    let usage = Usage { input: Tokens::new(2), output: Tokens::new(1), ..Usage::default() };
    let told = json!({"prompt_tokens": 2, "completion_tokens": 1});
    let last = json!({"id": "x", "choices": [{"delta": {"content": "b"}, "finish_reason": "stop", "usage": told}]});
    // Azure begins with a chunk that says nothing; no index, no role, no [DONE].
    let read = chunks(&[
        json!({"id": "", "choices": [], "prompt_filter_results": []}),
        json!({"id": "x", "choices": [{"delta": {"content": "a"}, "finish_reason": ""}]}),
        last.clone(),
        last,
    ]);
    let finish = Event::Finish { choice: 0, finish: Finish::Stop };
    let expected =
        [Event::Begin(head), text(0, "a"), text(0, "b"), finish, Event::Usage(usage), text(0, "b"), Event::End];
    assert_eq!(read, expected);
}

#[test]
fn a_stream_that_breaks_off_has_no_end() {
    assert_eq!(deltas(&[json!({"content": "a"})]), [text(0, "a")]);
    assert_eq!(chunks(&[]), []);
    assert_eq!(chunks(&[json!({"error": {"message": "m"}})]), [Event::Fault(fault::read(&json!("m")))]);
    assert_eq!(events(b"data: no json\n\ndata: 7\n\ndata: [DONE]\n\ndata: {}\n\n"), [Event::End]);
}

#[test]
fn chunks_are_written_as_openai_writes_them() {
    let begin = Event::Begin(Head { id: "x".to_owned(), model: "m".to_owned(), created: 3 });
    let usage = Usage { input: Tokens::new(2), output: Tokens::new(1), ..Usage::default() };
    let ended = Event::Finish { choice: 0, finish: Finish::ToolCalls };
    let said = [begin, call(4, "a", "f"), Event::Usage(usage), ended, text(0, "late"), Event::End, text(0, "later")];
    let head = r#"{"id":"x","object":"chat.completion.chunk","created":3,"model":"m","choices":["#;
    let call = r#"{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}"#;
    let empty = r#"{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}"#;
    let chunk = |delta: &str, finish: &str, usage: &str| {
        format!(
            "data: {head}{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{finish}}}]{usage}}}\n\n"
        )
    };
    let null = r#","usage":null"#;
    let told =
        r#"{"prompt_tokens":2,"completion_tokens":1,"total_tokens":3,"prompt_tokens_details":{"cached_tokens":0}}"#;
    let role = r#"{"role":"assistant","content":""}"#;
    let stream = |null: &str, usage: &str| {
        let bits = [(role, "null"), (call, "null"), (empty, "null"), ("{}", "\"tool_calls\"")];
        let chunks: String = bits.iter().map(|(delta, finish)| chunk(delta, finish, null)).collect();
        format!("{chunks}{usage}data: [DONE]\n\n")
    };
    assert_eq!(written(&said, true), stream(null, &format!("data: {head}],\"usage\":{told}}}\n\n")));
    assert_eq!(written(&said, false), stream("", ""));
}

#[test]
fn a_stream_that_said_nothing_is_still_an_answer() {
    let stream = written(&[Event::Ping, Event::End], false);
    assert!(stream.starts_with(": ping\n\ndata: {\"id\":\"chatcmpl-9\""), "{stream}");
    assert!(stream.contains("\"finish_reason\":\"stop\"") && stream.ends_with("data: [DONE]\n\n"));
}

fn any_event() -> impl Strategy<Value = Event> {
    let choice = 0_u32..2;
    prop_oneof![
        Just(Event::Ping),
        Just(Event::Begin(Head::default())),
        (choice.clone(), ".{0,3}").prop_map(|(choice, text)| Event::Text { choice, text }),
        (choice.clone(), ".{0,3}").prop_map(|(choice, text)| Event::Thought { choice, text }),
        (choice.clone(), ".{0,3}").prop_map(|(choice, text)| Event::Refusal { choice, text }),
        (choice.clone(), ".{0,3}", any::<bool>()).prop_map(|(choice, signature, sealed)| Event::Signature {
            choice,
            signature,
            sealed
        }),
        (choice.clone(), 0_u32..3, "[a-z]?", any::<bool>()).prop_map(|(choice, nth, id, free)| Event::ToolCall {
            choice,
            nth,
            id,
            name: "f".to_owned(),
            free
        }),
        (choice.clone(), 0_u32..3, ".{0,3}").prop_map(|(choice, nth, text)| Event::Arguments { choice, nth, text }),
        choice.clone().prop_map(|choice| Event::Citation { choice, citation: Default::default() }),
        choice.clone().prop_map(|choice| Event::Logprobs { choice, tokens: vec![json!({"token": "a"})] }),
        choice.prop_map(|choice| Event::Finish { choice, finish: Finish::Stop }),
        Just(Event::Usage(Usage::default())),
        Just(Event::Fault(Fault::default())),
    ]
}

proptest! {
    #[test]
    fn a_written_stream_reads_the_same(answer in answers()) {
        let stream = written(&answer.events(), true);
        prop_assert_eq!(fold(events(stream.as_bytes())).finish(), Ok(Some(answer)), "{}", stream);
    }

    #[test]
    fn any_order_of_events_is_a_valid_stream(said in proptest::collection::vec(any_event(), 0..12), shown in any::<bool>()) {
        let mut said = said;
        said.push(Event::End);
        let stream = written(&said, shown);
        let failed = said.iter().any(|event| matches!(event, Event::Fault(_)));
        let (mut begun, mut ended) = ([false; 2], [false; 2]);
        let mut frames: Vec<&str> = stream.strip_suffix("\n\n").unwrap().split("\n\n").collect();
        let last = frames.pop().unwrap();
        let is_error = last.starts_with("event: error\ndata: {\"error\"");
        prop_assert_eq!((is_error, last == "data: [DONE]"), (failed, !failed));
        for frame in frames.into_iter().filter(|frame| *frame != ": ping") {
            let chunk: Value = serde_json::from_str(frame.strip_prefix("data: ").unwrap()).unwrap();
            prop_assert_eq!(&chunk["object"], "chat.completion.chunk");
            for choice in chunk["choices"].as_array().unwrap() {
                let index = usize::try_from(choice["index"].as_u64().unwrap()).unwrap();
                prop_assert_eq!(choice["delta"]["role"] == "assistant", !begun[index], "the role comes first, once");
                prop_assert!(!ended[index], "nothing follows an end");
                (begun[index], ended[index]) = (true, choice["finish_reason"].is_string());
            }
        }
        prop_assert!(failed || (begun == ended && begun != [false; 2]));
    }
}
