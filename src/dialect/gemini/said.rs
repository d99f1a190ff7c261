//! What the model says, part by part, and what is signed of it.
//!
//! Gemini signs a text or a call, seldom a thought: `thoughtSignature` stands on the part. In [`crate::chat`] a signature is
//! a thought's; one that stands on a part signs the thought right before that part, or one without text. A thought
//! without text that is signed is sealed, or else the end of the one before it, as streams have it.

use crate::chat::{Part, Text, Thought, ToolCall};
use serde_json::{Map, Value, json};

/// Parts as they are written, and where in them the texts stand.
#[derive(Debug, Default)]
pub(super) struct Written<'a> {
    pub(super) parts: Vec<Value>,
    pub(super) texts: Vec<(usize, &'a Text)>,
}

/// Adds to `parts` what one part says, a thought if it `is_thought`. Neighbouring thoughts of which only the last is signed
/// are one.
pub(super) fn add(parts: &mut Vec<Part>, said: Option<Part>, is_thought: bool, signature: Option<String>) {
    let open = match parts.last_mut() {
        Some(Part::Thought(thought)) if thought.signature.is_none() => Some(thought),
        _ => None,
    };
    match (said, is_thought) {
        (Some(Part::Text(Text { text, .. })), true) => match (open, text.is_empty(), signature) {
            (_, true, None) => {}
            (Some(thought), _, signature) => {
                thought.text.push_str(&text);
                thought.signature = signature;
            }
            (None, sealed, signature) => parts.push(Part::Thought(Thought { text, signature, sealed })),
        },
        (said, _) => {
            let Some(signature) = signature else { return parts.extend(said) };
            let signature = Some(signature);
            match open {
                Some(thought) => thought.signature = signature,
                None => parts.push(Part::Thought(Thought { signature, ..Thought::default() })),
            }
            parts.extend(said.filter(|part| !matches!(part, Part::Text(text) if text.text.is_empty())));
        }
    }
}

/// Writes what the model said; calls with their ids where `ids`. A refusal is a text here.
pub(super) fn write(said: &[Part], ids: bool) -> Written<'_> {
    let (mut written, mut signature) = (Written::default(), None);
    for (index, part) in said.iter().enumerate() {
        let next = said.get(index.saturating_add(1));
        let mut value = match part {
            Part::Thought(thought) => {
                let signs_next = !thought.sealed && next.is_some_and(|next| !matches!(next, Part::Thought(_)));
                let own = thought.signature.as_deref().filter(|_| !signs_next);
                signature = thought.signature.as_deref().filter(|_| signs_next);
                if !thought.text.is_empty() || own.is_some() {
                    written.parts.push(write_thought(&thought.text, own, thought.sealed));
                }
                continue;
            }
            Part::Text(text) => {
                written.texts.push((written.parts.len(), text));
                json!({"text": text.text})
            }
            Part::Refusal(text) => json!({"text": text}),
            Part::ToolCall(call) => write_call(call, ids),
            Part::ToolResult(_) => continue,
            media => super::media::write(media).unwrap_or_default(),
        };
        sign(&mut value, signature.take());
        written.parts.push(value);
    }
    written
}

/// Writes a thought; one that has no text and is not `sealed` only signs.
pub(super) fn write_thought(text: &str, signature: Option<&str>, sealed: bool) -> Value {
    let is_thought = sealed || !text.is_empty();
    let mut value = if is_thought { json!({"text": text, "thought": true}) } else { json!({"text": ""}) };
    sign(&mut value, signature);
    value
}

/// Writes a call. What is no JSON object is one with the member `input`.
pub(super) fn write_call(call: &ToolCall, ids: bool) -> Value {
    let mut members = Map::new();
    if ids {
        members.insert("id".to_owned(), call.id.as_str().into());
    }
    members.insert("name".to_owned(), call.name.as_str().into());
    let object = || serde_json::from_str(&call.arguments).ok().filter(Value::is_object);
    let arguments = match call.arguments.trim_ascii() {
        "" if !call.free => Some(json!({})),
        _ if call.free => None,
        _ => object(),
    };
    members.insert("args".to_owned(), arguments.unwrap_or_else(|| json!({"input": call.arguments})));
    json!({"functionCall": members})
}

/// Reads the arguments of a call: an object, as its JSON text.
pub(super) fn read_arguments(call: &Value) -> String {
    call.get("args").filter(|args| !args.is_null()).map_or_else(|| "{}".to_owned(), Value::to_string)
}

/// Puts a signature on a part.
pub(super) fn sign(part: &mut Value, signature: Option<&str>) {
    if let (Some(signature), Some(members)) = (signature, part.as_object_mut()) {
        members.insert("thoughtSignature".to_owned(), signature.into());
    }
}
