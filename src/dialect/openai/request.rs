//! A request for a chat completion: read from a client, and written for a provider.

use super::{message, tool};
use crate::chat::{Effort, Feature, Format, Reasoning, Request, Used};
use crate::dialect::members::{Members, Path};
use crate::dialect::{BadRequest, CapField};
use crate::units::Tokens;
use serde_json::{Map, Number, Value, json};

/// What the answer does not depend on and no other dialect has.
const HINTS: [&str; 5] = ["metadata", "store", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"];

/// Reads the request `body`, and what it uses, by the paths of its fields.
///
/// The older `functions` are tools here, so that their calls come back as calls of tools.
///
/// # Errors
/// [`BadRequest`] for the first field that is of the wrong type, or missing.
pub fn read(body: &Value) -> Result<(Request, Used), BadRequest> {
    let mut used = Used::default();
    let mut members = Members::of(body, &Path::ROOT)?;
    let mut request = Request { choices: 1, ..Request::default() };
    request.model = members.needed_text("model", "name the model to call")?.to_owned();
    tool::read(&mut members, &mut request, &mut used)?;
    let messages = members.list("messages")?.ok_or_else(|| members.missing("messages", "give what was said so far"))?;
    let at = members.path().key("messages");
    for (index, said) in messages.iter().enumerate() {
        message::read(said, &at.index(index), &mut request, &mut used)?;
    }
    read_form(&mut members, &mut request, &mut used)?;
    let caps = [members.whole("max_tokens")?, members.whole("max_completion_tokens")?];
    request.output_cap = caps.into_iter().flatten().min().map(Tokens::new);
    read_sampling(&mut members, &mut request, &mut used)?;
    read_logprobs(&mut members, &mut request, &mut used)?;
    read_rest(&mut members, &mut request, &mut used)?;
    members.leave(&HINTS, &mut used);
    Ok((request, used))
}

/// Writes `request`, its cap in the field `cap`. A stream is asked for its usage.
///
/// A budget of thought is an effort here: none at all for 0, `minimal` up to 1,024 tokens, `low` up to 4,096, `medium` up to
/// 16,384, else `high`.
pub fn write(request: &Request, cap: CapField) -> Value {
    let mut body = Map::new();
    let mut put = |name: &str, value: Option<Value>| body.extend(value.map(|value| (name.to_owned(), value)));
    let mut messages = Vec::with_capacity(request.messages.len());
    request.messages.iter().for_each(|said| message::write(said, &mut messages));
    put("model", Some(request.model.as_str().into()));
    put("messages", Some(messages.into()));
    put(cap.as_str(), request.output_cap.map(|cap| cap.get().into()));
    put("response_format", write_format(&request.format));
    put("reasoning_effort", request.reasoning.as_ref().and_then(|it| it.effort().map(Effort::word)).map(Value::from));
    put("n", (request.choices > 1).then(|| request.choices.into()));
    put("stop", (!request.stop.is_empty()).then(|| request.stop.clone().into()));
    let sampling = &request.sampling;
    put("temperature", sampling.temperature.clone().map(Value::Number));
    put("top_p", sampling.top_p.clone().map(Value::Number));
    put("seed", sampling.seed.map(Value::from));
    put("frequency_penalty", sampling.frequency_penalty.clone().map(Value::Number));
    put("presence_penalty", sampling.presence_penalty.clone().map(Value::Number));
    put("logprobs", sampling.logprobs.map(|_| true.into()));
    put("top_logprobs", sampling.logprobs.filter(|count| *count > 0).map(Value::from));
    put("user", request.user.as_deref().map(Value::from));
    put("stream", request.stream.then_some(true.into()));
    put("stream_options", request.stream.then(|| json!({"include_usage": true})));
    tool::write(request, &mut body);
    body.into()
}

/// Reads how the next token is chosen: what chats and plain completions have in common.
pub(super) fn read_sampling(
    members: &mut Members<'_, '_>,
    request: &mut Request,
    used: &mut Used,
) -> Result<(), BadRequest> {
    let sampling = &mut request.sampling;
    sampling.temperature = members.number("temperature")?;
    sampling.top_p = members.number("top_p")?;
    sampling.top_k = members.whole("top_k")?;
    sampling.seed = members.typed("seed", "a whole number", Value::as_i64)?;
    for (name, penalty) in
        [("frequency_penalty", &mut sampling.frequency_penalty), ("presence_penalty", &mut sampling.presence_penalty)]
    {
        *penalty = members.number(name)?;
        // None at all is what everyone does.
        if penalty.as_ref().is_some_and(|penalty: &Number| penalty.as_f64() != Some(0.0)) {
            members.note(Feature::Penalties, name, used);
        }
    }
    for (name, feature, is_used) in
        [("top_k", Feature::TopK, sampling.top_k.is_some()), ("seed", Feature::Seed, sampling.seed.is_some())]
    {
        if is_used {
            members.note(feature, name, used);
        }
    }
    Ok(())
}

/// Reads how many answers, where they end, for whom, and whether as a stream: what chats and plain completions
/// have in common.
pub(super) fn read_rest(
    members: &mut Members<'_, '_>,
    request: &mut Request,
    used: &mut Used,
) -> Result<(), BadRequest> {
    let choices = members.whole("n")?.unwrap_or(1);
    if choices == 0 {
        return Err(members.path().key("n").wrong("a whole number of at least 1", &choices.into()));
    }
    request.choices = u32::try_from(choices).unwrap_or(u32::MAX);
    if request.choices > 1 {
        members.note(Feature::Choices, "n", used);
    }
    let texts = |stop: &Value| match stop {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(texts) => texts.iter().map(|text| text.as_str().map(str::to_owned)).collect(),
        _ => None,
    };
    request.stop = members.typed("stop", "a string or a list of strings", texts)?.unwrap_or_default();
    if !request.stop.is_empty() {
        members.note(Feature::Stop, "stop", used);
    }
    request.stream = members.flag("stream")?.unwrap_or_default();
    let options_at = members.path().key("stream_options");
    if let Some(options) = members.take("stream_options") {
        let mut options = Members::of(options, &options_at)?;
        options.flag("include_usage")?;
        options.leave(&["include_obfuscation"], used);
    }
    for name in ["user", "safety_identifier"] {
        let Some(user) = members.text(name)? else { continue };
        match request.user {
            None => members.note(Feature::User, name, used),
            Some(_) => members.note(Feature::Hint, name, used),
        }
        request.user.get_or_insert_with(|| user.to_owned());
    }
    Ok(())
}

/// Reads what form the answer has, how much is thought before it, and by what service it is made.
fn read_form(members: &mut Members<'_, '_>, request: &mut Request, used: &mut Used) -> Result<(), BadRequest> {
    let format_at = members.path().key("response_format");
    if let Some(format) = members.take("response_format") {
        request.format = read_format(format, &format_at, used)?;
    }
    if let Some(word) = members.take("reasoning_effort") {
        let effort = word.as_str().and_then(Effort::named);
        let right = format!("one of {}", Effort::words());
        let effort = Some(effort.ok_or_else(|| members.path().key("reasoning_effort").wrong(&right, word))?);
        request.reasoning = Some(Reasoning { effort, ..Reasoning::default() });
        members.note(Feature::Reasoning, "reasoning_effort", used);
    }
    if let Some(tier) = members.text("service_tier")? {
        let is_hint = matches!(tier, "auto" | "default");
        members.note(if is_hint { Feature::Hint } else { Feature::Foreign }, "service_tier", used);
    }
    let modalities = members.list("modalities")?.unwrap_or_default();
    if modalities.iter().any(|modality| modality != "text") {
        members.note(Feature::Foreign, "modalities", used);
    }
    Ok(())
}

fn read_format(format: &Value, at: &Path<'_>, used: &mut Used) -> Result<Format, BadRequest> {
    let mut members = Members::of(format, at)?;
    match members.needed_text("type", "give text, json_object or json_schema")? {
        "text" => Ok(Format::Text),
        "json_object" => {
            used.note(Feature::JsonObject, at.to_string());
            Ok(Format::Json)
        }
        "json_schema" => {
            used.note(Feature::JsonSchema, at.to_string());
            let inner = members.take("json_schema").ok_or_else(|| members.missing("json_schema", "give the schema"))?;
            let inner_at = at.key("json_schema");
            let mut inner = Members::of(inner, &inner_at)?;
            let name = inner.text("name")?.unwrap_or("answer").to_owned();
            let description = inner.text("description")?.map(str::to_owned);
            let strict = inner.flag("strict")?;
            let schema = inner.typed("schema", "a JSON schema: an object", |it| it.is_object().then(|| it.clone()))?;
            inner.leave(&[], used);
            members.leave(&[], used);
            Ok(Format::Schema { name, description, schema: schema.unwrap_or_else(|| json!({})), strict })
        }
        _ => {
            used.note(Feature::Foreign, at.to_string());
            Ok(Format::Text)
        }
    }
}

fn read_logprobs(members: &mut Members<'_, '_>, request: &mut Request, used: &mut Used) -> Result<(), BadRequest> {
    let (wanted, others) = (members.flag("logprobs")?, members.whole("top_logprobs")?);
    if wanted == Some(true) {
        request.sampling.logprobs = Some(u32::try_from(others.unwrap_or_default()).unwrap_or(u32::MAX));
        members.note(Feature::Logprobs, "logprobs", used);
    }
    Ok(())
}

fn write_format(format: &Format) -> Option<Value> {
    let Format::Schema { name, description, schema, strict } = format else {
        return (*format == Format::Json).then(|| json!({"type": "json_object"}));
    };
    let mut inner = Map::from_iter([("name".to_owned(), name.as_str().into())]);
    inner.extend(description.as_deref().map(|text| ("description".to_owned(), text.into())));
    inner.insert("schema".to_owned(), schema.clone());
    inner.extend(strict.map(|strict| ("strict".to_owned(), strict.into())));
    Some(json!({"type": "json_schema", "json_schema": inner}))
}

#[cfg(test)]
mod tests;
