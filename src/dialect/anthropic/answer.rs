//! An answer, whole: a message of the assistant.

use super::{block, cite, usage};
use crate::chat::{Answer, Choice, Finish, Head, Part, Text, ToolCall};
use crate::dialect::Stamp;
use serde_json::{Map, Value, json};

/// Reads a message. What the provider's own tools did is left out. `None`: it is no message.
pub fn read(body: &Value) -> Option<Answer> {
    let blocks = body.get("content")?.as_array()?;
    let mut parts = Vec::<Part>::new();
    blocks.iter().for_each(|block| read_block(block, &mut parts));
    let refusal = refusal(body.get("stop_details"));
    parts.extend(refusal.map(Part::Refusal));
    let reason = body.get("stop_reason").and_then(Value::as_str);
    let finish = reason.map(|reason| finish(reason, body.get("stop_sequence").and_then(Value::as_str)));
    let mut tally = usage::Tally::default();
    body.get("usage").into_iter().for_each(|usage| tally.add(usage));
    let choices = vec![Choice { parts, finish, logprobs: None }];
    Some(Answer { head: head(body), choices, usage: tally.usage() })
}

/// Writes the first choice of an answer.
///
/// A refusal is told in `stop_details`, in one, wherever it stood.
pub fn write(answer: &Answer, stamp: &Stamp<'_>) -> Value {
    let (mut content, mut refusal, mut calls) = (Vec::new(), None::<String>, 0_u64);
    let choice = answer.choices.first();
    for part in choice.into_iter().flat_map(|choice| &choice.parts) {
        match part {
            Part::Text(text) => cite::write_text(text, &mut content),
            Part::Thought(thought) => {
                content.push(block::write_thought(thought, thought.signature.as_deref().unwrap_or_default()));
            }
            Part::ToolCall(call) => {
                let id = call_id(&call.id, calls);
                content.push(block::write_call(&ToolCall { id, ..call.clone() }));
                calls = calls.saturating_add(1);
            }
            Part::Refusal(text) => refusal.get_or_insert_default().push_str(text),
            Part::Image { .. } | Part::Audio { .. } | Part::File { .. } | Part::ToolResult(_) => {}
        }
    }
    let finish = choice.and_then(|choice| choice.finish.as_ref());
    let mut message = begin(&answer.head, stamp.id, stamp.model, content);
    message.extend(end(finish, calls > 0, refusal.as_deref()));
    message.insert("usage".to_owned(), usage::write(answer.usage).into());
    message.into()
}

/// What a message begins with.
pub(super) fn begin(head: &Head, id: &str, model: &str, content: Vec<Value>) -> Map<String, Value> {
    let told = |told: &str, fallback: &str| Value::from(if told.is_empty() { fallback } else { told });
    let members = [
        ("id", told(&head.id, id)),
        ("type", "message".into()),
        ("role", "assistant".into()),
        ("model", told(&head.model, model)),
        ("content", content.into()),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Why a message ends. `called`: tools are called in it. Whoever calls tools without a word about it stops for them.
pub(super) fn end(finish: Option<&Finish>, called: bool, refusal: Option<&str>) -> Map<String, Value> {
    let (reason, sequence) = match finish {
        Some(Finish::Length) => ("max_tokens", None),
        Some(Finish::ToolCalls) => ("tool_use", None),
        Some(Finish::Filter) => ("refusal", None),
        _ if refusal.is_some() => ("refusal", None),
        Some(Finish::StopSequence(sequence)) => ("stop_sequence", Some(sequence.as_str())),
        _ if called => ("tool_use", None),
        Some(Finish::Stop) | None => ("end_turn", None),
    };
    let details = refusal.map(|text| json!({"type": "refusal", "category": null, "explanation": text}));
    let members =
        [("stop_reason", reason.into()), ("stop_sequence", sequence.into()), ("stop_details", details.into())];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What `reason`, with the stop sequence that came, says. A turn that the provider breaks off to go on later is one to
/// whoever cannot have it go on.
pub(super) fn finish(reason: &str, sequence: Option<&str>) -> Finish {
    match reason {
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "stop_sequence" => Finish::StopSequence(sequence.unwrap_or_default().to_owned()),
        "tool_use" => Finish::ToolCalls,
        "refusal" => Finish::Filter,
        _ => Finish::Stop,
    }
}

/// Why the model declines, as `stop_details` tells it.
pub(super) fn refusal(details: Option<&Value>) -> Option<String> {
    let text = details?.get("explanation")?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}

/// What a message is about. When it was begun is not told.
pub(super) fn head(message: &Value) -> Head {
    let text = |name: &str| message.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Head { id: text("id"), model: text("model"), created: 0 }
}

/// The id of the call at the place `nth`, be there none.
pub(super) fn call_id(id: &str, nth: u64) -> String {
    if id.is_empty() { format!("call_{nth}") } else { id.to_owned() }
}

/// Adds what a block says; neighbouring texts are one.
fn read_block(block: &Value, parts: &mut Vec<Part>) {
    let text = |name: &str| block.get(name).and_then(Value::as_str);
    let part = match text("type") {
        Some("text") => return read_text(block, text("text").unwrap_or_default(), parts),
        Some("thinking") => Part::Thought(block::thought(text("thinking"), text("signature"), false)),
        Some("redacted_thinking") => Part::Thought(block::thought(None, text("data"), true)),
        Some("tool_use") => Part::ToolCall(ToolCall {
            id: text("id").unwrap_or_default().to_owned(),
            name: text("name").unwrap_or_default().to_owned(),
            arguments: block.get("input").map_or_else(|| "{}".to_owned(), Value::to_string),
            free: false,
        }),
        _ => return,
    };
    parts.push(part);
}

fn read_text(block: &Value, more: &str, parts: &mut Vec<Part>) {
    if more.is_empty() {
        return;
    }
    if !matches!(parts.last(), Some(Part::Text(_))) {
        parts.push(Part::text(""));
    }
    if let Some(Part::Text(Text { text, citations, .. })) = parts.last_mut() {
        let start = cite::count(text);
        let end = start.saturating_add(cite::count(more));
        text.push_str(more);
        let cited = block.get("citations").and_then(Value::as_array).into_iter().flatten();
        citations.extend(cited.filter_map(|citation| cite::read(citation, start, end)));
    }
}

#[cfg(test)]
mod tests;
