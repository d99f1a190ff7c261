//! The parts of a message's content: texts, images, sounds and files.

use crate::chat::{Cache, Feature, Media, Part, Text, Used};
use crate::dialect::BadRequest;
use crate::dialect::members::{Members, Path};
use serde_json::{Map, Value, json};

/// What a file is called of which no name is told: OpenAI takes no inline file without one.
const UNNAMED: &str = "file";

/// Reads the content of a message: nothing, a text, or parts. What is not known here is noted as foreign.
pub(super) fn read_content(content: &Value, at: &Path<'_>, used: &mut Used) -> Result<Vec<Part>, BadRequest> {
    match content {
        Value::Null => Ok(Vec::new()),
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

/// Writes the content of a message: a text alone as a string, anything else as a list.
pub(super) fn write_content(parts: &[&Part]) -> Value {
    match parts {
        [] => "".into(),
        [Part::Text(Text { text, .. })] if !text.is_empty() => text.as_str().into(),
        _ => parts.iter().filter_map(|part| write_part(part)).collect(),
    }
}

/// Reads what is to be cached up to here: OpenAI's own word for it, or Anthropic's, which many servers take.
pub(super) fn read_cache(members: &mut Members<'_, '_>, used: &mut Used) -> Result<Option<Cache>, BadRequest> {
    let mut cache = None;
    if let Some(control) = members.take("cache_control") {
        let hour = control.get("ttl").and_then(Value::as_str) == Some("1h");
        cache = Some(if hour { Cache::Hour } else { Cache::Minutes });
        members.note(Feature::CacheControl, "cache_control", used);
    }
    if members.take("prompt_cache_breakpoint").is_some() {
        cache = cache.or(Some(Cache::Minutes));
        members.note(Feature::CacheControl, "prompt_cache_breakpoint", used);
    }
    Ok(cache)
}

fn read_part(part: &Value, at: &Path<'_>, used: &mut Used) -> Result<Option<Part>, BadRequest> {
    if let Value::String(text) = part {
        return Ok(Some(Part::text(text)));
    }
    let mut members = Members::of(part, at)?;
    let kind = members.needed_text("type", "give the type of the part, such as \"text\"")?;
    let cache = read_cache(&mut members, used)?;
    let read = match kind {
        "text" => {
            let text = members.needed_text("text", "give the text")?.to_owned();
            Part::Text(Text { text, cache, ..Text::default() })
        }
        "refusal" => Part::Refusal(members.needed_text("refusal", "give the text")?.to_owned()),
        "image_url" => read_image(&mut members, cache, used)?,
        "input_audio" => read_sound(&mut members, used)?,
        "file" => read_file(&mut members, cache, used)?,
        _ => {
            used.note(Feature::Foreign, at.to_string());
            return Ok(None);
        }
    };
    members.leave(&[], used);
    Ok(Some(read))
}

/// Reads `{"url", "detail"}`, or the bare address that some take.
fn read_image(members: &mut Members<'_, '_>, cache: Option<Cache>, used: &mut Used) -> Result<Part, BadRequest> {
    let at = members.path().key("image_url");
    let image = members.take("image_url").ok_or_else(|| members.missing("image_url", "give {\"url\": …}"))?;
    if let Value::String(url) = image {
        return Ok(Part::Image { media: read_url(url, &at, used)?, detail: None, cache });
    }
    let mut image = Members::of(image, &at)?;
    let url = image.needed_text("url", "give the image's address, or its bytes as data:image/png;base64,…")?;
    let media = read_url(url, &at, used)?;
    let detail = image.text("detail")?.map(str::to_owned);
    if detail.is_some() {
        image.note(Feature::Detail, "detail", used);
    }
    image.leave(&[], used);
    Ok(Part::Image { media, detail, cache })
}

fn read_url(url: &str, at: &Path<'_>, used: &mut Used) -> Result<Media, BadRequest> {
    if let Some((kind, data)) = inline(url) {
        used.note(Feature::Images, at.to_string());
        return Ok(Media::Inline { kind: kind.to_owned(), data: data.to_owned() });
    }
    if url.starts_with("data:") {
        return Err(at.key("url").bad("must be in base64 where it holds the bytes: data:image/png;base64,…"));
    }
    used.note(Feature::ImageUrls, at.to_string());
    Ok(Media::Url { kind: None, url: url.to_owned() })
}

fn read_sound(members: &mut Members<'_, '_>, used: &mut Used) -> Result<Part, BadRequest> {
    let at = members.path().key("input_audio");
    let sound = members.take("input_audio").ok_or_else(|| members.missing("input_audio", "give data and format"))?;
    used.note(Feature::Audio, at.to_string());
    let mut sound = Members::of(sound, &at)?;
    let data = sound.needed_text("data", "give the sound in base64")?;
    let kind = match sound.text("format")? {
        Some("mp3") => "audio/mpeg".to_owned(),
        Some(format) => format!("audio/{format}"),
        None => inline(data).map_or("audio/wav", |(kind, _)| kind).to_owned(),
    };
    sound.leave(&[], used);
    if data.starts_with("http:") || data.starts_with("https:") {
        return Ok(Part::Audio { media: Media::Url { kind: Some(kind), url: data.to_owned() } });
    }
    let data = inline(data).map_or(data, |(_, data)| data).to_owned();
    Ok(Part::Audio { media: Media::Inline { kind, data } })
}

fn read_file(members: &mut Members<'_, '_>, cache: Option<Cache>, used: &mut Used) -> Result<Part, BadRequest> {
    let at = members.path().key("file");
    let file = members.take("file").ok_or_else(|| members.missing("file", "give file_data and filename"))?;
    let mut file = Members::of(file, &at)?;
    let (data, id, name) = (file.text("file_data")?, file.text("file_id")?, file.text("filename")?);
    file.leave(&["format"], used);
    let name = name.filter(|name| *name != UNNAMED).map(str::to_owned);
    let (feature, media) = match (data, id) {
        (Some(url), _) if url.starts_with("http:") || url.starts_with("https:") => {
            (Feature::FileUrls, Media::Url { kind: None, url: url.to_owned() })
        }
        (Some(data), _) => {
            let (kind, data) = inline(data).unwrap_or_else(|| (kind_of(data, name.as_deref()), data));
            (Feature::Files, Media::Inline { kind: kind.to_owned(), data: data.to_owned() })
        }
        (None, Some(id)) => (Feature::StoredMedia, Media::Stored(id.to_owned())),
        (None, None) => return Err(at.bad("is empty; give file_data, as data:application/pdf;base64,…, or file_id")),
    };
    used.note(feature, at.to_string());
    Ok(Part::File { media, name, cache })
}

/// What a file is that comes as bare base64.
fn kind_of(data: &str, name: Option<&str>) -> &'static str {
    // %PDF
    let is_pdf = data.starts_with("JVBER") || name.is_some_and(|name| name.to_ascii_lowercase().ends_with(".pdf"));
    if is_pdf { "application/pdf" } else { "application/octet-stream" }
}

/// The kind and the base64 of a `data:` address; what stands between the two is passed over.
fn inline(url: &str) -> Option<(&str, &str)> {
    let (head, data) = url.strip_prefix("data:")?.split_once(',')?;
    let head = head.strip_suffix(";base64")?;
    Some((head.split(';').next().unwrap_or_default(), data))
}

fn write_part(part: &Part) -> Option<Value> {
    Some(match part {
        Part::Text(Text { text, .. }) => json!({"type": "text", "text": text}),
        Part::Refusal(text) => json!({"type": "refusal", "refusal": text}),
        Part::Image { media, detail, .. } => {
            let mut image = Map::from_iter([("url".to_owned(), address(media).into())]);
            image.extend(detail.as_deref().map(|detail| ("detail".to_owned(), detail.into())));
            json!({"type": "image_url", "image_url": image})
        }
        Part::Audio { media } => json!({"type": "input_audio", "input_audio": write_sound(media)}),
        Part::File { media: Media::Stored(id), .. } => json!({"type": "file", "file": {"file_id": id}}),
        Part::File { media, name, .. } => {
            let name = name.as_deref().unwrap_or(UNNAMED);
            json!({"type": "file", "file": {"filename": name, "file_data": address(media)}})
        }
        Part::Thought(_) | Part::ToolCall(_) | Part::ToolResult(_) => return None,
    })
}

fn address(media: &Media) -> String {
    match media {
        Media::Inline { kind, data } => format!("data:{kind};base64,{data}"),
        Media::Url { url, .. } => url.clone(),
        Media::Stored(id) => id.clone(),
    }
}

/// OpenAI knows `wav` and `mp3`; others go out as they are called, for the provider to judge.
fn write_sound(media: &Media) -> Value {
    let (kind, data) = match media {
        Media::Inline { kind, data } => (kind.as_str(), data),
        Media::Url { kind, url } => (kind.as_deref().unwrap_or_default(), url),
        Media::Stored(id) => ("", id),
    };
    let format = match kind {
        "audio/mpeg" | "audio/mp3" => "mp3",
        "audio/wav" | "audio/x-wav" | "audio/wave" | "" => "wav",
        other => other.strip_prefix("audio/").unwrap_or(other),
    };
    json!({"data": data, "format": format})
}
