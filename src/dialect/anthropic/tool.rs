//! Tools, which of them must be called, and the ids of calls.

use super::block::{read_cache, with_cache};
use crate::chat::{Feature, Request, Tool, ToolChoice, Used};
use crate::dialect::BadRequest;
use crate::dialect::members::{Members, Path};
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// Reads `tools` and `tool_choice`. A tool that the provider runs, or that Anthropic defines, is foreign.
pub(super) fn read(members: &mut Members<'_, '_>, request: &mut Request, used: &mut Used) -> Result<(), BadRequest> {
    let at = members.path().key("tools");
    for (index, tool) in members.list("tools")?.unwrap_or_default().iter().enumerate() {
        request.tools.extend(read_tool(tool, &at.index(index), used)?);
    }
    if !request.tools.is_empty() {
        members.note(Feature::Tools, "tools", used);
    }
    let at = members.path().key("tool_choice");
    match members.take("tool_choice") {
        Some(choice) => read_choice(Members::of(choice, &at)?, request, used),
        None => Ok(()),
    }
}

/// The tools; the API refuses an empty list.
pub(super) fn write(request: &Request) -> Option<Value> {
    let tools: Vec<Value> = request.tools.iter().map(write_tool).collect();
    (!tools.is_empty()).then(|| tools.into())
}

/// What `tool_choice` is; the API refuses one without tools.
pub(super) fn write_choice(request: &Request) -> Option<Value> {
    let (choice, parallel) = (&request.tool_choice, request.parallel_tools);
    if request.tools.is_empty() || (choice.is_none() && parallel.is_none()) {
        return None;
    }
    let mut written = match choice {
        None | Some(ToolChoice::Auto) => json!({"type": "auto"}),
        Some(ToolChoice::Any) => json!({"type": "any"}),
        Some(ToolChoice::One(name)) => json!({"type": "tool", "name": name}),
        Some(ToolChoice::None) => return Some(json!({"type": "none"})),
    };
    if let (Some(parallel), Some(members)) = (parallel, written.as_object_mut()) {
        members.insert("disable_parallel_tool_use".to_owned(), (!parallel).into());
    }
    Some(written)
}

/// `id` as the API takes it: of letters, digits, `_` and `-`. Any other is written as its number, so that ids stay
/// apart; it is the same for a call and for its result.
pub(super) fn fit_id(id: &str) -> Cow<'_, str> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    match id {
        "" => "_".into(),
        _ if id.chars().all(fits) => id.into(),
        _ => {
            let written = |letter: char| {
                if fits(letter) { letter.to_string() } else { format!("_{:x}_", u32::from(letter)) }
            };
            id.chars().map(written).collect::<String>().into()
        }
    }
}

fn read_tool(tool: &Value, at: &Path<'_>, used: &mut Used) -> Result<Option<Tool>, BadRequest> {
    let mut members = Members::of(tool, at)?;
    if members.text("type")?.is_some_and(|kind| kind != "custom") {
        used.note(Feature::Foreign, at.to_string());
        return Ok(None);
    }
    let name = members.needed_text("name", "name the tool")?.to_owned();
    let description = members.text("description")?.map(str::to_owned);
    let schema = members.typed("input_schema", "a JSON schema: an object", |it| it.is_object().then_some(it))?;
    let schema = schema.ok_or_else(|| members.missing("input_schema", "give {\"type\": \"object\"}"))?;
    let strict = members.flag("strict")?;
    let cache = read_cache(&mut members, used)?;
    if members.flag("defer_loading")? == Some(true) {
        members.note(Feature::Foreign, "defer_loading", used);
    }
    let callers = members.list("allowed_callers")?.unwrap_or_default();
    if callers.iter().any(|caller| caller != "direct") {
        members.note(Feature::Foreign, "allowed_callers", used);
    }
    members.leave(&["eager_input_streaming"], used);
    let parameters = Some(schema).filter(|schema| **schema != no_parameters()).cloned();
    Ok(Some(Tool { name, description, parameters, strict, free: false, cache }))
}

fn write_tool(tool: &Tool) -> Value {
    let mut written = Map::from_iter([("name".to_owned(), tool.name.as_str().into())]);
    written.extend(tool.description.as_deref().map(|text| ("description".to_owned(), text.into())));
    let mut schema = tool.parameters.clone().unwrap_or_else(no_parameters);
    if let Some(members) = schema.as_object_mut() {
        // The API demands it.
        members.entry("type").or_insert_with(|| "object".into());
    }
    written.insert("input_schema".to_owned(), schema);
    written.extend(tool.strict.map(|strict| ("strict".to_owned(), strict.into())));
    with_cache(written, tool.cache)
}

/// The schema of a tool that takes nothing.
fn no_parameters() -> Value {
    json!({"type": "object", "properties": {}})
}

/// Reads `tool_choice`. Beside `disable_parallel_tool_use`, `auto` is there for the form alone.
fn read_choice(mut members: Members<'_, '_>, request: &mut Request, used: &mut Used) -> Result<(), BadRequest> {
    let kind = members.needed_text("type", "give auto, any, tool or none")?;
    let disabled = members.flag("disable_parallel_tool_use")?;
    let choice = match kind {
        "auto" => Some(ToolChoice::Auto).filter(|_| disabled.is_none()),
        "any" => Some(ToolChoice::Any),
        "tool" => Some(ToolChoice::One(members.needed_text("name", "name the tool to call")?.to_owned())),
        "none" => Some(ToolChoice::None),
        _ => return Err(members.path().key("type").wrong("one of auto, any, tool, none", &kind.into())),
    };
    if kind != "auto" {
        used.note(Feature::ToolChoice, members.path().to_string());
    }
    if disabled == Some(true) {
        members.note(Feature::SingleTools, "disable_parallel_tool_use", used);
    }
    (request.tool_choice, request.parallel_tools) = (choice, disabled.map(|disabled| !disabled));
    members.leave(&[], used);
    Ok(())
}
