//! A streamed answer on its way through: the part of the relay that JavaScript calls.

use super::call::Call;
use super::object::to_json;
use super::visit::Visit;
use crate::catalog::OUTPUT_DEFAULT;
use crate::dialect::Endpoint;
use crate::dialect::gemini::list::List;
use crate::dialect::openai::ending::Heading;
use crate::dialect::thinking::Thinking;
use crate::policy::Disconnect;
use crate::reckon::Known;
use crate::refusal::Refusal;
use crate::relay::{End, Failed, Metered, Relay, Relayed, Start, Stop};
use crate::secret::watch::Watch;
use crate::service::Service;
use crate::settle;
use crate::units::{Millis, Tokens};
use crate::wire::{Amend, Amended};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use wasm_bindgen::prelude::{JsError, wasm_bindgen};

/// How long nothing is said of a call under way of which nothing new comes, at the most; and how often in its lease something is,
/// at the least.
const SILENCE_MAX: Millis = Millis::from_secs(60);
const REPORTS_MIN: u64 = 3;
/// How often it is asked whether there is something to be said, at the least and at the most, in milliseconds.
const REPORT_MS: u32 = 5_000;
const REPORT_MS_MIN: u32 = 250;

/// How often it is asked whether there is something to be said of a call under way whose lease is so long, in milliseconds.
pub(super) fn reports_every(lease: Millis) -> u32 {
    let part = u32::try_from(lease.get() / REPORTS_MIN).unwrap_or(REPORT_MS);
    part.clamp(REPORT_MS_MIN, REPORT_MS)
}

/// How long nothing may be said of a call under way whose lease is so long.
pub(super) fn reported_within(lease: Millis) -> Millis {
    SILENCE_MAX.min(Millis::new(lease.get() / REPORTS_MIN))
}

/// The most that is held of a stream whose answer has not begun: what a Responses provider repeats of a long request, twice.
const HELD_BYTES_MAX: usize = 128 * 1_024;

/// One stream's relay, shared by the pump that feeds it and the call that bills it.
#[wasm_bindgen]
#[derive(Clone)]
pub struct Stream(Rc<Passage>);

struct Passage {
    relay: RefCell<Relay>,
    /// What its client called.
    endpoint: Endpoint,
    /// What makes one list of it, where its client wants that.
    list: RefCell<Option<List>>,
    /// Watches that the secrets which the provider was shown do not come back.
    watch: Rc<Watch>,
    /// Whether it did, and nothing more is passed on.
    stopped: Cell<bool>,
    /// What came before the answer begins; nothing once it has.
    held: RefCell<Option<Vec<u8>>>,
    /// It is read on when its client has left, whatever is still to come.
    drains: bool,
    /// What the request says of thinking.
    thinking: Thinking,
    told: Cell<Told>,
}

/// What the tenant's object knows of a stream.
#[derive(Clone, Copy, Default)]
struct Told {
    /// The output that it was told of last, and the output that it is known to have heard of.
    sent: Tokens,
    heard: Tokens,
    /// How long it has heard nothing, and how long it was not asked whether there is something to be told.
    silence: Millis,
    unasked: Millis,
}

/// What came where an answer should have begun.
pub(super) enum Instead {
    /// A secret.
    Secret,
    /// An error, or what cannot be read.
    Said(Failed),
    /// Nothing.
    Nothing,
}

impl Stream {
    /// Whether the answer has begun, so that no other target is tried.
    fn has_begun(&self) -> bool {
        self.0.held.borrow().is_none()
    }

    /// The stream that answers `call`, whose request is still there.
    pub(super) fn new(relay: Relay, call: &Call, watch: Rc<Watch>) -> Self {
        let (relay, stopped, told) = (RefCell::new(relay), Cell::new(false), Cell::default());
        let list = RefCell::new(call.list.then(List::default));
        let held = RefCell::new(Some(Vec::new()));
        let admission = call.admission.as_ref();
        let drains = admission.is_some_and(|admission| admission.on_disconnect == Disconnect::Drain);
        let (endpoint, thinking) = (call.endpoint, Thinking::read(&call.body));
        Self(Rc::new(Passage { relay, endpoint, list, watch, stopped, held, drains, thinking, told }))
    }

    pub(super) fn metered(&self) -> Metered {
        self.0.relay.borrow().metered()
    }

    /// Its relay, with all that has come, for whoever reads it on: nothing more of it passes.
    pub(super) fn taken(&self) -> Relay {
        self.0.relay.replace(Relay::new(false))
    }

    /// The ids of what its provider has kept.
    pub(super) fn made(&self) -> Vec<String> {
        self.0.relay.borrow_mut().made()
    }

    pub(super) fn service(&self) -> Service {
        self.0.relay.borrow().served().0
    }

    /// What is known of the stream that answers `call`, now that it is over. `left`: its client went before its provider was done.
    pub(super) fn known(&self, call: &Call, left: bool) -> Known {
        let (relay, thinking) = (self.0.relay.borrow(), self.0.thinking);
        let known = relay.metered().over();
        if !left && !self.0.stopped.get() && !relay.is_stopped() {
            return known;
        }
        let (choices, own) = call.envelope.as_ref().map_or((1, None), |envelope| (envelope.n, envelope.output_cap));
        let max_output = call.admission.as_ref().and_then(|admission| admission.max_output);
        let each = [own, max_output].into_iter().flatten().min().unwrap_or(OUTPUT_DEFAULT);
        let most = call.reckoning().output_max.unwrap_or(each.times(choices));
        relay.with_thoughts(known, thinking.asked, thinking.budget.map(|budget| budget.times(choices)), most)
    }

    /// Whether the gateway has ended it before its provider did.
    pub(super) fn was_stopped(&self) -> bool {
        self.0.relay.borrow().is_stopped()
    }

    /// The bytes to send on, unless they quote the secret. They are whole frames, so none can hide in a cut.
    fn checked(&self, chunk: &[u8], relayed: Option<Vec<u8>>) -> Option<Vec<u8>> {
        let bytes = relayed.as_deref().unwrap_or(chunk);
        if !self.quotes(bytes) {
            return relayed;
        }
        self.0.stopped.set(true);
        Some(Refusal::provider_credentials(200).event(self.0.endpoint))
    }

    /// Whether this quotes a secret that was shown to the provider.
    pub(super) fn quotes(&self, bytes: &[u8]) -> bool {
        self.0.watch.finds(bytes)
    }

    /// What came where the answer should have begun; nothing of it if that quotes a secret.
    pub(super) fn failed(&self) -> Instead {
        let failed = self.0.relay.borrow().failed().cloned();
        match failed {
            _ if self.0.stopped.get() => Instead::Secret,
            Some(failed) if self.quotes(&failed.data) => Instead::Secret,
            Some(failed) => Instead::Said(failed),
            None => Instead::Nothing,
        }
    }

    fn start(&self) -> Start {
        if self.0.stopped.get() { Start::Failed } else { self.0.relay.borrow().start() }
    }

    /// The bytes to send on now, with those that were held back, or none as long as the answer has not begun.
    fn due(&self, chunk: &[u8], formed: Option<Vec<u8>>) -> Option<Vec<u8>> {
        let mut held = self.0.held.borrow_mut();
        let Some(before) = held.as_mut() else { return formed };
        let bytes = formed.as_deref().unwrap_or(chunk);
        let goes = self.start() == Start::Begun || before.len().saturating_add(bytes.len()) > HELD_BYTES_MAX;
        if goes && before.is_empty() {
            *held = None;
            return formed;
        }
        before.extend_from_slice(bytes);
        Some(if goes { held.take().unwrap_or_default() } else { Vec::new() })
    }

    /// The bytes to send on in the form that the client wants.
    fn formed(&self, chunk: &[u8], checked: Option<Vec<u8>>) -> Option<Vec<u8>> {
        match &mut *self.0.list.borrow_mut() {
            Some(list) => Some(list.take(checked.as_deref().unwrap_or(chunk), self.over())),
            None => checked,
        }
    }
}

#[wasm_bindgen]
impl Stream {
    /// Takes the provider's next chunk; the bytes to send on in its place, or nothing for the chunk itself.
    pub fn push(&self, chunk: &[u8]) -> Option<Vec<u8>> {
        let relayed = match self.0.relay.borrow_mut().push(chunk) {
            Relayed::Same => None,
            Relayed::Bytes(bytes) | Relayed::Failed(bytes) => Some(bytes),
        };
        self.due(chunk, self.formed(chunk, self.checked(chunk, relayed)))
    }

    /// How far the beginning of the answer is: 0 nothing has come of it, 1 it has begun, 2 it does not begin.
    pub fn started(&self) -> u8 {
        match self.start() {
            Start::Waiting if self.0.held.borrow().is_some() => 0,
            Start::Waiting | Start::Begun => 1,
            Start::Failed => 2,
        }
    }

    /// How many bytes are held of it.
    pub fn held(&self) -> u32 {
        u32::try_from(self.0.relay.borrow().held()).unwrap_or(u32::MAX)
    }

    /// Ends the stream because there is no room for what comes; the last bytes for the client.
    pub fn overflow(&self) -> Vec<u8> {
        let tail = self.0.relay.borrow_mut().overflow();
        self.formed(&[], self.checked(&[], Some(tail))).unwrap_or_default()
    }

    /// Whether nothing that still comes matters.
    pub fn over(&self) -> bool {
        self.0.stopped.get() || self.0.relay.borrow().is_over()
    }

    /// Whether it is read on when its client leaves now.
    pub fn drains(&self) -> bool {
        !self.over() && (self.0.drains || self.0.relay.borrow().owes_usage(self.0.thinking.asked))
    }

    /// Ends the stream; the last bytes for the client.
    pub fn finish(&self, cut: bool) -> Vec<u8> {
        let tail = self.0.relay.borrow_mut().finish(if cut { End::Cut } else { End::Whole });
        self.due(&[], self.formed(&[], self.checked(&[], Some(tail)))).unwrap_or_default()
    }
}

#[wasm_bindgen]
impl Visit {
    /// How often [`Visit::progress`] is to be asked, in milliseconds.
    pub fn reports_every(&self) -> u32 {
        let admission = self.call.as_ref().and_then(|call| call.admission.as_ref());
        reports_every(admission.map_or(Millis::ZERO, |admission| admission.lease))
    }

    /// How far the call has come, for the tenant's object, `ms` after this was last asked; empty where that is no news.
    pub fn progress(&mut self, ms: u32) -> String {
        let passed = Millis::new(ms.into());
        let told = |call: &mut Call| {
            if call.relay.is_some() { call.progress(&self.id, passed) } else { call.waiting(&self.id, passed) }
        };
        let amend = self.call.as_mut().and_then(told);
        amend.map(|amend| to_json(&amend)).unwrap_or_default()
    }

    /// Takes the object's answer: whether the stream is to be stopped at once.
    ///
    /// # Errors
    /// The answer cannot be read: the stream goes on.
    pub fn amended(&self, reply: &str) -> Result<bool, JsError> {
        let amended: Amended = serde_json::from_str(reply)?;
        Ok(self.call.as_ref().and_then(|call| call.amended(&self.id, amended)).unwrap_or(false))
    }
}

impl Call {
    fn progress(&self, id: &str, passed: Millis) -> Option<Amend> {
        let (stream, admission) = (self.relay.as_ref()?, self.admission.as_ref()?);
        let mut told = stream.0.told.get();
        told.silence = told.silence.plus(passed);
        told.unasked = told.unasked.plus(passed);
        if told.unasked < Millis::new(REPORT_MS.into()) {
            stream.0.told.set(told);
            return None;
        }
        told.unasked = Millis::ZERO;
        let known = stream.metered().known;
        let bill = settle::bill(known, &self.reckoning()).0;
        let output = bill.output;
        let is_news = output != told.heard || told.silence >= reported_within(admission.lease);
        told.sent = if is_news { output } else { told.sent };
        stream.0.told.set(told);
        if !is_news {
            return None;
        }
        // A usage that the bill would not believe tells nothing of the hold either.
        let usage = known.usage.map(settle::bill_of).filter(|said| said.input == bill.input);
        // Until the answer has begun another target may be the one that is billed.
        let target = self.hop().filter(|_| stream.has_begun()).map(|hop| hop.target.clone()).unwrap_or_default();
        Some(Amend { at: admission.at, call: id.to_owned(), target, output, usage, fixed: false })
    }

    /// That the call goes on, where the object has heard nothing for long. It waits for a target, or for its whole answer: which one
    /// it will be billed by is not known, and nothing can stop it.
    fn waiting(&mut self, id: &str, passed: Millis) -> Option<Amend> {
        let admission = self.admission.as_ref()?;
        self.silence = self.silence.plus(passed);
        if self.silence < reported_within(admission.lease) {
            return None;
        }
        self.silence = Millis::ZERO;
        let (at, call, target) = (admission.at, id.to_owned(), String::new());
        Some(Amend { at, call, target, output: Tokens::ZERO, usage: None, fixed: true })
    }

    fn amended(&self, id: &str, amended: Amended) -> Option<bool> {
        let (stream, admission, envelope) = (self.relay.as_ref()?, self.admission.as_ref()?, self.envelope.as_ref()?);
        let output = if amended.ended { Some(Tokens::ZERO) } else { amended.stop_at };
        let Told { sent, .. } = stream.0.told.get();
        stream.0.told.set(Told { sent, heard: sent, ..Told::default() });
        let (reckoning, created) = (self.reckoning(), admission.at.millis().get() / 1_000);
        let heading = || Heading::new(self.endpoint, id, created, &envelope.model);
        let mut relay = stream.0.relay.borrow_mut();
        relay.stop_at(output.map(|output| Stop { output, reckoning, heading: heading() }));
        Some(relay.is_stopping())
    }
}
