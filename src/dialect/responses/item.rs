//! Reads the items of a request's input: messages, calls of tools, their results, reasoning.

use super::part::read_content;
use crate::chat::{Feature, Message, Part, Request, Role, Thought, ToolCall, ToolResult, Used};
use crate::dialect::BadRequest;
use crate::dialect::members::{Members, Path};
use serde_json::Value;

/// What an item brings back from an answer and says nothing to another provider: not noted, or every request of an agent
/// would be all notes.
const ECHOES: [&str; 4] = ["id", "status", "created_by", "parsed_arguments"];

/// Reads an item and adds what it says. An item that only this dialect has is noted as foreign.
pub(super) fn read(item: &Value, at: &Path<'_>, request: &mut Request, used: &mut Used) -> Result<(), BadRequest> {
    let mut members = Members::of(item, at)?;
    for name in ECHOES {
        members.take(name);
    }
    let untyped = if item.get("role").is_some() { "message" } else { "item_reference" };
    let said = match members.text("type")?.unwrap_or(untyped) {
        "message" => read_message(&mut members, used)?,
        "function_call" => read_call(&mut members, "arguments", used)?,
        "custom_tool_call" => read_call(&mut members, "input", used)?,
        "function_call_output" | "custom_tool_call_output" => read_result(&mut members, used)?,
        "reasoning" => read_thought(item, &mut members, used)?,
        _ => {
            used.note(Feature::Foreign, at.to_string());
            return Ok(());
        }
    };
    members.leave(&["phase"], used);
    if !said.parts.is_empty() {
        request.say(said);
    }
    Ok(())
}

/// The thought that an item of reasoning is; `None`: it says nothing.
///
/// Its summary is what is told; a model that tells its thoughts as they are has them as `content` instead. One whose
/// summary is an empty text, not none at all, only signs what comes after it: so it is written by [`thought_item`].
///
/// [`thought_item`]: super::output::thought_item
pub(super) fn thought_of(item: &Value) -> Option<Thought> {
    let texts = |name: &str| -> Vec<&str> {
        let parts = item.get(name).and_then(Value::as_array).into_iter().flatten();
        parts.filter_map(|part| part.get("text")?.as_str()).collect()
    };
    let (summary, content) = (texts("summary"), texts("content"));
    let told = if summary.iter().any(|text| !text.is_empty()) { &summary } else { &content };
    let text = told.join("\n\n");
    let signature = item.get("encrypted_content").and_then(Value::as_str).filter(|it| !it.is_empty());
    let sealed = signature.is_some() && summary.is_empty() && text.is_empty();
    let says = signature.is_some() || !text.is_empty();
    says.then(|| Thought { text, signature: signature.map(str::to_owned), sealed })
}

fn read_message(members: &mut Members<'_, '_>, used: &mut Used) -> Result<Message, BadRequest> {
    let role = match members.needed_text("role", "give who says it: system, developer, user or assistant")? {
        "system" | "developer" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        other => {
            let right = "one of system, developer, user, assistant";
            return Err(members.path().key("role").wrong(right, &other.into()));
        }
    };
    let at = members.path().key("content");
    let content = members.take("content").ok_or_else(|| members.missing("content", "give what is said"))?;
    Ok(Message::new(role, read_content(content, &at, used)?))
}

fn read_call(members: &mut Members<'_, '_>, input: &'static str, used: &mut Used) -> Result<Message, BadRequest> {
    let id = members.needed_text("call_id", "give the id that its result names")?.to_owned();
    let name = members.needed_text("name", "name the tool")?.to_owned();
    let arguments = members.needed_text(input, "give what the tool is given, as text")?.to_owned();
    used.note(Feature::Tools, members.path().to_string());
    read_caller(members, used)?;
    let call = ToolCall { id, name, arguments, free: input == "input" };
    Ok(Message::new(Role::Assistant, vec![Part::ToolCall(call)]))
}

fn read_result(members: &mut Members<'_, '_>, used: &mut Used) -> Result<Message, BadRequest> {
    let call = members.needed_text("call_id", "name the call whose result it is")?.to_owned();
    let at = members.path().key("output");
    let output = members.take("output").ok_or_else(|| members.missing("output", "give what the tool said"))?;
    let parts = read_content(output, &at, used)?;
    if parts.iter().any(|part| !matches!(part, Part::Text(_))) {
        members.note(Feature::ToolMedia, "output", used);
    }
    // The call has the tool's name.
    members.take("name");
    read_caller(members, used)?;
    let result = ToolResult { call, parts, ..ToolResult::default() };
    Ok(Message::new(Role::Tool, vec![Part::ToolResult(result)]))
}

/// A call is made by the model itself, unless a program of the provider's made it.
fn read_caller(members: &mut Members<'_, '_>, used: &mut Used) -> Result<(), BadRequest> {
    let is_direct = |caller: &Value| caller.get("type").and_then(Value::as_str) == Some("direct");
    if members.take("caller").is_some_and(|caller| !is_direct(caller)) {
        members.note(Feature::Foreign, "caller", used);
    }
    if members.flag("async")? == Some(true) {
        members.note(Feature::Foreign, "async", used);
    }
    Ok(())
}

fn read_thought(item: &Value, members: &mut Members<'_, '_>, used: &mut Used) -> Result<Message, BadRequest> {
    members.list("summary")?;
    members.list("content")?;
    members.text("encrypted_content")?;
    used.note(Feature::Thoughts, members.path().to_string());
    let thought = thought_of(item);
    Ok(Message::new(Role::Assistant, thought.map(Part::Thought).into_iter().collect()))
}
