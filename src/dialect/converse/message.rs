//! What was said, as messages of a user and an assistant in turn, and what the system says.

use super::block::{self, Names};
use super::extra;
use super::field::Field;
use crate::chat::{Cache, Feature, Media, Message, Part, Request, Role, Text, ToolResult, Used};
use crate::dialect::BadRequest;
use crate::dialect::members::moved;
use serde_json::Value;

/// Writes the lists `system` and `messages`.
///
/// Results of tools are said by the user. Bedrock refuses two messages of one role in a row: they are one. What the
/// system says between messages stands with the rest of it at the front, as few models take it elsewhere. Anthropic's
/// models refuse a thought that is not signed: for them it is left out.
pub(super) fn write(request: &Request) -> (Vec<Value>, Vec<Value>) {
    let (mut system, mut said) = (Vec::new(), Vec::<(&str, Vec<Value>)>::new());
    let mut names = Names::default();
    let takes_signed_only = extra::is_anthropic(&request.model);
    for message in &request.messages {
        let role = match message.role {
            Role::System => {
                message.parts.iter().for_each(|part| block::write(part, &mut names, &mut system));
                continue;
            }
            Role::Assistant => "assistant",
            Role::User | Role::Tool => "user",
        };
        let mut content = Vec::with_capacity(message.parts.len());
        let parts = message.parts.iter().filter(|part| !(takes_signed_only && is_unsigned(part)));
        parts.for_each(|part| block::write(part, &mut names, &mut content));
        match said.last_mut() {
            _ if content.is_empty() => {}
            Some((last, before)) if *last == role => before.append(&mut content),
            _ => said.push((role, content)),
        }
    }
    let message = |(role, content): (&str, Vec<Value>)| moved([("role", role.into()), ("content", content.into())]);
    (system, said.into_iter().map(message).collect())
}

fn is_unsigned(part: &Part) -> bool {
    matches!(part, Part::Thought(thought) if thought.signature.is_none())
}

/// Reads what the system says: one message.
pub(super) fn read_system(body: &Field<'_>, request: &mut Request, used: &mut Used) -> Result<(), BadRequest> {
    let mut parts = Vec::new();
    for block in body.list("system")? {
        read_block(&block, &mut parts, used)?;
    }
    if !parts.is_empty() {
        request.say(Message::new(Role::System, parts));
    }
    Ok(())
}

/// Reads a message; results of tools become a message of their own before what else the user says with them.
pub(super) fn read(message: &Field<'_>, request: &mut Request, used: &mut Used) -> Result<(), BadRequest> {
    let role = match message.text_of("role")? {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        _ => return Err(message.get("role").as_ref().unwrap_or(message).bad("of a role: user, assistant or system")),
    };
    let mut parts = Vec::new();
    for block in message.list("content")? {
        read_block(&block, &mut parts, used)?;
    }
    let (results, others): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| matches!(part, Part::ToolResult(_)));
    if !results.is_empty() {
        request.say(Message::new(Role::Tool, results));
    }
    if !others.is_empty() {
        request.say(Message::new(role, others));
    }
    Ok(())
}

fn read_block(field: &Field<'_>, parts: &mut Vec<Part>, used: &mut Used) -> Result<(), BadRequest> {
    if let Some(cache) = block::read_cache(field.value) {
        let kept = parts.last_mut().and_then(cache_of).map(|place| *place = Some(cache));
        used.note(kept.map_or(Feature::Hint, |()| Feature::CacheControl), format!("{}.cachePoint", field.path));
        return Ok(());
    }
    if let Some(text) = field.get("text") {
        parts.push(Part::text(text.text()?));
        return Ok(());
    }
    if let Some(result) = field.get("toolResult") {
        parts.push(Part::ToolResult(read_result(&result, used)?));
        return Ok(());
    }
    if let Some(thought) = field.get("reasoningContent").and_then(|field| block::read_thought(field.value)) {
        used.note(Feature::Thoughts, format!("{}.reasoningContent", field.path));
        parts.push(Part::Thought(thought));
        return Ok(());
    }
    if let Some(call) = field.get("toolUse").and_then(|field| block::read_call(field.value)) {
        parts.push(Part::ToolCall(call));
        return Ok(());
    }
    match read_medium(field, used) {
        Some(part) => parts.push(part),
        None => {
            let name = field.map()?.keys().next().map_or_else(String::new, |name| format!(".{name}"));
            used.note(Feature::Foreign, format!("{}{name}", field.path));
        }
    }
    Ok(())
}

/// Where a part says how long it is kept.
fn cache_of(part: &mut Part) -> Option<&mut Option<Cache>> {
    match part {
        Part::Text(Text { cache, .. }) | Part::Image { cache, .. } | Part::File { cache, .. } => Some(cache),
        Part::ToolResult(result) => Some(&mut result.cache),
        Part::Audio { .. } | Part::Thought(_) | Part::ToolCall(_) | Part::Refusal(_) => None,
    }
}

fn read_medium(field: &Field<'_>, used: &mut Used) -> Option<Part> {
    let (name, inline) = [("image", Feature::Images), ("document", Feature::Files), ("audio", Feature::Audio)]
        .into_iter()
        .find(|(name, _)| field.value.get(name).is_some())?;
    let medium = field.get(name)?;
    let media = block::read_medium(medium.value, name)?;
    used.note(if matches!(media, Media::Stored(_)) { Feature::StoredMedia } else { inline }, medium.path.clone());
    Some(match name {
        "image" => Part::Image { media, detail: None, cache: None },
        "audio" => Part::Audio { media },
        _ => {
            let name = medium.value.get("name").and_then(Value::as_str).map(str::to_owned);
            Part::File { media, name, cache: None }
        }
    })
}

/// Reads the result of a tool; JSON in it is its text.
fn read_result(field: &Field<'_>, used: &mut Used) -> Result<ToolResult, BadRequest> {
    let mut parts = Vec::new();
    for said in field.list("content")? {
        match said.get("json") {
            Some(json) => parts.push(Part::text(json.value.to_string())),
            None => read_block(&said, &mut parts, used)?,
        }
    }
    if parts.iter().any(|part| !matches!(part, Part::Text(_))) {
        used.note(Feature::ToolMedia, format!("{}.content", field.path));
    }
    let failed = field.text_of("status")? == "error";
    if failed {
        used.note(Feature::ToolErrors, format!("{}.status", field.path));
    }
    Ok(ToolResult { call: field.text_of("toolUseId")?.to_owned(), parts, failed, cache: None })
}
