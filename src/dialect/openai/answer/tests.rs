//! Answers as providers write them, and that what is written reads the same.

use super::*;
use crate::dialect::openai::samples::{answers, fixture_json};
use proptest::prelude::*;

const STAMP: Stamp<'_> = Stamp { id: "9", created: 7, model: "asked" };

fn choice(choice: Value) -> Choice {
    read(&json!({"id": "chatcmpl-a.b", "choices": [choice]})).unwrap().choices.remove(0)
}

fn call(id: &str, arguments: &str) -> Part {
    let (id, name, arguments) = (id.to_owned(), "f".to_owned(), arguments.to_owned());
    Part::ToolCall(ToolCall { id, name, arguments, free: false })
}

#[test]
fn the_scenarios_are_written_as_they_were_read() {
    for case in ["text", "tools", "parallel", "image", "schema", "reasoning", "refusal", "length"] {
        let body = fixture_json(case, "answer.json");
        let answer = read(&body).unwrap();
        let written = write(&answer, &STAMP);
        assert_eq!(read(&written), Some(answer), "{case}");
        let mut message = body["choices"][0]["message"].clone();
        message.as_object_mut().unwrap().remove("annotations");
        assert_eq!(written["choices"][0]["message"], message, "{case}");
        assert_eq!(written["choices"][0]["finish_reason"], body["choices"][0]["finish_reason"], "{case}");
    }
    assert_eq!(read(&fixture_json("error", "answer.json")), None);
}

#[test]
fn a_model_that_declines_is_told_as_one() {
    let refusal = read(&fixture_json("refusal", "answer.json")).unwrap();
    assert_eq!(refusal.choices[0].finish, Some(Finish::Filter));
    let held = Choice { parts: vec![Part::text("a")], finish: Some(Finish::Filter), logprobs: None };
    let written = write(&Answer { choices: vec![held], ..Answer::default() }, &STAMP);
    assert_eq!(written["choices"][0]["finish_reason"], "content_filter");
}

#[test]
fn servers_that_speak_nearly_so_are_understood() {
    let parts = |message: Value| choice(json!({"message": message})).parts;
    let thought = |text: &str| Part::Thought(Thought { text: text.to_owned(), ..Thought::default() });
    assert_eq!(parts(json!({"content": "", "reasoning": "r"})), [thought("r")]);
    let mistral =
        json!([{"type": "thinking", "thinking": [{"type": "text", "text": "r"}]}, {"type": "text", "text": "a"}]);
    assert_eq!(parts(json!({"content": mistral})), [thought("r"), Part::text("a")]);
    let object = json!([{"function": {"name": "f", "arguments": {"a": 1}}}, {"id": "", "function": {"name": "f"}}]);
    assert_eq!(
        parts(json!({"tool_calls": object})),
        [call("call_chatcmpl-ab_0_0", "{\"a\":1}"), call("call_chatcmpl-ab_0_1", "")]
    );
    assert_eq!(parts(json!({"function_call": {"name": "f", "arguments": "{}"}})), [call("call_chatcmpl-ab_0_0", "{}")]);
    assert_eq!(parts(json!(null)), []);

    let called = json!({"tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]});
    for (ended, finish) in [
        (json!({"finish_reason": "stop"}), Some(Finish::Stop)),
        (json!({"finish_reason": "stop", "stop_reason": "END"}), Some(Finish::StopSequence("END".to_owned()))),
        (json!({"finish_reason": "stop", "stop_reason": 7}), Some(Finish::Stop)),
        (json!({"finish_reason": "stop", "message": called}), Some(Finish::ToolCalls)),
        (json!({"finish_reason": "length", "message": called}), Some(Finish::Length)),
        (json!({"finish_reason": "function_call"}), Some(Finish::ToolCalls)),
        (json!({"finish_reason": "eos"}), Some(Finish::Stop)),
        (json!({"finish_reason": null}), None),
        (json!({"finish_reason": ""}), None),
    ] {
        assert_eq!(choice(ended.clone()).finish, finish, "{ended}");
    }
}

#[test]
fn choices_come_by_their_index() {
    let body =
        json!({"choices": [{"index": 1, "message": {"content": "b"}}, {"index": 0, "message": {"content": "a"}}]});
    let said: Vec<_> = read(&body).unwrap().choices.into_iter().map(|choice| choice.parts).collect();
    assert_eq!(said, [[Part::text("a")], [Part::text("b")]]);
    assert_eq!(read(&json!({"object": "list"})), None);
    assert_eq!(read(&json!({"choices": [], "error": {"message": "m"}})), None);
}

#[test]
fn what_a_provider_does_not_tell_is_the_stamp() {
    let written = write(&Answer { choices: vec![Choice::default()], ..Answer::default() }, &STAMP);
    let message = json!({"role": "assistant", "content": "", "refusal": null});
    let choice = json!({"index": 0, "message": message, "logprobs": null, "finish_reason": "stop"});
    let head = json!({"id": "chatcmpl-9", "object": "chat.completion", "created": 7, "model": "asked"});
    let mut body = head;
    body["choices"] = json!([choice]);
    assert_eq!(written, body);
}

proptest! {
    #[test]
    fn what_is_written_reads_the_same(answer in answers()) {
        let written = write(&answer, &STAMP);
        prop_assert_eq!(read(&written), Some(answer), "{}", written);
    }
}
