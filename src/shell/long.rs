//! A whole answer that is too long to be held: passed on as it comes, cut, or refused. Its order is in `whole.js`.

use super::through::passage::Passage;
use super::visit::Visit;
use crate::attempt::Ending;
use crate::health::Outcome;
use crate::reckon::Known;
use crate::refusal::Refusal;
use crate::service::Service;
use crate::units::Tokens;
use wasm_bindgen::prelude::wasm_bindgen;

/// The most that is held of an answer that can be passed on as it comes, of one that must be whole to be understood, and of an
/// error, in bytes.
const PASSED_BYTES_MAX: u32 = 256 * 1_024;
const WHOLE_BYTES_MAX: u32 = 8 * 1_024 * 1_024;
const ERROR_BYTES_MAX: u32 = 64 * 1_024;

/// What becomes of an answer that has more; the numbers are known to `whole.js`.
const PASS: u8 = 0;
const CUT: u8 = 1;
const REFUSED: u8 = 2;

impl Visit {
    /// Whether the answer is one, and its client reads what its provider writes.
    fn passes(&self) -> bool {
        let own = self.call.as_ref().is_some_and(|call| call.from() == call.endpoint.dialect());
        self.is_answer() && own && !self.streams()
    }

    fn is_answer(&self) -> bool {
        (200..300).contains(&self.status())
    }
}

#[wasm_bindgen]
impl Visit {
    /// How many bytes of a whole answer are read before something else becomes of it.
    pub fn answer_max(&self) -> u32 {
        match () {
            () if !self.is_answer() => ERROR_BYTES_MAX,
            () if self.passes() => PASSED_BYTES_MAX,
            () => WHOLE_BYTES_MAX,
        }
    }

    /// An answer has more bytes than that, or there is no room for them (not `too_long`): 0 it passes as it comes, 1 what was read
    /// stands for it, 2 the client is told.
    pub fn beyond(&mut self, too_long: bool) -> u8 {
        if self.passes() {
            return PASS;
        }
        let is_answer = self.is_answer();
        let Some(call) = &mut self.call else { return REFUSED };
        call.excerpt = true;
        if !is_answer {
            return CUT;
        }
        // It was asked for and came, whatever is made of it: so it is billed.
        let (refusal, size) = if too_long {
            (Refusal::answer_too_large(WHOLE_BYTES_MAX), WHOLE_BYTES_MAX)
        } else {
            (Refusal::no_room_for_answer(), PASSED_BYTES_MAX)
        };
        call.attempted(Outcome::Answered, Ending::Answered);
        call.ended(200, Known { usage: None, counted: tokens(size.into()), since: Tokens::ZERO }, Service::UNTOLD);
        call.end.status = refusal.status;
        self.refuse(&refusal);
        REFUSED
    }

    /// What an answer that passes as it comes passes through.
    pub fn passage(&mut self) -> Option<Passage> {
        let call = self.call.as_mut()?;
        let passage = Passage::new("application/json", true, std::mem::take(&mut call.watch), call.made());
        call.passage = Some(passage.clone());
        Some(passage)
    }

    /// Such an answer has ended: 0 by itself, 1 cut by the provider, 2 the client left.
    pub fn passed(&mut self, how: u8) {
        let status = self.status();
        let Some(call) = &mut self.call else { return };
        let Some(passage) = call.passage.take() else { return };
        let kept = passage.made();
        let passing = passage.passing();
        let usage = passing.meter.usage();
        let counted = if usage.is_none() && call.endpoint.has_output() { tokens(passing.bytes) } else { Tokens::ZERO };
        let cut = how == 1;
        call.attempted(if cut { Outcome::Failed } else { Outcome::Answered }, Ending::Answered);
        call.ended(status, Known { usage, counted, since: Tokens::ZERO }, passing.meter.service());
        call.cut = cut && usage.is_none();
        call.kept = kept;
    }
}

/// What so many bytes of an answer are taken for: a token for four.
fn tokens(bytes: u64) -> Tokens {
    Tokens::new(bytes.div_ceil(4))
}
