//! An answer that comes after its time: nobody is given it, but what it tells of its usage counts in place of an estimate. Its order
//! is in `late.js`.

use super::object::to_json;
use super::terms::Terms;
use super::through::Through;
use super::through::billed;
use super::visit::Visit;
use crate::answer::{self, Verdict, media};
use crate::attempt::Ending;
use crate::dialect::{Dialect, Endpoint, Stamp};
use crate::passthrough::Meter;
use crate::policy::Disconnect;
use crate::reckon::Known;
use crate::relay::{End as Over, Relay, Start};
use crate::rows::End;
use crate::translate;
use crate::units::{Millis, Tokens};
use crate::wire::{self, AnsweredBy, Hop, Settlement};
use wasm_bindgen::prelude::wasm_bindgen;

/// A whole answer is held to be read up to this, in bytes; of a longer one the usage is found in passing.
const HELD_BYTES_MAX: usize = 256 * 1_024;

/// An answer that comes after its time.
#[wasm_bindgen]
pub struct Latecomer {
    asked: Asked,
    reading: Reading,
    /// What it has told; nothing as long as that is no usage.
    word: Option<wire::Late>,
}

/// What was asked, and with that how the answer is read and billed.
enum Asked {
    Call { terms: Box<Terms<'static>>, endpoint: Endpoint, from: Dialect, streams: bool },
    Native { hop: Box<Hop>, path: String, sent: Option<u64> },
}

enum Reading {
    /// Its head has not come.
    Nothing,
    Stream(Box<Relay>),
    Whole {
        status: u16,
        meter: Box<Meter>,
        /// What has come; no more than [`HELD_BYTES_MAX`], and nothing once there was more.
        body: Vec<u8>,
        is_long: bool,
    },
}

impl Asked {
    fn target(&self) -> &str {
        match self {
            Self::Call { terms, .. } => &terms.hop.target,
            Self::Native { hop, .. } => &hop.target,
        }
    }

    /// The bill of a whole answer; `None`: it tells no usage.
    fn bill_whole(&self, status: u16, meter: &Meter, body: Option<&[u8]>) -> Option<(End, Option<AnsweredBy>)> {
        let (terms, endpoint, from) = match self {
            Self::Native { hop, path, sent } => {
                meter.usage()?;
                return Some(billed::bill(hop, path, meter, (status, false, *sent)));
            }
            Self::Call { terms, endpoint, from, .. } => (terms, *endpoint, *from),
        };
        let Some(body) = body else {
            let known = Known { usage: Some(meter.usage()?), ..Known::default() };
            return Some(terms.bill(status, known, meter.service()));
        };
        let Some(told) = translate::answer(from, endpoint, body, &NOBODY, false) else {
            let (_, ending, _) = answer::no_answer(from, body, Millis::ZERO);
            return (ending == Ending::NeverBegan).then(|| (End::default(), None));
        };
        told.known.usage.map(|_| terms.bill(status, told.known, told.service))
    }

    /// The bill of a stream that is over, `cut` by its provider or not; `None`: it tells no usage that is its last word.
    fn bill_stream(&self, relay: &Relay, cut: bool) -> Option<(End, Option<AnsweredBy>)> {
        let Self::Call { terms, .. } = self else { return None };
        let metered = relay.metered();
        let is_over = metered.whole || metered.finished;
        if metered.known.usage.is_some() && metered.known.since == Tokens::ZERO && is_over {
            return Some(terms.bill(200, metered.over(), relay.served().0));
        }
        let never_began = relay.start() == Start::Failed && (relay.failed().is_some() || !cut);
        never_began.then(|| (End::default(), None))
    }
}

/// An answer that nobody gets has no id and no name.
const NOBODY: Stamp<'_> = Stamp { id: "", created: 0, model: "" };

impl Latecomer {
    fn of(asked: Asked) -> Self {
        Self { asked, reading: Reading::Nothing, word: None }
    }

    fn tells(&mut self, (mut end, answered_by): (End, Option<AnsweredBy>)) {
        let (target, bounded) = (self.asked.target().to_owned(), end.take_bounded());
        self.word = Some(wire::Late { target, end, answered_by, bounded });
    }

    fn begins(&mut self, status: u16, content_type: &str, encoding: &str) -> bool {
        if !(200..300).contains(&status) {
            if Ending::of_status(status) != Ending::Silent {
                self.tells((End::default(), None));
            }
            return false;
        }
        if !media::is_unpacked(encoding) {
            return false;
        }
        let whole = |content_type| Reading::Whole {
            status,
            meter: Box::new(Meter::new(content_type)),
            body: Vec::new(),
            is_long: false,
        };
        self.reading = match &self.asked {
            Asked::Native { .. } => whole(content_type),
            Asked::Call { endpoint, from, streams, .. } => {
                match answer::judge(status, content_type, "", *streams, Millis::ZERO) {
                    Verdict::Stream => Reading::Stream(Box::new(Relay::between(*from, *endpoint, &NOBODY, false))),
                    Verdict::Whole(_) | Verdict::Failed(..) | Verdict::Failing(_) => whole("application/json"),
                }
            }
        };
        true
    }
}

#[wasm_bindgen]
impl Latecomer {
    /// Takes the head: whether what follows is to be read.
    pub fn head(&mut self, status: u16, content_type: &str, encoding: &str) -> bool {
        self.begins(status, content_type, encoding)
    }

    /// Takes the next chunk.
    pub fn push(&mut self, chunk: &[u8]) {
        match &mut self.reading {
            Reading::Nothing => {}
            Reading::Stream(relay) => drop(relay.push(chunk)),
            Reading::Whole { meter, body, is_long, .. } => {
                meter.push(chunk);
                *is_long |= body.len().saturating_add(chunk.len()) > HELD_BYTES_MAX;
                if *is_long {
                    *body = Vec::new();
                } else {
                    body.extend_from_slice(chunk);
                }
            }
        }
    }

    /// How many bytes are held of it.
    pub fn held(&self) -> u32 {
        let held = match &self.reading {
            Reading::Nothing => 0,
            Reading::Stream(relay) => relay.held(),
            Reading::Whole { body, .. } => body.capacity(),
        };
        u32::try_from(held).unwrap_or(u32::MAX)
    }

    /// Whether nothing that still comes matters.
    pub fn over(&self) -> bool {
        self.word.is_some() || matches!(&self.reading, Reading::Stream(relay) if relay.is_over())
    }

    /// It has ended, `cut` by its provider or not.
    pub fn finish(&mut self, cut: bool) {
        let bill = match &mut self.reading {
            Reading::Nothing => None,
            Reading::Stream(relay) => {
                drop(relay.finish(if cut { Over::Cut } else { Over::Whole }));
                self.asked.bill_stream(relay, cut)
            }
            Reading::Whole { .. } if cut => None,
            Reading::Whole { status, meter, body, is_long } => {
                meter.finish();
                self.asked.bill_whole(*status, meter, (!*is_long).then_some(body.as_slice()))
            }
        };
        self.reading = Reading::Nothing;
        if let Some(bill) = bill {
            self.tells(bill);
        }
    }

    /// Whether it has told what it used, or that it did nothing.
    pub fn told(&self) -> bool {
        self.word.is_some()
    }

    /// Whether the settlement of its call estimates what it used.
    pub fn matters(&self, settlement: &str) -> bool {
        let settlement: Settlement = serde_json::from_str(settlement).unwrap_or_default();
        !settlement.goes_on && settlement.silent.iter().any(|target| target == self.asked.target())
    }

    /// The settlement of its call with what it has told. `again`: that was said before, without.
    pub fn add_to(&self, settlement: &str, again: bool) -> String {
        let Some(word) = &self.word else { return settlement.to_owned() };
        let Ok(mut settlement) = serde_json::from_str::<Settlement>(settlement) else { return settlement.to_owned() };
        settlement.late.push(word.clone());
        if again {
            // What is learnt of the attempts, and what was kept, was told.
            settlement = Settlement { again, attempts: Vec::new(), kept: Vec::new(), ..settlement };
        }
        to_json(&settlement)
    }
}

#[wasm_bindgen]
impl Visit {
    /// What reads on the answer of the target that is being tried, whose time is up; nothing if it need not be read. `headed`: its
    /// head came in time; `left`: it was not its time, its client has left.
    pub fn late(&mut self, headed: bool, left: bool) -> Option<Latecomer> {
        let (status, streams) = (self.answer.status, self.streams());
        let call = self.call.as_ref()?;
        let drains = call.admission.as_ref()?.on_disconnect == Disconnect::Drain;
        if call.endpoint.counts() || (left && !drains) {
            return None;
        }
        let terms = Box::new(call.terms()?.kept());
        let asked = Asked::Call { terms, endpoint: call.endpoint, from: call.from(), streams };
        let mut late = Latecomer::of(asked);
        match call.relay.as_ref() {
            Some(stream) => late.reading = Reading::Stream(Box::new(stream.taken())),
            None if headed => drop(late.begins(status, "application/json", "")),
            None => {}
        }
        Some(late)
    }
}

#[wasm_bindgen]
impl Through {
    /// What reads on the answer of a provider whose time is up; nothing if it is for no work.
    pub fn late(&self) -> Option<Latecomer> {
        let (hop, path, sent) = self.late_terms()?;
        Some(Latecomer::of(Asked::Native { hop: Box::new(hop), path, sent }))
    }
}
