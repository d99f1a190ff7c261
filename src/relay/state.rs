//! What the frames of a stream have said so far.

use super::Failed;
use crate::chat::Usage;
use crate::reckon::Known;
use crate::service::Service;
use crate::units::Tokens;

/// What the frames so far have said.
#[derive(Debug)]
pub(super) struct State {
    pub(super) known: Known,
    pub(super) service: Service,
    /// The model that answers, by its own word.
    pub(super) model: Option<String>,
    /// The choices that were begun and those that were ended, as bits by index.
    pub(super) choices: u128,
    pub(super) finished: u128,
    /// Something was said that is no thought; something was thought.
    pub(super) says: bool,
    pub(super) thinks: bool,
    /// The usage came once every choice had ended: it is the last.
    pub(super) told: bool,
    pub(super) phase: Phase,
    /// What stands where the answer should begin.
    pub(super) failed: Option<Failed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Running,
    /// The answer came to its end.
    Whole,
    /// It was ended before.
    Stopped,
    /// An error stands where the rest of the answer should be.
    Broken,
}

impl State {
    /// Nothing has come.
    pub(super) const fn new() -> Self {
        let known = Known { usage: None, counted: Tokens::ZERO, since: Tokens::ZERO };
        let (service, model, failed) = (Service::UNTOLD, None, None);
        let (says, thinks, told, phase) = (false, false, false, Phase::Running);
        Self { known, service, model, choices: 0, finished: 0, says, thinks, told, phase, failed }
    }

    /// Counts what came; what comes when all is said and told is no output.
    pub(super) fn count(&mut self, counted: Tokens) {
        if self.told && self.is_finished() {
            return;
        }
        self.known.counted = self.known.counted.plus(counted);
        self.known.since = self.known.since.plus(counted);
    }

    pub(super) fn used(&mut self, usage: Usage) {
        self.known.usage = Some(usage);
        self.known.since = Tokens::ZERO;
        self.thinks |= usage.reasoning > Tokens::ZERO;
        self.told = self.is_finished();
    }

    /// Every choice that was begun has come to its end.
    pub(super) const fn is_finished(&self) -> bool {
        self.choices != 0 && self.choices == self.finished
    }

    /// Whether there may be thoughts that nobody told of: the last usage has not come, and the answer has ended, or it shows
    /// thoughts. `asked`: it was asked to think.
    pub(super) const fn hides(&self, asked: bool) -> bool {
        let is_finished = self.is_finished();
        !(self.told && is_finished) && (is_finished || self.thinks || asked)
    }

    pub(super) fn begun(&mut self, choice: u32) {
        self.choices |= 1 << choice.min(u128::BITS.saturating_sub(1));
    }

    pub(super) fn ended(&mut self, choice: u32) {
        self.begun(choice);
        self.finished |= 1 << choice.min(u128::BITS.saturating_sub(1));
    }

    /// The choices that were begun and not ended.
    pub(super) fn open(&self) -> impl Iterator<Item = u32> + use<> {
        let open = self.choices & !self.finished;
        (0..u128::BITS).filter(move |index| open & (1 << index) != 0)
    }
}
