//! A native call: passed on to its provider as it came, and its answer passed back. Its order is in `through.js`.
//!
//! Neither body is held: the request's goes straight out, the answer's is looked at in passing. So such a call is made once:
//! there are no bytes left to send to another target.

use super::object::to_json;
use super::stream::{reported_within, reports_every};
use super::tenant_host::millis;
use super::visit::Visit;
use super::watching::watch;
use crate::address;
use crate::answer::{self, Failing, Verdict};
use crate::attempt::{Attempts, Ending};
use crate::bound::Shape;
use crate::catalog::Auth;
use crate::dialect::Dialect;
use crate::health::Outcome;
use crate::key;
use crate::reach::Reach;
use crate::refusal::Refusal;
use crate::rows::End;
use crate::secret::watch::Watch;
use crate::secret::{self, Secret};
use crate::units::{Millis, Tokens};
use crate::wire::{self, Admission, Amend, AnsweredBy, Ask, Denial, Heard, Hop, Reply, Settlement};
use std::rc::Rc;
use wasm_bindgen::prelude::{JsError, wasm_bindgen};

pub(super) mod billed;
mod body;
mod failure;
pub(super) mod passage;
mod told;

pub(super) use body::Native;
use passage::Passage;

/// A native call, as far as it has come.
#[wasm_bindgen]
pub struct Through {
    visit: Visit,
    native: Native,
    /// Those headers of the client's that go on, as lines.
    carried: String,
    /// What its body reaches besides its own words, as far as that was read.
    reach: Reach,
    /// How many bytes its body has, where all of it was read.
    sent: Option<u64>,
    admission: Option<Admission>,
    /// Where the request goes.
    address: String,
    secrets: Vec<Secret>,
    /// The token that Google is shown.
    token: Option<Secret>,
    /// What watches that they do not come back.
    watch: Rc<Watch>,
    /// How long the tenant's object has heard nothing.
    silence: Millis,
    /// The length that the answer is said to have.
    length: Option<u64>,
    passage: Option<Passage>,
    attempts: Attempts,
    /// The answer broke off before its usage was told.
    cut: bool,
    /// The provider's failure, until its body is read.
    failing: Option<Failing>,
    answered_by: Option<AnsweredBy>,
    /// The ids of what the provider has kept of it.
    kept: Vec<String>,
    /// What it told of work behind another answer.
    heard: Option<Heard>,
    end: End,
}

#[wasm_bindgen]
impl Visit {
    /// The native call that it is. `provider`: the one that a header names, or nothing; `carried`: the client's headers that go on,
    /// as lines that alternate names and values.
    pub fn through(mut self, provider: &str, carried: String) -> Through {
        let mut native = self.native.take().unwrap_or_default();
        let named = || Some(provider.to_owned()).filter(|provider| !provider.is_empty());
        native.provider = native.provider.or_else(named);
        Through {
            visit: self,
            native,
            carried,
            reach: Reach::default(),
            sent: None,
            admission: None,
            address: String::new(),
            secrets: Vec::new(),
            token: None,
            watch: Rc::default(),
            silence: Millis::ZERO,
            length: None,
            passage: None,
            attempts: Attempts::default(),
            cut: false,
            failing: None,
            answered_by: None,
            kept: Vec::new(),
            heard: None,
            end: End::default(),
        }
    }
}

impl Through {
    fn hop(&self) -> Option<&Hop> {
        self.admission.as_ref()?.hops.first()
    }

    fn ask_of(&self) -> Option<Ask> {
        let presented = self.visit.presented()?;
        let Native { provider, path, method, .. } = &self.native;
        Some(Ask {
            call: self.visit.id.clone(),
            key: presented.key.clone(),
            hash: presented.hash.clone(),
            model: String::new(),
            endpoint: String::new(),
            shape: Shape::default(),
            output: false,
            free: false,
            output_cap: None,
            choices: 1,
            idempotency: None,
            through: Some(wire::Through { provider: provider.clone(), path: path.clone(), method: method.clone() }),
            reach: self.reach.clone(),
            origin: self.visit.origin(),
        })
    }

    /// Where the request goes; `None`: the provider is at no address that anything may be sent to.
    fn address(&self) -> Option<String> {
        let (hop, Native { path, query, .. }) = (self.hop()?, &self.native);
        address::of_native(hop.place.address()?, path, query, &hop.query)
    }

    /// Makes a refusal the answer, and what the call ended with: it used nothing.
    fn give_up(&mut self, refusal: &Refusal) {
        self.visit.refuse(refusal);
        self.end = End { status: refusal.status, ..End::default() };
        self.answered_by = None;
    }

    /// Whether the provider is asked for work: what is only looked at or deleted is none.
    fn works(&self) -> bool {
        !matches!(self.native.method.as_str(), "GET" | "HEAD" | "DELETE")
    }

    fn attempted(&mut self, outcome: Outcome, ending: Ending) {
        let ending = if ending == Ending::Silent && !self.works() { Ending::NeverBegan } else { ending };
        if let Some(target) = self.hop().map(|hop| hop.target.clone()) {
            self.attempts.end(&target, outcome, ending);
        }
    }

    fn target_failed(&mut self, outcome: Outcome, ending: Ending, refusal: &Refusal) {
        self.attempted(outcome, ending);
        self.give_up(refusal);
    }
}

#[wasm_bindgen]
impl Through {
    /// The tenant that it belongs to.
    pub fn tenant(&self) -> String {
        self.visit.tenant()
    }

    /// The answer's status.
    pub fn status(&self) -> u16 {
        self.visit.status()
    }

    /// The answer's headers, as lines; they are given out once.
    pub fn headers(&mut self) -> String {
        self.visit.headers()
    }

    /// The answer's body, where it is ours; it is given out once.
    pub fn text(&mut self) -> String {
        self.visit.text()
    }

    /// What the tenant's object is asked.
    pub fn ask(&self) -> String {
        self.ask_of().map(|ask| to_json(&ask)).unwrap_or_default()
    }

    /// Takes the object's answer: whether the call may go out.
    ///
    /// # Errors
    /// The answer cannot be read: it may have been admitted all the same.
    pub fn admitted(&mut self, reply: &str) -> Result<bool, JsError> {
        match serde_json::from_str(reply)? {
            Reply::Admitted(mut admission) => {
                self.visit.gauges = std::mem::take(&mut admission.gauges);
                self.admission = Some(admission);
                self.visit.dialect =
                    self.hop().and_then(|hop| hop.dialects.first().copied()).unwrap_or(Dialect::OpenAi);
                return Ok(true);
            }
            Reply::Barred { mut denial, dialect } => {
                if let Denial::Limited { gauges, .. } = &mut denial {
                    self.visit.gauges = std::mem::take(gauges);
                }
                self.visit.dialect = dialect;
                self.visit.deny(denial, "");
            }
            Reply::Denied(denial) => self.visit.deny(denial, ""),
            Reply::Follow(_) | Reply::Settled => self.visit.refuse(&Refusal::no_decision()),
        }
        Ok(false)
    }

    /// The object gave no answer: nothing was decided.
    pub fn undecided(&mut self, why: &str) {
        self.visit.undecided(why);
    }

    /// The names of the secrets that the provider needs, as lines; empty where it needs none.
    pub fn secret_names(&self) -> String {
        self.hop().and_then(|hop| hop.secret.clone()).unwrap_or_default()
    }

    /// Takes the secrets (empty: it is not set): whether the provider can be called.
    pub fn begin(&mut self, given: Vec<String>) -> bool {
        let Some(hop) = self.hop() else { return false };
        let read = secret::read_all(hop.secret.as_deref(), &given, hop.auth == Auth::Google);
        let read = read.map_err(|unfit| Refusal::unfit_secret(&unfit));
        match read.and_then(|secrets| Ok((self.address().ok_or_else(|| Refusal::unfit_address(&hop.target))?, secrets)))
        {
            Ok((address, secrets)) => {
                (self.address, self.watch, self.secrets) = (address, watch(&secrets), secrets);
                true
            }
            Err(refusal) => {
                self.give_up(&refusal);
                false
            }
        }
    }

    /// The service account that a token is to be got for before the call goes out, where the provider is Google.
    pub fn google_account(&self) -> Option<String> {
        let account = self.secrets.first().filter(|_| self.hop().is_some_and(|hop| hop.auth == Auth::Google))?;
        Some(account.reveal().to_owned())
    }

    /// Takes that token.
    pub fn google_token(&mut self, token: String) {
        self.token = Some(Secret::granted(token));
        self.watch = watch(&[self.secrets.as_slice(), self.token.as_slice()].concat());
    }

    /// The request's method.
    pub fn method(&self) -> String {
        self.native.method.clone()
    }

    /// Where the request goes.
    pub fn url(&self) -> String {
        self.address.clone()
    }

    /// The request's headers, as lines: those of the client that may go on, the provider's own, and ours.
    pub fn outgoing_headers(&self) -> String {
        let Some(hop) = self.hop() else { return String::new() };
        let id = &self.visit.id;
        let mut lines = format!("user-agent\ntollgate\nx-client-request-id\n{id}");
        let mut add = |name: &str, value: &str| lines.push_str(&format!("\n{name}\n{value}"));
        hop.headers.iter().for_each(|(name, value)| add(name, value));
        let mut carried = self.carried.split('\n');
        while let (Some(name), Some(value)) = (carried.next(), carried.next()) {
            if !key::is_in(value) {
                add(name, value);
            }
        }
        // Bytes that are packed on the way would not have the length that they are said to have, and could not be watched.
        add("accept-encoding", "identity");
        match (&hop.auth, self.secrets.first()) {
            (Auth::Bearer, Some(secret)) => add("authorization", &format!("Bearer {}", secret.reveal())),
            (Auth::Header(name), Some(secret)) => add(name, secret.reveal()),
            (Auth::Google, _) => {
                add("authorization", &format!("Bearer {}", self.token.as_ref().map_or("", Secret::reveal)))
            }
            _ => {}
        }
        lines
    }

    /// How long the head of the answer may take, the sending of the request included, in milliseconds.
    pub fn timeout(&self) -> u32 {
        self.hop().and_then(|hop| u32::try_from(hop.timeout.get()).ok()).unwrap_or(u32::MAX)
    }

    /// Takes the head of the provider's answer, its headers as `through.js` names them and `waits` as `answerHead` has them, at
    /// `now`: whether it is passed on. What is not, and is to be explained, is a failure whose body says more.
    pub fn head(&mut self, status: u16, lines: &str, waits: &str, now: f64) -> bool {
        if [lines, waits].iter().any(|text| self.watch.finds(text.as_bytes())) {
            let ending = if (200..300).contains(&status) { Ending::Silent } else { Ending::of_status(status) };
            self.target_failed(Outcome::Failed, ending, &Refusal::provider_credentials(status));
            return false;
        }
        let (content_type, rest) = lines.split_once('\n').unwrap_or((lines, ""));
        match answer::judge(status, content_type, waits.trim_start(), false, millis(now)) {
            Verdict::Whole(content_type) => {
                self.answered(status, &content_type, rest);
                true
            }
            Verdict::Failed(outcome, refusal) => {
                self.target_failed(outcome, Ending::of_status(status), &refusal);
                false
            }
            Verdict::Failing(failing) => {
                self.failing = Some(failing);
                false
            }
            // Only asked for streams does it find one.
            Verdict::Stream => false,
        }
    }

    /// What the answer passes through.
    pub fn passage(&self) -> Option<Passage> {
        self.passage.clone()
    }

    /// How many bytes the answer is said to have; nothing where that is not known.
    #[expect(clippy::cast_precision_loss, reason = "a length is below 2^53")]
    pub fn length(&self) -> Option<f64> {
        self.length.map(|length| length as f64)
    }

    /// The answer has ended: 0 by itself, 1 cut by the provider, 2 the client left.
    pub fn passed(&mut self, how: u8) {
        self.attempted(if how == 1 { Outcome::Failed } else { Outcome::Answered }, Ending::Answered);
        self.ended();
        let told = self.passage.as_ref().is_some_and(|passage| passage.passing().meter.usage().is_some());
        self.cut = how != 0 && !told && !self.end.failed() && self.works();
    }

    /// How often [`Through::progress`] is to be asked, in milliseconds.
    pub fn reports_every(&self) -> u32 {
        reports_every(self.admission.as_ref().map_or(Millis::ZERO, |admission| admission.lease))
    }

    /// What the tenant's object is to hear of the call, `ms` after this was last asked; empty where it need not yet.
    pub fn progress(&mut self, ms: u32) -> String {
        let Some(admission) = &self.admission else { return String::new() };
        self.silence = self.silence.plus(Millis::new(ms.into()));
        if self.silence < reported_within(admission.lease) {
            return String::new();
        }
        self.silence = Millis::ZERO;
        let target = self.hop().map(|hop| hop.target.clone()).unwrap_or_default();
        let (at, call) = (admission.at, self.visit.id.clone());
        to_json(&Amend { at, call, target, output: Tokens::ZERO, usage: None, fixed: true })
    }

    /// How the call ended, for the tenant's object.
    pub fn settlement(&mut self) -> String {
        let (silent, attempts) = (self.attempts.silent(), self.attempts.take());
        let mut end = std::mem::take(&mut self.end);
        end.attempts = u32::try_from(attempts.len()).unwrap_or(u32::MAX);
        let (kept, heard) = (std::mem::take(&mut self.kept), self.heard.take());
        let (at, answered_by) = (self.admission.as_ref().map(|admission| admission.at), self.answered_by.take());
        let (call, cut) = (self.visit.id.clone(), std::mem::take(&mut self.cut));
        let bounded = end.take_bounded();
        let told =
            Settlement { at, call, end, attempts, answered_by, silent, cut, kept, heard, ..Settlement::default() };
        to_json(&Settlement { bounded, ..told })
    }
}
