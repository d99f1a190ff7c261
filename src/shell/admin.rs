//! The operator's half: everything under `/admin/v1`.
//!
//! Each change is checked, then written to the registry together with its audit row, then brought
//! to the tenant's object; the call succeeds only when both hold it, and can be repeated.

use super::registry::{self, Caller, Registry, RegistryError};
use super::{glue, object};
use crate::dialect::Dialect;
use crate::key::{self, SigningSecret, TenantId};
use crate::operator::path::Resource;
use crate::operator::tries::Tries;
use crate::operator::{BODY_BYTES_MAX, refuse};
use crate::refusal::Refusal;
use crate::units::Millis;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use subtle::ConstantTimeEq;
use wasm_bindgen::{JsCast, JsValue};
use worker::{Date, Env, Headers, Method, Request, Response, ResponseBuilder};

mod calls;
mod catalogs;
mod keys;
mod push;
mod tenants;

const ADMIN_TOKEN: &str = "ADMIN_TOKEN";
const ADMIN_TOKEN_BYTES_MIN: usize = 16;
const SIGNING_SECRET: &str = "API_KEYS_SECRET";

thread_local! {
    /// The wrong tokens that came to this isolate.
    static TRIES: RefCell<Tries> = const { RefCell::new(Tries::new()) };
}

/// Answers any request under `/admin`.
pub(super) async fn handle(request: Request, env: &Env) -> Response {
    let answer = match answer(&request, env).await {
        Ok(answer) => answer,
        Err(refusal) => {
            if refusal.status >= 500 {
                let (method, path) = (request.method(), request.path());
                worker::console_error!("{method:?} {path}: {} {}", refusal.status, refusal.message);
            }
            Answer::from(&refusal)
        }
    };
    answer.respond()
}

async fn answer(request: &Request, env: &Env) -> Result<Answer, Refusal> {
    check_token(request, env)?;
    let (path, method) = (request.path(), request.method());
    let resource = Resource::at(&path).map_err(|cause| refuse::no_resource(cause, method.as_ref(), &path))?;
    let deployment = Deployment::open(env)?;
    let query: Vec<(String, String)> =
        request.url().map(|url| url.query_pairs().into_owned().collect()).unwrap_or_default();
    let query = query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    match (&resource, method) {
        (Resource::Catalog, Method::Get) => catalogs::show(&deployment, query).await,
        (Resource::Catalog, Method::Put) => catalogs::replace(&deployment, read_body(request).await?).await,
        (Resource::Tenants, Method::Get) => tenants::list(&deployment, query).await,
        (Resource::Tenants, Method::Post) => tenants::create(&deployment, &read_body(request).await?).await,
        (Resource::Tenant(id), Method::Get) => tenants::show(&deployment, id).await,
        (Resource::Tenant(id), Method::Patch) => tenants::change(&deployment, id, &read_body(request).await?).await,
        (Resource::Keys(id), Method::Get) => keys::list(&deployment, id, query).await,
        (Resource::Keys(id), Method::Post) => {
            keys::create(&deployment, id, &read_body_or_nothing(request).await?).await
        }
        (Resource::Key(id, key), Method::Get) => keys::show(&deployment, id, key).await,
        (Resource::Key(id, key), Method::Patch) => keys::change(&deployment, id, key, &read_body(request).await?).await,
        (Resource::Key(id, key), Method::Delete) => keys::revoke(&deployment, id, key).await,
        (Resource::Calls(id), Method::Get) => calls::list(&deployment, id, query).await,
        (Resource::Credits(id), Method::Post) => calls::credit(&deployment, id, &read_body(request).await?).await,
        (Resource::Metrics(id), Method::Get) => metrics(&deployment, id).await,
        (resource, method) => Err(Refusal::wrong_method(method.as_ref(), &path, resource.methods())),
    }
}

/// What an admin call works with.
struct Deployment<'a> {
    env: &'a Env,
    registry: Registry,
    signing: SigningSecret,
    now: Millis,
}

impl<'a> Deployment<'a> {
    fn open(env: &'a Env) -> Result<Self, Refusal> {
        let binding = |name: &str| {
            let remedy = "Declare it in wrangler.toml for this environment: bindings are not inherited.";
            Refusal::not_set_up(&format!("the binding {name}"), remedy)
        };
        let registry = Registry::open(env, Caller::Admin).ok_or_else(|| binding(registry::BINDING))?;
        object::namespace(env).map_err(|_| binding(object::BINDING))?;
        let secret = secret(env, SIGNING_SECRET);
        let signing = secret.as_deref().and_then(SigningSecret::new);
        let signing =
            signing.ok_or_else(|| refuse::no_secret(SIGNING_SECRET, secret.is_some(), SigningSecret::BYTES_MIN))?;
        Ok(Self { env, registry, signing, now: Millis::new(Date::now().as_millis()) })
    }
}

/// What an admin call is answered.
struct Answer {
    status: u16,
    document: Value,
    headers: Vec<(&'static str, String)>,
}

impl Answer {
    fn new(status: u16, document: Value) -> Self {
        Self { status, document, headers: Vec::new() }
    }

    fn respond(self) -> Response {
        let headers = Headers::new();
        let own = [
            ("content-type", "application/json"),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
        ];
        let own = own.map(|(name, value)| (name, value.to_owned()));
        for (name, value) in own.into_iter().chain(self.headers) {
            // Only a malformed name or value is refused, and these are none.
            let _ = headers.set(name, &value);
        }
        ResponseBuilder::new()
            .with_status(self.status)
            .with_headers(headers)
            .fixed(self.document.to_string().into_bytes())
    }
}

impl From<&Refusal> for Answer {
    fn from(refusal: &Refusal) -> Self {
        Self { status: refusal.status, document: body(refusal), headers: refusal.headers() }
    }
}

impl From<RegistryError> for Refusal {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::NotMigrated => refuse::not_migrated(),
            RegistryError::Exists => refuse::busy(),
            RegistryError::Failed(why) => refuse::no_registry(&why),
        }
    }
}

/// A refusal's body.
fn body(refusal: &Refusal) -> Value {
    serde_json::from_str(&refusal.body(Dialect::OpenAi, "")).unwrap_or_default()
}

/// Refuses whoever does not bring the admin token.
///
/// Hashes are compared, so that neither the time nor a length tells anything.
fn check_token(request: &Request, env: &Env) -> Result<(), Refusal> {
    let token = secret(env, ADMIN_TOKEN);
    let found = token.is_some();
    let token = token
        .map(|token| token.trim().to_owned())
        .filter(|token| token.len() >= ADMIN_TOKEN_BYTES_MIN)
        .ok_or_else(|| refuse::no_secret(ADMIN_TOKEN, found, ADMIN_TOKEN_BYTES_MIN))?;
    let header = |name: &str| request.headers().get(name).ok().flatten().unwrap_or_default();
    let authorization = header("authorization");
    let presented = key::bearer(&authorization).ok_or_else(|| refuse::bad_token(false))?;
    if Sha256::digest(token.as_bytes()).ct_eq(&Sha256::digest(presented.as_bytes())).into() {
        return Ok(());
    }
    let now = Millis::new(Date::now().as_millis());
    let wait = TRIES.with_borrow_mut(|tries| tries.wrong(now, &header("cf-connecting-ip")));
    Err(wait.map_or_else(|| refuse::bad_token(true), refuse::too_many_tries))
}

/// The secret `name`; `None`: it is not set, or empty.
fn secret(env: &Env, name: &str) -> Option<String> {
    env.secret(name).ok().map(|secret| secret.to_string()).filter(|secret| !secret.is_empty())
}

async fn read_body(request: &Request) -> Result<Value, Refusal> {
    parse(&read_bytes(request).await?)
}

/// The body's document, an empty object where there is no body.
async fn read_body_or_nothing(request: &Request) -> Result<Value, Refusal> {
    let bytes = read_bytes(request).await?;
    if bytes.is_empty() { Ok(json!({})) } else { parse(&bytes) }
}

async fn read_bytes(request: &Request) -> Result<Vec<u8>, Refusal> {
    let max = u32::try_from(BODY_BYTES_MAX).unwrap_or(u32::MAX);
    let body = glue::body(request.inner(), max).await.unwrap_or(JsValue::UNDEFINED);
    if body.is_null() {
        return Err(refuse::too_large(BODY_BYTES_MAX));
    }
    let bytes = body.dyn_into::<js_sys::Uint8Array>().map_err(|_| refuse::cut_body())?;
    Ok(bytes.to_vec())
}

fn parse(bytes: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(bytes).map_err(|error| refuse::not_json(bytes, &error))
}

/// What the tenant's object has done, and how many D1 queries clients' calls made in this isolate.
async fn metrics(deployment: &Deployment<'_>, id: &TenantId) -> Result<Answer, Refusal> {
    deployment.registry.tenant(id).await?.ok_or_else(|| refuse::no_tenant(id))?;
    let metrics = object::metrics(deployment.env, id).await;
    let metrics = metrics.map_err(|error| refuse::no_answer(id, &push::reason(&error)))?;
    let mut document = json!(metrics);
    if let Some(document) = document.as_object_mut() {
        document.insert("d1_reads".to_owned(), registry::data_path_reads().into());
    }
    Ok(Answer::new(200, document))
}
