//! A request for a response: read from a client, and written for a provider.

use super::{item, tool, write};
use crate::chat::{Effort, Feature, Format, Message, Part, Reasoning, Request, Role, Thought, Used};
use crate::dialect::BadRequest;
use crate::dialect::members::{Members, Path};
use crate::units::Tokens;
use serde_json::{Map, Value, json};

/// What the answer does not depend on and no other dialect has.
const HINTS: [&str; 4] = ["metadata", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"];
/// What names a conversation that the provider keeps: then there may be no `input`.
const KEPT: [&str; 3] = ["previous_response_id", "conversation", "prompt"];
/// Asks for the log probabilities of what is said.
const LOGPROBS: &str = "message.output_text.logprobs";
/// Asks for reasoning whole and sealed, which must come back with the next request.
const SEALED: &str = "reasoning.encrypted_content";

/// Reads the request `body`, and what it uses, by the paths of its fields.
///
/// `instructions` is what the system says first. That the answer is not stored goes without saying.
///
/// # Errors
/// [`BadRequest`] for the first field that is of the wrong type, or missing.
pub fn read(body: &Value) -> Result<(Request, Used), BadRequest> {
    let mut used = Used::default();
    let mut members = Members::of(body, &Path::ROOT)?;
    let mut request = Request { choices: 1, ..Request::default() };
    request.model = members.needed_text("model", "name the model to call")?.to_owned();
    tool::read(&mut members, &mut request, &mut used)?;
    if let Some(text) = members.text("instructions")?.filter(|text| !text.is_empty()) {
        request.say(Message::new(Role::System, vec![Part::text(text)]));
    }
    read_input(body, &mut members, &mut request, &mut used)?;
    read_text(&mut members, &mut request, &mut used)?;
    read_reasoning(&mut members, &mut request, &mut used)?;
    request.output_cap = members.whole("max_output_tokens")?.map(Tokens::new);
    request.sampling.temperature = members.number("temperature")?;
    request.sampling.top_p = members.number("top_p")?;
    read_include(&mut members, &mut request, &mut used)?;
    read_rest(&mut members, &mut request, &mut used)?;
    members.leave(&HINTS, &mut used);
    Ok((request, used))
}

/// Writes `request`. Nothing is stored; of a model that thinks, its thoughts are asked for sealed.
///
/// A budget of thought is an effort here: none at all for 0, `minimal` up to 1,024 tokens, `low` up to 4,096, `medium` up to
/// 16,384, else `high`.
pub fn write(request: &Request) -> Value {
    let mut body = Map::new();
    let mut put = |name: &str, value: Option<Value>| body.extend(value.map(|value| (name.to_owned(), value)));
    let (instructions, input) = write::input(request);
    put("model", Some(request.model.as_str().into()));
    put("instructions", instructions.map(Value::from));
    put("input", Some(input.into()));
    put("max_output_tokens", request.output_cap.map(|cap| cap.get().into()));
    put("text", write_format(&request.format).map(|format| json!({"format": format})));
    put("reasoning", request.reasoning.as_ref().map(write_reasoning));
    let sampling = &request.sampling;
    put("temperature", sampling.temperature.clone().map(Value::Number));
    put("top_p", sampling.top_p.clone().map(Value::Number));
    put("top_logprobs", sampling.logprobs.filter(|count| *count > 0).map(Value::from));
    let included = [(SEALED, thinks(request)), (LOGPROBS, sampling.logprobs.is_some())];
    let included: Vec<Value> = included.into_iter().filter(|(_, is)| *is).map(|(name, _)| name.into()).collect();
    put("include", (!included.is_empty()).then(|| included.into()));
    put("user", request.user.as_deref().map(Value::from));
    put("stream", request.stream.then_some(true.into()));
    put("store", Some(false.into()));
    tool::write(request, &mut body);
    body.into()
}

/// Whether the model thinks, as far as the request tells: a model that does not refuses to be asked for its thoughts.
fn thinks(request: &Request) -> bool {
    let is_signed = |part: &Part| matches!(part, Part::Thought(Thought { signature: Some(signature), .. }) if !signature.is_empty());
    let asked = request.reasoning.as_ref().is_some_and(|reasoning| reasoning.effort() != Some(Effort::None));
    asked || request.messages.iter().flat_map(|message| &message.parts).any(is_signed)
}

fn read_input(
    body: &Value,
    members: &mut Members<'_, '_>,
    request: &mut Request,
    used: &mut Used,
) -> Result<(), BadRequest> {
    let at = members.path().key("input");
    match members.take("input") {
        Some(Value::String(text)) => request.say(Message::new(Role::User, vec![Part::text(text)])),
        Some(Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                item::read(item, &at.index(index), request, used)?;
            }
        }
        Some(other) => return Err(at.wrong("a string or a list of items", other)),
        None if KEPT.iter().any(|name| body.get(name).is_some_and(|value| !value.is_null())) => {}
        None => return Err(members.missing("input", "give what was said so far")),
    }
    Ok(())
}

/// Reads `text`: what form the answer has, and how wordy it is.
fn read_text(members: &mut Members<'_, '_>, request: &mut Request, used: &mut Used) -> Result<(), BadRequest> {
    let at = members.path().key("text");
    let Some(text) = members.take("text") else { return Ok(()) };
    let mut text = Members::of(text, &at)?;
    let format_at = at.key("format");
    if let Some(format) = text.take("format") {
        request.format = read_format(format, &format_at, used)?;
    }
    match text.text("verbosity")? {
        None => {}
        Some("medium") => text.note(Feature::Hint, "verbosity", used),
        Some(_) => text.note(Feature::Foreign, "verbosity", used),
    }
    text.leave(&[], used);
    Ok(())
}

fn read_format(format: &Value, at: &Path<'_>, used: &mut Used) -> Result<Format, BadRequest> {
    let mut members = Members::of(format, at)?;
    let read = match members.needed_text("type", "give text, json_object or json_schema")? {
        "text" => Format::Text,
        "json_object" => {
            used.note(Feature::JsonObject, at.to_string());
            Format::Json
        }
        "json_schema" => {
            used.note(Feature::JsonSchema, at.to_string());
            let name = members.text("name")?.unwrap_or("answer").to_owned();
            let description = members.text("description")?.map(str::to_owned);
            let strict = members.flag("strict")?;
            let schema =
                members.typed("schema", "a JSON schema: an object", |it| it.is_object().then(|| it.clone()))?;
            Format::Schema { name, description, schema: schema.unwrap_or_else(|| json!({})), strict }
        }
        _ => {
            used.note(Feature::Foreign, at.to_string());
            return Ok(Format::Text);
        }
    };
    members.leave(&[], used);
    Ok(read)
}

/// Reads `reasoning`. A `summary` that is given as `null` asks that nothing is told.
fn read_reasoning(members: &mut Members<'_, '_>, request: &mut Request, used: &mut Used) -> Result<(), BadRequest> {
    let at = members.path().key("reasoning");
    let Some(value) = members.take("reasoning") else { return Ok(()) };
    let mut inner = Members::of(value, &at)?;
    let mut read = Reasoning::default();
    if let Some(word) = inner.take("effort") {
        let effort = word.as_str().and_then(Effort::named);
        let right = format!("one of {}", Effort::words());
        read.effort = Some(effort.ok_or_else(|| at.key("effort").wrong(&right, word))?);
    }
    read.told = value.get("summary").is_some_and(Value::is_null).then_some(false);
    for name in ["summary", "generate_summary"] {
        let Some(form) = inner.text(name)? else { continue };
        read.told = Some(true);
        if form != "auto" {
            inner.note(Feature::Hint, name, used);
        }
    }
    if inner.text("mode")?.is_some_and(|mode| mode != "standard") {
        inner.note(Feature::Foreign, "mode", used);
    }
    inner.leave(&["context"], used);
    if read != Reasoning::default() {
        used.note(Feature::Reasoning, at.to_string());
        request.reasoning = Some(read);
    }
    Ok(())
}

/// Reads what else is asked for. Sealed reasoning is always asked for where there is any; the rest is of hosted tools.
fn read_include(members: &mut Members<'_, '_>, request: &mut Request, used: &mut Used) -> Result<(), BadRequest> {
    let at = members.path().key("include");
    let others = members.whole("top_logprobs")?;
    for (index, wanted) in members.list("include")?.unwrap_or_default().iter().enumerate() {
        match wanted.as_str() {
            Some(SEALED) => {}
            Some(LOGPROBS) => {
                request.sampling.logprobs = Some(u32::try_from(others.unwrap_or_default()).unwrap_or(u32::MAX));
                used.note(Feature::Logprobs, at.index(index).to_string());
            }
            Some(_) => used.note(Feature::Hint, at.index(index).to_string()),
            None => return Err(at.index(index).wrong("a string", wanted)),
        }
    }
    if others.is_some() && request.sampling.logprobs.is_none() {
        members.note(Feature::Hint, "top_logprobs", used);
    }
    Ok(())
}

fn read_rest(members: &mut Members<'_, '_>, request: &mut Request, used: &mut Used) -> Result<(), BadRequest> {
    request.stream = members.flag("stream")?.unwrap_or_default();
    let options_at = members.path().key("stream_options");
    if let Some(options) = members.take("stream_options") {
        Members::of(options, &options_at)?.leave(&["include_obfuscation"], used);
    }
    for name in ["user", "safety_identifier"] {
        let Some(user) = members.text(name)? else { continue };
        let feature = if request.user.is_none() { Feature::User } else { Feature::Hint };
        members.note(feature, name, used);
        request.user.get_or_insert_with(|| user.to_owned());
    }
    // What is the same as saying nothing is not noted.
    for (name, feature) in [("store", Feature::Hint), ("background", Feature::Foreign)] {
        if members.flag(name)? == Some(true) {
            members.note(feature, name, used);
        }
    }
    if members.text("truncation")?.is_some_and(|word| word != "disabled") {
        members.note(Feature::Foreign, "truncation", used);
    }
    if let Some(tier) = members.text("service_tier")? {
        let is_hint = matches!(tier, "auto" | "default");
        members.note(if is_hint { Feature::Hint } else { Feature::Foreign }, "service_tier", used);
    }
    Ok(())
}

fn write_format(format: &Format) -> Option<Value> {
    let Format::Schema { name, description, schema, strict } = format else {
        return (*format == Format::Json).then(|| json!({"type": "json_object"}));
    };
    let mut written = Map::from_iter([("type".to_owned(), "json_schema".into())]);
    written.insert("name".to_owned(), name.as_str().into());
    written.extend(description.as_deref().map(|text| ("description".to_owned(), text.into())));
    written.insert("schema".to_owned(), schema.clone());
    written.extend(strict.map(|strict| ("strict".to_owned(), strict.into())));
    Some(written.into())
}

fn write_reasoning(reasoning: &Reasoning) -> Value {
    let mut written = Map::new();
    written.extend(reasoning.effort().map(Effort::word).map(|word| ("effort".to_owned(), word.into())));
    let summary = reasoning.told.map(|told| if told { "auto".into() } else { Value::Null });
    written.extend(summary.map(|summary| ("summary".to_owned(), summary)));
    written.into()
}

#[cfg(test)]
mod tests;
