//! A request for a message: read from a client, and written for a provider.

use super::{message, reasoning, tool};
use crate::chat::{Feature, Format, Request, Used};
use crate::dialect::BadRequest;
use crate::dialect::members::{Members, Path};
use crate::units::Tokens;
use serde_json::{Map, Value, json};

/// The cap of a request that has none, for the API demands one; a budget of thought comes on top.
const OUTPUT_CAP: Tokens = Tokens::new(16_384);
/// What the answer does not depend on and no other dialect has.
const HINTS: [&str; 3] = ["cache_control", "diagnostics", "service_tier"];
/// The name of the schema of a client that cannot name it.
const SCHEMA_NAME: &str = "answer";

/// Reads the request `body`, and what it uses, by the paths of its fields.
///
/// The API's answers always fit the schema; here `strict` is left open, as others know fewer schemas strictly.
///
/// # Errors
/// [`BadRequest`] for the first field that is of the wrong type, or missing.
pub fn read(body: &Value) -> Result<(Request, Used), BadRequest> {
    let mut used = Used::default();
    let mut members = Members::of(body, &Path::ROOT)?;
    let mut request = Request { choices: 1, ..Request::default() };
    request.model = members.needed_text("model", "name the model to call")?.to_owned();
    message::read_system(&mut members, &mut request, &mut used)?;
    let messages = members.list("messages")?.ok_or_else(|| members.missing("messages", "give what was said so far"))?;
    let at = members.path().key("messages");
    for (index, said) in messages.iter().enumerate() {
        message::read(said, &at.index(index), &mut request, &mut used)?;
    }
    tool::read(&mut members, &mut request, &mut used)?;
    request.output_cap = members.whole("max_tokens")?.map(Tokens::new);
    let config_at = members.path().key("output_config");
    let config = members.take("output_config").map(|config| Members::of(config, &config_at)).transpose()?;
    read_output(&mut members, config, &mut request, &mut used)?;
    read_sampling(&mut members, &mut request, &mut used)?;
    read_rest(&mut members, &mut request, &mut used)?;
    members.leave(&HINTS, &mut used);
    Ok((request, used))
}

/// Writes `request`. Without a cap it has 16,384 tokens and its budget of thought.
///
/// Nobody but the API's own clients names a schema in vain: a schema's name and description have no place here.
pub fn write(request: &Request) -> Value {
    let cap = request.output_cap.unwrap_or_else(|| {
        let budget = request.reasoning.as_ref().and_then(|reasoning| reasoning.budget);
        OUTPUT_CAP.plus(budget.unwrap_or_default())
    });
    let (thinking, effort) = reasoning::write(request.reasoning.as_ref(), &request.model, cap);
    let mut config = Map::new();
    config.extend(effort.map(|effort| ("effort".to_owned(), effort.into())));
    if let Format::Schema { schema, .. } = &request.format {
        config.insert("format".to_owned(), json!({"type": "json_schema", "schema": schema}));
    }
    let mut body = Map::new();
    let mut put = |name: &str, value: Option<Value>| body.extend(value.map(|value| (name.to_owned(), value)));
    put("model", Some(request.model.as_str().into()));
    put("max_tokens", Some(cap.get().into()));
    put("system", message::write_system(request));
    put("messages", Some(message::write(request).into()));
    put("tools", tool::write(request));
    put("tool_choice", tool::write_choice(request));
    put("thinking", thinking);
    put("output_config", (!config.is_empty()).then(|| config.into()));
    put("stop_sequences", (!request.stop.is_empty()).then(|| request.stop.clone().into()));
    put("temperature", request.sampling.temperature.clone().map(Value::Number));
    put("top_p", request.sampling.top_p.clone().map(Value::Number));
    put("top_k", request.sampling.top_k.map(Value::from));
    put("metadata", request.user.as_deref().map(|user| json!({"user_id": user})));
    put("stream", request.stream.then_some(true.into()));
    body.into()
}

/// Reads how hard is thought and what form the answer has: in `output_config`, the form also by its older place.
fn read_output(
    members: &mut Members<'_, '_>,
    mut config: Option<Members<'_, '_>>,
    request: &mut Request,
    used: &mut Used,
) -> Result<(), BadRequest> {
    reasoning::read(members, config.as_mut(), request, used)?;
    if let Some(mut config) = config {
        let at = config.path().key("format");
        if let Some(format) = config.take("format") {
            request.format = read_format(format, &at, used)?;
        }
        config.leave(&[], used);
    }
    if request.format == Format::Text {
        let at = members.path().key("output_format");
        if let Some(format) = members.take("output_format") {
            request.format = read_format(format, &at, used)?;
        }
    }
    Ok(())
}

fn read_format(format: &Value, at: &Path<'_>, used: &mut Used) -> Result<Format, BadRequest> {
    let mut members = Members::of(format, at)?;
    if members.needed_text("type", "give json_schema")? != "json_schema" {
        used.note(Feature::Foreign, at.to_string());
        return Ok(Format::Text);
    }
    used.note(Feature::JsonSchema, at.to_string());
    let schema = members.typed("schema", "a JSON schema: an object", |it| it.is_object().then(|| it.clone()))?;
    let schema = schema.ok_or_else(|| members.missing("schema", "give the JSON schema"))?;
    members.leave(&[], used);
    Ok(Format::Schema { name: SCHEMA_NAME.to_owned(), description: None, schema, strict: None })
}

fn read_sampling(members: &mut Members<'_, '_>, request: &mut Request, used: &mut Used) -> Result<(), BadRequest> {
    request.sampling.temperature = members.number("temperature")?;
    request.sampling.top_p = members.number("top_p")?;
    request.sampling.top_k = members.whole("top_k")?;
    if request.sampling.top_k.is_some() {
        members.note(Feature::TopK, "top_k", used);
    }
    let texts = |stop: &Value| stop.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect();
    request.stop = members.typed("stop_sequences", "a list of strings", texts)?.unwrap_or_default();
    if !request.stop.is_empty() {
        members.note(Feature::Stop, "stop_sequences", used);
    }
    Ok(())
}

/// Reads whether the answer is a stream, for whom it is, and how fast.
fn read_rest(members: &mut Members<'_, '_>, request: &mut Request, used: &mut Used) -> Result<(), BadRequest> {
    request.stream = members.flag("stream")?.unwrap_or_default();
    let at = members.path().key("metadata");
    if let Some(metadata) = members.take("metadata") {
        let names: Vec<&str> = metadata.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        let mut metadata = Members::of(metadata, &at)?;
        request.user = metadata.text("user_id")?.map(str::to_owned);
        if request.user.is_some() {
            metadata.note(Feature::User, "user_id", used);
        }
        metadata.leave(&names, used);
    }
    if members.text("speed")?.is_some_and(|speed| speed != "standard") {
        members.note(Feature::Foreign, "speed", used);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
