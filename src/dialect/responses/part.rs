//! The parts of a message's content, and of what a tool said: texts, images and files.

use crate::chat::{Cache, Feature, Media, Part, Text, Used};
use crate::dialect::BadRequest;
use crate::dialect::members::{Members, Path};
use serde_json::{Map, Value, json};

/// What a file is called of which no name is told: OpenAI takes no inline file without one.
const UNNAMED: &str = "file";
/// How closely a model looks at an image of which nothing is told. The types of OpenAI's SDKs demand that it is told.
const AS_IT_LIKES: &str = "auto";
/// What a text brings back from an answer and says nothing to another provider.
const ECHOES: [&str; 3] = ["annotations", "logprobs", "parsed"];

/// Reads a content: a text, or parts. A part that is not known here is noted as foreign.
pub(super) fn read_content(content: &Value, at: &Path<'_>, used: &mut Used) -> Result<Vec<Part>, BadRequest> {
    match content {
        Value::String(text) if text.is_empty() => Ok(Vec::new()),
        Value::String(text) => Ok(vec![Part::text(text)]),
        Value::Array(parts) => {
            let parts = parts.iter().enumerate();
            let read = parts.map(|(index, part)| read_part(part, &at.index(index), used));
            read.filter_map(Result::transpose).collect()
        }
        _ => Err(at.wrong("a string or a list of parts", content)),
    }
}

/// Writes a content that is not of the assistant: a text alone as a string, anything else as a list.
pub(super) fn write_content(parts: &[Part]) -> Value {
    match parts {
        [] => "".into(),
        [Part::Text(Text { text, .. })] if !text.is_empty() => text.as_str().into(),
        _ => parts.iter().filter_map(write_part).collect(),
    }
}

fn read_part(part: &Value, at: &Path<'_>, used: &mut Used) -> Result<Option<Part>, BadRequest> {
    let mut members = Members::of(part, at)?;
    let kind = members.needed_text("type", "give the type of the part, such as \"input_text\"")?;
    let cache = read_cache(&mut members, used);
    let read = match kind {
        "input_text" | "output_text" | "text" => {
            let text = members.needed_text("text", "give the text")?.to_owned();
            for name in ECHOES {
                members.take(name);
            }
            Part::Text(Text { text, cache, ..Text::default() })
        }
        "refusal" => Part::Refusal(members.needed_text("refusal", "give the text")?.to_owned()),
        "input_image" => read_image(&mut members, cache, used)?,
        "input_file" => read_file(&mut members, cache, used)?,
        _ => {
            used.note(Feature::Foreign, at.to_string());
            return Ok(None);
        }
    };
    members.leave(&["detail"], used);
    Ok(Some(read))
}

/// Reads what is to be cached up to here; OpenAI's long life is twelve hours, of which an hour is the nearest.
fn read_cache(members: &mut Members<'_, '_>, used: &mut Used) -> Option<Cache> {
    let cached = members.take("prompt_cache_breakpoint")?;
    members.note(Feature::CacheControl, "prompt_cache_breakpoint", used);
    let is_long = cached.get("ttl").and_then(Value::as_str) == Some("12h");
    Some(if is_long { Cache::Hour } else { Cache::Minutes })
}

fn read_image(members: &mut Members<'_, '_>, cache: Option<Cache>, used: &mut Used) -> Result<Part, BadRequest> {
    let (url, id) = (members.text("image_url")?, members.text("file_id")?);
    let media = match (url, id) {
        (Some(url), _) => {
            let media = read_url(url);
            if url.starts_with("data:") && matches!(media, Media::Url { .. }) {
                let right = "must be in base64 where it holds the bytes: data:image/png;base64,…";
                return Err(members.path().key("image_url").bad(right));
            }
            let is_inline = matches!(media, Media::Inline { .. });
            members.note(if is_inline { Feature::Images } else { Feature::ImageUrls }, "image_url", used);
            media
        }
        (None, Some(id)) => {
            members.note(Feature::StoredMedia, "file_id", used);
            Media::Stored(id.to_owned())
        }
        (None, None) => {
            let remedy = "give the image's address, or its bytes as data:image/png;base64,…";
            return Err(members.missing("image_url", remedy));
        }
    };
    let detail = members.text("detail")?.filter(|detail| *detail != AS_IT_LIKES).map(str::to_owned);
    if detail.is_some() {
        members.note(Feature::Detail, "detail", used);
    }
    Ok(Part::Image { media, detail, cache })
}

fn read_file(members: &mut Members<'_, '_>, cache: Option<Cache>, used: &mut Used) -> Result<Part, BadRequest> {
    let (data, url, id) = (members.text("file_data")?, members.text("file_url")?, members.text("file_id")?);
    let name = members.text("filename")?.filter(|name| *name != UNNAMED).map(str::to_owned);
    let media = match (data, url, id) {
        (Some(data), ..) => {
            members.note(Feature::Files, "file_data", used);
            match read_url(data) {
                Media::Url { url: data, .. } => {
                    Media::Inline { kind: kind_of(&data, name.as_deref()).to_owned(), data }
                }
                inline => inline,
            }
        }
        (None, Some(url), _) => {
            members.note(Feature::FileUrls, "file_url", used);
            Media::Url { kind: None, url: url.to_owned() }
        }
        (None, None, Some(id)) => {
            members.note(Feature::StoredMedia, "file_id", used);
            Media::Stored(id.to_owned())
        }
        (None, None, None) => {
            let remedy = "give the file as data:application/pdf;base64,…, or else file_url or file_id";
            return Err(members.missing("file_data", remedy));
        }
    };
    Ok(Part::File { media, name, cache })
}

/// What a file is that comes as bare base64.
fn kind_of(data: &str, name: Option<&str>) -> &'static str {
    // %PDF
    let is_pdf = data.starts_with("JVBER") || name.is_some_and(|name| name.to_ascii_lowercase().ends_with(".pdf"));
    if is_pdf { "application/pdf" } else { "application/octet-stream" }
}

/// An address, or the bytes that a `data:` address holds in base64; what stands between kind and base64 is passed over.
fn read_url(url: &str) -> Media {
    let inline = url.strip_prefix("data:").and_then(|rest| rest.split_once(','));
    match inline.and_then(|(head, data)| Some((head.strip_suffix(";base64")?, data))) {
        Some((head, data)) => {
            let kind = head.split(';').next().unwrap_or_default().to_owned();
            Media::Inline { kind, data: data.to_owned() }
        }
        None => Media::Url { kind: None, url: url.to_owned() },
    }
}

fn write_part(part: &Part) -> Option<Value> {
    let (kind, members) = match part {
        Part::Text(Text { text, .. }) => return Some(json!({"type": "input_text", "text": text})),
        // Only the assistant declines; of others it is what they say.
        Part::Refusal(text) => return Some(json!({"type": "input_text", "text": text})),
        Part::Image { media, detail, .. } => {
            let place = match media {
                Media::Stored(id) => ("file_id", id.clone()),
                other => ("image_url", address(other)),
            };
            let detail = detail.clone().unwrap_or_else(|| AS_IT_LIKES.to_owned());
            ("input_image", [Some(place), Some(("detail", detail))])
        }
        Part::File { media, name, .. } => {
            let (place, unnamed) = match media {
                Media::Inline { .. } => (("file_data", address(media)), Some(UNNAMED.to_owned())),
                Media::Url { url, .. } => (("file_url", url.clone()), None),
                Media::Stored(id) => (("file_id", id.clone()), None),
            };
            let name = name.clone().or(unnamed);
            ("input_file", [name.map(|name| ("filename", name)), Some(place)])
        }
        Part::Audio { .. } | Part::Thought(_) | Part::ToolCall(_) | Part::ToolResult(_) => return None,
    };
    let mut written = Map::from_iter([("type".to_owned(), kind.into())]);
    written.extend(members.into_iter().flatten().map(|(name, value)| (name.to_owned(), value.into())));
    Some(written.into())
}

/// Where media is, as an address.
fn address(media: &Media) -> String {
    match media {
        Media::Inline { kind, data } => format!("data:{kind};base64,{data}"),
        Media::Url { url, .. } => url.clone(),
        Media::Stored(id) => id.clone(),
    }
}
