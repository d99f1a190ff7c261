//! The tokens a provider says a call used.

use crate::chat::Usage;
use crate::dialect::skim::Cursor;
use crate::dialect::tokens;
use crate::units::Tokens;
use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::fmt;

/// The body is not one whole JSON object, or has neither choices nor vectors nor a usage, or an error alone: it was cut, or never
/// was an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CutAnswer;

/// Reads the usage of a whole answer to a chat or an embeddings call.
///
/// # Errors
///
/// [`CutAnswer`]; an answer with no usage, or with one that makes no sense, is `None`.
pub fn read_answer(body: &[u8]) -> Result<Option<Usage>, CutAnswer> {
    serde_json::from_slice(body).map(|Answer(usage)| usage).map_err(|_| CutAnswer)
}

impl Usage {
    /// Reads the object `usage`; `None` where neither `prompt_tokens` nor `completion_tokens` is a count.
    /// A part that makes no sense is left out.
    ///
    /// Cached tokens are parts of `prompt_tokens`, under OpenAI's names and under Anthropic's, which
    /// LiteLLM and Databricks use so. Anthropic itself counts its own beside the prompt: they are
    /// taken so where they are more than the prompt, or where only that adds up to `total_tokens`.
    ///
    /// Some providers leave what was thought out of `completion_tokens` and have it in `total_tokens`
    /// (xAI, Gemini): output is whatever the total has above the input, where that is more. For
    /// embeddings, which have no `completion_tokens`, that is nothing.
    pub fn read(raw: &[u8]) -> Option<Self> {
        let [prompt, completion, total, details, said, cached, read, written, lifetimes] = members(
            raw,
            [
                "prompt_tokens",
                "completion_tokens",
                "total_tokens",
                "prompt_tokens_details",
                "completion_tokens_details",
                "cached_tokens",
                "cache_read_input_tokens",
                "cache_creation_input_tokens",
                "cache_creation",
            ],
        );
        let (prompt, completion) = (tokens::of_raw(prompt), tokens::of_raw(completion));
        if prompt.is_none() && completion.is_none() {
            return None;
        }
        let (prompt, completion) = (prompt.unwrap_or_default(), completion.unwrap_or_default());
        let (total, read, written) = (count(total), count(read), count(written));
        let beside = read.plus(written);
        let adds_up = beside > Tokens::ZERO && total == prompt.plus(completion).plus(beside);
        let input = if beside > prompt || adds_up { prompt.plus(beside) } else { prompt };
        let output = completion.max(total.minus(input));

        // The same tokens may be told under several names: Moonshot's and OpenAI's, LiteLLM's and
        // Anthropic's. Where the parts are more than the whole, those count first that are dearer.
        let names = [
            "cached_tokens",
            "audio_tokens",
            "cache_write_tokens",
            "cache_creation_tokens",
            "cache_creation_token_details",
        ];
        let [also_cached, audio, also_written, created, also_lifetimes] = members(details, names);
        let hour = kept_an_hour(lifetimes).max(kept_an_hour(also_lifetimes));
        let written = written.max(count(also_written)).max(count(created));
        let cached = read.max(count(cached)).max(count(also_cached));
        let mut rest = input;
        let audio_input = take(&mut rest, count(audio));
        let cache_write_hour = take(&mut rest, hour);
        let cache_write = take(&mut rest, written.minus(hour));
        let cached_input = take(&mut rest, cached);

        let [thought, audio] = members(said, ["reasoning_tokens", "audio_tokens"]);
        let mut rest = output;
        let audio_output = take(&mut rest, count(audio));
        let reasoning = take(&mut rest, count(thought));
        Some(Self { input, cached_input, cache_write, cache_write_hour, audio_input, output, reasoning, audio_output })
    }
}

/// The values of these members of `object` as they are written; empty where there is none.
pub(crate) fn members<'a, const N: usize>(object: &'a [u8], names: [&str; N]) -> [&'a [u8]; N] {
    let mut values = [&b""[..]; N];
    // What is no object, or only half of one, has what was found in it.
    let _ = Cursor::new(object).object(|cursor, key| {
        let value = cursor.value()?;
        let known = names.iter().zip(&mut values).find(|(name, _)| name.as_bytes() == key.name);
        known.into_iter().for_each(|(_, known)| *known = value);
        Some(())
    });
    values
}

/// Of what was written to a cache, that which is kept for an hour.
fn kept_an_hour(lifetimes: &[u8]) -> Tokens {
    let [hour] = members(lifetimes, ["ephemeral_1h_input_tokens"]);
    count(hour)
}

/// A count; none where it makes no sense.
fn count(raw: &[u8]) -> Tokens {
    tokens::of_raw(raw).unwrap_or_default()
}

/// Takes up to `tokens` from what is left of the whole.
fn take(rest: &mut Tokens, tokens: Tokens) -> Tokens {
    let taken = tokens.min(*rest);
    *rest = rest.minus(taken);
    taken
}

/// The whole number that the JSON number `text` is, held down to `u64::MAX`; `None` for one below
/// zero, with a fraction other than zero, or with an exponent, and for anything else.
pub(crate) fn read_whole(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = !whole.is_empty() && whole.bytes().all(|byte| byte.is_ascii_digit());
    let is_whole = digits && fraction.bytes().all(|byte| byte == b'0');
    is_whole.then(|| whole.parse().unwrap_or(u64::MAX))
}

/// An answer of which only the usage is read.
struct Answer(Option<Usage>);

impl<'de> Deserialize<'de> for Answer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Answer;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object that answers")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Answer, A::Error> {
                let (mut usage, mut said, mut failed) = (None, false, false);
                while let Some(key) = map.next_key()? {
                    if matches!(key, Key::Other) {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    }
                    let raw = map.next_value::<&RawValue>()?.get().as_bytes();
                    let is_empty = is_empty(raw);
                    match key {
                        Key::Usage => usage = Usage::read(raw),
                        Key::Error => failed |= !is_empty,
                        Key::Said | Key::Other => said |= !is_empty,
                    }
                }
                if said || (usage.is_some() && !failed) {
                    Ok(Answer(usage))
                } else {
                    Err(A::Error::custom("no answer"))
                }
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// Whether a value says nothing: it is `null`, or a list, an object or a text with nothing in it.
fn is_empty(raw: &[u8]) -> bool {
    let inner = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
    raw == b"null"
        || raw == b"false"
        || matches!(raw.first(), Some(b'[' | b'{' | b'"')) && inner.trim_ascii().is_empty()
}

/// A key of an answer.
enum Key {
    Usage,
    /// What the answer is: choices, or vectors.
    Said,
    Error,
    Other,
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_str<E>(self, name: &str) -> Result<Key, E> {
                Ok(match name {
                    "usage" => Key::Usage,
                    "choices" | "data" => Key::Said,
                    "error" => Key::Error,
                    _ => Key::Other,
                })
            }
        }
        deserializer.deserialize_identifier(Name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(usage: &str) -> Result<Option<Usage>, CutAnswer> {
        read_answer(format!(r#"{{"id":"x","choices":[{{"usage":7}}],"usage":{usage},"z":[]}}"#).as_bytes())
    }

    /// `read`: input, cached, written, written for an hour, sound; output, thought, sound.
    #[track_caller]
    fn check(usage: &str, read: ([u64; 5], [u64; 3])) {
        let ([input, cached_input, cache_write, cache_write_hour, audio_input], [output, reasoning, audio_output]) =
            (read.0.map(Tokens::new), read.1.map(Tokens::new));
        let read =
            Usage { input, cached_input, cache_write, cache_write_hour, audio_input, output, reasoning, audio_output };
        assert_eq!(answer(usage), Ok(Some(read)), "{usage}");
    }

    #[test]
    fn every_part_of_a_usage_is_read() {
        check(
            r#"{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":{
            "cached_tokens":8,"audio_tokens":5,"cache_write_tokens":3},
            "completion_tokens_details":{"reasoning_tokens":4,"audio_tokens":2,"accepted_prediction_tokens":1}}"#,
            ([19, 8, 3, 0, 5], [10, 4, 2]),
        );
        check(r#"{"prompt_tokens":8,"total_tokens":8}"#, ([8, 0, 0, 0, 0], [0; 3]));
        check(r#"{"prompt_tokens":8,"completion_tokens":null,"total_tokens":11}"#, ([8, 0, 0, 0, 0], [3, 0, 0]));
        check(r#"{"prompt_tokens":8.0,"completion_tokens":2}"#, ([8, 0, 0, 0, 0], [2, 0, 0]));
    }

    #[test]
    fn cached_tokens_are_parts_of_the_prompt_unless_they_can_only_stand_beside_it() {
        let litellm = r#"{"prompt_tokens":100,"completion_tokens":5,"total_tokens":105,"cache_read_input_tokens":60,
            "cache_creation_input_tokens":30,"prompt_tokens_details":{"cached_tokens":60,"cache_creation_tokens":30,
            "cache_creation_token_details":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20}}}"#;
        check(litellm, ([100, 60, 10, 20, 0], [5, 0, 0]));
        let anthropic = |prompt: u64, total: &str| {
            format!(
                r#"{{"prompt_tokens":{prompt},"completion_tokens":5{total},"cache_read_input_tokens":60,
                "cache_creation_input_tokens":30,"cache_creation":{{"ephemeral_1h_input_tokens":30}}}}"#
            )
        };
        check(&anthropic(100, ""), ([100, 60, 0, 30, 0], [5, 0, 0]));
        check(&anthropic(90, r#","total_tokens":95"#), ([90, 60, 0, 30, 0], [5, 0, 0]));
        check(&anthropic(100, r#","total_tokens":195"#), ([190, 60, 0, 30, 0], [5, 0, 0]));
        check(&anthropic(10, ""), ([100, 60, 0, 30, 0], [5, 0, 0]));
        check(&anthropic(10, r#","total_tokens":15"#), ([100, 60, 0, 30, 0], [5, 0, 0]));
        check(r#"{"prompt_tokens":8,"completion_tokens":2,"cached_tokens":3}"#, ([8, 3, 0, 0, 0], [2, 0, 0]));
    }

    #[test]
    fn what_was_thought_beside_the_completion_is_output() {
        let xai = |completion: u64, total: u64| {
            format!(
                r#"{{"prompt_tokens":32,"completion_tokens":{completion},"total_tokens":{total},
                "completion_tokens_details":{{"reasoning_tokens":94}}}}"#
            )
        };
        check(&xai(9, 135), ([32, 0, 0, 0, 0], [103, 94, 0]));
        check(&xai(103, 135), ([32, 0, 0, 0, 0], [103, 94, 0]));
        check(&xai(103, 41), ([32, 0, 0, 0, 0], [103, 94, 0]));
        let gemini = r#"{"prompt_tokens":7,"completion_tokens":20,"total_tokens":527}"#;
        check(gemini, ([7, 0, 0, 0, 0], [520, 0, 0]));
    }

    #[test]
    fn a_part_that_makes_no_sense_does_not_cost_the_rest() {
        let details = |input: &str, output: &str| {
            format!(
                r#"{{"prompt_tokens":8,"completion_tokens":2,"total_tokens":"x","cache_creation":7,
                "prompt_tokens_details":{input},"completion_tokens_details":{output}}}"#
            )
        };
        for (input, output) in [
            ("null", "null"),
            ("[1]", "[1]"),
            (r#"{"cached_tokens":null}"#, r#"{"reasoning_tokens":-1}"#),
            (r#"{"cached_tokens":-1,"audio_tokens":"4.5"}"#, r#"{"reasoning_tokens":{},"audio_tokens":1.5}"#),
            (r#"{"cached_tokens":{"cached_tokens":2}}"#, "7"),
        ] {
            check(&details(input, output), ([8, 0, 0, 0, 0], [2, 0, 0]));
        }
        check(&details(r#"{"cached_tokens":9}"#, r#"{"reasoning_tokens":3}"#), ([8, 8, 0, 0, 0], [2, 2, 0]));
        check(&details(r#"{"cached_tokens":99999999999999999999}"#, "{}"), ([8, 8, 0, 0, 0], [2, 0, 0]));
        check(
            &details(
                r#"{"cached_tokens":9,"audio_tokens":3,"cache_write_tokens":4}"#,
                r#"{"reasoning_tokens":2,"audio_tokens":1}"#,
            ),
            ([8, 1, 4, 0, 3], [2, 1, 1]),
        );
    }

    #[test]
    fn what_is_no_usage_is_none() {
        for garbage in [
            "null",
            "7",
            "[1,2,3,null]",
            "{}",
            r#"{"prompt_tokens":-1,"completion_tokens":-2,"total_tokens":-3}"#,
            r#"{"prompt_tokens":1.5,"completion_tokens":[]}"#,
            r#"{"total_tokens":7}"#,
        ] {
            assert_eq!(answer(garbage), Ok(None), "{garbage}");
        }
    }

    #[test]
    fn each_part_is_read_by_itself_as_far_as_it_makes_sense() {
        check(r#"{"prompt_tokens":-1,"completion_tokens":2}"#, ([0; 5], [2, 0, 0]));
        check(r#"{"prompt_tokens":1.5,"completion_tokens":2}"#, ([0; 5], [2, 0, 0]));
        check(r#"{"prompt_tokens":9,"completion_tokens":-2}"#, ([9, 0, 0, 0, 0], [0; 3]));
        check(r#"{"prompt_tokens":"9","completion_tokens":"2"}"#, ([9, 0, 0, 0, 0], [2, 0, 0]));
        check(r#"{"prompt_tokens":1e1,"completion_tokens":2e0}"#, ([10, 0, 0, 0, 0], [2, 0, 0]));
        check(r#"{"completion_tokens":2}"#, ([0; 5], [2, 0, 0]));
        let most = crate::units::CEILING;
        check(r#"{"prompt_tokens":1,"completion_tokens":1e400}"#, ([1, 0, 0, 0, 0], [most, 0, 0]));
        check(r#"{"prompt_tokens":18446744073709551616}"#, ([most, 0, 0, 0, 0], [0; 3]));
        // Of two that have one name the last is the answer's, as JSON is mostly read.
        check(r#"{"prompt_tokens":1000,"completion_tokens":2,"prompt_tokens":1}"#, ([1, 0, 0, 0, 0], [2, 0, 0]));
    }

    #[test]
    fn an_answer_that_is_not_whole_is_told_from_one_without_usage() {
        let whole = br#"{"usage":{"prompt_tokens":1,"completion_tokens":2},"a":["}"]}"#;
        for end in 0..whole.len() {
            let cut = whole.get(..end).unwrap_or_default();
            assert_eq!(read_answer(cut), Err(CutAnswer));
        }
        for (body, is_answer) in [
            (r#" {"choices":[{}]} "#, true),
            (r#"{"data":[{"embedding":[1]}]}"#, true),
            (r#"{"choices":[],"usage":{"prompt_tokens":1}}"#, true),
            (r#"{"choices":[{}],"error":{"message":"late"}}"#, true),
            (r#"{"choices":[{}],"error":null}"#, true),
            (r#"{"a":1}"#, false),
            ("{}", false),
            (r#"{"choices":[ ]}"#, false),
            (r#"{"choices":[],"usage":null}"#, false),
            (r#"{"error":{"message":"no"}}"#, false),
            (r#"{"choices":[],"error":"no","usage":{"prompt_tokens":1}}"#, false),
        ] {
            assert_eq!(read_answer(body.as_bytes()).is_ok(), is_answer, "{body}");
        }
        assert_eq!(read_answer(b"{} {}"), Err(CutAnswer));
        assert_eq!(read_answer(b"<html>"), Err(CutAnswer));
    }
}
