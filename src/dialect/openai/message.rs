//! The messages of a request.

use super::part::{read_content, write_content};
use super::thought;
use super::tool::{read_call, write_call};
use crate::chat::{Feature, Message, Part, Request, Role, ToolCall, ToolResult, Used};
use crate::dialect::BadRequest;
use crate::dialect::members::{Members, Path};
use serde_json::{Map, Value, json};

/// What an assistant's message brings back from an answer and no provider needs.
const ECHOES: [&str; 3] = ["annotations", "parsed", "provider_specific_fields"];

/// Reads a message of a request and adds it.
pub(super) fn read(message: &Value, at: &Path<'_>, request: &mut Request, used: &mut Used) -> Result<(), BadRequest> {
    let mut members = Members::of(message, at)?;
    let role = members.needed_text("role", "give who says it: system, user, assistant or tool")?;
    let role = match role {
        "system" | "developer" => Role::System,
        "user" => Role::User,
        "assistant" => return read_assistant(message, members, request, used),
        "tool" | "function" => return read_result(role == "function", members, request, used),
        _ => {
            let right = "one of system, developer, user, assistant, tool, function";
            return Err(at.key("role").wrong(right, &role.into()));
        }
    };
    let name = read_name(&mut members, used)?;
    let parts = content(&mut members, used)?;
    members.leave(&[], used);
    request.say(Message { role, name, parts });
    Ok(())
}

/// Adds what `message` says to `messages`, in as many messages as it takes.
pub(super) fn write(message: &Message, messages: &mut Vec<Value>) {
    let role = match message.role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => return messages.push(write_assistant(message)),
        Role::Tool => "tool",
    };
    if message.role == Role::Tool {
        let results = message.parts.iter().filter_map(|part| match part {
            Part::ToolResult(result) => Some(result),
            _ => None,
        });
        messages.extend(results.map(|ToolResult { call, parts, .. }| {
            json!({"role": role, "tool_call_id": call, "content": write_content(&parts.iter().collect::<Vec<_>>())})
        }));
        return;
    }
    let mut written = Map::from_iter([("role".to_owned(), role.into())]);
    written.extend(message.name.as_deref().map(|name| ("name".to_owned(), name.into())));
    written.insert("content".to_owned(), write_content(&message.parts.iter().collect::<Vec<_>>()));
    messages.push(written.into());
}

fn content(members: &mut Members<'_, '_>, used: &mut Used) -> Result<Vec<Part>, BadRequest> {
    let at = members.path().key("content");
    read_content(members.take("content").unwrap_or(&Value::Null), &at, used)
}

fn read_name(members: &mut Members<'_, '_>, used: &mut Used) -> Result<Option<String>, BadRequest> {
    let name = members.text("name")?;
    if name.is_some() {
        members.note(Feature::Names, "name", used);
    }
    Ok(name.map(str::to_owned))
}

fn read_assistant(
    message: &Value,
    mut members: Members<'_, '_>,
    request: &mut Request,
    used: &mut Used,
) -> Result<(), BadRequest> {
    let name = read_name(&mut members, used)?;
    let mut said = content(&mut members, used)?;
    let refusal = members.text("refusal")?.filter(|text| !text.is_empty());
    said.extend(refusal.map(|text| Part::Refusal(text.to_owned())));
    let mut calls = Vec::new();
    let at = members.path().key("tool_calls");
    for (index, call) in members.list("tool_calls")?.unwrap_or_default().iter().enumerate() {
        calls.extend(read_call(call, &at.index(index), used)?.map(Part::ToolCall));
    }
    if let Some(call) = members.take("function_call") {
        let at = members.path().key("function_call");
        let mut call = Members::of(call, &at)?;
        let name = call.needed_text("name", "name the function")?.to_owned();
        let arguments = call.needed_text("arguments", "give its arguments as JSON text")?.to_owned();
        // It has no id; its place in the conversation is one.
        let id = format!("function_{}", request.messages.len());
        calls.push(Part::ToolCall(ToolCall { id, name, arguments, free: false }));
        call.leave(&[], used);
    }
    if !calls.is_empty() {
        members.note(Feature::Tools, "tool_calls", used);
    }
    for name in ["reasoning_content", "reasoning"] {
        members.text(name)?;
    }
    members.list("reasoning_details")?;
    let (told, told_by) = message.as_object().map(thought::read).unwrap_or_default();
    if !told.is_empty() {
        members.note(Feature::Thoughts, told_by, used);
    }
    members.leave(&ECHOES, used);
    request.say(Message { role: Role::Assistant, name, parts: thought::arrange(told, said, calls) });
    Ok(())
}

/// Reads the result of a call. Of the older kind it names the function; the last call of it is meant.
fn read_result(
    older: bool,
    mut members: Members<'_, '_>,
    request: &mut Request,
    used: &mut Used,
) -> Result<(), BadRequest> {
    let call = if older {
        let name = members.needed_text("name", "name the function")?;
        let parts = request.messages.iter().rev().flat_map(|message| message.parts.iter().rev());
        let mut calls = parts.filter_map(|part| match part {
            Part::ToolCall(call) if call.name == name => Some(&call.id),
            _ => None,
        });
        calls.next().map_or(name, String::as_str).to_owned()
    } else {
        members.needed_text("tool_call_id", "name the call whose result it is")?.to_owned()
    };
    let parts = content(&mut members, used)?;
    if parts.iter().any(|part| !matches!(part, Part::Text(_))) {
        members.note(Feature::ToolMedia, "content", used);
    }
    // Many clients repeat the tool's name here; the call has it.
    members.leave(&["name"], used);
    let result = ToolResult { call, parts, ..ToolResult::default() };
    request.say(Message::new(Role::Tool, vec![Part::ToolResult(result)]));
    Ok(())
}

fn write_assistant(message: &Message) -> Value {
    let mut written = Map::from_iter([("role".to_owned(), "assistant".into())]);
    written.extend(message.name.as_deref().map(|name| ("name".to_owned(), name.into())));
    let spoken = |part: &&Part| !matches!(part, Part::Thought(_) | Part::ToolCall(_) | Part::ToolResult(_));
    let said: Vec<&Part> = message.parts.iter().filter(spoken).collect();
    let calls: Vec<Value> = message.parts.iter().filter_map(write_call).collect();
    let (content, refusal) = match said.as_slice() {
        [] if calls.is_empty() => ("".into(), None),
        [] => (Value::Null, None),
        [Part::Refusal(refusal)] => (Value::Null, Some(refusal)),
        said => (write_content(said), None),
    };
    written.insert("content".to_owned(), content);
    written.extend(refusal.map(|refusal| ("refusal".to_owned(), refusal.as_str().into())));
    thought::write(&message.parts, &mut written);
    if !calls.is_empty() {
        written.insert("tool_calls".to_owned(), calls.into());
    }
    written.into()
}
