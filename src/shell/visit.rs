//! One visit to the gateway: what it asks for, how far it has come, and what its answer is.
//!
//! JavaScript drives it (`front.js`); every step here is synchronous. The part that is a call to a
//! model is in [`call`](super::call).

use super::call::Call;
use super::object::to_json;
use super::through::Native;
use crate::answer::{self, Told};
use crate::dialect::{Dialect, Endpoint, models};
use crate::gauge::Gauges;
use crate::key::{Presented, TenantId};
use crate::origin;
use crate::refusal::Refusal;
use crate::wire::{Denial, Look, Seen};
use wasm_bindgen::prelude::wasm_bindgen;

/// As much of an origin is told to the tenant's object.
const ORIGIN_CHARS_MAX: usize = 512;

/// What a visit is for; the numbers are known to `front.js`.
#[derive(Clone, Copy)]
enum Kind {
    /// Its answer is there.
    Answered = 0,
    /// A call to a model.
    Call = 1,
    /// A tenant's look at itself.
    Look = 2,
    /// An administrator.
    Admin = 3,
    /// A native call.
    Through = 4,
}

/// One visit, from its request's head to its answer.
#[wasm_bindgen]
pub struct Visit {
    kind: Kind,
    /// What the client speaks.
    pub(super) dialect: Dialect,
    /// What the client gets as `x-request-id`.
    pub(super) id: String,
    pub(super) answer: Answer,
    /// How the limits stand, once they were asked.
    pub(super) gauges: Gauges,
    presented: Option<Presented>,
    pub(super) call: Option<Call>,
    pub(super) native: Option<Native>,
    /// It was refused for a reason that may be gone in a moment.
    pub(super) early: bool,
    method: &'static str,
    /// The one model that is asked for.
    wanted: Option<String>,
    /// The page that calls, where a browser says so.
    pub(super) page: Option<Page>,
}

/// A page that calls.
pub(super) struct Page {
    pub(super) origin: String,
    /// Whether it may read the answer.
    pub(super) reads: bool,
}

/// What the head of a call's request asks for.
pub(super) struct Asked {
    pub(super) endpoint: Endpoint,
    /// The model and whether a stream is wanted, where the path says so.
    pub(super) model: Option<(String, bool)>,
    /// The stream is to be one JSON list, as of Google's that are no events.
    pub(super) list: bool,
    /// Which version of Anthropic's interface it speaks, and the features that it tries out.
    pub(super) anthropic: [String; 2],
    /// Its `Idempotency-Key`.
    pub(super) name: Option<String>,
}

/// An answer: `headers` are lines that alternate names and values.
#[derive(Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: String,
    pub(super) text: String,
}

impl Visit {
    fn new(kind: Kind, dialect: Dialect, id: String) -> Self {
        let (answer, gauges) = (Answer::default(), Gauges::default());
        Self {
            kind,
            dialect,
            id,
            answer,
            gauges,
            presented: None,
            call: None,
            native: None,
            early: false,
            method: "",
            wanted: None,
            page: None,
        }
    }

    pub(super) fn refused(id: String, dialect: Dialect, refusal: &Refusal) -> Self {
        let mut visit = Self::new(Kind::Answered, dialect, id);
        visit.refuse(refusal);
        visit
    }

    pub(super) fn shown(id: String, text: String) -> Self {
        let mut visit = Self::new(Kind::Answered, Dialect::OpenAi, id);
        visit.show(text);
        visit
    }

    /// A preflight that is granted, with these headers.
    pub(super) fn granted(id: String, headers: String) -> Self {
        let mut visit = Self::new(Kind::Answered, Dialect::OpenAi, id);
        visit.answer = Answer { status: 204, headers, text: String::new() };
        visit
    }

    pub(super) fn admin(id: String) -> Self {
        Self::new(Kind::Admin, Dialect::OpenAi, id)
    }

    pub(super) fn call(id: String, presented: Presented, asked: Asked) -> Self {
        let dialect = asked.endpoint.dialect();
        let call = Some(Call::new(asked));
        Self { presented: Some(presented), call, ..Self::new(Kind::Call, dialect, id) }
    }

    pub(super) fn native(id: String, dialect: Dialect, presented: Presented, native: Native) -> Self {
        let (presented, native) = (Some(presented), Some(native));
        Self { presented, native, ..Self::new(Kind::Through, dialect, id) }
    }

    pub(super) fn usage(id: String, presented: Presented) -> Self {
        Self { presented: Some(presented), method: "usage", ..Self::new(Kind::Look, Dialect::OpenAi, id) }
    }

    /// A look at the models, or at the one that is `wanted`.
    pub(super) fn models(id: String, presented: Presented, dialect: Dialect, wanted: Option<String>) -> Self {
        Self { presented: Some(presented), method: "models", wanted, ..Self::new(Kind::Look, dialect, id) }
    }

    pub(super) fn presented(&self) -> Option<&Presented> {
        self.presented.as_ref()
    }

    /// Makes a refusal the answer.
    pub(super) fn refuse(&mut self, refusal: &Refusal) {
        let mut headers = self.json_headers();
        for (name, value) in refusal.headers() {
            headers.push_str(&format!("\n{name}\n{value}"));
        }
        self.answer = Answer { status: refusal.status, headers, text: refusal.body(self.dialect, &self.id) };
    }

    /// Makes what the tenant's object says against it the answer.
    pub(super) fn deny(&mut self, denial: Denial, model: &str) {
        self.early = matches!(&denial, Denial::Reaches(barrier) if barrier.may_pass());
        if let (Denial::OriginNotAllowed(_), Some(page)) = (&denial, &mut self.page) {
            page.reads = false;
        }
        self.refuse(&Refusal::denied(denial, model));
    }

    /// The page that calls, as the tenant's object is told.
    pub(super) fn origin(&self) -> Option<String> {
        self.page.as_ref().map(|page| page.origin.chars().take(ORIGIN_CHARS_MAX).collect())
    }

    /// Makes a JSON text the answer.
    fn show(&mut self, text: String) {
        self.answer = Answer { status: 200, headers: self.json_headers(), text };
    }

    fn json_headers(&self) -> String {
        answer::headers(&self.id, "application/json", &Told::nothing(self.dialect), &self.gauges)
    }
}

#[wasm_bindgen]
impl Visit {
    /// What it is for: 0 answered, 1 a call, 2 a look, 3 an administrator, 4 a native call.
    pub fn kind(&self) -> u8 {
        self.kind as u8
    }

    /// Whether the object is to be asked again in a moment, once.
    pub fn early(&mut self) -> bool {
        std::mem::take(&mut self.early)
    }

    /// The tenant it belongs to.
    pub fn tenant(&self) -> String {
        self.presented.as_ref().map(|presented| &presented.tenant).map(TenantId::as_str).unwrap_or_default().to_owned()
    }

    /// The answer's status.
    pub fn status(&self) -> u16 {
        self.answer.status
    }

    /// The answer's headers, as lines that alternate names and values; they are given out once. All answers have those that are
    /// for browsers: what the answer is stands in its head, and a page that may read it does.
    pub fn headers(&mut self) -> String {
        let mut headers = std::mem::take(&mut self.answer.headers);
        headers.push_str("\nx-content-type-options\nnosniff");
        if let Some(page) = self.page.as_ref().filter(|page| page.reads) {
            headers.push('\n');
            headers.push_str(&origin::readable(&page.origin));
        }
        headers
    }

    /// The answer's body, where it is ours; it is given out once.
    pub fn text(&mut self) -> String {
        std::mem::take(&mut self.answer.text)
    }

    /// The object's method that a look calls.
    pub fn method(&self) -> String {
        self.method.to_owned()
    }

    /// What a look asks of the object.
    pub fn look_text(&self) -> String {
        let Some(Presented { key, hash, .. }) = self.presented.clone() else {
            return String::new();
        };
        to_json(&Look { key, hash, origin: self.origin() })
    }

    /// Makes what the object showed the answer.
    pub fn seen(&mut self, reply: &str) {
        let shown = match serde_json::from_str(reply) {
            Ok(Seen::Shown { document, gauges }) => {
                self.gauges = gauges;
                document
            }
            Ok(Seen::Denied(denial)) => return self.deny(denial, ""),
            Err(_) => return self.refuse(&Refusal::no_decision()),
        };
        if self.method != "models" {
            return self.show(shown.to_string());
        }
        let ids: Vec<&str> = shown.as_array().into_iter().flatten().filter_map(|id| id.as_str()).collect();
        match self.wanted.as_deref() {
            None => self.show(models::list(self.dialect, &ids)),
            Some(wanted) if ids.contains(&wanted) => self.show(models::one(self.dialect, wanted)),
            Some(wanted) => self.refuse(&Refusal::no_model(wanted)),
        }
    }

    /// The object gave no answer: nothing was decided.
    pub fn undecided(&mut self, why: &str) {
        worker::console_error!("the tenant's object did not answer: {why}");
        self.refuse(&Refusal::no_decision());
    }
}
