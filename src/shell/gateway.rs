//! The front: who calls, what for, and which part of the gateway answers.
//!
//! It keeps nothing but the secrets that sign keys.

use super::admin;
use super::visit::Visit;
use crate::dialect::Endpoint;
use crate::idempotency::read_name;
use crate::key::{self, SigningSecret};
use crate::refusal::Refusal;
use uuid::Uuid;
use wasm_bindgen::prelude::wasm_bindgen;
use worker::Env;

/// One isolate's front.
#[wasm_bindgen]
pub struct Gateway {
    /// The secrets that may have signed a key; none if the deployment has no good one.
    signing: Vec<SigningSecret>,
    /// Whether there is a secret at all.
    given: bool,
}

/// A request's head: what decides where it goes.
struct Head<'a> {
    method: &'a str,
    path: &'a str,
    key: &'a str,
    content_encoding: &'a str,
    idempotency_key: Option<&'a str>,
}

#[wasm_bindgen]
impl Gateway {
    /// A front whose keys are signed by `current`, or were by `previous`.
    #[wasm_bindgen(constructor)]
    pub fn new(current: Option<String>, previous: Option<String>) -> Self {
        let given = current.is_some();
        let current = current.as_deref().and_then(SigningSecret::new);
        let previous = previous.as_deref().and_then(SigningSecret::new).filter(|_| current.is_some());
        Self { signing: current.into_iter().chain(previous).collect(), given }
    }

    /// Takes up a request by its head, as lines; `bound`: the deployment has tenants' objects.
    pub fn visit(&self, head: &str, bound: bool) -> Visit {
        let call = Uuid::new_v4().to_string();
        let head = Head::read(head);
        match self.route(&head, bound, &call) {
            Ok(visit) => visit,
            Err(refusal) => Visit::refused(call, &refusal),
        }
    }

    /// Answers an administrator.
    pub async fn admin(&self, request: web_sys::Request, env: Env) -> web_sys::Response {
        admin::handle(worker::Request::from(request), &env).await.into()
    }

    /// The table of all that can be called.
    fn route(&self, head: &Head<'_>, bound: bool, call: &str) -> Result<Visit, Refusal> {
        let Head { method, path, .. } = *head;
        let api = path.strip_prefix("/v1").unwrap_or_default();
        let call = call.to_owned();
        let models = api == "/models" || api.starts_with("/models/");
        match (method, api, Endpoint::at(api)) {
            ("POST", _, Some(endpoint)) => {
                let presented = self.presented(head, bound)?;
                if !matches!(head.content_encoding, "" | "identity") {
                    return Err(Refusal::packed(head.content_encoding));
                }
                let name = head.idempotency_key.map(|key| read_name(key).ok_or_else(Refusal::bad_idempotency_key));
                Ok(Visit::call(call, presented, endpoint, name.transpose()?))
            }
            ("GET", "/usage", _) => Ok(Visit::look(call, self.presented(head, bound)?, "usage", None)),
            ("GET", _, _) if models => {
                let wanted = api.strip_prefix("/models/").map(decode);
                Ok(Visit::look(call, self.presented(head, bound)?, "models", wanted))
            }
            ("GET" | "HEAD", _, _) if path == "/healthz" => Ok(Visit::shown(call, "{\"status\":\"ok\"}".to_owned())),
            _ if path.starts_with("/admin/") => Ok(Visit::admin(call)),
            (_, _, Some(_)) => Err(Refusal::wrong_method(method, path, "POST")),
            _ if models || api == "/usage" => Err(Refusal::wrong_method(method, path, "GET")),
            _ => Err(Refusal::no_path(method, path)),
        }
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
        key::read(head.key, &self.signing).ok_or_else(|| Refusal::bad_key(!head.key.is_empty()))
    }
}

impl<'a> Head<'a> {
    /// Reads the lines that `glue.js` makes: method, address, the three headers of a key, content-encoding, and
    /// idempotency-key if there is one.
    fn read(text: &'a str) -> Self {
        let mut lines = text.split('\n');
        let mut line = || lines.next().unwrap_or_default();
        let (method, address, authorization) = (line(), line(), line());
        let (x_api_key, api_key, content_encoding) = (line(), line(), line());
        let idempotency_key = lines.next();
        let bearer = authorization.split_at_checked(7).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer "));
        let keys = [bearer.map_or("", |(_, key)| key.trim()), x_api_key, api_key];
        let key = keys.into_iter().find(|key| !key.is_empty()).unwrap_or_default();
        Self { method, path: path_of(address), key, content_encoding, idempotency_key }
    }
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
