//! A provider's answer to a call: by its head a stream, a whole body or a failure, and what of it goes to the client.

use super::call::Call;
use super::stream::{Instead, Stream};
use super::tenant_host::millis;
use super::visit::{Answer, Visit};
use crate::answer::{self, Told, Verdict, media};
use crate::attempt::Ending;
use crate::chat::Usage;
use crate::dialect::gemini::list::List;
use crate::dialect::{Dialect, Stamp};
use crate::health::Outcome;
use crate::reach;
use crate::reckon::Known;
use crate::refusal::{self, Failure, Refusal};
use crate::relay::{Failed, Relay};
use crate::rows::End;
use crate::translate;
use wasm_bindgen::prelude::wasm_bindgen;

/// The content type of a stream, and what keeps it from being held back.
const EVENTS: &str = "text/event-stream; charset=utf-8";
const LIST: &str = "application/json; charset=utf-8";
/// What the head of a stream says besides.
const FRESH: &str = "\ncache-control\nno-cache";

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
            let watch = std::mem::take(&mut call.watch);
            call.relay = Some(Stream::new(relay, call, watch));
        }
    }

    /// The head of an answer that comes from a provider.
    fn answered(&mut self, status: u16, content_type: &str, streams: bool) {
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
        if streams {
            headers.push_str(FRESH);
        }
        self.answer = Answer { status, headers, text: String::new() };
    }

    /// What comes next after such a head: the numbers of [`Visit::head`].
    fn judged(&mut self, status: u16, lines: &str, encoding: &str, now: f64) -> u8 {
        let streams = self.streams();
        let Some(call) = &mut self.call else {
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
        let (content_type, waits) = lines.split_once('\n').unwrap_or((lines, ""));
        match answer::judge(status, content_type, waits, streams, millis(now)) {
            Verdict::Whole(content_type) => {
                let own = call.from() == call.endpoint.dialect();
                let streams = streams && (200..300).contains(&status);
                let content_type = match own {
                    _ if streams => stream,
                    true => &content_type,
                    false => "application/json",
                };
                self.answered(status, content_type, streams);
                0
            }
            Verdict::Stream => {
                self.answered(200, stream, true);
                self.begin_stream();
                1
            }
            Verdict::Failed(outcome, refusal) => {
                self.target_failed(outcome, Ending::of_status(status), &refusal);
                2
            }
            Verdict::Failing(failing) => {
                call.failing = Some(failing);
                3
            }
        }
    }
}

#[wasm_bindgen]
impl Visit {
    /// Takes the head of a provider's answer, its headers as `answerHead` has them and the `content-encoding` of its body, at
    /// `now`: 0 read its body, 1 it is a stream, 2 drop it and go on, 3 read the beginning of its body for [`Visit::explained`] and
    /// go on.
    pub fn head(&mut self, status: u16, lines: &str, encoding: &str, now: f64) -> u8 {
        let next = self.judged(status, lines, encoding, now);
        if let Some(call) = &mut self.call {
            call.let_body_go();
        }
        next
    }

    /// Takes the beginning of the body of a failure, at `now`: the target has failed.
    pub fn explained(&mut self, body: &[u8], now: f64) {
        let Some(call) = &mut self.call else { return };
        if let Some(failing) = call.failing.take() {
            let (outcome, refusal) = failing.explained(call.from(), body, millis(now));
            self.target_failed(outcome, Ending::of_status(failing.status()), &refusal);
        }
    }

    /// How long a stream may be silent before its answer begins, in milliseconds.
    pub fn first_event_timeout(&self) -> u32 {
        let own = self.call.as_ref().and_then(Call::hop).and_then(|hop| hop.first_event_timeout);
        own.and_then(|timeout| u32::try_from(timeout.get()).ok()).unwrap_or_else(|| self.timeout())
    }

    /// The answer of a stream has begun: no other target is tried.
    pub fn begun(&mut self) {
        if let Some(call) = &mut self.call {
            call.drop_body();
        }
    }

    /// The answer of a stream does not begin, known at `now`: the stream has ended or an error came instead (0), it broke (1), or
    /// nothing came in time (2). The target has failed.
    pub fn not_begun(&mut self, how: u8, now: f64) {
        let Some(call) = &mut self.call else { return };
        let Some(stream) = call.relay.take() else { return };
        let failed = |failure| (Outcome::Failed, Refusal::no_answer(failure));
        let ((outcome, refusal), ending) = match (stream.failed(), how) {
            (Instead::Secret, _) => ((Outcome::Failed, Refusal::provider_credentials(200)), Ending::Silent),
            (Instead::Said(Failed { name, data }), _) => {
                (answer::instead(call.from(), name.as_deref(), &data, millis(now)), Ending::NeverBegan)
            }
            (Instead::Nothing, 2) => (failed(Failure::Slow), Ending::Stalled),
            (Instead::Nothing, 1) => (failed(Failure::Cut), Ending::Stalled),
            (Instead::Nothing, _) => (failed(Failure::Empty), Ending::NeverBegan),
        };
        self.target_failed(outcome, ending, &refusal);
    }

    /// The client has left before the answer began: it was sent, and is billed for that.
    pub fn left(&mut self) {
        if let Some(call) = &mut self.call {
            call.attempted(Outcome::Answered, Ending::Silent);
            call.end = End { status: 200, ..End::default() };
        }
    }

    /// The head of an answer that is not there yet, for a client that waits for a stream; nothing for one that does not know
    /// comments, of which the answer then consists until it is there.
    pub fn early_headers(&self) -> Option<String> {
        let call = self.call.as_ref().filter(|call| call.endpoint.dialect() != Dialect::Gemini)?;
        let told = Told { cap: call.lowered(), ..Told::nothing(call.endpoint.dialect()) };
        Some(answer::headers(&self.id, EVENTS, &told, &self.gauges))
    }

    /// The answer, whose body this is, as the event that ends a stream in an error; nothing if it is none.
    pub fn event(&self, body: &[u8]) -> Option<Vec<u8>> {
        let endpoint = self.call.as_ref()?.endpoint;
        let is_error = !(200..300).contains(&self.answer.status);
        let fault = || endpoint.dialect().read_fault(&serde_json::from_slice(body).unwrap_or_default());
        is_error.then(|| refusal::event(endpoint, fault()))
    }

    /// Takes a whole answer, at `now`: whether it is one, and goes to the client. What goes in its place is the text, if there is
    /// one.
    pub fn whole(&mut self, body: &[u8], now: f64) -> bool {
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
            let (outcome, ending, refusal) = answer::no_answer(from, body, millis(now));
            self.target_failed(outcome, ending, &refusal);
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
                call.goes_on = call.is_behind() && reach::goes_on(body);
            }
            call.ended(status, told.known, told.service);
        }
        true
    }
}
