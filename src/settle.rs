//! What a call is billed for what it is taken to have used, and what that rests on.

use crate::chat::Usage;
use crate::price::Bill;
use crate::reckon::{Basis, Known, Reckoning};
use crate::rows::Truth;

/// The bill of a call of which so much is `known`.
///
/// [`Reckoning::settle`] has the table of all cases. A call of which the client got nothing is not
/// billed at all, and does not come here.
pub fn bill(known: Known, reckoning: &Reckoning) -> (Bill, Truth) {
    let (usage, basis) = reckoning.settle(known);
    let truth = match basis {
        Basis::Told => Truth::Reported,
        Basis::Counted => Truth::Counted,
        Basis::Bounded => Truth::Bounded,
    };
    (bill_of(usage), truth)
}

/// The tokens of `usage` as they are billed.
pub fn bill_of(usage: Usage) -> Bill {
    let Usage { input, cached_input, cache_write, cache_write_hour, audio_input, .. } = usage;
    let Usage { output, reasoning, audio_output, .. } = usage;
    Bill { input, cached_input, cache_write, cache_write_hour, audio_input, output, reasoning, audio_output }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Tokens;

    #[test]
    fn a_bill_rests_on_what_was_said_or_else_on_what_was_counted() {
        let usage =
            Usage { input: Tokens::new(9), cached_input: Tokens::new(4), output: Tokens::new(5), ..Usage::default() };
        let known = Known { usage: Some(usage), counted: Tokens::new(6), since: Tokens::ZERO };
        let reckoning = Reckoning { input: Tokens::new(7), output_max: None, bounds: None };
        let billed = Bill { cached_input: Tokens::new(4), ..Bill::of(Tokens::new(9), Tokens::new(5)) };
        assert_eq!(bill(known, &reckoning), (billed, Truth::Reported));
        let untold = Known { usage: None, since: Tokens::new(6), ..known };
        assert_eq!(bill(untold, &reckoning), (Bill::of(Tokens::new(7), Tokens::new(6)), Truth::Counted));
    }
}
