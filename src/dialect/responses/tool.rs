//! Tools, and which of them must be called.

use crate::chat::{Feature, Request, Tool, ToolChoice, Used};
use crate::dialect::BadRequest;
use crate::dialect::members::{Members, Path};
use serde_json::{Map, Value, json};

/// Reads `tools`, `tool_choice` and `parallel_tool_calls`. Tools that the provider runs are foreign.
pub(super) fn read(members: &mut Members<'_, '_>, request: &mut Request, used: &mut Used) -> Result<(), BadRequest> {
    let at = members.path().key("tools");
    for (index, tool) in members.list("tools")?.unwrap_or_default().iter().enumerate() {
        request.tools.extend(read_tool(tool, &at.index(index), used)?);
    }
    if !request.tools.is_empty() {
        members.note(Feature::Tools, "tools", used);
    }
    if let Some(choice) = members.take("tool_choice") {
        let at = members.path().key("tool_choice");
        request.tool_choice = read_choice(choice, &at, used)?;
        if request.tool_choice.as_ref().is_some_and(|choice| *choice != ToolChoice::Auto) {
            used.note(Feature::ToolChoice, at.to_string());
        }
    }
    request.parallel_tools = members.flag("parallel_tool_calls")?;
    if request.parallel_tools == Some(false) {
        members.note(Feature::SingleTools, "parallel_tool_calls", used);
    }
    Ok(())
}

/// Writes what [`read`] reads.
///
/// Here arguments must fit a schema exactly unless that is said; everywhere else it is the other way round, so a tool that
/// says nothing of it says no.
pub(super) fn write(request: &Request, body: &mut Map<String, Value>) {
    if !request.tools.is_empty() {
        body.insert("tools".to_owned(), request.tools.iter().map(write_tool).collect());
    }
    let choice = request.tool_choice.as_ref().map(|choice| match choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Any => "required".into(),
        ToolChoice::One(name) => {
            let is_free = request.tools.iter().any(|tool| tool.free && tool.name == *name);
            json!({"type": if is_free { "custom" } else { "function" }, "name": name})
        }
    });
    body.extend(choice.map(|choice| ("tool_choice".to_owned(), choice)));
    body.extend(request.parallel_tools.map(|parallel| ("parallel_tool_calls".to_owned(), parallel.into())));
}

fn read_tool(tool: &Value, at: &Path<'_>, used: &mut Used) -> Result<Option<Tool>, BadRequest> {
    let mut members = Members::of(tool, at)?;
    let free = match members.needed_text("type", "give \"function\" or \"custom\"")? {
        "function" => false,
        "custom" => true,
        _ => {
            used.note(Feature::Foreign, at.to_string());
            return Ok(None);
        }
    };
    let mut read = Tool { name: members.needed_text("name", "name the tool")?.to_owned(), free, ..Tool::default() };
    read.description = members.text("description")?.map(str::to_owned);
    if free {
        used.note(Feature::FreeTools, at.to_string());
        let form = members.take("format").and_then(|format| format.get("type")).and_then(Value::as_str);
        if form.is_some_and(|form| form != "text") {
            members.note(Feature::Foreign, "format", used);
        }
    } else {
        let schema = |it: &Value| it.is_object().then(|| it.clone());
        read.parameters = members.typed("parameters", "a JSON schema: an object", schema)?;
        read.strict = members.flag("strict")?;
    }
    for name in ["async", "defer_loading"] {
        if members.flag(name)? == Some(true) {
            members.note(Feature::Foreign, name, used);
        }
    }
    members.leave(&[], used);
    Ok(Some(read))
}

fn read_choice(choice: &Value, at: &Path<'_>, used: &mut Used) -> Result<Option<ToolChoice>, BadRequest> {
    let right = "\"auto\", \"none\", \"required\" or {\"type\": \"function\", \"name\": …}";
    if let Some(word) = choice.as_str() {
        return match word {
            "auto" => Ok(Some(ToolChoice::Auto)),
            "none" => Ok(Some(ToolChoice::None)),
            "required" => Ok(Some(ToolChoice::Any)),
            _ => Err(at.wrong(right, choice)),
        };
    }
    let mut members = Members::of(choice, at)?;
    if !matches!(members.needed_text("type", "give \"function\" or \"custom\"")?, "function" | "custom") {
        used.note(Feature::Foreign, at.to_string());
        return Ok(None);
    }
    let name = members.needed_text("name", "name the tool")?;
    Ok(Some(ToolChoice::One(name.to_owned())))
}

fn write_tool(tool: &Tool) -> Value {
    let kind = if tool.free { "custom" } else { "function" };
    let mut written =
        Map::from_iter([("type".to_owned(), kind.into()), ("name".to_owned(), tool.name.as_str().into())]);
    written.extend(tool.description.as_deref().map(|text| ("description".to_owned(), text.into())));
    if !tool.free {
        written.insert("parameters".to_owned(), tool.parameters.clone().unwrap_or(Value::Null));
        written.insert("strict".to_owned(), tool.strict.unwrap_or(false).into());
    }
    written.into()
}
