//! Amazon Bedrock's wire format, Converse: one body for the models of every vendor there. Only providers speak it.
//!
//! The model and whether the answer is a stream stand in the [`path`] of a call. [`request`] writes its body, [`answer`]
//! reads a whole answer and [`mod@stream`] the events of one that streams, which come in the frames of
//! [`crate::aws::eventstream`]; [`fault`] reads what went wrong. What only a vendor's own models know is in `extra`.
//!
//! Source: the API reference of Amazon Bedrock Runtime, `Converse` and `ConverseStream`.

use crate::chat::Feature;

pub mod request;
pub mod answer;
pub mod stream;
pub(in crate::dialect) mod count;
pub mod fault;
mod message;
mod block;
mod extra;
mod field;

#[cfg(test)]
mod tests;

/// What this dialect cannot say at all. Its media are bytes: only what lies in Amazon's own store has an address.
pub const CANNOT: &[Feature] = &[
    Feature::ImageUrls,
    Feature::FileUrls,
    Feature::StoredMedia,
    Feature::FreeTools,
    Feature::SingleTools,
    Feature::JsonObject,
    Feature::Choices,
    Feature::Seed,
    Feature::Penalties,
    Feature::Logprobs,
    Feature::Names,
    Feature::Foreign,
    Feature::Detail,
    Feature::User,
    Feature::Hint,
];

/// The path of a call after the base URL: the name or ARN of `model`, percent-encoded, and whether the answer is a stream.
pub fn path(model: &str, stream: bool) -> String {
    let mut path = String::from("/model/");
    for byte in model.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => path.push(char::from(byte)),
            _ => path.push_str(&format!("%{byte:02X}")),
        }
    }
    path.push_str(if stream { "/converse-stream" } else { "/converse" });
    path
}
