//! What was metered of a stream: what it used, as far as that is known, and how it was served.

use super::{Phase, Relay};
use crate::reckon::Known;
use crate::service::Service;
use crate::units::Tokens;

/// What a stream is to be billed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metered {
    /// What it used; its output is an [estimate](crate::dialect::estimate::estimate).
    pub known: Known,
    /// The answer came to its end, or was stopped.
    pub whole: bool,
    /// Every choice that was begun has come to its end.
    pub finished: bool,
}

impl Metered {
    /// What is known of a stream that is over. A usage that was told on the way is one so far: no less than what came is billed.
    pub fn over(self) -> Known {
        let Self { known, whole, finished } = self;
        let so_far = known.usage.filter(|_| !whole && !finished).map_or(Tokens::ZERO, |usage| usage.output);
        let missed = if whole || finished { Tokens::ZERO } else { known.counted.minus(so_far) };
        Known { since: known.since.max(missed), ..known }
    }
}

impl Relay {
    /// How the stream is served, as far as it said, and by which model.
    pub fn served(&self) -> (Service, Option<&str>) {
        (self.state.service, self.state.model.as_deref())
    }

    /// Whether more was used than can be seen, and the provider is still to tell how much: the answer has ended, or it may be
    /// that the model thinks. `asked`: it was asked to.
    pub fn owes_usage(&self, asked: bool) -> bool {
        self.state.phase == Phase::Running && (!self.state.says || self.state.hides(asked))
    }

    /// `known` of a stream that ended before its provider did, with the most that may have been thought and was not told of:
    /// `budget`, where the request gives one, within the `most` that all answers can have together. `asked`: it was asked to think.
    pub fn with_thoughts(&self, known: Known, asked: bool, budget: Option<Tokens>, most: Tokens) -> Known {
        if self.state.phase == Phase::Whole || !self.state.hides(asked) {
            return known;
        }
        let hidden = budget.unwrap_or(most).min(most.minus(known.counted));
        Known { counted: known.counted.plus(hidden), since: known.since.plus(hidden), ..known }
    }

    /// It was ended where it was to be stopped.
    pub fn is_stopped(&self) -> bool {
        self.state.phase == Phase::Stopped
    }

    /// What was metered so far.
    pub fn metered(&self) -> Metered {
        let whole = matches!(self.state.phase, Phase::Whole | Phase::Stopped);
        Metered { known: self.state.known, whole, finished: self.state.is_finished() }
    }
}
