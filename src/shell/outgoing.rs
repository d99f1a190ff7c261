//! What goes out to a provider: the next target of a call, where it is, and what it is sent.

use super::call::Call;
use super::tenant_host::millis;
use super::visit::Visit;
use super::watching::watch;
use crate::address;
use crate::aws::sign::{self, Credentials};
use crate::catalog::{Auth, Place};
use crate::dialect::{BadRequest, Dialect, Edit, OutputCap};
use crate::key;
use crate::refusal::Refusal;
use crate::secret::{self, Secret};
use crate::translate::{self, Outgoing, Target, Unable};
use crate::wire::Hop;
use wasm_bindgen::prelude::wasm_bindgen;

/// The longest body that goes to a binding, which is given it as values.
const BOUND_BYTES_MAX: usize = 4 * 1_024 * 1_024;

/// What became of the next target; the numbers are known to `front.js`.
#[derive(Clone, Copy)]
enum Next {
    /// There is none, or none that can be called.
    None = 0,
    /// It is to be called.
    Ready = 1,
    /// It cannot do what is asked; there may be another.
    Unable = 2,
}

impl Call {
    /// The target after the one that was tried last.
    pub(super) fn upcoming(&self) -> Option<&Hop> {
        self.admission.as_ref()?.hops.get(self.tried)
    }

    /// Where `outgoing` goes, nothing for a binding; `None`: the target is at no address that anything may be sent to.
    fn address_of(&self, outgoing: &Outgoing) -> Option<String> {
        let hop = self.hop()?;
        match &hop.place {
            Place::Address(base_url) => address::of_call(base_url, &hop.model, &outgoing.path, &hop.query),
            Place::Binding { .. } => Some(String::new()),
        }
    }

    /// The request for the target that is being tried.
    fn prepare(&self) -> Option<Result<Outgoing, Unable>> {
        let (envelope, admission, hop) = (self.envelope.as_ref()?, self.admission.as_ref()?, self.hop()?);
        let output_cap = admission.output_cap.map(|tokens| OutputCap { tokens, field: hop.cap_field });
        let target = Target {
            dialects: &hop.dialects,
            lacks: hop.lacks,
            refuses: hop.refuses,
            drop_unsupported: admission.drop_unsupported,
            edit: Edit { model: &hop.model, output_cap, usage: true },
            cap_field: hop.cap_field,
            max_output: admission.max_output,
        };
        let outgoing = translate::request(envelope, &self.body, &target);
        let is_too_long = |outgoing: &Outgoing| outgoing.body.length(&self.body) > BOUND_BYTES_MAX;
        if hop.place.binding().is_some() && outgoing.as_ref().is_ok_and(is_too_long) {
            let message =
                format!("The body has more than {BOUND_BYTES_MAX} bytes, which is more than {} takes.", hop.target);
            return Some(Err(Unable::Bad(BadRequest { param: None, message })));
        }
        Some(outgoing)
    }
}

/// The names of all secrets that a target needs.
fn secrets(hop: &Hop) -> Vec<&str> {
    hop.auth.secrets(hop.secret.as_deref()).collect()
}

/// The refusal where the binding `name` is not declared.
fn undeclared(name: &str) -> Refusal {
    let remedy = format!(
        "Declare it in wrangler.toml, for each environment that calls it, and deploy: [ai] binding = \"{name}\""
    );
    Refusal::not_set_up(&format!("the binding {name}"), &remedy)
}

/// The headers that sign a call to Amazon.
fn signed(call: &Call, url: &str, region: &str, now: f64) -> Vec<(String, String)> {
    let [id, key, ..] = call.secrets.as_slice() else { return Vec::new() };
    let credentials = Credentials::new(id.reveal(), key.reveal(), call.secrets.get(2).map(Secret::reveal));
    let body = call.outgoing.as_ref().map(|outgoing| outgoing.body.whole(&call.body)).unwrap_or_default();
    let headers = [("content-type", "application/json")];
    let request = sign::Call { url, headers: &headers, body: &body, region, service: sign::BEDROCK };
    // An address that is none fails when it is called.
    sign::sign(&request, &credentials, millis(now)).unwrap_or_default()
}

#[wasm_bindgen]
impl Visit {
    /// The names of the secrets that the next target needs, as lines; empty where it needs none.
    pub fn secret_names(&self) -> String {
        let upcoming = self.call.as_ref().and_then(Call::upcoming);
        upcoming.map(|hop| secrets(hop).join("\n")).unwrap_or_default()
    }

    /// The name of the binding that the next target is behind, where it is behind one.
    pub fn upcoming_binding(&self) -> Option<String> {
        self.call.as_ref()?.upcoming()?.place.binding().map(str::to_owned)
    }

    /// Turns to the next target with its secrets (empty: it is not set); `bound`: it needs no binding, or that is
    /// declared. 0 there is none that can be called, 1 call it, 2 try the one after it.
    pub fn next(&mut self, given: Vec<String>, bound: bool) -> u8 {
        let Some(call) = &mut self.call else {
            return Next::None as u8;
        };
        let Some(hop) = call.upcoming() else {
            return Next::None as u8;
        };
        let read = secret::read_all(secrets(hop), &given, hop.auth == Auth::Google);
        let read = read.map_err(|unfit| Refusal::unfit_secret(&unfit));
        let unbound = hop.place.binding().filter(|_| !bound).map(undeclared);
        let target = hop.target.clone();
        call.tried = call.tried.saturating_add(1);
        match unbound.map_or(read, Err) {
            Ok(secrets) => (call.watch, call.secrets) = (watch(&secrets), secrets),
            Err(refusal) => {
                self.give_up(&refusal);
                return Next::None as u8;
            }
        }
        match call.prepare() {
            Some(Ok(outgoing)) => {
                if call.upcoming().is_none() && outgoing.body.held() > 0 {
                    call.body = Vec::new();
                }
                let address = call.address_of(&outgoing);
                call.outgoing = Some(outgoing);
                if let Some(address) = address {
                    call.address = address;
                    return Next::Ready as u8;
                }
                self.give_up(&Refusal::unfit_address(&target));
                Next::Unable as u8
            }
            Some(Err(unable)) => {
                // What another target answered, or failed to, tells the client more.
                if !call.has_attempted() {
                    self.give_up(&Refusal::unable(unable, &target));
                }
                Next::Unable as u8
            }
            None => Next::None as u8,
        }
    }

    /// Where the request goes.
    pub fn url(&self) -> String {
        self.call.as_ref().map(|call| call.address.clone()).unwrap_or_default()
    }

    /// The name of the binding that is called in place of an address, where it is one.
    pub fn binding(&self) -> Option<String> {
        self.call.as_ref()?.hop()?.place.binding().map(str::to_owned)
    }

    /// The model's name at the provider.
    pub fn model(&self) -> String {
        self.call.as_ref().and_then(Call::hop).map(|hop| hop.model.clone()).unwrap_or_default()
    }

    /// The request's headers, as lines. Only what is named here goes to a provider: of the client's own head no more than
    /// which of Anthropic's features it tries out.
    /// At `now`, in milliseconds since 1970.
    pub fn outgoing_headers(&self, now: f64) -> String {
        let Some((call, hop)) = self.call.as_ref().and_then(|call| Some((call, call.hop()?))) else {
            return String::new();
        };
        let dialect = call.outgoing.as_ref().map(|outgoing| outgoing.dialect);
        let accept = match dialect {
            Some(Dialect::Converse) if self.streams() => "application/vnd.amazon.eventstream",
            _ if self.streams() => "text/event-stream",
            _ => "application/json",
        };
        let id = &self.id;
        let mut lines = format!(
            "content-type\napplication/json\naccept\n{accept}\naccept-encoding\nidentity\nuser-agent\ntollgate\n\
             x-client-request-id\n{id}"
        );
        let mut add = |name: &str, value: &str| lines.push_str(&format!("\n{name}\n{value}"));
        // A client that is passed on as it is speaks the version that it says.
        let passed = dialect == Some(Dialect::Anthropic) && call.endpoint.dialect() == Dialect::Anthropic;
        let own = ["anthropic-version", "anthropic-beta"].into_iter().zip(&call.anthropic);
        let own: Vec<_> = own.filter(|(_, value)| passed && !value.is_empty() && !key::is_in(value)).collect();
        for (name, value) in &hop.headers {
            if own.iter().all(|(own, _)| own != name) {
                add(name, value);
            }
        }
        for (name, value) in own {
            add(name, value);
        }
        match (&hop.auth, call.secrets.first()) {
            (Auth::Bearer, Some(secret)) => add("authorization", &format!("Bearer {}", secret.reveal())),
            (Auth::Header(name), Some(secret)) => add(name, secret.reveal()),
            (Auth::Google, _) => {
                add("authorization", &format!("Bearer {}", call.token.as_ref().map_or("", Secret::reveal)))
            }
            (Auth::Aws { region, .. }, _) => {
                for (name, value) in signed(call, &call.address, region, now) {
                    add(&name, &value);
                }
            }
            (_, None) => {}
        }
        lines
    }

    /// The service account that a token is to be got for before the call goes out, where the provider is Google.
    pub fn google_account(&self) -> Option<String> {
        let call = self.call.as_ref()?;
        let account = call.secrets.first().filter(|_| call.hop().is_some_and(|hop| hop.auth == Auth::Google))?;
        Some(account.reveal().to_owned())
    }

    /// Takes that token.
    pub fn google_token(&mut self, token: String) {
        if let Some(call) = &mut self.call {
            call.token = Some(Secret::granted(token));
            call.watch = watch(&[call.secrets.as_slice(), call.token.as_slice()].concat());
        }
    }

    /// How long the head of the answer may take, and then its body, in milliseconds.
    pub fn timeout(&self) -> u32 {
        let timeout = self.call.as_ref().and_then(Call::hop).map(|hop| hop.timeout.get());
        timeout.and_then(|timeout| u32::try_from(timeout).ok()).unwrap_or(u32::MAX)
    }
}
