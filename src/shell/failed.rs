//! How an attempt of a call fails that gets no answer, and with that whether it is billed.

use super::call::Call;
use super::visit::Visit;
use crate::attempt::{self, Ending};
use crate::health::Outcome;
use crate::refusal::{Failure, Refusal};
use crate::secret;
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
impl Visit {
    /// Something went wrong that should not: the call is over.
    pub fn crashed(&mut self, why: &str) {
        worker::console_error!("a call ended in an error of the gateway: {why}");
        if let Some(call) = &mut self.call {
            call.attempts.give_up();
        }
        self.give_up(&Refusal::crashed());
    }

    /// Google gave no token to call it with. Where that is for a secret that is no key file, its name is told.
    pub fn no_token(&mut self, why: &str) {
        let account = |call: &Call| secret::unfit_account(call.hop()?.secret.as_deref()?, &call.secrets);
        let unfit = self.call.as_ref().and_then(account);
        if let Some(unfit) = unfit {
            return self.give_up(&Refusal::unfit_secret(&unfit));
        }
        worker::console_error!("Google gave no token: {why}");
        self.target_failed(Outcome::Failed, Ending::NotSent, &Refusal::provider_credentials(401));
    }

    /// Whether the error `why` of a request leaves open if there was a connection, so that one is to be tried.
    pub fn doubts(&self, why: &str) -> bool {
        self.binding().is_none() && attempt::is_doubtful(why, &self.url())
    }

    /// There is no answer: its time ran out (`late`), its body broke off (`begun`), or the request failed by the error `why`.
    /// `closed`: no connection can be opened.
    pub fn failed(&mut self, late: bool, begun: bool, why: &str, closed: bool) {
        if let Some(call) = &mut self.call {
            call.let_body_go();
        }
        let (failure, ending) = match (late, begun) {
            (true, _) => (Failure::Slow, Ending::Silent),
            (false, true) => (Failure::Cut, Ending::Silent),
            (false, false) if closed => (Failure::Unreachable, Ending::NotSent),
            (false, false) if self.binding().is_some() => (Failure::Unreachable, attempt::of_binding_error(why)),
            (false, false) => (Failure::Unreachable, Ending::Silent),
        };
        self.target_failed(Outcome::Failed, ending, &Refusal::no_answer(failure));
    }
}
