//! Anthropic's wire format: messages.
//!
//! Of a call whose provider speaks it as its client does, `envelope` reads what is asked, `shape` what bounds its
//! price, and `splice` changes it. For a provider or a client of another dialect, [`request`], [`answer`], [`mod@stream`] and [`fault`] translate.
//!
//! Source: the types of Anthropic's own SDK, `@anthropic-ai/sdk` 1.13.0, `resources/messages/messages.d.ts`.

use crate::chat::Feature;

pub(in crate::dialect) mod envelope;
pub(in crate::dialect) mod shape;
pub(in crate::dialect) mod splice;

pub mod request;
mod message;
mod block;
mod tool;
pub(in crate::dialect) mod reasoning;
pub mod answer;
mod cite;
mod usage;
pub mod stream;
pub(in crate::dialect) mod count;
pub mod fault;

#[cfg(test)]
mod samples;

/// What no request for a message can say. An id of stored media means something to whoever keeps it alone.
pub const CANNOT: &[Feature] = &[
    Feature::Audio,
    Feature::StoredMedia,
    Feature::FreeTools,
    Feature::JsonObject,
    Feature::Choices,
    Feature::Seed,
    Feature::Penalties,
    Feature::Logprobs,
    Feature::Names,
    Feature::Foreign,
    Feature::Detail,
    Feature::Hint,
];
