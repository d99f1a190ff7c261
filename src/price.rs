//! Tokens to money: what a call may cost at most, what it did cost, what a sum affords.
//!
//! Rates are integers of nano-USD for a million tokens; a call's parts are multiplied in 128 bits
//! and divided once, rounded up.

use crate::units::{NanoUsd, Rate, Tokens};
use serde::{Deserialize, Serialize};

/// How many tokens a rate is for.
const PER: u128 = 1_000_000;

/// What a model's tokens cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// For input that the provider had not cached.
    pub input: Rate,
    /// For input that it had.
    pub cached_input: Rate,
    /// For output, reasoning included.
    pub output: Rate,
}

/// A call's tokens as they are billed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bill {
    /// All input, cached or not.
    pub input: Tokens,
    /// The part of `input` that the provider had cached.
    pub cached_input: Tokens,
    /// All output, reasoning included.
    pub output: Tokens,
}

impl Price {
    /// What `bill` costs.
    pub fn cost(&self, bill: Bill) -> NanoUsd {
        let fresh = bill.input.minus(bill.cached_input);
        let parts = [(fresh, self.input), (bill.cached_input, self.cached_input), (bill.output, self.output)];
        round_up(parts.into_iter().fold(0, sum_product))
    }

    /// The most that `input` and `output` tokens can cost, however much of the input is cached.
    pub fn worst(&self, input: Tokens, output: Tokens) -> NanoUsd {
        let parts = [(input, self.input.max(self.cached_input)), (output, self.output)];
        round_up(parts.into_iter().fold(0, sum_product))
    }

    /// The most output for which [`Price::worst`] stays within `room`; `None`: any amount.
    pub fn affordable_output(&self, input: Tokens, room: NanoUsd) -> Option<Tokens> {
        let input = sum_product(0, (input, self.input.max(self.cached_input)));
        let left = (u128::from(room.get()).saturating_mul(PER)).saturating_sub(input);
        let output = left.checked_div(u128::from(self.output.get()))?;
        Some(Tokens::new(u64::try_from(output).unwrap_or(u64::MAX)))
    }

    /// The dearer of both, part by part.
    #[must_use]
    pub fn dearest(self, other: Self) -> Self {
        Self {
            input: self.input.max(other.input),
            cached_input: self.cached_input.max(other.cached_input),
            output: self.output.max(other.output),
        }
    }
}

fn sum_product(sum: u128, (tokens, rate): (Tokens, Rate)) -> u128 {
    sum.saturating_add(u128::from(tokens.get()).saturating_mul(u128::from(rate.get())))
}

fn round_up(product: u128) -> NanoUsd {
    NanoUsd::new(u64::try_from(product.div_ceil(PER)).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn price(input: &str, cached_input: &str, output: &str) -> Price {
        let rate = |text| Rate::parse_usd(text).unwrap();
        Price { input: rate(input), cached_input: rate(cached_input), output: rate(output) }
    }

    #[test]
    fn a_call_is_priced_to_the_nano_dollar() {
        let mini = price("0.15", "0.075", "0.60");
        let bill = |input, cached_input, output| Bill {
            input: Tokens::new(input),
            cached_input: Tokens::new(cached_input),
            output: Tokens::new(output),
        };
        for (bill, nano) in [
            (bill(12, 0, 20), 13_800),
            (bill(12, 12, 0), 900),
            (bill(1_000_000, 0, 1_000_000), 750_000_000),
            (bill(0, 0, 0), 0),
        ] {
            assert_eq!(mini.cost(bill), NanoUsd::new(nano), "{bill:?}");
        }
        assert_eq!(price("0.000001", "0", "0").cost(bill(1, 0, 0)), NanoUsd::new(1), "rounded up");
        assert_eq!(mini.cost(bill(u64::MAX, 0, u64::MAX)).get(), crate::units::CEILING);
        assert_eq!(Price::default().affordable_output(Tokens::new(9), NanoUsd::ZERO), None);
    }

    proptest! {
        #[test]
        fn what_is_affordable_is_the_most_that_fits(input in 0_u64..100_000, rates in (0_u64..10_000_000_000, 1_u64..100_000_000_000), room in 0_u64..10_000_000_000) {
            let price = Price { input: Rate::new(rates.0), cached_input: Rate::ZERO, output: Rate::new(rates.1) };
            let (input, room) = (Tokens::new(input), NanoUsd::new(room));
            let most = price.affordable_output(input, room).unwrap();
            prop_assert!(price.worst(input, most.plus(Tokens::new(1))) > room);
            prop_assert!(most == Tokens::ZERO || price.worst(input, most) <= room);
        }
    }
}
