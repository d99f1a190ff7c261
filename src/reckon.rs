//! What a call is taken to have used: by what its provider says of it, and by what came of it.
//!
//! A provider's word is taken part by part, where it can be true. It is not where much more came than
//! it tells of: the count is an estimate, so only a [`CONTRADICTION`] is held against it. Nor is it
//! above what such a call can use at all ([`Bounds`]): then the call is taken to have used that, and
//! somebody should look at it.

use crate::chat::Usage;
use crate::units::Tokens;

/// How many times the tokens that a provider tells of must have come for its word not to count.
///
/// A chunk counts as one token at least. Some servers send their text letter by letter, which
/// counts an English token four times and a long one six; no text has fewer tokens than an eighth
/// of that. Indented code and runs of spaces, counted by their bytes, come to three or four times.
pub const CONTRADICTION: u64 = 8;

/// The context of a model of which nobody says how large it is, in tokens: as large as the largest that are common.
pub const CONTEXT: Tokens = Tokens::new(1 << 20);
/// How often a model's context may be read for one call whose provider runs tools by itself.
pub const READINGS: u64 = 8;

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
    /// What it can use at all; `None`: nobody knows.
    pub bounds: Option<Bounds>,
}

/// The most that a call can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Its input, by what was sent.
    pub sent: Tokens,
    /// Its input, with what a provider may put before it: what its model can read.
    pub input: Tokens,
    /// Its output, of all choices.
    pub output: Tokens,
}

/// What a usage rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// All of it is the provider's word.
    Told,
    /// A part of it was counted or reckoned.
    Counted,
    /// A part of it is the most that the call can have used: the provider told of more.
    Bounded,
}

impl Bounds {
    /// The bounds of a call that is not read, and of which `sent` bytes were, where that is known.
    pub fn unread(sent: Option<u64>) -> Self {
        Self { sent: sent.map_or(CONTEXT, Tokens::new), input: CONTEXT.times(READINGS), output: CONTEXT }
    }

    /// What of `usage` the call can have used, where so much of its output was `counted`; `None`: all of it.
    pub fn bound(&self, usage: Usage, counted: Tokens) -> Option<Usage> {
        let mut bounded = usage;
        if usage.output > self.output.max(counted) {
            bounded = output(bounded, self.output.max(counted));
        }
        if usage.input > self.input.max(self.sent) {
            bounded = input(bounded, self.sent.max(Tokens::new(1)));
        }
        (bounded != usage).then_some(bounded)
    }
}

impl Reckoning {
    /// What the call used, and what that rests on.
    ///
    /// | what is known                                    | that part is                    | basis   |
    /// |--------------------------------------------------|---------------------------------|---------|
    /// | no usage: input                                  | reckoned                        | counted |
    /// | no usage: output                                 | what came, up to the cap        | counted |
    /// | a part that can be true, nothing came after it   | as said                         | told    |
    /// | output that can be true, more came after it      | as said, and what came          | counted |
    /// | output of less than an eighth of what came       | what came, up to the cap        | counted |
    /// | output above the bound, and above what came      | the bound, or what came         | bounded |
    /// | no input                                         | reckoned                        | counted |
    /// | input that its model cannot read                 | the most that was sent          | bounded |
    ///
    /// So an answer whose usage is zero is not for nothing: it had a request, and input that is reckoned is at least one token. What is
    /// not as it was said has no special kinds.
    pub fn settle(&self, known: Known) -> (Usage, Basis) {
        let Known { usage: Some(said), counted, since } = known else {
            let usage = Usage { input: self.reckoned(), output: self.within(known.counted), ..Usage::default() };
            return (usage, Basis::Counted);
        };
        let mut basis = if since == Tokens::ZERO { Basis::Told } else { Basis::Counted };
        let mut usage = Usage { output: said.output.max(self.within(said.output.plus(since))), ..said };
        if said.output.times(CONTRADICTION) < counted.minus(since) {
            (usage, basis) = (output(usage, self.within(counted)), Basis::Counted);
        }
        if said.input == Tokens::ZERO {
            (usage, basis) = (input(usage, self.reckoned()), Basis::Counted);
        }
        let bounded = self.bounds.and_then(|bounds| bounds.bound(usage, counted));
        bounded.map_or((usage, basis), |usage| (usage, Basis::Bounded))
    }

    /// The input where nobody tells.
    fn reckoned(&self) -> Tokens {
        self.input.max(Tokens::new(1))
    }

    fn within(&self, output: Tokens) -> Tokens {
        self.output_max.map_or(output, |max| output.min(max))
    }
}

/// `usage` with this output, of no special kind.
fn output(usage: Usage, output: Tokens) -> Usage {
    Usage { output, reasoning: Tokens::ZERO, audio_output: Tokens::ZERO, ..usage }
}

/// `usage` with this input, of no special kind.
fn input(usage: Usage, input: Tokens) -> Usage {
    let Usage { output, reasoning, audio_output, .. } = usage;
    Usage { input, output, reasoning, audio_output, ..Usage::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(input: u64, output: u64) -> Usage {
        Usage { input: Tokens::new(input), output: Tokens::new(output), ..Usage::default() }
    }

    #[test]
    fn a_strange_usage_has_a_defined_bill() {
        use Basis::{Counted, Told};
        let said = |input, output| Some(usage(input, output));
        for (what, usage_said, counted, since, output_max, input, output, basis) in [
            ("an ordinary usage", said(19, 10), 12, 0, None, 19, 10, Told),
            ("one above the cap of a provider that has no bounds", said(19, 90), 12, 0, Some(50), 19, 90, Told),
            ("one with much that was only thought", said(19, 4_000), 1, 0, None, 19, 4_000, Told),
            ("one of letters sent one by one", said(19, 10), 60, 0, None, 19, 10, Told),
            ("the least that is believed", said(19, 10), 80, 0, None, 19, 10, Told),
            ("the first that is not: its input is all the same", said(19, 10), 81, 0, None, 19, 81, Counted),
            ("no usage", None, 12, 12, None, 7, 12, Counted),
            ("no usage, counted above the cap", None, 12, 12, Some(10), 7, 10, Counted),
            ("no usage, nothing came", None, 0, 0, Some(10), 7, 0, Counted),
            ("zero where nothing came", said(0, 0), 0, 0, None, 7, 0, Counted),
            ("zero where one token came", said(0, 0), 1, 0, None, 7, 1, Counted),
            ("no output where one token came", said(19, 0), 1, 0, None, 19, 1, Counted),
            ("no input where there is output", said(0, 9), 9, 0, None, 7, 9, Counted),
            ("no output, as for embeddings", said(19, 0), 0, 0, None, 19, 0, Told),
            ("a contradiction, counted above the cap", said(0, 0), 99, 0, Some(50), 7, 50, Counted),
            ("a usage so far, and more came", said(19, 10), 14, 3, None, 19, 13, Counted),
            ("a usage at the start, of the input alone", said(19, 0), 30, 30, None, 19, 30, Counted),
            ("the same, counted above the cap", said(19, 0), 30, 30, Some(20), 19, 20, Counted),
            ("a usage so far that is above the cap already", said(19, 30), 33, 3, Some(20), 19, 30, Counted),
            ("a usage so far that cannot be true", said(19, 1), 14, 3, None, 19, 14, Counted),
        ] {
            let reckoning = Reckoning { input: Tokens::new(7), output_max: output_max.map(Tokens::new), bounds: None };
            let known = Known { usage: usage_said, counted: Tokens::new(counted), since: Tokens::new(since) };
            assert_eq!(reckoning.settle(known), (usage(input, output), basis), "{what}");
        }
    }

    #[test]
    fn no_usage_is_believed_above_what_the_call_can_use() {
        use Basis::{Bounded, Told};
        // 40 bytes were sent, to a model that reads 1,000 tokens, and 50 may come back.
        let bounds = Bounds { sent: Tokens::new(40), input: Tokens::new(1_000), output: Tokens::new(50) };
        let reckoning = Reckoning { input: Tokens::new(10), output_max: Some(bounds.output), bounds: Some(bounds) };
        let most = crate::units::CEILING;
        for (what, said, counted, settled, basis) in [
            ("all that it can", usage(1_000, 50), 9, usage(1_000, 50), Told),
            ("one token more came out", usage(40, 51), 9, usage(40, 50), Bounded),
            ("so much came, and that is counted", usage(40, 70), 60, usage(40, 60), Bounded),
            ("one token more went in", usage(1_001, 9), 9, usage(40, 9), Bounded),
            ("no model can have used it", usage(most, most), 9, usage(40, 50), Bounded),
            ("no input, and absurd output", usage(0, most), 9, usage(10, 50), Bounded),
        ] {
            let known = Known { usage: Some(said), counted: Tokens::new(counted), since: Tokens::ZERO };
            assert_eq!(reckoning.settle(known), (settled, basis), "{what}");
        }
        let parts = Usage {
            cached_input: Tokens::new(5),
            cache_write: Tokens::new(3),
            reasoning: Tokens::new(60),
            audio_output: Tokens::new(8),
            ..usage(9, 70)
        };
        let known = Known { usage: Some(parts), counted: Tokens::new(6), since: Tokens::ZERO };
        let settled = Usage { reasoning: Tokens::ZERO, audio_output: Tokens::ZERO, output: Tokens::new(50), ..parts };
        assert_eq!(reckoning.settle(known), (settled, Bounded), "what is believed keeps its parts");
    }

    #[test]
    fn the_parts_of_a_usage_are_kept_where_it_is_believed() {
        let parts = Usage { cached_input: Tokens::new(5), ..usage(9, 4) };
        let known = Known { usage: Some(parts), counted: Tokens::new(6), since: Tokens::new(2) };
        let (settled, basis) = Reckoning::default().settle(known);
        assert_eq!((settled, basis), (Usage { output: Tokens::new(6), ..parts }, Basis::Counted));
    }

    #[test]
    fn input_that_is_reckoned_is_never_nothing() {
        assert_eq!(Reckoning::default().settle(Known::default()), (usage(1, 0), Basis::Counted));
    }
}
