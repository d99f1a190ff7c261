//! What a request is made of, as far as its price depends on it: one walk that builds no values.
//!
//! A hard limit on money holds the most that a call can cost, so whatever can cost must be seen here.
//! What is not understood counts as text, byte for byte, and nothing is ever taken for less.
//!
//! | in the request | bounded by | because |
//! |---|---|---|
//! | text, calls, results, schemas, sealed reasoning, names, keys | its bytes | no tokenizer makes more tokens than bytes of UTF-8, and JSON never writes fewer |
//! | `tools` | so many tokens more | a provider puts a prompt of its own before them |
//! | an `input_image`, inline or by its address | the model's tokens for an image | images are billed by their size in pixels up to a maximum |
//! | an `input_file` with a PDF | the model's tokens for a file | its text is packed, its pages are seen as images: bytes say nothing |
//! | an `input_file` with anything else | its bytes and the model's tokens for a file | a plain text is billed as one |
//! | a `ttl` longer than minutes | the dearest rate of input | what is kept longer may cost more |
//! | `reasoning` | `max_output_tokens` | reasoning is output, within the cap |
//!
//! Without a bound, so that the model's `unbounded_reserve` is held besides, are: tools that the provider runs itself (any
//! that is no `function` or `custom`), what they did before, what is kept elsewhere (`previous_response_id`,
//! `conversation`, `prompt`, an `item_reference`, reasoning by its id alone, a file by its id or address), an answer in the `background`, a
//! `service_tier` or a mode of reasoning that costs more than the standard one, and every field of the body, every type
//! of item and every type of part that is not known here.
//!
//! Media is taken off the bytes only as the one `image_url` or `file_data` of a part of the one type that has it, in an
//! item that is known, as in [OpenAI's older dialect](crate::dialect::openai::shape).

use crate::bound::Shape;
use crate::dialect::names::field;
use crate::dialect::skim::{Cursor, Key};
use crate::dialect::walk::{self, Seen, Walk, absent, array, count, inline, is_one_of, object};
use crate::reach::{Reach, What};
use memchr::memchr;

/// The fields of the body that are walked through.
const BODY: [&str; 8] =
    ["instructions", "input", "tools", "max_tool_calls", "reasoning", "service_tier", "prompt", "store"];
/// Those that cost nothing but their bytes.
const PLAIN: [&str; 19] = [
    "model",
    "stream",
    "stream_options",
    "include",
    "max_output_tokens",
    "metadata",
    "parallel_tool_calls",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "temperature",
    "text",
    "tool_choice",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
    "image",
];
/// The types of item that are known.
const ITEMS: [&str; 6] =
    ["message", "function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output", "reasoning"];
/// The types of what a tool of the provider's did, all of which stands in the item itself.
const DONE: [&str; 16] = [
    "web_search_call",
    "file_search_call",
    "code_interpreter_call",
    "computer_call",
    "computer_call_output",
    "local_shell_call",
    "local_shell_call_output",
    "shell_call",
    "shell_call_output",
    "apply_patch_call",
    "apply_patch_call_output",
    "mcp_call",
    "mcp_list_tools",
    "mcp_approval_request",
    "mcp_approval_response",
    "compaction",
];
/// The fields of an item that are read.
const ITEM: [&str; 8] = ["type", "role", "id", "content", "output", "summary", "encrypted_content", "result"];
/// The types of part that are known: text first, then media.
const PARTS: [&str; 7] =
    ["input_text", "output_text", "refusal", "reasoning_text", "summary_text", "input_image", "input_file"];
/// The fields of a part that are read.
const PART: [&str; 6] = ["type", "image_url", "file_data", "file_id", "file_url", "detail"];
/// The types of tool that the client runs.
const CLIENT_TOOLS: [&str; 2] = ["function", "custom"];
/// The service tiers that cost no more than the standard one.
const TIERS: [&str; 4] = ["auto", "default", "flex", "scale"];
/// How closely an image can be looked at so that its tokens have a maximum.
const DETAILS: [&str; 3] = ["auto", "low", "high"];
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

/// A part of a content, as far as it was read.
#[derive(Default)]
struct Part {
    /// Its type; `None`: it is none of those known here.
    kind: Option<&'static str>,
    /// How many types it gives.
    kinds: u32,
    /// The type of what media it holds, and how many it holds.
    media: Option<&'static str>,
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
            Some("instructions") => self.text(cursor),
            Some("input") => match cursor.peek()? {
                b'[' => array(cursor, &mut |cursor| self.item(cursor)),
                _ => self.text(cursor),
            },
            Some("tools") => match cursor.peek()? {
                b'[' => array(cursor, &mut |cursor| self.tool(cursor)),
                _ => self.elsewhere(cursor),
            },
            Some("max_tool_calls") => {
                self.uses(cursor)?;
                self.pass(cursor)
            }
            Some("reasoning") => self.reasoning(cursor),
            Some("prompt") => {
                self.seen.reach.note_ids(cursor, "prompt", |id| !id.is_empty());
                self.elsewhere(cursor)
            }
            Some("store") => self.store(cursor, true),
            Some(_) => self.service(cursor, &TIERS, |service| &mut service.tier),
            None if field(key.name, &PLAIN).is_some() => self.pass(cursor),
            None => self.elsewhere(cursor),
        }
    }

    fn pass(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        cursor.strings(|cursor, text| {
            if field(text.raw, &["ttl"]).is_some() && cursor.eat(b':') && !absent(cursor) {
                self.seen.shape.kinds.cache_hour |= !is_one_of(cursor, &MINUTES)?;
            }
            Some(())
        })
    }
}

impl Reader {
    fn text(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        match cursor.peek()? {
            b'"' => cursor.string().map(drop),
            _ => self.elsewhere(cursor),
        }
    }

    /// Steps over an item. One without a type is a message if it has a role, else the name of something kept elsewhere; so are
    /// a message that says nothing, and reasoning that has an id and is not here, sealed.
    fn item(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        if cursor.peek()? != b'{' {
            return self.elsewhere(cursor);
        }
        let (start, mut kinds, mut kind, media_bytes) = (cursor.clone(), 0_u32, None, self.seen.media_bytes);
        let [mut role, mut said, mut id, mut sealed, mut done] = [false; 5];
        object(cursor, &mut |cursor, key| {
            let is_there = !absent(cursor);
            match field(key.name, &ITEM) {
                Some("type") if is_there => {
                    kinds = kinds.saturating_add(1);
                    done = is_one_of(cursor, &DONE)?;
                    kind = self.kind(cursor, &ITEMS)?;
                    return Some(());
                }
                Some("role") => role |= is_there,
                Some("id") => id |= is_there,
                Some("encrypted_content" | "result") => sealed |= cursor.peek()? == b'"',
                Some("content" | "output" | "summary") if is_there => {
                    said |= field(key.name, &["content"]).is_some();
                    return self.content(cursor);
                }
                _ => {}
            }
            self.pass(cursor)
        })?;
        let kind = if kinds == 0 && role { Some("message") } else { kind };
        let is_here = match kind {
            None => false,
            Some("message") => said,
            Some("reasoning") => sealed || !id,
            Some(_) => true,
        };
        if kinds > 1 || !is_here {
            self.seen.strange(&start);
            self.seen.media_bytes = media_bytes;
            if kinds > 1 || !(done || (kind.is_none() && sealed)) {
                self.named(start)?;
            }
        }
        Some(())
    }

    /// Notes by which ids an item stands for what is kept elsewhere.
    fn named(&mut self, mut item: Cursor<'_>) -> Option<()> {
        object(&mut item, &mut |cursor, key| {
            if field(key.name, &["id"]).is_some() && cursor.peek()? == b'"' {
                self.seen.reach.note(What::Kept, "id", cursor.clone().string()?.raw);
            }
            cursor.value().map(drop)
        })
    }

    /// Steps over what is said: a text, or parts.
    fn content(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        match cursor.peek()? {
            b'"' => cursor.string().map(drop),
            b'[' => array(cursor, &mut |cursor| match cursor.peek()? {
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
            Some("detail") => {
                part.strange |= !absent(cursor) && !is_one_of(cursor, &DETAILS)?;
                self.pass(cursor)
            }
            Some(name) if !absent(cursor) => {
                part.medias = part.medias.saturating_add(1);
                self.media(name, cursor, &mut part)
            }
            _ => self.pass(cursor),
        })?;
        let is_media = matches!(part.kind, Some("input_image" | "input_file"));
        let fits = if is_media { part.medias == 1 && part.media == part.kind } else { part.medias == 0 };
        self.seen.shape.images = self.seen.shape.images.saturating_add(u64::from(part.kind == Some("input_image")));
        self.seen.shape.files = self.seen.shape.files.saturating_add(u64::from(part.kind == Some("input_file")));
        if part.kinds == 1 && part.kind.is_some() && fits && !part.strange {
            self.seen.media_bytes = self.seen.media_bytes.saturating_add(part.bytes);
        } else {
            self.seen.strange(&start);
        }
        Some(())
    }

    /// Steps over what the member `name` of a part holds: an image, a file, or the name of something kept elsewhere.
    fn media(&mut self, name: &str, cursor: &mut Cursor<'_>, part: &mut Part) -> Option<()> {
        if cursor.peek()? != b'"' {
            part.strange = true;
            return self.pass(cursor);
        }
        let raw = cursor.string()?.raw;
        match name {
            "image_url" => {
                part.media = Some("input_image");
                let remote = raw.starts_with(b"http:") || raw.starts_with(b"https:");
                match inline(raw) {
                    Some((head, data)) if head.starts_with(b"data:image") => part.bytes = count(data.len()),
                    _ => part.strange |= !remote,
                }
            }
            "file_data" => {
                part.media = Some("input_file");
                let data = inline(raw).map_or(raw, |(_, data)| data);
                // An address is no file; base64 has no colon.
                part.strange |= memchr(b':', data.get(..64).unwrap_or(data)).is_some();
                // %PDF
                part.bytes = if data.starts_with(b"JVBER") { count(data.len()) } else { 0 };
            }
            _ => part.strange = true,
        }
        Some(())
    }

    fn tool(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        self.seen.shape.tools = true;
        self.typed(cursor, &CLIENT_TOOLS, false)
    }

    /// Steps over `reasoning`: in a mode other than the standard one a model may be asked more than once.
    fn reasoning(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        if cursor.peek()? != b'{' {
            return self.elsewhere(cursor);
        }
        object(cursor, &mut |cursor, key| {
            if field(key.name, &["mode"]).is_some() {
                self.seen.shape.unbounded |= !absent(cursor) && !is_one_of(cursor, &["standard"])?;
            }
            self.pass(cursor)
        })
    }
}

#[cfg(test)]
mod tests;
