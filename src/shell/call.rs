//! One call's life: read, admitted by the tenant's object, sent to one target after the other until
//! one answers, settled once. Its order is in `front.js`; every decision is here.

use super::object::to_json;
use super::stream::Stream;
use super::visit::{Answer, Visit};
use crate::answer::{self, Verdict};
use crate::chat::Usage;
use crate::dialect::Endpoint;
use crate::dialect::openai::count::count_answer;
use crate::dialect::openai::usage::read_answer;
use crate::dialect::{Edit, Envelope, OutputCap};
use crate::health::Outcome;
use crate::idempotency::{Following, Idempotency};
use crate::key::Presented;
use crate::reckon::{Known, Reckoning};
use crate::refusal::{Failure, Refusal};
use crate::rows::End;
use crate::settle;
use crate::units::{NanoUsd, Tokens};
use crate::wire::{Admission, Ask, Denial, Hop, Reply, Settlement};
use wasm_bindgen::prelude::{JsError, wasm_bindgen};

/// The largest request body, in bytes: an isolate has 128 MB for all its calls, and a body is held up to five times on its way.
const BODY_BYTES_MAX: u32 = 16 * 1_024 * 1_024;

/// A call, as far as it has come.
pub(super) struct Call {
    endpoint: Endpoint,
    body: Vec<u8>,
    pub(super) envelope: Option<Envelope>,
    /// Its `Idempotency-Key`.
    pub(super) name: Option<String>,
    pub(super) admission: Option<Admission>,
    /// The call whose answer it gets, instead of being made.
    pub(super) following: Option<Following>,
    /// The target that is being tried: it is the admission's so-many-eth, counted from 1.
    tried: usize,
    secret: Option<String>,
    attempts: Vec<(String, Outcome)>,
    pub(super) relay: Option<Stream>,
    pub(super) end: End,
}

impl Call {
    pub(super) fn new(endpoint: Endpoint, name: Option<String>) -> Self {
        let (body, envelope, attempts, end) = (Vec::new(), None, Vec::new(), End::default());
        let (admission, following, tried, secret, relay) = (None, None, 0, None, None);
        Self { endpoint, body, envelope, name, admission, following, tried, secret, attempts, relay, end }
    }

    pub(super) fn hop(&self) -> Option<&Hop> {
        self.admission.as_ref()?.hops.get(self.tried.checked_sub(1)?)
    }

    fn ask(&self, id: &str, presented: &Presented) -> Option<Ask> {
        let envelope = self.envelope.as_ref()?;
        Some(Ask {
            call: id.to_owned(),
            key: presented.key.clone(),
            hash: presented.hash.clone(),
            model: envelope.model.clone(),
            endpoint: self.endpoint.name().to_owned(),
            shape: envelope.shape,
            output: self.endpoint == Endpoint::Chat,
            output_cap: envelope.output_cap,
            choices: envelope.n,
            idempotency: self.name.as_ref().map(|name| Idempotency::of(name, self.endpoint.name(), &self.body)),
        })
    }

    /// The body for the target that is being tried.
    fn spliced(&self) -> Option<Vec<u8>> {
        let (envelope, admission, hop) = (self.envelope.as_ref()?, self.admission.as_ref()?, self.hop()?);
        let output_cap = admission.output_cap.map(|tokens| OutputCap { tokens, field: hop.cap_field });
        Some(envelope.splice(&self.body, &Edit { model: &hop.model, output_cap, usage: true }))
    }

    /// The output cap that was set in place of what the client asked for.
    fn lowered(&self) -> Option<Tokens> {
        let cap = self.admission.as_ref()?.output_cap?;
        let own = self.envelope.as_ref()?.output_cap;
        own.is_none_or(|own| own > cap).then_some(cap)
    }

    fn attempted(&mut self, outcome: Outcome) {
        if let Some(target) = self.hop().map(|hop| hop.target.clone()) {
            self.attempts.push((target, outcome));
        }
    }

    /// What the call is taken to have used where its provider does not say.
    pub(super) fn reckoning(&self) -> Reckoning {
        let admission = self.admission.as_ref();
        let choices = self.envelope.as_ref().map_or(1, |envelope| envelope.n);
        Reckoning {
            input: admission.map_or(Tokens::ZERO, |admission| admission.input_estimate),
            // The provider was told the cap: a count above it counts something else.
            output_max: admission.and_then(|admission| admission.output_cap).map(|each| each.times(choices)),
        }
    }

    /// Notes how the call ended, and at what it is billed.
    fn ended(&mut self, status: u16, known: Known) {
        let (bill, truth) = settle::bill(known, &self.reckoning());
        let Some(hop) = self.hop() else { return };
        let (priced_by, target) = (hop.priced_by.clone(), hop.target.clone());
        // A provider that refuses a request does not charge for it, not even what each call costs.
        let answered = (200..300).contains(&status);
        let cost = if answered { hop.price.cost(bill) } else { NanoUsd::ZERO };
        self.end = End { bill, cost, truth, priced_by, target, status, ..End::default() };
    }
}

impl Visit {
    /// Makes a refusal the answer, and what the call ended with: it used nothing.
    fn give_up(&mut self, refusal: &Refusal) {
        self.refuse(refusal);
        if let Some(call) = &mut self.call {
            call.end = End { status: refusal.status, ..End::default() };
        }
    }

    /// The target that is being tried has failed.
    fn target_failed(&mut self, outcome: Outcome, refusal: &Refusal) {
        if let Some(call) = &mut self.call {
            call.attempted(outcome);
        }
        self.give_up(refusal);
    }

    /// The head of an answer that comes from a provider.
    fn answered(&mut self, status: u16, content_type: &str) {
        let Some(call) = &self.call else {
            return;
        };
        let target = call.hop().map(|hop| hop.target.as_str());
        let headers = answer::headers(&self.id, content_type, target, call.lowered(), &self.gauges);
        self.answer = Answer { status, headers, text: String::new() };
    }
}

#[wasm_bindgen]
impl Visit {
    /// The largest body that is taken, in bytes.
    pub fn body_max(&self) -> u32 {
        BODY_BYTES_MAX
    }

    /// Reads the request's body; nothing stands for one that is too large. Whether it is in order.
    pub fn read(&mut self, body: Option<Vec<u8>>) -> bool {
        let Some(call) = &mut self.call else {
            return false;
        };
        let envelope = match &body {
            None => Err(Refusal::too_large(BODY_BYTES_MAX)),
            Some(body) => Envelope::read(call.endpoint, body).map_err(Refusal::bad_request),
        };
        match envelope {
            Ok(envelope) => {
                call.body = body.unwrap_or_default();
                call.envelope = Some(envelope);
                true
            }
            Err(refusal) => {
                self.refuse(&refusal);
                false
            }
        }
    }

    /// What the tenant's object is asked.
    pub fn ask(&self) -> String {
        let ask = self.call.as_ref().and_then(|call| call.ask(&self.id, self.presented()?));
        ask.map(|ask| to_json(&ask)).unwrap_or_default()
    }

    /// Takes the object's answer: whether the call may go out.
    ///
    /// # Errors
    /// The answer cannot be read: it may have been admitted all the same.
    pub fn admitted(&mut self, reply: &str) -> Result<bool, JsError> {
        let Some(call) = &mut self.call else {
            return Ok(false);
        };
        match serde_json::from_str(reply)? {
            Reply::Admitted(mut admission) => {
                self.gauges = std::mem::take(&mut admission.gauges);
                call.admission = Some(admission);
                return Ok(true);
            }
            Reply::Denied(mut denial) => {
                if let Denial::Limited { gauges, .. } = &mut denial {
                    self.gauges = std::mem::take(gauges);
                }
                let model = call.envelope.as_ref().map(|envelope| envelope.model.clone()).unwrap_or_default();
                self.refuse(&Refusal::denied(denial, &model));
            }
            Reply::Follow(following) => call.following = Some(following),
            Reply::Settled => self.refuse(&Refusal::no_decision()),
        }
        Ok(false)
    }

    /// Whether the client asks for a stream.
    pub fn streams(&self) -> bool {
        self.call.as_ref().and_then(|call| call.envelope.as_ref()).is_some_and(|envelope| envelope.stream)
    }

    /// The name of the secret that the next target needs, if it needs one.
    pub fn secret_name(&self) -> Option<String> {
        let call = self.call.as_ref()?;
        call.admission.as_ref()?.hops.get(call.tried)?.secret.clone()
    }

    /// Turns to the next target with its secret: whether there is one that can be called.
    pub fn next(&mut self, secret: Option<String>) -> bool {
        let needed = self.secret_name();
        let Some(call) = &mut self.call else {
            return false;
        };
        call.tried = call.tried.saturating_add(1);
        if call.hop().is_none() {
            return false;
        }
        if let Some(name) = needed.filter(|_| secret.is_none()) {
            let remedy = format!("Set it: npx wrangler secret put {name}");
            self.give_up(&Refusal::not_set_up(&format!("the secret {name}"), &remedy));
            return false;
        }
        call.secret = secret.map(|secret| secret.trim().to_owned());
        true
    }

    /// Where the request goes.
    pub fn url(&self) -> String {
        let address = |call: &Call| Some(format!("{}{}", call.hop()?.base_url, call.endpoint.path()));
        self.call.as_ref().and_then(address).unwrap_or_default()
    }

    /// The request's headers, as lines. Only what is named here goes to a provider: nothing of the client's own head.
    pub fn outgoing_headers(&self) -> String {
        let accept = if self.streams() { "text/event-stream" } else { "application/json" };
        let secret = self.call.as_ref().and_then(|call| call.secret.as_deref());
        let bearer = secret.map(|secret| format!("\nauthorization\nBearer {secret}")).unwrap_or_default();
        let id = &self.id;
        format!(
            "content-type\napplication/json\naccept\n{accept}\nuser-agent\ntollgate\nx-client-request-id\n{id}{bearer}"
        )
    }

    /// The request's body.
    pub fn outgoing_body(&self) -> Vec<u8> {
        self.call.as_ref().and_then(Call::spliced).unwrap_or_default()
    }

    /// How long the head of the answer may take, and then its body, in milliseconds.
    pub fn timeout(&self) -> u32 {
        let timeout = self.call.as_ref().and_then(Call::hop).map(|hop| hop.timeout.get());
        timeout.and_then(|timeout| u32::try_from(timeout).ok()).unwrap_or(u32::MAX)
    }

    /// Something went wrong that should not: the call is over.
    pub fn crashed(&mut self, why: &str) {
        worker::console_error!("a call ended in an error of the gateway: {why}");
        self.give_up(&Refusal::crashed());
    }

    /// There is no answer: its time ran out (`late`), it broke off (`begun`), or there was no connection.
    pub fn failed(&mut self, late: bool, begun: bool) {
        let failure = match (late, begun) {
            (true, _) => Failure::Slow,
            (false, true) => Failure::Cut,
            (false, false) => Failure::Unreachable,
        };
        self.target_failed(Outcome::Failed, &Refusal::no_answer(failure));
    }

    /// Takes the head of a provider's answer: 0 read its body, 1 it is a stream, 2 drop it and go on.
    pub fn head(&mut self, status: u16, lines: &str) -> u8 {
        let Some(call) = &self.call else {
            return 2;
        };
        if call.secret.as_ref().is_some_and(|secret| lines.contains(secret.as_str())) {
            self.target_failed(Outcome::Failed, &Refusal::provider_credentials(status));
            return 2;
        }
        let streams = self.streams();
        let show_usage = call.envelope.as_ref().is_some_and(|envelope| envelope.show_usage);
        match answer::judge(status, lines, streams) {
            Verdict::Whole(content_type) => {
                self.answered(status, &content_type);
                0
            }
            Verdict::Stream => {
                self.answered(200, "text/event-stream; charset=utf-8\ncache-control\nno-cache");
                if let Some(call) = &mut self.call {
                    call.relay = Some(Stream::new(show_usage, call.secret.take()));
                    call.body = Vec::new();
                }
                1
            }
            Verdict::Failed(outcome, refusal) => {
                self.target_failed(outcome, &refusal);
                2
            }
        }
    }

    /// Takes a whole answer: whether it is one, and goes to the client.
    pub fn whole(&mut self, body: &[u8]) -> bool {
        let status = self.answer.status;
        let Some(call) = &mut self.call else {
            return false;
        };
        let refused = !(200..300).contains(&status);
        let quotes = |secret: &String| memchr::memmem::find(body, secret.as_bytes()).is_some();
        if call.secret.as_ref().is_some_and(quotes) {
            self.target_failed(Outcome::Failed, &Refusal::provider_credentials(status));
            return false;
        }
        let known = match read_answer(body) {
            // A refusal is for nothing.
            _ if refused => Known { usage: Some(Usage::default()), ..Known::default() },
            Ok(usage) => {
                let counted = if call.endpoint == Endpoint::Chat { count_answer(body) } else { Tokens::ZERO };
                Known { usage, counted, since: Tokens::ZERO }
            }
            Err(_) => {
                self.target_failed(Outcome::Failed, &Refusal::no_answer(Failure::Cut));
                return false;
            }
        };
        call.attempted(Outcome::Answered);
        call.ended(status, known);
        true
    }

    /// The relay that a stream passes through.
    pub fn relay(&self) -> Option<Stream> {
        self.call.as_ref()?.relay.clone()
    }

    /// A stream has ended: 0 by itself, 1 cut by the provider, 2 the client left.
    pub fn streamed(&mut self, how: u8) {
        let Some(call) = &mut self.call else {
            return;
        };
        if let Some(metered) = call.relay.as_ref().map(Stream::metered) {
            let cut = how != 2 && !metered.whole;
            call.attempted(if cut { Outcome::Failed } else { Outcome::Answered });
            call.ended(200, metered.known);
        }
    }

    /// How the call ended, for the tenant's object.
    pub fn settlement(&mut self) -> String {
        let name = self.name();
        let Some(call) = &mut self.call else {
            return String::new();
        };
        let attempts = std::mem::take(&mut call.attempts);
        let mut end = std::mem::take(&mut call.end);
        end.attempts = u32::try_from(attempts.len()).unwrap_or(u32::MAX);
        let at = call.admission.as_ref().map(|admission| admission.at);
        to_json(&Settlement { at, call: self.id.clone(), end, attempts, name })
    }
}
