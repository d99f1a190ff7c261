//! What an administrator's call says to a tenant's object.

use super::glue;
use crate::key::TenantId;
use crate::wire::{CallsAsk, CallsSeen, Configure, Credit, Credited, KeyUpdate, Metrics, Room};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use wasm_bindgen::JsValue;
use worker::Env;

/// The Durable Object namespace's binding.
pub(super) const BINDING: &str = "TENANTS";

/// Why an object gave no answer.
#[derive(Debug)]
pub(super) enum ObjectError {
    /// The deployment has no such binding.
    NotBound,
    /// It could not be reached, or did not answer; whether it did as it was told is not known.
    NotReached(String),
    /// It is of the release before, and does not know what it was asked.
    Older,
}

impl fmt::Display for ObjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBound => write!(f, "the binding {BINDING} is missing"),
            Self::Older => f.write_str("the tenant's object is of the release before"),
            Self::NotReached(why) => write!(f, "the tenant's object did not answer ({why}); repeat the call"),
        }
    }
}

/// The object namespace of this deployment.
pub(super) fn namespace(env: &Env) -> Result<JsValue, ObjectError> {
    let binding = js_sys::Reflect::get(env, &JsValue::from_str(BINDING)).unwrap_or(JsValue::UNDEFINED);
    if binding.is_undefined() { Err(ObjectError::NotBound) } else { Ok(binding) }
}

/// Tells a tenant's object what an administrator changed.
pub(super) async fn configure(env: &Env, tenant: &TenantId, change: &Configure) -> Result<(), ObjectError> {
    call(env, tenant, "configure", &to_json(change)).await.map(drop)
}

/// What a tenant's keys would take of its object with one that is told of.
pub(super) async fn room(env: &Env, tenant: &TenantId, key: &KeyUpdate) -> Result<Room, ObjectError> {
    match ask(env, tenant, "room", &to_json(key)).await {
        // An object of the release before knows no maximum.
        Err(ObjectError::Older) => Ok(Room::default()),
        room => room,
    }
}

/// What a tenant's object has done since it was last started.
pub(super) async fn metrics(env: &Env, tenant: &TenantId) -> Result<Metrics, ObjectError> {
    ask(env, tenant, "metrics", "").await
}

/// Some calls of a tenant's ledger.
pub(super) async fn calls(env: &Env, tenant: &TenantId, calls: &CallsAsk) -> Result<CallsSeen, ObjectError> {
    ask(env, tenant, "calls", &to_json(calls)).await
}

/// Gives a call a credit, or asks what would come of it.
pub(super) async fn credit(env: &Env, tenant: &TenantId, credit: &Credit) -> Result<Credited, ObjectError> {
    ask(env, tenant, "credit", &to_json(credit)).await
}

/// What an object answers to a question, as a document.
async fn ask<T: DeserializeOwned>(env: &Env, tenant: &TenantId, method: &str, text: &str) -> Result<T, ObjectError> {
    match call(env, tenant, method, text).await {
        Ok(text) => serde_json::from_str(&text).map_err(|error| ObjectError::NotReached(error.to_string())),
        Err(ObjectError::NotReached(why)) if why.contains("does not implement") => Err(ObjectError::Older),
        Err(error) => Err(error),
    }
}

async fn call(env: &Env, tenant: &TenantId, method: &str, text: &str) -> Result<String, ObjectError> {
    let namespace = namespace(env)?;
    let reply = glue::call_object(&namespace, tenant.as_str(), method, text).await;
    reply.map(|reply| reply.as_string().unwrap_or_default()).map_err(|error| ObjectError::NotReached(message(&error)))
}

/// A message as its text. Messages are texts, numbers and lists, which cannot fail.
pub(super) fn to_json(message: &impl Serialize) -> String {
    serde_json::to_string(message).unwrap_or_default()
}

fn message(error: &JsValue) -> String {
    let text = js_sys::Reflect::get(error, &JsValue::from_str("message")).ok().and_then(|text| text.as_string());
    text.unwrap_or_else(|| "unknown error".to_owned())
}
