//! What a request can use at most: its shape against its model's bounds.
//!
//! No tokenizer makes more tokens than bytes, so text is bounded by its bytes. An image or a file is
//! bounded by the most that its model makes of one, sound by its bytes, and all of it together by the
//! model's context. What a tool of the provider's reads by itself has no bound: the model's
//! `unbounded_reserve` is held for it. What a request can be made of: [`shape`](crate::dialect::openai::shape).

use crate::catalog::Model;
use crate::habit::Habit;
use crate::price::Kinds;
use crate::service::Service;
use crate::units::{NanoUsd, Tokens};
use serde::{Deserialize, Serialize};

/// The bytes of encoded sound for one token, at the least: 8 kbit/s in base64, 32 tokens a second.
const AUDIO_BYTES_PER_TOKEN: u64 = 32;

/// What a provider may put before the tools that a request brings, to explain them: Anthropic documents up to 530.
const TOOLS_TOKENS: u64 = 1_000;

/// What a request is made of, as far as its size is concerned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Shape {
    /// The bytes of the body, less those of media that it holds.
    pub bytes: u64,
    /// The images that it holds or names.
    pub images: u64,
    /// The files that it holds.
    pub files: u64,
    /// The bytes of the sound that it holds, as they are written.
    pub audio_bytes: u64,
    /// The bytes of an answer that it predicts: what of it turns out wrong is billed as output.
    pub prediction_bytes: u64,
    /// It brings tools.
    pub tools: bool,
    /// The special kinds of token that it can lead to.
    pub kinds: Kinds,
    /// It names what its size does not bound: a tool that the provider runs, a file kept elsewhere,
    /// a service at another price.
    pub unbounded: bool,
    /// The service that it asks for, as far as that may cost more than the standard one.
    #[serde(skip_serializing_if = "Service::is_untold")]
    pub service: Service,
    /// That is all that makes it `unbounded`: where `service` has a price, it has a bound.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub service_alone: bool,
    /// The most uses of the provider's tools, where it bounds them.
    #[serde(skip_serializing_if = "is_zero")]
    pub uses_max: u64,
}

const fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What the input of a call is reckoned at: bytes and tokens differ, so there are two answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InputBound {
    /// What rolling windows hold: an estimate, corrected when the call settles.
    pub estimate: Tokens,
    /// What budgets hold, of money or of tokens: the most that it can be.
    pub ceiling: Tokens,
    /// The special kinds of token that it can lead to.
    pub kinds: Kinds,
    /// What is held besides for what has no bound.
    pub reserve: NanoUsd,
}

impl InputBound {
    /// Whether it has what only its own request tells: then it is not reckoned anew while it runs.
    pub fn special(&self) -> bool {
        self.reserve > NanoUsd::ZERO || self.kinds != Kinds::default()
    }
}

impl Shape {
    /// The bytes of a request that is text alone, from which estimates are learnt; 0 of any other.
    pub const fn text_alone(&self) -> u64 {
        let media = self.images > 0 || self.files > 0 || self.audio_bytes > 0 || self.unbounded;
        if media { 0 } else { self.bytes }
    }

    /// The most tokens that the input can be for `model`, and what it is reckoned to be: by its `habit`,
    /// or else at four bytes a token.
    pub fn bound(&self, model: &Model, habit: Option<&Habit>) -> InputBound {
        let media = model.image_tokens.times(self.images).plus(model.file_tokens.times(self.files));
        let media = media.plus(Tokens::new(self.audio_bytes.div_ceil(AUDIO_BYTES_PER_TOKEN)));
        let unseen = Tokens::new(if self.tools { TOOLS_TOKENS } else { 0 });
        let most = |tokens: Tokens| model.max_input.map_or(tokens, |max| tokens.min(max));
        let ceiling = most(Tokens::new(self.bytes).plus(media).plus(unseen));
        let text = habit.and_then(|habit| habit.input(self.bytes)).unwrap_or(Tokens::new(self.bytes.div_ceil(4)));
        InputBound {
            estimate: text.plus(media).min(ceiling),
            ceiling,
            kinds: self.kinds,
            reserve: if self.unbounded { model.unbounded_reserve } else { NanoUsd::ZERO },
        }
    }

    /// The most output that no cap holds back, for each answer: all of what it predicts.
    pub const fn uncapped_output(&self) -> Tokens {
        Tokens::new(self.prediction_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(max_input: Option<u64>) -> Model {
        Model {
            max_input: max_input.map(Tokens::new),
            image_tokens: Tokens::new(1_500),
            file_tokens: Tokens::new(40_000),
            unbounded_reserve: NanoUsd::new(7),
            ..Model::default()
        }
    }

    #[test]
    fn text_is_bounded_by_bytes_media_by_the_model_and_all_by_its_context() {
        let shape = Shape { bytes: 400, images: 2, files: 1, audio_bytes: 64_000, unbounded: true, ..Shape::default() };
        let bound = shape.bound(&model(None), None);
        assert_eq!((bound.ceiling.get(), bound.estimate.get()), (400 + 3_000 + 40_000 + 2_000, 100 + 45_000));
        assert_eq!(bound.reserve, NanoUsd::new(7));
        assert_eq!(shape.bound(&model(Some(8_000)), None).ceiling, Tokens::new(8_000));
        assert_eq!(Shape { unbounded: false, ..shape }.bound(&model(None), None).reserve, NanoUsd::ZERO);
        let tools = Shape { tools: true, ..shape }.bound(&model(None), None);
        assert_eq!((tools.ceiling.get(), tools.estimate), (bound.ceiling.get() + 1_000, bound.estimate));
    }
}
