//! The conversation: `systemInstruction` and `contents`.

use super::{media, result, said};
use crate::chat::{Feature, Message, Part, Request, Role, ToolCall, ToolResult, Used};
use crate::dialect::BadRequest;
use crate::dialect::members::{Members, Path, moved};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What no answer depends on.
const HINTS: [&str; 2] = ["mediaResolution", "partMetadata"];

/// The calls so far, in their order: a call that has no id is `call_<n>`, of all calls of the conversation the n-th from 0.
#[derive(Debug, Default)]
pub(super) struct Calls(Vec<Call>);

#[derive(Debug)]
struct Call {
    id: String,
    name: String,
    answered: bool,
}

impl Calls {
    /// The id of a call that is made.
    fn made(&mut self, id: Option<&str>, name: &str) -> String {
        let id = id.map_or_else(|| format!("call_{}", self.0.len()), str::to_owned);
        self.0.push(Call { id: id.clone(), name: name.to_owned(), answered: false });
        id
    }

    /// The id of the call that is answered: without an id, the first of its name that was not; else the last.
    fn answered(&mut self, id: Option<&str>, name: &str) -> String {
        let is_it = |call: &Call| id.map_or(call.name == name && !call.answered, |id| call.id == id);
        let known = self.0.iter().position(is_it);
        let known = known.or_else(|| self.0.iter().rposition(|call| id.is_none() && call.name == name));
        match known.and_then(|at| self.0.get_mut(at)) {
            Some(call) => {
                call.answered = true;
                call.id.clone()
            }
            None => id.unwrap_or(name).to_owned(),
        }
    }
}

/// What a list holds. Where protobuf wants a list its JSON takes one element too.
pub(super) fn elements<'a>(members: &mut Members<'a, '_>, name: &'static str) -> Result<&'a [Value], BadRequest> {
    let list = members.typed(name, "a list", |value| match value {
        Value::Array(all) => Some(all.as_slice()),
        Value::Object(_) => Some(std::slice::from_ref(value)),
        _ => None,
    })?;
    Ok(list.unwrap_or_default())
}

/// Reads `systemInstruction`.
pub(super) fn read_system(
    content: &Value,
    at: &Path<'_>,
    request: &mut Request,
    used: &mut Used,
) -> Result<(), BadRequest> {
    if let Some(text) = content.as_str() {
        request.say(Message::new(Role::System, vec![Part::text(text)]));
        return Ok(());
    }
    let mut members = Members::of(content, at)?;
    members.text("role")?;
    let (mut parts, mut results) = (Vec::new(), Vec::new());
    read_parts(&mut members, &mut Calls::default(), &mut (&mut parts, &mut results), used)?;
    members.leave(&[], used);
    if !parts.is_empty() {
        request.say(Message::new(Role::System, parts));
    }
    Ok(())
}

/// Reads a content and adds it: results of tools first, then what else there is.
pub(super) fn read(
    content: &Value,
    at: &Path<'_>,
    (request, calls): (&mut Request, &mut Calls),
    used: &mut Used,
) -> Result<(), BadRequest> {
    let mut members = Members::of(content, at)?;
    let role = match members.text("role")? {
        None | Some("user" | "function" | "tool") => Role::User,
        Some("model") => Role::Assistant,
        Some(role) => {
            let right = "user or model; what the system says goes into systemInstruction";
            return Err(at.key("role").wrong(right, &role.into()));
        }
    };
    // A client that keeps the chunks of a stream sends each as a content of its own.
    let mut parts = match request.messages.pop_if(|last| role == Role::Assistant && last.role == role) {
        Some(last) => last.parts,
        None => Vec::new(),
    };
    let mut results = Vec::new();
    read_parts(&mut members, calls, &mut (&mut parts, &mut results), used)?;
    members.leave(&[], used);
    for (role, parts) in [(Role::Tool, results), (role, parts)] {
        if !parts.is_empty() {
            request.say(Message::new(role, parts));
        }
    }
    Ok(())
}

/// Writes the conversation. What the system says later is said at the front, for it has no other place.
pub(super) fn write(request: &Request, body: &mut Map<String, Value>) {
    let of_system = |message: &&Message| message.role == Role::System;
    let system = request.messages.iter().filter(of_system).flat_map(|message| &message.parts);
    let system: Vec<Value> = system.filter_map(write_asked).collect();
    if !system.is_empty() {
        body.insert("systemInstruction".to_owned(), json!({"parts": system}));
    }
    let names = tools_of(request);
    let ids = !ids_go_without_saying(request, &names);
    let said = request.messages.iter().filter(|message| message.role != Role::System);
    let contents = said.filter_map(|message| {
        let (role, parts) = match message.role {
            Role::Assistant => ("model", said::write(&message.parts, ids).parts),
            Role::Tool => {
                let results = message.parts.iter().filter_map(|part| write_result(part, &names, ids));
                ("user", results.collect())
            }
            Role::User | Role::System => ("user", message.parts.iter().filter_map(write_asked).collect()),
        };
        (!parts.is_empty()).then(|| moved([("role", role.into()), ("parts", parts.into())]))
    });
    body.insert("contents".to_owned(), contents.collect::<Vec<_>>().into());
}

fn write_asked(part: &Part) -> Option<Value> {
    match part {
        Part::Text(text) => Some(json!({"text": text.text})),
        Part::Refusal(text) => Some(json!({"text": text})),
        part => media::write(part),
    }
}

fn write_result(part: &Part, names: &BTreeMap<&str, &str>, ids: bool) -> Option<Value> {
    let Part::ToolResult(ToolResult { call, parts, failed, .. }) = part else { return None };
    let mut members = Map::new();
    if ids {
        members.insert("id".to_owned(), call.as_str().into());
    }
    members.insert("name".to_owned(), names.get(call.as_str()).copied().unwrap_or(call).into());
    let (response, beside) = result::write(parts, *failed);
    members.insert("response".to_owned(), response);
    if !beside.is_empty() {
        members.insert("parts".to_owned(), beside.into());
    }
    Some(moved([("functionResponse", members.into())]))
}

/// The name of the tool that each call is of.
fn tools_of(request: &Request) -> BTreeMap<&str, &str> {
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    let calls = parts.filter_map(|part| match part {
        Part::ToolCall(call) => Some((call.id.as_str(), call.name.as_str())),
        _ => None,
    });
    calls.collect()
}

/// Whether a reader would give every call and every result the very id that it has. Then none is written: models before
/// Gemini 3 have none.
fn ids_go_without_saying(request: &Request, names: &BTreeMap<&str, &str>) -> bool {
    let mut calls = Calls::default();
    request.messages.iter().flat_map(|message| &message.parts).all(|part| match part {
        Part::ToolCall(call) => calls.made(None, &call.name) == call.id,
        Part::ToolResult(ToolResult { call, .. }) => {
            names.get(call.as_str()).is_some_and(|name| calls.answered(None, name) == *call)
        }
        _ => true,
    })
}

/// Reads `parts` into what is said, and the results of tools.
fn read_parts(
    members: &mut Members<'_, '_>,
    calls: &mut Calls,
    (said, results): &mut (&mut Vec<Part>, &mut Vec<Part>),
    used: &mut Used,
) -> Result<(), BadRequest> {
    let parts = elements(members, "parts")?;
    let at = members.path().key("parts");
    for (index, part) in parts.iter().enumerate() {
        let at = at.index(index);
        let mut members = Members::of(part, &at)?;
        let is_thought = members.flag("thought")?.unwrap_or_default();
        let signature = members.text("thoughtSignature")?.filter(|text| !text.is_empty()).map(str::to_owned);
        if signature.is_some() || is_thought {
            used.note(Feature::Thoughts, at.to_string());
        }
        if let Some(result) = members.take("functionResponse") {
            results.push(Part::ToolResult(read_result(result, &at.key("functionResponse"), calls, used)?));
        }
        let part = read_said(&mut members, calls, used)?;
        said::add(said, part, is_thought, signature);
        members.leave(&HINTS, used);
    }
    Ok(())
}

/// Reads what a part says: a text, a call, or media.
fn read_said(members: &mut Members<'_, '_>, calls: &mut Calls, used: &mut Used) -> Result<Option<Part>, BadRequest> {
    let at = members.path();
    let text = members.text("text")?.map(Part::text);
    let call = members.take("functionCall");
    let call = call.map(|call| read_call(call, &at.key("functionCall"), calls, used)).transpose()?;
    let inline = members.take("inlineData");
    let inline = inline.map(|blob| media::read_inline(blob, &at.key("inlineData"), used)).transpose()?;
    let file = members.take("fileData");
    let file = file.map(|blob| media::read_file(blob, &at.key("fileData"), used)).transpose()?;
    Ok(text.or(call).or(inline.or(file).map(|(_, part)| part)))
}

fn read_call(call: &Value, at: &Path<'_>, calls: &mut Calls, used: &mut Used) -> Result<Part, BadRequest> {
    let mut members = Members::of(call, at)?;
    let name = members.needed_text("name", "name the function")?.to_owned();
    let id = calls.made(members.text("id")?.filter(|id| !id.is_empty()), &name);
    members.typed("args", "an object", |args| args.is_object().then_some(()))?;
    members.leave(&["willContinue"], used);
    used.note(Feature::Tools, at.to_string());
    Ok(Part::ToolCall(ToolCall { id, name, arguments: said::read_arguments(call), free: false }))
}

fn read_result(response: &Value, at: &Path<'_>, calls: &mut Calls, used: &mut Used) -> Result<ToolResult, BadRequest> {
    let mut members = Members::of(response, at)?;
    let name = members.needed_text("name", "name the function")?;
    let call = calls.answered(members.text("id")?.filter(|id| !id.is_empty()), name);
    let said = members.take("response");
    let (mut beside, parts_at) = (Vec::new(), at.key("parts"));
    for (index, part) in elements(&mut members, "parts")?.iter().enumerate() {
        let part_at = parts_at.index(index);
        let mut part = Members::of(part, &part_at)?;
        if let Some(blob) = part.take("inlineData") {
            beside.push(media::read_inline(blob, &part_at.key("inlineData"), used)?);
        }
        if let Some(blob) = part.take("fileData") {
            beside.push(media::read_file(blob, &part_at.key("fileData"), used)?);
        }
        part.leave(&HINTS, used);
    }
    members.leave(&["scheduling", "willContinue"], used);
    if !beside.is_empty() {
        used.note(Feature::ToolMedia, parts_at.to_string());
    }
    let (parts, failed) = result::read(said.unwrap_or(&json!({})), beside);
    if failed {
        used.note(Feature::ToolErrors, at.key("response").to_string());
    }
    Ok(ToolResult { call, parts, failed, cache: None })
}
