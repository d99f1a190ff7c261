//! Tools, which of them must be called, and the calls of them.

use super::part::read_cache;
use crate::chat::{Feature, Part, Request, Tool, ToolCall, ToolChoice, Used};
use crate::dialect::BadRequest;
use crate::dialect::members::{Members, Path};
use serde_json::{Map, Value, json};

/// Reads `tools`, `tool_choice` and `parallel_tool_calls`, and the older `functions` and `function_call`.
pub(super) fn read(members: &mut Members<'_, '_>, request: &mut Request, used: &mut Used) -> Result<(), BadRequest> {
    for older in [false, true] {
        let name = if older { "functions" } else { "tools" };
        let at = members.path().key(name);
        for (index, tool) in members.list(name)?.unwrap_or_default().iter().enumerate() {
            let at = at.index(index);
            let tool = if older { Some(read_function(tool, &at, used)?) } else { read_tool(tool, &at, used)? };
            request.tools.extend(tool);
        }
        if !request.tools.is_empty() {
            members.note(Feature::Tools, name, used);
        }
    }
    for name in ["tool_choice", "function_call"] {
        let Some(choice) = members.take(name) else { continue };
        let at = members.path().key(name);
        let choice = read_choice(choice, &at, used)?;
        if choice.as_ref().is_some_and(|choice| *choice != ToolChoice::Auto) {
            used.note(Feature::ToolChoice, at.to_string());
        }
        request.tool_choice = request.tool_choice.take().or(choice);
    }
    request.parallel_tools = members.flag("parallel_tool_calls")?;
    if request.parallel_tools == Some(false) {
        members.note(Feature::SingleTools, "parallel_tool_calls", used);
    }
    Ok(())
}

/// Writes what [`read`] reads, in the newer words.
pub(super) fn write(request: &Request, body: &mut Map<String, Value>) {
    if !request.tools.is_empty() {
        body.insert("tools".to_owned(), request.tools.iter().map(write_tool).collect());
    }
    let choice = request.tool_choice.as_ref().map(|choice| match choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Any => "required".into(),
        ToolChoice::One(name) if request.tools.iter().any(|tool| tool.free && tool.name == *name) => {
            json!({"type": "custom", "custom": {"name": name}})
        }
        ToolChoice::One(name) => json!({"type": "function", "function": {"name": name}}),
    });
    body.extend(choice.map(|choice| ("tool_choice".to_owned(), choice)));
    body.extend(request.parallel_tools.map(|parallel| ("parallel_tool_calls".to_owned(), parallel.into())));
}

/// Reads a call in a message; `None`: one of a kind that is not known here, which is noted.
pub(super) fn read_call(call: &Value, at: &Path<'_>, used: &mut Used) -> Result<Option<ToolCall>, BadRequest> {
    let mut members = Members::of(call, at)?;
    let id = members.needed_text("id", "give the id that its result names")?.to_owned();
    let (name, input) = match members.text("type")?.unwrap_or("function") {
        "function" => ("function", "arguments"),
        "custom" => ("custom", "input"),
        _ => {
            used.note(Feature::Foreign, at.to_string());
            return Ok(None);
        }
    };
    let inner = members.take(name).ok_or_else(|| members.missing(name, "give the tool's name and what it is given"))?;
    let inner_at = at.key(name);
    let mut inner = Members::of(inner, &inner_at)?;
    let called = inner.needed_text("name", "name the tool")?.to_owned();
    let arguments = inner.needed_text(input, "give what the tool is given, as text")?.to_owned();
    inner.leave(&["parsed_arguments"], used);
    members.leave(&["index"], used);
    Ok(Some(ToolCall { id, name: called, arguments, free: name == "custom" }))
}

/// Writes a call as it stands in a message; `None` for any other part.
pub(super) fn write_call(part: &Part) -> Option<Value> {
    let Part::ToolCall(ToolCall { id, name, arguments, free }) = part else { return None };
    if *free {
        return Some(json!({"id": id, "type": "custom", "custom": {"name": name, "input": arguments}}));
    }
    let arguments = if arguments.is_empty() { "{}" } else { arguments };
    Some(json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}))
}

fn read_tool(tool: &Value, at: &Path<'_>, used: &mut Used) -> Result<Option<Tool>, BadRequest> {
    let mut members = Members::of(tool, at)?;
    let kind = members.needed_text("type", "give \"function\" or \"custom\"")?;
    let name = match kind {
        "function" => "function",
        "custom" => "custom",
        _ => {
            used.note(Feature::Foreign, at.to_string());
            return Ok(None);
        }
    };
    let cache = read_cache(&mut members, used)?;
    let inner = members.take(name).ok_or_else(|| members.missing(name, "describe the tool"))?;
    let inner_at = at.key(name);
    let read = if kind == "function" {
        read_function(inner, &inner_at, used)?
    } else {
        used.note(Feature::FreeTools, at.to_string());
        let mut inner = Members::of(inner, &inner_at)?;
        let name = inner.needed_text("name", "name the tool")?.to_owned();
        let description = inner.text("description")?.map(str::to_owned);
        let format = inner.take("format").and_then(|format| format.get("type")).and_then(Value::as_str);
        if format.is_some_and(|format| format != "text") {
            inner.note(Feature::Foreign, "format", used);
        }
        inner.leave(&[], used);
        Tool { name, description, free: true, ..Tool::default() }
    };
    members.leave(&[], used);
    Ok(Some(Tool { cache: cache.or(read.cache), ..read }))
}

fn read_function(function: &Value, at: &Path<'_>, used: &mut Used) -> Result<Tool, BadRequest> {
    let mut members = Members::of(function, at)?;
    let name = members.needed_text("name", "name the function")?.to_owned();
    let description = members.text("description")?.map(str::to_owned);
    let parameters =
        members.typed("parameters", "a JSON schema: an object", |it| it.is_object().then(|| it.clone()))?;
    let strict = members.flag("strict")?;
    let cache = read_cache(&mut members, used)?;
    members.leave(&[], used);
    Ok(Tool { name, description, parameters, strict, free: false, cache })
}

fn read_choice(choice: &Value, at: &Path<'_>, used: &mut Used) -> Result<Option<ToolChoice>, BadRequest> {
    let right = "\"auto\", \"none\", \"required\" or {\"type\": \"function\", \"function\": {\"name\": …}}";
    let Some(word) = choice.as_str() else {
        let kind = Members::of(choice, at)?.text("type")?.map(str::to_owned);
        // The older form is the name alone.
        let inner = match kind.as_deref() {
            None => choice.get("function").unwrap_or(choice),
            Some(kind @ ("function" | "custom")) => choice.get(kind).unwrap_or(choice),
            Some(_) => {
                used.note(Feature::Foreign, at.to_string());
                return Ok(None);
            }
        };
        let name = inner.get("name").and_then(Value::as_str).ok_or_else(|| at.wrong(right, choice))?;
        return Ok(Some(ToolChoice::One(name.to_owned())));
    };
    match word {
        "auto" => Ok(Some(ToolChoice::Auto)),
        "none" => Ok(Some(ToolChoice::None)),
        "required" | "any" => Ok(Some(ToolChoice::Any)),
        _ => Err(at.wrong(right, choice)),
    }
}

fn write_tool(tool: &Tool) -> Value {
    let mut inner = Map::from_iter([("name".to_owned(), tool.name.as_str().into())]);
    inner.extend(tool.description.as_deref().map(|text| ("description".to_owned(), text.into())));
    if tool.free {
        return json!({"type": "custom", "custom": inner});
    }
    inner.extend(tool.parameters.clone().map(|schema| ("parameters".to_owned(), schema)));
    inner.extend(tool.strict.map(|strict| ("strict".to_owned(), strict.into())));
    json!({"type": "function", "function": inner})
}
