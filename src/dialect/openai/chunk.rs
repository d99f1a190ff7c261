//! What one chunk of a streamed answer says, to a chat or to a plain completion, as far as relaying and metering it need.

use crate::chat::Usage;
use crate::dialect::estimate::{Kind, Said};
use crate::dialect::openai::usage::members;
use crate::dialect::service;
use crate::dialect::skim::{Cursor, Key};
use crate::service::{Service, Word};
use crate::units::Tokens;
use std::ops::Range;

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
    /// An estimate of the tokens in it.
    pub counted: Tokens,
    /// The service tier that it says it is of.
    pub tier: Word,
    /// What else it says of how it is served.
    pub service: Option<Box<Service>>,
    /// It says something that is no thought.
    pub says: bool,
    /// It tells a thought, or seals one.
    pub thinks: bool,
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
        // What an event says that is no chunk of an answer.
        let (mut other, mut has_choices) = (Said::default(), false);
        let mut cursor = Cursor::new(data);
        cursor.object(|cursor, key| {
            match key.name {
                b"choices" => {
                    has_choices = true;
                    chunk.read_choices(cursor)?;
                }
                b"usage" => {
                    raw_usage = Some(cursor.value()?);
                    chunk.usage_member = Some(member(data, key, cursor.at()));
                }
                b"service_tier" => chunk.tier = service::tier_text(cursor.value()?),
                b"error" => chunk.is_error |= !matches!(cursor.value()?, b"null" | b"\"\"" | b"{}"),
                // vLLM's and others'.
                b"object" => chunk.is_error |= cursor.value()? == b"\"error\"",
                name => other.add_value(cursor, name, Kind::of)?,
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
        } else if !has_choices && !chunk.is_error {
            chunk.counted = other.piece();
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
            let (mut index, mut finished, mut spoken) = (0_u32, false, Spoken::default());
            if cursor.peek()? != b'{' {
                return cursor.value().map(drop);
            }
            cursor.object(|cursor, key| {
                match key.name {
                    b"index" => index = read_index(cursor.value()?),
                    // A server that does not stream after all has the message whole.
                    b"delta" | b"message" | b"text" => spoken = Spoken::read(cursor)?.max(spoken),
                    b"finish_reason" => finished = !matches!(cursor.value()?, b"null" | b"\"\""),
                    _ => drop(cursor.value()?),
                }
                Some(())
            })?;
            let bit = 1_u128 << index.min(127);
            self.choices |= bit;
            self.finished |= if finished { bit } else { 0 };
            self.says |= !spoken.said.is_empty();
            self.thinks |= !spoken.thought.is_empty();
            self.counted = self.counted.plus(spoken.all().piece());
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

/// What a message or a delta says.
#[derive(Clone, Copy, Default)]
pub(super) struct Spoken {
    /// What is read: text, refusals, calls of tools, and whatever else is no thought.
    said: Said,
    /// What was thought, which may be told under several names at once.
    thought: Said,
}

impl Spoken {
    /// Reads the value that comes next.
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        let (mut spoken, mut again) = (Self::default(), Said::default());
        if cursor.peek()? != b'{' {
            spoken.said.add_value(cursor, b"", Kind::of)?;
            return Some(spoken);
        }
        cursor.object(|cursor, key| {
            let mut value = Said::default();
            match key.name {
                b"annotations" | b"citations" => spoken.said.add_value(cursor, key.name, Kind::of_source)?,
                b"reasoning" | b"reasoning_content" | b"reasoning_details" | b"reasoning_text" | b"thinking"
                | b"thinking_blocks" => {
                    value.add_value(cursor, key.name, Kind::of_thought)?;
                    spoken.thought = spoken.thought.max(value);
                }
                b"tool_calls" if cursor.peek()? == b'[' => cursor.array(|cursor| spoken.add_call(cursor))?,
                b"function_call" => spoken.said.add_call(cursor, b"arguments", Kind::of)?,
                // LiteLLM says here again what it said elsewhere, and perhaps more.
                b"provider_specific_fields" => again.add_value(cursor, key.name, Kind::of)?,
                name => spoken.said.add_value(cursor, name, Kind::of)?,
            }
            Some(())
        })?;
        if again.whole() > spoken.all().whole() {
            spoken.said = again;
        }
        Some(spoken)
    }

    fn add_call(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        if cursor.peek()? != b'{' {
            return cursor.value().map(drop);
        }
        cursor.object(|cursor, key| match key.name {
            b"function" => self.said.add_call(cursor, b"arguments", Kind::of),
            name => self.said.add_value(cursor, name, Kind::of),
        })
    }

    fn max(self, other: Self) -> Self {
        if other.all().whole() > self.all().whole() { other } else { self }
    }

    /// All of it.
    pub(super) const fn all(self) -> Said {
        self.said.plus(self.thought)
    }
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
        assert_eq!(counted(&format!(r#"{{"content":"{image}"}}"#)), 5 + 9);
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
            (r#"{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":""}}]}"#, 1),
            (r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"a"}}]}"#, 1),
            (r#"{"tool_calls":[{"custom":{"input":"x"}},{"function":null},7]}"#, 1),
            (r#"{"function_call":{"arguments":"{}"}}"#, 1),
            (r#"{"content":[{"type":"text","text":"Hi"}]}"#, 1),
            (r#"{"content":[{"type":"text","text":"0123456789"},"0123456789"]}"#, 5),
            (r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"Hm"}],"closed":true}]}"#, 1),
            (r#"{"content":[[[[["deeper than anyone writes"]]]]]}"#, 7),
            (r#"{"content":[]}"#, 0),
        ] {
            assert_eq!(counted(delta), tokens, "{delta}");
        }
    }

    #[test]
    fn whatever_a_delta_says_counts_and_what_only_names_it_does_not() {
        let sound = "QUJD".repeat(1_000);
        for (delta, tokens) in [
            (r#"{"audio":{"id":"a","data":"QUJDREVGR0g=","expires_at":1}}"#.to_owned(), 1),
            (format!(r#"{{"audio":{{"data":"{sound}"}}}}"#), 4),
            (r#"{"audio":{"id":"a","transcript":"01234567890123456789"}}"#.to_owned(), 5),
            (r#"{"images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,QUJD"}}]}"#.to_owned(), 2),
            (format!(r#"{{"images":[{{"image_url":{{"url":"data:image/png;base64,{sound}"}}}}]}}"#), 1 + 4),
            (r#"{"annotations":[{"type":"url_citation","url_citation":{"url":"http://x"}}]}"#.to_owned(), 1),
            (format!(r#"{{"annotations":[{{"url_citation":{{"content":"{}"}}}}]}}"#, "word ".repeat(64)), 20),
            (r#"{"thinking":"Hm"}"#.to_owned(), 1),
            (r#"{"reasoning_text":"Hm","reasoning_opaque":"c2VhbGVk"}"#.to_owned(), 2),
            (r#"{"reasoning_details":[{"type":"reasoning.encrypted","format":"x","data":"QUJD"}]}"#.to_owned(), 1),
            (
                r#"{"reasoning":"Hm","reasoning_details":[{"type":"reasoning.text","text":"Hm","index":0}]}"#
                    .to_owned(),
                1,
            ),
            (r#"{"content":"Hi","provider_specific_fields":{"said":"Hi"}}"#.to_owned(), 1),
            (r#"{"provider_specific_fields":{"said":"Hi"}}"#.to_owned(), 1),
            (
                r#"{"tool_calls":[{"id":"call_0123456789","type":"custom","custom":{"name":"a","input":"b"}}]}"#
                    .to_owned(),
                1,
            ),
            (r#"{"server_tool":{"code":"print(1)","result":["1"]}}"#.to_owned(), 1),
            (r#"{"never_heard_of":{"a":[{"b":"01234567"},"0123456789"]}}"#.to_owned(), 5),
            (
                r#"{"role":"assistant","id":"0123456789abcdefg","obfuscation":"abcdefg","token_ids":[1,2,3]}"#
                    .to_owned(),
                0,
            ),
        ] {
            assert_eq!(counted(&delta), tokens, "{delta}");
        }
    }

    #[test]
    fn an_event_that_is_no_chunk_counts_by_what_it_says() {
        for (event, tokens) in [
            (r#"{"id":"x","object":"tool.result","output":"01234567890123456789"}"#, 5),
            (r#"{"id":"x","choices":[],"prompt_filter_results":[{"content_filter_results":{"hate":"safe"}}]}"#, 0),
            (r#"{"id":"x","model":"m","usage":{"prompt_tokens":1},"note":"n"}"#, 0),
            (r#"{"error":{"message":"a long story"}}"#, 0),
            (r#"{"id":"x","object":"y","model":"m","created":7}"#, 0),
        ] {
            assert_eq!(Chunk::read(event.as_bytes()).unwrap().counted.get(), tokens, "{event}");
        }
    }

    #[test]
    fn what_is_thought_is_told_from_what_is_said() {
        for (delta, says, thinks) in [
            (r#"{"role":"assistant","content":""}"#, false, false),
            (r#"{"content":"Hi"}"#, true, false),
            (r#"{"reasoning_content":"Hm","content":null}"#, false, true),
            (r#"{"reasoning_details":[{"data":"QUJD"}]}"#, false, true),
            (r#"{"tool_calls":[{"function":{"name":"f"}}]}"#, true, false),
        ] {
            let data = format!(r#"{{"choices":[{{"delta":{delta}}}]}}"#);
            let chunk = Chunk::read(data.as_bytes()).unwrap();
            assert_eq!((chunk.says, chunk.thinks), (says, thinks), "{delta}");
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
