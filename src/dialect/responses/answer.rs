//! A whole answer: read from a provider, and written for a client.

use super::item::thought_of;
use super::output::read_citation;
use super::stream::Writer;
use super::usage;
use crate::chat::{Answer, Choice, Finish, Head, Part, Text, ToolCall};
use crate::dialect::Stamp;
use serde_json::Value;

/// Reads a whole answer; `None` where it is none of this dialect, or one that failed.
///
/// What tools of the provider did is not said to anyone else: of their items nothing is read.
pub fn read(body: &Value) -> Option<Answer> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let has_error = body.get("error").is_some_and(|error| !error.is_null());
    if has_error || matches!(text("status"), "failed" | "cancelled") {
        return None;
    }
    let mut choice = Choice::default();
    for item in body.get("output")?.as_array()? {
        read_item(item, &mut choice);
    }
    let calls = choice.parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let refused = choice.parts.iter().any(|part| matches!(part, Part::Refusal(_)));
    let reason = body.get("incomplete_details").and_then(|it| it.get("reason")).and_then(Value::as_str);
    choice.finish = read_finish(text("status"), reason, calls, refused);
    let usage = body.get("usage").and_then(usage::read);
    Some(Answer { head: read_head(body), choices: vec![choice], usage })
}

/// Writes a whole answer: its first choice, for there is one here.
pub fn write(answer: &Answer, stamp: &Stamp<'_>) -> Value {
    let mut writer = Writer::silent(stamp);
    let mut nothing = Vec::new();
    answer.events().iter().for_each(|event| writer.write(event, &mut nothing));
    writer.into_response()
}

/// What a response is about.
pub(super) fn read_head(response: &Value) -> Head {
    let text = |name: &str| response.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    // Some servers tell the time with a fraction.
    let created =
        response.get("created_at").and_then(|at| at.as_u64().or(at.to_string().split('.').next()?.parse().ok()));
    Head { id: text("id"), model: text("model"), created: created.unwrap_or_default() }
}

/// Why a response ends, by its `status` and why it is incomplete; `None`: it has not ended.
pub(super) fn read_finish(status: &str, reason: Option<&str>, calls: bool, refused: bool) -> Option<Finish> {
    Some(match (status, reason) {
        ("queued" | "in_progress", _) => return None,
        ("incomplete", Some("content_filter")) => Finish::Filter,
        ("incomplete", _) => Finish::Length,
        _ if calls => Finish::ToolCalls,
        _ if refused => Finish::Filter,
        _ => Finish::Stop,
    })
}

/// Adds what an item says to `choice`.
pub(super) fn read_item(item: &Value, choice: &mut Choice) {
    let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    match item.get("type").and_then(Value::as_str) {
        Some("message") => {
            for part in item.get("content").and_then(Value::as_array).into_iter().flatten() {
                read_part(part, choice);
            }
        }
        Some("reasoning") => choice.parts.extend(thought_of(item).map(Part::Thought)),
        Some(kind @ ("function_call" | "custom_tool_call")) => {
            let free = kind == "custom_tool_call";
            let arguments = text(if free { "input" } else { "arguments" });
            let id = text(if item.get("call_id").is_some() { "call_id" } else { "id" });
            choice.parts.push(Part::ToolCall(ToolCall { id, name: text("name"), arguments, free }));
        }
        _ => {}
    }
}

/// Adds a part of a message. Texts that follow one another are one: places in the later ones move on.
fn read_part(part: &Value, choice: &mut Choice) {
    let text = |name: &str| part.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    if let Some(refusal) = text("refusal") {
        match choice.parts.last_mut() {
            Some(Part::Refusal(last)) => last.push_str(refusal),
            _ => choice.parts.push(Part::Refusal(refusal.to_owned())),
        }
        return;
    }
    let list = |name: &str| part.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if !list("logprobs").is_empty() {
        choice.logprobs.get_or_insert_default().extend_from_slice(list("logprobs"));
    }
    let Some(more) = text("text") else { return };
    if !matches!(choice.parts.last(), Some(Part::Text(_))) {
        choice.parts.push(Part::text(""));
    }
    if let Some(Part::Text(Text { text, citations, .. })) = choice.parts.last_mut() {
        let offset = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
        text.push_str(more);
        citations.extend(list("annotations").iter().filter_map(|annotation| read_citation(annotation, offset)));
    }
}

#[cfg(test)]
mod tests;
