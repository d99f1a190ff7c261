//! Images, sounds and files: `inlineData` and `fileData`.

use crate::chat::{Feature, Media, Part, Used};
use crate::dialect::BadRequest;
use crate::dialect::members::{Members, Path};
use serde_json::{Value, json};

/// What an address is of, by its path's ending.
const ENDINGS: [(&str, &str); 20] = [
    (".png", "image/png"),
    (".jpg", "image/jpeg"),
    (".jpeg", "image/jpeg"),
    (".webp", "image/webp"),
    (".gif", "image/gif"),
    (".heic", "image/heic"),
    (".heif", "image/heif"),
    (".pdf", "application/pdf"),
    (".txt", "text/plain"),
    (".md", "text/md"),
    (".html", "text/html"),
    (".csv", "text/csv"),
    (".mp4", "video/mp4"),
    (".mov", "video/mov"),
    (".webm", "video/webm"),
    (".wav", "audio/wav"),
    (".mp3", "audio/mp3"),
    (".ogg", "audio/ogg"),
    (".flac", "audio/flac"),
    (".aac", "audio/aac"),
];
/// The two names of MP3: Gemini's, and everyone's.
const MP3: (&str, &str) = ("audio/mp3", "audio/mpeg");
/// Where Gemini keeps the files that were given to it.
const FILES: &str = "generativelanguage.googleapis.com/";
const YOUTUBE: [&str; 4] =
    ["https://www.youtube.com/", "https://youtube.com/", "https://youtu.be/", "https://m.youtube.com/"];

/// Reads an `inlineData`, and the name it has there.
pub(super) fn read_inline(blob: &Value, at: &Path<'_>, used: &mut Used) -> Result<(Option<String>, Part), BadRequest> {
    let mut members = Members::of(blob, at)?;
    let kind = members.needed_text("mimeType", "say what it is, such as \"image/png\"")?;
    let data = members.needed_text("data", "give its bytes in base64")?.to_owned();
    let name = members.text("displayName")?.map(str::to_owned);
    members.leave(&[], used);
    let part = part_of(Media::Inline { kind: usual(kind), data }, kind, name.clone());
    note(&part, at, used);
    Ok((name, part))
}

/// Reads a `fileData`, and the name it has there. What only Gemini can fetch is as good as an id.
pub(super) fn read_file(blob: &Value, at: &Path<'_>, used: &mut Used) -> Result<(Option<String>, Part), BadRequest> {
    let mut members = Members::of(blob, at)?;
    let uri = members.needed_text("fileUri", "give its address")?.to_owned();
    let told = members.text("mimeType")?;
    let name = members.text("displayName")?.map(str::to_owned);
    members.leave(&[], used);
    let kind = told.or(ending(&uri)).unwrap_or_default().to_owned();
    let is_public = uri.split_once("://").is_some_and(|(scheme, rest)| {
        matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https") && !rest.starts_with(FILES)
    });
    let media = if is_public { Media::Url { kind: told.map(usual), url: uri } } else { Media::Stored(uri) };
    let part = part_of(media, &kind, name.clone());
    note(&part, at, used);
    Ok((name, part))
}

/// Writes an image, a sound or a file; `None` for any other part.
///
/// An address must come with its kind: where that is not told it is guessed by the path's ending, else an image is a JPEG
/// and a file a PDF. Names have no place: they are for one of Google's two APIs, and the other refuses them.
pub(super) fn write(part: &Part) -> Option<Value> {
    let (media, usual) = match part {
        Part::Image { media, .. } => (media, "image/jpeg"),
        Part::Audio { media } => (media, "audio/wav"),
        Part::File { media, .. } => (media, "application/pdf"),
        _ => return None,
    };
    Some(match media {
        Media::Inline { kind, data } => json!({"inlineData": {"mimeType": own(kind), "data": data}}),
        Media::Url { kind, url } => {
            let kind = kind.as_deref().or(ending(url)).unwrap_or(usual);
            json!({"fileData": {"mimeType": own(kind), "fileUri": url}})
        }
        Media::Stored(uri) => json!({"fileData": {"mimeType": usual, "fileUri": uri}}),
    })
}

fn part_of(media: Media, kind: &str, name: Option<String>) -> Part {
    match kind.split_once('/') {
        Some(("image", _)) => Part::Image { media, detail: None, cache: None },
        Some(("audio", _)) => Part::Audio { media },
        _ => Part::File { media, name, cache: None },
    }
}

fn note(part: &Part, at: &Path<'_>, used: &mut Used) {
    let feature = match part {
        Part::Image { media: Media::Inline { .. }, .. } => Feature::Images,
        Part::Image { media: Media::Url { .. }, .. } => Feature::ImageUrls,
        Part::File { media: Media::Inline { .. }, .. } => Feature::Files,
        Part::File { media: Media::Url { .. }, .. } => Feature::FileUrls,
        Part::Audio { media: Media::Inline { .. } | Media::Url { .. } } => Feature::Audio,
        _ => Feature::StoredMedia,
    };
    used.note(feature, at.to_string());
    if matches!(part, Part::Audio { media: Media::Stored(_) }) {
        used.note(Feature::Audio, at.to_string());
    }
}

fn ending(url: &str) -> Option<&'static str> {
    if YOUTUBE.iter().any(|site| url.starts_with(site)) {
        return Some("video/mp4");
    }
    let path = url.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    ENDINGS.iter().find(|(ending, _)| path.ends_with(ending)).map(|(_, kind)| *kind)
}

fn usual(kind: &str) -> String {
    if kind == MP3.0 { MP3.1 } else { kind }.to_owned()
}

fn own(kind: &str) -> &str {
    if kind == MP3.1 { MP3.0 } else { kind }
}
