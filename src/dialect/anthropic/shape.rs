//! What a request is made of, as far as its price depends on it: one walk that builds no values.
//!
//! A hard limit on money holds the most that a call can cost, so whatever can cost must be seen here.
//! What is not understood counts as text, byte for byte, and nothing is ever taken for less.
//!
//! | in the request | bounded by | because |
//! |---|---|---|
//! | text, thoughts, calls, schemas, names, keys | its bytes | no tokenizer makes more tokens than bytes of UTF-8, and JSON never writes fewer |
//! | `tools`, a schema for the answer | so many tokens more | the API puts a prompt of its own before them |
//! | an `image`, inline or by its address | the model's tokens for an image | images are billed by their size in pixels up to a maximum |
//! | a `document` with a PDF | the model's tokens for a file | its text is packed, its pages are seen as images: bytes say nothing |
//! | a `document` with text | its bytes | it is text |
//! | a `ttl` other than minutes | the dearest rate of input | what is kept for an hour is billed at twice the input rate |
//! | `context_management` that clears | nothing | it only makes the conversation shorter |
//! | `thinking` | `max_tokens` | thoughts are output, within the cap |
//!
//! Without a bound, so that the model's `unbounded_reserve` is held besides, are: every tool that is not the client's own,
//! what such tools did before, documents by their address and whatever is named by the id of a file, a service at another
//! price (`speed`, `inference_geo`, `service_tier`), other models (`fallbacks`), and every field of the body, of a message
//! and every type of block that is not known here.
//!
//! Media is taken off the bytes only as the one `data` of the one `source` of a block of one `type`, as in
//! [OpenAI's dialect](crate::dialect::openai::shape).

use crate::bound::Shape;
use crate::dialect::names::field;
use crate::dialect::skim::{Cursor, Key};
use crate::dialect::walk::{self, Seen, Walk, absent, array, count, is_one_of, object};
use crate::reach::Reach;
use memchr::memchr;

/// The fields of the body that are walked through.
const BODY: [&str; 9] = [
    "system",
    "messages",
    "tools",
    "context_management",
    "output_config",
    "output_format",
    "service_tier",
    "speed",
    "inference_geo",
];
/// Those that cost nothing but their bytes.
const PLAIN: [&str; 13] = [
    "model",
    "max_tokens",
    "stream",
    "metadata",
    "temperature",
    "top_p",
    "top_k",
    "stop_sequences",
    "thinking",
    "tool_choice",
    "cache_control",
    "diagnostics",
    "anthropic_version",
];
/// What may be done to a conversation that only makes it shorter.
const CLEARS: [&str; 2] = ["clear_tool_uses_20250919", "clear_thinking_20251015"];
/// The types of block that are known.
const BLOCKS: [&str; 8] =
    ["text", "thinking", "redacted_thinking", "tool_use", "tool_result", "search_result", "image", "document"];
/// The types of source that are known.
const SOURCES: [&str; 5] = ["base64", "url", "file", "text", "content"];

/// Reads what `body`, a valid JSON object, is made of.
pub(super) fn read(body: &[u8]) -> (Shape, Reach) {
    walk::read::<Reader>(body)
}

#[derive(Default)]
struct Reader {
    seen: Seen,
}

/// A block of content, as far as it was read.
#[derive(Default)]
struct Block {
    /// Its type; `None`: it is none of those known here.
    kind: Option<&'static str>,
    /// How many types it gives.
    kinds: u32,
    /// The type of its source.
    source: Option<&'static str>,
    /// How many sources it has that are objects.
    sources: u32,
    /// The bytes of the media that is inline.
    bytes: u64,
    /// They are those of a PDF.
    is_pdf: bool,
    /// Whether something about its source is not known here.
    strange: bool,
}

impl Walk for Reader {
    fn seen(&mut self) -> &mut Seen {
        &mut self.seen
    }

    fn field<'a>(&mut self, cursor: &mut Cursor<'a>, key: &Key<'a>) -> Option<()> {
        match field(key.name, &BODY) {
            Some("system") => self.content(cursor),
            Some("messages") => self.list(cursor, Self::message),
            Some("tools") => self.list(cursor, Self::tool),
            Some("context_management") => self.edits(cursor),
            Some("output_config" | "output_format") => {
                self.seen.shape.tools |= !absent(cursor);
                self.pass(cursor)
            }
            Some("service_tier") => self.service(cursor, &["auto", "standard_only"], |service| &mut service.tier),
            Some("speed") => self.service(cursor, &["standard"], |service| &mut service.speed),
            Some(_) => self.service(cursor, &["global"], |service| &mut service.region),
            None if field(key.name, &PLAIN).is_some() => self.pass(cursor),
            None => self.elsewhere(cursor),
        }
    }

    fn pass(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        cursor.strings(|cursor, text| {
            if field(text.raw, &["ttl"]).is_some() && cursor.eat(b':') && !absent(cursor) {
                self.seen.shape.kinds.cache_hour |= !is_one_of(cursor, &["5m"])?;
            }
            Some(())
        })
    }
}

impl Reader {
    fn message(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        if cursor.peek()? != b'{' {
            return self.elsewhere(cursor);
        }
        object(cursor, &mut |cursor, key| match field(key.name, &["content", "role"]) {
            Some("content") => self.content(cursor),
            Some(_) => self.pass(cursor),
            None => self.elsewhere(cursor),
        })
    }

    /// Steps over what is said: a text, or blocks.
    fn content(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        match cursor.peek()? {
            b'"' => cursor.string().map(drop),
            b'[' => array(cursor, &mut |cursor| match cursor.peek()? {
                b'{' => self.block(cursor),
                _ => self.elsewhere(cursor),
            }),
            _ => self.elsewhere(cursor),
        }
    }

    fn block(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        let (start, mut block) = (cursor.clone(), Block::default());
        object(cursor, &mut |cursor, key| match field(key.name, &["type", "source", "content"]) {
            Some("type") => {
                block.kinds = block.kinds.saturating_add(1);
                block.kind = self.kind(cursor, &BLOCKS)?;
                Some(())
            }
            // That of a search result is the name of what it is from.
            Some("source") if cursor.peek()? == b'{' => self.source(cursor, &mut block),
            Some("content") if !absent(cursor) => self.content(cursor),
            _ => self.pass(cursor),
        })?;
        self.add(&block, &start);
        Some(())
    }

    /// Adds what `block`, which begins at `start`, can cost.
    fn add(&mut self, block: &Block, start: &Cursor<'_>) {
        let many = block.kinds != 1 || block.sources > 1 || block.strange;
        let (is_image, is_document) = (block.kind == Some("image"), block.kind == Some("document"));
        let is_text = is_document && matches!(block.source, Some("text" | "content"));
        let plain = block.kind.is_some() && !is_image && !is_document && block.sources == 0;
        self.seen.shape.images = self.seen.shape.images.saturating_add(u64::from(is_image));
        self.seen.shape.files = self.seen.shape.files.saturating_add(u64::from(is_document && !is_text));
        let bounded = match block.source {
            Some("base64") => is_image || is_document,
            Some("url") => is_image,
            Some("text" | "content") => is_document,
            _ => plain,
        };
        if many || !bounded {
            self.seen.strange(start);
        } else if block.source == Some("base64") && (is_image || block.is_pdf) {
            self.seen.media_bytes = self.seen.media_bytes.saturating_add(block.bytes);
        }
    }

    /// Steps over `{"type": …}` with its data, its address, its file or its content.
    fn source(&mut self, cursor: &mut Cursor<'_>, block: &mut Block) -> Option<()> {
        block.sources = block.sources.saturating_add(1);
        let (mut kinds, mut datas): (u32, u32) = (0, 0);
        let (mut is_address, mut is_named) = (false, false);
        object(cursor, &mut |cursor, key| {
            match field(key.name, &["type", "data", "content", "media_type", "url", "file_id"]) {
                Some("type") => {
                    kinds = kinds.saturating_add(1);
                    block.source = self.kind(cursor, &SOURCES)?;
                    Some(())
                }
                Some("data") if cursor.peek()? == b'"' => {
                    datas = datas.saturating_add(1);
                    let data = cursor.string()?.raw;
                    // An address is no medium; base64 has no colon.
                    is_address |= memchr(b':', data.get(..64).unwrap_or(data)).is_some();
                    // %PDF
                    (block.bytes, block.is_pdf) = (count(data.len()), data.starts_with(b"JVBER"));
                    Some(())
                }
                Some("content") if !absent(cursor) => self.content(cursor),
                Some("url" | "file_id") => {
                    is_named |= !absent(cursor);
                    self.pass(cursor)
                }
                Some(_) => self.pass(cursor),
                None => {
                    block.strange |= !absent(cursor);
                    self.pass(cursor)
                }
            }
        })?;
        let inline = matches!(block.source, Some("base64" | "text"));
        let is_address = is_address && block.source == Some("base64");
        block.strange |= kinds != 1 || datas != u32::from(inline) || is_address || (inline && is_named);
        Some(())
    }

    /// Steps over what is done to the conversation first: one that is summed up is read once more.
    fn edits(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        if cursor.peek()? != b'{' {
            return self.elsewhere(cursor);
        }
        object(cursor, &mut |cursor, key| match field(key.name, &["edits"]) {
            Some(_) => self.list(cursor, |reader, cursor| reader.typed(cursor, &CLEARS, false)),
            None => self.elsewhere(cursor),
        })
    }

    fn tool(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        self.seen.shape.tools = true;
        self.typed(cursor, &["custom"], true)
    }
}

#[cfg(test)]
mod tests;
