//! What a request asks for, as far as a limit or a price depends on it.
//!
//! The body is checked to be JSON, and walked for what can be replaced: its caps, and the models that it names besides the
//! one in the path. [`shape`] reads what the rest is made of.

use super::shape;
use crate::dialect::envelope::{CHOICES_MAX, MODEL_BYTES_MAX, Places};
use crate::dialect::names::field;
use crate::dialect::openai::usage::read_whole;
use crate::dialect::skim::{Cursor, Key};
use crate::dialect::{BadRequest, Endpoint, Envelope};
use crate::units::Tokens;
use serde::Deserialize;
use std::ops::Range;

/// Where in the body the values stand that can be replaced, and the cap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::dialect) struct Spans {
    /// Just after the opening brace.
    pub(super) start: usize,
    /// The names of models.
    pub(super) models: Vec<Range<usize>>,
    /// `generationConfig`, and whether it is written in snake_case.
    pub(super) config: Option<(Range<usize>, bool)>,
    /// The most tokens that each candidate may have, and where that is said.
    pub(super) cap: Option<Tokens>,
    pub(super) cap_at: Option<Range<usize>>,
}

/// A field that is read, by its two names; in small letters as [`field`] wants it.
struct Name {
    camel: &'static str,
    snake: &'static str,
}

const MODEL: Name = Name { camel: "model", snake: "model" };
const CONFIG: Name = Name { camel: "generationConfig", snake: "generation_config" };
const COUNTED: Name = Name { camel: "generateContentRequest", snake: "generate_content_request" };
const CONTENTS: Name = Name { camel: "contents", snake: "contents" };
const CONTENT: Name = Name { camel: "content", snake: "content" };
const REQUESTS: Name = Name { camel: "requests", snake: "requests" };
const CAP: Name = Name { camel: "maxOutputTokens", snake: "max_output_tokens" };
const CANDIDATES: Name = Name { camel: "candidateCount", snake: "candidate_count" };

/// A body of which nothing is kept.
#[derive(Deserialize)]
struct Any {}

/// Reads the request `body` for `model`, which the path names, as it names whether the answer is a `stream`.
///
/// # Errors
/// [`BadRequest`] for the first thing that is wrong.
pub(in crate::dialect) fn read(
    endpoint: Endpoint,
    model: &str,
    stream: bool,
    body: &str,
) -> Result<Envelope, BadRequest> {
    if !(1..=MODEL_BYTES_MAX).contains(&model.len()) {
        return Err(bad("model", "in the path must be the name of a model, 1 to 256 bytes long"));
    }
    serde_json::from_str::<Any>(body).map_err(|error| BadRequest::no_object(&error))?;
    let mut reader = Reader { body, path: String::new(), spans: Spans::default(), candidates: None, wrong: None };
    let seen = reader.members(&mut Cursor::new(body.as_bytes()), &top(endpoint));
    if let Some(wrong) = reader.wrong {
        return Err(wrong);
    }
    let Some(seen) = seen else {
        let message = "The body must be a JSON object, such as {\"contents\": …}.".to_owned();
        return Err(BadRequest { param: None, message });
    };
    let needed = match endpoint {
        Endpoint::Embed => (CONTENT.camel, "the text to embed"),
        Endpoint::EmbedBatch => (REQUESTS.camel, "the texts to embed, each in a request of its own"),
        _ => (CONTENTS.camel, "what was said so far"),
    };
    let is_counted = endpoint == Endpoint::GenerateCount && seen.contains(&COUNTED.camel);
    if !seen.contains(&needed.0) && !is_counted {
        return Err(bad(needed.0, &format!("is missing; give {}", needed.1)));
    }
    let mut spans = reader.spans;
    spans.start = body.find('{').map_or(0, |brace| brace.saturating_add(1));
    let has_output = endpoint == Endpoint::Generate;
    let (shape, reach) = shape::read(body.as_bytes());
    Ok(Envelope {
        stream: stream && has_output,
        show_usage: stream && has_output,
        output_cap: spans.cap.filter(|_| has_output),
        n: reader.candidates.filter(|_| has_output).unwrap_or(1),
        shape,
        reach,
        places: Places::Gemini(spans),
        ..Envelope::new(endpoint, model.to_owned())
    })
}

/// The fields of a body that are read.
fn top(endpoint: Endpoint) -> Vec<Name> {
    match endpoint {
        Endpoint::Embed => vec![MODEL, CONTENT],
        Endpoint::EmbedBatch => vec![MODEL, REQUESTS],
        Endpoint::GenerateCount => vec![MODEL, CONTENTS, COUNTED],
        _ => vec![MODEL, CONTENTS, CONFIG],
    }
}

struct Reader<'b> {
    body: &'b str,
    /// Where the object stands that is read, with a dot at its end.
    path: String,
    spans: Spans,
    candidates: Option<u64>,
    wrong: Option<BadRequest>,
}

impl<'b> Reader<'b> {
    /// Steps over an object and reads those of its members that have one of `names`; which these were. `None`: it is no
    /// object, or something is wrong with it.
    fn members(&mut self, cursor: &mut Cursor<'b>, names: &[Name]) -> Option<Vec<&'static str>> {
        let lower: Vec<String> =
            names.iter().flat_map(|name| [name.camel, name.snake]).map(str::to_ascii_lowercase).collect();
        let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
        let mut seen = Vec::new();
        cursor.object(|cursor, key| {
            let Some(spelling) = field(key.name, &lower) else {
                return cursor.value().map(drop);
            };
            let is_it = |name: &&Name| [name.camel, name.snake].iter().any(|it| it.eq_ignore_ascii_case(spelling));
            let name = names.iter().find(is_it)?;
            let path = self.path.clone();
            let is_exact = [name.camel, name.snake].iter().any(|exact| exact.as_bytes() == key.name);
            if !is_exact {
                let given = String::from_utf8_lossy(key.name);
                return self.fail(bad(&format!("{path}{given}"), &format!("is unknown; write it `{}`", name.camel)));
            }
            if seen.contains(&name.camel) {
                return self.fail(bad(&format!("{path}{}", name.camel), "is given twice; give it once"));
            }
            seen.push(name.camel);
            self.value(cursor, name, key)
        })?;
        Some(seen)
    }

    /// Steps over the value of the field `name`.
    fn value(&mut self, cursor: &mut Cursor<'b>, name: &Name, key: &Key<'b>) -> Option<()> {
        let first = cursor.peek()?;
        let start = cursor.at();
        match (name.camel, first) {
            ("generationConfig", b'{') => self.inside(cursor, "generationConfig.", &[CAP, CANDIDATES])?,
            ("generateContentRequest", b'{') => self.inside(cursor, "generateContentRequest.", &[MODEL])?,
            ("requests", b'[') => cursor.array(|cursor| match cursor.peek()? {
                b'{' => self.inside(cursor, "requests[].", &[MODEL]),
                _ => cursor.value().map(drop),
            })?,
            ("requests", b'{') => self.inside(cursor, "requests.", &[MODEL])?,
            ("maxOutputTokens", _) => {
                self.spans.cap = self.count(cursor, name.camel, None)?.map(Tokens::new);
                self.spans.cap_at = Some(start..cursor.at());
            }
            ("candidateCount", _) => self.candidates = self.count(cursor, name.camel, Some(CHOICES_MAX))?,
            ("model", _) => {
                cursor.value()?;
                self.spans.models.push(start..cursor.at());
            }
            ("generationConfig" | "generateContentRequest", byte) if byte != b'n' => {
                let got = self.body.get(start..)?.chars().take(40).collect::<String>();
                return self
                    .fail(bad(&format!("{}{}", self.path, name.camel), &format!("must be an object; got {got}")));
            }
            _ => drop(cursor.value()?),
        }
        if name.camel == CONFIG.camel {
            self.spans.config = Some((start..cursor.at(), key.name == CONFIG.snake.as_bytes()));
        }
        Some(())
    }

    fn inside(&mut self, cursor: &mut Cursor<'b>, path: &str, names: &[Name]) -> Option<()> {
        let outer = std::mem::replace(&mut self.path, path.to_owned());
        self.members(cursor, names)?;
        self.path = outer;
        Some(())
    }

    /// Steps over a count of at least 1 and at most `max`; without `max`, one that fits 64 bits. Protobuf takes numbers as
    /// texts too: these are refused, for not everyone does.
    fn count(&mut self, cursor: &mut Cursor<'b>, name: &str, max: Option<u64>) -> Option<Option<u64>> {
        let raw = str::from_utf8(cursor.value()?).ok()?;
        if raw == "null" {
            return Some(None);
        }
        let count = read_whole(raw).filter(|count| (1..u64::MAX).contains(count) && *count <= max.unwrap_or(u64::MAX));
        if count.is_none() {
            let right = max.map_or("of at least 1".to_owned(), |max| format!("from 1 to {max}"));
            let got: String = raw.chars().take(40).collect();
            let message = format!("must be a whole number {right}; got {got}");
            self.fail(bad(&format!("{}{name}", self.path), &message))?;
        }
        Some(count)
    }

    fn fail(&mut self, wrong: BadRequest) -> Option<()> {
        self.wrong.get_or_insert(wrong);
        None
    }
}

fn bad(name: &str, what: &str) -> BadRequest {
    BadRequest { param: Some(name.to_owned()), message: format!("`{name}` {what}.") }
}

#[cfg(test)]
mod tests;
