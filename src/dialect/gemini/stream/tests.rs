//! Streams: that they tell what whole answers tell, and in whatever order it comes.

use super::*;
use crate::chat::{Citation, Event, Fault, Finish, Fold, Head, Usage};
use crate::dialect::Stamp;
use crate::dialect::gemini::samples::{fixture, fixture_json};
use crate::dialect::gemini::{answer, fault};
use crate::sse::Frames;
use crate::units::Tokens;
use serde_json::{Value, json};

const STAMP: Stamp<'_> = Stamp { id: "9", created: 7, model: "asked" };

/// The events of the frames of `stream`.
fn events(stream: &str) -> Vec<Event> {
    let (mut frames, mut reader, mut events) = (Frames::new(), Reader::default(), Vec::new());
    let mut rest = stream.as_bytes();
    while let Some(frame) = frames.next(&mut rest).unwrap() {
        if let Some(data) = frame.data() {
            reader.read(frame.event(), &data, &mut events);
        }
    }
    reader.finish(&mut events);
    events
}

fn written(events: &[Event]) -> String {
    let (mut writer, mut out) = (Writer::new(&STAMP, false), Vec::new());
    events.iter().for_each(|event| writer.write(event, &mut out));
    String::from_utf8(out).unwrap()
}

/// The candidates of each frame that `events` are written as.
fn candidates(events: &[Event]) -> Vec<Value> {
    let stream = written(events);
    let frames = stream.split_terminator("\n\n").map(|frame| frame.strip_prefix("data: ").unwrap());
    frames.map(|data| serde_json::from_str::<Value>(data).unwrap()["candidates"].take()).collect()
}

fn fold(events: Vec<Event>) -> Fold {
    events.into_iter().fold(Fold::default(), |mut fold, event| {
        fold.add(event);
        fold
    })
}

fn text(text: &str) -> Event {
    Event::Text { choice: 0, text: text.to_owned() }
}

fn thought(text: &str) -> Event {
    Event::Thought { choice: 0, text: text.to_owned() }
}

fn signature(signature: &str, sealed: bool) -> Event {
    Event::Signature { choice: 0, signature: signature.to_owned(), sealed }
}

fn call(nth: u32, id: &str) -> Event {
    Event::ToolCall { choice: 0, nth, id: id.to_owned(), name: "f".to_owned(), free: false }
}

fn arguments(nth: u32, text: &str) -> Event {
    Event::Arguments { choice: 0, nth, text: text.to_owned() }
}

fn finish(finish: Finish) -> Event {
    Event::Finish { choice: 0, finish }
}

fn content(parts: Value) -> Value {
    json!([{"content": {"parts": parts, "role": "model"}, "index": 0}])
}

fn end(reason: &str) -> Value {
    json!([{"finishReason": reason, "index": 0}])
}

#[test]
fn a_stream_tells_what_the_whole_answer_tells() {
    for case in ["text", "tools", "parallel", "image", "schema", "reasoning", "refusal", "length"] {
        let whole = answer::read(&fixture_json(case, "answer.json"));
        let read = events(&fixture(case, "sse"));
        let again = events(&written(&read));
        assert_eq!(fold(read).finish(), Ok(whole.clone()), "{case}");
        assert_eq!(fold(again).finish(), Ok(whole), "{case}");
    }
    let error = fault::read(&fixture_json("error", "answer.json"));
    let read = events(&fixture("error", "sse"));
    assert_eq!(read[1], text("Hel"));
    assert_eq!(read.last(), Some(&Event::Fault(error)));
    let stream = written(&read);
    assert!(stream.contains("\"error\":{\"code\":503,\"message\":\"The model is overloaded."), "{stream}");
}

#[test]
fn a_call_is_told_whole_and_in_its_place() {
    let bits = [call(0, "a"), arguments(0, "{\"n\""), arguments(0, ":1}"), text("x"), arguments(0, "late")];
    let told = json!([{"functionCall": {"id": "a", "name": "f", "args": {"n": 1}}}]);
    let expected = [content(told), content(json!([{"text": "x"}])), end("STOP")];
    assert_eq!(candidates(&[&bits[..], &[Event::End]].concat()), expected);
    // One of which nothing was told yet is waited for, even where another begins.
    let mixed = [call(0, "a"), call(1, "b"), arguments(1, "{}"), arguments(0, "{\"n\":1}"), Event::End];
    let one = |id: &str, args: Value| content(json!([{"functionCall": {"id": id, "name": "f", "args": args}}]));
    assert_eq!(candidates(&mixed), [one("a", json!({"n": 1})), one("b", json!({})), end("STOP")]);
    // One that is whole is not.
    let mut writer = Writer::new(&STAMP, true);
    let mut out = Vec::new();
    for event in [call(0, "a"), arguments(0, "{}"), call(1, "b")] {
        writer.write(&event, &mut out);
    }
    assert!(String::from_utf8(out).unwrap().contains("\"id\":\"a\""));
}

#[test]
fn signatures_stand_on_what_they_sign() {
    let told = [
        thought("t"),
        signature("s0", false),
        thought("u"),
        signature("s1", false),
        call(0, "a"),
        signature("s2", false),
        call(1, "b"),
        signature("s3", true),
        text("x"),
        signature("s4", false),
        Event::End,
    ];
    let one = |part: Value| content(json!([part]));
    let function = |id: &str, signature: &str| {
        one(json!({"functionCall": {"id": id, "name": "f", "args": {}}, "thoughtSignature": signature}))
    };
    let expected = [
        one(json!({"text": "t", "thought": true})),
        one(json!({"text": "", "thought": true, "thoughtSignature": "s0"})),
        one(json!({"text": "u", "thought": true})),
        function("a", "s1"),
        function("b", "s2"),
        one(json!({"text": "", "thought": true, "thoughtSignature": "s3"})),
        one(json!({"text": "x"})),
        one(json!({"text": "", "thoughtSignature": "s4"})),
        end("STOP"),
    ];
    assert_eq!(candidates(&told), expected);
    let again = fold(events(&written(&told))).finish().unwrap().unwrap().choices.remove(0).parts;
    let first = fold(told.to_vec()).finish().unwrap().unwrap().choices.remove(0).parts;
    // A call without arguments is one of an empty object.
    assert_eq!(format!("{again:?}").replace("{}", ""), format!("{first:?}"));
}

#[test]
fn citations_are_of_the_text_before_them() {
    let cited = |start, end| Event::Citation {
        choice: 0,
        citation: Citation { url: "u".to_owned(), start, end, ..Citation::default() },
    };
    let told = [text("é1"), cited(0, 1), text("2"), signature("s", false), text("éü3"), cited(1, 9), Event::End];
    let frames = candidates(&told);
    let place = |frame: &Value| frame[0]["groundingMetadata"]["groundingSupports"][0]["segment"].clone();
    assert_eq!(place(&frames[2]), json!({"endIndex": 2, "text": "é"}));
    assert_eq!(place(&frames[4]), json!({"startIndex": 6, "endIndex": 9, "text": "ü3"}));
    let read = events(&written(&told));
    let read: Vec<_> = read.iter().filter(|event| matches!(event, Event::Citation { .. })).collect();
    assert_eq!(read, [&cited(0, 1), &cited(1, 3)]);
    // Chunks repeat what is known.
    let grounding = json!({"groundingChunks": [{"web": {"uri": "u"}}],
        "groundingSupports": [{"segment": {"endIndex": 1}, "groundingChunkIndices": [0]}]});
    let chunk = json!({"candidates": [{"content": {"parts": [{"text": "a"}]}, "groundingMetadata": grounding}]});
    let count = events(&format!("data: {chunk}\n\ndata: {chunk}\n\n"));
    assert_eq!(count.iter().filter(|event| matches!(event, Event::Citation { .. })).count(), 1);
}

#[test]
fn the_end_comes_once_with_the_usage() {
    let usage = |output| Event::Usage(Usage { output: Tokens::new(output), ..Usage::default() });
    let head = Head { id: "i".to_owned(), model: "m".to_owned(), created: 0 };
    let told = [usage(1), Event::Begin(head), finish(Finish::Length), Event::Ping, text("a"), usage(2)];
    let told = [&told[..], &[Event::End, text("b"), Event::End]].concat();
    let frame = |candidates: Value, more: &str| {
        format!("data: {{\"candidates\":{candidates}{more},\"modelVersion\":\"m\",\"responseId\":\"i\"}}\n\n")
    };
    let used = ",\"usageMetadata\":{\"promptTokenCount\":0,\"candidatesTokenCount\":2,\"totalTokenCount\":2}";
    let expected = frame(content(json!([{"text": "a"}])), "") + &frame(end("MAX_TOKENS"), used);
    assert_eq!(written(&told), expected);
    assert_eq!(candidates(&[Event::End]), [end("STOP")]);
    let fault = Fault { message: "m".to_owned(), kind: Some("INTERNAL".to_owned()), ..Fault::default() };
    let failed = written(&[Event::Fault(fault.clone()), text("a"), Event::End]);
    assert_eq!(events(&failed), [Event::Fault(fault)]);
}

#[test]
fn a_stream_that_breaks_off_has_no_end() {
    let chunk = json!({"candidates": [{"content": {"parts": [{"text": "a"}]}}]});
    let begin = Event::Begin(Head::default());
    assert_eq!(events(&format!("data: {chunk}\n\n")), [begin, text("a")]);
    assert_eq!(events("data: no json\n\ndata: 7\n\ndata: {}\n\n"), []);
    let odd = json!([{"error": {"message": "m"}}]);
    assert_eq!(events(&format!("data: {odd}\n\ndata: {chunk}\n\n")), [Event::Fault(fault::read(&odd))]);
}
