//! The blocks that the content of a message is made of.

use super::tool::fit_id;
use crate::chat::{Cache, Feature, Media, Part, Text, Thought, ToolCall, ToolResult, Used};
use crate::dialect::BadRequest;
use crate::dialect::members::{Members, Path};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// Reads the content of a message: a text, or blocks. A block that is not known here is foreign.
pub(super) fn read_content(content: &Value, at: &Path<'_>, used: &mut Used) -> Result<Vec<Part>, BadRequest> {
    match content {
        Value::String(text) => Ok(vec![Part::text(text)]),
        Value::Array(blocks) => {
            let blocks = blocks.iter().enumerate();
            let read = blocks.map(|(index, block)| read(block, &at.index(index), used));
            read.filter_map(Result::transpose).collect()
        }
        _ => Err(at.wrong("a string or a list of blocks", content)),
    }
}

/// Reads how long everything up to here is kept.
pub(super) fn read_cache(members: &mut Members<'_, '_>, used: &mut Used) -> Result<Option<Cache>, BadRequest> {
    let at = members.path().key("cache_control");
    let Some(control) = members.take("cache_control") else { return Ok(None) };
    let hour = Members::of(control, &at)?.text("ttl")? == Some("1h");
    used.note(Feature::CacheControl, at.to_string());
    Ok(Some(if hour { Cache::Hour } else { Cache::Minutes }))
}

/// `block`, marked to be kept.
pub(super) fn with_cache(mut block: Map<String, Value>, cache: Option<Cache>) -> Value {
    let control = cache.map(|cache| match cache {
        Cache::Minutes => json!({"type": "ephemeral"}),
        Cache::Hour => json!({"type": "ephemeral", "ttl": "1h"}),
    });
    block.extend(control.map(|control| ("cache_control".to_owned(), control)));
    block.into()
}

/// Writes a part; `None` for one that cannot be said: a text without a letter, which the API refuses, a thought
/// without what proves it, and what [`super::CANNOT`] names. A refusal is a text.
pub(super) fn write(part: &Part) -> Option<Value> {
    Some(match part {
        Part::Text(Text { text, .. }) | Part::Refusal(text) if text.is_empty() => return None,
        Part::Text(Text { text, cache, .. }) => with_cache(block("text", [("text", text.as_str().into())]), *cache),
        Part::Refusal(text) => block("text", [("text", text.as_str().into())]).into(),
        Part::Image { media, cache, .. } => with_cache(block("image", [("source", write_image(media))]), *cache),
        Part::File { media, name, cache } => {
            let mut document = block("document", [("source", write_document(media))]);
            document.extend(name.as_deref().map(|name| ("title".to_owned(), name.into())));
            with_cache(document, *cache)
        }
        Part::Thought(thought) => {
            let signature = thought.signature.as_deref()?;
            write_thought(thought, signature)
        }
        Part::ToolCall(call) => write_call(call),
        Part::ToolResult(result) => write_result(result),
        Part::Audio { .. } => return None,
    })
}

/// A thought that `signature` proves.
pub(super) fn write_thought(thought: &Thought, signature: &str) -> Value {
    if thought.sealed {
        return json!({"type": "redacted_thinking", "data": signature});
    }
    json!({"type": "thinking", "thinking": thought.text, "signature": signature})
}

/// A call of a tool. Its input is an object: arguments that are none, as those of a tool with free input, are its one
/// member `input`.
pub(super) fn write_call(call: &ToolCall) -> Value {
    json!({"type": "tool_use", "id": fit_id(&call.id), "name": call.name, "input": input(call)})
}

/// The arguments of `call` as an object.
pub(super) fn input(call: &ToolCall) -> Map<String, Value> {
    let arguments = call.arguments.as_str();
    match serde_json::from_str(arguments) {
        Ok(Value::Object(members)) if !call.free => members,
        Ok(other) if !call.free => Map::from_iter([("input".to_owned(), other)]),
        Err(_) if !call.free && arguments.trim().is_empty() => Map::new(),
        _ => Map::from_iter([("input".to_owned(), arguments.into())]),
    }
}

/// A thought that the block `thinking` or `redacted_thinking` is, by its members.
pub(super) fn thought(text: Option<&str>, signature: Option<&str>, sealed: bool) -> Thought {
    let signature = signature.filter(|signature| sealed || !signature.is_empty()).map(str::to_owned);
    Thought { text: text.unwrap_or_default().to_owned(), signature, sealed }
}

fn block<const N: usize>(kind: &str, members: [(&str, Value); N]) -> Map<String, Value> {
    let kind = [("type".to_owned(), kind.into())];
    kind.into_iter().chain(members.map(|(name, value)| (name.to_owned(), value))).collect()
}

fn read(block: &Value, at: &Path<'_>, used: &mut Used) -> Result<Option<Part>, BadRequest> {
    let mut members = Members::of(block, at)?;
    let part = match members.needed_text("type", "give the type of the block, such as \"text\"")? {
        "text" => {
            let text = members.needed_text("text", "give the text")?.to_owned();
            if members.list("citations")?.is_some_and(|citations| !citations.is_empty()) {
                members.note(Feature::Hint, "citations", used);
            }
            Part::Text(Text { text, citations: Vec::new(), cache: read_cache(&mut members, used)? })
        }
        "image" => {
            let cache = read_cache(&mut members, used)?;
            let Some(media) = read_source(&mut members, [Feature::Images, Feature::ImageUrls], used)? else {
                return Ok(None);
            };
            Part::Image { media, detail: None, cache }
        }
        "document" => {
            let cache = read_cache(&mut members, used)?;
            let name = members.text("title")?.map(str::to_owned);
            if members.take("citations").is_some_and(|cited| cited.get("enabled").is_some_and(|on| on == true)) {
                members.note(Feature::Foreign, "citations", used);
            }
            let Some(media) = read_source(&mut members, [Feature::Files, Feature::FileUrls], used)? else {
                return Ok(None);
            };
            Part::File { media, name, cache }
        }
        "thinking" => {
            used.note(Feature::Thoughts, at.to_string());
            Part::Thought(thought(members.text("thinking")?, members.text("signature")?, false))
        }
        "redacted_thinking" => {
            used.note(Feature::Thoughts, at.to_string());
            Part::Thought(thought(None, Some(members.needed_text("data", "give it as it came")?), true))
        }
        "tool_use" => Part::ToolCall(read_call(&mut members, used)?),
        "tool_result" => Part::ToolResult(read_result(&mut members, used)?),
        _ => {
            used.note(Feature::Foreign, at.to_string());
            return Ok(None);
        }
    };
    members.leave(&["cache_control"], used);
    Ok(Some(part))
}

/// Reads where a medium is; `None`, and noted, where it is a source of another kind.
fn read_source(
    members: &mut Members<'_, '_>,
    [inline, url]: [Feature; 2],
    used: &mut Used,
) -> Result<Option<Media>, BadRequest> {
    let at = members.path().key("source");
    let source = members.take("source").ok_or_else(|| members.missing("source", "tell where it is"))?;
    let mut source = Members::of(source, &at)?;
    let (feature, media) = match source.needed_text("type", "give base64, url, file or text")? {
        "base64" => {
            let kind = source.needed_text("media_type", "tell what it is, such as \"image/png\"")?.to_owned();
            let data = source.needed_text("data", "give its bytes in base64")?.to_owned();
            (inline, Media::Inline { kind, data })
        }
        "text" => {
            let kind = source.text("media_type")?.unwrap_or("text/plain").to_owned();
            let data = STANDARD.encode(source.needed_text("data", "give the text")?);
            (inline, Media::Inline { kind, data })
        }
        "url" => (url, Media::Url { kind: None, url: source.needed_text("url", "give the address")?.to_owned() }),
        "file" => {
            (Feature::StoredMedia, Media::Stored(source.needed_text("file_id", "give the id of the file")?.to_owned()))
        }
        _ => {
            used.note(Feature::Foreign, at.to_string());
            return Ok(None);
        }
    };
    used.note(feature, at.to_string());
    source.leave(&[], used);
    Ok(Some(media))
}

fn write_image(media: &Media) -> Value {
    match media {
        // The API knows no other name for it.
        Media::Inline { kind, data } if kind == "image/jpg" => write_base64("image/jpeg", data),
        Media::Inline { kind, data } => write_base64(kind, data),
        Media::Url { url, .. } => json!({"type": "url", "url": url}),
        Media::Stored(id) => json!({"type": "file", "file_id": id}),
    }
}

/// Where a document is. A text of any kind is a plain one here: the API knows no other.
fn write_document(media: &Media) -> Value {
    let Media::Inline { kind, data } = media else { return write_image(media) };
    let is_text = kind.starts_with("text/") || kind == "application/json";
    let text = STANDARD.decode(data).ok().filter(|_| is_text).and_then(|bytes| String::from_utf8(bytes).ok());
    match text {
        Some(text) => json!({"type": "text", "media_type": "text/plain", "data": text}),
        None => write_base64(kind, data),
    }
}

fn write_base64(kind: &str, data: &str) -> Value {
    json!({"type": "base64", "media_type": kind, "data": data})
}

fn read_call(members: &mut Members<'_, '_>, used: &mut Used) -> Result<ToolCall, BadRequest> {
    let id = members.needed_text("id", "give the id of the call")?.to_owned();
    let name = members.needed_text("name", "name the tool")?.to_owned();
    let arguments = members.take("input").map_or_else(|| "{}".to_owned(), Value::to_string);
    if members.take("caller").is_some_and(|caller| caller.get("type").is_none_or(|kind| kind != "direct")) {
        members.note(Feature::Foreign, "caller", used);
    }
    Ok(ToolCall { id, name, arguments, free: false })
}

fn read_result(members: &mut Members<'_, '_>, used: &mut Used) -> Result<ToolResult, BadRequest> {
    let call = members.needed_text("tool_use_id", "give the id of the call")?.to_owned();
    let at = members.path().key("content");
    let content = members.take("content").map(|content| read_content(content, &at, used));
    let parts = content.transpose()?.unwrap_or_default();
    if parts.iter().any(|part| !matches!(part, Part::Text(_))) {
        used.note(Feature::ToolMedia, at.to_string());
    }
    let failed = members.flag("is_error")?.unwrap_or_default();
    if failed {
        members.note(Feature::ToolErrors, "is_error", used);
    }
    Ok(ToolResult { call, parts, failed, cache: read_cache(members, used)? })
}

/// A result; a text alone is a string, be it empty.
fn write_result(result: &ToolResult) -> Value {
    let mut written = block("tool_result", [("tool_use_id", fit_id(&result.call).into())]);
    let content = match result.parts.as_slice() {
        [] => None,
        [Part::Text(Text { text, cache: None, .. })] => Some(Value::from(text.as_str())),
        parts => Some(parts.iter().filter_map(write).collect()),
    };
    written.extend(content.map(|content| ("content".to_owned(), content)));
    written.extend(result.failed.then(|| ("is_error".to_owned(), true.into())));
    with_cache(written, result.cache)
}
