//! Calls to a tenant's object: each has a time limit, and a new try where that is safe.
//!
//! Every message to an object can be said twice without harm, so a call that timed out or broke is
//! repeated under the same name.

use super::glue;
use crate::key::TenantId;
use crate::wire::{Configure, Metrics};
use serde::Serialize;
use std::fmt;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use worker::Env;

/// The Durable Object namespace's binding.
pub(super) const BINDING: &str = "TENANTS";
const TRIES: u32 = 3;
const TIMEOUT_MS: u32 = 5_000;
const PAUSE_MS: u32 = 50;

/// Why an object gave no answer.
#[derive(Debug)]
pub(super) enum ObjectError {
    /// The deployment has no such binding.
    NotBound,
    /// It could not be reached, or did not answer; whether it did as it was told is not known.
    NotReached(String),
}

impl fmt::Display for ObjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBound => write!(f, "the binding {BINDING} is missing"),
            Self::NotReached(why) => write!(f, "the tenant's object did not answer ({why}); repeat the call"),
        }
    }
}

/// The object namespace of this deployment.
pub(super) fn namespace(env: &Env) -> Result<JsValue, ObjectError> {
    let binding = js_sys::Reflect::get(env, &JsValue::from_str(BINDING)).unwrap_or(JsValue::UNDEFINED);
    if binding.is_undefined() { Err(ObjectError::NotBound) } else { Ok(binding) }
}

/// Calls `method` of a tenant's object with a text.
pub(super) async fn call(env: &Env, tenant: &TenantId, method: &str, text: &str) -> Result<String, ObjectError> {
    let namespace = namespace(env)?;
    let mut tried = 0_u32;
    loop {
        tried = tried.saturating_add(1);
        let error = match glue::call_object(&namespace, tenant.as_str(), method, text, TIMEOUT_MS).await {
            Ok(reply) => return Ok(reply.as_string().unwrap_or_default()),
            Err(error) => error,
        };
        if tried >= TRIES || !glue::retryable(&error) {
            return Err(ObjectError::NotReached(message(&error)));
        }
        let pause = PAUSE_MS.saturating_mul(1 << tried.min(8));
        // The pause can only fail where the isolate ends, and then nobody waits for it.
        let _ = JsFuture::from(glue::wait(pause)).await;
    }
}

/// Tells a tenant's object what an administrator changed.
pub(super) async fn configure(env: &Env, tenant: &TenantId, change: &Configure) -> Result<(), ObjectError> {
    call(env, tenant, "configure", &to_json(change)).await.map(drop)
}

/// What a tenant's object has done since it was last started.
pub(super) async fn metrics(env: &Env, tenant: &TenantId) -> Result<Metrics, ObjectError> {
    let text = call(env, tenant, "metrics", "").await?;
    serde_json::from_str(&text).map_err(|error| ObjectError::NotReached(error.to_string()))
}

/// A message as its text. Messages are texts, numbers and lists, which cannot fail.
pub(super) fn to_json(message: &impl Serialize) -> String {
    serde_json::to_string(message).unwrap_or_default()
}

fn message(error: &JsValue) -> String {
    let text = js_sys::Reflect::get(error, &JsValue::from_str("message")).ok().and_then(|text| text.as_string());
    text.unwrap_or_else(|| "unknown error".to_owned())
}
