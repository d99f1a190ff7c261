//! OpenAI's Responses: `POST /v1/responses`, as the types of its SDKs publish it.
//!
//! What is said is a list of items: messages, calls of tools, their results, reasoning. [`request`], [`answer`],
//! [`mod@stream`] and [`fault`] translate; of a call whose provider speaks this dialect too, `envelope` reads what is
//! asked, `shape` what bounds its price, and `splice` changes it.

use crate::chat::Feature;

pub(in crate::dialect) mod envelope;
mod shape;
pub(in crate::dialect) mod splice;

pub mod request;
mod item;
mod write;
mod part;
mod tool;
pub mod answer;
mod output;
mod usage;
pub mod stream;
pub(in crate::dialect) mod count;
pub mod fault;

#[cfg(test)]
mod samples;

/// What no request can say. An id of stored media means something to whoever keeps it alone; what is to be cached only
/// OpenAI's own newest models take.
pub const CANNOT: &[Feature] = &[
    Feature::Audio,
    Feature::StoredMedia,
    Feature::ToolErrors,
    Feature::Choices,
    Feature::TopK,
    Feature::Seed,
    Feature::Penalties,
    Feature::Stop,
    Feature::Names,
    Feature::CacheControl,
    Feature::Foreign,
    Feature::Hint,
];
