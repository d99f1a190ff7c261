//! A whole answer: read from a provider, and written for a client.

use super::grounding::{self, Cited};
use super::{fault, logprobs, said, usage};
use crate::chat::{Answer, Choice, Finish, Head, Part, ToolCall};
use crate::dialect::Stamp;
use serde_json::{Map, Value, json};

/// The members that only an answer has.
const OWN: [&str; 4] = ["candidates", "promptFeedback", "usageMetadata", "responseId"];

/// Reads a whole answer; `None` where it is none of this dialect. A prompt that is held back has one answer, which is too.
pub fn read(body: &Value) -> Option<Answer> {
    let members = body.as_object().filter(|members| OWN.iter().any(|name| members.contains_key(*name)))?;
    if members.get("error").is_some_and(|error| !fault::is_empty(error)) {
        return None;
    }
    let head = read_head(body);
    let candidates = members.get("candidates").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut choices: Vec<(u64, Choice)> =
        (0..).zip(candidates).map(|(nth, candidate)| read_candidate(nth, candidate, &head)).collect();
    choices.sort_by_key(|(index, _)| *index);
    if choices.is_empty() {
        choices.push((0, Choice { finish: is_held_back(body).then_some(Finish::Filter), ..Choice::default() }));
    }
    let usage = members.get("usageMetadata").and_then(usage::read);
    Some(Answer { head, choices: choices.into_iter().map(|(_, choice)| choice).collect(), usage })
}

/// Writes a whole answer. A refusal is a text that is said, and the answer held back.
pub fn write(answer: &Answer, stamp: &Stamp<'_>) -> Value {
    let candidates: Vec<Value> =
        (0_u64..).zip(&answer.choices).map(|(index, choice)| write_candidate(index, choice)).collect();
    let mut body = Map::from_iter([("candidates".to_owned(), candidates.into())]);
    body.extend(answer.usage.map(|used| ("usageMetadata".to_owned(), usage::write(used))));
    put_head(&mut body, &answer.head, stamp);
    body.into()
}

/// The head of an answer or of a chunk.
pub(super) fn read_head(body: &Value) -> Head {
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Head { id: text("responseId"), model: text("modelVersion"), created: 0 }
}

/// Puts the head into an answer or a chunk, with what it does not tell from `stamp`.
pub(super) fn put_head(body: &mut Map<String, Value>, head: &Head, stamp: &Stamp<'_>) {
    let or = |text: &'_ str, other: &'_ str| Value::from(if text.is_empty() { other } else { text });
    body.insert("modelVersion".to_owned(), or(&head.model, stamp.model));
    body.insert("responseId".to_owned(), or(&head.id, stamp.id));
}

/// Whether the prompt was held back.
pub(super) fn is_held_back(body: &Value) -> bool {
    body.get("promptFeedback").and_then(|feedback| feedback.get("blockReason")).is_some()
}

/// Why a candidate ends; `None`: it does not say. All that is neither the end nor the cap is held back.
pub(super) fn read_finish(candidate: &Value, calls: bool) -> Option<Finish> {
    Some(match candidate.get("finishReason")?.as_str()? {
        "" | "FINISH_REASON_UNSPECIFIED" => return None,
        "STOP" if calls => Finish::ToolCalls,
        "STOP" => Finish::Stop,
        "MAX_TOKENS" => Finish::Length,
        _ => Finish::Filter,
    })
}

/// The word for why a candidate ends.
pub(super) const fn finish_reason(finish: Option<&Finish>) -> &'static str {
    match finish {
        Some(Finish::Length) => "MAX_TOKENS",
        Some(Finish::Filter) => "SAFETY",
        Some(Finish::Stop | Finish::StopSequence(_) | Finish::ToolCalls) | None => "STOP",
    }
}

/// Reads a call, the `nth` of its choice. One without an id, as of models before Gemini 3, is given one that no other answer
/// gives.
pub(super) fn read_call(call: &Value, head: &Head, choice: u64, nth: usize) -> Option<ToolCall> {
    let text = |name: &str| call.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let name = text("name")?.to_owned();
    let made_up = || head.call_id(choice, u64::try_from(nth).unwrap_or(u64::MAX));
    let id = text("id").map_or_else(made_up, str::to_owned);
    Some(ToolCall { id, name, arguments: said::read_arguments(call), free: false })
}

/// Reads a part: what it says, whether it is a thought, and what signs it.
pub(super) fn read_part(part: &Value) -> (Option<&str>, bool, Option<&str>) {
    let text = |name: &str| part.get(name).and_then(Value::as_str);
    let is_thought = part.get("thought").is_some_and(|thought| *thought == Value::Bool(true));
    (text("text"), is_thought, text("thoughtSignature").filter(|signature| !signature.is_empty()))
}

/// A text as the provider told it: the index of its part, and where it is in what was read.
struct Source {
    index: usize,
    at: usize,
    from: usize,
    length: usize,
}

fn read_candidate(nth: u64, candidate: &Value, head: &Head) -> (u64, Choice) {
    let index = candidate.get("index").and_then(Value::as_u64).unwrap_or(nth);
    let content = candidate.get("content").and_then(|content| content.get("parts")).and_then(Value::as_array);
    let (mut parts, mut sources, mut calls) = (Vec::new(), Vec::new(), 0_usize);
    for (place, part) in content.map(Vec::as_slice).unwrap_or_default().iter().enumerate() {
        let (text, is_thought, signature) = read_part(part);
        let call = part.get("functionCall").and_then(|call| read_call(call, head, index, calls));
        calls = calls.saturating_add(usize::from(call.is_some()));
        let signature = signature.map(str::to_owned);
        match (text, parts.last_mut()) {
            (Some(text), Some(Part::Text(last))) if !is_thought && signature.is_none() => {
                let (from, length) = (last.text.len(), text.len());
                last.text.push_str(text);
                sources.push(Source { index: place, at: parts.len().saturating_sub(1), from, length });
            }
            _ => {
                let said = text.filter(|text| is_thought || !text.is_empty()).map(Part::text);
                let length = text.filter(|_| !is_thought).map_or(0, str::len);
                said::add(&mut parts, said.or(call.map(Part::ToolCall)), is_thought, signature);
                if length > 0 {
                    sources.push(Source { index: place, at: parts.len().saturating_sub(1), from: 0, length });
                }
            }
        }
    }
    let cited = candidate.get("groundingMetadata").map(grounding::read).unwrap_or_default();
    cited.into_iter().for_each(|cited| cite(&mut parts, &sources, cited));
    let finish = read_finish(candidate, calls > 0);
    let logprobs = candidate.get("logprobsResult").and_then(logprobs::read);
    (index, Choice { parts, finish, logprobs })
}

/// Adds a citation to the text that it is of.
fn cite(parts: &mut [Part], sources: &[Source], cited: Cited) {
    let Cited { part, start, end, mut citation } = cited;
    let mut before = 0_usize;
    let own = sources.iter().find(|source| source.index == part && end <= source.length).map(|source| (source, 0));
    let of_all = || {
        sources.iter().find_map(|source| {
            let from = before;
            before = before.saturating_add(source.length);
            (start < before).then_some((source, from))
        })
    };
    let Some((source, before)) = own.or_else(of_all) else { return };
    let Some(Part::Text(text)) = parts.get_mut(source.at) else { return };
    let place = |at: usize| {
        grounding::characters(&text.text, at.saturating_sub(before).min(source.length).saturating_add(source.from))
    };
    (citation.start, citation.end) = (place(start), place(end));
    text.citations.push(citation);
}

fn write_candidate(index: u64, choice: &Choice) -> Value {
    let said::Written { parts, texts } = said::write(&choice.parts, true);
    let mut candidate = Map::new();
    if !parts.is_empty() {
        candidate.insert("content".to_owned(), json!({"parts": parts, "role": "model"}));
    }
    candidate.insert("finishReason".to_owned(), finish_reason(choice.finish.as_ref()).into());
    candidate.insert("index".to_owned(), index.into());
    let mut all = Vec::new();
    for (part, text) in texts {
        for citation in &text.citations {
            let [start, end] = [citation.start, citation.end].map(|at| grounding::bytes(&text.text, at));
            let words = text.text.get(start..end).unwrap_or_default();
            all.push((Cited { part, start, end, citation: citation.clone() }, words));
        }
    }
    candidate.extend(grounding::write(&all).map(|it| ("groundingMetadata".to_owned(), it)));
    let logprobs = choice.logprobs.as_deref().map(logprobs::write);
    candidate.extend(logprobs.map(|it| ("logprobsResult".to_owned(), it)));
    candidate.into()
}

#[cfg(test)]
mod tests;
