//! Plain completions: what is read of a request, and how answers and streams are told.

use super::*;
use crate::chat::{Event, Thought, ToolCall, Usage};
use crate::dialect::openai::chunk::Chunk;
use crate::dialect::openai::samples::answers;
use crate::sse::Frames;
use Feature as F;
use proptest::prelude::*;

const STAMP: Stamp<'_> = Stamp { id: "9", created: 7, model: "asked" };

#[track_caller]
fn uses(members: Value, noted: &[(Feature, &str)]) -> Request {
    let mut body = json!({"model": "m", "prompt": "Once"});
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    let (request, used) = read(&body).unwrap();
    assert_eq!(used.iter().collect::<Vec<_>>(), noted, "{members}");
    request
}

#[test]
fn a_prompt_is_what_a_user_says() {
    let request = uses(json!({"temperature": 0, "stream": true, "n": 1, "best_of": 1, "suffix": ""}), &[]);
    assert_eq!(request.messages, [Message::new(Role::User, vec![Part::text("Once")])]);
    assert_eq!((request.output_cap, request.stream), (Some(Tokens::new(16)), true));
    let request = uses(json!({"prompt": ["Once"], "max_tokens": 0, "max_completion_tokens": null}), &[]);
    assert_eq!((request.messages.len(), request.output_cap), (1, Some(Tokens::ZERO)));
}

#[test]
fn what_only_this_endpoint_can_do_is_noted() {
    for (members, noted) in [
        (json!({"prompt": ["a", "b"]}), &[(F::Foreign, "prompt")][..]),
        (json!({"prompt": [1, 2]}), &[(F::Foreign, "prompt")]),
        (json!({"prompt": [[1], [2]]}), &[(F::Foreign, "prompt")]),
        (json!({"prompt": []}), &[(F::Foreign, "prompt")]),
        (json!({"n": 2, "best_of": 2}), &[(F::Choices, "n")]),
        (json!({"best_of": 3}), &[(F::Foreign, "best_of")]),
        (json!({"echo": true, "suffix": "end"}), &[(F::Foreign, "echo"), (F::Foreign, "suffix")]),
        (json!({"echo": false, "logprobs": 2}), &[(F::Logprobs, "logprobs")]),
        (
            json!({"logit_bias": {"1": 2}, "max_completion_tokens": 9}),
            &[(F::Foreign, "logit_bias"), (F::Foreign, "max_completion_tokens")],
        ),
        (json!({"stop": ["x"], "user": "u"}), &[(F::Stop, "stop"), (F::User, "user")]),
    ] {
        uses(members, noted);
    }
    let refusal = |body: Value| read(&body).unwrap_err().message;
    assert_eq!(refusal(json!({"model": "m"})), "`prompt` is missing; give the text to go on from.");
    let right = "`prompt` must be a text, a list of tokens, or a list of these; got 7";
    assert_eq!(refusal(json!({"model": "m", "prompt": 7})), right);
}

#[test]
fn an_answer_is_told_as_a_text() {
    let thought = Part::Thought(Thought { text: "Hm".to_owned(), ..Thought::default() });
    let token = |token: &str| json!({"token": token, "logprob": -0.5, "bytes": null, "top_logprobs": [{"token": "z", "logprob": -2}]});
    let logprobs = Some(vec![token("ü"), token("b")]);
    let said = Choice { parts: vec![thought, Part::text("üb")], finish: Some(Finish::Length), logprobs };
    let declined = Choice { parts: vec![Part::Refusal("No.".to_owned())], finish: Some(Finish::Stop), logprobs: None };
    let called =
        Choice { parts: vec![Part::ToolCall(ToolCall::default())], finish: Some(Finish::ToolCalls), logprobs: None };
    let usage = Usage { input: Tokens::new(3), output: Tokens::new(2), ..Usage::default() };
    let answer = Answer { choices: vec![said, declined, called], usage: Some(usage), ..Answer::default() };
    let top = json!({"z": -2});
    let told = json!({"tokens": ["ü", "b"], "token_logprobs": [-0.5, -0.5], "top_logprobs": [top, top], "text_offset": [0, 1]});
    assert_eq!(
        write_answer(&answer, &STAMP),
        json!({
            "id": "cmpl-9", "object": "text_completion", "created": 7, "model": "asked",
            "choices": [
                {"text": "üb", "index": 0, "logprobs": told, "finish_reason": "length"},
                {"text": "No.", "index": 1, "logprobs": null, "finish_reason": "content_filter"},
                {"text": "", "index": 2, "logprobs": null, "finish_reason": "stop"},
            ],
            "usage": {
                "prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5, "prompt_tokens_details": {"cached_tokens": 0},
            },
        })
    );
}

fn written(events: &[Event], show_usage: bool) -> String {
    let (mut writer, mut out) = (Writer::new(&STAMP, show_usage), Vec::new());
    events.iter().for_each(|event| writer.write(event, &mut out));
    String::from_utf8(out).unwrap()
}

#[test]
fn chunks_are_written_as_openai_writes_them() {
    let begin = Event::Begin(Head { id: "x".to_owned(), model: "m".to_owned(), created: 3 });
    let text = |text: &str| Event::Text { choice: 0, text: text.to_owned() };
    let usage = Usage { input: Tokens::new(2), output: Tokens::new(1), ..Usage::default() };
    let ended = Event::Finish { choice: 0, finish: Finish::Stop };
    let said = [begin, text("a"), text(""), Event::Usage(usage), ended, text("late"), Event::End, text("later")];
    let head = r#"{"id":"x","object":"text_completion","created":3,"model":"m","choices":["#;
    let stream = |null: &str, told: &str| {
        let chunk = |text: &str, finish: &str| {
            format!(
                "data: {head}{{\"index\":0,\"text\":\"{text}\",\"logprobs\":null,\"finish_reason\":{finish}}}]{null}}}\n\n"
            )
        };
        format!("{}{}{told}data: [DONE]\n\n", chunk("a", "null"), chunk("", "\"stop\""))
    };
    let told =
        r#"{"prompt_tokens":2,"completion_tokens":1,"total_tokens":3,"prompt_tokens_details":{"cached_tokens":0}}"#;
    assert_eq!(written(&said, true), stream(r#","usage":null"#, &format!("data: {head}],\"usage\":{told}}}\n\n")));
    assert_eq!(written(&said, false), stream("", ""));

    let failed = Event::Fault(crate::chat::Fault { message: "m".to_owned(), ..Default::default() });
    let error = r#"{"error":{"message":"m","type":"server_error","param":null,"code":null}}"#;
    assert_eq!(written(&[failed, Event::End], false), format!("event: error\ndata: {error}\n\n"));
}

proptest! {
    #[test]
    fn a_stream_says_the_texts_of_the_whole_answer(answer in answers()) {
        let stream = written(&answer.events(), true);
        let (mut frames, mut rest) = (Frames::new(), stream.as_bytes());
        let mut texts = vec![String::new(); answer.choices.len()];
        let (mut ended, mut usage) = (0_u128, None);
        while let Some(frame) = frames.next(&mut rest).unwrap() {
            let data = frame.data().unwrap();
            let Some(chunk) = Chunk::read(&data) else { continue };
            ended |= chunk.finished;
            usage = usage.or(chunk.usage);
            let value: Value = serde_json::from_slice(&data).unwrap();
            for choice in value["choices"].as_array().unwrap() {
                let index = usize::try_from(choice["index"].as_u64().unwrap()).unwrap();
                texts[index].push_str(choice["text"].as_str().unwrap());
            }
        }
        let whole = write_answer(&answer, &STAMP);
        let told: Vec<_> = whole["choices"].as_array().unwrap().iter().map(|choice| choice["text"].as_str().unwrap()).collect();
        prop_assert_eq!(texts, told);
        prop_assert_eq!(ended.count_ones() as usize, answer.choices.len());
        prop_assert_eq!(usage, answer.usage);
    }
}
