//! What a request is made of, as far as its price depends on it: one walk that builds no values.
//!
//! Whatever can cost must be seen here. What is text counts byte for byte, and what is not known has no bound.
//!
//! | in the request | bounded by | because |
//! |---|---|---|
//! | text, calls and results, schemas, names, keys | its bytes | no tokenizer makes more tokens than bytes |
//! | `functionDeclarations` | so many tokens more | a prompt of the provider's own explains them |
//! | `inlineData` of an image | the model's tokens for an image | it is billed by its size in tiles, up to a maximum |
//! | `inlineData` of WAV or MP3 | the bytes of its sound | Google bills 32 tokens a second |
//! | `inlineData` with a PDF | the model's tokens for a file | its pages are seen as images |
//! | `inlineData` of text | its bytes and the model's tokens for a file | it is billed as text |
//! | `fileData` of an image at an address | the model's tokens for an image | as above |
//! | `responseModalities` AUDIO, `speechConfig` | the dearest rate of output | sound has a rate of its own |
//! | `candidateCount`, `maxOutputTokens` | [`Envelope`](crate::dialect::Envelope) | the prompt is billed once, output for each; thoughts count towards the cap |
//!
//! Without a bound are: tools that Google runs, `cachedContent`, other `fileData` (films, whatever lies in Google's own
//! stores), films and packed sound inline, output that is neither text nor sound, a `serviceTier` dearer than the standard one,
//! and every field that is not known here.
//!
//! Names count in both spellings, whatever their case and escapes. Media is taken off the bytes only where it is the one
//! `data` of the one `inlineData` of its part.

use crate::bound::Shape;
use crate::dialect::names::{field, word};
use crate::dialect::skim::{Cursor, Key};
use crate::dialect::walk::{self, Seen, Walk, absent, array, count, is_one_of, object};
use crate::reach::Reach;

/// The fields of a body that are read, in small letters, in both spellings.
const BODY: [&str; 12] = [
    "contents",
    "content",
    "systeminstruction",
    "system_instruction",
    "requests",
    "generatecontentrequest",
    "generate_content_request",
    "tools",
    "generationconfig",
    "generation_config",
    "servicetier",
    "service_tier",
];
/// Those that cost no more than their bytes.
const BODY_PLAIN: [&str; 12] = [
    "model",
    "toolconfig",
    "tool_config",
    "safetysettings",
    "safety_settings",
    "labels",
    "store",
    "tasktype",
    "task_type",
    "title",
    "outputdimensionality",
    "output_dimensionality",
];
/// The fields of a part that are read.
const PART: [&str; 6] = ["inlinedata", "inline_data", "filedata", "file_data", "functionresponse", "function_response"];
const PART_PLAIN: [&str; 11] = [
    "text",
    "thought",
    "thoughtsignature",
    "thought_signature",
    "functioncall",
    "function_call",
    "executablecode",
    "executable_code",
    "codeexecutionresult",
    "code_execution_result",
    "partmetadata",
];
const BLOB: [&str; 7] = ["data", "mimetype", "mime_type", "fileuri", "file_uri", "displayname", "display_name"];
const FUNCTIONS: [&str; 2] = ["functiondeclarations", "function_declarations"];
/// The fields of a config that are read.
const CONFIG: [&str; 6] = [
    "responsemodalities",
    "response_modalities",
    "speechconfig",
    "speech_config",
    "mediaresolution",
    "media_resolution",
];
const CONFIG_PLAIN: [&str; 32] = [
    "temperature",
    "topp",
    "top_p",
    "topk",
    "top_k",
    "seed",
    "logprobs",
    "responselogprobs",
    "response_logprobs",
    "candidatecount",
    "candidate_count",
    "maxoutputtokens",
    "max_output_tokens",
    "stopsequences",
    "stop_sequences",
    "presencepenalty",
    "presence_penalty",
    "frequencypenalty",
    "frequency_penalty",
    "responsemimetype",
    "response_mime_type",
    "responseschema",
    "response_schema",
    "responsejsonschema",
    "response_json_schema",
    "_responsejsonschema",
    "thinkingconfig",
    "thinking_config",
    "enableenhancedcivicanswers",
    "enable_enhanced_civic_answers",
    "audiotimestamp",
    "audio_timestamp",
];
const RESOLUTIONS: [&str; 4] =
    ["MEDIA_RESOLUTION_UNSPECIFIED", "MEDIA_RESOLUTION_LOW", "MEDIA_RESOLUTION_MEDIUM", "MEDIA_RESOLUTION_HIGH"];
/// The service tiers that cost no more than the standard one.
const TIERS: [&str; 6] = ["unspecified", "UNSPECIFIED", "standard", "STANDARD", "flex", "FLEX"];
/// Sound of which the bytes tell how long it is at most.
const SOUNDS: [&str; 5] = ["audio/wav", "audio/x-wav", "audio/wave", "audio/mp3", "audio/mpeg"];
const YOUTUBE: [&[u8]; 2] = [b"youtube", b"youtu.be"];

/// Reads what `body`, a valid JSON object, is made of.
pub(super) fn read(body: &[u8]) -> (Shape, Reach) {
    walk::read::<Reader>(body)
}

#[derive(Default)]
struct Reader {
    seen: Seen,
}

/// The media of a part, as far as it was read.
#[derive(Default)]
struct Blob<'a> {
    kinds: u32,
    kind: &'a [u8],
    datas: u32,
    data: &'a [u8],
    uris: u32,
    uri: &'a [u8],
}

impl Walk for Reader {
    fn seen(&mut self) -> &mut Seen {
        &mut self.seen
    }

    fn field<'a>(&mut self, cursor: &mut Cursor<'a>, key: &Key<'a>) -> Option<()> {
        match field(key.name, &BODY) {
            Some("contents" | "content" | "systeminstruction" | "system_instruction") => {
                self.each(cursor, Self::content)
            }
            Some("requests" | "generatecontentrequest" | "generate_content_request") => self.each(cursor, Self::body),
            Some("tools") => self.each(cursor, Self::tool),
            Some("generationconfig" | "generation_config") => self.each(cursor, Self::config),
            Some(_) => self.service(cursor, &TIERS, |service| &mut service.tier),
            None => self.plain(cursor, key, &BODY_PLAIN),
        }
    }

    fn pass(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        cursor.value().map(drop)
    }
}

impl Reader {
    /// Steps over a list whose elements `element` steps over, or over one element alone.
    fn each<'a>(
        &mut self,
        cursor: &mut Cursor<'a>,
        element: fn(&mut Self, &mut Cursor<'a>) -> Option<()>,
    ) -> Option<()> {
        match cursor.peek()? {
            b'[' => array(cursor, &mut |cursor| element(self, cursor)),
            _ => element(self, cursor),
        }
    }

    fn content(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        match cursor.peek()? {
            b'"' => self.pass(cursor),
            b'{' => object(cursor, &mut |cursor, key| match field(key.name, &["parts"]) {
                Some(_) => self.each(cursor, Self::part),
                None => self.plain(cursor, key, &["role"]),
            }),
            _ => self.elsewhere(cursor),
        }
    }

    fn part(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        if cursor.peek()? != b'{' {
            return self.elsewhere(cursor);
        }
        let (start, mut media, mut bytes) = (cursor.clone(), 0_u32, 0);
        object(cursor, &mut |cursor, key| match field(key.name, &PART) {
            Some("functionresponse" | "function_response") => self.each(cursor, Self::response),
            Some(_) if !absent(cursor) => {
                media = media.saturating_add(1);
                bytes = self.blob(cursor)?;
                Some(())
            }
            Some(_) => self.pass(cursor),
            None => self.plain(cursor, key, &PART_PLAIN),
        })?;
        if media == 1 {
            self.seen.media_bytes = self.seen.media_bytes.saturating_add(bytes);
        }
        // Nobody knows which of them is read.
        if media > 1 {
            self.seen.strange(&start);
        }
        Some(())
    }

    /// Steps over the result of a tool, which may have media in parts of its own.
    fn response(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        if cursor.peek()? != b'{' {
            return self.elsewhere(cursor);
        }
        object(cursor, &mut |cursor, key| match field(key.name, &["parts"]) {
            Some(_) => self.each(cursor, Self::part),
            None => self.pass(cursor),
        })
    }

    /// Steps over an `inlineData` or a `fileData`; the bytes of it that are media and no text.
    fn blob(&mut self, cursor: &mut Cursor<'_>) -> Option<u64> {
        if cursor.peek()? != b'{' {
            return self.elsewhere(cursor).map(|()| 0);
        }
        let (start, mut blob) = (cursor.clone(), Blob::default());
        object(cursor, &mut |cursor, key| {
            let (count, value) = match field(key.name, &BLOB) {
                Some("data") => (&mut blob.datas, &mut blob.data),
                Some("mimetype" | "mime_type") => (&mut blob.kinds, &mut blob.kind),
                Some("fileuri" | "file_uri") => (&mut blob.uris, &mut blob.uri),
                Some(_) => return self.pass(cursor),
                None => return self.elsewhere(cursor),
            };
            if absent(cursor) {
                return self.pass(cursor);
            }
            *count = count.saturating_add(1);
            *value = cursor.string()?.raw;
            Some(())
        })?;
        Some(self.media(&blob, &start))
    }

    /// Counts media, which begins at `start`; the bytes of it that are no text.
    fn media(&mut self, blob: &Blob<'_>, start: &Cursor<'_>) -> u64 {
        let bytes = count(blob.data.len());
        let is = |kind: &str| blob.kind.starts_with(kind.as_bytes()) && blob.kinds == 1;
        let is_image = is("image/") || is("image\\/");
        let is_sound = is("audio/") || is("audio\\/");
        self.seen.shape.kinds.audio_input |= is_sound;
        match (blob.datas, blob.uris) {
            (1, 0) if is_image => {
                self.seen.shape.images = self.seen.shape.images.saturating_add(1);
                return bytes;
            }
            (1, 0) if is_sound => {
                self.seen.shape.audio_bytes = self.seen.shape.audio_bytes.saturating_add(bytes);
                self.seen.shape.unbounded |= word(blob.kind, &SOUNDS).is_none();
                return bytes;
            }
            // %PDF
            (1, 0) if word(blob.kind, &["application/pdf"]).is_some() && blob.data.starts_with(b"JVBER") => {
                self.seen.shape.files = self.seen.shape.files.saturating_add(1);
                return bytes;
            }
            (1, 0) if is("text/") || is("text\\/") => self.seen.shape.files = self.seen.shape.files.saturating_add(1),
            (0, 1) if is_image && is_public(blob.uri) => {
                self.seen.shape.images = self.seen.shape.images.saturating_add(1)
            }
            _ => self.seen.strange(start),
        }
        0
    }

    fn tool(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        if cursor.peek()? != b'{' {
            return self.elsewhere(cursor);
        }
        self.seen.shape.tools = true;
        object(cursor, &mut |cursor, key| match field(key.name, &FUNCTIONS) {
            Some(_) => self.pass(cursor),
            None => self.elsewhere(cursor),
        })
    }

    fn config(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        if cursor.peek()? != b'{' {
            return self.elsewhere(cursor);
        }
        object(cursor, &mut |cursor, key| match field(key.name, &CONFIG) {
            Some("responsemodalities" | "response_modalities") => self.each(cursor, Self::modality),
            Some("speechconfig" | "speech_config") => {
                self.seen.shape.kinds.audio_output |= !absent(cursor);
                self.pass(cursor)
            }
            Some(_) => self.standard(cursor, &RESOLUTIONS),
            None => self.plain(cursor, key, &CONFIG_PLAIN),
        })
    }

    fn modality(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        self.seen.shape.kinds.audio_output |= is_one_of(cursor, &["AUDIO", "audio", "Audio"])?;
        let known = ["TEXT", "text", "Text", "AUDIO", "audio", "Audio"];
        self.seen.shape.unbounded |= !absent(cursor) && !is_one_of(cursor, &known)?;
        self.pass(cursor)
    }

    /// Steps over a member that costs no more than its bytes, if it is among `plain`; else it has no bound.
    fn plain(&mut self, cursor: &mut Cursor<'_>, key: &Key<'_>, plain: &[&str]) -> Option<()> {
        if field(key.name, plain).is_some() { self.pass(cursor) } else { self.elsewhere(cursor) }
    }
}

/// Whether an address is one that anybody can fetch, and of no film.
fn is_public(uri: &[u8]) -> bool {
    let is_web = uri.starts_with(b"https:") || uri.starts_with(b"http:");
    let has = |part: &[u8]| memchr::memmem::find(uri, part).is_some();
    // What is escaped may be anything.
    is_web && !has(b"\\u") && !has(b"googleapis") && !YOUTUBE.iter().any(|site| has(site))
}

#[cfg(test)]
mod tests;
