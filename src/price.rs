//! Tokens to money: what a call may cost at most, what it did cost, what a sum affords.
//!
//! Rates are integers of nano-USD for a million tokens; a call's parts are multiplied in 128 bits
//! and divided once, rounded up. Where a model has tiers, the size of the input decides which one
//! prices the whole call, as the providers that have them do.

use crate::units::{NanoUsd, Rate, Tokens};
use serde::{Deserialize, Serialize};

/// How many tokens a rate is for.
const PER: u128 = 1_000_000;

/// What one model's calls cost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// For each kind of token.
    pub rates: Rates,
    /// Rates that replace these where the input is long, by rising [`Tier::above`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<Tier>,
    /// For the call itself.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub request: NanoUsd,
}

/// The rates of calls whose input has more than so many tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tier {
    /// The input that is not yet in this tier.
    pub above: Tokens,
    /// For each kind of token.
    pub rates: Rates,
}

/// What each of the targets costs that may answer a call: the dearest one counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prices(pub Vec<Price>);

/// What a token of each kind costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[Rate; 8]", into = "[Rate; 8]")]
pub struct Rates {
    /// Input that is of no other kind.
    pub input: Rate,
    /// Input that the provider had cached.
    pub cached_input: Rate,
    /// Input that the provider cached now, for minutes.
    pub cache_write: Rate,
    /// Input that the provider cached now, for an hour.
    pub cache_write_hour: Rate,
    /// Input that is sound.
    pub audio_input: Rate,
    /// Output that is of no other kind.
    pub output: Rate,
    /// Output that is thought and not said.
    pub reasoning: Rate,
    /// Output that is sound.
    pub audio_output: Rate,
}

/// A call's tokens as they are billed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bill {
    /// All input, of every kind.
    pub input: Tokens,
    /// The part of `input` that the provider had cached.
    pub cached_input: Tokens,
    /// The part of `input` that the provider cached now, for minutes.
    #[serde(default)]
    pub cache_write: Tokens,
    /// The part of `input` that the provider cached now, for an hour.
    #[serde(default)]
    pub cache_write_hour: Tokens,
    /// The part of `input` that is sound.
    #[serde(default)]
    pub audio_input: Tokens,
    /// All output, of every kind.
    pub output: Tokens,
    /// The part of `output` that was thought and not said.
    #[serde(default)]
    pub reasoning: Tokens,
    /// The part of `output` that is sound.
    #[serde(default)]
    pub audio_output: Tokens,
}

/// The kinds of token that a request can lead to, besides those that every request can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kinds {
    /// It holds sound.
    #[serde(default)]
    pub audio_input: bool,
    /// It asks for sound.
    #[serde(default)]
    pub audio_output: bool,
    /// It asks for input to be cached for an hour.
    #[serde(default)]
    pub cache_hour: bool,
}

impl Kinds {
    /// Every kind.
    pub const ALL: Self = Self { audio_input: true, audio_output: true, cache_hour: true };
}

impl Rates {
    /// One rate for all input, and one for all output.
    pub const fn flat(input: Rate, output: Rate) -> Self {
        Self {
            input,
            cached_input: input,
            cache_write: input,
            cache_write_hour: input,
            audio_input: input,
            output,
            reasoning: output,
            audio_output: output,
        }
    }

    /// Of each kind the dearer rate.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        let mut dearest: [Rate; 8] = self.into();
        dearest.iter_mut().zip(<[Rate; 8]>::from(other)).for_each(|(rate, other)| *rate = other.max(*rate));
        dearest.into()
    }

    /// The most that a token of input and one of output can cost.
    fn worst(self, kinds: Kinds) -> (Rate, Rate) {
        let when = |may: bool, rate: Rate| if may { rate } else { Rate::ZERO };
        let input = self.input.max(self.cached_input).max(self.cache_write);
        let input = input.max(when(kinds.audio_input, self.audio_input));
        let output = self.output.max(self.reasoning);
        (
            input.max(when(kinds.cache_hour, self.cache_write_hour)),
            output.max(when(kinds.audio_output, self.audio_output)),
        )
    }
}

impl From<[Rate; 8]> for Rates {
    fn from(rates: [Rate; 8]) -> Self {
        let [input, cached_input, cache_write, cache_write_hour, audio_input, output, reasoning, audio_output] = rates;
        Self { input, cached_input, cache_write, cache_write_hour, audio_input, output, reasoning, audio_output }
    }
}

impl From<Rates> for [Rate; 8] {
    fn from(rates: Rates) -> Self {
        let Rates { input, cached_input, cache_write, cache_write_hour, .. } = rates;
        let Rates { audio_input, output, reasoning, audio_output, .. } = rates;
        [input, cached_input, cache_write, cache_write_hour, audio_input, output, reasoning, audio_output]
    }
}

impl Price {
    /// One rate for all input and one for all output, without tiers.
    pub const fn flat(input: Rate, output: Rate) -> Self {
        Self { rates: Rates::flat(input, output), tiers: Vec::new(), request: NanoUsd::ZERO }
    }

    /// The same price with every rate multiplied by so many millionths, rounded up.
    #[must_use]
    pub fn scaled(mut self, millionths: u64) -> Self {
        let scale = |rates: &mut Rates| {
            let mut all: [Rate; 8] = (*rates).into();
            for rate in &mut all {
                let product = u128::from(rate.get()).saturating_mul(u128::from(millionths));
                *rate = Rate::new(u64::try_from(product.div_ceil(PER)).unwrap_or(u64::MAX));
            }
            *rates = all.into();
        };
        scale(&mut self.rates);
        self.tiers.iter_mut().for_each(|tier| scale(&mut tier.rates));
        self
    }

    /// The rates of a call with so much input.
    fn rates(&self, input: Tokens) -> Rates {
        self.tiers.iter().rev().find(|tier| input > tier.above).map_or(self.rates, |tier| tier.rates)
    }

    /// What `bill` costs. Parts that say more than the whole has are taken as far as it goes.
    pub fn cost(&self, bill: Bill) -> NanoUsd {
        let rates = self.rates(bill.input);
        let input = [
            (bill.cached_input, rates.cached_input),
            (bill.cache_write, rates.cache_write),
            (bill.cache_write_hour, rates.cache_write_hour),
            (bill.audio_input, rates.audio_input),
        ];
        let output = [(bill.reasoning, rates.reasoning), (bill.audio_output, rates.audio_output)];
        let sum = sum_parts(bill.input, rates.input, &input);
        let sum = sum.saturating_add(sum_parts(bill.output, rates.output, &output));
        self.request.plus(round_up(sum))
    }

    /// The most that a call of up to so much `input` and `output` can cost, whatever it is made of.
    pub fn worst(&self, input: Tokens, output: Tokens, kinds: Kinds) -> NanoUsd {
        let (input_rate, output_rate) = self.worst_rates(input, kinds);
        self.request.plus(round_up(sum_product(sum_product(0, (input, input_rate)), (output, output_rate))))
    }

    /// The most output for which [`Price::worst`] stays within `room`; `None`: any amount.
    pub fn affordable_output(&self, input: Tokens, kinds: Kinds, room: NanoUsd) -> Option<Tokens> {
        let (input_rate, output_rate) = self.worst_rates(input, kinds);
        let room = u128::from(room.minus(self.request).get()).saturating_mul(PER);
        let left = room.saturating_sub(sum_product(0, (input, input_rate)));
        let output = left.checked_div(u128::from(output_rate.get()))?;
        Some(Tokens::new(u64::try_from(output).unwrap_or(u64::MAX)))
    }

    /// The dearest rates of every tier that a call of up to so much input can fall into.
    fn worst_rates(&self, input: Tokens, kinds: Kinds) -> (Rate, Rate) {
        let reached = self.tiers.iter().filter(|tier| input > tier.above).map(|tier| tier.rates);
        reached.fold(self.rates.worst(kinds), |(input, output), rates| {
            let (tier_input, tier_output) = rates.worst(kinds);
            (input.max(tier_input), output.max(tier_output))
        })
    }
}

impl Prices {
    /// [`Price::worst`] of the dearest.
    pub fn worst(&self, input: Tokens, output: Tokens, kinds: Kinds) -> NanoUsd {
        self.0.iter().map(|price| price.worst(input, output, kinds)).max().unwrap_or_default()
    }

    /// [`Price::affordable_output`] of the dearest.
    pub fn affordable_output(&self, input: Tokens, kinds: Kinds, room: NanoUsd) -> Option<Tokens> {
        self.0.iter().filter_map(|price| price.affordable_output(input, kinds, room)).min()
    }
}

impl Bill {
    /// So much of input and output, of no special kind.
    pub const fn of(input: Tokens, output: Tokens) -> Self {
        let zero = Tokens::ZERO;
        Self {
            input,
            cached_input: zero,
            cache_write: zero,
            cache_write_hour: zero,
            audio_input: zero,
            output,
            reasoning: zero,
            audio_output: zero,
        }
    }

    /// The sum of both.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            input: self.input.plus(other.input),
            cached_input: self.cached_input.plus(other.cached_input),
            cache_write: self.cache_write.plus(other.cache_write),
            cache_write_hour: self.cache_write_hour.plus(other.cache_write_hour),
            audio_input: self.audio_input.plus(other.audio_input),
            output: self.output.plus(other.output),
            reasoning: self.reasoning.plus(other.reasoning),
            audio_output: self.audio_output.plus(other.audio_output),
        }
    }
}

/// `whole` tokens of which `parts` have rates of their own, and the rest has `rate`.
fn sum_parts(whole: Tokens, rate: Rate, parts: &[(Tokens, Rate)]) -> u128 {
    let (mut rest, mut sum) = (whole, 0);
    for &(tokens, rate) in parts {
        let tokens = tokens.min(rest);
        rest = rest.minus(tokens);
        sum = sum_product(sum, (tokens, rate));
    }
    sum_product(sum, (rest, rate))
}

fn sum_product(sum: u128, (tokens, rate): (Tokens, Rate)) -> u128 {
    sum.saturating_add(u128::from(tokens.get()).saturating_mul(u128::from(rate.get())))
}

fn round_up(product: u128) -> NanoUsd {
    NanoUsd::new(u64::try_from(product.div_ceil(PER)).unwrap_or(u64::MAX))
}

fn is_zero(amount: &NanoUsd) -> bool {
    *amount == NanoUsd::ZERO
}

#[cfg(test)]
#[path = "price/tests.rs"]
mod tests;
