//! Requests: that all of one is read and written, and what is not is named.

use super::*;
use crate::chat::{Effort, Message, Part, Reasoning, Role, Text, Thought, Tool, ToolCall, ToolChoice, ToolResult};
use crate::dialect::anthropic::samples::{CASES, fixture_json, requests};
use proptest::prelude::*;

/// Checks that a request with `members` uses `noted`, and returns it.
#[track_caller]
fn check(members: Value, noted: &[(Feature, &str)]) -> Request {
    let mut body = json!({"model": "m", "max_tokens": 9, "messages": []});
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    let (request, used) = read(&body).unwrap();
    assert_eq!(used.iter().collect::<Vec<_>>(), noted, "{body}");
    request
}

/// Checks what is written of a request with `change`: the value at `place`.
#[track_caller]
fn check_written(place: &str, written: Value, change: impl Fn(&mut Request)) {
    let mut request = Request { model: "m".to_owned(), choices: 1, ..Request::default() };
    change(&mut request);
    let body = write(&request);
    assert_eq!(body.pointer(place).unwrap_or(&Value::Null), &written, "{body}");
}

fn said(role: Role, parts: Vec<Part>) -> Message {
    Message::new(role, parts)
}

fn call(id: &str, arguments: &str, free: bool) -> Part {
    Part::ToolCall(ToolCall { id: id.to_owned(), name: "f".to_owned(), arguments: arguments.to_owned(), free })
}

fn result(call: &str, parts: Vec<Part>) -> Part {
    Part::ToolResult(ToolResult { call: call.to_owned(), parts, failed: false, cache: None })
}

proptest! {
    #[test]
    fn a_request_is_read_as_it_was_written(request in requests()) {
        let body = write(&request);
        let read = read(&body).map(|(request, _)| request);
        prop_assert_eq!(read.as_ref(), Ok(&request), "{}", body);
    }
}

#[test]
fn every_fixture_is_a_request_that_this_dialect_says_whole() {
    for case in CASES.into_iter().chain(["error"]) {
        let body = fixture_json(case, "request.json");
        let (request, used) = read(&body).unwrap();
        assert_eq!(write(&request), body, "{case}");
        assert!(used.iter().all(|(feature, _)| !super::super::CANNOT.contains(&feature)), "{case}: {used:?}");
    }
}

#[test]
fn what_only_this_dialect_can_say_is_named() {
    use Feature::{Foreign, Hint};
    for (members, noted) in [
        (json!({"cache_control": {"type": "ephemeral"}}), vec![(Hint, "cache_control")]),
        (json!({"service_tier": "auto", "inference_geo": null}), vec![(Hint, "service_tier")]),
        (
            json!({"metadata": {"user_id": "u", "team": 7}}),
            vec![(Feature::User, "metadata.user_id"), (Hint, "metadata.team")],
        ),
        (json!({"container": "c", "mcp_servers": []}), vec![(Foreign, "container"), (Foreign, "mcp_servers")]),
        (json!({"speed": "fast"}), vec![(Foreign, "speed")]),
        (json!({"speed": "standard"}), vec![]),
        (
            json!({"thinking": {"type": "between_tools"}, "output_config": {"task_budget": {"total": 5}}}),
            vec![(Foreign, "thinking.type"), (Foreign, "output_config.task_budget")],
        ),
        (json!({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}), vec![(Foreign, "tools[0]")]),
        (
            json!({"tools": [{"type": "custom", "name": "f", "input_schema": {"type": "object"},
                "eager_input_streaming": true, "defer_loading": false, "allowed_callers": ["direct"],
                "input_examples": [{}]}]}),
            vec![
                (Hint, "tools[0].eager_input_streaming"),
                (Foreign, "tools[0].input_examples"),
                (Feature::Tools, "tools"),
            ],
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "search_result", "source": "s"},
                {"type": "document", "source": {"type": "content", "content": "x"}},
                {"type": "document", "context": "c", "citations": {"enabled": true},
                    "source": {"type": "text", "media_type": "text/plain", "data": "hi"}}]}]}),
            vec![
                (Foreign, "messages[0].content[0]"),
                (Foreign, "messages[0].content[1].source"),
                (Foreign, "messages[0].content[2].citations"),
                (Feature::Files, "messages[0].content[2].source"),
                (Foreign, "messages[0].content[2].context"),
            ],
        ),
        (
            json!({"messages": [{"role": "assistant", "content": [
                {"type": "text", "text": "a", "citations": [{"type": "char_location"}]},
                {"type": "tool_use", "id": "i", "name": "f", "input": {}, "caller": {"type": "direct"},
                    "cache_control": {"type": "ephemeral"}},
                {"type": "server_tool_use", "id": "i", "name": "web_search", "input": {}}]}]}),
            vec![
                (Hint, "messages[0].content[0].citations"),
                (Hint, "messages[0].content[1].cache_control"),
                (Foreign, "messages[0].content[2]"),
            ],
        ),
    ] {
        check(members, &noted);
    }
}

#[test]
fn what_others_may_not_be_able_to_do_is_named_where_it_stands() {
    let image = json!({"type": "image", "source": {"type": "file", "file_id": "file_1"}});
    let request = check(
        json!({
            "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
            "messages": [
                {"role": "assistant", "content": [{"type": "redacted_thinking", "data": "d"}]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "i", "is_error": true, "content": [image]},
                    {"type": "text", "text": "go on"}]},
                {"role": "system", "content": "be quick"},
            ],
            "tools": [{"name": "f", "input_schema": {"type": "object", "properties": {}}}],
            "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
            "thinking": {"type": "enabled", "budget_tokens": 2048, "display": "omitted"},
            "output_format": {"type": "json_schema", "schema": {}}, "stop_sequences": ["x"], "top_k": 5,
        }),
        &[
            (Feature::CacheControl, "system[0].cache_control"),
            (Feature::Thoughts, "messages[0].content[0]"),
            (Feature::StoredMedia, "messages[1].content[0].content[0].source"),
            (Feature::ToolMedia, "messages[1].content[0].content"),
            (Feature::ToolErrors, "messages[1].content[0].is_error"),
            (Feature::Tools, "tools"),
            (Feature::ToolChoice, "tool_choice"),
            (Feature::SingleTools, "tool_choice.disable_parallel_tool_use"),
            (Feature::Reasoning, "thinking"),
            (Feature::JsonSchema, "output_format"),
            (Feature::TopK, "top_k"),
            (Feature::Stop, "stop_sequences"),
        ],
    );
    let roles: Vec<Role> = request.messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::System, Role::Assistant, Role::Tool, Role::User, Role::System]);
    assert_eq!(request.tools[0].parameters, None);
    let (budget, told) = (Some(Tokens::new(2_048)), Some(false));
    assert_eq!(request.reasoning, Some(Reasoning { effort: None, budget, told }));
    assert!(matches!(request.format, Format::Schema { .. }));
}

#[test]
fn a_field_of_the_wrong_type_is_refused_by_its_path() {
    for (members, message) in [
        (json!({"model": 7}), "`model` must be a string; got 7"),
        (json!({"messages": null}), "`messages` is missing; give what was said so far."),
        (json!({"messages": [{"role": "tool"}]}), "`messages[0].role` must be user, assistant or system; got \"tool\""),
        (json!({"messages": [{"role": "user"}]}), "`messages[0].content` is missing; give what is said."),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "text"}]}]}),
            "`messages[0].content[0].text` is missing; give the text.",
        ),
        (json!({"max_tokens": "9"}), "`max_tokens` must be a whole number of at least 0; got \"9\""),
        (
            json!({"output_config": {"effort": "huge"}}),
            "`output_config.effort` must be one of low, medium, high, xhigh, max; got \"huge\"",
        ),
        (
            json!({"tool_choice": {"type": "some"}}),
            "`tool_choice.type` must be one of auto, any, tool, none; got \"some\"",
        ),
        (json!({"stop_sequences": "x"}), "`stop_sequences` must be a list of strings; got \"x\""),
    ] {
        let mut body = json!({"model": "m", "max_tokens": 9, "messages": []});
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        assert_eq!(read(&body).unwrap_err().message, message);
    }
}

#[test]
fn a_budget_stays_below_the_cap_and_is_none_where_it_would_be_too_small() {
    let thinks = |effort, budget: Option<u64>, cap: Option<u64>| {
        move |request: &mut Request| {
            let reasoning = Reasoning { effort, budget: budget.map(Tokens::new), told: None };
            (request.reasoning, request.output_cap) = (Some(reasoning), cap.map(Tokens::new));
        }
    };
    let enabled = |budget: u64| json!({"type": "enabled", "budget_tokens": budget});
    let adaptive = json!({"type": "adaptive"});
    for (effort, budget, cap, thinking, word) in [
        (None, Some(2_048), Some(4_096), enabled(2_048), Value::Null),
        (None, Some(4_096), Some(4_096), enabled(4_095), Value::Null),
        (None, Some(9_999), Some(1_025), enabled(1_024), Value::Null),
        (None, Some(9_999), Some(1_024), Value::Null, Value::Null),
        (None, Some(512), Some(9_999), Value::Null, Value::Null),
        (Some(Effort::Low), Some(512), Some(9_999), adaptive.clone(), json!("low")),
        (Some(Effort::Minimal), None, Some(99), adaptive.clone(), json!("low")),
        (Some(Effort::Highest), None, Some(99), adaptive, json!("max")),
        (Some(Effort::None), None, Some(99), json!({"type": "disabled"}), Value::Null),
        (None, Some(0), Some(99), json!({"type": "disabled"}), Value::Null),
    ] {
        check_written("/thinking", thinking, thinks(effort, budget, cap));
        check_written("/output_config/effort", word, thinks(effort, budget, cap));
    }
    check_written("/max_tokens", json!(16_384), |_| {});
    check_written("/max_tokens", json!(16_384 + 2_048), thinks(None, Some(2_048), None));
}

#[test]
fn what_the_api_refuses_is_not_sent() {
    check_written("/tool_choice", Value::Null, |request| request.tool_choice = Some(ToolChoice::Auto));
    check_written("/tools/0/input_schema", json!({"a": 1, "type": "object"}), |request| {
        request.tools = vec![Tool { parameters: Some(json!({"a": 1})), ..Tool::default() }];
    });
    check_written("/messages", json!([]), |request| {
        let thought = Part::Thought(Thought { text: "unsigned".to_owned(), ..Thought::default() });
        request.messages = vec![said(Role::User, vec![Part::text("")]), said(Role::Assistant, vec![thought])];
    });
    let id = |place: &str, written: &str| {
        check_written(place, written.into(), |request| {
            request.messages = vec![
                said(Role::Assistant, vec![call("a.b:c", "", false)]),
                said(Role::Tool, vec![result("a.b:c", Vec::new())]),
            ];
        });
    };
    id("/messages/0/content/0/id", "a_2e_b_3a_c");
    id("/messages/1/content/0/tool_use_id", "a_2e_b_3a_c");
    for (arguments, free, input) in [
        ("", false, json!({})),
        ("[1]", false, json!({"input": [1]})),
        ("{\"a\":", false, json!({"input": "{\"a\":"})),
        ("{\"a\":1}", true, json!({"input": "{\"a\":1}"})),
    ] {
        check_written("/messages/0/content/0/input", input, |request| {
            request.messages = vec![said(Role::Assistant, vec![call("i", arguments, free)])];
        });
    }
}

#[test]
fn messages_stand_where_the_api_takes_them() {
    check_written(
        "/messages",
        json!([
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "i", "content": ""},
                {"type": "text", "text": "and"}]},
            {"role": "user", "content": "again"},
        ]),
        |request| {
            request.messages = vec![
                said(Role::Tool, vec![result("i", vec![Part::text("")])]),
                said(Role::System, vec![Part::text("late")]),
                said(Role::User, vec![Part::text("and")]),
                said(Role::User, vec![Part::text("again")]),
            ];
        },
    );
    check_written("/system", json!([{"type": "text", "text": "a"}, {"type": "text", "text": "late"}]), |request| {
        let text = |text: &str| Part::Text(Text { text: text.to_owned(), ..Text::default() });
        request.messages = vec![
            said(Role::System, vec![text("a")]),
            said(Role::User, vec![text("b")]),
            said(Role::System, vec![text("late")]),
        ];
    });
}
