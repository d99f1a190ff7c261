//! A whole answer to a chat: read from a provider, and written for a client.

use super::tool::write_call;
use super::{fault, thought};
use crate::chat::{Answer, Choice, Citation, Finish, Head, Part, Text, Thought, ToolCall, Usage};
use crate::dialect::Stamp;
use serde_json::{Map, Value, json};

/// Reads a whole answer; `None` where it is none of this dialect.
pub fn read(body: &Value) -> Option<Answer> {
    if body.get("error").is_some_and(|error| !fault::is_empty(error)) {
        return None;
    }
    let choices = body.get("choices")?.as_array()?;
    let head = read_head(body);
    let mut read: Vec<(u64, Choice)> =
        (0..).zip(choices).map(|(nth, choice)| read_choice(nth, choice, &head)).collect();
    read.sort_by_key(|(index, _)| *index);
    let usage = body.get("usage").and_then(read_usage);
    Some(Answer { head, choices: read.into_iter().map(|(_, choice)| choice).collect(), usage })
}

/// Writes a whole answer.
pub fn write(answer: &Answer, stamp: &Stamp<'_>) -> Value {
    let Head { id, model, created } = head(&answer.head, "chatcmpl-", stamp);
    let choices: Vec<Value> =
        (0_u64..).zip(&answer.choices).map(|(index, choice)| write_choice(index, choice)).collect();
    let mut body = json!({
        "id": id, "object": "chat.completion", "created": created, "model": model, "choices": choices,
    });
    if let (Some(usage), Some(members)) = (answer.usage, body.as_object_mut()) {
        members.insert("usage".to_owned(), write_usage(usage));
    }
    body
}

/// The head of an answer or of a chunk.
pub(super) fn read_head(body: &Value) -> Head {
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Head { id: text("id"), model: text("model"), created: body.get("created").and_then(Value::as_u64).unwrap_or(0) }
}

/// `head`, with what it does not tell from `stamp`; an id that is made up begins with `prefix`.
pub(super) fn head(head: &Head, prefix: &str, stamp: &Stamp<'_>) -> Head {
    let or = |text: &String, other: String| if text.is_empty() { other } else { text.clone() };
    Head {
        id: or(&head.id, format!("{prefix}{}", stamp.id)),
        model: or(&head.model, stamp.model.to_owned()),
        created: if head.created == 0 { stamp.created } else { head.created },
    }
}

/// Reads the object `usage`.
pub(super) fn read_usage(usage: &Value) -> Option<Usage> {
    usage.is_object().then(|| Usage::read(usage.to_string().as_bytes())).flatten()
}

/// The object `usage`: kinds of token of which there were none are left out, but for cached ones.
pub(super) fn write_usage(usage: Usage) -> Value {
    let put = |members: &mut Map<String, Value>, name: &str, tokens: u64| {
        if tokens > 0 {
            members.insert(name.to_owned(), tokens.into());
        }
    };
    let (input, output) = (usage.input.get(), usage.output.get());
    let mut details = Map::from_iter([("cached_tokens".to_owned(), usage.cached_input.get().into())]);
    let (minutes, hour) = (usage.cache_write.get(), usage.cache_write_hour.get());
    put(&mut details, "audio_tokens", usage.audio_input.get());
    put(&mut details, "cache_write_tokens", minutes.saturating_add(hour));
    if hour > 0 {
        // As LiteLLM tells the two apart.
        let lives = json!({"ephemeral_5m_input_tokens": minutes, "ephemeral_1h_input_tokens": hour});
        details.insert("cache_creation_token_details".to_owned(), lives);
    }
    let mut said = Map::new();
    put(&mut said, "reasoning_tokens", usage.reasoning.get());
    put(&mut said, "audio_tokens", usage.audio_output.get());
    let mut written = json!({
        "prompt_tokens": input, "completion_tokens": output, "total_tokens": usage.input.plus(usage.output).get(),
        "prompt_tokens_details": details,
    });
    if let (false, Some(members)) = (said.is_empty(), written.as_object_mut()) {
        members.insert("completion_tokens_details".to_owned(), said.into());
    }
    written
}

/// Why a choice ends, as a provider tells it; `None`: it does not.
///
/// One that calls tools ends for them even where it says `stop`, as OpenAI's does when the tool was chosen for it.
/// `stop_reason` is how vLLM names the stop sequence.
pub(super) fn read_finish(choice: &Map<String, Value>, calls: bool, refused: bool) -> Option<Finish> {
    let text = |name: &str| choice.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    Some(match text("finish_reason")? {
        "length" | "max_tokens" => Finish::Length,
        "tool_calls" | "function_call" => Finish::ToolCalls,
        "content_filter" => Finish::Filter,
        _ if calls => Finish::ToolCalls,
        _ if refused => Finish::Filter,
        _ => text("stop_reason").map_or(Finish::Stop, |text| Finish::StopSequence(text.to_owned())),
    })
}

/// The word for why a choice ends. A model that says why it declines has come to its own end.
pub(super) const fn finish_reason(finish: Option<&Finish>, calls: bool, refused: bool) -> &'static str {
    match finish {
        Some(Finish::Length) => "length",
        Some(Finish::Filter) if !refused => "content_filter",
        Some(Finish::ToolCalls) => "tool_calls",
        _ if calls => "tool_calls",
        _ => "stop",
    }
}

/// The citations in `annotations`, of the text that `message` says.
pub(super) fn read_citations(message: &Map<String, Value>) -> Vec<Citation> {
    let all = message.get("annotations").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let read = |annotation: &Value| {
        let cited = annotation.get("url_citation")?;
        let text = |name: &str| cited.get(name).and_then(Value::as_str).map(str::to_owned);
        let place = |name: &str| cited.get(name).and_then(Value::as_u64).unwrap_or_default();
        let (start, end) = (place("start_index"), place("end_index"));
        // Only OpenRouter has the words.
        Some(Citation {
            url: text("url")?,
            title: text("title").unwrap_or_default(),
            quote: text("content"),
            start,
            end,
        })
    };
    all.iter().filter_map(read).collect()
}

/// A citation as one of `annotations`, of a text that begins at `offset`.
pub(super) fn write_citation(citation: &Citation, offset: u64) -> Value {
    let Citation { url, title, quote, start, end } = citation;
    let (start, end) = (start.saturating_add(offset), end.saturating_add(offset));
    let mut cited = json!({"url": url, "title": title, "start_index": start, "end_index": end});
    if let (Some(quote), Some(members)) = (quote, cited.as_object_mut()) {
        members.insert("content".to_owned(), quote.as_str().into());
    }
    json!({"type": "url_citation", "url_citation": cited})
}

/// The texts and thoughts of a content: a text, or parts as Mistral has them.
pub(super) fn read_said(content: &Value) -> Vec<Part> {
    match content {
        Value::String(text) if !text.is_empty() => vec![Part::text(text)],
        Value::Array(parts) => parts.iter().filter_map(read_piece).collect(),
        _ => Vec::new(),
    }
}

fn read_piece(part: &Value) -> Option<Part> {
    let text = |part: &Value| part.get("text").or(Some(part)).and_then(Value::as_str).map(str::to_owned);
    let thought = match part.get("thinking") {
        None => return text(part).filter(|text| !text.is_empty()).map(Part::text),
        Some(Value::Array(pieces)) => pieces.iter().filter_map(text).collect(),
        Some(piece) => text(piece)?,
    };
    (!thought.is_empty()).then(|| Part::Thought(Thought { text: thought, ..Thought::default() }))
}

fn read_choice(nth: u64, choice: &Value, head: &Head) -> (u64, Choice) {
    let (empty, none) = (Map::new(), Vec::new());
    let index = choice.get("index").and_then(Value::as_u64).unwrap_or(nth);
    let message = choice.get("message").and_then(Value::as_object).unwrap_or(&empty);
    let mut said: Vec<Part> = Vec::new();
    for part in read_said(message.get("content").unwrap_or(&Value::Null)) {
        match (said.last_mut(), part) {
            (Some(Part::Text(last)), Part::Text(more)) => last.text.push_str(&more.text),
            (_, part) => said.push(part),
        }
    }
    if let Some(Part::Text(text)) = said.iter_mut().find(|part| matches!(part, Part::Text(_))) {
        text.citations = read_citations(message);
    }
    let refusal = message.get("refusal").and_then(Value::as_str).filter(|text| !text.is_empty());
    said.extend(refusal.map(|text| Part::Refusal(text.to_owned())));
    let calls = message.get("tool_calls").and_then(Value::as_array).unwrap_or(&none).iter();
    let older = message.get("function_call").filter(|call| call.is_object());
    let older = older.map(|call| json!({"function": call}));
    let calls = (0_u64..).zip(calls.chain(&older)).filter_map(|(nth, call)| read_call(call, head, index, nth));
    let calls: Vec<Part> = calls.map(Part::ToolCall).collect();
    let finish = choice.as_object().and_then(|it| read_finish(it, !calls.is_empty(), refusal.is_some()));
    let logprobs = choice.get("logprobs").and_then(|it| it.get("content")).and_then(Value::as_array).cloned();
    (index, Choice { parts: thought::arrange(thought::read(message).0, said, calls), finish, logprobs })
}

/// Reads a call, the `nth` of its choice; one without an id is given one.
fn read_call(call: &Value, head: &Head, choice: u64, nth: u64) -> Option<ToolCall> {
    let free = call.get("custom").is_some_and(Value::is_object);
    let inner = call.get(if free { "custom" } else { "function" })?;
    let name = inner.get("name")?.as_str()?.to_owned();
    let id = call.get("id").and_then(Value::as_str).filter(|id| !id.is_empty()).map(str::to_owned);
    let arguments = inner.get(if free { "input" } else { "arguments" }).map(words).unwrap_or_default();
    Some(ToolCall { id: id.unwrap_or_else(|| head.call_id(choice, nth)), name, arguments, free })
}

/// What a tool is given, as text: some servers write the object itself.
pub(super) fn words(arguments: &Value) -> String {
    match arguments {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn write_choice(index: u64, choice: &Choice) -> Value {
    let (mut content, mut refusal, mut citations) = (None::<String>, None::<String>, Vec::new());
    for part in &choice.parts {
        match part {
            Part::Text(Text { text, citations: cited, .. }) => {
                let said = content.get_or_insert_default();
                let offset = u64::try_from(said.chars().count()).unwrap_or(u64::MAX);
                citations.extend(cited.iter().map(|citation| write_citation(citation, offset)));
                said.push_str(text);
            }
            Part::Refusal(text) => refusal.get_or_insert_default().push_str(text),
            _ => {}
        }
    }
    let calls: Vec<Value> = choice.parts.iter().filter_map(write_call).collect();
    let finish = finish_reason(choice.finish.as_ref(), !calls.is_empty(), refusal.is_some());
    if calls.is_empty() && refusal.is_none() {
        content.get_or_insert_default();
    }
    let mut message = Map::from_iter([("role".to_owned(), "assistant".into())]);
    message.insert("content".to_owned(), content.into());
    message.insert("refusal".to_owned(), refusal.into());
    thought::write(&choice.parts, &mut message);
    if !citations.is_empty() {
        message.insert("annotations".to_owned(), citations.into());
    }
    if !calls.is_empty() {
        message.insert("tool_calls".to_owned(), calls.into());
    }
    let logprobs = choice.logprobs.as_ref().map(|tokens| json!({"content": tokens, "refusal": null}));
    json!({"index": index, "message": message, "logprobs": logprobs, "finish_reason": finish})
}

#[cfg(test)]
mod tests;
