//! A native call's failure whose body says more than its head.

use super::Through;
use crate::attempt::Ending;
use crate::shell::tenant_host::millis;
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
impl Through {
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
