//! The items of an answer's output, as they stand whole in an answer and at the end of a stream.

use crate::chat::{Citation, Thought, ToolCall};
use serde_json::{Map, Value, json};

/// A call of a tool. Without an `id` it is one that is said again; nothing is told of how it went, then.
pub(super) fn call_item(id: &str, call: &ToolCall) -> Value {
    let ToolCall { id: call_id, name, arguments, free } = call;
    let (kind, input) = if *free { ("custom_tool_call", "input") } else { ("function_call", "arguments") };
    let bare = !free && arguments.trim_ascii().is_empty();
    let arguments = if bare { "{}" } else { arguments };
    item(id, kind, [("call_id", call_id.as_str().into()), ("name", name.as_str().into()), (input, arguments.into())])
}

/// A thought. One that only signs what comes after it has an empty text for a summary, one that is sealed has none.
pub(super) fn thought_item(id: &str, thought: &Thought) -> Value {
    let Thought { text, signature, sealed } = thought;
    let summary: Vec<Value> = if *sealed { Vec::new() } else { vec![summary_part(text)] };
    let mut written = Map::from_iter([("type".to_owned(), "reasoning".into())]);
    if !id.is_empty() {
        written.insert("id".to_owned(), id.into());
    }
    written.insert("summary".to_owned(), summary.into());
    written.extend(signature.as_deref().map(|signature| ("encrypted_content".to_owned(), signature.into())));
    written.into()
}

/// What the assistant says: the parts of `content`.
pub(super) fn message_item(id: &str, content: Vec<Value>) -> Value {
    item(id, "message", [("role", "assistant".into()), ("content", content.into())])
}

pub(super) fn summary_part(text: &str) -> Value {
    json!({"type": "summary_text", "text": text})
}

pub(super) fn text_part(text: &str, annotations: Vec<Value>, logprobs: Vec<Value>) -> Value {
    json!({"type": "output_text", "text": text, "annotations": annotations, "logprobs": logprobs})
}

pub(super) fn refusal_part(text: &str) -> Value {
    json!({"type": "refusal", "refusal": text})
}

/// Where a text is from. The words there have no place here.
pub(super) fn write_citation(citation: &Citation) -> Value {
    let Citation { url, title, start, end, .. } = citation;
    json!({"type": "url_citation", "start_index": start, "end_index": end, "url": url, "title": title})
}

/// Reads an annotation of a text before which `offset` characters were said; `None`: it cites no page.
pub(super) fn read_citation(annotation: &Value, offset: u64) -> Option<Citation> {
    let text = |name: &str| annotation.get(name).and_then(Value::as_str).map(str::to_owned);
    let place = |name: &str| annotation.get(name).and_then(Value::as_u64).unwrap_or_default().saturating_add(offset);
    let is_page = annotation.get("type").and_then(Value::as_str) == Some("url_citation");
    let (start, end) = (place("start_index"), place("end_index"));
    let url = text("url").filter(|_| is_page)?;
    Some(Citation { url, title: text("title").unwrap_or_default(), quote: None, start, end })
}

/// An item of `kind`; one with an id is of an answer, and has come to its end.
fn item<const N: usize>(id: &str, kind: &str, members: [(&str, Value); N]) -> Value {
    let mut written = Map::from_iter([("type".to_owned(), kind.into())]);
    if !id.is_empty() {
        written.insert("id".to_owned(), id.into());
        written.insert("status".to_owned(), "completed".into());
    }
    written.extend(members.map(|(name, value)| (name.to_owned(), value)));
    written.into()
}
