//! Answers: that all of one is read and written.

use super::*;
use crate::chat::{Citation, Thought, Usage};
use crate::dialect::anthropic::samples::{CASES, answers, fixture_json};
use crate::units::Tokens;
use proptest::prelude::*;

const STAMP: Stamp<'_> = Stamp { id: "req_1", created: 7, model: "asked" };

proptest! {
    #[test]
    fn an_answer_is_read_as_it_was_written(answer in answers()) {
        let body = write(&answer, &STAMP);
        let read = read(&body);
        prop_assert_eq!(read, Some(answer), "{}", body);
    }
}

/// Checks what a message with `members` is read as: its parts and its end.
#[track_caller]
fn check(members: Value, parts: Vec<Part>, finish: Option<Finish>) {
    let mut body = json!({"id": "msg_1", "type": "message", "model": "m", "content": [], "usage": null});
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    let head = Head { id: "msg_1".to_owned(), model: "m".to_owned(), created: 0 };
    let choices = vec![Choice { parts, finish, logprobs: None }];
    assert_eq!(read(&body), Some(Answer { head, choices, usage: None }), "{body}");
}

#[test]
fn every_fixture_is_read_and_written_again() {
    for case in CASES {
        let answer = read(&fixture_json(case, "answer.json")).unwrap();
        assert_eq!(read(&write(&answer, &STAMP)).as_ref(), Some(&answer), "{case}");
    }
    assert_eq!(read(&fixture_json("error", "answer.json")), None);
}

#[test]
fn a_text_in_several_blocks_is_one_that_knows_where_it_is_from() {
    let page = |quote: &str| {
        json!({"type": "web_search_result_location", "url": "u", "title": null, "cited_text": quote,
            "encrypted_index": "x"})
    };
    let cited = |quote: Option<&str>, start, end| Citation {
        url: "u".to_owned(),
        title: String::new(),
        quote: quote.map(str::to_owned),
        start,
        end,
    };
    let citations = vec![cited(Some("q"), 2, 4), cited(None, 2, 4)];
    check(
        json!({"content": [
            {"type": "text", "text": "éa"},
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
            {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
            {"type": "text", "text": "bc", "citations": [page("q"), {"type": "char_location"}, page("")]},
            {"type": "text", "text": "d", "citations": null},
        ], "stop_reason": "pause_turn"}),
        vec![Part::Text(Text { text: "éabcd".to_owned(), citations, cache: None })],
        Some(Finish::Stop),
    );
}

#[test]
fn a_citation_is_told_wherever_it_says_it_stands() {
    for (stretches, told) in [
        (vec![(1, 2)], "a b* c"),
        (vec![(1, 2), (1, 2), (0, 1)], "a b*** c"),
        (vec![(0, 2), (1, 9)], "ab* c*"),
        (vec![(0, 0)], "abc*"),
        (vec![(7, 9)], "abc"),
    ] {
        let cite = |(start, end): &(u64, u64)| Citation { start: *start, end: *end, ..Citation::default() };
        let text = Text { text: "abc".to_owned(), citations: stretches.iter().map(cite).collect(), cache: None };
        let mut blocks = Vec::new();
        cite::write_text(&text, &mut blocks);
        let short = |block: &Value| {
            let citations = block["citations"].as_array().map_or(0, Vec::len);
            format!("{}{}", block["text"].as_str().unwrap(), "*".repeat(citations))
        };
        assert_eq!(blocks.iter().map(short).collect::<Vec<_>>().join(" "), told);
    }
}

#[test]
fn an_answer_says_why_it_ends() {
    for (members, finish) in [
        (json!({"stop_reason": "end_turn"}), Some(Finish::Stop)),
        (json!({"stop_reason": "max_tokens"}), Some(Finish::Length)),
        (json!({"stop_reason": "model_context_window_exceeded"}), Some(Finish::Length)),
        (json!({"stop_reason": "stop_sequence", "stop_sequence": "x"}), Some(Finish::StopSequence("x".to_owned()))),
        (json!({"stop_reason": "tool_use"}), Some(Finish::ToolCalls)),
        (json!({"stop_reason": "refusal", "stop_details": null}), Some(Finish::Filter)),
        (json!({"stop_reason": null}), None),
    ] {
        check(members, Vec::new(), finish);
    }
    let details = json!({"type": "refusal", "category": "bio", "explanation": "No."});
    let members = json!({"stop_reason": "refusal", "stop_details": details});
    check(members, vec![Part::Refusal("No.".to_owned())], Some(Finish::Filter));
}

#[test]
fn a_client_always_learns_why_an_answer_ends() {
    let call = Part::ToolCall(ToolCall { name: "f".to_owned(), ..ToolCall::default() });
    for (parts, finish, reason) in [
        (vec![], None, "end_turn"),
        (vec![call.clone()], None, "tool_use"),
        (vec![call.clone()], Some(Finish::Stop), "tool_use"),
        (vec![call], Some(Finish::Length), "max_tokens"),
        (vec![Part::Refusal("No.".to_owned())], Some(Finish::Stop), "refusal"),
    ] {
        let choices = vec![Choice { parts, finish, logprobs: None }];
        let body = write(&Answer { choices, ..Answer::default() }, &STAMP);
        assert_eq!(
            (&body["stop_reason"], &body["id"], &body["model"]),
            (&json!(reason), &json!("req_1"), &json!("asked"))
        );
    }
}

#[test]
fn a_thought_that_nobody_signed_has_an_empty_signature() {
    let thought = Part::Thought(Thought { text: "hm".to_owned(), ..Thought::default() });
    let choices = vec![Choice { parts: vec![thought], finish: Some(Finish::Stop), logprobs: None }];
    let answer =
        Answer { choices, usage: Some(Usage { output: Tokens::new(1), ..Usage::default() }), ..Answer::default() };
    let body = write(&answer, &STAMP);
    assert_eq!(body["content"], json!([{"type": "thinking", "thinking": "hm", "signature": ""}]));
    assert_eq!(read(&body).map(|read| read.choices), Some(answer.choices));
}

#[test]
fn what_is_cached_is_a_part_of_the_input() {
    let usage = |usage: Value| read(&json!({"content": [], "usage": usage})).unwrap().usage;
    let all = json!({"input_tokens": 5, "cache_creation_input_tokens": 30, "cache_read_input_tokens": 100,
        "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20}, "output_tokens": 9,
        "output_tokens_details": {"thinking_tokens": 4}});
    let [input, cached_input, cache_write, cache_write_hour, output, reasoning] =
        [135, 100, 10, 20, 9, 4].map(Tokens::new);
    let read = Usage { input, cached_input, cache_write, cache_write_hour, output, reasoning, ..Usage::default() };
    assert_eq!(usage(all), Some(read));
    assert_eq!(usage(json!({"input_tokens": 0, "output_tokens": 0})), None);
    let compacted = json!({"input_tokens": 5, "output_tokens": 9, "iterations": [
        {"type": "compaction", "input_tokens": 100, "output_tokens": 20}, {"type": "message", "input_tokens": 5}]});
    let read = usage(compacted).map(|usage| (usage.input.get(), usage.output.get()));
    assert_eq!(read, Some((105, 29)));
}
