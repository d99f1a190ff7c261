//! OpenAI's older wire format: chat completions, completions, embeddings.
//!
//! [`envelope`] reads a request, [`shape`] what bounds its price, and [`splice`] changes it for the
//! provider; [`usage`] and [`chunk`] read what came back; [`ending`] and [`fault`] have what the
//! gateway says itself. For a provider or a client of another dialect, [`request`], [`answer`], [`mod@stream`],
//! [`fault`] and [`completions`] translate.

use crate::chat::Feature;

pub mod envelope;
pub mod shape;
pub mod splice;
pub mod usage;
pub mod chunk;
pub mod count;
pub mod ending;

pub mod request;
mod message;
mod part;
mod tool;
mod thought;
pub mod answer;
pub mod stream;
pub mod completions;
pub mod fault;

#[cfg(test)]
mod samples;

/// What no request for a chat completion can say. An id of stored media means something to whoever keeps it alone.
pub const CANNOT: &[Feature] = &[
    Feature::FileUrls,
    Feature::StoredMedia,
    Feature::ToolMedia,
    Feature::ToolErrors,
    Feature::TopK,
    Feature::CacheControl,
    Feature::Foreign,
    Feature::Hint,
];
