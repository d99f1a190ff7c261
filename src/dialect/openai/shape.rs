//! What a request is made of, as far as its price depends on it: one walk that builds no values.
//!
//! A hard limit on money holds the most that a call can cost, so whatever can cost must be seen here.
//! What is not understood counts as text, byte for byte, and nothing is ever taken for less.
//!
//! | in the request | bounded by | because |
//! |---|---|---|
//! | text, tools, schemas, names, keys, lists of tokens | its bytes | no tokenizer makes more tokens than bytes of UTF-8, and JSON never writes fewer |
//! | `tools`, `functions` | so many tokens more | a provider puts a prompt of its own before them (Anthropic documents up to 530 tokens) |
//! | `image_url` | the model's tokens for an image | providers bill an image by its size in pixels up to a maximum, not by its bytes |
//! | `input_audio`, wav or mp3 | the bytes of its sound | it is billed by its length: 10 tokens a second (OpenAI) to 32 (Google) |
//! | `file` with a PDF | the model's tokens for a file | its text is packed, its pages are seen as images: bytes say nothing |
//! | `file` with anything else | its bytes and the model's tokens for a file | a plain text is billed as one |
//! | `modalities`, `audio` | the dearest rate of output | output that is sound has a rate of its own, and counts towards the cap |
//! | a `ttl` longer than minutes | the dearest rate of input | Anthropic bills what it keeps for an hour at twice the input rate |
//! | `prediction` | its bytes again, as output, `n` times | OpenAI bills what of it was wrong as output, beside what it answers |
//! | `n` and the caps | [`Envelope`](crate::dialect::Envelope) | the prompt is billed once, and output for each answer |
//! | all else: sampling, `logprobs`, `reasoning_effort`, `metadata`, `store` … | the caps, its bytes | reasoning is output, within the cap; the rest is not billed |
//!
//! Without a bound, so that the model's `unbounded_reserve` is held besides, are: tools that the
//! provider runs itself (any that is no `function` or `custom`, `web_search_options` and its kin),
//! what is kept elsewhere (a file by its id or address, an earlier answer's sound, a cached prompt), a
//! `service_tier` that costs more than the standard one, output that is neither text nor sound, and
//! every content part of a type that is not known here. An image by its address is one image.
//!
//! Media is taken off the bytes only where every provider reads it as media: as the one `url`, `data`
//! or `file_data` of the one member that a part's one `type` names. Providers differ in which of two
//! like members they read, and some ignore the case of names; so a name counts however it is spelt or
//! escaped and whatever its order, and a part that can be read in two ways keeps its bytes and has no
//! bound.
//!
//! Not seen here: the few dozen tokens that some models' templates put before every conversation, and a
//! sound whose head claims a rate far below any that is used. The model's `max_input` bounds these too.

use crate::bound::Shape;
use crate::dialect::names::field;
use crate::dialect::skim::{Cursor, Key};
use crate::dialect::walk::{self, Seen, Walk, absent, array, count, inline, is_one_of, object};
use crate::reach::Reach;
use memchr::memchr;

/// The top-level fields that ask for something which the provider fetches or runs, or for another price: those of OpenAI, and of
/// those who speak as it does. Those that reach further are in [`crate::reach`].
const UNBOUNDED: [&str; 17] = [
    "web_search_options",
    "search_parameters",
    "search_options",
    "search_settings",
    "enable_search",
    "mcp_servers",
    "prompt_embeds",
    "provider",
    "provideroptions",
    "provider_options",
    // Azure reads an index into the input; others search.
    "data_sources",
    "datasources",
    "web_search",
    // Caps of llama.cpp, Ollama and Hugging Face that hold in place of the one that is reckoned with.
    "n_predict",
    "num_predict",
    "max_new_tokens",
    "options",
];
/// The other top-level fields that are read.
const BODY: [&str; 11] = [
    "messages",
    "tools",
    "functions",
    "input",
    "prompt",
    "modalities",
    "audio",
    "prediction",
    "service_tier",
    "store",
    "plugins",
];
/// The fields of a message that are read: its parts, and what names something that is kept elsewhere.
const MESSAGE: [&str; 5] = ["content", "images", "audio", "attachments", "file_ids"];
/// The fields of a content part that are read.
const PART: [&str; 4] = ["type", "image_url", "input_audio", "file"];
/// The types of part that are known: text first, then media, each in the field of its own name.
const PARTS: [&str; 5] = ["text", "refusal", "image_url", "input_audio", "file"];
/// The types of tool that the client runs.
const CLIENT_TOOLS: [&str; 2] = ["function", "custom"];
/// The service tiers that cost no more than the standard one.
const TIERS: [&str; 6] = ["auto", "default", "flex", "scale", "on_demand", "standard_only"];
/// The lives of cached input that are billed as short.
const MINUTES: [&str; 2] = ["5m", "30m"];

/// Reads what `body`, a valid JSON object, is made of.
pub(super) fn read(body: &[u8]) -> (Shape, Reach) {
    walk::read::<Reader>(body)
}

#[derive(Default)]
struct Reader {
    seen: Seen,
}

/// A content part, as far as it was read.
#[derive(Default)]
struct Part {
    /// Its type; `None`: it is none of those known here.
    kind: Option<&'static str>,
    /// How many types it gives.
    kinds: u32,
    /// What media it holds.
    media: Option<&'static str>,
    /// How many it holds.
    medias: u32,
    /// The bytes of the media that is inline.
    bytes: u64,
    /// Whether something about its media is not known here.
    strange: bool,
}

impl Walk for Reader {
    fn seen(&mut self) -> &mut Seen {
        &mut self.seen
    }

    fn field<'a>(&mut self, cursor: &mut Cursor<'a>, key: &Key<'a>) -> Option<()> {
        match field(key.name, &BODY) {
            Some("messages") => self.list(cursor, Self::message),
            Some("tools") => self.list(cursor, Self::tool),
            Some("functions") => self.list(cursor, |reader, cursor| {
                reader.seen.shape.tools = true;
                reader.pass(cursor)
            }),
            Some("input" | "prompt") => self.input(cursor),
            Some("modalities") => self.list(cursor, Self::modality),
            Some("audio") => self.speech(cursor),
            Some("prediction") => self.prediction(cursor),
            Some("service_tier") => self.service(cursor, &TIERS, |service| &mut service.tier),
            Some("store") => self.store(cursor, false),
            Some(_) => self.hosted(cursor),
            None if field(key.name, &["web_search_options"]).is_some() && !absent(cursor) => {
                // The model searches; whether it did, its answer may not tell.
                self.seen.shape.service.uses.searches = 1;
                self.hosted(cursor)
            }
            None if field(key.name, &UNBOUNDED).is_some() => self.hosted(cursor),
            None => self.pass(cursor),
        }
    }

    fn pass(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        cursor.strings(|cursor, text| {
            match field(text.raw, &["ttl", "cached_content"]) {
                Some(name) if cursor.eat(b':') && !absent(cursor) => match name {
                    "ttl" => self.seen.shape.kinds.cache_hour |= !is_one_of(cursor, &MINUTES)?,
                    name => {
                        self.seen.shape.unbounded = true;
                        self.seen.reach.note_ids(cursor, name, |id| !id.is_empty());
                    }
                },
                _ => {}
            }
            Some(())
        })
    }
}

impl Reader {
    /// Steps over what the provider runs, which may run other models.
    fn hosted(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        if !absent(cursor) {
            self.seen.reach.scan(cursor, true);
        }
        self.elsewhere(cursor)
    }

    /// Steps over how an answer is to be spoken, perhaps by a voice that is kept.
    fn speech(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        self.seen.shape.kinds.audio_output |= !absent(cursor);
        self.seen.reach.scan(cursor, false);
        self.pass(cursor)
    }

    fn message(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        if cursor.peek()? != b'{' {
            return self.elsewhere(cursor);
        }
        object(cursor, &mut |cursor, key| match field(key.name, &MESSAGE) {
            Some("content") => self.content(cursor),
            Some("images") => self.list(cursor, |reader, cursor| match cursor.peek()? {
                b'{' => reader.part(cursor),
                _ => reader.elsewhere(cursor),
            }),
            Some(name) => {
                self.seen.reach.note_ids(cursor, name, |id| !id.is_empty());
                self.elsewhere(cursor)
            }
            None => self.pass(cursor),
        })
    }

    /// Steps over the content of a message: a text, parts or, as some read it, one part.
    fn content(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        match cursor.peek()? {
            b'"' => cursor.string().map(drop),
            b'{' => self.part(cursor),
            b'[' => array(cursor, &mut |cursor| match cursor.peek()? {
                b'"' => cursor.string().map(drop),
                b'{' => self.part(cursor),
                _ => self.elsewhere(cursor),
            }),
            _ => self.elsewhere(cursor),
        }
    }

    fn part(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        let (start, mut part) = (cursor.clone(), Part::default());
        object(cursor, &mut |cursor, key| match field(key.name, &PART) {
            Some("type") => {
                part.kinds = part.kinds.saturating_add(1);
                part.kind = self.kind(cursor, &PARTS)?;
                Some(())
            }
            Some(name) if !absent(cursor) => {
                (part.media, part.medias) = (Some(name), part.medias.saturating_add(1));
                match name {
                    "image_url" => self.image(cursor, &mut part),
                    "input_audio" => self.sound(cursor, &mut part),
                    _ => self.file(cursor, &mut part),
                }
            }
            _ => self.pass(cursor),
        })?;
        let is_text = matches!(part.kind, Some("text" | "refusal")) && part.medias == 0;
        let is_media = part.kind.is_some() && part.kind == part.media && part.medias == 1;
        if part.kinds == 1 && (is_text || is_media) && !part.strange {
            self.seen.media_bytes = self.seen.media_bytes.saturating_add(part.bytes);
        } else {
            self.seen.strange(&start);
        }
        Some(())
    }

    /// Steps over `{"url": …}`, or the bare address that some take.
    fn image(&mut self, cursor: &mut Cursor<'_>, part: &mut Part) -> Option<()> {
        self.seen.shape.images = self.seen.shape.images.saturating_add(1);
        let mut urls: u32 = 0;
        let mut url = |cursor: &mut Cursor<'_>| {
            urls = urls.saturating_add(1);
            let url = cursor.string()?.raw;
            let remote = url.starts_with(b"http:") || url.starts_with(b"https:");
            match inline(url) {
                Some((head, data)) if head.starts_with(b"data:image") => part.bytes = count(data.len()),
                _ => part.strange |= !remote,
            }
            Some(())
        };
        match cursor.peek()? {
            b'"' => url(cursor)?,
            b'{' => object(cursor, &mut |cursor, key| {
                if field(key.name, &["url"]).is_some() && cursor.peek()? == b'"' {
                    return url(cursor);
                }
                self.pass(cursor)
            })?,
            _ => self.pass(cursor)?,
        }
        part.strange |= urls != 1;
        Some(())
    }

    /// Steps over `{"data": …, "format": …}`.
    fn sound(&mut self, cursor: &mut Cursor<'_>, part: &mut Part) -> Option<()> {
        self.seen.shape.kinds.audio_input = true;
        if cursor.peek()? != b'{' {
            part.strange = true;
            return self.pass(cursor);
        }
        let (mut datas, mut formats): (u32, u32) = (0, 0);
        object(cursor, &mut |cursor, key| match field(key.name, &["data", "format"]) {
            Some("data") if cursor.peek()? == b'"' => {
                datas = datas.saturating_add(1);
                let raw = cursor.string()?.raw;
                let data = inline(raw).map_or(raw, |(_, data)| data);
                // An address is no sound; base64 has no colon.
                part.strange |= memchr(b':', data.get(..64).unwrap_or(data)).is_some();
                part.bytes = count(data.len());
                self.seen.shape.audio_bytes = self.seen.shape.audio_bytes.saturating_add(part.bytes);
                Some(())
            }
            Some("format") => {
                formats = formats.saturating_add(1);
                // Others pack sound so well that its bytes do not tell how long it is.
                part.strange |= !is_one_of(cursor, &["wav", "mp3"])?;
                self.pass(cursor)
            }
            _ => self.pass(cursor),
        })?;
        part.strange |= (datas, formats) != (1, 1);
        Some(())
    }

    /// Steps over `{"file_data": …, "filename": …}` or `{"file_id": …}`.
    fn file(&mut self, cursor: &mut Cursor<'_>, part: &mut Part) -> Option<()> {
        self.seen.shape.files = self.seen.shape.files.saturating_add(1);
        if cursor.peek()? != b'{' {
            part.strange = true;
            return self.pass(cursor);
        }
        let mut datas: u32 = 0;
        object(cursor, &mut |cursor, key| match field(key.name, &["file_data", "filename"]) {
            Some("file_data") if cursor.peek()? == b'"' => {
                datas = datas.saturating_add(1);
                let raw = cursor.string()?.raw;
                let data = inline(raw).map_or(raw, |(_, data)| data);
                part.strange |= memchr(b':', data.get(..64).unwrap_or(data)).is_some();
                // %PDF
                part.bytes = if data.starts_with(b"JVBER") { count(data.len()) } else { 0 };
                Some(())
            }
            Some("filename") => self.pass(cursor),
            _ => {
                part.strange |= !absent(cursor);
                self.pass(cursor)
            }
        })?;
        part.strange |= datas != 1;
        Some(())
    }

    fn tool(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        self.seen.shape.tools = true;
        self.typed(cursor, &CLIENT_TOOLS, false)
    }

    fn modality(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        self.seen.shape.kinds.audio_output |= is_one_of(cursor, &["audio"])?;
        self.seen.shape.unbounded |= !is_one_of(cursor, &["text", "audio"])?;
        self.pass(cursor)
    }

    /// Steps over what is to be embedded or continued: texts and tokens, or what some take besides.
    fn input(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        match cursor.peek()? {
            b'[' => array(cursor, &mut |cursor| match cursor.peek()? {
                b'{' => self.elsewhere(cursor),
                b'[' => {
                    let start = cursor.clone();
                    if memchr(b'{', cursor.value()?).is_some() {
                        self.seen.strange(&start);
                    }
                    Some(())
                }
                _ => cursor.value().map(drop),
            }),
            b'{' => self.elsewhere(cursor),
            _ => self.pass(cursor),
        }
    }

    fn prediction(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        let (absent, start) = (absent(cursor), cursor.at());
        self.pass(cursor)?;
        if !absent {
            let bytes = count(cursor.at().saturating_sub(start));
            self.seen.shape.prediction_bytes = self.seen.shape.prediction_bytes.saturating_add(bytes);
        }
        Some(())
    }
}
