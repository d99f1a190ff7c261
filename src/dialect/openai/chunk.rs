//! What one chunk of a streamed answer says, to a chat or to a plain completion, as far as relaying and metering it need.

use crate::chat::Usage;
use crate::dialect::openai::usage::members;
use crate::dialect::service;
use crate::dialect::skim::{Cursor, Key};
use crate::service::{Service, Word};
use crate::units::Tokens;
use memchr::memmem;
use std::ops::Range;

/// How deep lists of parts are followed: a part may hold a list of thoughts.
const PARTS_DEPTH_MAX: u8 = 3;
/// The length from which a text may hold an image.
const IMAGE_BYTES_MIN: usize = 64;

/// One `chat.completion.chunk` or `text_completion`, or an error in its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chunk {
    /// The usage so far; `None` for a chunk without, or with `null`.
    pub usage: Option<Usage>,
    /// Where the `usage` member is, with the one comma that goes with it.
    pub usage_member: Option<Range<usize>>,
    /// It holds a usage object and no choice: the chunk that `include_usage` asks for.
    pub usage_only: bool,
    /// It holds an `error` that says something.
    pub is_error: bool,
    /// The choices in it, as bits by index; an index above 127 is the last bit.
    pub choices: u128,
    /// Those of `choices` whose `finish_reason` is given.
    pub finished: u128,
    /// An estimate of the tokens in it: see [`estimate`].
    pub counted: Tokens,
    /// The service tier that it says it is of.
    pub tier: Word,
    /// What else it says of how it is served.
    pub service: Option<Box<Service>>,
}

/// Estimates the tokens of a piece of output `bytes` long, for a bill without a usage.
///
/// Providers mostly send a chunk for each token, and few tokens are longer than 16 bytes: a short
/// piece is one token. A longer one is several, of four bytes each.
pub const fn estimate(bytes: usize) -> Tokens {
    match bytes {
        0 => Tokens::ZERO,
        1..=16 => Tokens::new(1),
        _ => Tokens::new(bytes.div_ceil(4) as u64),
    }
}

/// The model that a chunk says it is of.
pub fn model(data: &[u8]) -> Option<String> {
    let [model] = members(data, ["model"]);
    serde_json::from_slice(model).ok()
}

impl Chunk {
    /// Reads a chunk from the data of a frame; `None` when it is no JSON object.
    pub fn read(data: &[u8]) -> Option<Self> {
        let (mut chunk, mut raw_usage) = (Self::default(), None);
        let mut cursor = Cursor::new(data);
        cursor.object(|cursor, key| {
            match key.name {
                b"choices" => chunk.read_choices(cursor)?,
                b"usage" => {
                    raw_usage = Some(cursor.value()?);
                    chunk.usage_member = Some(member(data, key, cursor.at()));
                }
                b"service_tier" => chunk.tier = service::tier_text(cursor.value()?),
                b"error" => chunk.is_error = !matches!(cursor.value()?, b"null" | b"\"\"" | b"{}"),
                _ => drop(cursor.value()?),
            }
            Some(())
        })?;
        if cursor.peek().is_some() {
            return None;
        }
        if let Some(raw @ [b'{', ..]) = raw_usage {
            chunk.usage = Usage::read(raw);
            chunk.usage_only = chunk.choices == 0;
            chunk.service = service::of_usage_text(raw).map(Box::new);
        }
        if service::is_cited_text(data) {
            chunk.service.get_or_insert_default().cited = true;
        }
        Some(chunk)
    }

    fn read_choices(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        if cursor.peek()? != b'[' {
            return cursor.value().map(drop);
        }
        cursor.array(|cursor| {
            let (mut index, mut finished, mut bytes) = (0_u32, false, 0);
            if cursor.peek()? != b'{' {
                return cursor.value().map(drop);
            }
            cursor.object(|cursor, key| {
                match key.name {
                    b"index" => index = read_index(cursor.value()?),
                    b"delta" => bytes = spoken_len(cursor, Spoken::InPieces)?.max(bytes),
                    b"text" => bytes = text_len(cursor, 0)?.max(bytes),
                    b"finish_reason" => finished = !matches!(cursor.value()?, b"null" | b"\"\""),
                    _ => drop(cursor.value()?),
                }
                Some(())
            })?;
            let bit = 1_u128 << index.min(127);
            self.choices |= bit;
            self.finished |= if finished { bit } else { 0 };
            self.counted = self.counted.plus(estimate(bytes));
            Some(())
        })
    }
}

/// The bytes that cutting out the member with `key` removes, its value ending at `end`.
fn member(data: &[u8], key: &Key<'_>, end: usize) -> Range<usize> {
    let mut cursor = Cursor::new(data.get(end..).unwrap_or_default());
    if data.get(key.lead) != Some(&b',') && cursor.eat(b',') {
        cursor.peek();
        return key.lead..end.saturating_add(cursor.at());
    }
    key.lead..end
}

fn read_index(raw: &[u8]) -> u32 {
    str::from_utf8(raw).ok().and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// How a message comes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoken {
    /// Bit by bit: a delta.
    InPieces,
    /// At once. The names of the tools that it calls count too: in a stream they come with the call's id, before its
    /// first token.
    Whole,
}

/// The bytes of output in a message: what is said, thought, refused and passed to tools.
pub(super) fn spoken_len(cursor: &mut Cursor<'_>, spoken: Spoken) -> Option<usize> {
    if cursor.peek()? != b'{' {
        return cursor.value().map(|_| 0);
    }
    let (mut bytes, mut thought) = (0_usize, 0);
    cursor.object(|cursor, key| {
        match key.name {
            b"content" | b"refusal" => bytes = bytes.saturating_add(text_len(cursor, PARTS_DEPTH_MAX)?),
            // Two names for one text; some servers send both.
            b"reasoning" | b"reasoning_content" => thought = text_len(cursor, PARTS_DEPTH_MAX)?.max(thought),
            b"tool_calls" if cursor.peek()? == b'[' => cursor.array(|cursor| {
                bytes = bytes.saturating_add(tool_len(cursor, spoken)?);
                Some(())
            })?,
            b"function_call" => bytes = bytes.saturating_add(arguments_len(cursor, spoken)?),
            _ => drop(cursor.value()?),
        }
        Some(())
    })?;
    Some(bytes.saturating_add(thought))
}

/// The bytes that an element of `tool_calls` passes to its tool.
fn tool_len(cursor: &mut Cursor<'_>, spoken: Spoken) -> Option<usize> {
    if cursor.peek()? != b'{' {
        return cursor.value().map(|_| 0);
    }
    let mut bytes = 0;
    cursor.object(|cursor, key| {
        match key.name {
            b"function" | b"custom" => bytes = arguments_len(cursor, spoken)?,
            _ => drop(cursor.value()?),
        }
        Some(())
    })?;
    Some(bytes)
}

fn arguments_len(cursor: &mut Cursor<'_>, spoken: Spoken) -> Option<usize> {
    if cursor.peek()? != b'{' {
        return cursor.value().map(|_| 0);
    }
    let (mut bytes, mut name) = (0, 0);
    cursor.object(|cursor, key| {
        match key.name {
            b"arguments" | b"input" => bytes = text_len(cursor, PARTS_DEPTH_MAX)?,
            b"name" if spoken == Spoken::Whole => name = text_len(cursor, 0)?,
            _ => drop(cursor.value()?),
        }
        Some(())
    })?;
    Some(bytes.saturating_add(name))
}

/// The length of a string, or of the texts in a list of parts, up to `depth` lists deep; 0 for anything else.
pub(super) fn text_len(cursor: &mut Cursor<'_>, depth: u8) -> Option<usize> {
    match (cursor.peek()?, depth.checked_sub(1)) {
        (b'"', _) => cursor.string().map(|text| said_len(text.raw, text.len())),
        (b'[', Some(depth)) => {
            let mut bytes = 0_usize;
            cursor.array(|cursor| {
                bytes = bytes.saturating_add(part_len(cursor, depth)?);
                Some(())
            })?;
            Some(bytes)
        }
        _ => cursor.value().map(|_| 0),
    }
}

/// The length of what a part of a list says: text, or thoughts in a list of their own.
fn part_len(cursor: &mut Cursor<'_>, depth: u8) -> Option<usize> {
    if cursor.peek()? != b'{' {
        return text_len(cursor, depth);
    }
    let mut bytes = 0_usize;
    cursor.object(|cursor, key| {
        match key.name {
            b"text" | b"thinking" | b"refusal" => bytes = bytes.saturating_add(text_len(cursor, depth)?),
            _ => drop(cursor.value()?),
        }
        Some(())
    })?;
    Some(bytes)
}

/// The `length` of a text, or what stands before an image that was written into it: that is not made of tokens.
fn said_len(raw: &[u8], length: usize) -> usize {
    if length < IMAGE_BYTES_MIN {
        return length;
    }
    memmem::find(raw, b";base64,").unwrap_or(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn counted(delta: &str) -> u64 {
        let data = format!(r#"{{"id":"x","choices":[{{"index":0,"delta":{delta}}}],"model":"m"}}"#);
        Chunk::read(data.as_bytes()).map_or(u64::MAX, |chunk| chunk.counted.get())
    }

    #[test]
    fn an_image_in_the_text_is_not_made_of_tokens() {
        let image = format!("![it](data:image/png;base64,{})", "A".repeat(9_000));
        assert_eq!(counted(&format!(r#"{{"content":"{image}"}}"#)), 5);
    }

    #[test]
    fn output_is_counted_by_chunk_and_length() {
        for (delta, tokens) in [
            (r#"{}"#, 0),
            (r#"null"#, 0),
            (r#"{"role":"assistant","content":"","refusal":null}"#, 0),
            (r#"{"content":null,"tool_calls":null}"#, 0),
            (r#"{"content":"Hello"}"#, 1),
            (r#"{"content":"0123456789abcdef"}"#, 1),
            (r#"{"content":"0123456789abcdefg"}"#, 5),
            (r#"{"content":"\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n"}"#, 1),
            (r#"{"refusal":"No."}"#, 1),
            (r#"{"reasoning_content":"Hm","reasoning":"Hm"}"#, 1),
            (r#"{"reasoning":"0123456789","content":"0123456789"}"#, 5),
            (r#"{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":""}}]}"#, 0),
            (r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"a"}}]}"#, 1),
            (r#"{"tool_calls":[{"custom":{"input":"x"}},{"function":null},7]}"#, 1),
            (r#"{"function_call":{"arguments":"{}"}}"#, 1),
            (r#"{"content":[{"type":"text","text":"Hi"}]}"#, 1),
            (r#"{"content":[{"type":"text","text":"0123456789"},"0123456789"]}"#, 5),
            (r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"Hm"}],"closed":true}]}"#, 1),
            (r#"{"content":[[[[["deeper than anyone writes"]]]]]}"#, 0),
            (r#"{"content":[]}"#, 0),
        ] {
            assert_eq!(counted(delta), tokens, "{delta}");
        }
    }

    #[test]
    fn the_text_of_a_plain_completion_is_output() {
        for (choice, tokens) in [
            (r#"{"text":"Hello","index":0,"logprobs":null,"finish_reason":null}"#, 1),
            (r#"{"text":"0123456789abcdefg"}"#, 5),
            (r#"{"text":"","finish_reason":"stop"}"#, 0),
            (r#"{"text":null}"#, 0),
            (r#"{"text":"Hello","delta":{"content":"Hello"}}"#, 1),
        ] {
            let data = format!(r#"{{"object":"text_completion","choices":[{choice}]}}"#);
            assert_eq!(Chunk::read(data.as_bytes()).unwrap().counted.get(), tokens, "{choice}");
        }
    }

    #[test]
    fn choices_and_their_ends_are_told_apart() {
        let data = br#"{"choices":[{"index":0,"finish_reason":"stop"},{"delta":{"content":"a"},
            "index":2,"finish_reason":null},{"index":900,"finish_reason":""},null]}"#;
        let chunk = Chunk::read(data).unwrap_or_default();
        assert_eq!((chunk.choices, chunk.finished), (0b101 | 1 << 127, 1));
        assert_eq!(chunk.counted, Tokens::new(1));
    }

    #[test]
    fn the_usage_member_goes_with_one_comma() {
        for (before, after) in [
            (r#"{"a":1,"usage":null}"#, r#"{"a":1}"#),
            (r#"{"a":1, "usage": null, "b":2}"#, r#"{"a":1, "b":2}"#),
            (r#"{ "usage" : {"x":[1]} , "b":2}"#, r#"{ "b":2}"#),
            (r#"{"usage":null}"#, r#"{}"#),
            (r#"{"a":"\",\"usage\":null","usage":7}"#, r#"{"a":"\",\"usage\":null"}"#),
            (r#"{"a":{"usage":null},"b":["usage"]}"#, r#"{"a":{"usage":null},"b":["usage"]}"#),
        ] {
            let range = Chunk::read(before.as_bytes()).and_then(|chunk| chunk.usage_member);
            let mut cut = before.to_owned();
            cut.replace_range(range.unwrap_or_default(), "");
            assert_eq!(cut, after);
        }
    }

    #[test]
    fn what_is_no_json_object_is_no_chunk() {
        for data in ["[DONE]", "", "{", r#"{"a":1"#, r#"{"usage":null} {"#, "x", r#"{"a":1,}"#] {
            assert_eq!(Chunk::read(data.as_bytes()), None, "{data}");
        }
    }
}
