//! Requests: what is read, what is written, and what is noted on the way.

use super::*;
use crate::chat::{
    Effort, Format, Media, Message, Part, Reasoning, Role, Thought, Tool, ToolCall, ToolChoice, ToolResult,
};
use crate::dialect::gemini::samples::fixture_json;
use crate::units::Tokens;
use serde_json::json;

fn thought(text: &str, signature: &str, sealed: bool) -> Part {
    let signature = (!signature.is_empty()).then(|| signature.to_owned());
    Part::Thought(Thought { text: text.to_owned(), signature, sealed })
}

fn call(id: &str, arguments: &str) -> Part {
    let (id, arguments) = (id.to_owned(), arguments.to_owned());
    Part::ToolCall(ToolCall { id, name: "f".to_owned(), arguments, free: false })
}

fn result(call: &str, text: &str) -> Part {
    Part::ToolResult(ToolResult { call: call.to_owned(), parts: vec![Part::text(text)], ..ToolResult::default() })
}

fn user(text: &str) -> Message {
    Message::new(Role::User, vec![Part::text(text)])
}

fn said(messages: Vec<Message>) -> Request {
    Request { messages, choices: 1, ..Request::default() }
}

/// Checks that `body` is read as `request`, uses `features`, and is what `request` is written as.
#[track_caller]
fn check(body: &Value, request: &Request, features: &[(Feature, &str)]) {
    check_read(body, request, features);
    assert_eq!(write(request), *body);
}

#[track_caller]
fn check_read(body: &Value, request: &Request, features: &[(Feature, &str)]) {
    let (read, used) = read(body).unwrap();
    assert_eq!(read, *request, "{body}");
    assert_eq!(used.iter().collect::<Vec<_>>(), features, "{body}");
}

/// Checks what a config is read as, and that it is written so.
#[track_caller]
fn check_config(config: &Value, request: Request, features: &[(Feature, &str)]) {
    let body = json!({"contents": [{"role": "user", "parts": [{"text": "a"}]}], "generationConfig": config});
    check(&body, &Request { messages: vec![user("a")], choices: request.choices.max(1), ..request }, features);
}

#[test]
fn the_stories_are_read_and_read_the_same_once_written() {
    for case in ["text", "tools", "parallel", "image", "schema", "reasoning", "refusal", "length", "error"] {
        let (first, used) = read(&fixture_json(case, "request.json")).unwrap();
        let cannot = |feature| crate::dialect::gemini::CANNOT.contains(&feature);
        assert!(used.iter().all(|(feature, _)| !cannot(feature)), "{case}: {used:?}");
        assert_eq!(read(&write(&first)).unwrap().0, first, "{case}");
    }
    let (reasoning, _) = read(&fixture_json("reasoning", "request.json")).unwrap();
    assert_eq!(reasoning.messages[1].parts, [thought("Add them.", "sig1", false), Part::text("4")]);
    let (schema, _) = read(&fixture_json("schema", "request.json")).unwrap();
    let city = json!({
        "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": false,
    });
    let format = Format::Schema { name: "answer".to_owned(), description: None, schema: city, strict: None };
    assert_eq!(schema.format, format);
}

#[test]
fn both_spellings_and_one_for_many_are_read() {
    let snake = json!({
        "system_instruction": {"parts": {"text": "s"}},
        "contents": {"parts": {"text": "a"}},
        "generation_config": {"max_output_tokens": 5, "thinking_config": {"thinking_level": "low"}},
        "tools": {"function_declarations": {"name": "f", "parameters_json_schema": {"x_y": 1}}},
        "tool_config": {"function_calling_config": {"mode": "any", "allowed_function_names": ["f"]}},
    });
    let tool = Tool { name: "f".to_owned(), parameters: Some(json!({"x_y": 1})), ..Tool::default() };
    let request = Request {
        tools: vec![tool],
        tool_choice: Some(ToolChoice::One("f".to_owned())),
        output_cap: Some(Tokens::new(5)),
        reasoning: Some(Reasoning { effort: Some(Effort::Low), ..Reasoning::default() }),
        ..said(vec![Message::new(Role::System, vec![Part::text("s")]), user("a")])
    };
    let features = [
        (Feature::Tools, "tools[0].functionDeclarations"),
        (Feature::ToolChoice, "toolConfig.functionCallingConfig"),
        (Feature::Reasoning, "generationConfig.thinkingConfig"),
    ];
    check_read(&snake, &request, &features);
    let counted = json!({"generateContentRequest": {"model": "models/m", "contents": [{"parts": [{"text": "a"}]}]}});
    check_read(&counted, &said(vec![user("a")]), &[]);
}

#[test]
fn a_call_without_an_id_is_known_by_its_place_and_its_result_by_its_name() {
    let part = |name: &str, more: Value| {
        let mut inner = json!({"name": "f"});
        inner.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({name: inner})
    };
    let args = |nth: u32| part("functionCall", json!({"args": {"n": nth}}));
    let says = |text: &str| part("functionResponse", json!({"response": {"output": text}}));
    let messages = vec![
        Message::new(Role::Assistant, vec![call("call_0", "{\"n\":0}"), call("call_1", "{\"n\":1}")]),
        Message::new(Role::Tool, vec![result("call_0", "a"), result("call_1", "b")]),
        Message::new(Role::Assistant, vec![call("call_2", "{\"n\":2}")]),
        Message::new(Role::Tool, vec![result("call_2", "c")]),
    ];
    let body = json!({"contents": [
        {"role": "model", "parts": [args(0), args(1)]},
        {"role": "user", "parts": [says("a"), says("b")]},
        {"role": "model", "parts": [args(2)]},
        {"role": "user", "parts": [says("c")]},
    ]});
    let used = [(Feature::Tools, "contents[0].parts[0].functionCall")];
    check(&body, &said(messages.clone()), &used);
    // In another order than the calls, ids tell which is which.
    let mut swapped = said(messages);
    swapped.messages[1].parts.reverse();
    let body = write(&swapped);
    assert_eq!(body["contents"][0]["parts"][1]["functionCall"]["id"], "call_1");
    assert_eq!(body["contents"][1]["parts"][0]["functionResponse"]["id"], "call_1");
    check(&body, &swapped, &used);
    // So do ids of any other form, and a result of no call is named by its id.
    let other = said(vec![
        Message::new(Role::Assistant, vec![call("toolu_1", "{}")]),
        Message::new(Role::Tool, vec![result("toolu_1", "a"), result("gone", "b")]),
    ]);
    check(&write(&other), &other, &used);
}

#[test]
fn results_come_first_and_neighbours_of_the_model_are_one() {
    let body = json!({"contents": [
        {"role": "model", "parts": [{"functionCall": {"name": "f"}}]},
        {"role": "user", "parts": [{"text": "b"}, {"functionResponse": {"name": "f", "response": {"output": "a"}}}]},
        {"role": "model", "parts": [{"text": "x", "thought": true}]},
        {"role": "model", "parts": [{"text": "y", "thought": true}]},
        {"role": "model", "parts": [{"text": "c", "thoughtSignature": "s"}]},
        {"role": "model", "parts": []},
    ]});
    let request = said(vec![
        Message::new(Role::Assistant, vec![call("call_0", "{}")]),
        Message::new(Role::Tool, vec![result("call_0", "a")]),
        user("b"),
        Message::new(Role::Assistant, vec![thought("xy", "s", false), Part::text("c")]),
    ]);
    let used = [(Feature::Tools, "contents[0].parts[0].functionCall"), (Feature::Thoughts, "contents[2].parts[0]")];
    check_read(&body, &request, &used);
}

#[test]
fn signatures_stand_where_they_belong() {
    let parts = vec![
        thought("a", "s0", false),
        thought("b", "s1", false),
        call("call_0", "{}"),
        thought("", "s2", false),
        call("call_1", "{}"),
        thought("", "s3", true),
        Part::text("c"),
        thought("", "s4", false),
    ];
    let body = json!({"contents": [{"role": "model", "parts": [
        {"text": "a", "thought": true, "thoughtSignature": "s0"},
        {"text": "b", "thought": true},
        {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "s1"},
        {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "s2"},
        {"text": "", "thought": true, "thoughtSignature": "s3"},
        {"text": "c"},
        {"text": "", "thoughtSignature": "s4"},
    ]}]});
    let used = [(Feature::Thoughts, "contents[0].parts[0]"), (Feature::Tools, "contents[0].parts[2].functionCall")];
    check(&body, &said(vec![Message::new(Role::Assistant, parts)]), &used);
}

#[test]
fn media_are_what_their_kind_says() {
    let image = |media: Media| Part::Image { media, detail: None, cache: None };
    let file = |media: Media| Part::File { media, name: None, cache: None };
    let inline = |kind: &str| Media::Inline { kind: kind.to_owned(), data: "AA==".to_owned() };
    let url = |kind: &str, url: &str| Media::Url { kind: Some(kind.to_owned()), url: url.to_owned() };
    let blob = |kind: &str| json!({"inlineData": {"mimeType": kind, "data": "AA=="}});
    let at = |kind: &str, uri: &str| json!({"fileData": {"mimeType": kind, "fileUri": uri}});
    for (part, written, feature) in [
        (image(inline("image/png")), blob("image/png"), Feature::Images),
        (Part::Audio { media: inline("audio/mpeg") }, blob("audio/mp3"), Feature::Audio),
        (file(inline("application/pdf")), blob("application/pdf"), Feature::Files),
        (file(inline("video/mp4")), blob("video/mp4"), Feature::Files),
        (image(url("image/webp", "https://x.test/a")), at("image/webp", "https://x.test/a"), Feature::ImageUrls),
        (file(url("text/plain", "https://x.test/a")), at("text/plain", "https://x.test/a"), Feature::FileUrls),
    ] {
        let body = json!({"contents": [{"role": "user", "parts": [written]}]});
        let (read, used) = read(&body).unwrap();
        assert_eq!(read, said(vec![Message::new(Role::User, vec![part])]));
        assert_eq!(used.iter().map(|(feature, _)| feature).collect::<Vec<_>>(), [feature]);
        assert_eq!(write(&read), body);
    }
    for (uri, kind) in [("https://x.test/a.PNG?x=.gif", "image/png"), ("https://x.test/a", "image/jpeg")] {
        let media = Media::Url { kind: None, url: uri.to_owned() };
        let written = write(&said(vec![Message::new(Role::User, vec![image(media)])]));
        assert_eq!(written["contents"][0]["parts"][0]["fileData"]["mimeType"], kind);
    }
    for uri in ["https://generativelanguage.googleapis.com/v1beta/files/x", "gs://bucket/x"] {
        let body = json!({"contents": [{"parts": [at("image/png", uri)]}]});
        let used = read(&body).unwrap().1;
        assert_eq!(used.iter().collect::<Vec<_>>(), [(Feature::StoredMedia, "contents[0].parts[0].fileData")]);
    }
}

#[test]
fn a_config_is_read_and_written() {
    let reasoning = |effort, budget: Option<u64>, told| {
        let reasoning = Some(Reasoning { effort, budget: budget.map(Tokens::new), told });
        Request { reasoning, ..Request::default() }
    };
    let thinks = [(Feature::Reasoning, "generationConfig.thinkingConfig")];
    let level = json!({"thinkingConfig": {"thinkingLevel": "MINIMAL", "includeThoughts": true}});
    check_config(&level, reasoning(Some(Effort::Minimal), None, Some(true)), &thinks);
    check_config(&json!({"thinkingConfig": {"thinkingBudget": 0}}), reasoning(Some(Effort::None), None, None), &thinks);
    check_config(&json!({"thinkingConfig": {"thinkingBudget": 99}}), reasoning(None, Some(99), None), &thinks);
    check_config(&json!({"thinkingConfig": {"includeThoughts": false}}), reasoning(None, None, Some(false)), &thinks);
    let json_only = Request { format: Format::Json, ..Request::default() };
    let used = [(Feature::JsonObject, "generationConfig.responseMimeType")];
    check_config(&json!({"responseMimeType": "application/json"}), json_only, &used);
    let all = json!({
        "temperature": 0.5, "topP": 1, "topK": 4, "seed": -1, "presencePenalty": 0, "frequencyPenalty": 0.1,
        "responseLogprobs": true, "logprobs": 2, "maxOutputTokens": 9, "candidateCount": 2, "stopSequences": ["x"],
    });
    let mut request = Request { choices: 2, output_cap: Some(Tokens::new(9)), ..Request::default() };
    request.stop = vec!["x".to_owned()];
    let number = |value: Value| value.as_number().cloned();
    let sampling = &mut request.sampling;
    (sampling.temperature, sampling.top_p) = (number(json!(0.5)), number(json!(1)));
    (sampling.top_k, sampling.seed, sampling.logprobs) = (Some(4), Some(-1), Some(2));
    (sampling.presence_penalty, sampling.frequency_penalty) = (number(json!(0)), number(json!(0.1)));
    let used = [
        (Feature::Penalties, "generationConfig.frequencyPenalty"),
        (Feature::TopK, "generationConfig.topK"),
        (Feature::Seed, "generationConfig.seed"),
        (Feature::Logprobs, "generationConfig.responseLogprobs"),
        (Feature::Choices, "generationConfig.candidateCount"),
        (Feature::Stop, "generationConfig.stopSequences"),
    ];
    check_config(&all, request, &used);
}

#[test]
fn an_effort_is_a_budget_to_models_that_know_no_levels() {
    for (model, effort, cap, thinking) in [
        ("gemini-3-pro", Effort::High, None, json!({"thinkingLevel": "HIGH"})),
        ("gemini-3-pro", Effort::Highest, None, json!({"thinkingLevel": "HIGH"})),
        ("gemini-3-pro", Effort::None, None, json!({"thinkingBudget": 0})),
        ("gemini-2.5-flash", Effort::None, None, json!({"thinkingBudget": 0})),
        ("gemini-2.5-flash", Effort::Low, None, json!({"thinkingBudget": 4096})),
        ("google/gemini-2.5-pro", Effort::High, None, json!({"thinkingBudget": 24576})),
        ("gemini-2.5-pro", Effort::High, Some(1000), json!({"thinkingBudget": 999})),
    ] {
        let reasoning = Some(Reasoning { effort: Some(effort), ..Reasoning::default() });
        let output_cap = cap.map(Tokens::new);
        let request = Request { model: model.to_owned(), reasoning, output_cap, ..Request::default() };
        assert_eq!(write(&request)["generationConfig"]["thinkingConfig"], thinking, "{model} {effort:?}");
    }
}

#[test]
fn what_no_one_else_can_say_is_noted_by_its_path() {
    let contents = json!([{"parts": [{"text": "a"}]}]);
    for (mut body, feature, path) in [
        (json!({"safetySettings": []}), Feature::Foreign, "safetySettings"),
        (json!({"cachedContent": "x"}), Feature::Foreign, "cachedContent"),
        (json!({"labels": {}}), Feature::Hint, "labels"),
        (json!({"serviceTier": "flex"}), Feature::Foreign, "serviceTier"),
        (json!({"serviceTier": "STANDARD"}), Feature::Hint, "serviceTier"),
        (json!({"tools": [{"googleSearch": {}}]}), Feature::Foreign, "tools[0].googleSearch"),
        (json!({"toolConfig": {"retrievalConfig": {}}}), Feature::Foreign, "toolConfig.retrievalConfig"),
        (
            json!({"toolConfig": {"functionCallingConfig": {"mode": "AUTO", "allowedFunctionNames": ["f"]}}}),
            Feature::Foreign,
            "toolConfig.functionCallingConfig.allowedFunctionNames",
        ),
        (
            json!({"generationConfig": {"responseModalities": ["TEXT", "IMAGE"]}}),
            Feature::Foreign,
            "generationConfig.responseModalities",
        ),
        (json!({"generationConfig": {"speechConfig": {}}}), Feature::Foreign, "generationConfig.speechConfig"),
        (json!({"generationConfig": {"mediaResolution": "x"}}), Feature::Hint, "generationConfig.mediaResolution"),
        (
            json!({"generationConfig": {"responseMimeType": "text/x.enum"}}),
            Feature::Foreign,
            "generationConfig.responseMimeType",
        ),
        (
            json!({"generationConfig": {"thinkingConfig": {"thinkingBudget": -1}}}),
            Feature::Hint,
            "generationConfig.thinkingConfig.thinkingBudget",
        ),
    ] {
        body["contents"] = contents.clone();
        check_read_features(&body, feature, path);
    }
    let code = json!({"contents": [{"parts": [{"text": "a"}, {"executableCode": {"code": "x"}}]}]});
    check_read_features(&code, Feature::Foreign, "contents[0].parts[1].executableCode");
}

#[track_caller]
fn check_read_features(body: &Value, feature: Feature, path: &str) {
    let (request, used) = read(body).unwrap();
    assert_eq!(used.iter().collect::<Vec<_>>(), [(feature, path)], "{body}");
    assert_eq!(request.messages, [user("a")]);
}

#[test]
fn what_is_wrong_is_named_with_its_remedy() {
    let one = |part: Value| json!({"contents": [{"parts": [part]}]});
    let config = |config: Value| json!({"contents": [], "generationConfig": config});
    for (body, param, remedy) in [
        (json!({}), "contents", "is missing; give what was said so far."),
        (json!({"contents": "a"}), "contents", "must be a list; got \"a\""),
        (one(json!({"text": 1})), "contents[0].parts[0].text", "must be a string; got 1"),
        (one(json!({"functionCall": {}})), "contents[0].parts[0].functionCall.name", "is missing; name the function."),
        (config(json!({"maxOutputTokens": "5"})), "generationConfig.maxOutputTokens", "got \"5\""),
        (
            config(json!({"candidateCount": 0})),
            "generationConfig.candidateCount",
            "a whole number of at least 1; got 0",
        ),
        (
            config(json!({"thinkingConfig": {"thinkingLevel": "x"}})),
            "generationConfig.thinkingConfig.thinkingLevel",
            "must be one of MINIMAL, LOW, MEDIUM, HIGH",
        ),
        (json!({"contents": [{"role": "system"}]}), "contents[0].role", "goes into systemInstruction"),
    ] {
        let wrong = read(&body).unwrap_err();
        assert_eq!(wrong.param.as_deref(), Some(param), "{body}");
        assert!(wrong.message.contains(remedy), "{}", wrong.message);
    }
}
