//! Streams: that they tell what whole answers tell, of whoever they are, and in whatever order it comes.

use super::*;
use crate::chat::{Citation, Event, Fault, Finish, Fold, Head, Usage};
use crate::dialect::Stamp;
use crate::dialect::anthropic::samples::{CASES, answers, fixture, fixture_json};
use crate::dialect::anthropic::{answer, fault};
use crate::service::{Service, Uses};
use crate::sse::Frames;
use crate::units::Tokens;
use proptest::prelude::*;
use serde_json::{Value, json};

const STAMP: Stamp<'_> = Stamp { id: "req_1", created: 7, model: "asked" };

/// The frames of `stream`: each one's data.
fn frames(stream: &[u8]) -> Vec<Value> {
    let (mut frames, mut rest, mut all) = (Frames::new(), stream, Vec::new());
    while let Some(frame) = frames.next(&mut rest).unwrap() {
        let data: Value = serde_json::from_slice(&frame.data().unwrap()).unwrap();
        assert_eq!(frame.event().map(|event| str::from_utf8(event).unwrap()), data["type"].as_str());
        all.push(data);
    }
    assert!(frames.finish().is_none(), "the last frame is whole");
    all
}

/// The events of frames with this data.
fn events(frames: &[Value]) -> Vec<Event> {
    let (mut reader, mut events) = (Reader::default(), Vec::new());
    frames.iter().for_each(|data| reader.read(None, data.to_string().as_bytes(), &mut events));
    reader.finish(&mut events);
    events
}

fn written(events: &[Event]) -> Vec<Value> {
    let (mut writer, mut out) = (Writer::new(&STAMP, false), Vec::new());
    events.iter().for_each(|event| writer.write(event, &mut out));
    frames(&out)
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

fn call(nth: u32, name: &str) -> Event {
    Event::ToolCall { choice: 0, nth, id: format!("id_{nth}"), name: name.to_owned(), free: false }
}

fn arguments(nth: u32, text: &str) -> Event {
    Event::Arguments { choice: 0, nth, text: text.to_owned() }
}

fn signature(signature: &str, sealed: bool) -> Event {
    Event::Signature { choice: 0, signature: signature.to_owned(), sealed }
}

/// What is told of the blocks of a stream, in short: `+text`, `.bit`, `-`.
fn blocks(events: &[Event]) -> String {
    let told = |data: &Value| {
        let delta = &data["delta"];
        let bit = ["text", "thinking", "signature", "partial_json"].iter().find_map(|name| delta[*name].as_str());
        match data["type"].as_str().unwrap() {
            "content_block_start" => Some(format!("+{}", data["content_block"]["type"].as_str().unwrap())),
            "content_block_delta" => Some(format!(".{}", bit.unwrap_or("cited"))),
            "content_block_stop" => Some("-".to_owned()),
            _ => None,
        }
    };
    written(events).iter().filter_map(told).collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn check_blocks(events: &[Event], told: &str) {
    let ended = [events, &[Event::Finish { choice: 0, finish: Finish::Stop }, Event::End]].concat();
    assert_eq!(blocks(&ended), told);
}

#[test]
fn a_stream_tells_what_the_whole_answer_tells() {
    for case in CASES {
        let whole = answer::read(&fixture_json(case, "answer.json"));
        let read = events(&frames(fixture(case, "sse").as_bytes()));
        let again = events(&written(&read));
        assert_eq!(fold(read).finish(), Ok(whole.clone()), "{case}");
        assert_eq!(fold(again).finish(), Ok(whole), "{case}");
    }
    let error = fault::read(&fixture_json("error", "answer.json"));
    let read = events(&frames(fixture("error", "sse").as_bytes()));
    assert_eq!(read.iter().rev().take(2).collect::<Vec<_>>(), [&Event::Fault(error), &text("Hel")]);
    let last = written(&read).pop();
    assert_eq!(last, Some(json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})));
}

#[test]
fn a_stream_of_nothing_is_a_message() {
    let head = Head { id: "msg_1".to_owned(), model: "m".to_owned(), created: 5 };
    let usage = |input, output| Usage { input: Tokens::new(input), output: Tokens::new(output), ..Usage::default() };
    let told = |events: &[Event]| {
        let frames = written(events);
        let kinds: Vec<&str> = frames.iter().map(|data| data["type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["message_start", "ping", "message_delta", "message_stop"]);
        [frames[0]["message"].clone(), frames[2].clone()]
    };
    let [message, delta] = told(&[Event::End, Event::End, text("late"), Event::Ping]);
    assert_eq!((&message["id"], &message["model"]), (&json!("req_1"), &json!("asked")));
    assert_eq!((&message["stop_reason"], &message["content"]), (&Value::Null, &json!([])));
    assert_eq!((&delta["delta"]["stop_reason"], &delta["usage"]["output_tokens"]), (&json!("end_turn"), &json!(0)));
    let finish = Event::Finish { choice: 0, finish: Finish::StopSequence("x".to_owned()) };
    let [message, delta] =
        told(&[Event::Usage(usage(7, 0)), Event::Begin(head), finish, Event::Usage(usage(7, 9)), Event::End]);
    assert_eq!((&message["id"], &message["usage"]["input_tokens"]), (&json!("msg_1"), &json!(7)));
    assert_eq!(delta["delta"], json!({"stop_reason": "stop_sequence", "stop_sequence": "x", "stop_details": null}));
    assert_eq!((&delta["usage"]["input_tokens"], &delta["usage"]["output_tokens"]), (&json!(7), &json!(9)));
}

#[test]
fn blocks_come_one_after_the_other_whatever_the_order_of_events() {
    let thought = |text: &str| Event::Thought { choice: 0, text: text.to_owned() };
    check_blocks(&[text("a"), text("b"), text("")], "+text .a .b -");
    check_blocks(
        &[thought("a"), signature("s", false), thought("b"), text("c")],
        "+thinking .a .s - +thinking .b - +text .c -",
    );
    check_blocks(
        &[thought("a"), signature("sealed", true), signature("s", false), text("b")],
        "+thinking .a - +redacted_thinking - +thinking .s - +text .b -",
    );
    check_blocks(
        &[call(0, "f"), arguments(0, "{\"a\":"), arguments(0, "1}"), text("b"), call(1, "g"), arguments(1, "{}")],
        "+tool_use .{\"a\": .1} - +text .b - +tool_use .{} -",
    );
    // Two at once, and a text in between.
    check_blocks(
        &[
            call(0, "f"),
            call(1, "g"),
            arguments(0, "{\"}"),
            arguments(1, "{\"b\""),
            text("c"),
            arguments(0, "\":1}"),
            arguments(1, ":2}"),
        ],
        "+tool_use .{\"} .\":1} - +tool_use .{\"b\" .:2} - +text .c -",
    );
    // A call that nothing is told of, and arguments that never end.
    check_blocks(
        &[call(0, "f"), call(1, "g"), arguments(1, "{"), text("c"), arguments(7, "lost")],
        "+tool_use - +tool_use .{ - +text .c -",
    );
    // Of other choices nothing is told.
    check_blocks(&[Event::Text { choice: 1, text: "x".to_owned() }, text("a")], "+text .a -");
}

#[test]
fn a_tool_with_free_input_is_told_its_input_as_one() {
    let call = Event::ToolCall { choice: 0, nth: 0, id: String::new(), name: "f".to_owned(), free: true };
    check_blocks(
        &[call, arguments(0, "{\"a"), text("b"), arguments(0, "\":1}")],
        "+tool_use .{\"input\":\"{\\\"a\\\":1}\"} - +text .b -",
    );
}

#[test]
fn a_text_that_follows_what_is_cited_is_another_block() {
    let cited = Event::Citation { choice: 0, citation: Citation { url: "u".to_owned(), ..Citation::default() } };
    check_blocks(&[cited.clone(), text("a"), cited.clone(), cited, text("b")], "+text .a .cited .cited - +text .b -");
}

#[test]
fn the_reader_forgives_what_makes_no_sense() {
    let block =
        |index: u64, block: Value| json!({"type": "content_block_start", "index": index, "content_block": block});
    let delta = |index: u64, delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
    let stop = |index: u64| json!({"type": "content_block_stop", "index": index});
    let read = events(&[
        json!("no frame"),
        json!({"type": "unheard_of"}),
        json!({"type": "ping"}),
        delta(0, json!({"type": "text_delta", "text": "a"})),
        delta(0, json!({"type": "unheard_of_delta", "text": "x"})),
        block(1, json!({"type": "tool_use", "id": "i", "name": "f", "input": {"a": 1}})),
        stop(1),
        block(2, json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}})),
        delta(2, json!({"type": "input_json_delta", "partial_json": "{}"})),
        stop(2),
        block(3, json!({"type": "tool_use", "id": "i", "name": "g", "input": {}})),
        stop(3),
        stop(9),
    ]);
    let called =
        |nth, name: &str| Event::ToolCall { choice: 0, nth, id: "i".to_owned(), name: name.to_owned(), free: false };
    let uses = Uses { searches: 1, ..Uses::default() };
    let searched = Event::Service(Service { uses, ..Service::default() });
    let first = [Event::Ping, text("a"), called(0, "f"), arguments(0, "{\"a\":1}")];
    assert_eq!(read, [&first[..], &[searched, called(1, "g"), arguments(1, "{}")]].concat());
    let start = json!({"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 5, "output_tokens": 1,
        "cache_creation_input_tokens": 4, "cache_creation": {"ephemeral_1h_input_tokens": 4}}}});
    let end = json!({"type": "message_delta", "delta": {}, "usage": {"input_tokens": 0, "output_tokens": 8}});
    let usage = |output| {
        let [input, cache_write_hour, output] = [9, 4, output].map(Tokens::new);
        Event::Usage(Usage { input, cache_write_hour, output, ..Usage::default() })
    };
    assert_eq!(events(&[start, end])[1..], [usage(1), usage(8)]);
}

proptest! {
    #[test]
    fn an_answer_survives_its_stream(answer in answers()) {
        let mut answer = answer;
        for part in &mut answer.choices[0].parts {
            if let crate::chat::Part::Text(text) = part {
                // A text that was told cannot be cut where its citations begin.
                text.citations.clear();
            }
        }
        let read = fold(events(&written(&answer.events())));
        prop_assert_eq!(read.finish(), Ok(Some(answer)));
    }

    #[test]
    fn any_events_make_a_valid_stream(events in proptest::collection::vec(any_event(), 0..20), ends in any::<bool>()) {
        let last = if ends { Event::End } else { Event::Fault(Fault::default()) };
        let (mut open, mut next, mut ended) = (None, 0, 0);
        let frames = written(&[events, vec![last]].concat());
        let starts = frames.iter().filter(|data| data["type"] == "message_start").count();
        prop_assert!(starts == 1 || !ends && starts == 0);
        for data in frames {
            prop_assert_eq!(ended, 0, "after the end: {}", data);
            let index = data["index"].as_u64();
            match data["type"].as_str().unwrap() {
                "content_block_start" => {
                    prop_assert_eq!((open, index), (None, Some(next)));
                    open = index;
                }
                "content_block_delta" => prop_assert_eq!(open, index),
                "content_block_stop" => {
                    prop_assert_eq!(open.take(), index);
                    next += 1;
                }
                "message_delta" => prop_assert!(open.is_none() && data["delta"]["stop_reason"].is_string()),
                "message_stop" | "error" => ended += 1,
                _ => {}
            }
        }
        prop_assert_eq!(ended, 1);
    }
}

fn any_event() -> impl Strategy<Value = Event> {
    let bits = proptest::sample::select(vec!["", "a", "{", "}", "{}", "\"", "\\"]);
    (0_u8..12, 0_u32..3, bits).prop_map(|(kind, nth, bit)| match kind {
        0 => Event::Begin(Head::default()),
        1 | 2 => text(bit),
        3 => Event::Thought { choice: 0, text: bit.to_owned() },
        4 => signature(bit, nth == 0),
        5 => Event::Refusal { choice: nth, text: bit.to_owned() },
        6 => Event::ToolCall { choice: 0, nth, id: bit.to_owned(), name: bit.to_owned(), free: bit.is_empty() },
        7 | 8 => arguments(nth, bit),
        9 => Event::Citation { choice: 0, citation: Citation::default() },
        10 => Event::Finish { choice: nth, finish: Finish::Length },
        _ => Event::Ping,
    })
}
