//! What each dialect demands of a stream: which frames come first and last, what is begun is ended, and no more.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use tollgate::sse::Frames;

/// A frame: its event's name, and its data.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) event: Option<String>,
    /// `None`: `[DONE]`.
    pub(crate) data: Option<Value>,
}

/// The frames of `stream`; what is wrong with one, be it no JSON.
pub(crate) fn frames(stream: &[u8]) -> Result<Vec<Seen>, String> {
    let (mut frames, mut rest, mut all) = (Frames::new(), stream, Vec::new());
    while let Some(frame) = frames.next(&mut rest).map_err(|wrong| format!("{wrong:?}"))? {
        let event = frame.event().map(|event| String::from_utf8_lossy(event).into_owned());
        let Some(data) = frame.data() else { continue };
        let data = match data.as_ref() {
            b"[DONE]" => None,
            data => Some(
                serde_json::from_slice(data).map_err(|wrong| format!("{}: {wrong}", String::from_utf8_lossy(data)))?,
            ),
        };
        all.push(Seen { event, data });
    }
    match frames.finish() {
        Some(frame) => Err(format!("a frame is not whole: {}", String::from_utf8_lossy(frame.bytes()))),
        None => Ok(all),
    }
}

fn must(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// Chunks of one id, model and time; per choice one finish, nothing after it; then usage and `[DONE]`.
pub(crate) fn openai(frames: &[Seen]) -> Result<(), String> {
    let (mut ended, mut heads, mut calls) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
    let mut over = false;
    for frame in frames {
        must(!over, || format!("after the end: {frame:?}"))?;
        let Some(data) = &frame.data else {
            over = true;
            continue;
        };
        if frame.event.as_deref() == Some("error") {
            for name in ["message", "type", "param", "code"] {
                must(data["error"].get(name).is_some(), || format!("no {name}: {data}"))?;
            }
            over = true;
            continue;
        }
        must(frame.event.is_none() && data["object"] == "chat.completion.chunk", || format!("no chunk: {data}"))?;
        must(data["id"].is_string() && data["model"].is_string() && data["created"].is_u64(), || {
            format!("no head: {data}")
        })?;
        heads.insert(format!("{} {} {}", data["id"], data["model"], data["created"]));
        must(heads.len() == 1, || format!("two heads: {heads:?}"))?;
        for choice in data["choices"].as_array().ok_or_else(|| format!("no choices: {data}"))? {
            let index = choice["index"].as_u64().ok_or_else(|| format!("no index: {data}"))?;
            must(!ended.contains(&index), || format!("after the finish of {index}: {data}"))?;
            must(choice["delta"].is_object(), || format!("no delta: {data}"))?;
            for call in choice["delta"]["tool_calls"].as_array().into_iter().flatten() {
                let at = call["index"].as_u64().ok_or_else(|| format!("no index: {data}"))?;
                let known: &mut u64 = calls.entry(index).or_default();
                let named = call["function"]["name"].is_string() || call["custom"]["name"].is_string();
                must(if named { at == *known } else { at < *known }, || format!("call {at} of {known}: {data}"))?;
                *known += u64::from(named);
            }
            if !choice["finish_reason"].is_null() {
                let reasons = ["stop", "length", "tool_calls", "content_filter"];
                must(reasons.contains(&text(choice, "finish_reason")), || format!("no reason: {data}"))?;
                ended.insert(index);
            }
        }
    }
    must(over, || "it does not end".to_owned())
}

/// One message: blocks one after the other, each of one kind, begun and stopped; then its delta and its stop.
pub(crate) fn anthropic(frames: &[Seen]) -> Result<(), String> {
    let (mut begun, mut over, mut delta_said, mut blocks) = (false, false, false, 0_u64);
    let mut open: Option<String> = None;
    for frame in frames {
        let data = frame.data.as_ref().ok_or("[DONE] is not Anthropic's")?;
        let kind = text(data, "type");
        must(frame.event.as_deref() == Some(kind), || format!("{:?} is not {kind}", frame.event))?;
        must(!over, || format!("after the end: {data}"))?;
        let index_is = |wanted: u64| must(data["index"].as_u64() == Some(wanted), || format!("not {wanted}: {data}"));
        match kind {
            "ping" => {}
            "error" => {
                let error = &data["error"];
                must(error["type"].is_string() && error["message"].is_string(), || format!("no error: {data}"))?;
                over = true;
            }
            "message_start" => {
                must(!begun, || "begun twice".to_owned())?;
                begun = true;
                let message = &data["message"];
                let is_message = text(message, "type") == "message" && text(message, "role") == "assistant";
                must(is_message && message["id"].is_string() && message["model"].is_string(), || data.to_string())?;
                let usage = &message["usage"];
                must(usage["input_tokens"].is_u64() && usage["output_tokens"].is_u64(), || data.to_string())?;
                must(message["content"] == Value::Array(Vec::new()), || data.to_string())?;
                must(message.get("stop_reason") == Some(&Value::Null), || data.to_string())?;
            }
            _ if !begun => return Err(format!("before the message: {data}")),
            "content_block_start" => {
                must(open.is_none() && !delta_said, || format!("{open:?} is open: {data}"))?;
                index_is(blocks)?;
                open = Some(text(&data["content_block"], "type").to_owned());
            }
            "content_block_delta" => {
                index_is(blocks)?;
                let fits = match (open.as_deref(), text(&data["delta"], "type")) {
                    (Some("text"), delta) => matches!(delta, "text_delta" | "citations_delta"),
                    (Some("thinking"), delta) => matches!(delta, "thinking_delta" | "signature_delta"),
                    (Some("tool_use"), delta) => delta == "input_json_delta",
                    _ => false,
                };
                must(fits, || format!("{open:?} has {data}"))?;
            }
            "content_block_stop" => {
                index_is(blocks)?;
                must(open.take().is_some(), || format!("nothing is open: {data}"))?;
                blocks += 1;
            }
            "message_delta" => {
                must(open.is_none() && !delta_said, || format!("{open:?} is open: {data}"))?;
                must(data["delta"]["stop_reason"].is_string(), || format!("no reason: {data}"))?;
                must(data["usage"]["output_tokens"].is_u64(), || format!("no usage: {data}"))?;
                delta_said = true;
            }
            "message_stop" => {
                must(delta_said, || "stopped without a reason".to_owned())?;
                over = true;
            }
            _ => return Err(format!("unknown: {data}")),
        }
    }
    must(over, || "it does not end".to_owned())
}

/// Numbered events; items in their order, with parts in theirs, begun and done; at the end the response, whole.
pub(crate) fn responses(frames: &[Seen]) -> Result<(), String> {
    let (mut over, mut open, mut done) = (false, BTreeMap::new(), Vec::new());
    let mut added = 0;
    for (number, frame) in (0_u64..).zip(frames) {
        let data = frame.data.as_ref().ok_or("[DONE] is not of Responses")?;
        let kind = text(data, "type");
        must(frame.event.as_deref() == Some(kind), || format!("{:?} is not {kind}", frame.event))?;
        must(!over, || format!("after the end: {data}"))?;
        must(data["sequence_number"].as_u64() == Some(number), || format!("is not number {number}: {data}"))?;
        let at = data["output_index"].as_u64();
        match kind {
            "response.created" => must(number == 0, || data.to_string())?,
            "response.in_progress" => must(number == 1, || data.to_string())?,
            "error" => over = true,
            "response.completed" | "response.incomplete" | "response.failed" => {
                over = true;
                let all = &data["response"]["output"];
                must(open.is_empty(), || format!("{open:?} are open"))?;
                must(kind == "response.failed" || *all == Value::Array(done.clone()), || {
                    format!("{all} is not {done:?}")
                })?;
                must(text(&data["response"], "status") == &kind[9..], || data.to_string())?;
            }
            _ if number < 2 => return Err(format!("before the response: {data}")),
            "response.output_item.added" => {
                must(at == Some(added), || format!("is not item {added}: {data}"))?;
                open.insert(added, (text(&data["item"], "id").to_owned(), 0_u64, 0_u64));
                added += 1;
            }
            _ => {
                let (id, parts, closed) =
                    open.get_mut(&at.unwrap_or(u64::MAX)).ok_or_else(|| format!("no item: {data}"))?;
                let item =
                    if kind == "response.output_item.done" { text(&data["item"], "id") } else { text(data, "item_id") };
                must(item == *id, || format!("the item is {id}: {data}"))?;
                let part = data["content_index"].as_u64().or(data["summary_index"].as_u64());
                match kind {
                    "response.content_part.added" | "response.reasoning_summary_part.added" => {
                        must(part == Some(*parts) && parts == closed, || format!("is not part {parts}: {data}"))?;
                        *parts += 1;
                    }
                    "response.content_part.done" | "response.reasoning_summary_part.done" => {
                        must(part == Some(*closed) && *parts == *closed + 1, || {
                            format!("is not part {closed}: {data}")
                        })?;
                        *closed += 1;
                    }
                    "response.output_item.done" => {
                        must(parts == closed, || format!("part {closed} is open: {data}"))?;
                        must(at == Some(done.len() as u64), || format!("is not done next: {data}"))?;
                        done.push(data["item"].clone());
                        open.remove(&at.unwrap_or_default());
                    }
                    _ if part.is_some() => {
                        must(part == Some(*closed) && *parts == *closed + 1, || {
                            format!("its part is not open: {data}")
                        })?;
                    }
                    _ => {}
                }
            }
        }
    }
    must(over, || "it does not end".to_owned())
}

/// Responses, whole each; per candidate one reason to finish, nothing after it; or an error, and nothing more.
pub(crate) fn gemini(frames: &[Seen]) -> Result<(), String> {
    let (mut over, mut ended) = (false, BTreeSet::new());
    for frame in frames {
        let data = frame.data.as_ref().ok_or("[DONE] is not Gemini's")?;
        must(frame.event.is_none(), || format!("{:?} is named", frame.event))?;
        must(!over, || format!("after the end: {data}"))?;
        if data.get("error").is_some() {
            let error = &data["error"];
            must(error["code"].is_u64() && error["status"].is_string() && error["message"].is_string(), || {
                data.to_string()
            })?;
            over = true;
            continue;
        }
        must(data["modelVersion"].is_string() && data["responseId"].is_string(), || format!("no head: {data}"))?;
        for candidate in data["candidates"].as_array().into_iter().flatten() {
            let index = candidate["index"].as_u64().unwrap_or(0);
            must(!ended.contains(&index), || format!("after the finish of {index}: {data}"))?;
            for part in candidate["content"]["parts"].as_array().into_iter().flatten() {
                let known = ["text", "functionCall", "inlineData", "thoughtSignature"];
                must(known.iter().any(|name| part.get(name).is_some()), || format!("no part: {data}"))?;
                must(text(&candidate["content"], "role") == "model", || format!("of nobody: {data}"))?;
            }
            if let Some(reason) = candidate.get("finishReason") {
                let reasons = ["STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER", "PROHIBITED_CONTENT"];
                must(reasons.contains(&reason.as_str().unwrap_or_default()), || format!("no reason: {data}"))?;
                ended.insert(index);
            }
        }
    }
    must(over || !ended.is_empty(), || "it does not end".to_owned())
}
