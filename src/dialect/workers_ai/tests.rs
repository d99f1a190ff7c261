use super::{CANNOT, answer, fault, request, stream};
use crate::chat::{
    Answer, Event, Fault, Finish, Fold, Format, Message, Part, Request, Role, Thought, Tool, ToolCall, Usage,
};
use crate::dialect::CapField;
use crate::units::Tokens;
use proptest::prelude::*;
use serde_json::{Value, json};

const CASES: [&str; 8] = ["text", "tools", "parallel", "image", "schema", "reasoning", "refusal", "length"];

fn fixture(name: &str) -> String {
    let path = format!("{}/tests/fixtures/chat/workers_ai/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

fn json_of(name: &str) -> Value {
    serde_json::from_str(&fixture(&format!("{name}.json"))).unwrap()
}

/// The events that frames of this data are, and then the connection's end.
fn events<'a>(frames: impl IntoIterator<Item = &'a str>) -> Vec<Event> {
    let (mut reader, mut events) = (stream::Reader::default(), Vec::new());
    frames.into_iter().for_each(|data| reader.read(None, data.as_bytes(), &mut events));
    reader.finish(&mut events);
    events
}

fn fold(events: Vec<Event>) -> Result<Option<Answer>, Fault> {
    let mut fold = Fold::default();
    events.into_iter().for_each(|event| fold.add(event));
    fold.finish()
}

fn call(id: &str, city: &str) -> Part {
    let arguments = format!(r#"{{"city":"{city}"}}"#);
    Part::ToolCall(ToolCall { id: id.to_owned(), name: "get_weather".to_owned(), arguments, free: false })
}

fn usage(input: u64, output: u64) -> Usage {
    Usage { input: Tokens::new(input), output: Tokens::new(output), ..Usage::default() }
}

#[test]
fn every_request_is_written_as_it_is_read() {
    for case in CASES {
        let body = json_of(&format!("{case}.request"));
        let (read, used) = request::read(&body).unwrap();
        assert_eq!(request::write(&read, CapField::MaxTokens), body, "{case}");
        assert!(used.iter().all(|(feature, _)| !CANNOT.contains(&feature)), "{case}");
    }
}

#[test]
fn answers_are_read_for_what_they_say_whole_and_streamed_in_both_forms() {
    let thought = Part::Thought(Thought { text: "Add again.".to_owned(), ..Thought::default() });
    for (case, parts, finish, used) in [
        ("text", vec![Part::text("Hello there.")], Finish::Stop, usage(12, 3)),
        ("tools", vec![Part::text("Let me look."), call("call_0_0", "Paris")], Finish::ToolCalls, usage(40, 18)),
        ("parallel", vec![call("call_3", "Bergen"), call("call_4", "Lyon")], Finish::ToolCalls, usage(90, 36)),
        ("image", vec![Part::text("A cat.")], Finish::Stop, usage(520, 3)),
        ("schema", vec![Part::text("{\"city\":\"Paris\"}")], Finish::Stop, usage(50, 6)),
        ("reasoning", vec![thought, Part::text("6")], Finish::Stop, usage(20, 21)),
        ("refusal", vec![Part::text("I can't help with that.")], Finish::Stop, usage(15, 7)),
        ("length", vec![Part::text("One two")], Finish::Length, usage(9, 5)),
    ] {
        let whole = answer::read(&json_of(&format!("{case}.answer"))).unwrap();
        let text = fixture(&format!("{case}.sse"));
        let frames = text.split("\n\n").filter_map(|frame| frame.strip_prefix("data: "));
        for read in [whole, fold(events(frames)).unwrap().unwrap()] {
            let [choice] = read.choices.as_slice() else { panic!("{case}: {:?}", read.choices) };
            assert_eq!((&choice.parts, &choice.finish), (&parts, &Some(finish.clone())), "{case}");
            assert_eq!(read.usage, Some(used), "{case}");
        }
    }
}

#[test]
fn a_response_is_a_text_whatever_its_type() {
    for (response, text) in [
        (json!("a"), "a"),
        (json!({"z": 1, "a": [null]}), r#"{"z":1,"a":[null]}"#),
        (json!([1, "b"]), r#"[1,"b"]"#),
        (json!(42), "42"),
        (json!(true), "true"),
    ] {
        let body = json!({"response": response});
        let parts = [Part::text(text)];
        assert_eq!(answer::read(&body).unwrap().choices[0].parts, parts, "{body}");
        let streamed = fold(events([body.to_string().as_str(), "[DONE]"])).unwrap().unwrap();
        assert_eq!(streamed.choices[0].parts, parts, "{body}");
    }
    for body in [json!({}), json!({"response": null}), json!({"choices": {}}), json!("text"), json!([]), json!(null)] {
        assert_eq!(answer::read(&body), None, "{body}");
    }
    let silent = answer::read(&json!({"response": "", "usage": {"prompt_tokens": 3, "completion_tokens": 0}})).unwrap();
    assert_eq!((silent.choices[0].parts.as_slice(), silent.usage), (&[][..], Some(usage(3, 0))));
}

#[test]
fn calls_are_read_in_every_form_that_there_is() {
    let flat = json!({"name": "get_weather", "arguments": {"city": "Oslo"}});
    let text = json!({"name": "get_weather", "arguments": "{\"city\":\"Oslo\"}", "id": "i"});
    let inner =
        json!({"id": "i", "type": "function", "function": {"name": "get_weather", "arguments": {"city": "Oslo"}}});
    let last = json!({"id": null, "type": null, "function": {"name": null, "arguments": ""}});
    for (tool_call, id) in [(flat, "call_0_0"), (text, "i"), (inner, "i")] {
        let calls = json!([tool_call, last]);
        let newer = json!({"choices": [{"message": {"content": "", "tool_calls": calls}, "finish_reason": "stop"}]});
        for body in [json!({"tool_calls": calls}), json!({"response": null, "tool_calls": calls}), newer] {
            let choice = answer::read(&body).unwrap().choices.remove(0);
            assert_eq!((choice.parts, choice.finish), (vec![call(id, "Oslo")], Some(Finish::ToolCalls)), "{body}");
        }
        let delta = json!({"choices": [{"index": 0, "delta": {"tool_calls": calls}}]});
        for chunk in [json!({"response": "", "tool_calls": calls}), delta] {
            let choice = fold(events([chunk.to_string().as_str(), "[DONE]"])).unwrap().unwrap().choices.remove(0);
            assert_eq!((choice.parts, choice.finish), (vec![call(id, "Oslo")], Some(Finish::ToolCalls)), "{chunk}");
        }
    }
}

#[test]
fn a_stream_is_whole_with_its_last_word_alone() {
    let text = Event::Text { choice: 0, text: "a".to_owned() };
    let begun = Event::Begin(crate::chat::Head::default());
    let finish = Event::Finish { choice: 0, finish: Finish::Stop };
    let length = Event::Finish { choice: 0, finish: Finish::Length };
    let said = r#"{"response":"a","p":"abc"}"#;
    assert_eq!(events([said]), [begun.clone(), text.clone()]);
    assert_eq!(events([said, "[DONE]", said]), [begun.clone(), text.clone(), finish, Event::End]);
    let ended = r#"{"response":"a","finish_reason":"length"}"#;
    assert_eq!(events([ended, "[DONE]"]), [begun.clone(), text.clone(), length.clone(), Event::End]);
    assert_eq!(events([ended]), [begun.clone(), text.clone(), length, Event::End]);
    assert_eq!(events(["[DONE]"]), [Event::End]);
    assert_eq!(events(["{}", "7", "{\"response\":", "null"]), []);
    let fault = |code: &str, message: &str| {
        Event::Fault(Fault { message: message.to_owned(), code: Some(code.to_owned()), ..Fault::default() })
    };
    let broken = r#"{"errors":[{"code":3040,"message":"Busy."}]}"#;
    assert_eq!(events([said, broken, said, "[DONE]"]), [begun, text, fault("3040", "Busy.")]);
    assert_eq!(
        events([r#"{"error":"5007: No such model"}"#]),
        [Event::Fault(fault::read(&json!("5007: No such model")))]
    );
}

#[test]
fn faults_are_told_by_their_number() {
    let fault = |message: &str, [code, kind]: [&str; 2]| {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Fault { message: message.to_owned(), kind: some(kind), code: some(code), param: None }
    };
    for (body, read, is_own) in [
        (
            json_of("error.answer"),
            fault("Capacity temporarily exceeded, please try again.", ["3040", "InferenceUpstreamError"]),
            true,
        ),
        (json!({"errors": [{"code": 5007, "message": "No such model"}]}), fault("No such model", ["5007", ""]), true),
        (json!("3036: used up"), fault("used up", ["3036", ""]), false),
        (json!({"error": "not: a number"}), fault("not: a number", ["", ""]), true),
        (json!({"internalCode": 0, "message": "m"}), fault("m", ["", ""]), false),
        (json!({"errors": [], "response": "a"}), fault("{\"errors\":[],\"response\":\"a\"}", ["", ""]), false),
        (json!(null), fault("null", ["", ""]), false),
    ] {
        assert_eq!((fault::read(&body), fault::is_fault(&body)), (read, is_own), "{body}");
        assert!(!is_own || answer::read(&body).is_none(), "{body}");
    }
}

#[test]
fn what_older_models_do_not_know_is_said_in_words_that_they_do() {
    let said = |role: Role, parts: Vec<Part>| Message::new(role, parts);
    let free = ToolCall { id: "c".to_owned(), name: "f".to_owned(), arguments: "a \"b\"".to_owned(), free: true };
    let sealed = Thought { signature: Some("s".to_owned()), sealed: true, ..Thought::default() };
    let signed = |text: &str| Thought { text: text.to_owned(), signature: Some("s".to_owned()), sealed: false };
    let messages = vec![
        said(Role::System, vec![Part::text("a"), Part::text("b")]),
        said(Role::User, Vec::new()),
        said(Role::Assistant, vec![Part::Thought(sealed)]),
        said(
            Role::Assistant,
            vec![Part::Thought(signed("x")), Part::Thought(signed("y")), Part::Refusal("no".to_owned())],
        ),
        said(Role::Assistant, vec![Part::text("it "), Part::text("is"), Part::ToolCall(free)]),
    ];
    let tools = vec![Tool { name: "f".to_owned(), ..Tool::default() }];
    let schema = json!({"type": "object", "title": "Own"});
    let format = Format::Schema { name: "n".to_owned(), description: Some("d".to_owned()), schema, strict: Some(true) };
    let body = request::write(&Request { messages, tools, format, ..Request::default() }, CapField::MaxTokens);
    let arguments = r#"{"input":"a \"b\""}"#;
    let called = json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}});
    let function = json!({"name": "f", "description": "", "parameters": {"type": "object", "properties": {}}});
    let expected = json!({
        "messages": [
            {"role": "system", "content": "a\nb"},
            {"role": "user", "content": ""},
            {"role": "assistant", "content": "no", "reasoning": "xy"},
            {"role": "assistant", "content": "it is", "tool_calls": [called]},
        ],
        "response_format": {
            "type": "json_schema", "json_schema": {"type": "object", "title": "Own", "description": "d"},
        },
        "tools": [{"type": "function", "function": function}],
    });
    assert_eq!(body, expected);
}

#[test]
fn none_of_an_effort_is_null() {
    let (mut read, used) = request::read(&json!({"messages": [], "reasoning_effort": null})).unwrap();
    assert_eq!(used.iter().count(), 1, "{used:?}");
    assert_eq!(request::write(&read, CapField::MaxTokens)["reasoning_effort"], Value::Null);
    read.reasoning = None;
    assert_eq!(request::write(&read, CapField::MaxTokens), json!({"messages": []}));
    let capped = Request { output_cap: Some(Tokens::new(5)), ..read };
    assert_eq!(request::write(&capped, CapField::MaxCompletionTokens)["max_completion_tokens"], 5);
}

proptest! {
    /// The older form says as much as the newer, as far as it can.
    #[test]
    fn an_answer_in_the_older_form_is_read_as_the_newer(
        text in "[a-z\u{e9}\"\\\\ \n]{0,6}",
        calls in prop::collection::vec(("[a-z]{1,3}", "[a-z\"\\\\]{0,5}"), 0..3),
        used in prop::option::of((0_u64..99, 0_u64..99)),
    ) {
        let flat: Vec<Value> =
            calls.iter().map(|(name, given)| json!({"name": name, "arguments": {"a": given}})).collect();
        let inner: Vec<Value> = flat.iter().map(|call| json!({"function": call})).collect();
        let usage = used.map(|(input, output)| json!({"prompt_tokens": input, "completion_tokens": output}));
        let older = json!({"response": text, "tool_calls": flat, "usage": usage});
        let reason = if calls.is_empty() { "stop" } else { "tool_calls" };
        let choice = json!({"message": {"content": text, "tool_calls": inner}, "finish_reason": reason});
        let newer = answer::read(&json!({"choices": [choice], "usage": usage})).unwrap();
        prop_assert_eq!(newer.choices[0].parts.len(), calls.len() + usize::from(!text.is_empty()));
        prop_assert_eq!(answer::read(&older), Some(newer.clone()));
        let streamed = fold(events([older.to_string().as_str(), "[DONE]"]));
        prop_assert_eq!(streamed, Ok(Some(newer)));
    }
}
