//! A request: the body of a call to Converse, whole or streamed.

use super::field::Field;
use super::{block, extra, message};
use crate::chat::{Feature, Format, Part, Request, Tool, ToolCall, ToolChoice, Used};
use crate::dialect::BadRequest;
use crate::units::Tokens;
use serde_json::{Map, Number, Value, json};

/// Where one of Anthropic's models tells which stop sequence came.
const STOP_SEQUENCE: &str = "/stop_sequence";

/// Writes a request; its model and whether it streams stand in its [`super::path`].
///
/// Bedrock demands the tools of every call in the history: those that the request does not describe are described as
/// taking anything. That no tool is to be called only Anthropic's models can be told; for others there are then no
/// tools, unless the history calls some.
pub fn write(request: &Request) -> Value {
    let (system, messages) = message::write(request);
    let no_tools = request.tool_choice == Some(ToolChoice::None) || request.tools.is_empty();
    let tools = write_tools(request);
    let extra = extra::write(request, no_tools && !tools.is_empty());
    let mut body = Map::new();
    let mut say = |name: &str, value: Value| drop(body.insert(name.to_owned(), value));
    if !system.is_empty() {
        say("system", system.into());
    }
    say("messages", messages.into());
    let inference = write_inference(request);
    if !inference.is_empty() {
        say("inferenceConfig", inference.into());
    }
    if !tools.is_empty() {
        say("toolConfig", tools.into());
    }
    if let Format::Schema { name, description, schema, .. } = &request.format {
        let mut definition = Map::from_iter([("schema".to_owned(), schema.to_string().into())]);
        definition.insert("name".to_owned(), name.as_str().into());
        definition.extend(description.as_deref().map(|text| ("description".to_owned(), text.into())));
        let structure = json!({"jsonSchema": definition});
        say("outputConfig", json!({"textFormat": {"type": "json_schema", "structure": structure}}));
    }
    if !extra.is_empty() {
        say("additionalModelRequestFields", extra.into());
    }
    if !request.stop.is_empty() && extra::is_anthropic(&request.model) {
        say("additionalModelResponseFieldPaths", json!([STOP_SEQUENCE]));
    }
    body.into()
}

/// Reads a request. Its model and whether it streams are not in its body.
///
/// # Errors
/// [`BadRequest`] for the first field that is of a wrong type.
pub fn read(body: &Value) -> Result<(Request, Used), BadRequest> {
    let body = Field::root(body);
    let (mut request, mut used) = (Request { choices: 1, ..Request::default() }, Used::default());
    let known = [
        "system",
        "messages",
        "inferenceConfig",
        "toolConfig",
        "outputConfig",
        "additionalModelRequestFields",
        "additionalModelResponseFieldPaths",
        "requestMetadata",
    ];
    body.note_others(&known, Feature::Foreign, &mut used)?;
    message::read_system(&body, &mut request, &mut used)?;
    for message in body.list("messages")? {
        message::read(&message, &mut request, &mut used)?;
    }
    if let Some(config) = body.get("inferenceConfig") {
        read_inference(&config, &mut request, &mut used)?;
    }
    if let Some(config) = body.get("toolConfig") {
        read_tools(&config, &mut request, &mut used)?;
    }
    if let Some(config) = body.get("outputConfig") {
        read_output(&config, &mut request, &mut used)?;
    }
    if let Some(extra) = body.get("additionalModelRequestFields") {
        extra::read(&extra, &mut request, &mut used)?;
    }
    for path in body.list("additionalModelResponseFieldPaths")? {
        if path.value != STOP_SEQUENCE {
            used.note(Feature::Hint, path.path);
        }
    }
    if let Some(metadata) = body.get("requestMetadata") {
        used.note(Feature::Hint, metadata.path);
    }
    Ok((request, used))
}

fn write_inference(request: &Request) -> Map<String, Value> {
    let number = |number: &Option<Number>| number.clone().map(Value::Number);
    let members = [
        ("maxTokens", request.output_cap.map(|cap| cap.get().into())),
        ("temperature", number(&request.sampling.temperature)),
        ("topP", number(&request.sampling.top_p)),
        ("stopSequences", (!request.stop.is_empty()).then(|| request.stop.clone().into())),
    ];
    members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn read_inference(config: &Field<'_>, request: &mut Request, used: &mut Used) -> Result<(), BadRequest> {
    config.note_others(&["maxTokens", "temperature", "topP", "stopSequences"], Feature::Foreign, used)?;
    let number = |name: &str| {
        let field = config.get(name);
        field.map(|field| field.value.as_number().cloned().ok_or_else(|| field.bad("a number"))).transpose()
    };
    (request.sampling.temperature, request.sampling.top_p) = (number("temperature")?, number("topP")?);
    if let Some(cap) = config.get("maxTokens") {
        request.output_cap = Some(Tokens::new(cap.value.as_u64().ok_or_else(|| cap.bad("a whole number"))?));
    }
    for stop in config.list("stopSequences")? {
        request.stop.push(stop.text()?.to_owned());
    }
    if !request.stop.is_empty() {
        used.note(Feature::Stop, format!("{}.stopSequences", config.path));
    }
    Ok(())
}

fn write_tools(request: &Request) -> Map<String, Value> {
    let shown = extra::is_anthropic(&request.model) || request.tool_choice != Some(ToolChoice::None);
    let mut tools: Vec<Tool> = request.tools.iter().filter(|tool| shown && !tool.free).cloned().collect();
    for part in request.messages.iter().flat_map(|message| &message.parts) {
        let Part::ToolCall(ToolCall { name, .. }) = part else { continue };
        if !tools.iter().any(|tool| tool.name == *name) {
            let known = request.tools.iter().find(|tool| tool.name == *name && !tool.free).cloned();
            tools.push(known.unwrap_or_else(|| Tool { name: name.clone(), ..Tool::default() }));
        }
    }
    let written = |tool: &Tool| [Some(write_tool(tool)), tool.cache.map(block::write_cache)];
    let tools: Vec<Value> = tools.iter().flat_map(written).flatten().collect();
    let mut config = Map::new();
    if tools.is_empty() {
        return config;
    }
    config.insert("tools".to_owned(), tools.into());
    let choice = match &request.tool_choice {
        _ if request.tools.is_empty() => None,
        None | Some(ToolChoice::None) => None,
        Some(ToolChoice::Auto) => Some(json!({"auto": {}})),
        Some(ToolChoice::Any) => Some(json!({"any": {}})),
        Some(ToolChoice::One(name)) => Some(json!({"tool": {"name": name}})),
    };
    config.extend(choice.map(|choice| ("toolChoice".to_owned(), choice)));
    config
}

fn write_tool(tool: &Tool) -> Value {
    let schema = tool.parameters.clone().unwrap_or_else(no_parameters);
    let mut spec = Map::from_iter([("name".to_owned(), tool.name.as_str().into())]);
    let description = tool.description.as_deref().filter(|text| !text.is_empty());
    spec.extend(description.map(|text| ("description".to_owned(), text.into())));
    spec.insert("inputSchema".to_owned(), json!({"json": schema}));
    spec.extend(tool.strict.map(|strict| ("strict".to_owned(), strict.into())));
    json!({"toolSpec": spec})
}

/// The schema of a tool that takes nothing.
fn no_parameters() -> Value {
    json!({"type": "object", "properties": {}})
}

fn read_tools(config: &Field<'_>, request: &mut Request, used: &mut Used) -> Result<(), BadRequest> {
    config.note_others(&["tools", "toolChoice"], Feature::Foreign, used)?;
    for tool in config.list("tools")? {
        if let Some(cache) = block::read_cache(tool.value) {
            used.note(Feature::CacheControl, format!("{}.cachePoint", tool.path));
            request.tools.iter_mut().next_back().into_iter().for_each(|tool| tool.cache = Some(cache));
            continue;
        }
        let Some(spec) = tool.get("toolSpec") else {
            used.note(Feature::Foreign, tool.path);
            continue;
        };
        let schema = spec.get("inputSchema").and_then(|schema| schema.get("json"));
        let parameters = schema.map(|json| json.value.clone()).filter(|schema| *schema != no_parameters());
        let description = spec.get("description").map(|field| field.text().map(str::to_owned)).transpose()?;
        let strict = spec.get("strict").and_then(|field| field.value.as_bool());
        let name = spec.text_of("name")?.to_owned();
        request.tools.push(Tool { name, description, parameters, strict, ..Tool::default() });
        used.note(Feature::Tools, format!("{}.tools", config.path));
    }
    let Some(choice) = config.get("toolChoice") else { return Ok(()) };
    request.tool_choice = Some(match choice.map()?.keys().next().map(String::as_str) {
        Some("auto") => ToolChoice::Auto,
        Some("any") => ToolChoice::Any,
        Some("tool") => ToolChoice::One(choice.get("tool").as_ref().unwrap_or(&choice).text_of("name")?.to_owned()),
        _ => return Err(choice.bad("auto, any or tool")),
    });
    if request.tool_choice != Some(ToolChoice::Auto) {
        used.note(Feature::ToolChoice, choice.path);
    }
    Ok(())
}

fn read_output(config: &Field<'_>, request: &mut Request, used: &mut Used) -> Result<(), BadRequest> {
    config.note_others(&["textFormat"], Feature::Foreign, used)?;
    let Some(format) = config.get("textFormat") else { return Ok(()) };
    let definition = format.get("structure").and_then(|structure| structure.get("jsonSchema"));
    let definition = definition.ok_or_else(|| format.bad("a json_schema with a structure"))?;
    let schema = serde_json::from_str(definition.text_of("schema")?);
    let schema = schema.map_err(|_| definition.bad("given `schema`, the text of a JSON schema"))?;
    let name = definition.text_of("name")?.to_owned();
    let description = definition.get("description").map(|field| field.text().map(str::to_owned)).transpose()?;
    request.format = Format::Schema { name, description, schema, strict: None };
    used.note(Feature::JsonSchema, format.path);
    Ok(())
}
