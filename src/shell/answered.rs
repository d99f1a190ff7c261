//! A provider's answer to a call: by its head a stream, a whole body or a failure, and what of it goes to the client.

use super::stream::Stream;
use super::visit::{Answer, Visit};
use crate::answer::{self, Told, Verdict, media};
use crate::attempt::Ending;
use crate::chat::Usage;
use crate::dialect::Stamp;
use crate::dialect::gemini::list::List;
use crate::health::Outcome;
use crate::reckon::Known;
use crate::refusal::{Failure, Refusal};
use crate::relay::Relay;
use crate::translate;
use wasm_bindgen::prelude::wasm_bindgen;

/// The content type of a stream, and what keeps it from being held back.
const EVENTS: &str = "text/event-stream; charset=utf-8\ncache-control\nno-cache";
const LIST: &str = "application/json; charset=utf-8\ncache-control\nno-cache";

/// How an attempt ended whose answer of this status is not passed on, as it quotes a secret: the work is done.
fn quoting(status: u16) -> Ending {
    if (200..300).contains(&status) { Ending::Silent } else { Ending::of_status(status) }
}

impl Visit {
    /// Makes ready for a stream to pass.
    fn begin_stream(&mut self) {
        let id = self.id.clone();
        if let Some(call) = &mut self.call {
            let model = call.envelope.as_ref().map_or("", |envelope| envelope.model.as_str());
            let stamp = Stamp { id: &id, created: call.created(), model };
            let show_usage = call.envelope.as_ref().is_some_and(|envelope| envelope.show_usage);
            let relay = Relay::between(call.from(), call.endpoint, &stamp, show_usage).remembering(call.made());
            call.relay = Some(Stream::new(relay, call.endpoint, call.list, std::mem::take(&mut call.watch)));
            call.body = Vec::new();
        }
    }

    /// The head of an answer that comes from a provider.
    fn answered(&mut self, status: u16, content_type: &str) {
        let Some(call) = &self.call else {
            return;
        };
        let (content_type, saved) = media::told(content_type);
        let content_type = if content_type.is_empty() { "application/json" } else { content_type };
        let dropped = call.outgoing.as_ref().map(|outgoing| outgoing.dropped.as_slice());
        let told = Told {
            dialect: call.endpoint.dialect(),
            target: call.hop().map(|hop| hop.target.as_str()),
            cap: call.lowered(),
            dropped: dropped.unwrap_or_default(),
        };
        let mut headers = answer::headers(&self.id, content_type, &told, &self.gauges);
        if saved {
            headers.push_str(media::SAVED);
        }
        self.answer = Answer { status, headers, text: String::new() };
    }
}

#[wasm_bindgen]
impl Visit {
    /// Takes the head of a provider's answer: 0 read its body, 1 it is a stream, 2 drop it and go on.
    /// `encoding`: the `content-encoding` of its body.
    pub fn head(&mut self, status: u16, lines: &str, encoding: &str) -> u8 {
        if let Some(call) = &mut self.call {
            call.let_body_go();
        }
        let Some(call) = &self.call else {
            return 2;
        };
        if !media::is_unpacked(encoding) {
            self.target_failed(Outcome::Failed, quoting(status), &Refusal::answer_packed(encoding));
            return 2;
        }
        if call.watch.finds(lines.as_bytes()) {
            self.target_failed(Outcome::Failed, quoting(status), &Refusal::provider_credentials(status));
            return 2;
        }
        let stream = if call.list { LIST } else { EVENTS };
        match answer::judge(status, lines, self.streams()) {
            Verdict::Whole(content_type) => {
                let own = call.from() == call.endpoint.dialect();
                self.answered(
                    status,
                    match status {
                        200..300 if self.streams() => stream,
                        _ if own => &content_type,
                        _ => "application/json",
                    },
                );
                0
            }
            Verdict::Stream => {
                self.answered(200, stream);
                self.begin_stream();
                1
            }
            Verdict::Failed(outcome, refusal) => {
                self.target_failed(outcome, Ending::of_status(status), &refusal);
                2
            }
        }
    }

    /// Takes a whole answer: whether it is one, and goes to the client. What goes in its place is the text, if there is one.
    pub fn whole(&mut self, body: &[u8]) -> bool {
        let status = self.answer.status;
        let Some(call) = &self.call else {
            return false;
        };
        if call.watch.finds(body) {
            self.target_failed(Outcome::Failed, quoting(status), &Refusal::provider_credentials(status));
            return false;
        }
        let (from, endpoint) = (call.from(), call.endpoint);
        let told = if (200..300).contains(&status) {
            let envelope = call.envelope.as_ref();
            let model = envelope.map_or("", |envelope| envelope.model.as_str());
            let stamp = Stamp { id: &self.id, created: call.created(), model };
            if self.streams() {
                let show_usage = envelope.is_some_and(|asked| asked.show_usage);
                let told = translate::streamed(from, endpoint, body, &stamp, show_usage);
                let listed = |body: Vec<u8>| if call.list { List::default().take(&body, true) } else { body };
                told.map(|told| translate::Told { body: told.body.map(listed), ..told })
            } else {
                let base64 = call.outgoing.as_ref().is_some_and(|outgoing| outgoing.base64);
                translate::answer(from, endpoint, body, &stamp, base64)
            }
        } else {
            // A refusal is for nothing.
            let known = Known { usage: Some(Usage::default()), ..Known::default() };
            let body = translate::fault(from, endpoint, status, body, call.excerpt, &self.id);
            Some(translate::Told { known, body, ..translate::Told::default() })
        };
        let Some(told) = told else {
            self.target_failed(Outcome::Failed, Ending::Silent, &Refusal::no_answer(Failure::Cut));
            return false;
        };
        // What is put together may tell what its parts did not.
        if told.body.as_ref().is_some_and(|body| call.watch.finds(body)) {
            self.target_failed(Outcome::Failed, quoting(status), &Refusal::provider_credentials(status));
            return false;
        }
        self.answer.text = told.body.and_then(|body| String::from_utf8(body).ok()).unwrap_or_default();
        if let Some(call) = &mut self.call {
            let refused = !(200..300).contains(&status);
            call.attempted(Outcome::Answered, if refused { Ending::Refused } else { Ending::Answered });
            if let Some(mut made) = call.made().filter(|_| !refused) {
                made.answer(body);
                call.kept = made.take();
            }
            call.ended(status, told.known, told.service);
        }
        true
    }
}
