//! Whole answers.

use super::*;
use crate::chat::{Citation, Text, Thought, Usage};
use crate::dialect::gemini::samples::fixture_json;
use crate::units::Tokens;

const STAMP: Stamp<'_> = Stamp { id: "9", created: 7, model: "asked" };

fn one(choice: Choice) -> Answer {
    let head = Head { id: "r-1".to_owned(), model: "m".to_owned(), created: 0 };
    Answer { head, choices: vec![choice], usage: None }
}

/// The choice that `candidate` is read as.
fn choice(candidate: &Value) -> Choice {
    let body = json!({"candidates": [candidate], "responseId": "r-1", "modelVersion": "m"});
    read(&body).unwrap().choices.remove(0)
}

#[test]
fn the_stories_are_read_and_read_the_same_once_written() {
    for case in ["text", "tools", "parallel", "image", "schema", "reasoning", "length"] {
        let first = read(&fixture_json(case, "answer.json")).unwrap();
        assert_eq!(read(&write(&first, &STAMP)).as_ref(), Some(&first), "{case}");
    }
    let reasoning = read(&fixture_json("reasoning", "answer.json")).unwrap();
    let thought = Thought { text: "Add again.".to_owned(), signature: Some("sig2".to_owned()), sealed: false };
    assert_eq!(reasoning.choices[0].parts, [Part::Thought(thought), Part::text("6")]);
    let usage =
        Usage { input: Tokens::new(20), output: Tokens::new(21), reasoning: Tokens::new(20), ..Usage::default() };
    assert_eq!(reasoning.usage, Some(usage));
    let refusal = read(&fixture_json("refusal", "answer.json")).unwrap();
    assert_eq!(refusal.choices, [Choice { finish: Some(Finish::Filter), ..Choice::default() }]);
    assert_eq!(read(&fixture_json("error", "answer.json")), None);
}

#[test]
fn why_an_answer_ends_is_told() {
    let call = json!({"functionCall": {"name": "f"}});
    for (reason, parts, finish) in [
        (json!("STOP"), json!([]), Some(Finish::Stop)),
        (json!("STOP"), json!([call]), Some(Finish::ToolCalls)),
        (json!("MAX_TOKENS"), json!([call]), Some(Finish::Length)),
        (json!("SAFETY"), json!([]), Some(Finish::Filter)),
        (json!("MALFORMED_FUNCTION_CALL"), json!([]), Some(Finish::Filter)),
        (json!("FINISH_REASON_UNSPECIFIED"), json!([]), None),
        (json!(null), json!([]), None),
    ] {
        assert_eq!(choice(&json!({"content": {"parts": parts}, "finishReason": reason})).finish, finish, "{reason}");
    }
}

#[test]
fn a_call_without_an_id_has_one_of_its_own() {
    let call = json!({"functionCall": {"name": "f", "args": {"a": 1}}});
    let parts = choice(&json!({"index": 1, "content": {"parts": [call, call]}})).parts;
    let ids: Vec<_> = parts.iter().map(|part| matches!(part, Part::ToolCall(call) if !call.id.is_empty())).collect();
    assert_eq!(ids, [true, true]);
    let Part::ToolCall(second) = &parts[1] else { panic!() };
    assert_eq!((second.id.as_str(), second.arguments.as_str()), ("call_r-1_1_1", "{\"a\":1}"));
}

#[test]
fn what_a_provider_does_not_tell_is_stamped() {
    let bare = Answer { choices: vec![Choice::default()], ..Answer::default() };
    let candidates = json!([{"finishReason": "STOP", "index": 0}]);
    assert_eq!(write(&bare, &STAMP), json!({"candidates": candidates, "modelVersion": "asked", "responseId": "9"}));
}

#[test]
fn citations_are_told_in_bytes_and_read_in_characters() {
    let cited =
        |url: &str, start, end| Citation { url: url.to_owned(), title: "t".to_owned(), quote: None, start, end };
    let text = |text: &str, citations| Part::Text(Text { text: text.to_owned(), citations, cache: None });
    let thought = Part::Thought(Thought { text: "x".to_owned(), signature: Some("s".to_owned()), sealed: false });
    let parts =
        vec![text("é1", vec![cited("u", 0, 1)]), thought, text("éü2", vec![cited("u", 1, 3), cited("v", 1, 3)])];
    let answer = one(Choice { parts, finish: Some(Finish::Stop), logprobs: None });
    let body = write(&answer, &STAMP);
    let web = |uri: &str| json!({"web": {"uri": uri, "title": "t"}});
    let grounding = json!({
        "groundingChunks": [web("u"), web("v")],
        "groundingSupports": [
            {"segment": {"endIndex": 2, "text": "é"}, "groundingChunkIndices": [0]},
            {"segment": {"partIndex": 2, "startIndex": 2, "endIndex": 5, "text": "ü2"}, "groundingChunkIndices": [0, 1]},
        ],
    });
    assert_eq!(body["candidates"][0]["groundingMetadata"], grounding);
    assert_eq!(read(&body), Some(answer));
    // Thoughts come first, and the segment has no index: it is of all that is said.
    let candidate = json!({
        "content": {"parts": [{"text": "é", "thought": true}, {"text": "é"}, {"text": "12"}]},
        "groundingMetadata": {
            "groundingChunks": [{"web": {"uri": "u", "title": "t"}}],
            "groundingSupports": [{"segment": {"startIndex": 2, "endIndex": 4}, "groundingChunkIndices": [0, 7]}],
        },
    });
    let parts = choice(&candidate).parts;
    assert_eq!(parts[1], text("é12", vec![cited("u", 1, 3)]));
}

#[test]
fn log_probabilities_are_openais_list() {
    let token = |token: &str, logprob: f64| json!({"token": token, "logprob": logprob, "bytes": token.as_bytes()});
    let mut chosen = token("é", -0.5);
    chosen["top_logprobs"] = json!([token("é", -0.5), token("e", -1.0)]);
    let answer =
        one(Choice { parts: vec![Part::text("é")], finish: Some(Finish::Stop), logprobs: Some(vec![chosen]) });
    let body = write(&answer, &STAMP);
    let own = |token: &str, logprob: f64| json!({"token": token, "logProbability": logprob});
    let result = json!({
        "chosenCandidates": [own("é", -0.5)],
        "topCandidates": [{"candidates": [own("é", -0.5), own("e", -1.0)]}],
    });
    assert_eq!(body["candidates"][0]["logprobsResult"], result);
    assert_eq!(read(&body), Some(answer));
}

#[test]
fn what_is_no_answer_is_none() {
    for body in [json!({}), json!([]), json!("x"), json!({"error": {"code": 500}}), json!({"choices": []})] {
        assert_eq!(read(&body), None, "{body}");
    }
    let silent = read(&json!({"responseId": "r", "usageMetadata": {"promptTokenCount": 3}})).unwrap();
    assert_eq!(silent.choices, [Choice::default()]);
}
