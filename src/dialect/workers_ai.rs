//! Workers AI as the `AI` binding of a Worker has it. Only that speaks so.
//!
//! What a model is given is nearly OpenAI's, so [`request`] is OpenAI's writer and what differs. What it answers
//! comes in one of two forms: older models' `{"response": …}`, and OpenAI's, which newer ones have. [`answer`] and
//! [`mod@stream`] put the older into the words of the newer, and read that; [`fault`] reads what went wrong.
//!
//! Said is only what all models there are given. Newer ones take more of OpenAI's fields (`stop`, `n`, `logprobs`),
//! which older ones would pass over in silence; whoever needs those takes the row `workers-ai`, the same service by
//! its address.
//!
//! Source: the types `AiTextGenerationInput`, `AiTextGenerationOutput` and `ChatCompletionsCommonOptions` of
//! `@cloudflare/workers-types`, and the package `workers-ai-provider` 4.0.0, which is Cloudflare's own client.

use crate::chat::Feature;

pub mod request;
pub mod answer;
pub mod stream;
pub(in crate::dialect) mod count;
pub mod fault;
mod form;

#[cfg(test)]
mod tests;

/// What this dialect cannot say. Images must be inline.
pub const CANNOT: &[Feature] = &[
    Feature::ImageUrls,
    Feature::Audio,
    Feature::Files,
    Feature::FileUrls,
    Feature::StoredMedia,
    Feature::ToolMedia,
    Feature::FreeTools,
    Feature::SingleTools,
    Feature::ToolErrors,
    Feature::Choices,
    Feature::Logprobs,
    Feature::Stop,
    Feature::Foreign,
    Feature::CacheControl,
    Feature::Detail,
    Feature::User,
    Feature::Hint,
];
