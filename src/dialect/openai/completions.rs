//! Plain completions, the oldest endpoint: a text goes in and what follows on it comes out.
//!
//! A chat model that answers one is asked the prompt as a user's message. Its thoughts and calls of tools cannot be told
//! here, and no tools are asked for.

mod stream;

pub use stream::Writer;

use super::answer::{head, write_usage};
use super::request;
use crate::chat::{Answer, Choice, Feature, Finish, Head, Message, Part, Request, Role, Used};
use crate::dialect::members::{Members, Path};
use crate::dialect::{BadRequest, Stamp};
use crate::units::Tokens;
use serde_json::{Map, Value, json};

/// The cap of a request that gives none: OpenAI's own.
const CAP: Tokens = Tokens::new(16);

/// Reads the request `body`, and what it uses, by the paths of its fields. Several prompts, prompts in tokens, `suffix`,
/// `echo` and a `best_of` that differs from `n` are foreign to any other endpoint.
///
/// # Errors
/// [`BadRequest`] for the first field that is of the wrong type, or missing.
pub fn read(body: &Value) -> Result<(Request, Used), BadRequest> {
    let mut used = Used::default();
    let mut members = Members::of(body, &Path::ROOT)?;
    let mut request = Request { choices: 1, ..Request::default() };
    request.model = members.needed_text("model", "name the model to call")?.to_owned();
    let prompt = members.take("prompt").ok_or_else(|| members.missing("prompt", "give the text to go on from"))?;
    let one = match prompt {
        Value::Array(prompts) if prompts.len() == 1 => prompts.first().and_then(Value::as_str),
        other => other.as_str(),
    };
    if one.is_none() && !prompt.is_array() {
        return Err(members.path().key("prompt").wrong("a text, a list of tokens, or a list of these", prompt));
    }
    match one {
        Some(text) => request.say(Message::new(Role::User, vec![Part::text(text)])),
        None => members.note(Feature::Foreign, "prompt", &mut used),
    }
    request.output_cap = Some(members.whole("max_tokens")?.map_or(CAP, Tokens::new));
    request::read_sampling(&mut members, &mut request, &mut used)?;
    request::read_rest(&mut members, &mut request, &mut used)?;
    if let Some(others) = members.whole("logprobs")? {
        request.sampling.logprobs = Some(u32::try_from(others).unwrap_or(u32::MAX));
        members.note(Feature::Logprobs, "logprobs", &mut used);
    }
    let best_of = members.whole("best_of")?;
    if best_of.is_some_and(|best_of| best_of != u64::from(request.choices)) {
        members.note(Feature::Foreign, "best_of", &mut used);
    }
    if members.flag("echo")? == Some(true) {
        members.note(Feature::Foreign, "echo", &mut used);
    }
    if members.text("suffix")?.is_some_and(|suffix| !suffix.is_empty()) {
        members.note(Feature::Foreign, "suffix", &mut used);
    }
    members.leave(&[], &mut used);
    Ok((request, used))
}

/// Writes a whole answer.
pub fn write_answer(answer: &Answer, stamp: &Stamp<'_>) -> Value {
    let Head { id, model, created } = head(&answer.head, "cmpl-", stamp);
    let choices: Vec<Value> =
        (0_u64..).zip(&answer.choices).map(|(index, choice)| write_choice(index, choice)).collect();
    let mut body = json!({
        "id": id, "object": "text_completion", "created": created, "model": model, "choices": choices,
    });
    if let (Some(usage), Some(members)) = (answer.usage, body.as_object_mut()) {
        members.insert("usage".to_owned(), write_usage(usage));
    }
    body
}

fn write_choice(index: u64, choice: &Choice) -> Value {
    let said = choice.parts.iter().filter_map(|part| match part {
        Part::Text(text) => Some(text.text.as_str()),
        Part::Refusal(text) => Some(text.as_str()),
        _ => None,
    });
    let refused = choice.parts.iter().any(|part| matches!(part, Part::Refusal(_)));
    let logprobs = choice.logprobs.as_ref().map(|tokens| write_logprobs(tokens, &mut 0));
    json!({
        "text": said.collect::<String>(), "index": index, "logprobs": logprobs,
        "finish_reason": finish_reason(choice.finish.as_ref(), refused),
    })
}

/// The word for why a text ends: it has no other way to tell that the model declines.
const fn finish_reason(finish: Option<&Finish>, refused: bool) -> &'static str {
    match finish {
        Some(Finish::Length) => "length",
        Some(Finish::Filter) => "content_filter",
        _ if refused => "content_filter",
        _ => "stop",
    }
}

/// The log probabilities of a chat in the form of a text, whose next token begins at `offset`.
fn write_logprobs(tokens: &[Value], offset: &mut usize) -> Value {
    let token = |token: &Value| token.get("token").and_then(Value::as_str).unwrap_or_default().to_owned();
    let logprob = |token: &Value| token.get("logprob").cloned().unwrap_or_default();
    let (mut texts, mut probs, mut tops, mut offsets) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for said in tokens {
        let others = said.get("top_logprobs").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let top: Map<String, Value> = others.iter().map(|other| (token(other), logprob(other))).collect();
        let text = token(said);
        offsets.push(Value::from(*offset));
        *offset = offset.saturating_add(text.chars().count());
        texts.push(Value::from(text));
        probs.push(logprob(said));
        tops.push(Value::from(top));
    }
    json!({"tokens": texts, "token_logprobs": probs, "top_logprobs": tops, "text_offset": offsets})
}

#[cfg(test)]
mod tests;
