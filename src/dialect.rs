//! What a wire format says: the call a client makes, the answer it gets, and what that used.
//!
//! A body whose provider speaks its client's dialect is read only as far as a limit or a price needs, and changed
//! only where it must be. Any other is read into [`crate::chat`] and written from it.

use serde::{Deserialize, Serialize};

mod envelope;
mod splice;
mod table;
pub mod models;
pub mod estimate;
mod members;
pub mod thinking;
pub mod openai;
pub mod responses;
pub mod anthropic;
pub mod gemini;
pub mod converse;
pub mod workers_ai;

pub(crate) mod service;
pub(crate) mod names;
pub(crate) mod skim;
pub(crate) mod tokens;
mod walk;

pub use envelope::{BadRequest, CHOICES_MAX, Envelope, MODEL_BYTES_MAX};
pub use splice::{CapField, Edit, OutputCap, Patches};
pub use table::{Counter, Reader, Writer};

/// A wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// OpenAI's chat completions, and what goes with them: completions, embeddings.
    #[serde(rename = "openai")]
    OpenAi,
    /// OpenAI's Responses.
    Responses,
    /// Anthropic's Messages.
    Anthropic,
    /// Google's Gemini.
    Gemini,
    /// Amazon Bedrock's Converse, which only providers speak.
    Converse,
    /// Workers AI as its binding has it, which only that speaks.
    #[serde(rename = "workers-ai")]
    WorkersAi,
}

/// What an answer is stamped with where its provider does not say.
#[derive(Clone, Copy, Debug)]
pub struct Stamp<'a> {
    /// The answer's id.
    pub id: &'a str,
    /// When it was begun, in seconds since 1970.
    pub created: u64,
    /// The model that gives it.
    pub model: &'a str,
}

/// What a client can call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// OpenAI: an answer to a conversation.
    Chat,
    /// OpenAI: the rest of a text, the older way.
    Completions,
    /// OpenAI: vectors for texts.
    Embeddings,
    /// OpenAI: an answer, by the newer interface.
    Responses,
    /// Anthropic: an answer to a conversation.
    Messages,
    /// Anthropic: how many tokens a conversation has.
    MessagesCount,
    /// Gemini: an answer to a conversation.
    Generate,
    /// Gemini: how many tokens a conversation has.
    GenerateCount,
    /// Gemini: a vector for a text.
    Embed,
    /// Gemini: vectors for texts.
    EmbedBatch,
}

impl Dialect {
    /// All there are.
    pub const ALL: [Self; 6] =
        [Self::OpenAi, Self::Responses, Self::Anthropic, Self::Gemini, Self::Converse, Self::WorkersAi];

    /// What a catalog calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Responses => "responses",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Converse => "converse",
            Self::WorkersAi => "workers-ai",
        }
    }

    /// The dialect that a catalog calls `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.name() == name)
    }
}

impl Endpoint {
    /// Those whose path is fixed, and their paths after `/v1`.
    const PATHS: [(Self, &'static str); 6] = [
        (Self::Chat, "/chat/completions"),
        (Self::Completions, "/completions"),
        (Self::Embeddings, "/embeddings"),
        (Self::Responses, "/responses"),
        (Self::Messages, "/messages"),
        (Self::MessagesCount, "/messages/count_tokens"),
    ];

    /// The endpoint at `path`, a path after `/v1`.
    pub fn at(path: &str) -> Option<Self> {
        Self::PATHS.into_iter().find(|(_, own)| *own == path).map(|(endpoint, _)| endpoint)
    }

    /// The paths after `/v1` of those whose path is fixed.
    pub fn paths() -> impl Iterator<Item = &'static str> {
        Self::PATHS.into_iter().map(|(_, path)| path)
    }

    /// What its clients speak.
    pub const fn dialect(self) -> Dialect {
        match self {
            Self::Chat | Self::Completions | Self::Embeddings => Dialect::OpenAi,
            Self::Responses => Dialect::Responses,
            Self::Messages | Self::MessagesCount => Dialect::Anthropic,
            Self::Generate | Self::GenerateCount | Self::Embed | Self::EmbedBatch => Dialect::Gemini,
        }
    }

    /// What it is called in rows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completions => "completions",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::Generate => "generate",
            Self::MessagesCount | Self::GenerateCount => "count_tokens",
            Self::Embeddings | Self::Embed | Self::EmbedBatch => "embeddings",
        }
    }

    /// Whether a call of it can have output.
    pub const fn has_output(self) -> bool {
        matches!(self, Self::Chat | Self::Completions | Self::Responses | Self::Messages | Self::Generate)
    }

    /// Whether it only counts tokens, which costs nothing.
    pub const fn counts(self) -> bool {
        matches!(self, Self::MessagesCount | Self::GenerateCount)
    }
}
