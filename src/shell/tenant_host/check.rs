//! A key is checked alone, before a long body of its call is read.

use super::{Answer, TenantHost, millis, read_json};
use crate::shell::object::to_json;
use crate::wire::{Denial, Look, Reply};
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
impl TenantHost {
    /// Whether a key is good (`text`, a [`Look`]), as the [`Reply`]: settled, or denied. Changes nothing and writes nothing.
    ///
    /// # Errors
    /// The message cannot be read, or the rows cannot.
    pub fn check(&mut self, now: f64, text: &str) -> Answer<String> {
        let (now, look): (_, Look) = (millis(now), read_json(text)?);
        self.metrics.object_requests = self.metrics.object_requests.saturating_add(1);
        let Some(mut tenant) = self.tenant(now)? else {
            return Ok(to_json(&Reply::Denied(Denial::KeyUnknown)));
        };
        let reply = tenant.check(now, &look).map_or_else(Reply::Denied, |_| Reply::Settled);
        self.tenant = Some(tenant);
        Ok(to_json(&reply))
    }
}
