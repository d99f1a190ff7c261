//! One call's life: read, admitted by the tenant's object, sent to one target after the other until
//! one answers, settled once. Its order is in `front.js`; every decision is here.

use super::object::to_json;
use super::stream::Stream;
use super::through::passage::Passage;
use super::visit::{Asked, Visit};
use crate::answer::Failing;
use crate::attempt::{Attempts, Ending};
use crate::dialect::{BadRequest, Dialect, Endpoint, Envelope};
use crate::health::Outcome;
use crate::idempotency::{Following, Idempotency};
use crate::key::Presented;
use crate::reach::{Made, Reach, What};
use crate::reckon::{Bounds, CONTEXT, Known, READINGS, Reckoning};
use crate::refusal::Refusal;
use crate::relay::Metered;
use crate::rows::End;
use crate::secret::Secret;
use crate::secret::watch::Watch;
use crate::service::Service;
use crate::translate::Outgoing;
use crate::units::{Millis, Tokens};
use crate::wire::{Admission, AnsweredBy, Ask, Denial, Hop, Reply, Settlement};
use std::rc::Rc;
use wasm_bindgen::prelude::{JsError, wasm_bindgen};

/// How a stream ended, as `glue.js` says it: its client left.
const LEFT: u8 = 2;

/// A call, as far as it has come.
pub(super) struct Call {
    pub(super) endpoint: Endpoint,
    /// The model and whether a stream is asked for, where the path says so.
    asked: Option<(String, bool)>,
    /// The stream is to be one JSON list.
    pub(super) list: bool,
    /// Which version of Anthropic's interface the client speaks, and the features that it tries out.
    pub(super) anthropic: [String; 2],
    pub(super) body: Vec<u8>,
    pub(super) envelope: Option<Envelope>,
    /// Its `Idempotency-Key`.
    pub(super) name: Option<String>,
    pub(super) admission: Option<Admission>,
    /// The call whose answer it gets, instead of being made.
    pub(super) following: Option<Following>,
    /// The target that is being tried: it is the admission's so-many-eth, counted from 1.
    pub(super) tried: usize,
    /// What that target is sent.
    pub(super) outgoing: Option<Outgoing>,
    /// Where that is sent; empty where it goes to a binding.
    pub(super) address: String,
    /// The secrets that it is shown, which must not come back.
    pub(super) secrets: Vec<Secret>,
    /// The token that Google is shown.
    pub(super) token: Option<Secret>,
    /// What watches that they do not.
    pub(super) watch: Rc<Watch>,
    pub(super) attempts: Attempts,
    /// The answer broke off before its usage was told.
    pub(super) cut: bool,
    /// The failure of that target, until its body is read.
    pub(super) failing: Option<Failing>,
    pub(super) relay: Option<Stream>,
    /// What a whole answer passes through that is too long to be held.
    pub(super) passage: Option<Passage>,
    /// Only the beginning of the answer was read.
    pub(super) excerpt: bool,
    /// The ids of what its provider has kept of it.
    pub(super) kept: Vec<String>,
    /// The provider works on behind its answer.
    pub(super) goes_on: bool,
    pub(super) end: End,
    /// What the object is to price it by.
    answered_by: Option<AnsweredBy>,
    /// How long the object has heard nothing of it, while it waits for an answer.
    pub(super) silence: Millis,
}

impl Call {
    pub(super) fn new(asked: Asked) -> Self {
        let Asked { endpoint, model, list, anthropic, name } = asked;
        Self {
            endpoint,
            asked: model,
            list,
            anthropic,
            body: Vec::new(),
            envelope: None,
            name,
            admission: None,
            following: None,
            tried: 0,
            outgoing: None,
            address: String::new(),
            secrets: Vec::new(),
            token: None,
            watch: Rc::default(),
            attempts: Attempts::default(),
            cut: false,
            failing: None,
            relay: None,
            passage: None,
            excerpt: false,
            kept: Vec::new(),
            goes_on: false,
            end: End::default(),
            answered_by: None,
            silence: Millis::ZERO,
        }
    }

    pub(super) fn hop(&self) -> Option<&Hop> {
        self.admission.as_ref()?.hops.get(self.tried.checked_sub(1)?)
    }

    fn ask(&self, id: &str, presented: &Presented, origin: Option<String>) -> Option<Ask> {
        let envelope = self.envelope.as_ref()?;
        Some(Ask {
            call: id.to_owned(),
            key: presented.key.clone(),
            hash: presented.hash.clone(),
            model: envelope.model.clone(),
            endpoint: self.endpoint.name().to_owned(),
            shape: envelope.shape,
            output: self.endpoint.has_output(),
            free: self.endpoint.counts(),
            output_cap: envelope.output_cap,
            choices: envelope.n,
            idempotency: self.name.as_ref().map(|name| Idempotency::of(name, &self.place(), &self.body)),
            through: None,
            reach: Reach { dialect: Some(self.endpoint.dialect()), ..envelope.reach.clone() },
            origin,
        })
    }

    /// The output cap that was set in place of what the client asked for.
    pub(super) fn lowered(&self) -> Option<Tokens> {
        let cap = self.admission.as_ref()?.output_cap?;
        let own = self.envelope.as_ref()?.output_cap;
        own.is_none_or(|own| own > cap).then_some(cap)
    }

    /// Whether a target was called.
    pub(super) fn has_attempted(&self) -> bool {
        !self.attempts.is_empty()
    }

    /// The target that is being tried is sent the request.
    pub(super) fn sends(&mut self) {
        if let Some(target) = self.hop().map(|hop| hop.target.clone()) {
            self.attempts.send(&target);
        }
    }

    pub(super) fn attempted(&mut self, outcome: Outcome, ending: Ending) {
        if let Some(target) = self.hop().map(|hop| hop.target.clone()) {
            self.attempts.end(&target, outcome, ending);
        }
    }

    /// What the call is taken to have used where its provider does not say.
    pub(super) fn reckoning(&self) -> Reckoning {
        let (Some(admission), Some(envelope)) = (&self.admission, &self.envelope) else {
            return Reckoning::default();
        };
        let (choices, shape) = (envelope.n, envelope.shape);
        let capped = |each: Tokens| each.plus(shape.uncapped_output()).times(choices);
        // The provider was told the cap: a count above it counts something else.
        let told = admission.output_cap.or(envelope.output_cap).map(capped);
        let output_max = if self.endpoint.has_output() { told } else { Some(Tokens::ZERO) };
        let bounds = admission.input_max.map(|sent| {
            let readings = if shape.unbounded { READINGS } else { 1 };
            let context = admission.context.unwrap_or(CONTEXT);
            let output = output_max.or(admission.max_output.map(|each| each.times(choices)));
            let output = output.unwrap_or(CONTEXT).max(if shape.unbounded { context } else { Tokens::ZERO });
            Bounds { sent, input: context.times(readings), output }
        });
        Reckoning { input: admission.input_estimate, output_max, bounds }
    }

    /// Notes how the call ended, and at what it is billed: of a service other than the standard one the object has the price.
    pub(super) fn ended(&mut self, status: u16, known: Known, told: Service) {
        if let Some((end, answered_by)) = self.terms().map(|terms| terms.bill(status, known, told)) {
            (self.end, self.answered_by) = (end, answered_by);
        }
    }
}

impl Call {
    /// What tells the address that is called from others.
    fn place(&self) -> String {
        let form = if self.list { " list" } else { "" };
        let model = self.asked.as_ref().map(|(model, stream)| format!(" {model} {stream}{form}"));
        format!("{}{}", self.endpoint.name(), model.unwrap_or_default())
    }

    fn read(&self, body: &[u8]) -> Result<Envelope, BadRequest> {
        match &self.asked {
            Some((model, stream)) => Envelope::read_gemini(self.endpoint, model, *stream, body),
            None => Envelope::read(self.endpoint, body),
        }
    }

    /// The dialect of the target that is being tried.
    pub(super) fn from(&self) -> Dialect {
        self.outgoing.as_ref().map_or(self.endpoint.dialect(), |outgoing| outgoing.dialect)
    }

    /// What its answer can tell of what the provider keeps of it, where that is to be remembered.
    pub(super) fn made(&self) -> Option<Made> {
        let is_asked = self.hop().is_some_and(|hop| hop.shared) || self.is_behind();
        self.envelope.as_ref().filter(|_| is_asked && self.from() == self.endpoint.dialect())?.made()
    }

    /// Whether its provider may work on behind its answer.
    pub(super) fn is_behind(&self) -> bool {
        self.envelope
            .as_ref()
            .is_some_and(|envelope| envelope.reach.named.iter().any(|named| named.what == What::Later))
    }

    /// When it was admitted, in seconds since 1970.
    pub(super) fn created(&self) -> u64 {
        self.admission.as_ref().map_or(0, |admission| admission.at.millis().get() / 1_000)
    }
}

impl Visit {
    /// Makes a refusal the answer, and what the call ended with: it used nothing.
    pub(super) fn give_up(&mut self, refusal: &Refusal) {
        self.refuse(refusal);
        if let Some(call) = &mut self.call {
            call.end = End { status: refusal.status, ..End::default() };
            call.answered_by = None;
        }
    }

    /// The target that is being tried has failed.
    pub(super) fn target_failed(&mut self, outcome: Outcome, ending: Ending, refusal: &Refusal) {
        if let Some(call) = &mut self.call {
            call.attempted(outcome, ending);
        }
        self.give_up(refusal);
    }
}

#[wasm_bindgen]
impl Visit {
    /// Reads the request's body, which came at once: whether it is in order.
    pub fn read(&mut self, body: Vec<u8>) -> bool {
        let Some(call) = &mut self.call else {
            return false;
        };
        match call.read(&body) {
            Ok(envelope) => {
                call.body = body;
                call.envelope = Some(envelope);
                true
            }
            Err(bad) => {
                self.refuse(&Refusal::bad_request(bad));
                false
            }
        }
    }

    /// What the tenant's object is asked.
    pub fn ask(&self) -> String {
        let ask = self.call.as_ref().and_then(|call| call.ask(&self.id, self.presented()?, self.origin()));
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
                self.deny(denial, &model);
            }
            Reply::Follow(following) => call.following = Some(following),
            Reply::Settled | Reply::Barred { .. } => self.refuse(&Refusal::no_decision()),
        }
        Ok(false)
    }

    /// Whether the client asks for a stream.
    pub fn streams(&self) -> bool {
        self.call.as_ref().and_then(|call| call.envelope.as_ref()).is_some_and(|envelope| envelope.stream)
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
        let Some(stream) = call.relay.clone() else { return };
        call.kept = stream.made();
        let (Metered { known, whole, finished }, service) = (stream.metered(), stream.service());
        let outcome = if how != LEFT && !whole { Outcome::Failed } else { Outcome::Answered };
        let told = known.usage.is_some() && known.since == Tokens::ZERO && (whole || finished);
        let known = stream.known(call, how == LEFT);
        call.goes_on = call.is_behind() && !whole;
        if (!whole || stream.was_stopped()) && !told && known.counted == Tokens::ZERO {
            // Nothing came of it: what it used is as little known as where there is no head.
            call.attempted(outcome, Ending::Silent);
            call.end = End { status: 200, ..End::default() };
        } else {
            call.attempted(outcome, Ending::Answered);
            call.ended(200, known, service);
            call.cut = how != LEFT && !whole && !told;
        }
    }

    /// How the call ended, for the tenant's object.
    pub fn settlement(&mut self) -> String {
        let name = self.name();
        let Some(call) = &mut self.call else {
            return String::new();
        };
        let (silent, attempts) = (call.attempts.silent(), call.attempts.take());
        let mut end = std::mem::take(&mut call.end);
        end.attempts = u32::try_from(attempts.len()).unwrap_or(u32::MAX);
        let at = call.admission.as_ref().map(|admission| admission.at);
        let bounded = end.take_bounded();
        let (answered_by, cut) = (call.answered_by.take(), std::mem::take(&mut call.cut));
        let kept = std::mem::take(&mut call.kept);
        let (call, goes_on) = (self.id.clone(), call.goes_on);
        to_json(&Settlement {
            at,
            call,
            end,
            attempts,
            name,
            answered_by,
            silent,
            cut,
            kept,
            goes_on,
            bounded,
            ..Settlement::default()
        })
    }
}
