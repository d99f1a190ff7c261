//! The tokens a provider says a call used.

use crate::units::Tokens;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use std::fmt;

/// The tokens of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// All that went in, cached or not.
    pub input: Tokens,
    /// The part of `input` that the provider had cached; never above it.
    pub cached_input: Tokens,
    /// All that came out, reasoning included.
    pub output: Tokens,
}

/// The body is not one whole JSON object: it was cut, or never was an answer.
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
    /// Reads the object `usage`. Its output is `completion_tokens`, or else what `total_tokens` has
    /// above `prompt_tokens`: nothing for embeddings. `None` where `prompt_tokens` is no count.
    pub fn read(raw: &[u8]) -> Option<Self> {
        let wire: Wire<'_> = read_object(str::from_utf8(raw).ok()?)?;
        let input = wire.prompt_tokens.and_then(read_tokens)?;
        let total = wire.total_tokens.and_then(read_tokens);
        let output = match wire.completion_tokens {
            Some(raw) if raw.get() != "null" => read_tokens(raw)?,
            _ => total.unwrap_or_default().minus(input),
        };
        let details = wire.prompt_tokens_details.map(RawValue::get);
        let details: Option<Details<'_>> = details.and_then(read_object);
        let cached = details.and_then(|details| details.cached_tokens).and_then(read_tokens);
        Some(Self { input, cached_input: cached.unwrap_or_default().min(input), output })
    }
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    prompt_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    completion_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    total_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    prompt_tokens_details: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Details<'a> {
    #[serde(borrow)]
    cached_tokens: Option<&'a RawValue>,
}

/// Reads an object, and not the list of its values, which serde takes for one.
fn read_object<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    text.starts_with('{').then(|| serde_json::from_str(text).ok()).flatten()
}

fn read_tokens(raw: &RawValue) -> Option<Tokens> {
    read_whole(raw.get()).map(Tokens::new)
}

/// The whole number that the JSON number `text` is, held down to `u64::MAX`; `None` for one below
/// zero, with a fraction other than zero, or with an exponent, and for anything else.
pub(super) fn read_whole(text: &str) -> Option<u64> {
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
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Answer, A::Error> {
                let mut usage = None;
                while let Some(IsUsage(is_usage)) = map.next_key()? {
                    if is_usage {
                        usage = Usage::read(map.next_value::<&RawValue>()?.get().as_bytes());
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(Answer(usage))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// Whether a key is `usage`.
struct IsUsage(bool);

impl<'de> Deserialize<'de> for IsUsage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = IsUsage;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_str<E>(self, name: &str) -> Result<IsUsage, E> {
                Ok(IsUsage(name == "usage"))
            }
        }
        deserializer.deserialize_identifier(Name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(usage: &str, read: Option<(u64, u64, u64)>) {
        let usage = format!(r#"{{"id":"x","choices":[{{"usage":7}}],"usage":{usage},"z":[]}}"#);
        let read = read.map(|(input, cached, output)| Usage {
            input: Tokens::new(input),
            cached_input: Tokens::new(cached),
            output: Tokens::new(output),
        });
        assert_eq!(read_answer(usage.as_bytes()), Ok(read), "{usage}");
    }

    #[test]
    fn usage_is_read_and_garbage_is_none() {
        check(
            r#"{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":{
            "cached_tokens":16,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":4}}"#,
            Some((19, 16, 10)),
        );
        check(r#"{"prompt_tokens":8,"total_tokens":8}"#, Some((8, 0, 0)));
        check(r#"{"prompt_tokens":8,"completion_tokens":null,"total_tokens":11}"#, Some((8, 0, 3)));
        check(r#"{"prompt_tokens":8.0,"completion_tokens":2}"#, Some((8, 0, 2)));
        let details =
            |raw: &str| format!(r#"{{"prompt_tokens":8,"completion_tokens":2,"prompt_tokens_details":{raw}}}"#);
        check(&details("null"), Some((8, 0, 2)));
        check(&details("[1]"), Some((8, 0, 2)));
        check(&details(r#"{"cached_tokens":null}"#), Some((8, 0, 2)));
        check(&details(r#"{"cached_tokens":-1}"#), Some((8, 0, 2)));
        check(&details(r#"{"cached_tokens":9}"#), Some((8, 8, 2)));
        check(&details(r#"{"cached_tokens":99999999999999999999}"#), Some((8, 8, 2)));
        for garbage in [
            "null",
            "7",
            "[1,2,3,null]",
            "{}",
            r#"{"prompt_tokens":-1,"completion_tokens":2}"#,
            r#"{"prompt_tokens":1,"completion_tokens":"2"}"#,
            r#"{"prompt_tokens":1.5,"completion_tokens":2}"#,
            r#"{"prompt_tokens":1,"completion_tokens":1e400}"#,
        ] {
            check(garbage, None);
        }
    }

    #[test]
    fn an_answer_that_is_not_whole_is_told_from_one_without_usage() {
        let whole = br#"{"usage":{"prompt_tokens":1,"completion_tokens":2},"a":["}"]}"#;
        for end in 0..whole.len() {
            let cut = whole.get(..end).unwrap_or_default();
            assert_eq!(read_answer(cut), Err(CutAnswer));
        }
        assert_eq!(read_answer(b" {\"a\":1} "), Ok(None));
        assert_eq!(read_answer(b"{} {}"), Err(CutAnswer));
        assert_eq!(read_answer(b"<html>"), Err(CutAnswer));
    }
}
