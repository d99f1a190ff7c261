//! What was said: the messages of a request, and its system prompt.

use super::block;
use crate::chat::{Message, Part, Request, Role, Text, Used};
use crate::dialect::BadRequest;
use crate::dialect::members::{Members, Path, moved};
use serde_json::Value;

/// Reads `system`: each of its texts is a message of the system.
pub(super) fn read_system(
    members: &mut Members<'_, '_>,
    request: &mut Request,
    used: &mut Used,
) -> Result<(), BadRequest> {
    let at = members.path().key("system");
    let Some(system) = members.take("system") else { return Ok(()) };
    for part in block::read_content(system, &at, used)? {
        request.say(Message::new(Role::System, vec![part]));
    }
    Ok(())
}

/// Reads a message and adds it. Results of tools are messages of the tools, wherever they stand.
pub(super) fn read(message: &Value, at: &Path<'_>, request: &mut Request, used: &mut Used) -> Result<(), BadRequest> {
    let mut members = Members::of(message, at)?;
    let role = match members.needed_text("role", "give who says it: user or assistant")? {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        other => return Err(at.key("role").wrong("user, assistant or system", &other.into())),
    };
    let content = members.take("content").ok_or_else(|| members.missing("content", "give what is said"))?;
    let mut said = Vec::new();
    let mut speaker = role;
    for part in block::read_content(content, &at.key("content"), used)? {
        let next = if matches!(part, Part::ToolResult(_)) { Role::Tool } else { role };
        if next != speaker && !said.is_empty() {
            request.say(Message::new(speaker, std::mem::take(&mut said)));
        }
        speaker = next;
        said.push(part);
    }
    if !said.is_empty() {
        request.say(Message::new(speaker, said));
    }
    members.leave(&[], used);
    Ok(())
}

/// What `system` is: all that the system says, wherever it says it, as only few models take it between messages.
pub(super) fn write_system(request: &Request) -> Option<Value> {
    let said = request.messages.iter().filter(|message| message.role == Role::System);
    let texts: Vec<&Part> = said.flat_map(|message| &message.parts).filter(|part| is_text(part)).collect();
    match texts.as_slice() {
        [] => None,
        [Part::Text(Text { text, cache: None, .. })] => Some(text.as_str().into()),
        texts => Some(texts.iter().filter_map(|part| block::write(part)).collect()),
    }
}

/// Writes what else was said. Results of tools and what the user says after them are one message, as the API has it;
/// a message of which nothing can be said is none.
pub(super) fn write(request: &Request) -> Vec<Value> {
    let mut messages = Vec::<Value>::with_capacity(request.messages.len());
    let mut results = None::<Vec<Value>>;
    for message in &request.messages {
        let role = match message.role {
            Role::System => continue,
            Role::Tool | Role::User => "user",
            Role::Assistant => "assistant",
        };
        let mut content: Vec<Value> = message.parts.iter().filter_map(block::write).collect();
        if content.is_empty() {
            continue;
        }
        if message.role == Role::Tool {
            results.get_or_insert_default().append(&mut content);
            continue;
        }
        match results.take() {
            Some(mut results) if message.role == Role::User => {
                results.append(&mut content);
                content = results;
            }
            Some(results) => messages.push(moved([("role", "user".into()), ("content", results.into())])),
            None => {}
        }
        messages.push(moved([("role", role.into()), ("content", shortest(content))]));
    }
    messages.extend(results.map(|results| moved([("role", "user".into()), ("content", results.into())])));
    messages
}

fn is_text(part: &Part) -> bool {
    matches!(part, Part::Text(Text { text, .. }) if !text.is_empty())
}

/// `content`, or what it says where that is a text alone.
fn shortest(mut content: Vec<Value>) -> Value {
    let alone = match content.as_mut_slice() {
        [block] if block.as_object().is_some_and(|members| members.len() == 2) => block.get_mut("text"),
        _ => None,
    };
    alone.map(Value::take).unwrap_or_else(|| content.into())
}
