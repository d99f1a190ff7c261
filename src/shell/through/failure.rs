//! How a native call fails: before it was sent, or after, when its provider may have worked all the same.

use super::Through;
use crate::attempt::{self, Ending};
use crate::health::Outcome;
use crate::refusal::{Failure, Refusal};
use crate::secret;
use crate::shell::tenant_host::millis;
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
impl Through {
    /// Google gave no token to call it with. Where that is for a secret that is no key file, its name is told.
    pub fn no_token(&mut self, why: &str) {
        let name = self.hop().and_then(|hop| hop.secret.as_deref());
        if let Some(unfit) = name.and_then(|name| secret::unfit_account(name, &self.secrets)) {
            return self.give_up(&Refusal::unfit_secret(&unfit));
        }
        worker::console_error!("Google gave no token: {why}");
        self.target_failed(Outcome::Failed, Ending::NotSent, &Refusal::provider_credentials(401));
    }

    /// The request goes out now.
    pub fn sends(&mut self) {
        if let Some(target) = self.hop().map(|hop| hop.target.clone()).filter(|_| self.works()) {
            self.attempts.send(&target);
        }
    }

    /// Whether the error `why` of the request leaves open if there was a connection, so that one is to be tried.
    pub fn doubts(&self, why: &str) -> bool {
        attempt::is_doubtful(why, &self.url())
    }

    /// There is no answer: its time ran out (`late`), or the connection broke; `closed`: none can be opened.
    pub fn failed(&mut self, late: bool, closed: bool) {
        let failure = if late { Failure::Slow } else { Failure::Unreachable };
        let ending = if closed { Ending::NotSent } else { Ending::Silent };
        self.target_failed(Outcome::Failed, ending, &Refusal::no_answer(failure));
    }

    /// Something went wrong that should not: the call is over.
    pub fn crashed(&mut self, why: &str) {
        worker::console_error!("a native call ended in an error of the gateway: {why}");
        self.attempts.give_up();
        self.give_up(&Refusal::crashed());
    }

    /// Whether the body of a failure may say more of it.
    pub fn explains(&self) -> bool {
        self.failing.is_some()
    }

    /// Takes the beginning of that body, at `now`.
    pub fn explained(&mut self, body: &[u8], now: f64) {
        if let Some(failing) = self.failing.take() {
            let (outcome, refusal) = failing.explained(self.visit.dialect, body, millis(now));
            self.target_failed(outcome, Ending::of_status(failing.status()), &refusal);
        }
    }
}
