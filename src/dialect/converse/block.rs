//! The blocks that a message's content is made of, whichever way they go.

use crate::chat::{Cache, Media, Part, Thought, ToolCall, ToolResult};
use crate::dialect::members::moved;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// Formats of images, documents and sounds, with the media type of each. Of several for one format the first is read.
const FORMATS: &[(&str, &str)] = &[
    ("jpeg", "image/jpeg"),
    ("jpeg", "image/jpg"),
    ("pdf", "application/pdf"),
    ("csv", "text/csv"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xls", "application/vnd.ms-excel"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("html", "text/html"),
    ("md", "text/markdown"),
    ("txt", "text/plain"),
    ("wav", "audio/wav"),
    ("wav", "audio/x-wav"),
    ("mp3", "audio/mpeg"),
    ("mp3", "audio/mp3"),
];
/// What stands before a sealed thought that is no text, in a signature of ours.
const BYTES: &str = "bytes:";

/// What the documents of one request are called: no two have one name.
#[derive(Default)]
pub(super) struct Names(Vec<String>);

impl Names {
    /// `name` with only those characters that one may have, and `document` for none; with a number where it is taken.
    fn take(&mut self, name: Option<&str>) -> String {
        let plain = |letter: char| match letter {
            letter if letter.is_ascii_alphanumeric() || "-()[]".contains(letter) => letter,
            letter if letter.is_whitespace() => ' ',
            _ => '-',
        };
        let plain: String = name.unwrap_or_default().chars().map(plain).collect();
        let plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
        let plain = if plain.is_empty() { "document".to_owned() } else { plain };
        let taken = |name: &String| self.0.contains(name);
        let numbered = (2..).map(|nth: u64| format!("{plain} ({nth})"));
        let name = std::iter::once(plain.clone()).chain(numbered).find(|name| !taken(name)).unwrap_or_default();
        self.0.push(name.clone());
        name
    }
}

/// Writes a part. A text without a letter is none: Bedrock refuses it. So is what [`super::CANNOT`] names.
pub(super) fn write(part: &Part, names: &mut Names, blocks: &mut Vec<Value>) {
    let (block, cache) = match part {
        Part::Text(text) if text.text.is_empty() => (None, text.cache.filter(|_| !blocks.is_empty())),
        Part::Text(text) => (Some(json!({"text": text.text})), text.cache),
        Part::Refusal(text) => (Some(json!({"text": text})).filter(|_| !text.is_empty()), None),
        Part::Image { media, cache, .. } => (medium("image", media, Map::new()), *cache),
        Part::Audio { media } => (medium("audio", media, Map::new()), None),
        Part::File { media, name, cache } => {
            let name = names.take(name.as_deref());
            (medium("document", media, Map::from_iter([("name".to_owned(), name.into())])), *cache)
        }
        Part::Thought(thought) => (Some(write_thought(thought)), None),
        Part::ToolCall(call) => (Some(write_call(call)), None),
        Part::ToolResult(result) => (Some(write_result(result, names)), result.cache),
    };
    blocks.extend(block);
    blocks.extend(cache.map(write_cache));
}

/// The mark that all before it is to be kept.
pub(super) fn write_cache(cache: Cache) -> Value {
    match cache {
        Cache::Minutes => json!({"cachePoint": {"type": "default"}}),
        Cache::Hour => json!({"cachePoint": {"type": "default", "ttl": "1h"}}),
    }
}

/// How long the mark `block` keeps what is before it; `None`: it is no such mark.
pub(super) fn read_cache(block: &Value) -> Option<Cache> {
    let hour = block.get("cachePoint")?.get("ttl").is_some_and(|ttl| ttl == "1h");
    Some(if hour { Cache::Hour } else { Cache::Minutes })
}

/// The block `name` of something that lies here. Any sort of text is a document `txt`.
fn medium(name: &str, media: &Media, mut members: Map<String, Value>) -> Option<Value> {
    let Media::Inline { kind, data } = media else { return None };
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let known = FORMATS.iter().find(|(_, media)| *media == kind).map(|(format, _)| *format);
    let is_text = name == "document" && (kind.starts_with("text/") || kind == "application/json");
    let format = known.unwrap_or_else(|| if is_text { "txt" } else { kind.rsplit('/').next().unwrap_or_default() });
    members.insert("format".to_owned(), format.into());
    members.insert("source".to_owned(), json!({"bytes": data}));
    Some(Value::from(Map::from_iter([(name.to_owned(), members.into())])))
}

/// Reads the image, document or sound `block` of the sort `name`; an address is one in Amazon's store.
pub(super) fn read_medium(block: &Value, name: &str) -> Option<Media> {
    let source = block.get("source")?;
    if let Some(uri) = source.pointer("/s3Location/uri") {
        return uri.as_str().map(|uri| Media::Stored(uri.to_owned()));
    }
    let format = block.get("format").and_then(Value::as_str).unwrap_or("txt");
    let known = FORMATS.iter().find(|(known, _)| *known == format).map(|(_, kind)| (*kind).to_owned());
    let kind = known.unwrap_or_else(|| format!("{}/{format}", if name == "document" { "application" } else { name }));
    if let Some(text) = source.get("text").and_then(Value::as_str) {
        return Some(Media::Inline { kind, data: STANDARD.encode(text) });
    }
    let data = source.get("bytes").and_then(Value::as_str)?.to_owned();
    Some(Media::Inline { kind, data })
}

/// A thought. A sealed one is bytes here: those of the text that the vendor's own API has for it.
pub(super) fn write_thought(thought: &Thought) -> Value {
    let Thought { text, signature, sealed } = thought;
    let content = match signature {
        Some(signature) if *sealed => {
            let bytes = signature.strip_prefix(BYTES).map_or_else(|| STANDARD.encode(signature), str::to_owned);
            json!({"redactedContent": bytes})
        }
        Some(signature) => json!({"reasoningText": {"text": text, "signature": signature}}),
        None => json!({"reasoningText": {"text": text}}),
    };
    json!({"reasoningContent": content})
}

/// Reads what `reasoningContent` holds.
pub(super) fn read_thought(content: &Value) -> Option<Thought> {
    if let Some(bytes) = content.get("redactedContent").and_then(Value::as_str) {
        return Some(Thought { text: String::new(), signature: Some(unseal(bytes)), sealed: true });
    }
    let told = content.get("reasoningText")?;
    let text = |name: &str| told.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(Thought { text: text("text").unwrap_or_default(), signature: text("signature"), sealed: false })
}

/// The signature that a sealed thought of `bytes`, in base64, has.
pub(super) fn unseal(bytes: &str) -> String {
    let text = STANDARD.decode(bytes).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    text.filter(|text| !text.starts_with(BYTES)).unwrap_or_else(|| format!("{BYTES}{bytes}"))
}

/// A call of a tool. Arguments that are no JSON object, as of a tool with free input, are the one argument `input`.
pub(super) fn write_call(call: &ToolCall) -> Value {
    let input = match serde_json::from_str(&call.arguments) {
        Ok(Value::Object(members)) if !call.free => members,
        _ if call.arguments.trim().is_empty() => Map::new(),
        _ => Map::from_iter([("input".to_owned(), Value::from(call.arguments.as_str()))]),
    };
    json!({"toolUse": {"toolUseId": call.id, "name": call.name, "input": input}})
}

/// Reads what `toolUse` holds; `None`: it is none that the client runs.
pub(super) fn read_call(call: &Value) -> Option<ToolCall> {
    if is_hosted(call) {
        return None;
    }
    let text = |name: &str| call.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let arguments =
        call.get("input").filter(|input| !input.is_null()).map_or_else(|| "{}".to_owned(), Value::to_string);
    Some(ToolCall { id: text("toolUseId"), name: text("name"), arguments, free: false })
}

/// Whether the provider runs the tool of `call` itself.
pub(super) fn is_hosted(call: &Value) -> bool {
    call.get("type").is_some_and(|kind| kind == "server_tool_use")
}

fn write_result(result: &ToolResult, names: &mut Names) -> Value {
    let mut content = Vec::with_capacity(result.parts.len());
    result.parts.iter().for_each(|part| write(part, names, &mut content));
    // What is to be kept is marked beside a result, not within.
    content.retain(|block| read_cache(block).is_none());
    let mut block = moved([("toolUseId", result.call.as_str().into()), ("content", content.into())]);
    if let (true, Some(members)) = (result.failed, block.as_object_mut()) {
        members.insert("status".to_owned(), "error".into());
    }
    moved([("toolResult", block)])
}
