//! What a wire format says: the call a client makes, the answer it gets, and what that used.
//!
//! A body whose provider speaks its client's dialect is read only as far as a limit or a price needs, and changed
//! only where it must be. Any other is read into [`crate::chat`] and written from it.

mod envelope;
mod splice;
pub mod openai;

pub(crate) mod names;
pub(crate) mod skim;

pub use envelope::{BadRequest, CHOICES_MAX, Envelope, MODEL_BYTES_MAX};
pub use splice::{CapField, Edit, OutputCap};

/// What a client can call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// An answer to a conversation, whole or streamed.
    Chat,
    /// Vectors for texts.
    Embeddings,
}

impl Endpoint {
    /// The path after a base URL, which itself ends in `/v1` or the like.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Chat => "/chat/completions",
            Self::Embeddings => "/embeddings",
        }
    }

    /// What it is called in rows: `chat` or `embeddings`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Embeddings => "embeddings",
        }
    }

    /// The endpoint at `path`, a path after the base URL.
    pub fn at(path: &str) -> Option<Self> {
        [Self::Chat, Self::Embeddings].into_iter().find(|endpoint| endpoint.path() == path)
    }
}
