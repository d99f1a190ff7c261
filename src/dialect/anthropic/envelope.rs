//! What a request asks for, as far as a limit or a price depends on it.
//!
//! The body is checked to be JSON, and walked for the fields that matter; where they stand is kept so that
//! [`splice`](super::splice) can replace them. [`shape`] reads what the rest is made of.

use super::shape;
use crate::dialect::envelope::{MODEL_BYTES_MAX, Places};
use crate::dialect::names::{field, word};
use crate::dialect::openai::usage::read_whole;
use crate::dialect::skim::Cursor;
use crate::dialect::{BadRequest, Endpoint, Envelope};
use crate::units::{CEILING, Tokens};
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::ops::Range;

/// The fields of a body that are read.
const BODY: [&str; 5] = ["model", "max_tokens", "stream", "metadata", "thinking"];
/// The fields of `thinking` that are read.
const THINKING: [&str; 2] = ["type", "budget_tokens"];

/// Where in the body the values stand that can be replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::dialect) struct Spans {
    pub(super) model: Range<usize>,
    /// The cap, and where it is said.
    pub(super) cap: Option<(Tokens, Range<usize>)>,
    /// The budget of thought that must stay below the cap, and where it is said.
    pub(super) budget: Option<(Tokens, Range<usize>)>,
    /// All of `thinking`, with the one comma that goes with it.
    pub(super) thinking: Range<usize>,
}

/// A member of an object.
#[derive(Clone, Debug)]
struct Member<'a> {
    raw: &'a str,
    at: Range<usize>,
    /// With its key, and with the one comma that goes with it.
    whole: Range<usize>,
}

/// An object of which nothing is kept.
struct Object;

/// Reads the request `body`. A count needs no cap, and nothing of it is capped.
///
/// # Errors
/// [`BadRequest`] for the first thing that is wrong.
pub(in crate::dialect) fn read(endpoint: Endpoint, body: &str) -> Result<Envelope, BadRequest> {
    serde_json::from_str::<Object>(body).map_err(|error| BadRequest::no_object(&error))?;
    let [model, cap, stream, metadata, thinking] = members(body, 0..body.len(), "", BODY)?;
    let mut spans = Spans { model: model.as_ref().map(|it| it.at.clone()).unwrap_or_default(), ..Spans::default() };
    let mut envelope = Envelope::new(endpoint, read_model(model.as_ref())?);
    if let Some(metadata) = metadata.filter(|it| it.raw.starts_with('{')) {
        let [user] = members(body, metadata.at, "metadata.", ["user_id"])?;
        envelope.user = read_text("metadata.user_id", user.as_ref())?;
    }
    if endpoint != Endpoint::MessagesCount {
        envelope.stream = read_bool("stream", stream.as_ref())?;
        let cap = cap.ok_or_else(|| bad("max_tokens", "is missing; give the most tokens that the answer may have"))?;
        let tokens = read_count("max_tokens", &cap)?;
        // None at all only fills the cache; whoever gives a cap gives one of at least 1.
        envelope.output_cap = Some(tokens.max(Tokens::new(1)));
        spans.cap = Some((tokens, cap.at));
        if let Some(thinking) = thinking {
            spans.thinking = thinking.whole.clone();
            spans.budget = read_budget(body, thinking)?;
        }
    }
    (envelope.shape, envelope.reach) = shape::read(body.as_bytes());
    Ok(Envelope { places: Places::Anthropic(spans), ..envelope })
}

/// The budget that `thinking` gives; `None`: it gives none, or not one that is a number.
fn read_budget(body: &str, thinking: Member<'_>) -> Result<Option<(Tokens, Range<usize>)>, BadRequest> {
    if !thinking.raw.starts_with('{') {
        return Ok(None);
    }
    let [kind, budget] = members(body, thinking.at, "thinking.", THINKING)?;
    let enabled = kind.is_some_and(|kind| word(kind.raw.trim_matches('"').as_bytes(), &["enabled"]).is_some());
    let budget = budget.filter(|budget| enabled && budget.raw != "null");
    budget.map(|budget| Ok((read_count("thinking.budget_tokens", &budget)?, budget.at))).transpose()
}

/// The members `names` of the object that stands in `body` at `at`. What two readers could read in two ways is refused.
fn members<'a, const N: usize>(
    body: &'a str,
    at: Range<usize>,
    path: &str,
    names: [&'static str; N],
) -> Result<[Option<Member<'a>>; N], BadRequest> {
    let mut found: [Option<Member<'a>>; N] = [const { None }; N];
    let mut wrong = None;
    let object = body.get(at.clone()).unwrap_or_default();
    // It was checked to be JSON.
    let _ = Cursor::new(object.as_bytes()).object(|cursor, key| {
        let raw = str::from_utf8(cursor.value()?).ok()?;
        let Some(name) = field(key.name, &names) else { return Some(()) };
        let end = cursor.at();
        let place = names.iter().zip(&mut found).find(|(known, _)| **known == name)?.1;
        if word(key.name, &[name]).is_none() {
            let given = format!("{path}{}", String::from_utf8_lossy(key.name));
            wrong.get_or_insert_with(|| bad(&given, &format!("is unknown; write it `{name}`")));
        } else if place.is_some() {
            wrong.get_or_insert_with(|| bad(&format!("{path}{name}"), "is given twice; give it once"));
        }
        let whole = whole_member(object, key.lead, end);
        let shift = |range: Range<usize>| at.start.saturating_add(range.start)..at.start.saturating_add(range.end);
        *place = Some(Member { raw, at: shift(end.saturating_sub(raw.len())..end), whole: shift(whole) });
        Some(())
    });
    wrong.map_or(Ok(found), Err)
}

/// What goes with the member of `object` that begins at `lead`, its comma or its key, and ends at `end`.
fn whole_member(object: &str, lead: usize, end: usize) -> Range<usize> {
    let mut after = Cursor::new(object.as_bytes().get(end..).unwrap_or_default());
    if object.as_bytes().get(lead) != Some(&b',') && after.eat(b',') {
        after.peek();
        return lead..end.saturating_add(after.at());
    }
    lead..end
}

fn bad(name: &str, what: &str) -> BadRequest {
    BadRequest { param: Some(name.to_owned()), message: format!("`{name}` {what}.") }
}

/// The refusal of a value that is not `right`, showing the start of it.
fn wrong(name: &str, right: &str, got: &Member<'_>) -> BadRequest {
    let shown: String = got.raw.chars().take(40).collect();
    let more = if shown.len() < got.raw.len() { "…" } else { "" };
    BadRequest { param: Some(name.to_owned()), message: format!("`{name}` must be {right}; got {shown}{more}") }
}

fn read_model(model: Option<&Member<'_>>) -> Result<String, BadRequest> {
    let model = model.ok_or_else(|| bad("model", "is missing; name the model to call"))?;
    let read = serde_json::from_str(model.raw).ok();
    read.filter(|read: &String| (1..=MODEL_BYTES_MAX).contains(&read.len()))
        .ok_or_else(|| wrong("model", "the name of a model, 1 to 256 bytes long", model))
}

fn read_text(name: &str, text: Option<&Member<'_>>) -> Result<Option<String>, BadRequest> {
    let Some(text) = text else { return Ok(None) };
    serde_json::from_str(text.raw).map_err(|_| wrong(name, "a string or null", text))
}

fn read_bool(name: &str, flag: Option<&Member<'_>>) -> Result<bool, BadRequest> {
    match flag.map(|flag| (flag, flag.raw)) {
        None | Some((_, "null" | "false")) => Ok(false),
        Some((_, "true")) => Ok(true),
        Some((flag, _)) => Err(wrong(name, "true, false or null", flag)),
    }
}

fn read_count(name: &str, count: &Member<'_>) -> Result<Tokens, BadRequest> {
    match read_whole(count.raw) {
        Some(tokens) if tokens <= CEILING => Ok(Tokens::new(tokens)),
        Some(_) => Err(wrong(name, "at most 9007199254740991", count)),
        None => Err(wrong(name, "a whole number of at least 0", count)),
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Object)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests;
