//! The front: who calls, what for, and which part of the gateway answers.
//!
//! It keeps nothing but the secrets that sign keys.

use super::admin;
use super::through::Native;
use super::visit::{Asked, Page, Visit};
use crate::address;
use crate::dialect::{Dialect, Endpoint, gemini};
use crate::idempotency::read_name;
use crate::key::{self, SigningSecret, TwoKeys};
use crate::origin::{self, OriginPattern};
use crate::passthrough::{self, QUERY_BYTES_MAX};
use crate::refusal::Refusal;
use std::borrow::Cow;
use uuid::Uuid;
use wasm_bindgen::prelude::wasm_bindgen;
use worker::Env;

/// The place among the credentials of a request from which on they are as Google's clients send them.
const GOOGLE: usize = 3;

/// One isolate's front.
#[wasm_bindgen]
pub struct Gateway {
    /// The secrets that may have signed a key; none if the deployment has no good one.
    signing: Vec<SigningSecret>,
    /// Whether there is a secret at all.
    given: bool,
    /// The pages that may call from a browser.
    origins: Vec<OriginPattern>,
}

/// A request's head: what decides where it goes.
struct Head<'a> {
    method: &'a str,
    path: &'a str,
    /// What follows the `?`.
    query: &'a str,
    /// The credential that counts: a key of ours, if one was sent.
    key: Result<Cow<'a, str>, TwoKeys>,
    /// It came as Google's clients send it.
    by_google: bool,
    /// A stream of Google's is to be events; else it is one list.
    events: bool,
    content_encoding: &'a str,
    /// Anthropic's clients send it.
    version: &'a str,
    beta: &'a str,
    /// The page that calls, where a browser says so.
    origin: &'a str,
    /// The method and the headers that a browser asks for in advance.
    preflight: (&'a str, &'a str),
    idempotency_key: Option<&'a str>,
}

/// Where a request goes.
enum Place {
    /// To a model; Gemini's paths name it, and whether a stream is wanted.
    Call(Endpoint, Option<(String, bool)>),
    /// To a provider as it is: to the one that is named, and to which path there.
    Through(Option<String>, String),
    Usage,
    /// To all models or the one that is named.
    Models(Dialect, Option<String>),
    Health,
    Admin,
    Nowhere,
}

impl Place {
    fn of(head: &Head<'_>) -> Self {
        let path = head.path;
        if let Some((endpoint, model, stream)) = gemini::path::read(versionless(path)) {
            return Self::Call(endpoint, Some((decode(&model), stream)));
        }
        if let Some(google) = path.strip_prefix("/v1beta") {
            return match google.strip_prefix("/models/") {
                Some(wanted) => Self::Models(Dialect::Gemini, Some(decode(wanted))),
                None if google == "/models" => Self::Models(Dialect::Gemini, None),
                None => Self::Nowhere,
            };
        }
        if let Some((provider, rest)) = path.strip_prefix("/providers/").and_then(|path| path.split_once('/')) {
            return Self::Through(Some(decode(provider)), rest.to_owned());
        }
        let api = path.strip_prefix("/v1").unwrap_or_default();
        if let Some(path) = passthrough::alias(api) {
            return Self::Through(None, path.to_owned());
        }
        match (Endpoint::at(api), api.strip_prefix("/models/")) {
            (Some(endpoint), _) => Self::Call(endpoint, None),
            (_, Some(wanted)) => Self::Models(head.dialect(), Some(decode(wanted))),
            _ if api == "/models" => Self::Models(head.dialect(), None),
            _ if api == "/usage" => Self::Usage,
            _ if path == "/healthz" => Self::Health,
            _ if path.starts_with("/admin/") => Self::Admin,
            _ => Self::Nowhere,
        }
    }
}

#[wasm_bindgen]
impl Gateway {
    /// A front whose keys are signed by `current`, or were by `previous`, and which pages of `origins` may call.
    #[wasm_bindgen(constructor)]
    pub fn new(current: Option<String>, previous: Option<String>, origins: &str) -> Self {
        let given = current.is_some();
        let current = current.as_deref().and_then(SigningSecret::new);
        let previous = previous.as_deref().and_then(SigningSecret::new).filter(|_| current.is_some());
        let (origins, odd) = origin::read_list(origins);
        for word in odd {
            worker::console_error!(
                "the variable ALLOWED_ORIGINS has {word:?}, which is no origin such as https://app.example.com"
            );
        }
        Self { signing: current.into_iter().chain(previous).collect(), given, origins }
    }

    /// Takes up a request by its head, as lines; `bound`: the deployment has tenants' objects.
    pub fn visit(&self, head: &str, bound: bool) -> Visit {
        let call = Uuid::new_v4().to_string();
        let head = Head::read(head);
        let reads = self.is_read_by(&head);
        let (wants, asked) = head.preflight;
        if reads && head.method == "OPTIONS" && !wants.is_empty() {
            return Visit::granted(call, origin::preflight(head.origin, asked));
        }
        let routed = self.route(&head, bound, &call);
        let mut visit = routed.unwrap_or_else(|refusal| Visit::refused(call, head.dialect(), &refusal));
        visit.page = (!head.origin.is_empty()).then(|| Page { origin: head.origin.to_owned(), reads });
        visit
    }

    /// Answers an administrator.
    pub async fn admin(&self, request: web_sys::Request, env: Env) -> web_sys::Response {
        admin::handle(worker::Request::from(request), &env).await.into()
    }

    /// The table of all that can be called.
    fn route(&self, head: &Head<'_>, bound: bool, call: &str) -> Result<Visit, Refusal> {
        let Head { method, path, .. } = *head;
        let call = call.to_owned();
        let place = Place::of(head);
        let wrong = |allowed| Err(Refusal::wrong_method(method, path, allowed));
        match (method, place) {
            ("POST", Place::Call(endpoint, model)) => {
                let presented = self.presented(head, bound)?;
                if !matches!(head.content_encoding, "" | "identity") {
                    return Err(Refusal::packed(head.content_encoding));
                }
                let name = head.idempotency_key.map(|key| read_name(key).ok_or_else(Refusal::bad_idempotency_key));
                let list = endpoint == Endpoint::Generate && !head.events;
                let anthropic = [head.version, head.beta].map(str::to_owned);
                Ok(Visit::call(call, presented, Asked { endpoint, model, list, anthropic, name: name.transpose()? }))
            }
            ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE", Place::Through(provider, path)) => {
                let presented = self.presented(head, bound)?;
                let native = head.native(provider, path)?;
                Ok(Visit::native(call, head.dialect(), presented, native))
            }
            (_, Place::Through(..)) => wrong("GET, HEAD, POST, PUT, PATCH and DELETE"),
            ("GET", Place::Usage) => Ok(Visit::usage(call, self.presented(head, bound)?)),
            ("GET", Place::Models(dialect, wanted)) => {
                Ok(Visit::models(call, self.presented(head, bound)?, dialect, wanted))
            }
            ("GET" | "HEAD", Place::Health) => Ok(Visit::shown(call, "{\"status\":\"ok\"}".to_owned())),
            (_, Place::Admin) => Ok(Visit::admin(call)),
            (_, Place::Call(..)) => wrong("POST"),
            (_, Place::Usage | Place::Models(..) | Place::Health) => wrong("GET"),
            (_, Place::Nowhere) => Err(Refusal::no_path(method, path)),
        }
    }

    /// Whether the page that calls may read the answer, as far as the deployment has a say: no page reads what administrators do.
    fn is_read_by(&self, head: &Head<'_>) -> bool {
        !head.origin.is_empty() && !head.path.starts_with("/admin") && origin::allows(&self.origins, head.origin)
    }

    /// The caller's key, if it is one that this deployment made. No I/O.
    fn presented(&self, head: &Head<'_>, bound: bool) -> Result<key::Presented, Refusal> {
        if self.signing.is_empty() {
            let state = if self.given { "It has fewer than 16 bytes; set a longer one" } else { "Set it" };
            let remedy = format!("{state}: npx wrangler secret put API_KEYS_SECRET");
            return Err(Refusal::not_set_up("the secret API_KEYS_SECRET", &remedy));
        }
        if !bound {
            let remedy = "Declare it in wrangler.toml for this environment: bindings are not inherited.";
            return Err(Refusal::not_set_up("the binding TENANTS", remedy));
        }
        let key = head.key.as_ref().map_err(|TwoKeys| Refusal::two_keys())?;
        key::read(key, &self.signing).ok_or_else(|| Refusal::bad_key(!key.is_empty()))
    }
}

impl<'a> Head<'a> {
    /// Reads the lines that `glue.js` makes: method, address, the headers of a key, content-encoding, anthropic-version,
    /// anthropic-beta, origin, what a preflight asks for, and idempotency-key if there is one.
    fn read(text: &'a str) -> Self {
        let mut lines = text.split('\n');
        let mut line = || lines.next().unwrap_or_default();
        let (method, address, authorization) = (line(), line(), line());
        let (x_api_key, api_key, google_key) = (line(), line(), line());
        let (content_encoding, version, beta) = (line(), line(), line());
        let (origin, preflight) = (line(), (line(), line()));
        let idempotency_key = lines.next();
        let path = path_of(address);
        let query =
            address.split('#').next().and_then(|address| address.split_once('?')).map_or("", |(_, query)| query);
        // Google's older clients put it into the address.
        let in_address = gemini::path::read(versionless(path)).is_some()
            || ["/v1beta", "/providers/"].iter().any(|start| path.starts_with(start));
        let in_address: Vec<String> = address::values(if in_address { query } else { "" }, "key").collect();
        let in_header =
            [key::bearer(authorization).unwrap_or_default(), x_api_key.trim(), api_key.trim(), google_key.trim()];
        let all = in_header.into_iter().chain(in_address.iter().map(|key| key.trim()));
        let chosen = key::choose(all.clone());
        let key = chosen.map(|place| match place.and_then(|place| in_header.get(place)) {
            Some(key) => Cow::Borrowed(*key),
            None => Cow::Owned(place.and_then(|place| all.clone().nth(place)).unwrap_or_default().to_owned()),
        });
        let by_google = matches!(chosen, Ok(Some(GOOGLE..)));
        let events = address::values(query, "alt").next().as_deref() == Some("sse");
        Self {
            method,
            path,
            query,
            key,
            by_google,
            events,
            content_encoding,
            version,
            beta,
            origin,
            preflight,
            idempotency_key,
        }
    }

    /// The native call to `path` of `provider`.
    fn native(&self, provider: Option<String>, path: String) -> Result<Native, Refusal> {
        if !matches!(self.content_encoding, "" | "identity") {
            return Err(Refusal::packed(self.content_encoding));
        }
        if self.idempotency_key.is_some() {
            return Err(Refusal::no_idempotency());
        }
        let query = address::passed_on(self.query);
        let names_key = key::is_in(&address::resolved(&path));
        if !passthrough::is_sane(&path) || names_key || self.query.len() > QUERY_BYTES_MAX {
            return Err(Refusal::bad_path());
        }
        Ok(Native { provider, method: self.method.to_owned(), path, query })
    }

    /// What the client speaks.
    fn dialect(&self) -> Dialect {
        let api = self.path.strip_prefix("/v1").unwrap_or_default();
        match Endpoint::at(api) {
            None if self.by_google || gemini::path::read(versionless(self.path)).is_some() => Dialect::Gemini,
            _ if self.path.starts_with("/v1beta") => Dialect::Gemini,
            Some(endpoint) => endpoint.dialect(),
            None if !self.version.is_empty() || api.starts_with("/messages") => Dialect::Anthropic,
            None => Dialect::OpenAi,
        }
    }
}

/// What follows the version in a path of Google's: its clients call either, and alone put a method behind a colon.
fn versionless(path: &str) -> &str {
    path.strip_prefix("/v1beta").or_else(|| path.strip_prefix("/v1")).unwrap_or_default()
}

/// The path of an absolute address, which the runtime has normalised.
fn path_of(address: &str) -> &str {
    let after = address.split_once("://").map_or(address, |(_, rest)| rest);
    let path = after.find('/').and_then(|at| after.get(at..)).unwrap_or("/");
    path.split(['?', '#']).next().unwrap_or(path)
}

/// A part of a path with its percent signs resolved; as it stands where they are wrong.
fn decode(part: &str) -> String {
    js_sys::decode_uri_component(part).map_or_else(|_| part.to_owned(), String::from)
}
