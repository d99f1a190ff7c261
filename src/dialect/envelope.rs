//! What a request asks for, as far as a limit or a price depends on it, in whatever dialect it is.

use super::splice::{Edit, Patches};
use super::{Dialect, Endpoint, anthropic, gemini, openai, responses};
use crate::bound::Shape;
use crate::reach::{Made, Reach};
use crate::units::Tokens;
use serde_json::error::Category;

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
    /// The client wants the usage at the end of the stream, where its dialect leaves that to it.
    pub show_usage: bool,
    /// The most tokens each choice may have: the least of all caps that the client gave.
    pub output_cap: Option<Tokens>,
    /// How many choices are asked for: 1 to [`CHOICES_MAX`].
    pub n: u64,
    /// The end user, as the client names them.
    pub user: Option<String>,
    /// What the request is made of, as far as its price depends on it.
    pub shape: Shape,
    /// What it reaches besides its own words.
    pub reach: Reach,
    pub(super) places: Places,
}

/// Where in the body the values stand that can be replaced, by dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Places {
    /// Nothing can be.
    Nowhere,
    OpenAi(openai::envelope::Spans),
    Responses(responses::envelope::Spans),
    Anthropic(anthropic::envelope::Spans),
    Gemini(gemini::envelope::Spans),
}

/// A request that cannot be passed on, and how to mend it. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRequest {
    /// The field that is wrong; `None` where it is the body as a whole.
    pub param: Option<String>,
    /// What is wrong and what would be right, for the client to read.
    pub message: String,
}

impl Envelope {
    /// Reads the request `body`.
    ///
    /// # Errors
    /// [`BadRequest`] for the first thing that is wrong.
    pub fn read(endpoint: Endpoint, body: &[u8]) -> Result<Self, BadRequest> {
        let body = utf8(body)?;
        match endpoint.dialect() {
            Dialect::Responses => responses::envelope::read(body),
            Dialect::Anthropic => anthropic::envelope::read(endpoint, body),
            _ => openai::envelope::read(endpoint, body),
        }
    }

    /// Reads the request `body` of one of Gemini's endpoints, whose path names the `model` and whether the answer is a `stream`.
    ///
    /// # Errors
    /// [`BadRequest`] for the first thing that is wrong.
    pub fn read_gemini(endpoint: Endpoint, model: &str, stream: bool, body: &[u8]) -> Result<Self, BadRequest> {
        gemini::envelope::read(endpoint, model, stream, utf8(body)?)
    }

    /// What makes `edit` in `body`, from which this was read, and leaves all else as it was.
    pub fn patches(&self, body: &[u8], edit: &Edit<'_>) -> Patches {
        match &self.places {
            Places::Nowhere => Patches::default(),
            Places::OpenAi(spans) => openai::splice::patches(self, spans, body, edit),
            Places::Responses(spans) => responses::splice::patches(self, spans, edit),
            Places::Anthropic(spans) => anthropic::splice::patches(self, spans, edit),
            Places::Gemini(spans) => gemini::splice::patches(self, spans, body, edit),
        }
    }

    /// What its answer can tell of what a provider keeps of it; `None`: nothing is kept.
    pub fn made(&self) -> Option<Made> {
        Made::of(self.endpoint, &self.reach, &self.shape)
    }

    /// The bytes of `body`, from which this was read, with `edit` made and all else as it was.
    pub fn splice(&self, body: &[u8], edit: &Edit<'_>) -> Vec<u8> {
        self.patches(body, edit).apply(body)
    }

    /// A request for one whole answer of `model`, of which no more is known.
    pub(super) fn new(endpoint: Endpoint, model: String) -> Self {
        let (stream, show_usage, output_cap, user) = (false, false, None, None);
        let (shape, reach) = (Shape::default(), Reach::default());
        Self { endpoint, model, stream, show_usage, output_cap, n: 1, user, shape, reach, places: Places::Nowhere }
    }
}

impl BadRequest {
    /// The body is no JSON object.
    pub(super) fn no_object(error: &serde_json::Error) -> Self {
        let message = match error.classify() {
            Category::Data => "The body must be a JSON object, such as {\"model\": …}.".to_owned(),
            _ => format!("The body is not valid JSON: {error}."),
        };
        Self { param: None, message }
    }
}

fn utf8(body: &[u8]) -> Result<&str, BadRequest> {
    str::from_utf8(body).map_err(|error| BadRequest {
        param: None,
        message: format!("The body is not UTF-8 (from byte {}); send JSON encoded as UTF-8.", error.valid_up_to()),
    })
}
