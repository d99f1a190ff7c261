//! What a request asks for, as far as a limit or a price depends on it.
//!
//! Only the top-level fields that matter are read, and where they stand is kept so that
//! [`splice`](super::splice) can replace them. [`shape`] reads what the rest is made
//! of; it is checked to be JSON and left alone.

use super::shape;
use super::usage::read_whole;
use crate::dialect::envelope::{CHOICES_MAX, MODEL_BYTES_MAX, Places};
use crate::dialect::names::folds_to;
use crate::dialect::skim::Cursor;
use crate::dialect::{BadRequest, Endpoint, Envelope};
use crate::units::Tokens;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// The cap of a plain completion that gives none: OpenAI's own. Where a limit needs a cap, the provider is told it.
const COMPLETION_CAP: Tokens = Tokens::new(16);

/// Where in the body the values stand that can be replaced, and the caps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::dialect) struct Spans {
    /// Just after the opening brace.
    pub(super) start: usize,
    pub(super) model: Range<usize>,
    /// The most tokens each choice may have, by the older name, and where that is said.
    pub(super) max_tokens: Option<Tokens>,
    pub(super) max_tokens_at: Option<Range<usize>>,
    /// The same by the newer name.
    pub(super) max_completion_tokens: Option<Tokens>,
    pub(super) max_completion_tokens_at: Option<Range<usize>>,
    pub(super) stream_options: Option<Range<usize>>,
    pub(super) include_usage: Option<Range<usize>>,
}

/// Reads the request `body`.
///
/// # Errors
/// [`BadRequest`] for the first thing that is wrong.
pub(in crate::dialect) fn read(endpoint: Endpoint, body: &str) -> Result<Envelope, BadRequest> {
    let fields: Fields<'_> = serde_json::from_str(body).map_err(|error| BadRequest::no_object(&error))?;
    fields.check_names("")?;
    let span = |raw: &RawValue| span_within(body, raw.get());
    let model = read_model(fields.get("model"))?;
    let user = read_text("user", fields.get("user"))?;
    let spans = Spans {
        start: body.find('{').map_or(0, |brace| brace.saturating_add(1)),
        model: fields.get("model").map(span).unwrap_or_default(),
        ..Spans::default()
    };
    let (shape, reach) = shape::read(body.as_bytes());
    let envelope = Envelope { user, shape, reach, ..Envelope::new(endpoint, model) };
    match endpoint {
        Endpoint::Embeddings if fields.get("input").is_none() => {
            Err(bad("input", "is missing; give the text or the texts to embed".to_owned()))
        }
        Endpoint::Embeddings => Ok(Envelope { places: Places::OpenAi(spans), ..envelope }),
        Endpoint::Completions => completion_fields(envelope, spans, body, &fields),
        _ => chat_fields(envelope, spans, body, &fields),
    }
}

fn chat_fields(
    mut envelope: Envelope,
    mut spans: Spans,
    body: &str,
    fields: &Fields<'_>,
) -> Result<Envelope, BadRequest> {
    let caps = ["max_tokens", "max_completion_tokens"].map(|name| (name, fields.get(name)));
    let [older, newer] = caps.map(|(name, raw)| read_count(name, raw, None));
    (spans.max_tokens, spans.max_completion_tokens) = (older?, newer?);
    envelope.output_cap = [spans.max_tokens, spans.max_completion_tokens].into_iter().flatten().min();
    for name in CHOICES {
        let choices = read_count(name, fields.get(name), Some(CHOICES_MAX))?.map_or(1, Tokens::get);
        envelope.n = envelope.n.max(choices);
    }
    let [older, newer] = caps.map(|(_, raw)| raw.map(|raw| span_within(body, raw.get())));
    (spans.max_tokens_at, spans.max_completion_tokens_at) = (older, newer);
    stream_fields(envelope, spans, body, fields)
}

/// Reads what a plain completion asks for: each of its prompts is answered `n` times, and of `best_of` answers, all of
/// them billed, the best `n` are given. Only `max_tokens` caps it; that may be 0, to have the prompt rated.
fn completion_fields(
    mut envelope: Envelope,
    mut spans: Spans,
    body: &str,
    fields: &Fields<'_>,
) -> Result<Envelope, BadRequest> {
    let prompts = count_prompts(fields.get("prompt"))?;
    let [n, best_of] = ["n", "best_of"].map(|name| read_count(name, fields.get(name), Some(CHOICES_MAX)));
    let each = [n?, best_of?].into_iter().flatten().max().map_or(1, Tokens::get);
    envelope.n = prompts.saturating_mul(each);
    if envelope.n > CHOICES_MAX {
        let what = format!("asks for {} answers, with `n` and `best_of`; ask for at most {CHOICES_MAX}", envelope.n);
        return Err(bad("prompt", what));
    }
    let cap = fields.get("max_tokens");
    spans.max_tokens_at = cap.map(|raw| span_within(body, raw.get()));
    spans.max_tokens = match cap.map(RawValue::get) {
        Some("0") => Some(Tokens::ZERO),
        _ => read_count("max_tokens", cap, None)?,
    };
    envelope.output_cap = Some(spans.max_tokens.unwrap_or(COMPLETION_CAP).max(Tokens::new(1)));
    stream_fields(envelope, spans, body, fields)
}

/// How many prompts there are: a text or a list of tokens is one, a list of these several.
fn count_prompts(raw: Option<&RawValue>) -> Result<u64, BadRequest> {
    let raw = raw.filter(|raw| raw.get() != "null");
    let raw = raw.ok_or_else(|| bad("prompt", "is missing; give the text or the texts to go on from".to_owned()))?;
    let wrong = || wrong("prompt", "a text, a list of tokens, or a list of these", raw);
    let mut cursor = Cursor::new(raw.get().as_bytes());
    if cursor.peek() == Some(b'"') {
        return Ok(1);
    }
    let (mut prompts, mut tokens) = (0_u64, 0_u64);
    let token = |cursor: &mut Cursor<'_>| cursor.value()?.iter().all(u8::is_ascii_digit).then_some(());
    let all = cursor.array(|cursor| {
        match cursor.peek()? {
            b'"' => cursor.string().map(drop)?,
            b'[' => cursor.array(token)?,
            _ => {
                tokens = tokens.saturating_add(1);
                return token(cursor);
            }
        }
        prompts = prompts.saturating_add(1);
        Some(())
    });
    match (all, prompts, tokens) {
        (Some(()), 0, 1..) => Ok(1),
        (Some(()), 1.., 0) => Ok(prompts),
        _ => Err(wrong()),
    }
}

fn stream_fields(
    mut envelope: Envelope,
    mut spans: Spans,
    body: &str,
    fields: &Fields<'_>,
) -> Result<Envelope, BadRequest> {
    envelope.stream = read_bool("stream", fields.get("stream"))?;
    let span = |raw: &RawValue| span_within(body, raw.get());
    if let Some(options) = fields.get("stream_options") {
        spans.stream_options = Some(span(options));
        if options.get() != "null" {
            let members: Fields<'_> = serde_json::from_str(options.get())
                .map_err(|_| wrong("stream_options", "an object or null", options))?;
            members.check_names("stream_options.")?;
            let include_usage = members.get("include_usage");
            envelope.show_usage = read_bool("stream_options.include_usage", include_usage)?;
            spans.include_usage = include_usage.map(span);
        }
    }
    Ok(Envelope { places: Places::OpenAi(spans), ..envelope })
}

/// What the number of answers is called: by OpenAI, and by servers that speak as it does.
const CHOICES: [&str; 7] =
    ["n", "best_of", "num_return_sequences", "num_completions", "num_generations", "candidate_count", "num_beams"];
/// The fields that are read, in the body and in its `stream_options`.
const FIELDS: [&str; 16] = [
    "candidate_count",
    "num_beams",
    "model",
    "stream",
    "stream_options",
    "include_usage",
    "max_tokens",
    "max_completion_tokens",
    "n",
    "best_of",
    "num_return_sequences",
    "num_completions",
    "num_generations",
    "user",
    "input",
    "prompt",
];

/// The members of an object that are among [`FIELDS`], as they are written.
#[derive(Default)]
struct Fields<'a> {
    values: [Option<&'a RawValue>; FIELDS.len()],
    repeated: Option<&'static str>,
    misspelt: Option<(String, &'static str)>,
}

impl<'a> Fields<'a> {
    fn get(&self, name: &str) -> Option<&'a RawValue> {
        let mut fields = FIELDS.iter().zip(self.values);
        fields.find(|(field, _)| **field == name).and_then(|(_, value)| value)
    }

    fn set(&mut self, key: &str, value: &'a RawValue) {
        for (name, slot) in FIELDS.iter().zip(&mut self.values) {
            if *name == key {
                if slot.is_some() {
                    self.repeated = Some(name);
                }
                *slot = Some(value);
            } else if folds_to(key.chars(), name) {
                self.misspelt = Some((key.to_owned(), name));
            }
        }
    }

    /// Refuses what two readers could read in two ways.
    fn check_names(&self, path: &str) -> Result<(), BadRequest> {
        if let Some(name) = self.repeated {
            return Err(bad(&format!("{path}{name}"), "is given twice; give it once".to_owned()));
        }
        if let Some((key, name)) = &self.misspelt {
            return Err(bad(&format!("{path}{key}"), format!("is unknown; write it `{name}`")));
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Fields::default();
                while let Some(Key(key)) = map.next_key()? {
                    fields.set(&key, map.next_value()?);
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// Where `part`, a part of `whole`, stands in it.
fn span_within(whole: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr().saturating_sub(whole.as_ptr().addr());
    start..start.saturating_add(part.len())
}

fn bad(name: &str, what: String) -> BadRequest {
    BadRequest { param: Some(name.to_owned()), message: format!("`{name}` {what}.") }
}

/// The refusal of a value that is not `right`, showing the start of it.
fn wrong(name: &str, right: &str, got: &RawValue) -> BadRequest {
    let shown: String = got.get().chars().take(40).collect();
    let more = if shown.len() < got.get().len() { "…" } else { "" };
    let message = format!("`{name}` must be {right}; got {shown}{more}");
    BadRequest { param: Some(name.to_owned()), message }
}

fn read_model(raw: Option<&RawValue>) -> Result<String, BadRequest> {
    let raw = raw.ok_or_else(|| bad("model", "is missing; name the model to call".to_owned()))?;
    let right = "the name of a model, 1 to 256 bytes long";
    let model = serde_json::from_str(raw.get()).ok();
    model
        .filter(|model: &String| (1..=MODEL_BYTES_MAX).contains(&model.len()))
        .ok_or_else(|| wrong("model", right, raw))
}

fn read_text(name: &str, raw: Option<&RawValue>) -> Result<Option<String>, BadRequest> {
    let Some(raw) = raw else { return Ok(None) };
    serde_json::from_str(raw.get()).map_err(|_| wrong(name, "a string or null", raw))
}

fn read_bool(name: &str, raw: Option<&RawValue>) -> Result<bool, BadRequest> {
    match raw.map(|raw| (raw, raw.get())) {
        None | Some((_, "null" | "false")) => Ok(false),
        Some((_, "true")) => Ok(true),
        Some((raw, _)) => Err(wrong(name, "true, false or null", raw)),
    }
}

/// Reads a count of at least 1 and at most `max`; without `max`, one that fits 64 bits.
fn read_count(name: &str, raw: Option<&RawValue>, max: Option<u64>) -> Result<Option<Tokens>, BadRequest> {
    let Some(raw) = raw.filter(|raw| raw.get() != "null") else {
        return Ok(None);
    };
    let count = read_whole(raw.get()).filter(|count| *count > 0);
    match (count, max) {
        (Some(u64::MAX), None) => Err(wrong(name, "at most 9007199254740991", raw)),
        (Some(count), _) if count <= max.unwrap_or(u64::MAX) => Ok(Some(Tokens::new(count))),
        (_, Some(max)) => Err(wrong(name, &format!("a whole number from 1 to {max}"), raw)),
        (_, None) => Err(wrong(name, "a whole number of at least 1", raw)),
    }
}
