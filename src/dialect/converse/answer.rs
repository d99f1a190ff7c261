//! A whole answer. It names neither itself nor its model, nor when it was begun.

use super::block;
use crate::chat::{Answer, Choice, Citation, Finish, Head, Part, Text, Usage};
use crate::dialect::{Stamp, tokens};
use crate::units::Tokens;
use serde_json::{Map, Value, json};

/// Reads an answer; `None` where `body` is none.
pub fn read(body: &Value) -> Option<Answer> {
    let content = body.pointer("/output/message/content")?.as_array()?;
    let mut parts = Vec::with_capacity(content.len());
    content.iter().for_each(|block| read_block(block, &mut parts));
    let finish = read_finish(body);
    let usage = body.get("usage").and_then(read_usage);
    Some(Answer { head: Head::default(), choices: vec![Choice { parts, finish, logprobs: None }], usage })
}

/// Writes the first choice of an answer; the stamp has no place in this dialect.
pub fn write(answer: &Answer, _: &Stamp<'_>) -> Value {
    let choice = answer.choices.first();
    let mut content = Vec::new();
    choice.into_iter().flat_map(|choice| &choice.parts).for_each(|part| write_part(part, &mut content));
    let mut body =
        Map::from_iter([("output".to_owned(), json!({"message": {"role": "assistant", "content": content}}))]);
    if let Some(finish) = choice.and_then(|choice| choice.finish.as_ref()) {
        let reason = match finish {
            Finish::Stop => "end_turn",
            Finish::StopSequence(_) => "stop_sequence",
            Finish::Length => "max_tokens",
            Finish::ToolCalls => "tool_use",
            Finish::Filter => "content_filtered",
        };
        body.insert("stopReason".to_owned(), reason.into());
        if let Finish::StopSequence(text) = finish {
            body.insert("additionalModelResponseFields".to_owned(), json!({"stop_sequence": text}));
        }
    }
    body.extend(answer.usage.map(|usage| ("usage".to_owned(), write_usage(usage))));
    body.into()
}

/// Why an answer ends, as its end says: the answer, or the event `messageStop`.
///
/// Output that is malformed, as a call of a tool that is no JSON, is all there is; Bedrock says no more of it.
pub(super) fn read_finish(end: &Value) -> Option<Finish> {
    Some(match end.get("stopReason")?.as_str()? {
        "stop_sequence" => {
            let text = end.pointer("/additionalModelResponseFields/stop_sequence").and_then(Value::as_str);
            Finish::StopSequence(text.unwrap_or_default().to_owned())
        }
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "tool_use" => Finish::ToolCalls,
        "content_filtered" | "guardrail_intervened" | "refusal" => Finish::Filter,
        _ => Finish::Stop,
    })
}

/// Reads what was used; `None` where neither `inputTokens` nor `outputTokens` is a count.
///
/// Tokens that are cached, read or written, stand beside `inputTokens`. So says Bedrock's page on prompt caching, and so
/// it is billed.
pub(crate) fn read_usage(usage: &Value) -> Option<Usage> {
    let told = ["inputTokens", "outputTokens"].into_iter().any(|name| tokens::of(usage.get(name)).is_some());
    if !told {
        return None;
    }
    let count = |name: &str| tokens::of(usage.get(name)).unwrap_or_default();
    let (fresh, cached_input, written) =
        (count("inputTokens"), count("cacheReadInputTokens"), count("cacheWriteInputTokens"));
    let details = usage.get("cacheDetails").and_then(Value::as_array).into_iter().flatten();
    let of_hour = details.filter(|detail| detail.get("ttl").is_some_and(|ttl| ttl == "1h"));
    let hour = of_hour.filter_map(|detail| tokens::of(detail.get("inputTokens"))).fold(Tokens::ZERO, Tokens::plus);
    let cache_write_hour = hour.min(written);
    Some(Usage {
        input: fresh.plus(cached_input).plus(written),
        cached_input,
        cache_write: written.minus(cache_write_hour),
        cache_write_hour,
        output: count("outputTokens"),
        ..Usage::default()
    })
}

fn write_usage(usage: Usage) -> Value {
    let written = usage.cache_write.plus(usage.cache_write_hour);
    let mut body = json!({
        "inputTokens": usage.input.minus(usage.cached_input).minus(written).get(),
        "outputTokens": usage.output.get(),
        "totalTokens": usage.input.plus(usage.output).get(),
        "cacheReadInputTokens": usage.cached_input.get(),
        "cacheWriteInputTokens": written.get(),
    });
    if let (false, Some(members)) = (written == Tokens::ZERO, body.as_object_mut()) {
        let details = [("1h", usage.cache_write_hour), ("5m", usage.cache_write)];
        let details = details.into_iter().filter(|(_, tokens)| *tokens > Tokens::ZERO);
        let detail = |(ttl, tokens): (&str, Tokens)| json!({"ttl": ttl, "inputTokens": tokens.get()});
        members.insert("cacheDetails".to_owned(), details.map(detail).collect());
    }
    body
}

/// Reads a block. What the provider's own tools do and what only Bedrock has, such as what a guardrail says, is left out.
fn read_block(block: &Value, parts: &mut Vec<Part>) {
    if let Some(text) = block.get("text").and_then(Value::as_str) {
        add_text(text, &[], parts);
    } else if let Some(content) = block.get("citationsContent") {
        let list = |name: &str| content.get(name).and_then(Value::as_array).into_iter().flatten();
        let text: String = list("content").filter_map(|said| said.get("text")?.as_str()).collect();
        add_text(&text, &list("citations").map(read_citation).collect::<Vec<_>>(), parts);
    } else if let Some(thought) = block.get("reasoningContent").and_then(block::read_thought) {
        parts.push(Part::Thought(thought));
    } else if let Some(call) = block.get("toolUse").and_then(block::read_call) {
        parts.push(Part::ToolCall(call));
    }
}

/// Adds a text all of which is from `citations`; neighbouring texts are one.
fn add_text(text: &str, citations: &[Citation], parts: &mut Vec<Part>) {
    if !matches!(parts.last(), Some(Part::Text(_))) {
        if text.is_empty() {
            return;
        }
        parts.push(Part::Text(Text::default()));
    }
    let Some(Part::Text(last)) = parts.last_mut() else { return };
    let start = length(&last.text);
    last.text.push_str(text);
    let end = length(&last.text);
    last.citations.extend(citations.iter().cloned().map(|citation| Citation { start, end, ..citation }));
}

/// The length of a text in characters.
pub(super) fn length(text: &str) -> u64 {
    u64::try_from(text.chars().count()).unwrap_or(u64::MAX)
}

/// Reads where a text is from, whichever stretch of it. A document of the request has no address but its name.
pub(super) fn read_citation(citation: &Value) -> Citation {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let url = citation.pointer("/location/web/url").or_else(|| citation.get("source"));
    let quotes = citation.get("sourceContent").and_then(Value::as_array).into_iter().flatten();
    let quote: String = quotes.filter_map(|quote| quote.get("text")?.as_str()).collect();
    let quote = Some(quote).filter(|quote| !quote.is_empty());
    Citation { url: text(url), title: text(citation.get("title")), quote, start: 0, end: 0 }
}

fn write_part(part: &Part, content: &mut Vec<Value>) {
    match part {
        Part::Text(text) if text.citations.is_empty() => content.push(json!({"text": text.text})),
        Part::Text(text) => content.push(write_cited(text)),
        Part::Refusal(text) => content.push(json!({"text": text})),
        Part::Thought(thought) => content.push(block::write_thought(thought)),
        Part::ToolCall(call) => content.push(block::write_call(call)),
        Part::Image { .. } | Part::Audio { .. } | Part::File { .. } | Part::ToolResult(_) => {}
    }
}

/// A text with all it is from, without the stretches: they have no place in a block.
fn write_cited(text: &Text) -> Value {
    let write = |citation: &Citation| {
        let mut members = Map::from_iter([("title".to_owned(), Value::from(citation.title.as_str()))]);
        members.extend(citation.quote.iter().map(|quote| ("sourceContent".to_owned(), json!([{"text": quote}]))));
        members.insert("location".to_owned(), json!({"web": {"url": citation.url}}));
        Value::from(members)
    };
    let citations: Vec<Value> = text.citations.iter().map(write).collect();
    json!({"citationsContent": {"content": [{"text": text.text}], "citations": citations}})
}
