use super::*;
use crate::dialect::{Dialect, Endpoint, Stamp};
use crate::relay::Relay;
use crate::translate;
use serde_json::json;

/// Reads the service as a text: `priority`, `fast`, `us`, and so on, then `searches/files/containers/images/others`.
fn text(service: Service) -> String {
    let words = service.words().map(|(word, _)| word.as_str().to_owned()).collect::<Vec<_>>().join(" ");
    let uses: [u64; 5] = service.uses.into();
    let uses = if uses == [0; 5] { String::new() } else { format!(" {uses:?}") };
    let cost = service.cost.map(|cost| format!(" ${}", cost.to_usd())).unwrap_or_default();
    let cited = if service.cited { " cited" } else { "" };
    format!("{words}{uses}{cited}{cost}")
}

/// A whole answer to a client of the same dialect, to one of another, and natively: `told` by each.
#[track_caller]
fn check(dialect: Dialect, answer: &Value, told: &str) {
    let stamp = Stamp { id: "1", created: 1, model: "m" };
    let body = answer.to_string().into_bytes();
    for endpoint in [Endpoint::Chat, Endpoint::Responses, Endpoint::Messages, Endpoint::Generate] {
        let read = translate::answer(dialect, endpoint, &body, &stamp, false).unwrap();
        assert_eq!(text(read.service), told, "{dialect:?} to {endpoint:?}: {answer}");
        assert_eq!(read.model.as_deref().unwrap_or("m"), "m");
    }
    assert_eq!(text(of_any(answer)), told, "natively: {answer}");
}

/// A stream, to clients of every dialect.
#[track_caller]
fn check_stream(dialect: Dialect, frames: &[Value], told: &str) {
    let stamp = Stamp { id: "1", created: 1, model: "m" };
    for endpoint in [Endpoint::Chat, Endpoint::Responses, Endpoint::Messages, Endpoint::Generate] {
        let mut relay = Relay::between(dialect, endpoint, &stamp, false);
        for frame in frames {
            relay.push(format!("data: {frame}\n\n").as_bytes());
        }
        assert_eq!(text(relay.served().0), told, "{dialect:?} to {endpoint:?}");
    }
}

fn chat(more: Value, message: Value, usage: Value) -> Value {
    let mut answer = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "a"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 1}});
    answer.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    answer["usage"].as_object_mut().unwrap().extend(usage.as_object().unwrap().clone());
    answer["choices"][0]["message"].as_object_mut().unwrap().extend(message.as_object().unwrap().clone());
    answer
}

#[test]
fn a_chat_completion_tells_its_tier_its_searches_and_its_cost() {
    let nothing = || json!({});
    let cited = json!({"annotations": [{"type": "url_citation", "url_citation": {"url": "https://x"}}]});
    for (answer, told) in [
        (chat(nothing(), nothing(), nothing()), ""),
        (chat(json!({"service_tier": "default"}), nothing(), nothing()), "default"),
        (chat(json!({"service_tier": "auto"}), nothing(), nothing()), ""),
        (chat(json!({"service_tier": null}), nothing(), nothing()), ""),
        (chat(json!({"service_tier": "priority"}), nothing(), nothing()), "priority"),
        (chat(json!({"service_tier": 7}), nothing(), nothing()), ""),
        (chat(nothing(), cited, nothing()), " cited"),
        (chat(nothing(), json!({"content": "\"url_citation\""}), nothing()), ""),
        (
            chat(nothing(), nothing(), json!({"num_search_queries": 3, "search_context_size": "high"})),
            "high [3, 0, 0, 0, 0]",
        ),
        (
            chat(nothing(), nothing(), json!({"server_tool_use": {"web_search_requests": 2, "new_requests": 1}})),
            " [2, 0, 0, 0, 1]",
        ),
        (chat(nothing(), nothing(), json!({"server_tool_use": null, "cost": null})), ""),
        (
            chat(json!({"provider": "Mistral"}), nothing(), json!({"cost": 0.00095, "is_byok": false})),
            "mistral $0.00095",
        ),
        (chat(nothing(), nothing(), json!({"cost": {"total_cost": 1.5e-3}})), " $0.0015"),
        (chat(nothing(), nothing(), json!({"cost": 1e-12})), " $0.000000001"),
        (chat(nothing(), nothing(), json!({"cost": -1})), ""),
        (chat(nothing(), nothing(), json!({"cost_in_usd_ticks": 37756000})), " $0.0037756"),
    ] {
        check(Dialect::OpenAi, &answer, told);
    }
}

#[test]
fn a_stream_of_chunks_tells_it_last() {
    let chunk = |more: Value| {
        let mut chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "service_tier": "auto",
            "choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": null}]});
        chunk.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        chunk
    };
    let last = json!({"choices": [], "service_tier": "priority", "usage": {"prompt_tokens": 9, "completion_tokens": 1, "cost": 0.5}});
    check_stream(Dialect::OpenAi, &[chunk(json!({})), chunk(json!({}))], "");
    check_stream(Dialect::OpenAi, &[chunk(json!({})), chunk(last.clone())], "priority $0.5");
    check_stream(Dialect::OpenAi, &[chunk(json!({"service_tier": "flex"})), chunk(last)], "priority $0.5");
    let cited =
        json!({"choices": [{"index": 0, "delta": {"annotations": [{"type": "url_citation", "url_citation": {}}]}}]});
    check_stream(Dialect::OpenAi, &[chunk(json!({})), chunk(cited)], " cited");
}

#[test]
fn a_response_tells_its_tier_and_the_tools_whose_items_it_has() {
    let response = |more: Value| {
        let mut response = json!({"id": "r", "object": "response", "created_at": 1, "model": "m", "status": "completed",
            "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"}]}],
            "usage": {"input_tokens": 9, "output_tokens": 1, "total_tokens": 10}});
        response.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        response
    };
    let items = json!([
        {"type": "web_search_call", "id": "1", "action": {"type": "search", "query": "x"}},
        {"type": "web_search_call", "id": "2", "action": {"type": "open_page"}},
        {"type": "web_search_call", "id": "3"},
        {"type": "file_search_call", "id": "4"},
        {"type": "code_interpreter_call", "id": "5", "container_id": "k"},
        {"type": "code_interpreter_call", "id": "6", "container_id": "k"},
        {"type": "code_interpreter_call", "id": "7", "container_id": "l"},
        {"type": "image_generation_call", "id": "8"},
        {"type": "new_thing_call", "id": "9"},
        {"type": "function_call", "id": "10", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "mcp_call", "id": "11"}
    ]);
    check(Dialect::Responses, &response(json!({"service_tier": "flex"})), "flex");
    check(
        Dialect::Responses,
        &response(json!({"service_tier": "priority", "output": items})),
        "priority [2, 1, 2, 1, 1]",
    );
    let used = json!({"usage": {"input_tokens": 9, "output_tokens": 1, "tool_calls_details": {"search_web": {"invocation": 2}},
        "cost": {"total_cost": 0.0062}}});
    check(Dialect::Responses, &response(used), " [2, 0, 0, 0, 0] $0.0062");

    let created = json!({"type": "response.created", "response": response(json!({"service_tier": "auto", "status": "in_progress", "usage": null}))});
    let done = |at: usize| json!({"type": "response.output_item.done", "output_index": at, "item": items[at]});
    let end = |more: Value| json!({"type": "response.completed", "response": response(more)});
    let begun = [created.clone(), done(0), done(4), done(5)];
    check_stream(Dialect::Responses, &begun, " [1, 0, 2, 0, 0]");
    let whole = [&begun[..], &[end(json!({"service_tier": "priority", "output": items}))]].concat();
    check_stream(Dialect::Responses, &whole, "priority [2, 1, 2, 1, 1]");
    let bare = [&begun[..], &[end(json!({"service_tier": "default", "output": []}))]].concat();
    check_stream(Dialect::Responses, &bare, "default [1, 0, 2, 0, 0]");
    check_stream(Dialect::Responses, &[created, end(json!({"service_tier": "priority"}))], "priority");
}

#[test]
fn a_message_tells_tier_speed_region_and_what_its_server_tools_did() {
    let message = |usage: Value, content: Value| {
        let mut message = json!({"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [{"type": "text", "text": "a"}],
            "stop_reason": "end_turn", "usage": {"input_tokens": 9, "output_tokens": 1}});
        message["usage"].as_object_mut().unwrap().extend(usage.as_object().unwrap().clone());
        message["content"].as_array_mut().unwrap().extend(content.as_array().unwrap().clone());
        message
    };
    let used = |name: &str| json!({"type": "server_tool_use", "id": "i", "name": name, "input": {}});
    let searched = json!({"server_tool_use": {"web_search_requests": 3, "web_fetch_requests": 9}});
    for (usage, content, told) in [
        (
            json!({"service_tier": "standard", "inference_geo": "not_available", "server_tool_use": null}),
            json!([]),
            "standard not_available",
        ),
        (json!({"service_tier": "batch"}), json!([]), "batch"),
        (json!({"service_tier": "priority", "speed": "fast", "inference_geo": "us"}), json!([]), "priority fast us"),
        (searched.clone(), json!([]), " [3, 0, 0, 0, 0]"),
        (searched, json!([used("web_search")]), " [3, 0, 0, 0, 0]"),
        (json!({}), json!([used("web_search"), used("web_fetch"), used("web_search")]), " [2, 0, 0, 0, 0]"),
        (json!({}), json!([used("bash_code_execution"), used("code_execution"), used("new")]), " [0, 0, 1, 0, 1]"),
    ] {
        check(Dialect::Anthropic, &message(usage, content), told);
    }
    let start = json!({"type": "message_start", "message": message(json!({"service_tier": "standard"}), json!([]))});
    let block = json!({"type": "content_block_start", "index": 0, "content_block": used("web_search")});
    let delta = |usage: Value| json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage});
    check_stream(Dialect::Anthropic, &[start.clone(), block.clone()], "standard [1, 0, 0, 0, 0]");
    let end = delta(json!({"output_tokens": 5, "speed": "fast", "server_tool_use": {"web_search_requests": 2}}));
    check_stream(Dialect::Anthropic, &[start, block, end], "standard fast [2, 0, 0, 0, 0]");
}

#[test]
fn gemini_tells_its_traffic_and_its_queries_and_an_old_one_searches_once() {
    let answer = |model: &str, grounding: Value, usage: Value| {
        let mut answer = json!({"modelVersion": model, "responseId": "r", "candidates": [{"index": 0, "finishReason": "STOP",
            "content": {"role": "model", "parts": [{"text": "a"}]}, "groundingMetadata": grounding}],
            "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 1}});
        answer["usageMetadata"].as_object_mut().unwrap().extend(usage.as_object().unwrap().clone());
        answer
    };
    let queries = json!({"webSearchQueries": ["a", "b", "c"]});
    for (model, grounding, usage, told) in [
        ("m", json!({}), json!({"trafficType": "ON_DEMAND"}), "on_demand"),
        ("m", json!({}), json!({"trafficType": "ON_DEMAND_PRIORITY"}), "priority"),
        ("m", json!({}), json!({"trafficType": "ON_DEMAND_FLEX"}), "flex"),
        ("m", json!({}), json!({"trafficType": "PROVISIONED_THROUGHPUT"}), "provisioned"),
        ("m", json!({}), json!({"serviceTier": "priority"}), "priority"),
        ("m", queries.clone(), json!({}), " [3, 0, 0, 0, 0]"),
        ("m", json!({"groundingChunks": [{"maps": {}}], "retrievalQueries": ["x"]}), json!({}), " [1, 1, 0, 0, 0]"),
        ("m", json!({"webSearchQueries": []}), json!({}), ""),
    ] {
        check(Dialect::Gemini, &answer(model, grounding.clone(), usage.clone()), told);
        check_stream(Dialect::Gemini, &[answer(model, json!({}), json!({})), answer(model, grounding, usage)], told);
    }
    assert_eq!(text(of_generated(&answer("gemini-2.5-flash", queries.clone(), json!({})))), " [1, 0, 0, 0, 0]");
    assert_eq!(text(of_generated(&answer("gemini-3-pro", queries, json!({})))), " [3, 0, 0, 0, 0]");
}

#[test]
fn bedrock_tells_its_tier_and_its_latency() {
    let answer = |more: Value| {
        let mut answer = json!({"output": {"message": {"role": "assistant", "content": [{"text": "a"}]}}, "stopReason": "end_turn",
            "usage": {"inputTokens": 9, "outputTokens": 1, "totalTokens": 10}, "metrics": {"latencyMs": 1}});
        answer.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        answer
    };
    for (more, told) in [
        (json!({"serviceTier": {"type": "default"}, "performanceConfig": {"latency": "standard"}}), "default standard"),
        (
            json!({"serviceTier": {"type": "priority"}, "performanceConfig": {"latency": "optimized"}}),
            "priority optimized",
        ),
    ] {
        check(Dialect::Converse, &answer(more), told);
    }
    let mut events = Vec::new();
    let metadata = json!({"usage": {"inputTokens": 9, "outputTokens": 1}, "serviceTier": {"type": "flex"}});
    crate::dialect::converse::stream::Reader::default().read(
        Some(b"metadata"),
        metadata.to_string().as_bytes(),
        &mut events,
    );
    let told = events.iter().find_map(|event| match event {
        crate::chat::Event::Service(service) => Some(text(*service)),
        _ => None,
    });
    assert_eq!(told.as_deref(), Some("flex"));
}

#[test]
fn pictures_tell_their_quality() {
    let answer = json!({"created": 1, "quality": "high", "size": "1024x1024", "data": [{"b64_json": "aGk="}],
        "usage": {"input_tokens": 9, "output_tokens": 3, "total_tokens": 12}});
    assert_eq!(text(of_any(&answer)), "high");
}
