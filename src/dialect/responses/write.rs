//! Writes what was said so far as the items of a request's input.

use super::output::{call_item, thought_item};
use super::part::write_content;
use crate::chat::{Message, Part, Request, Role, Text, ToolResult};
use crate::dialect::members::moved;
use serde_json::{Value, json};

/// What `request` says, as `instructions` and `input`.
///
/// Items have no ids: nothing is stored that they could name. A thought that nobody signed is for people to read, and is not
/// sent again.
pub(super) fn input(request: &Request) -> (Option<&str>, Vec<Value>) {
    let (instructions, rest) = match request.messages.split_first() {
        Some((Message { role: Role::System, parts, .. }, rest)) => match parts.as_slice() {
            [Part::Text(Text { text, .. })] if !text.is_empty() => (Some(text.as_str()), rest),
            _ => (None, request.messages.as_slice()),
        },
        _ => (None, request.messages.as_slice()),
    };
    let mut items = Vec::with_capacity(rest.len());
    for said in rest {
        match said.role {
            Role::System => items.push(message("system", write_content(&said.parts))),
            Role::User => items.push(message("user", write_content(&said.parts))),
            Role::Assistant => write_assistant(&said.parts, &mut items),
            Role::Tool => items.extend(said.parts.iter().filter_map(|part| write_result(part, request))),
        }
    }
    (instructions, items)
}

fn message(role: &str, content: Value) -> Value {
    moved([("type", "message".into()), ("role", role.into()), ("content", content)])
}

/// Writes a message of the assistant: its texts and refusals in messages, all else in items of its own.
fn write_assistant(parts: &[Part], items: &mut Vec<Value>) {
    for run in parts.chunk_by(|one, next| is_said(one) && is_said(next)) {
        match run {
            [Part::Thought(thought)] => items.extend(thought.signature.is_some().then(|| thought_item("", thought))),
            [Part::ToolCall(call)] => items.push(call_item("", call)),
            // The plainest form, which every server takes.
            [Part::Text(Text { text, .. })] => items.push(message("assistant", text.as_str().into())),
            said => {
                let content: Vec<Value> = said.iter().filter_map(write_said).collect();
                items.extend((!content.is_empty()).then(|| message("assistant", content.into())));
            }
        }
    }
}

const fn is_said(part: &Part) -> bool {
    matches!(part, Part::Text(_) | Part::Refusal(_))
}

fn write_said(part: &Part) -> Option<Value> {
    match part {
        Part::Text(Text { text, .. }) => Some(json!({"type": "output_text", "text": text, "annotations": []})),
        Part::Refusal(text) => Some(json!({"type": "refusal", "refusal": text})),
        _ => None,
    }
}

fn write_result(part: &Part, request: &Request) -> Option<Value> {
    let Part::ToolResult(ToolResult { call, parts, .. }) = part else { return None };
    let said = request.messages.iter().flat_map(|message| &message.parts);
    let is_free = said.rev().find_map(|part| match part {
        Part::ToolCall(it) if it.id == *call => Some(it.free),
        _ => None,
    });
    let kind = if is_free == Some(true) { "custom_tool_call_output" } else { "function_call_output" };
    Some(moved([("type", kind.into()), ("call_id", call.as_str().into()), ("output", write_content(parts))]))
}
