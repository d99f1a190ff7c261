//! What a request asks for, as far as a limit or a price depends on it.
//!
//! Only the top-level fields that matter are read, and where they stand is kept so that
//! [`splice`](super::splice) can replace them. [`shape`] reads what the rest is made
//! of; it is checked to be JSON and left alone.

use super::shape;
use super::usage::read_whole;
use crate::bound::Shape;
use crate::dialect::Endpoint;
use crate::units::Tokens;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// The most bytes the name of a model may have.
pub const MODEL_BYTES_MAX: usize = 256;

/// The most answers one call may ask for.
pub const CHOICES_MAX: u64 = 128;

/// A request, read. Its positions hold for the very body it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// What is called.
    pub endpoint: Endpoint,
    /// The model it names: 1 to [`MODEL_BYTES_MAX`] bytes.
    pub model: String,
    /// The answer is to come as a stream.
    pub stream: bool,
    /// The client wants the usage at the end of the stream.
    pub show_usage: bool,
    /// The most tokens each choice may have, by the older name.
    pub max_tokens: Option<Tokens>,
    /// The most tokens each choice may have, by the newer name.
    pub max_completion_tokens: Option<Tokens>,
    /// How many choices are asked for: 1 to [`CHOICES_MAX`].
    pub n: u64,
    /// The end user, as the client names them.
    pub user: Option<String>,
    /// What the request is made of, as far as its price depends on it.
    pub shape: Shape,
    pub(super) spans: Spans,
}

/// A request that cannot be passed on, and how to mend it. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRequest {
    /// The field that is wrong; `None` where it is the body as a whole.
    pub param: Option<String>,
    /// What is wrong and what would be right, for the client to read.
    pub message: String,
}

/// Where in the body the values stand that can be replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Spans {
    /// Just after the opening brace.
    pub(super) start: usize,
    pub(super) model: Range<usize>,
    pub(super) max_tokens: Option<Range<usize>>,
    pub(super) max_completion_tokens: Option<Range<usize>>,
    pub(super) stream_options: Option<Range<usize>>,
    pub(super) include_usage: Option<Range<usize>>,
}

impl Envelope {
    /// Reads the request `body`.
    ///
    /// # Errors
    ///
    /// [`BadRequest`] for the first thing that is wrong.
    pub fn read(endpoint: Endpoint, body: &[u8]) -> Result<Self, BadRequest> {
        let body = str::from_utf8(body).map_err(|error| BadRequest {
            param: None,
            message: format!("The body is not UTF-8 (from byte {}); send JSON encoded as UTF-8.", error.valid_up_to()),
        })?;
        let fields: Fields<'_> = serde_json::from_str(body).map_err(|error| not_an_object(&error))?;
        fields.check_names("")?;
        let span = |raw: &RawValue| span_within(body, raw.get());
        let model = read_model(fields.get("model"))?;
        let user = read_text("user", fields.get("user"))?;
        let spans = Spans {
            start: body.find('{').map_or(0, |brace| brace.saturating_add(1)),
            model: fields.get("model").map(span).unwrap_or_default(),
            ..Spans::default()
        };
        let envelope = Self {
            endpoint,
            model,
            stream: false,
            show_usage: false,
            max_tokens: None,
            max_completion_tokens: None,
            n: 1,
            user,
            shape: shape::read(body.as_bytes()),
            spans,
        };
        match endpoint {
            Endpoint::Chat => envelope.with_chat_fields(body, &fields),
            Endpoint::Embeddings if fields.get("input").is_none() => {
                Err(bad("input", "is missing; give the text or the texts to embed".to_owned()))
            }
            Endpoint::Embeddings => Ok(envelope),
        }
    }

    fn with_chat_fields(mut self, body: &str, fields: &Fields<'_>) -> Result<Self, BadRequest> {
        self.stream = read_bool("stream", fields.get("stream"))?;
        let caps = ["max_tokens", "max_completion_tokens"].map(|name| (name, fields.get(name)));
        let [older, newer] = caps.map(|(name, raw)| read_count(name, raw, None));
        (self.max_tokens, self.max_completion_tokens) = (older?, newer?);
        self.n = read_count("n", fields.get("n"), Some(CHOICES_MAX))?.map_or(1, Tokens::get);

        let span = |raw: &RawValue| span_within(body, raw.get());
        let [older, newer] = caps.map(|(_, raw)| raw.map(span));
        (self.spans.max_tokens, self.spans.max_completion_tokens) = (older, newer);
        let Some(options) = fields.get("stream_options") else {
            return Ok(self);
        };
        self.spans.stream_options = Some(span(options));
        if options.get() == "null" {
            return Ok(self);
        }
        let members: Fields<'_> =
            serde_json::from_str(options.get()).map_err(|_| wrong("stream_options", "an object or null", options))?;
        members.check_names("stream_options.")?;
        let include_usage = members.get("include_usage");
        self.show_usage = read_bool("stream_options.include_usage", include_usage)?;
        self.spans.include_usage = include_usage.map(span);
        Ok(self)
    }
}

/// The fields that are read, in the body and in its `stream_options`.
const FIELDS: [&str; 9] =
    ["model", "stream", "stream_options", "include_usage", "max_tokens", "max_completion_tokens", "n", "user", "input"];

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

/// Whether a reader that ignores case, as Go's does, takes `key` for the field `name`.
///
/// Such a provider would honour a `Max_Tokens` that no limit here had looked at. The long s and the
/// Kelvin sign are the two other letters that fold to one of ASCII.
pub(super) fn folds_to(key: impl Iterator<Item = char>, name: &str) -> bool {
    let folded = key.map(|letter| match letter {
        'ſ' => 's',
        '\u{212A}' => 'k',
        _ => letter.to_ascii_lowercase(),
    });
    folded.eq(name.chars())
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

fn not_an_object(error: &serde_json::Error) -> BadRequest {
    let message = match error.classify() {
        Category::Data => "The body must be a JSON object, such as {\"model\": …}.".to_owned(),
        _ => format!("The body is not valid JSON: {error}."),
    };
    BadRequest { param: None, message }
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
