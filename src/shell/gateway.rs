//! The front: who calls, what for, and which part of the gateway answers.
//!
//! It keeps nothing but what any isolate may forget.

use super::object::{self, ObjectError};
use super::{admin, call, glue};
use crate::dialect::Endpoint;
use crate::dialect::openai::write::{model, models_list};
use crate::key::{self, Presented, SigningSecret};
use crate::refusal::Refusal;
use crate::wire::{Look, Seen};
use std::cell::OnceCell;
use uuid::Uuid;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};
use worker::Env;

/// The largest request body, in bytes.
pub(super) const BODY_BYTES_MAX: usize = 32 * 1_024 * 1_024;
const SIGNING_SECRETS: [&str; 2] = ["API_KEYS_SECRET", "API_KEYS_SECRET_PREVIOUS"];

/// One isolate's front.
#[wasm_bindgen]
pub struct Gateway {
    signing: OnceCell<Vec<SigningSecret>>,
}

/// A request's head: what decides where it goes.
pub(super) struct Head {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) content_encoding: String,
    key: String,
}

/// One request on its way through the front.
pub(super) struct Visit<'a> {
    pub(super) env: &'a Env,
    pub(super) context: &'a worker::Context,
    pub(super) request: &'a web_sys::Request,
    pub(super) head: &'a Head,
    /// What the client gets as `x-request-id`.
    pub(super) call: &'a str,
}

#[wasm_bindgen]
impl Gateway {
    /// A front that has seen nothing yet.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self { signing: OnceCell::new() }
    }

    /// Answers a request.
    pub async fn fetch(
        &self,
        request: web_sys::Request,
        env: Env,
        context: worker::worker_sys::Context,
    ) -> web_sys::Response {
        let head = Head::read(&request);
        if head.path.starts_with("/admin/") {
            return admin::handle(worker::Request::from(request), &env).await.into();
        }
        let call = Uuid::new_v4().to_string();
        let context = worker::Context::new(context);
        let visit = Visit { env: &env, context: &context, request: &request, head: &head, call: &call };
        match self.route(&visit).await {
            Ok(response) => response,
            Err(refusal) => refuse(&call, &refusal),
        }
    }

    /// The table of all that clients can call.
    async fn route(&self, visit: &Visit<'_>) -> Result<web_sys::Response, Refusal> {
        let Head { method, path, .. } = visit.head;
        let api = path.strip_prefix("/v1");
        let endpoint = api.and_then(Endpoint::at);
        match (method.as_str(), api.unwrap_or_default()) {
            ("POST", _) if endpoint.is_some() => {
                let presented = self.presented(visit)?;
                call::call(visit, presented, endpoint.unwrap_or(Endpoint::Chat)).await
            }
            ("GET", "/usage") => Ok(self.usage(visit).await?),
            ("GET", models) if models == "/models" || models.starts_with("/models/") => {
                self.models(visit, models).await
            }
            ("GET", _) if path == "/healthz" => Ok(json(200, visit.call, "{\"status\":\"ok\"}")),
            (_, _) if endpoint.is_some() => Err(Refusal::wrong_method(method, path, "POST")),
            (_, "/usage" | "/models") => Err(Refusal::wrong_method(method, path, "GET")),
            _ => Err(Refusal::no_path(method, path)),
        }
    }

    async fn usage(&self, visit: &Visit<'_>) -> Result<web_sys::Response, Refusal> {
        let shown = self.look(visit, "usage").await?;
        Ok(json(200, visit.call, &shown.to_string()))
    }

    async fn models(&self, visit: &Visit<'_>, path: &str) -> Result<web_sys::Response, Refusal> {
        let shown = self.look(visit, "models").await?;
        let ids: Vec<&str> = shown.as_array().into_iter().flatten().filter_map(|id| id.as_str()).collect();
        let Some(wanted) = path.strip_prefix("/models/") else {
            return Ok(json(200, visit.call, &models_list(ids, 0)));
        };
        let wanted = js_sys::decode_uri_component(wanted).map_or_else(|_| wanted.to_owned(), String::from);
        let known = ids.into_iter().find(|id| *id == wanted).ok_or_else(|| Refusal::no_model(&wanted))?;
        Ok(json(200, visit.call, &model(known, 0)))
    }

    /// What the caller's tenant shows it by `method`.
    async fn look(&self, visit: &Visit<'_>, method: &str) -> Result<serde_json::Value, Refusal> {
        let Presented { tenant, key, hash } = self.presented(visit)?;
        let text = object::to_json(&Look { key, hash });
        let seen = object::call(visit.env, &tenant, method, &text).await.map_err(no_object)?;
        match serde_json::from_str(&seen) {
            Ok(Seen::Shown(value)) => Ok(value),
            Ok(Seen::Denied(denial)) => Err(Refusal::denied(denial, "")),
            Err(_) => Err(Refusal::no_decision()),
        }
    }

    /// The caller's key, if it is one that this deployment made. No I/O.
    fn presented(&self, visit: &Visit<'_>) -> Result<Presented, Refusal> {
        let text = visit.head.key.as_str();
        if text.is_empty() {
            return Err(Refusal::bad_key(false));
        }
        let signing = match self.signing.get() {
            Some(signing) => signing,
            None => {
                let signing = read_signing(visit.env)?;
                self.signing.get_or_init(|| signing)
            }
        };
        key::read(text, signing).ok_or_else(|| Refusal::bad_key(true))
    }
}

impl Head {
    fn read(request: &web_sys::Request) -> Self {
        let text = glue::head(request);
        let mut lines = text.split('\n');
        let mut line = || lines.next().unwrap_or_default();
        let (method, address, authorization, x_api_key, api_key, encoding) =
            (line(), line(), line(), line(), line(), line());
        let bearer = authorization.split_at_checked(7).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer "));
        let bearer = bearer.map_or("", |(_, key)| key.trim());
        let key = [bearer, x_api_key, api_key].into_iter().find(|key| !key.is_empty()).unwrap_or_default();
        Self {
            method: method.to_owned(),
            path: path_of(address).to_owned(),
            content_encoding: encoding.to_owned(),
            key: key.to_owned(),
        }
    }
}

/// The path of an absolute address, which the runtime has normalised.
fn path_of(address: &str) -> &str {
    let after = address.split_once("://").map_or(address, |(_, rest)| rest);
    let path = after.find('/').and_then(|at| after.get(at..)).unwrap_or("/");
    path.split(['?', '#']).next().unwrap_or(path)
}

fn read_signing(env: &Env) -> Result<Vec<SigningSecret>, Refusal> {
    let [current, previous] = SIGNING_SECRETS;
    let not_set = |problem: &str| Refusal::not_set_up(&format!("the secret {current}"), problem);
    let text = env.secret(current).map_err(|_| not_set("Set it: wrangler secret put API_KEYS_SECRET"))?.to_string();
    let short = || not_set("It has fewer than 16 bytes; set a longer one: wrangler secret put API_KEYS_SECRET");
    let mut signing = vec![SigningSecret::new(&text).ok_or_else(short)?];
    signing.extend(env.secret(previous).ok().and_then(|text| SigningSecret::new(&text.to_string())));
    Ok(signing)
}

/// The refusal for an object that gave no answer.
pub(super) fn no_object(error: ObjectError) -> Refusal {
    match error {
        ObjectError::NotBound => Refusal::not_set_up(
            &format!("the binding {}", object::BINDING),
            "Declare it in wrangler.toml for this environment: bindings are not inherited.",
        ),
        ObjectError::NotReached(why) => {
            worker::console_error!("the tenant's object did not answer: {why}");
            Refusal::no_decision()
        }
    }
}

/// A refusal as the client gets it.
pub(super) fn refuse(call: &str, refusal: &Refusal) -> web_sys::Response {
    let mut headers = format!("content-type\napplication/json\nx-request-id\n{call}");
    for (name, value) in refusal.headers() {
        headers.push_str(&format!("\n{name}\n{value}"));
    }
    if let Some(allow) = refusal.allow {
        headers.push_str(&format!("\nallow\n{allow}"));
    }
    glue::answer(refusal.status, &headers, &JsValue::from_str(&refusal.body()))
}

/// A JSON answer.
fn json(status: u16, call: &str, body: &str) -> web_sys::Response {
    let headers = format!("content-type\napplication/json\nx-request-id\n{call}");
    glue::answer(status, &headers, &JsValue::from_str(body))
}
