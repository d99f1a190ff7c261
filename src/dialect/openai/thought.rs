//! What a model thought, as it stands in messages and deltas.
//!
//! OpenAI tells no thoughts here; others do. `reasoning_content` (DeepSeek, vLLM) or `reasoning` is the text, for
//! people. `reasoning_details` (OpenRouter) is what must come back whole: a list of
//! `{"type": "reasoning.text", "text", "signature"}`, `{"type": "reasoning.summary", "summary"}` and
//! `{"type": "reasoning.encrypted", "data"}`. An `id` in it that is the id of one of the message's calls says that the
//! thought belongs to that call; all others come before what is said.

use crate::chat::{Part, Thought};
use serde_json::{Map, Value, json};

/// A thought, and the call that it belongs to.
pub(super) type Told<'a> = (Option<&'a str>, Thought);

/// The thoughts that `message` tells, and the name of the member that tells them.
pub(super) fn read(message: &Map<String, Value>) -> (Vec<Told<'_>>, &'static str) {
    let details = message.get("reasoning_details").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let told = read_details(details);
    if !told.is_empty() {
        return (told, "reasoning_details");
    }
    for name in ["reasoning_content", "reasoning"] {
        let text = message.get(name).and_then(Value::as_str).unwrap_or_default();
        if !text.is_empty() {
            return (vec![(None, Thought { text: text.to_owned(), ..Thought::default() })], name);
        }
    }
    (Vec::new(), "reasoning_content")
}

/// Puts thoughts and calls together: each thought before the call that it belongs to, any other before `said`.
pub(super) fn arrange(told: Vec<Told<'_>>, said: Vec<Part>, calls: Vec<Part>) -> Vec<Part> {
    let is_of = |part: &Part, id: Option<&str>| matches!(part, Part::ToolCall(call) if Some(call.id.as_str()) == id);
    let (tied, free): (Vec<_>, Vec<_>) = told.into_iter().partition(|(id, _)| calls.iter().any(|it| is_of(it, *id)));
    let mut parts: Vec<Part> = free.into_iter().map(|(_, thought)| Part::Thought(thought)).collect();
    parts.extend(said);
    for call in calls {
        let own = tied.iter().filter(|(id, _)| is_of(&call, *id));
        parts.extend(own.map(|(_, thought)| Part::Thought(thought.clone())));
        parts.push(call);
    }
    parts
}

/// Adds the thoughts among `parts` to `message`.
pub(super) fn write(parts: &[Part], message: &mut Map<String, Value>) {
    let told = of(parts);
    let text: String = told.iter().map(|(_, thought)| thought.text.as_str()).collect();
    if !text.is_empty() {
        message.insert("reasoning_content".to_owned(), text.into());
    }
    if told.len() > 1 || told.iter().any(|(_, thought)| thought.signature.is_some()) {
        let details = (0_u64..).zip(&told).map(|(index, (id, thought))| detail(index, *id, thought));
        message.insert("reasoning_details".to_owned(), details.collect());
    }
}

fn read_details(details: &[Value]) -> Vec<Told<'_>> {
    let mut told: Vec<Told<'_>> = Vec::new();
    let mut last = None;
    for detail in details {
        let text = |name: &str| detail.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let sealed = text("type") == Some("reasoning.encrypted");
        let signature = text(if sealed { "data" } else { "signature" });
        let said = text("text").or(text("summary")).filter(|_| !sealed).unwrap_or_default();
        // A client that does not join the pieces of a stream sends them back one by one, of one index.
        let piece = detail.get("index").and_then(Value::as_u64).map(|index| (index, sealed));
        match told.last_mut() {
            Some((id, thought)) if piece.is_some() && piece == last && thought.signature.is_none() => {
                thought.text.push_str(said);
                thought.signature = signature.map(str::to_owned);
                *id = id.or(text("id"));
            }
            _ if signature.is_some() || !said.is_empty() => {
                let signature = signature.map(str::to_owned);
                told.push((text("id"), Thought { text: said.to_owned(), signature, sealed }));
            }
            _ => {}
        }
        last = piece;
    }
    told
}

/// The thoughts among `parts`, each with the call that comes next, for that is what it belongs to.
fn of(parts: &[Part]) -> Vec<(Option<&str>, &Thought)> {
    let mut told = Vec::new();
    let mut rest = parts;
    while let Some((part, after)) = rest.split_first() {
        rest = after;
        let Part::Thought(thought) = part else { continue };
        let id = after.iter().find(|part| !matches!(part, Part::Thought(_))).and_then(|part| match part {
            Part::ToolCall(call) if !call.id.is_empty() => Some(call.id.as_str()),
            _ => None,
        });
        told.push((id, thought));
    }
    told
}

fn detail(index: u64, id: Option<&str>, thought: &Thought) -> Value {
    let mut detail = match (&thought.signature, thought.sealed) {
        (Some(data), true) => json!({"type": "reasoning.encrypted", "data": data}),
        (Some(signature), false) => json!({"type": "reasoning.text", "text": thought.text, "signature": signature}),
        (None, _) => json!({"type": "reasoning.text", "text": thought.text}),
    };
    if let Some(members) = detail.as_object_mut() {
        members.insert("index".to_owned(), index.into());
        members.extend(id.map(|id| ("id".to_owned(), id.into())));
    }
    detail
}
