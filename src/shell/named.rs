//! A visit whose call has a name: it leads and publishes its answer, or follows the call that does.

use super::object::to_json;
use super::visit::{Answer, Visit};
use crate::idempotency::{Name, SILENCE_MAX, repeated};
use crate::refusal::Refusal;
use crate::units::Millis;
use serde::Serialize;
use wasm_bindgen::prelude::wasm_bindgen;

/// What `replay.js` says of a leader, and how often the object must hear it.
#[derive(Serialize)]
struct Leader<'a> {
    name: Name,
    call: &'a str,
    heard_within: Millis,
}

impl Visit {
    /// The call's name and whose it is.
    pub(super) fn name(&self) -> Option<Name> {
        let name = self.call.as_ref()?.name.clone()?;
        Some(Name { key: self.presented()?.key.clone(), name })
    }

    /// How long the call may be silent before the object takes it for lost.
    fn silence(&self) -> Millis {
        let admission = self.call.as_ref().and_then(|call| call.admission.as_ref());
        admission.map_or(Millis::ZERO, |admission| admission.lease.min(SILENCE_MAX))
    }
}

#[wasm_bindgen]
impl Visit {
    /// Whether the call has a name.
    pub fn named(&self) -> bool {
        self.call.as_ref().is_some_and(|call| call.name.is_some())
    }

    /// Whether the call leads its name, and so publishes its answer.
    pub fn leads(&self) -> bool {
        self.named() && self.silence() > Millis::ZERO
    }

    /// What is said of the call when its answer is published.
    pub fn publication(&self) -> String {
        let leader = self.name().map(|name| Leader { name, call: &self.id, heard_within: self.silence() });
        leader.map(|leader| to_json(&leader)).unwrap_or_default()
    }

    /// Whether the call was answered and billed.
    pub fn billed(&self) -> bool {
        self.call.as_ref().is_some_and(|call| !call.end.failed())
    }

    /// The call that this one is to follow, if there is one.
    pub fn following(&self) -> Option<String> {
        self.call.as_ref()?.following.as_ref().map(to_json)
    }

    /// Makes the head of the followed call's answer the head of this one's.
    pub fn followed(&mut self, head: &str) {
        let head = repeated(head);
        let (status, lines) = head.split_once('\n').unwrap_or((&head, ""));
        let leader = self.call.as_ref().and_then(|call| call.following.as_ref()).map(|leader| leader.call.as_str());
        let own = [("x-request-id", self.id.as_str()), ("idempotent-replayed", "true")];
        let mut headers = lines.to_owned();
        for (name, value) in own.into_iter().chain(leader.map(|leader| ("x-tollgate-original-request-id", leader))) {
            headers.push_str(&format!("\n{name}\n{value}"));
        }
        let headers = headers.trim_start_matches('\n').to_owned();
        self.answer = Answer { status: status.parse().unwrap_or(500), headers, text: String::new() };
    }

    /// The followed call came to nothing, or its answer is `not_kept`.
    pub fn unfollowed(&mut self, not_kept: bool) {
        self.refuse(&if not_kept { Refusal::answer_not_kept() } else { Refusal::leader_lost() });
    }

    /// How a stream ends whose leader is lost; empty where the answer is no stream.
    pub fn lost_event(&self) -> String {
        let streams = self.answer.headers.contains("text/event-stream");
        let endpoint = self.call.as_ref().map(|call| call.endpoint).filter(|_| streams);
        let event = endpoint.map(|endpoint| Refusal::leader_lost().event(endpoint)).unwrap_or_default();
        String::from_utf8(event).unwrap_or_default()
    }
}
