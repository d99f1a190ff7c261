//! What is read of a stream, what is written of one, and that the one is the other.

use super::*;
use crate::chat::{Answer, Choice, Citation, Event, Fault, Finish, Fold, Head, Part, ToolCall};
use crate::dialect::Stamp;
use crate::dialect::responses::answer;
use crate::dialect::responses::samples::{CASES, fixture, fixture_json};
use serde_json::{Value, json};

const STAMP: Stamp<'static> = Stamp { id: "1", created: 5, model: "asked" };

/// The data of the frames of a stream, each named by its own type.
fn frames(stream: &str) -> Vec<Value> {
    let frames = stream.split("\n\n").filter(|frame| !frame.is_empty() && !frame.starts_with(':'));
    frames
        .map(|frame| {
            let (event, data) = frame.strip_prefix("event: ").and_then(|it| it.split_once("\ndata: ")).unwrap();
            let data: Value = serde_json::from_str(data).unwrap();
            assert_eq!(data["type"], event);
            data
        })
        .collect()
}

fn read(stream: &str) -> Vec<Event> {
    let (mut reader, mut events) = (Reader::default(), Vec::new());
    for frame in frames(stream) {
        reader.read(None, frame.to_string().as_bytes(), &mut events);
    }
    reader.finish(&mut events);
    events
}

fn write(events: &[Event]) -> String {
    let (mut writer, mut out) = (Writer::new(&STAMP, false), Vec::new());
    events.iter().for_each(|event| writer.write(event, &mut out));
    String::from_utf8(out).unwrap()
}

fn fold(events: Vec<Event>) -> Result<Option<Answer>, Fault> {
    let mut fold = Fold::default();
    events.into_iter().for_each(|event| fold.add(event));
    fold.finish()
}

fn text(text: &str) -> Event {
    Event::Text { choice: 0, text: text.to_owned() }
}

fn call(nth: u32, free: bool) -> Event {
    Event::ToolCall { choice: 0, nth, id: format!("call_{nth}"), name: "f".to_owned(), free }
}

fn arguments(nth: u32, text: &str) -> Event {
    Event::Arguments { choice: 0, nth, text: text.to_owned() }
}

/// The types of the frames that `events` are, the first two and the last left out, without `response.`
fn kinds(events: &[Event]) -> Vec<String> {
    let all = frames(&write(&[events, &[Event::End]].concat()));
    let kinds: Vec<_> =
        all.iter().map(|data| data["type"].as_str().unwrap().trim_start_matches("response.").to_owned()).collect();
    let (last, rest) = kinds.split_last().unwrap();
    assert_eq!((rest[0].as_str(), rest[1].as_str(), last.as_str()), ("created", "in_progress", "completed"));
    rest[2..].to_vec()
}

#[test]
fn a_stream_says_what_the_whole_answer_says() {
    for case in CASES.into_iter().filter(|case| *case != "error") {
        let whole = answer::read(&fixture_json(case, "answer.json"));
        let events = read(&fixture(case, "sse"));
        assert_eq!(fold(events.clone()), Ok(whole.clone()), "{case}");
        assert_eq!(fold(read(&write(&events))), Ok(whole), "{case}");
    }
}

#[test]
fn a_stream_is_written_in_the_order_of_openai() {
    // What is told of each frame but the ids, of which each server makes up its own.
    let shown = |stream: &str| -> Vec<Value> {
        let show = |data: &Value| {
            json!([
                data["type"],
                data["sequence_number"],
                data["output_index"],
                data["content_index"],
                data["summary_index"],
                data["delta"],
                data["text"],
                data["arguments"],
                data["refusal"],
                data["part"],
                data["logprobs"],
                data["item"]["status"],
                data["item"]["content"],
                data["item"]["summary"],
                data["item"]["call_id"],
                data["response"]["status"],
                data["response"]["usage"],
                data["response"]["incomplete_details"]
            ])
        };
        frames(stream).iter().map(show).collect()
    };
    for case in CASES.into_iter().filter(|case| *case != "error") {
        let stream = fixture(case, "sse");
        assert_eq!(shown(&write(&read(&stream))), shown(&stream), "{case}");
    }
}

#[test]
fn an_error_ends_a_stream() {
    let said = Fault {
        message: "The server had an error while processing your request.".to_owned(),
        kind: Some("server_error".to_owned()),
        code: Some("server_error".to_owned()),
        param: None,
    };
    let events = read(&fixture("error", "sse"));
    assert_eq!(events[1..], [text("Hel"), Event::Fault(said.clone())]);
    let written = write(&[events.as_slice(), &[text("lo"), Event::End]].concat());
    let last = frames(&written).pop().unwrap();
    assert_eq!(
        (&last["type"], &last["code"], &last["error"]["type"]),
        (&json!("error"), &json!("server_error"), &json!("server_error"))
    );
    assert_eq!(read(&written), events);

    let failed = json!({"type": "response.failed", "response": {"id": "r", "status": "failed", "usage":
        {"input_tokens": 3, "output_tokens": 1}, "error": {"code": "rate_limit_exceeded", "message": "Slow."}}});
    for (frame, event) in [
        (failed, None),
        (json!({"error": {"message": "Slow.", "code": "rate_limit_exceeded"}}), None),
        (json!({"message": "Slow.", "code": "rate_limit_exceeded"}), Some(&b"error"[..])),
    ] {
        let (mut reader, mut events) = (Reader::default(), Vec::new());
        reader.read(event, frame.to_string().as_bytes(), &mut events);
        let code = Some("rate_limit_exceeded".to_owned());
        let slow = Fault { message: "Slow.".to_owned(), code, ..Fault::default() };
        assert_eq!(events.pop(), Some(Event::Fault(slow)), "{frame}");
    }
}

#[test]
fn a_server_that_tells_less_is_understood() {
    let frame = |kind: &str, members: Value| {
        let mut data = json!({"type": format!("response.{kind}")});
        data.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        format!("event: response.{kind}\ndata: {data}\n\n")
    };
    for case in ["tools", "parallel", "reasoning", "refusal", "length"] {
        let body = fixture_json(case, "answer.json");
        let end = frame(body["status"].as_str().unwrap(), json!({"response": body}));
        let items = body["output"].as_array().unwrap().iter().enumerate();
        let done: String = items
            .map(|(index, item)| frame("output_item.done", json!({"output_index": index, "item": item})))
            .collect();
        let whole = answer::read(&body);
        assert_eq!(fold(read(&end)), Ok(whole.clone()), "{case}: the end alone");
        assert_eq!(fold(read(&format!("{done}{end}"))), Ok(whole), "{case}: whole items");
    }
    let cut: String = fixture("text", "sse").split_inclusive("\n\n").take(6).collect();
    assert_eq!(fold(read(&cut)), Ok(None), "no end is no end");
}

#[test]
fn items_that_are_told_by_their_ids_alone_are_kept_apart() {
    for case in ["text", "tools", "parallel", "reasoning", "refusal", "length"] {
        let stream = fixture(case, "sse");
        let without_index = |mut frame: Value| {
            frame.as_object_mut().unwrap().remove("output_index");
            format!("event: {}\ndata: {frame}\n\n", frame["type"].as_str().unwrap())
        };
        let by_id: String = frames(&stream).into_iter().map(without_index).collect();
        assert!(!by_id.contains("output_index") && by_id.contains("item_id"), "{case}");
        assert_eq!(read(&by_id), read(&stream), "{case}");
    }
}

#[test]
fn of_a_thought_told_twice_one_is_read() {
    let bit = |kind: &str, place: &str, index: u64, delta: &str| json!({"type": format!("response.{kind}.delta"), "output_index": 0, place: index, "delta": delta});
    let (mut reader, mut events) = (Reader::default(), Vec::new());
    for frame in [
        bit("reasoning_text", "content_index", 0, "raw"),
        bit("reasoning_summary_text", "summary_index", 0, "told"),
        bit("reasoning_text", "content_index", 1, "more"),
    ] {
        reader.read(None, frame.to_string().as_bytes(), &mut events);
    }
    let told: String = events
        .iter()
        .map(|event| match event {
            Event::Thought { text, .. } => text.as_str(),
            _ => "?",
        })
        .collect();
    assert_eq!(told, "raw\n\nmore");
}

#[test]
fn places_of_citations_are_those_of_the_whole_text() {
    let cited = json!({"type": "url_citation", "url": "u", "title": "", "start_index": 1, "end_index": 2});
    let (mut reader, mut events) = (Reader::default(), Vec::new());
    for (index, delta) in [(0, "né"), (1, "bc")] {
        for frame in [
            json!({"type": "response.output_text.delta", "output_index": 0, "content_index": index, "delta": delta}),
            json!({"type": "response.output_text.annotation.added", "output_index": 0, "content_index": index, "annotation": cited}),
        ] {
            reader.read(None, frame.to_string().as_bytes(), &mut events);
        }
    }
    let place = |start: u64| Citation { url: "u".to_owned(), start, end: start + 1, ..Citation::default() };
    let citation = |start: u64| Event::Citation { choice: 0, citation: place(start) };
    assert_eq!(events, [text("né"), citation(1), text("bc"), citation(3)]);
}

#[test]
fn calls_that_run_beside_one_another_keep_what_they_are_given() {
    let events = [
        call(0, false),
        call(1, false),
        arguments(1, "{\"b\":"),
        arguments(0, "{}"),
        arguments(1, "1}"),
        call(2, false),
        call(3, true),
        arguments(3, "x"),
        text("a"),
        arguments(0, "lost"),
    ];
    let ended = [&events[..], &[Event::End]].concat();
    let Ok(Some(Answer { choices, .. })) = fold(read(&write(&ended))) else { panic!() };
    let given = |part: &Part| match part {
        Part::ToolCall(ToolCall { arguments, .. }) => Some(arguments.clone()),
        _ => None,
    };
    let given: Vec<String> = choices[0].parts.iter().filter_map(given).collect();
    assert_eq!(given, ["{}", "{\"b\":1}", "{}", "x"]);
}

#[test]
fn items_and_parts_are_begun_and_ended_one_after_the_other() {
    let refusal = Event::Refusal { choice: 0, text: "No.".to_owned() };
    let sealed = Event::Signature { choice: 0, signature: "s".to_owned(), sealed: true };
    for (events, told) in [
        (vec![Event::Ping, text(""), Event::Logprobs { choice: 0, tokens: vec![] }], &[][..]),
        (
            vec![Event::Text { choice: 1, text: "b".to_owned() }, Event::Finish { choice: 1, finish: Finish::Length }],
            &[],
        ),
        (
            vec![text("a"), refusal],
            &[
                "output_item.added",
                "content_part.added",
                "output_text.delta",
                "output_text.done",
                "content_part.done",
                "content_part.added",
                "refusal.delta",
                "refusal.done",
                "content_part.done",
                "output_item.done",
            ],
        ),
        (vec![sealed], &["output_item.added", "output_item.done"]),
        (
            vec![call(0, true), arguments(0, "x")],
            &["output_item.added", "custom_tool_call_input.delta", "custom_tool_call_input.done", "output_item.done"],
        ),
        (
            vec![call(0, false)],
            &["output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done"],
        ),
    ] {
        assert_eq!(kinds(&events), told, "{events:?}");
    }
}

#[test]
fn a_response_begins_once_and_says_nothing_after_its_finish() {
    let head = Head { id: "resp_9".to_owned(), model: "m".to_owned(), created: 0 };
    let finish = |finish| Event::Finish { choice: 0, finish };
    let events = [
        Event::Begin(head.clone()),
        Event::Begin(Head::default()),
        text("a"),
        finish(Finish::Filter),
        text("b"),
        finish(Finish::Stop),
        Event::End,
        Event::End,
    ];
    let written = frames(&write(&events));
    let last = &written.last().unwrap()["response"];
    assert_eq!(
        (&last["id"], &last["created_at"], &last["status"]),
        (&json!("resp_9"), &json!(5), &json!("incomplete"))
    );
    assert_eq!(last["incomplete_details"], json!({"reason": "content_filter"}));
    assert_eq!(last["output"][0]["status"], "incomplete");
    let choice = Choice { parts: vec![Part::text("a")], finish: Some(Finish::Filter), logprobs: None };
    let whole = Answer { head: Head { created: 5, ..head }, choices: vec![choice], usage: None };
    assert_eq!(fold(read(&write(&events))), Ok(Some(whole)));
}
