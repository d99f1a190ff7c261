//! Where the answer of a stream begins, and what stands there if it does not.

use super::{Phase, Relay, State};
use crate::units::Tokens;

/// The most of what came in place of an answer that is kept.
const FAILED_BYTES_MAX: usize = 64 * 1_024;

/// How far the beginning of a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Nothing of an answer has come: at the most its head, comments and other signs of life.
    Waiting,
    /// Some of it has: a bit of what is said, thought or called, or why it ends.
    Begun,
    /// It does not begin: an error came instead, or something that cannot be read, or the end.
    Failed,
}

/// What came where an answer should have begun.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failed {
    /// The name of the event, where it has one.
    pub name: Option<String>,
    /// Its data.
    pub data: Vec<u8>,
}

impl Relay {
    /// How far the beginning of the answer is. A stream that is stopped, and one of which more comes than can be held, is taken
    /// to have begun; so is an answer without a word whose provider says what it used.
    pub fn start(&self) -> Start {
        let State { known, phase, failed, .. } = &self.state;
        match phase {
            _ if failed.is_some() => Start::Failed,
            _ if self.state.has_begun() => Start::Begun,
            Phase::Running => Start::Waiting,
            Phase::Stopped => Start::Begun,
            Phase::Whole if known.usage.is_some() => Start::Begun,
            Phase::Whole | Phase::Broken => Start::Failed,
        }
    }

    /// What came where the answer should have begun, if something did.
    pub const fn failed(&self) -> Option<&Failed> {
        self.state.failed.as_ref()
    }
}

impl State {
    /// Whether some of an answer has come.
    pub(super) fn has_begun(&self) -> bool {
        self.known.counted > Tokens::ZERO || self.finished != 0 || self.says || self.thinks
    }

    /// Notes what came in place of an answer that has not begun; of one that has it is the end.
    pub(super) fn fail(&mut self, name: Option<&[u8]>, data: &[u8]) {
        if !self.has_begun() && self.failed.is_none() {
            let name = name.map(|name| String::from_utf8_lossy(name).into_owned());
            let data = data.get(..data.len().min(FAILED_BYTES_MAX)).unwrap_or_default().to_vec();
            self.failed = Some(Failed { name, data });
        }
    }
}
