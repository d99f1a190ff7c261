//! What a call is taken to have used: by what its provider says of it, and by what came of it.
//!
//! A provider's word is taken where it can be true. It is not where much more came than it tells
//! of: the count is an estimate, so only a [`CONTRADICTION`] is held against it.

use crate::chat::Usage;
use crate::units::Tokens;

/// How many times the tokens that a provider tells of must have come for its word not to count.
///
/// A chunk counts as one token at least. Some servers send their text letter by letter, which
/// counts an English token four times and a long one six; no text has fewer tokens than an eighth
/// of that. Indented code and runs of spaces, counted by their bytes, come to three or four times.
pub const CONTRADICTION: u64 = 8;

/// What is known of a call's use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// What the provider said last.
    pub usage: Option<Usage>,
    /// An estimate of all output that came.
    pub counted: Tokens,
    /// The part of `counted` that came after `usage` was said.
    pub since: Tokens,
}

/// What a call is taken to use where its provider does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reckoning {
    /// Its input.
    pub input: Tokens,
    /// The most that all its choices can put out: the provider was told so. `None`: it was told nothing.
    pub output_max: Option<Tokens>,
}

impl Reckoning {
    /// What the call used, and whether that is the provider's word.
    ///
    /// | what is known                                    | input     | output                      | its word |
    /// |--------------------------------------------------|-----------|-----------------------------|----------|
    /// | a usage that can be true, nothing came after it  | as said   | as said, above the cap too  | yes      |
    /// | a usage that can be true, more came after it     | as said   | as said, and what came      | no       |
    /// | a usage of less than an eighth of what came      | reckoned  | what came, up to the cap    | no       |
    /// | no usage                                         | reckoned  | what came, up to the cap    | no       |
    ///
    /// So a usage of zero counts where nothing came; and input that is reckoned is at least one token.
    pub fn settle(&self, known: Known) -> (Usage, bool) {
        let Known { usage, counted, since } = known;
        let within = |output: Tokens| self.output_max.map_or(output, |max| output.min(max));
        match usage {
            Some(usage) if usage.output.times(CONTRADICTION) >= counted.minus(since) => {
                let output = usage.output.max(within(usage.output.plus(since)));
                (Usage { output, ..usage }, since == Tokens::ZERO)
            }
            _ => {
                let input = self.input.max(Tokens::new(1));
                (Usage { input, output: within(counted), ..Usage::default() }, false)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(input: u64, output: u64) -> Usage {
        Usage { input: Tokens::new(input), output: Tokens::new(output), ..Usage::default() }
    }

    #[test]
    fn a_strange_usage_has_a_defined_bill() {
        let said = |input, output| Some(usage(input, output));
        for (what, usage_said, counted, since, output_max, input, output, word) in [
            ("an ordinary usage", said(19, 10), 12, 0, None, 19, 10, true),
            ("one above the cap: the provider bills it", said(19, 90), 12, 0, Some(50), 19, 90, true),
            ("one with much that was only thought", said(19, 4_000), 1, 0, None, 19, 4_000, true),
            ("one of letters sent one by one", said(19, 10), 60, 0, None, 19, 10, true),
            ("the least that is believed", said(19, 10), 80, 0, None, 19, 10, true),
            ("the first that is not", said(19, 10), 81, 0, None, 7, 81, false),
            ("no usage", None, 12, 12, None, 7, 12, false),
            ("no usage, counted above the cap", None, 12, 12, Some(10), 7, 10, false),
            ("no usage, nothing came", None, 0, 0, Some(10), 7, 0, false),
            ("zero where nothing came", said(0, 0), 0, 0, None, 0, 0, true),
            ("zero where one token came", said(0, 0), 1, 0, None, 7, 1, false),
            ("no output where one token came", said(19, 0), 1, 0, None, 7, 1, false),
            ("no output, as for embeddings", said(19, 0), 0, 0, None, 19, 0, true),
            ("a contradiction, counted above the cap", said(0, 0), 99, 0, Some(50), 7, 50, false),
            ("a usage so far, and more came", said(19, 10), 14, 3, None, 19, 13, false),
            ("a usage at the start, of the input alone", said(19, 0), 30, 30, None, 19, 30, false),
            ("the same, counted above the cap", said(19, 0), 30, 30, Some(20), 19, 20, false),
            ("a usage so far that is above the cap already", said(19, 30), 33, 3, Some(20), 19, 30, false),
            ("a usage so far that cannot be true", said(19, 1), 14, 3, None, 7, 14, false),
        ] {
            let reckoning = Reckoning { input: Tokens::new(7), output_max: output_max.map(Tokens::new) };
            let known = Known { usage: usage_said, counted: Tokens::new(counted), since: Tokens::new(since) };
            assert_eq!(reckoning.settle(known), (usage(input, output), word), "{what}");
        }
    }

    #[test]
    fn the_parts_of_a_usage_are_kept_where_it_is_believed() {
        let parts = Usage { cached_input: Tokens::new(5), ..usage(9, 4) };
        let known = Known { usage: Some(parts), counted: Tokens::new(6), since: Tokens::new(2) };
        let (settled, word) = Reckoning::default().settle(known);
        assert_eq!((settled, word), (Usage { output: Tokens::new(6), ..parts }, false));
    }

    #[test]
    fn input_that_is_reckoned_is_never_nothing() {
        assert_eq!(Reckoning::default().settle(Known::default()), (usage(1, 0), false));
    }
}
