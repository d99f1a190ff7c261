//! What is read of an answer, and that what is written reads the same.

use super::*;
use crate::chat::{Citation, Thought, Usage};
use crate::dialect::responses::samples::{CASES, fixture_json};
use crate::units::Tokens;
use serde_json::json;

const STAMP: Stamp<'static> = Stamp { id: "1", created: 5, model: "asked" };

fn of(status: &str, output: Value) -> Value {
    json!({"id": "resp_1", "object": "response", "created_at": 7, "model": "m", "status": status, "output": output})
}

fn parts(output: Value) -> Vec<Part> {
    read(&of("completed", output)).unwrap().choices.remove(0).parts
}

#[test]
fn an_answer_that_is_written_is_read_the_same() {
    for case in CASES.into_iter().filter(|case| *case != "error") {
        let body = fixture_json(case, "answer.json");
        let answer = read(&body).unwrap();
        assert_eq!(answer.head, Head { id: "resp_1".to_owned(), model: "m".to_owned(), created: 1_700_000_000 });
        let written = write(&answer, &STAMP);
        assert_eq!(read(&written), Some(answer), "{case}");
        // What the request asked for is not known where an answer is written.
        for name in ["id", "object", "created_at", "status", "error", "incomplete_details", "usage"] {
            assert_eq!(written[name], body[name], "{case}");
        }
    }
    assert_eq!(read(&fixture_json("error", "answer.json")), None);
}

#[test]
fn the_scenarios_are_read_for_what_they_say() {
    let read = |case: &str| read(&fixture_json(case, "answer.json")).unwrap();
    let choice = |case: &str| read(case).choices.remove(0);
    let thought = Thought { text: "Add again.".to_owned(), signature: Some("sig2".to_owned()), sealed: false };
    assert_eq!(choice("reasoning").parts, [Part::Thought(thought), Part::text("6")]);
    let [input, output, reasoning] = [20, 21, 20].map(Tokens::new);
    assert_eq!(read("reasoning").usage, Some(Usage { input, output, reasoning, ..Usage::default() }));
    assert_eq!(choice("refusal").parts, [Part::Refusal("I can't help with that.".to_owned())]);
    for (case, finish) in [
        ("text", Finish::Stop),
        ("tools", Finish::ToolCalls),
        ("parallel", Finish::ToolCalls),
        ("refusal", Finish::Filter),
        ("length", Finish::Length),
    ] {
        assert_eq!(choice(case).finish, Some(finish), "{case}");
    }
}

#[test]
fn texts_that_follow_one_another_are_one_and_places_in_them_move_on() {
    let cited = json!({"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 1});
    let file = json!({"type": "file_citation", "file_id": "f", "filename": "n", "index": 0});
    let output = json!([
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
        {"type": "message", "content": [
            {"type": "output_text", "text": "né", "annotations": [cited, file]},
            {"type": "output_text", "text": "b", "annotations": [cited]}]},
    ]);
    let place =
        |start: u64| Citation { url: "u".to_owned(), title: "t".to_owned(), quote: None, start, end: start + 1 };
    let text = Text { text: "néb".to_owned(), citations: vec![place(0), place(2)], cache: None };
    assert_eq!(parts(output), [Part::Text(text)]);
    assert_eq!(parts(json!([{"type": "message", "content": [{"type": "output_text", "text": ""}]}])), []);
}

#[test]
fn why_an_answer_ends_is_told_by_its_status() {
    let call = json!([{"type": "function_call", "id": "fc_1", "name": "f", "arguments": "{}"}]);
    assert!(matches!(&parts(call.clone())[0], Part::ToolCall(call) if call.id == "fc_1"), "some servers have one id");
    for (status, reason, output, finish) in [
        ("completed", json!(null), json!([]), Some(Finish::Stop)),
        ("completed", json!(null), call.clone(), Some(Finish::ToolCalls)),
        ("incomplete", json!("max_output_tokens"), call, Some(Finish::Length)),
        ("incomplete", json!("content_filter"), json!([]), Some(Finish::Filter)),
        ("incomplete", json!("max_messages"), json!([]), Some(Finish::Length)),
        ("queued", json!(null), json!([]), None),
        ("in_progress", json!(null), json!([]), None),
    ] {
        let mut body = of(status, output);
        body["incomplete_details"] = json!({"reason": reason});
        assert_eq!(read(&body).unwrap().choices[0].finish, finish, "{body}");
    }
    for body in [
        of("failed", json!([])),
        of("cancelled", json!([])),
        json!({"error": {"message": "No."}}),
        json!({"object": "chat.completion", "choices": []}),
        json!([]),
    ] {
        assert_eq!(read(&body), None, "{body}");
    }
}

#[test]
fn what_the_provider_does_not_tell_is_stamped() {
    let answer = Answer { choices: vec![Choice::default(), Choice::default()], ..Answer::default() };
    let written = write(&answer, &STAMP);
    assert_eq!(
        (&written["id"], &written["created_at"], &written["model"]),
        (&json!("resp_1"), &json!(5), &json!("asked"))
    );
    assert_eq!((&written["output"], &written["usage"]), (&json!([]), &json!(null)));
}
