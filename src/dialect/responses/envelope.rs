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
use serde::de::IgnoredAny;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

/// The fields that are read.
const FIELDS: [&str; 5] = ["model", "stream", "max_output_tokens", "user", "safety_identifier"];

/// Where in the body the values stand that can be replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::dialect) struct Spans {
    /// Just after the opening brace.
    pub(super) start: usize,
    pub(super) model: Range<usize>,
    /// Where the cap is said, be it that there is none.
    pub(super) cap: Option<Range<usize>>,
}

/// Reads the request `body`.
///
/// # Errors
/// [`BadRequest`] for the first thing that is wrong.
pub(in crate::dialect) fn read(body: &str) -> Result<Envelope, BadRequest> {
    // Valid JSON, and an object.
    serde_json::from_str::<BTreeMap<Cow<'_, str>, IgnoredAny>>(body).map_err(|error| BadRequest::no_object(&error))?;
    let [model, stream, cap, user, safety] = fields(body)?;
    let text = |at: &Option<Range<usize>>| at.clone().and_then(|at| body.get(at));
    let name = read_model(text(&model))?;
    let mut envelope = Envelope::new(Endpoint::Responses, name);
    envelope.stream = read_bool("stream", text(&stream))?;
    envelope.show_usage = true;
    envelope.output_cap = read_count("max_output_tokens", text(&cap))?;
    let users = [read_text("user", text(&user))?, read_text("safety_identifier", text(&safety))?];
    envelope.user = users.into_iter().flatten().next();
    (envelope.shape, envelope.reach) = shape::read(body.as_bytes());
    let start = body.find('{').map_or(0, |brace| brace.saturating_add(1));
    Ok(Envelope { places: Places::Responses(Spans { start, model: model.unwrap_or_default(), cap }), ..envelope })
}

/// Where the values of [`FIELDS`] stand. What two readers could read in two ways is refused.
fn fields(body: &str) -> Result<[Option<Range<usize>>; FIELDS.len()], BadRequest> {
    let mut found = [const { None }; FIELDS.len()];
    let mut wrong = None;
    // It was checked to be JSON.
    let _ = Cursor::new(body.as_bytes()).object(|cursor, key| {
        cursor.peek();
        let start = cursor.at();
        cursor.value()?;
        let Some(name) = field(key.name, &FIELDS) else { return Some(()) };
        let place = FIELDS.iter().zip(&mut found).find(|(known, _)| **known == name)?.1;
        if word(key.name, &[name]).is_none() {
            let given = String::from_utf8_lossy(key.name);
            wrong.get_or_insert_with(|| bad(&given, &format!("is unknown; write it `{name}`")));
        } else if place.replace(start..cursor.at()).is_some() {
            wrong.get_or_insert_with(|| bad(name, "is given twice; give it once"));
        }
        Some(())
    });
    wrong.map_or(Ok(found), Err)
}

fn bad(name: &str, what: &str) -> BadRequest {
    BadRequest { param: Some(name.to_owned()), message: format!("`{name}` {what}.") }
}

/// The refusal of a value that is not `right`, showing the start of it.
fn wrong(name: &str, right: &str, got: &str) -> BadRequest {
    let shown: String = got.chars().take(40).collect();
    let more = if shown.len() < got.len() { "…" } else { "" };
    BadRequest { param: Some(name.to_owned()), message: format!("`{name}` must be {right}; got {shown}{more}") }
}

fn read_model(raw: Option<&str>) -> Result<String, BadRequest> {
    let raw = raw.ok_or_else(|| bad("model", "is missing; name the model to call"))?;
    let model = serde_json::from_str(raw).ok();
    model
        .filter(|model: &String| (1..=MODEL_BYTES_MAX).contains(&model.len()))
        .ok_or_else(|| wrong("model", "the name of a model, 1 to 256 bytes long", raw))
}

fn read_text(name: &str, raw: Option<&str>) -> Result<Option<String>, BadRequest> {
    let Some(raw) = raw else { return Ok(None) };
    serde_json::from_str(raw).map_err(|_| wrong(name, "a string or null", raw))
}

fn read_bool(name: &str, raw: Option<&str>) -> Result<bool, BadRequest> {
    match raw {
        None | Some("null" | "false") => Ok(false),
        Some("true") => Ok(true),
        Some(raw) => Err(wrong(name, "true, false or null", raw)),
    }
}

fn read_count(name: &str, raw: Option<&str>) -> Result<Option<Tokens>, BadRequest> {
    let Some(raw) = raw.filter(|raw| *raw != "null") else { return Ok(None) };
    match read_whole(raw) {
        Some(tokens) if tokens > CEILING => Err(wrong(name, "at most 9007199254740991", raw)),
        Some(tokens) if tokens > 0 => Ok(Some(Tokens::new(tokens))),
        _ => Err(wrong(name, "a whole number of at least 1", raw)),
    }
}

#[cfg(test)]
mod tests;
