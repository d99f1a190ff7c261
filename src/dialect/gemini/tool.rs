//! Tools, and which of them must be called.

use super::content::elements;
use super::schema::to_json_schema;
use crate::chat::{Feature, Request, Tool, ToolChoice, Used};
use crate::dialect::BadRequest;
use crate::dialect::members::{Members, Path};
use serde_json::{Map, Value, json};

/// What of a function no answer depends on: what it returns, and how a live session waits for it.
const HINTS: [&str; 3] = ["response", "responseJsonSchema", "behavior"];

/// Reads `tools` and `toolConfig`. Tools that Google runs are foreign.
pub(super) fn read(members: &mut Members<'_, '_>, request: &mut Request, used: &mut Used) -> Result<(), BadRequest> {
    let at = members.path().key("tools");
    for (index, tool) in elements(members, "tools")?.iter().enumerate() {
        let at = at.index(index);
        let mut tool = Members::of(tool, &at)?;
        let functions_at = at.key("functionDeclarations");
        for (index, function) in elements(&mut tool, "functionDeclarations")?.iter().enumerate() {
            used.note(Feature::Tools, functions_at.to_string());
            request.tools.push(read_function(function, &functions_at.index(index), used)?);
        }
        tool.leave(&[], used);
    }
    let at = members.path().key("toolConfig");
    if let Some(config) = members.take("toolConfig") {
        let mut config = Members::of(config, &at)?;
        let at = at.key("functionCallingConfig");
        if let Some(calling) = config.take("functionCallingConfig") {
            request.tool_choice = read_choice(calling, &at, used)?;
        }
        config.leave(&["includeServerSideToolInvocations"], used);
    }
    if request.tool_choice.as_ref().is_some_and(|choice| *choice != ToolChoice::Auto) {
        used.note(Feature::ToolChoice, at.key("functionCallingConfig").to_string());
    }
    Ok(())
}

/// Writes tools and their choice. A schema is written as the JSON schema that it is, so that nothing of it is lost. Whether
/// arguments must fit exactly has no place.
pub(super) fn write(request: &Request, body: &mut Map<String, Value>) {
    if !request.tools.is_empty() {
        let functions: Vec<Value> = request.tools.iter().map(write_function).collect();
        body.insert("tools".to_owned(), json!([{"functionDeclarations": functions}]));
    }
    let config = request.tool_choice.as_ref().map(|choice| match choice {
        ToolChoice::Auto => json!({"mode": "AUTO"}),
        ToolChoice::None => json!({"mode": "NONE"}),
        ToolChoice::Any => json!({"mode": "ANY"}),
        ToolChoice::One(name) => json!({"mode": "ANY", "allowedFunctionNames": [name]}),
    });
    body.extend(config.map(|config| ("toolConfig".to_owned(), json!({"functionCallingConfig": config}))));
}

fn read_function(function: &Value, at: &Path<'_>, used: &mut Used) -> Result<Tool, BadRequest> {
    let mut members = Members::of(function, at)?;
    let name = members.needed_text("name", "name the function")?.to_owned();
    let description = members.text("description")?.map(str::to_owned);
    let schema = |value: &Value| value.is_object().then(|| value.clone());
    let own = members.typed("parameters", "a schema: an object", schema)?;
    let json = members.typed("parametersJsonSchema", "a JSON schema: an object", schema)?;
    members.leave(&HINTS, used);
    let parameters = json.or(own.map(|own| to_json_schema(&own)));
    Ok(Tool { name, description, parameters, ..Tool::default() })
}

/// Reads which tools must be called. Several by name, but not all, can be said by no one else. `VALIDATED` leaves the
/// choice to the model, as `AUTO` does.
fn read_choice(calling: &Value, at: &Path<'_>, used: &mut Used) -> Result<Option<ToolChoice>, BadRequest> {
    let mut members = Members::of(calling, at)?;
    let names = members.list("allowedFunctionNames")?.unwrap_or_default();
    let mode = members.text("mode")?.unwrap_or("MODE_UNSPECIFIED").to_ascii_uppercase();
    let (choice, has_names) = match (mode.as_str(), names) {
        ("ANY", [Value::String(name)]) => (Some(ToolChoice::One(name.clone())), false),
        ("ANY", _) => (Some(ToolChoice::Any), !names.is_empty()),
        ("NONE", _) => (Some(ToolChoice::None), false),
        ("AUTO" | "VALIDATED", _) => (Some(ToolChoice::Auto), !names.is_empty()),
        ("MODE_UNSPECIFIED", _) => (None, !names.is_empty()),
        _ => return Err(at.key("mode").wrong("one of AUTO, ANY, NONE, VALIDATED", &mode.into())),
    };
    if has_names {
        members.note(Feature::Foreign, "allowedFunctionNames", used);
    }
    members.leave(&["streamFunctionCallArguments"], used);
    Ok(choice)
}

fn write_function(tool: &Tool) -> Value {
    let mut members = Map::from_iter([("name".to_owned(), tool.name.as_str().into())]);
    members.extend(tool.description.as_deref().map(|text| ("description".to_owned(), text.into())));
    members.extend(tool.parameters.clone().map(|schema| ("parametersJsonSchema".to_owned(), schema)));
    members.into()
}
