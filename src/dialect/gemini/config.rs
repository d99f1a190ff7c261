//! `generationConfig`: how the next token is chosen, what form the answer has, how much is thought.

use super::schema::to_json_schema;
use crate::chat::{Effort, Feature, Format, Reasoning, Request, Used};
use crate::dialect::BadRequest;
use crate::dialect::members::{Members, Path};
use crate::units::Tokens;
use serde_json::{Map, Number, Value};

/// What no answer depends on, or only a little.
const HINTS: [&str; 2] = ["mediaResolution", "enableEnhancedCivicAnswers"];
/// How hard a model thinks, by its word; of two words for one the first is written.
const LEVELS: [(&str, Effort); 5] = [
    ("MINIMAL", Effort::Minimal),
    ("LOW", Effort::Low),
    ("MEDIUM", Effort::Medium),
    ("HIGH", Effort::High),
    ("HIGH", Effort::Highest),
];
/// Models before Gemini 3 know no levels.
const WITHOUT_LEVELS: [&str; 2] = ["gemini-1", "gemini-2"];
/// The name that a schema has whose dialect gives it none.
/// The largest budget that all models with budgets take.
const BUDGET_MAX: Tokens = Tokens::new(24_576);
const SCHEMA_NAME: &str = "answer";
const JSON: &str = "application/json";

/// Reads the config.
pub(super) fn read(config: &Value, at: &Path<'_>, request: &mut Request, used: &mut Used) -> Result<(), BadRequest> {
    let mut members = Members::of(config, at)?;
    read_sampling(&mut members, request, used)?;
    request.output_cap = members.whole("maxOutputTokens")?.map(Tokens::new);
    let choices = members.whole("candidateCount")?.unwrap_or(1);
    if choices == 0 {
        return Err(at.key("candidateCount").wrong("a whole number of at least 1", &choices.into()));
    }
    request.choices = u32::try_from(choices).unwrap_or(u32::MAX);
    if request.choices > 1 {
        members.note(Feature::Choices, "candidateCount", used);
    }
    let texts = |stop: &Value| stop.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect();
    request.stop = members.typed("stopSequences", "a list of strings", texts)?.unwrap_or_default();
    if !request.stop.is_empty() {
        members.note(Feature::Stop, "stopSequences", used);
    }
    request.format = read_format(&mut members, used)?;
    let modalities = members.list("responseModalities")?.unwrap_or_default();
    if modalities.iter().any(|modality| !modality.as_str().is_some_and(|it| it.eq_ignore_ascii_case("TEXT"))) {
        members.note(Feature::Foreign, "responseModalities", used);
    }
    let thinking_at = at.key("thinkingConfig");
    if let Some(thinking) = members.take("thinkingConfig") {
        request.reasoning = read_thinking(thinking, &thinking_at, used)?;
    }
    members.leave(&HINTS, used);
    Ok(())
}

/// Writes the config, where there is something in it.
pub(super) fn write(request: &Request, body: &mut Map<String, Value>) {
    let mut config = Map::new();
    let mut put = |name: &str, value: Option<Value>| config.extend(value.map(|value| (name.to_owned(), value)));
    let sampling = &request.sampling;
    put("temperature", sampling.temperature.clone().map(Value::Number));
    put("topP", sampling.top_p.clone().map(Value::Number));
    put("topK", sampling.top_k.map(Value::from));
    put("seed", sampling.seed.map(Value::from));
    put("presencePenalty", sampling.presence_penalty.clone().map(Value::Number));
    put("frequencyPenalty", sampling.frequency_penalty.clone().map(Value::Number));
    put("responseLogprobs", sampling.logprobs.map(|_| true.into()));
    put("logprobs", sampling.logprobs.filter(|count| *count > 0).map(Value::from));
    put("maxOutputTokens", request.output_cap.map(|cap| cap.get().into()));
    put("candidateCount", (request.choices > 1).then(|| request.choices.into()));
    put("stopSequences", (!request.stop.is_empty()).then(|| request.stop.clone().into()));
    match &request.format {
        Format::Text => {}
        Format::Json => put("responseMimeType", Some(JSON.into())),
        Format::Schema { schema, .. } => {
            put("responseMimeType", Some(JSON.into()));
            put("responseJsonSchema", Some(schema.clone()));
        }
    }
    put("thinkingConfig", request.reasoning.as_ref().map(|reasoning| write_thinking(reasoning, request)));
    if !config.is_empty() {
        body.insert("generationConfig".to_owned(), config.into());
    }
}

fn read_sampling(members: &mut Members<'_, '_>, request: &mut Request, used: &mut Used) -> Result<(), BadRequest> {
    let sampling = &mut request.sampling;
    sampling.temperature = members.number("temperature")?;
    sampling.top_p = members.number("topP")?;
    sampling.top_k = members.whole("topK")?;
    sampling.seed = members.typed("seed", "a whole number", Value::as_i64)?;
    for (name, penalty) in
        [("presencePenalty", &mut sampling.presence_penalty), ("frequencyPenalty", &mut sampling.frequency_penalty)]
    {
        *penalty = members.number(name)?;
        // None at all is what everyone does.
        if penalty.as_ref().is_some_and(|penalty: &Number| penalty.as_f64() != Some(0.0)) {
            members.note(Feature::Penalties, name, used);
        }
    }
    let (wanted, others) = (members.flag("responseLogprobs")?, members.whole("logprobs")?);
    if wanted == Some(true) {
        sampling.logprobs = Some(u32::try_from(others.unwrap_or_default()).unwrap_or(u32::MAX));
    }
    for (name, feature, is_used) in [
        ("topK", Feature::TopK, sampling.top_k.is_some()),
        ("seed", Feature::Seed, sampling.seed.is_some()),
        ("responseLogprobs", Feature::Logprobs, sampling.logprobs.is_some()),
    ] {
        if is_used {
            members.note(feature, name, used);
        }
    }
    Ok(())
}

fn read_format(members: &mut Members<'_, '_>, used: &mut Used) -> Result<Format, BadRequest> {
    let kind = members.text("responseMimeType")?;
    let schema = |value: &Value| value.is_object().then(|| value.clone());
    let own = members.typed("responseSchema", "a schema: an object", schema)?.map(|own| to_json_schema(&own));
    let mut json = None;
    for name in ["responseJsonSchema", "_responseJsonSchema"] {
        json = json.or(members.typed(name, "a JSON schema: an object", schema)?);
    }
    let name = if json.is_some() { "responseJsonSchema" } else { "responseSchema" };
    match (kind, json.or(own)) {
        (None | Some(JSON), Some(schema)) => {
            members.note(Feature::JsonSchema, name, used);
            Ok(Format::Schema { name: SCHEMA_NAME.to_owned(), description: None, schema, strict: None })
        }
        (Some(JSON), None) => {
            members.note(Feature::JsonObject, "responseMimeType", used);
            Ok(Format::Json)
        }
        (None | Some("text/plain" | ""), _) => Ok(Format::Text),
        _ => {
            members.note(Feature::Foreign, "responseMimeType", used);
            Ok(Format::Text)
        }
    }
}

/// Reads how much is thought. A budget of 0 is no effort; one of -1 leaves it to the model, as most do anyway.
fn read_thinking(thinking: &Value, at: &Path<'_>, used: &mut Used) -> Result<Option<Reasoning>, BadRequest> {
    let mut members = Members::of(thinking, at)?;
    let told = members.flag("includeThoughts")?;
    let budget = members.typed("thinkingBudget", "a whole number of at least -1", |value| {
        value.as_i64().filter(|budget| *budget >= -1)
    })?;
    let level = members.text("thinkingLevel")?.map(str::to_ascii_uppercase);
    let effort = match level.as_deref() {
        None | Some("THINKING_LEVEL_UNSPECIFIED") => None,
        Some(level) => {
            let known = LEVELS.iter().find(|(word, _)| *word == level);
            let wrong = || at.key("thinkingLevel").wrong("one of MINIMAL, LOW, MEDIUM, HIGH", &level.into());
            Some(known.ok_or_else(wrong)?.1)
        }
    };
    if budget == Some(-1) {
        members.note(Feature::Hint, "thinkingBudget", used);
    }
    members.leave(&[], used);
    let budget = budget.and_then(|budget| u64::try_from(budget).ok());
    let effort = effort.or((budget == Some(0)).then_some(Effort::None));
    let budget = budget.filter(|budget| *budget > 0).map(Tokens::new);
    let reasoning = Reasoning { effort, budget, told };
    if reasoning == Reasoning::default() {
        return Ok(None);
    }
    used.note(Feature::Reasoning, at.to_string());
    Ok(Some(reasoning))
}

/// Writes how much is thought: an effort if there is one, else a budget, for Gemini refuses both together.
///
/// An effort is a level from Gemini 3 on, and no thought a budget of 0. Older models have budgets only: 1,024 for
/// `minimal`, 4,096 for `low`, 16,384 for `medium`, else 24,576, the most that all of them take; and below the cap.
fn write_thinking(reasoning: &Reasoning, request: &Request) -> Value {
    let has_levels = !WITHOUT_LEVELS.iter().any(|older| request.model.contains(older));
    let mut thinking = Map::new();
    let budget = match (reasoning.effort, reasoning.budget) {
        (None, budget) => budget,
        (Some(Effort::None), _) => Some(Tokens::ZERO),
        (Some(effort), _) if has_levels => {
            let level = LEVELS.iter().find(|(_, own)| *own == effort).map(|(word, _)| *word);
            thinking.extend(level.map(|level| ("thinkingLevel".to_owned(), level.into())));
            None
        }
        (Some(effort), _) => {
            let below = request.output_cap.map_or(Tokens::new(u64::MAX), |cap| cap.minus(Tokens::new(1)));
            Some(effort.budget().min(BUDGET_MAX).min(below))
        }
    };
    thinking.extend(budget.map(|budget| ("thinkingBudget".to_owned(), budget.get().into())));
    thinking.extend(reasoning.told.map(|told| ("includeThoughts".to_owned(), told.into())));
    thinking.into()
}
