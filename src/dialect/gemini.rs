//! Google's Gemini: `generateContent`, and what goes with it.
//!
//! The model and whether the answer is a stream stand in the path of the URL ([`path`]), not in the body: a request that is
//! read has neither, and is written without. Names are written in camelCase and read in snake_case too, as protobuf's
//! JSON is.
//!
//! The stream is that of `alt=sse`. Without it Gemini streams one JSON [list], which a client may ask for, too; no
//! provider is asked for it.

use crate::chat::Feature;

pub mod path;
pub mod envelope;
pub mod shape;
pub mod splice;

pub mod request;
mod camel;
mod content;
mod said;
mod media;
mod result;
mod tool;
mod schema;
mod config;
pub mod answer;
mod usage;
mod grounding;
mod logprobs;
pub mod stream;
pub(in crate::dialect) mod count;
pub mod list;
pub mod fault;
pub mod embeddings;

#[cfg(test)]
mod samples;

/// What no request can say.
///
/// Media by their address are sayable: newer models fetch them. An id of stored media means something to whoever keeps it
/// alone, and Gemini's own `fileUri` is such an id to all others.
pub const CANNOT: &[Feature] = &[
    Feature::StoredMedia,
    Feature::FreeTools,
    Feature::SingleTools,
    Feature::Names,
    Feature::Foreign,
    Feature::CacheControl,
    Feature::Detail,
    Feature::User,
    Feature::Hint,
];
