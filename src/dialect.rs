//! What a wire format says: the call a client makes, the answer it gets, and what that used.
//!
//! One format so far, [`openai`]: clients speak it, and so do the providers it is passed on to.
//! Bodies are read only as far as a limit or a price needs, and changed only where they must be.

pub mod openai;

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
