//! What is read of a request, what of it is noted or refused, and that what is written reads the same.

use super::*;
use crate::chat::{Cache, Media, Message, Part, Role, Text, Thought, ToolCall, ToolChoice, ToolResult};
use crate::dialect::openai::samples::{fixture_json, requests};
use Feature as F;
use proptest::prelude::*;

fn body(members: Value) -> Value {
    let mut body = json!({"model": "m", "messages": []});
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    body
}

fn read_of(members: Value) -> Request {
    read(&body(members)).unwrap().0
}

fn messages(said: Value) -> Vec<Message> {
    read_of(json!({"messages": said})).messages
}

/// Checks what a request with `members` is noted to use.
#[track_caller]
fn uses(members: Value, noted: &[(Feature, &str)]) {
    let (_, used) = read(&body(members.clone())).unwrap();
    assert_eq!(used.iter().collect::<Vec<_>>(), noted, "{members}");
}

/// Checks that a user's content `part` is noted so.
#[track_caller]
fn part_uses(part: Value, noted: &[(Feature, &str)]) {
    uses(json!({"messages": [{"role": "user", "content": [part]}]}), noted);
}

#[test]
fn a_request_is_written_as_a_client_of_this_dialect_writes_it() {
    for case in ["text", "tools", "parallel", "image", "schema", "reasoning", "refusal", "length", "error"] {
        let body = fixture_json(case, "request.json");
        let cap = if case == "length" { CapField::MaxTokens } else { CapField::MaxCompletionTokens };
        assert_eq!(write(&read(&body).unwrap().0, cap), body, "{case}");
    }
}

#[test]
fn the_scenarios_are_read_for_what_they_say() {
    let read = |case: &str| read(&fixture_json(case, "request.json")).unwrap();
    let (text, used) = read("text");
    assert_eq!((text.output_cap, text.sampling.temperature), (Some(Tokens::new(100)), Number::from_f64(0.5)));
    assert_eq!(text.messages[0], Message::new(Role::System, vec![Part::text("Be brief.")]));
    assert_eq!(used, Used::default());

    let (parallel, _) = read("parallel");
    let roles: Vec<Role> = parallel.messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::Tool]);
    assert_eq!(parallel.messages[2].parts.len(), 2);
    assert_eq!(parallel.tool_of("call_2"), Some("get_weather"));

    let (image, used) = read("image");
    let url = Media::Url { kind: None, url: "https://example.com/cat.png".to_owned() };
    assert_eq!(image.messages[0].parts[2], Part::Image { media: url, detail: None, cache: None });
    let noted = [(F::Images, "messages[0].content[1].image_url"), (F::ImageUrls, "messages[0].content[2].image_url")];
    assert_eq!(used.iter().collect::<Vec<_>>(), noted);

    let (reasoning, used) = read("reasoning");
    let thought = Thought { text: "Add them.".to_owned(), signature: Some("sig1".to_owned()), sealed: false };
    assert_eq!(reasoning.messages[1].parts, [Part::Thought(thought), Part::text("4")]);
    let noted = [(F::Thoughts, "messages[1].reasoning_details"), (F::Reasoning, "reasoning_effort")];
    assert_eq!(used.iter().collect::<Vec<_>>(), noted);
}

#[test]
fn what_a_request_uses_is_noted_by_its_path() {
    let function = json!({"type": "function", "function": {"name": "f"}});
    for (members, noted) in [
        (
            json!({"max_tokens": 9, "temperature": 0, "stream": true, "stream_options": {"include_usage": true}}),
            &[][..],
        ),
        (json!({"n": 2, "seed": -4, "stop": "x"}), &[(F::Seed, "seed"), (F::Choices, "n"), (F::Stop, "stop")]),
        (json!({"n": 1.0, "frequency_penalty": 0, "presence_penalty": 1}), &[(F::Penalties, "presence_penalty")]),
        (json!({"logprobs": true, "top_k": 4}), &[(F::TopK, "top_k"), (F::Logprobs, "logprobs")]),
        (json!({"user": "u", "safety_identifier": "s"}), &[(F::User, "user"), (F::Hint, "safety_identifier")]),
        (json!({"safety_identifier": "s"}), &[(F::User, "safety_identifier")]),
        (json!({"response_format": {"type": "json_object"}}), &[(F::JsonObject, "response_format")]),
        (json!({"response_format": {"type": "grammar", "grammar": "x"}}), &[(F::Foreign, "response_format")]),
        (json!({"tools": [function], "tool_choice": "none"}), &[(F::Tools, "tools"), (F::ToolChoice, "tool_choice")]),
        (
            json!({"tools": [function, {"type": "web_search"}], "parallel_tool_calls": false}),
            &[(F::Foreign, "tools[1]"), (F::Tools, "tools"), (F::SingleTools, "parallel_tool_calls")],
        ),
        (
            json!({"tools": [{"type": "custom", "custom": {"name": "c", "format": {"type": "grammar"}}}]}),
            &[(F::FreeTools, "tools[0]"), (F::Foreign, "tools[0].custom.format"), (F::Tools, "tools")],
        ),
        (
            json!({"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}}),
            &[(F::Foreign, "tool_choice")],
        ),
        (json!({"service_tier": "auto", "modalities": ["text"]}), &[(F::Hint, "service_tier")]),
        (
            json!({"service_tier": "flex", "modalities": ["text", "audio"], "audio": {"voice": "ash"}}),
            &[(F::Foreign, "service_tier"), (F::Foreign, "modalities"), (F::Foreign, "audio")],
        ),
        (
            json!({"metadata": {}, "store": true, "prompt_cache_key": "k", "verbosity": "low", "logit_bias": null}),
            &[(F::Hint, "metadata"), (F::Hint, "store"), (F::Hint, "prompt_cache_key"), (F::Foreign, "verbosity")],
        ),
        (
            json!({"prediction": {}, "web_search_options": {}, "logit_bias": {"1": 2}, "odd": 0}),
            &[
                (F::Foreign, "prediction"),
                (F::Foreign, "web_search_options"),
                (F::Foreign, "logit_bias"),
                (F::Foreign, "odd"),
            ],
        ),
    ] {
        uses(members, noted);
    }
}

#[test]
fn what_a_part_uses_is_noted_by_its_path() {
    let at = "messages[0].content[0].";
    let path = |rest: &str| format!("{at}{rest}");
    part_uses(
        json!({"type": "image_url", "image_url": {"url": "https://x", "detail": "low", "odd": 1}}),
        &[
            (F::ImageUrls, &path("image_url")),
            (F::Detail, &path("image_url.detail")),
            (F::Foreign, &path("image_url.odd")),
        ],
    );
    for (part, feature, place) in [
        (json!({"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}}), F::Audio, "input_audio"),
        (json!({"type": "file", "file": {"file_data": "JVBERi0="}}), F::Files, "file"),
        (json!({"type": "file", "file": {"file_data": "https://x/a.pdf"}}), F::FileUrls, "file"),
        (json!({"type": "file", "file": {"file_id": "file-1"}}), F::StoredMedia, "file"),
        (
            json!({"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}),
            F::CacheControl,
            "cache_control",
        ),
        (
            json!({"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}}),
            F::CacheControl,
            "prompt_cache_breakpoint",
        ),
    ] {
        part_uses(part, &[(feature, &path(place))]);
    }
    part_uses(json!({"type": "video_url", "video_url": {}}), &[(F::Foreign, at.trim_end_matches('.'))]);
    let media = json!([{"type": "image_url", "image_url": "https://x"}]);
    uses(
        json!({"messages": [{"role": "tool", "tool_call_id": "1", "name": "f", "content": media}]}),
        &[
            (F::ImageUrls, "messages[0].content[0].image_url"),
            (F::ToolMedia, "messages[0].content"),
            (F::Hint, "messages[0].name"),
        ],
    );
    uses(
        json!({"messages": [{"role": "assistant", "content": "a", "annotations": [], "audio": {"id": "x"}, "name": "b"}]}),
        &[(F::Names, "messages[0].name"), (F::Hint, "messages[0].annotations"), (F::Foreign, "messages[0].audio")],
    );
}

#[test]
fn parts_are_read_as_what_they_are() {
    let content = json!([
        {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;charset=x;base64,AAAA", "detail": "high"}},
        {"type": "input_audio", "input_audio": {"data": "SUQz", "format": "mp3"}},
        {"type": "file", "file": {"file_data": "data:text/plain;base64,QQ==", "filename": "a.txt"}},
        {"type": "file", "file": {"file_data": "JVBERi0=", "filename": "file"}},
    ]);
    let inline = |kind: &str, data: &str| Media::Inline { kind: kind.to_owned(), data: data.to_owned() };
    let parts = [
        Part::Text(Text { text: "a".to_owned(), cache: Some(Cache::Hour), ..Text::default() }),
        Part::Image { media: inline("image/png", "AAAA"), detail: Some("high".to_owned()), cache: None },
        Part::Audio { media: inline("audio/mpeg", "SUQz") },
        Part::File { media: inline("text/plain", "QQ=="), name: Some("a.txt".to_owned()), cache: None },
        Part::File { media: inline("application/pdf", "JVBERi0="), name: None, cache: None },
    ];
    assert_eq!(messages(json!([{"role": "user", "content": content}]))[0].parts, parts);
}

#[test]
fn the_older_functions_are_tools() {
    let request = read_of(json!({
        "functions": [{"name": "f", "parameters": {"type": "object"}}],
        "function_call": {"name": "f"},
        "messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "b"},
        ],
    }));
    assert_eq!(request.tool_choice, Some(ToolChoice::One("f".to_owned())));
    assert_eq!(request.tools[0].name, "f");
    let (id, name, arguments) = ("function_1".to_owned(), "f".to_owned(), "{}".to_owned());
    let call = ToolCall { id: id.clone(), name, arguments, free: false };
    assert_eq!(request.messages[1].parts, [Part::ToolCall(call)]);
    let result = ToolResult { call: id, parts: vec![Part::text("b")], ..ToolResult::default() };
    assert_eq!(request.messages[2].parts, [Part::ToolResult(result)]);
}

#[test]
fn the_smaller_cap_and_the_exact_effort_count() {
    let request = read_of(json!({"max_tokens": 7, "max_completion_tokens": 5.0, "reasoning_effort": "max"}));
    assert_eq!(request.output_cap, Some(Tokens::new(5)));
    assert_eq!(request.reasoning.as_ref().and_then(|it| it.effort), Some(Effort::Highest));
    assert_eq!(write(&request, CapField::MaxTokens)["reasoning_effort"], "xhigh");
    for (budget, effort) in
        [(0, "none"), (1_024, "minimal"), (1_025, "low"), (16_384, "medium"), (16_385, "high"), (99_999, "high")]
    {
        let reasoning = Some(Reasoning { budget: Some(Tokens::new(budget)), ..Reasoning::default() });
        let request = Request { reasoning, ..Request::default() };
        assert_eq!(write(&request, CapField::MaxTokens)["reasoning_effort"], effort, "{budget}");
    }
}

#[test]
fn thoughts_stand_before_what_they_belong_to() {
    let thought = |text: &str, signature: &str, sealed| {
        let signature = (!signature.is_empty()).then(|| signature.to_owned());
        Part::Thought(Thought { text: text.to_owned(), signature, sealed })
    };
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let details = json!([
        {"type": "reasoning.text", "text": "a", "index": 0},
        {"type": "reasoning.text", "text": "b", "index": 0},
        {"type": "reasoning.text", "signature": "s", "index": 0},
        {"type": "reasoning.encrypted", "data": "t", "id": "two", "index": 1},
        {"type": "reasoning.summary", "summary": "c", "id": "rs_1", "index": 2},
    ]);
    let said = messages(json!([{"role": "assistant", "content": "x", "reasoning_content": "abc",
        "reasoning_details": details, "tool_calls": [call("one"), call("two")]}]));
    let parts = &said[0].parts;
    assert_eq!(parts[..2], [thought("ab", "s", false), thought("c", "", false)]);
    assert_eq!(parts[2], Part::text("x"));
    assert_eq!(parts[4], thought("", "t", true));
    assert_eq!(parts.len(), 6);
    let plain = messages(json!([{"role": "assistant", "content": null, "reasoning": "r"}]));
    assert_eq!(plain[0].parts, [thought("r", "", false)]);
}

#[test]
fn a_wrong_field_is_refused_by_its_path() {
    for (members, param, message) in [
        (json!({"model": null}), "model", "is missing; name the model to call."),
        (json!({"messages": null}), "messages", "is missing; give what was said so far."),
        (json!({"messages": "a"}), "messages", "must be a list; got \"a\""),
        (json!({"messages": [7]}), "messages[0]", "must be an object; got 7"),
        (
            json!({"messages": [{"role": "bot"}]}),
            "messages[0].role",
            "must be one of system, developer, user, assistant, tool, function; got \"bot\"",
        ),
        (
            json!({"messages": [{"role": "user", "content": 7}]}),
            "messages[0].content",
            "must be a string or a list of parts; got 7",
        ),
        (
            json!({"messages": [{"role": "tool", "content": "x"}]}),
            "messages[0].tool_call_id",
            "is missing; name the call whose result it is.",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,x"}}]}]}),
            "messages[0].content[0].image_url.url",
            "must be in base64 where it holds the bytes: data:image/png;base64,….",
        ),
        (
            json!({"reasoning_effort": "huge"}),
            "reasoning_effort",
            "must be one of none, minimal, low, medium, high, xhigh, max; got \"huge\"",
        ),
        (json!({"temperature": "hot"}), "temperature", "must be a number; got \"hot\""),
        (json!({"stop": [1]}), "stop", "must be a string or a list of strings; got [1]"),
        (json!({"n": 0}), "n", "must be a whole number of at least 1; got 0"),
        (json!({"tools": [{"type": "function"}]}), "tools[0].function", "is missing; describe the tool."),
    ] {
        let mut whole = body(json!({}));
        whole.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let refusal = read(&whole).unwrap_err();
        assert_eq!((refusal.param.as_deref(), refusal.message), (Some(param), format!("`{param}` {message}")));
    }
}

proptest! {
    #[test]
    fn what_is_written_reads_the_same(request in requests(), older in any::<bool>()) {
        let cap = if older { CapField::MaxTokens } else { CapField::MaxCompletionTokens };
        let written = write(&request, cap);
        let (again, used) = read(&written).unwrap();
        prop_assert_eq!(&again, &request, "{}", written);
        for (feature, path) in used.iter() {
            prop_assert!(!super::super::CANNOT.contains(&feature), "{feature:?} {path}");
        }
    }
}
