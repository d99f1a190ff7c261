//! What only the models of one vendor know.

use super::*;

fn extra(model: &str, reasoning: Reasoning, cap: Option<u64>) -> Value {
    let (reasoning, output_cap) = (Some(reasoning), cap.map(Tokens::new));
    let request = Request { model: model.to_owned(), reasoning, output_cap, ..Request::default() };
    request::write(&request)["additionalModelRequestFields"].clone()
}

const fn effort(effort: Effort) -> Reasoning {
    Reasoning { effort: Some(effort), budget: None, told: None }
}

const fn budget(tokens: u64) -> Reasoning {
    Reasoning { effort: None, budget: Some(Tokens::new(tokens)), told: None }
}

#[test]
fn each_vendor_is_told_how_much_to_think_in_its_own_words() {
    let adaptive = |word: &str| json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": word}});
    let enabled = |tokens: u64| json!({"thinking": {"type": "enabled", "budget_tokens": tokens}});
    let (disabled, old, nova) = (
        json!({"thinking": {"type": "disabled"}}),
        "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "us.amazon.nova-2-lite-v1:0",
    );
    let told = Reasoning { effort: None, budget: None, told: Some(false) };
    for (model, reasoning, cap, wanted) in [
        (CLAUDE, effort(Effort::None), None, disabled.clone()),
        (CLAUDE, budget(0), None, disabled.clone()),
        (CLAUDE, effort(Effort::Minimal), None, adaptive("low")),
        (CLAUDE, effort(Effort::Highest), None, adaptive("max")),
        (CLAUDE, budget(2000), None, enabled(2000)),
        (CLAUDE, told.clone(), None, json!({"thinking": {"type": "adaptive", "display": "omitted"}})),
        (old, effort(Effort::None), None, disabled),
        (old, effort(Effort::Minimal), None, enabled(1024)),
        (old, effort(Effort::High), None, enabled(32768)),
        (old, effort(Effort::High), Some(5000), enabled(4999)),
        (old, effort(Effort::High), Some(1024), Value::Null),
        (old, told.clone(), None, Value::Null),
        (nova, effort(Effort::None), None, json!({"reasoningConfig": {"type": "disabled"}})),
        (
            nova,
            effort(Effort::Highest),
            None,
            json!({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}}),
        ),
        (nova, budget(9000), None, json!({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "medium"}})),
        ("openai.gpt-5.5-v1:0", effort(Effort::Highest), None, json!({"reasoning": {"effort": "xhigh"}})),
        ("openai.gpt-oss-120b-1:0", effort(Effort::Low), None, json!({"reasoning_effort": "low"})),
        ("deepseek.v3-v1:0", told, None, Value::Null),
    ] {
        assert_eq!(extra(model, reasoning.clone(), cap), wanted, "{model} {reasoning:?} {cap:?}");
    }
}

#[test]
fn every_generation_of_claude_is_told_apart() {
    for (model, budgeted) in [
        ("anthropic.claude-3-7-sonnet-20250219-v1:0", true),
        ("us.anthropic.claude-opus-4-20250514-v1:0", true),
        ("us.anthropic.claude-opus-4-1-20250805-v1:0", true),
        ("global.anthropic.claude-sonnet-4-20250514-v1:0", true),
        ("global.anthropic.claude-haiku-4-5-20251001-v1:0", true),
        ("global.anthropic.claude-opus-4-5-20251101-v1:0", true),
        ("us.anthropic.claude-opus-4-6-v1", false),
        ("us.anthropic.claude-sonnet-4-6", false),
        ("us.anthropic.claude-opus-4-8", false),
        ("us.anthropic.claude-sonnet-5-20260801-v1:0", false),
    ] {
        let thinking = &extra(model, effort(Effort::Low), None)["thinking"]["type"];
        assert_eq!(thinking == "enabled", budgeted, "{model}");
    }
}

#[test]
fn top_k_and_stop_sequences_are_asked_for_where_the_vendor_has_them() {
    for (model, extra, paths) in [
        (CLAUDE, json!({"top_k": 5}), json!(["/stop_sequence"])),
        ("amazon.nova-pro-v1:0", json!({"inferenceConfig": {"topK": 5}}), Value::Null),
        ("mistral.large", json!({"top_k": 5}), Value::Null),
    ] {
        let mut request = Request { model: model.to_owned(), stop: vec!["END".to_owned()], ..Request::default() };
        request.sampling.top_k = Some(5);
        let body = request::write(&request);
        assert_eq!(
            (&body["additionalModelRequestFields"], &body["additionalModelResponseFieldPaths"]),
            (&extra, &paths)
        );
        assert_eq!(request::read(&body).unwrap().0.sampling.top_k, Some(5));
    }
}

#[test]
fn tools_that_are_not_to_be_called_are_shown_only_where_that_can_be_said_or_the_history_calls_them() {
    let tool = |name: &str| Tool { name: name.to_owned(), description: Some("d".to_owned()), ..Tool::default() };
    let call = Part::ToolCall(ToolCall { name: "f".to_owned(), arguments: "{}".to_owned(), ..ToolCall::default() });
    for (model, history, names, choice) in [
        (CLAUDE, false, &["f", "g"][..], json!({"tool_choice": {"type": "none"}})),
        (CLAUDE, true, &["f", "g"], json!({"tool_choice": {"type": "none"}})),
        ("amazon.nova-pro-v1:0", false, &[], Value::Null),
        ("amazon.nova-pro-v1:0", true, &["f"], Value::Null),
    ] {
        let mut request = Request { model: model.to_owned(), tools: vec![tool("f"), tool("g")], ..Request::default() };
        request.tool_choice = Some(ToolChoice::None);
        if history {
            request.say(said(Role::Assistant, vec![call.clone()]));
        }
        let body = request::write(&request);
        let shown = body["toolConfig"]["tools"].as_array().into_iter().flatten();
        let shown: Vec<&Value> = shown.map(|tool| &tool["toolSpec"]).collect();
        assert!(shown.iter().map(|tool| &tool["name"]).eq(names), "{body}");
        assert!(shown.iter().all(|tool| tool["description"] == "d"), "{body}");
        assert_eq!(body["additionalModelRequestFields"], choice);
        assert_eq!(body["toolConfig"]["toolChoice"], Value::Null);
    }
}
