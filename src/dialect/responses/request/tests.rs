//! What is read of a request, what of it is noted or refused, and how it is written.

use super::*;
use crate::chat::{Cache, Media, Text, Tool, ToolCall, ToolChoice, ToolResult};
use crate::dialect::responses::samples::{CASES, fixture_json};
use Feature as F;

fn body(members: Value) -> Value {
    let mut body = json!({"model": "m", "input": "Hi"});
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    body
}

fn read_of(members: Value) -> Request {
    read(&body(members)).unwrap().0
}

fn input(items: Value) -> Vec<Message> {
    read_of(json!({"input": items})).messages
}

/// Checks what a request with `members` is noted to use.
#[track_caller]
fn uses(members: Value, noted: &[(Feature, &str)]) {
    let (_, used) = read(&body(members.clone())).unwrap();
    assert_eq!(used.iter().collect::<Vec<_>>(), noted, "{members}");
}

#[track_caller]
fn refused(members: Value, param: &str, message: &str) {
    let bad = read(&body(members.clone())).unwrap_err();
    assert_eq!((bad.param.as_deref(), bad.message.as_str()), (Some(param), message), "{members}");
}

fn signed(text: &str, signature: &str) -> Thought {
    Thought { text: text.to_owned(), signature: Some(signature.to_owned()), sealed: false }
}

#[test]
fn a_request_that_is_written_is_read_the_same() {
    for case in CASES {
        let (request, _) = read(&fixture_json(case, "request.json")).unwrap();
        assert_eq!(read(&write(&request)).unwrap().0, request, "{case}");
    }
}

#[test]
fn the_scenarios_are_read_for_what_they_say() {
    let read = |case: &str| read(&fixture_json(case, "request.json")).unwrap();
    let (text, used) = read("text");
    assert_eq!(
        (text.output_cap, text.sampling.temperature),
        (Some(Tokens::new(100)), serde_json::Number::from_f64(0.5))
    );
    assert_eq!(text.messages[0], Message::new(Role::System, vec![Part::text("Be brief.")]));
    assert_eq!(used, Used::default());

    let (parallel, used) = read("parallel");
    let roles: Vec<Role> = parallel.messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::Tool]);
    assert_eq!((parallel.messages[2].parts.len(), parallel.tool_of("call_2")), (2, Some("get_weather")));
    assert_eq!(used.iter().collect::<Vec<_>>(), [(F::Tools, "tools")]);

    let (image, used) = read("image");
    let url = Media::Url { kind: None, url: "https://example.com/cat.png".to_owned() };
    assert_eq!(image.messages[0].parts[2], Part::Image { media: url, detail: None, cache: None });
    let noted = [(F::Images, "input[0].content[1].image_url"), (F::ImageUrls, "input[0].content[2].image_url")];
    assert_eq!(used.iter().collect::<Vec<_>>(), noted);

    let (schema, _) = read("schema");
    assert!(matches!(&schema.format, Format::Schema { name, strict: Some(true), .. } if name == "place"));

    let (reasoning, used) = read("reasoning");
    assert_eq!(reasoning.messages[1].parts, [Part::Thought(signed("Add them.", "sig1")), Part::text("4")]);
    let asked = Reasoning { effort: Some(Effort::High), budget: None, told: Some(true) };
    assert_eq!(reasoning.reasoning, Some(asked));
    assert_eq!(used.iter().collect::<Vec<_>>(), [(F::Thoughts, "input[1]"), (F::Reasoning, "reasoning")]);
}

#[test]
fn what_a_request_uses_is_noted_by_its_path() {
    let function = json!({"type": "function", "name": "f", "parameters": {}, "strict": true, "defer_loading": false});
    for (members, noted) in [
        (
            json!({"max_output_tokens": 9, "store": false, "background": false, "truncation": "disabled", "stream": true,
                "include": ["reasoning.encrypted_content"], "text": {"format": {"type": "text"}}, "reasoning": {}}),
            &[][..],
        ),
        (
            json!({"tools": [function, {"type": "web_search"}], "tool_choice": "none", "parallel_tool_calls": false}),
            &[
                (F::Foreign, "tools[1]"),
                (F::Tools, "tools"),
                (F::ToolChoice, "tool_choice"),
                (F::SingleTools, "parallel_tool_calls"),
            ],
        ),
        (
            json!({"tools": [{"type": "custom", "name": "c", "format": {"type": "grammar"}, "async": true}]}),
            &[
                (F::FreeTools, "tools[0]"),
                (F::Foreign, "tools[0].format"),
                (F::Foreign, "tools[0].async"),
                (F::Tools, "tools"),
            ],
        ),
        (json!({"tool_choice": {"type": "allowed_tools", "tools": []}}), &[(F::Foreign, "tool_choice")]),
        (
            json!({"text": {"format": {"type": "json_object"}, "verbosity": "low"}}),
            &[(F::JsonObject, "text.format"), (F::Foreign, "text.verbosity")],
        ),
        (json!({"text": {"verbosity": "medium"}}), &[(F::Hint, "text.verbosity")]),
        (
            json!({"reasoning": {"effort": "max", "summary": "concise", "mode": "pro", "context": "auto"}}),
            &[
                (F::Hint, "reasoning.summary"),
                (F::Foreign, "reasoning.mode"),
                (F::Hint, "reasoning.context"),
                (F::Reasoning, "reasoning"),
            ],
        ),
        (
            json!({"include": ["web_search_call.results", "message.output_text.logprobs"], "top_logprobs": 2}),
            &[(F::Hint, "include[0]"), (F::Logprobs, "include[1]")],
        ),
        (json!({"top_logprobs": 2}), &[(F::Hint, "top_logprobs")]),
        (json!({"user": "u", "safety_identifier": "s"}), &[(F::User, "user"), (F::Hint, "safety_identifier")]),
        (
            json!({"store": true, "metadata": {}, "service_tier": "auto", "prompt_cache_key": "k"}),
            &[(F::Hint, "store"), (F::Hint, "service_tier"), (F::Hint, "metadata"), (F::Hint, "prompt_cache_key")],
        ),
        (
            json!({"background": true, "truncation": "auto", "service_tier": "flex", "previous_response_id": "r",
                "conversation": "c", "prompt": {}, "context_management": [], "max_tool_calls": 2, "odd": 0, "n": null}),
            &[
                (F::Foreign, "background"),
                (F::Foreign, "truncation"),
                (F::Foreign, "service_tier"),
                (F::Foreign, "previous_response_id"),
                (F::Foreign, "conversation"),
                (F::Foreign, "prompt"),
                (F::Foreign, "context_management"),
                (F::Foreign, "max_tool_calls"),
                (F::Foreign, "odd"),
            ],
        ),
    ] {
        uses(members, noted);
    }
}

#[test]
fn what_an_item_uses_is_noted_by_its_path() {
    let said = |part: Value| json!({"input": [{"role": "user", "content": [part]}]});
    let at = |name: &str| format!("input[0].content[0].{name}");
    uses(
        said(json!({"type": "input_image", "image_url": "https://x", "detail": "low", "odd": 1})),
        &[(F::ImageUrls, &at("image_url")), (F::Detail, &at("detail")), (F::Foreign, &at("odd"))],
    );
    for (part, feature, place) in [
        (json!({"type": "input_image", "file_id": "file-1"}), F::StoredMedia, "file_id"),
        (json!({"type": "input_file", "file_data": "JVBERi0="}), F::Files, "file_data"),
        (json!({"type": "input_file", "file_url": "https://x/a.pdf"}), F::FileUrls, "file_url"),
        (json!({"type": "input_file", "file_id": "file-1"}), F::StoredMedia, "file_id"),
        (
            json!({"type": "input_text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}}),
            F::CacheControl,
            "prompt_cache_breakpoint",
        ),
    ] {
        uses(said(part), &[(feature, &at(place))]);
    }
    for (item, noted) in [
        (json!({"type": "item_reference", "id": "msg_1"}), &[(F::Foreign, "input[0]")][..]),
        (json!({"id": "msg_1"}), &[(F::Foreign, "input[0]")]),
        (json!({"type": "web_search_call", "id": "ws_1", "status": "completed"}), &[(F::Foreign, "input[0]")]),
        (json!({"role": "user", "content": [{"type": "input_audio"}]}), &[(F::Foreign, "input[0].content[0]")]),
        (json!({"role": "assistant", "content": "a", "phase": "commentary"}), &[(F::Hint, "input[0].phase")]),
        (
            json!({"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [
                {"type": "output_text", "text": "a", "annotations": [], "logprobs": []}]}),
            &[],
        ),
        (
            json!({"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}", "namespace": "n",
                "caller": {"type": "program", "caller_id": "p"}}),
            &[(F::Tools, "input[0]"), (F::Foreign, "input[0].caller"), (F::Foreign, "input[0].namespace")],
        ),
        (
            json!({"type": "function_call_output", "call_id": "1", "output": [
                {"type": "input_image", "image_url": "data:image/png;base64,aGk="}]}),
            &[(F::Images, "input[0].output[0].image_url"), (F::ToolMedia, "input[0].output")],
        ),
        (json!({"type": "reasoning", "id": "rs_1", "summary": []}), &[(F::Thoughts, "input[0]")]),
    ] {
        uses(json!({"input": [item]}), noted);
    }
}

#[test]
fn items_are_the_parts_of_messages() {
    let items = json!([
        {"role": "developer", "content": "Be brief."},
        {"type": "reasoning", "summary": [{"text": "a"}, {"text": "b"}], "content": [{"text": "c"}], "encrypted_content": "s"},
        {"type": "reasoning", "summary": [], "encrypted_content": "sealed"},
        {"type": "reasoning", "summary": [{"text": ""}], "encrypted_content": "of the call"},
        {"type": "custom_tool_call", "call_id": "1", "name": "c", "input": "x"},
        {"type": "custom_tool_call_output", "call_id": "1", "output": "y"},
        {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "raw"}]},
        {"role": "assistant", "content": [{"type": "output_text", "text": "z"}, {"type": "refusal", "refusal": "No."}]},
    ]);
    let call = ToolCall { id: "1".to_owned(), name: "c".to_owned(), arguments: "x".to_owned(), free: true };
    let result = ToolResult { call: "1".to_owned(), parts: vec![Part::text("y")], ..ToolResult::default() };
    let raw = Thought { text: "raw".to_owned(), ..Thought::default() };
    let messages = [
        Message::new(Role::System, vec![Part::text("Be brief.")]),
        Message::new(
            Role::Assistant,
            vec![
                Part::Thought(signed("a\n\nb", "s")),
                Part::Thought(Thought { sealed: true, ..signed("", "sealed") }),
                Part::Thought(signed("", "of the call")),
                Part::ToolCall(call),
            ],
        ),
        Message::new(Role::Tool, vec![Part::ToolResult(result)]),
        Message::new(Role::Assistant, vec![Part::Thought(raw), Part::text("z"), Part::Refusal("No.".to_owned())]),
    ];
    assert_eq!(input(items), messages);
    let cached = json!([{"role": "user", "content": [
        {"type": "input_text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}}]}]);
    let text = Text { text: "a".to_owned(), cache: Some(Cache::Hour), ..Text::default() };
    assert_eq!(input(cached), [Message::new(Role::User, vec![Part::Text(text)])]);
}

#[test]
fn what_is_malformed_is_refused_by_its_path() {
    refused(json!({"input": 7}), "input", "`input` must be a string or a list of items; got 7");
    refused(json!({"input": null}), "input", "`input` is missing; give what was said so far.");
    refused(
        json!({"input": [{"role": "tool", "content": "x"}]}),
        "input[0].role",
        "`input[0].role` must be one of system, developer, user, assistant; got \"tool\"",
    );
    refused(
        json!({"input": [{"type": "function_call", "call_id": "1", "name": "f"}]}),
        "input[0].arguments",
        "`input[0].arguments` is missing; give what the tool is given, as text.",
    );
    refused(
        json!({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png,x"}]}]}),
        "input[0].content[0].image_url",
        "`input[0].content[0].image_url` must be in base64 where it holds the bytes: data:image/png;base64,….",
    );
    refused(
        json!({"reasoning": {"effort": "harder"}}),
        "reasoning.effort",
        "`reasoning.effort` must be one of none, minimal, low, medium, high, xhigh, max; got \"harder\"",
    );
    refused(
        json!({"max_output_tokens": "9"}),
        "max_output_tokens",
        "`max_output_tokens` must be a whole number of at least 0; got \"9\"",
    );
    assert!(read(&json!({"model": "m", "previous_response_id": "resp_1"})).is_ok(), "what is kept may need no input");
}

#[test]
fn a_request_is_written_so_that_nothing_is_stored_and_thoughts_come_back() {
    let asked = |reasoning: Reasoning| write(&Request { reasoning: Some(reasoning), ..Request::default() });
    let budget = |tokens: u64| Reasoning { budget: Some(Tokens::new(tokens)), ..Reasoning::default() };
    for (tokens, effort) in [(0, "none"), (1_024, "minimal"), (4_096, "low"), (16_384, "medium"), (32_768, "high")] {
        assert_eq!(asked(budget(tokens))["reasoning"], json!({"effort": effort}), "{tokens}");
    }
    assert_eq!(asked(budget(9))["include"], json!(["reasoning.encrypted_content"]));
    assert_eq!(asked(budget(0)).get("include"), None);
    let told = Reasoning { told: Some(false), ..Reasoning::default() };
    assert_eq!(asked(told)["reasoning"], json!({"summary": null}));

    let mut request = Request { model: "m".to_owned(), ..Request::default() };
    request.tools = vec![Tool { name: "t".to_owned(), ..Tool::default() }];
    request.tool_choice = Some(ToolChoice::One("t".to_owned()));
    let unsigned = Thought { text: "for people".to_owned(), ..Thought::default() };
    request.say(Message::new(
        Role::Assistant,
        vec![
            Part::Thought(unsigned),
            Part::Thought(signed("a", "s")),
            Part::text("b"),
            Part::Refusal("No.".to_owned()),
        ],
    ));
    let written = json!({
        "model": "m",
        "input": [
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "a"}], "encrypted_content": "s"},
            {"type": "message", "role": "assistant", "content": [
                {"type": "output_text", "text": "b", "annotations": []}, {"type": "refusal", "refusal": "No."}]},
        ],
        "include": ["reasoning.encrypted_content"],
        "store": false,
        "tools": [{"type": "function", "name": "t", "parameters": null, "strict": false}],
        "tool_choice": {"type": "function", "name": "t"},
    });
    assert_eq!(write(&request), written);
}
