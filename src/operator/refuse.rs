//! Every "no" of the admin API, as the [`Refusal`] that says it.

use super::path::NoResource;
use crate::fields::Invalid;
use crate::key::{KeyId, TenantId};
use crate::refusal::Refusal;
use crate::units::{Millis, NanoUsd};
use serde_json::Map;

/// What makes or mends the registry's tables.
const MIGRATE: &str = "npx wrangler d1 migrations apply REGISTRY --remote";

fn refusal(status: u16, code: &'static str, message: String) -> Refusal {
    let kind = if status < 500 { "invalid_request_error" } else { "service_unavailable_error" };
    let (param, extra) = (None, Map::new());
    Refusal {
        status,
        kind,
        code: Some(code),
        param,
        message,
        retry: Some(false),
        retry_after: None,
        allow: None,
        extra,
    }
}

/// It may be tried again, and soon.
fn transient(refusal: Refusal) -> Refusal {
    Refusal { retry: Some(true), retry_after: Some(Millis::from_secs(1)), ..refusal }
}

/// No admin token, or a wrong one.
pub fn bad_token(presented: bool) -> Refusal {
    let message = if presented {
        "This is not the admin token of this deployment (its secret ADMIN_TOKEN)."
    } else {
        "There is no admin token. Send it as \"Authorization: Bearer ...\": the value of the secret ADMIN_TOKEN."
    };
    let refused = refusal(401, "invalid_admin_token", message.to_owned());
    Refusal { kind: "authentication_error", ..refused }
}

/// A wrong admin token from an address from which too many came.
pub fn too_many_tries(wait: Millis) -> Refusal {
    let message = "Too many wrong admin tokens came from your address in the last minute. Wait, and send the value of the secret \
                   ADMIN_TOKEN.";
    Refusal { retry_after: Some(wait), ..refusal(429, "too_many_wrong_tokens", message.to_owned()) }
}

/// The secret `name` is missing, or shorter than `bytes_min`.
pub fn no_secret(name: &str, found: bool, bytes_min: usize) -> Refusal {
    let state = if found { "too short" } else { "missing" };
    let message = format!(
        "This gateway is not set up: the secret {name} is {state}. Give it at least {bytes_min} bytes \
         (openssl rand -hex 32) with: npx wrangler secret put {name}"
    );
    refusal(503, "gateway_not_set_up", message)
}

/// A path that names nothing.
pub fn no_resource(cause: NoResource, method: &str, path: &str) -> Refusal {
    match cause {
        NoResource::Tenant => unknown_tenant_at(path),
        NoResource::Key => refusal(404, "key_not_found", "There is no such key.".to_owned()),
        NoResource::Path => {
            let shown: String = path.chars().take(128).collect();
            let message = format!(
                "There is no {method} {shown} here. Served under /admin/v1 are /catalog, /tenants, /tenants/{{id}}, \
                 /tenants/{{id}}/keys, /tenants/{{id}}/keys/{{key}}, /tenants/{{id}}/calls, /tenants/{{id}}/credits and \
                 /tenants/{{id}}/metrics."
            );
            refusal(404, "unknown_url", message)
        }
    }
}

fn unknown_tenant_at(path: &str) -> Refusal {
    let shown: String = path.chars().take(128).collect();
    let message = format!(
        "There is no tenant at {shown}: its name has 1 to 40 of a-z, 0-9 and '-', and does not begin with '-'."
    );
    refusal(404, "tenant_not_found", message)
}

/// A tenant that the registry does not hold.
pub fn no_tenant(id: &TenantId) -> Refusal {
    refusal(404, "tenant_not_found", format!("There is no tenant {:?}.", id.as_str()))
}

/// A key that the registry does not hold.
pub fn no_key(tenant: &TenantId, key: &KeyId) -> Refusal {
    refusal(404, "key_not_found", format!("Tenant {:?} has no key {:?}.", tenant.as_str(), key.as_str()))
}

/// A tenant with one key more than its object holds.
pub fn too_many_keys(tenant: &TenantId, keys: usize, max: usize) -> Refusal {
    let message = format!(
        "Tenant {:?} would have {keys} keys; at most {max}, those counted whose end is less than three hours past. Revoke some \
         that are not in use.",
        tenant.as_str()
    );
    refusal(409, "too_many_keys", message)
}

/// The keys' own policies would take more of the object's memory than they may.
pub fn policies_too_large(tenant: &TenantId, bytes: usize, max: usize) -> Refusal {
    let message = format!(
        "The own policies of the keys of tenant {:?} would take {bytes} bytes of memory together; at most {max}. Put what they \
         have in common into the tenant's policy: a limit with \"per\": \"key\" counts each key by itself.",
        tenant.as_str()
    );
    Refusal { param: Some("policy".to_owned()), ..refusal(409, "policies_too_large", message) }
}

/// A catalog version that there never was.
pub fn no_catalog(version: u64) -> Refusal {
    refusal(404, "catalog_version_not_found", format!("There is no version {version} of the catalog."))
}

/// A tenant that is there already and is another.
pub fn tenant_exists(id: &TenantId) -> Refusal {
    let id = id.as_str();
    let message =
        format!("There is a tenant {id:?} already, and it differs. Change it with PATCH /admin/v1/tenants/{id}.");
    Refusal { param: Some("id".to_owned()), ..refusal(409, "tenant_exists", message) }
}

/// A catalog that was made from an older version than the newest.
pub fn catalog_changed(edited_from: u64, newest: u64) -> Refusal {
    let message = format!(
        "The catalog is at version {newest} by now, and this document was made from version {edited_from}. \
         Get it again and repeat the change, or leave \"version\" out to replace whatever is there."
    );
    Refusal { param: Some("catalog.version".to_owned()), ..refusal(409, "catalog_changed", message) }
}

/// A key that was revoked and cannot be changed any more.
pub fn key_revoked(key: &KeyId) -> Refusal {
    refusal(409, "key_revoked", format!("The key {:?} was revoked; that is final. Make another one.", key.as_str()))
}

/// Others changed the same at the same time, again and again.
pub fn busy() -> Refusal {
    transient(refusal(503, "try_again", "Others are changing the same just now. Repeat the call.".to_owned()))
}

/// A body that is not a JSON document.
pub fn not_json(bytes: &[u8], error: &serde_json::Error) -> Refusal {
    let message = if bytes.iter().all(u8::is_ascii_whitespace) {
        "The body is empty; send a JSON object.".to_owned()
    } else {
        format!("The body is not JSON: {error}.")
    };
    refusal(400, "invalid_json", message)
}

/// A body that could not be read to its end.
pub fn cut_body() -> Refusal {
    refusal(400, "invalid_body", "The body broke off before its end.".to_owned())
}

/// A body larger than `bytes_max`.
pub fn too_large(bytes_max: usize) -> Refusal {
    refusal(413, "request_too_large", format!("The body is larger than {bytes_max} bytes."))
}

/// A field that is wrong: nothing of the document was taken.
pub fn invalid(invalid: &Invalid) -> Refusal {
    let (param, message) = if invalid.path.is_empty() {
        (None, format!("The body {}.", invalid.problem))
    } else {
        (Some(invalid.path.clone()), format!("{invalid}."))
    };
    Refusal { param, ..refusal(400, "invalid_document", message) }
}

/// A parameter of the query that is wrong.
pub fn invalid_parameter(invalid: &Invalid) -> Refusal {
    let message = format!("The parameter {invalid}.");
    Refusal { param: Some(invalid.path.clone()), ..refusal(400, "invalid_parameter", message) }
}

/// The change is stored, and the tenant's object does not hold it yet.
pub fn not_reached(tenant: &TenantId, why: &str) -> Refusal {
    let message = format!(
        "The change is stored, but the object of tenant {:?} does not hold it yet ({why}). Repeat the call.",
        tenant.as_str()
    );
    transient(refusal(503, "tenant_not_reached", message))
}

/// A key that was made but could not be brought to the tenant's object: nobody holds it.
pub fn key_not_handed_out(tenant: &TenantId, key: &KeyId, why: &str, revoked: bool) -> Refusal {
    let rest = if revoked { "and is revoked" } else { "and may be revoked" };
    let message = format!(
        "The object of tenant {:?} does not hold the new key ({why}), so it was not handed out: nobody knows it. \
         It is listed as {:?} {rest}. Repeat the call to make another.",
        tenant.as_str(),
        key.as_str()
    );
    transient(refusal(503, "tenant_not_reached", message))
}

/// A call that the tenant's ledger does not hold, or not at the `placed` place.
pub fn no_call(tenant: &TenantId, call: &str, placed: bool) -> Refusal {
    let place = if placed { " at that place" } else { "" };
    let message = format!(
        "Tenant {:?} has no call {call:?}{place}. GET /admin/v1/tenants/{0}/calls lists its calls; their rows are kept for the policy's \
         \"ledger_days\".",
        tenant.as_str()
    );
    Refusal { param: Some("call".to_owned()), ..refusal(404, "call_not_found", message) }
}

/// A call that was not found among the latest.
pub fn call_too_old(call: &str) -> Refusal {
    let message = format!(
        "The call {call:?} is not among the latest 1,000,000. Name its \"place\" too, as the list of calls shows it."
    );
    Refusal { param: Some("place".to_owned()), ..refusal(404, "call_not_found", message) }
}

/// A credit for a call that has not ended.
pub fn call_under_way(call: &str) -> Refusal {
    let message = format!("The call {call:?} is under way: it has no bill yet. Repeat this once it has ended.");
    Refusal { param: Some("call".to_owned()), ..refusal(409, "call_under_way", message) }
}

/// A credit of more than the call was billed.
pub fn credit_too_large(call: &str, billed: NanoUsd) -> Refusal {
    let message = if billed == NanoUsd::ZERO {
        format!("The call {call:?} was billed nothing: there is nothing to credit.")
    } else {
        format!("The call {call:?} was billed {} US dollars; a credit is at most that.", billed.to_usd())
    };
    Refusal { param: Some("amount".to_owned()), ..refusal(400, "credit_too_large", message) }
}

/// A second credit of one call.
pub fn credited_before(call: &str, billed: NanoUsd) -> Refusal {
    let message = format!(
        "The call {call:?} has had its credit, and costs {} US dollars since. A call is credited once.",
        billed.to_usd()
    );
    Refusal { param: Some("call".to_owned()), ..refusal(409, "credited_before", message) }
}

/// The tenant's object runs the release before, which does not know what it was asked.
pub fn older_object(tenant: &TenantId) -> Refusal {
    let message = format!(
        "The object of tenant {:?} still runs the release before, which does not know this. It is replaced within minutes of a \
         deployment: repeat the call then.",
        tenant.as_str()
    );
    Refusal { retry_after: Some(Millis::from_secs(60)), ..transient(refusal(503, "tenant_object_older", message)) }
}

/// The tenant's object did not answer a question.
pub fn no_answer(tenant: &TenantId, why: &str) -> Refusal {
    transient(refusal(
        503,
        "tenant_not_reached",
        format!("The object of tenant {:?} did not answer ({why}).", tenant.as_str()),
    ))
}

/// Not all tenants' objects hold the catalog yet.
pub fn tenants_behind(version: u64, behind: u64) -> Refusal {
    let message = format!(
        "Version {version} of the catalog is stored, but {behind} tenants' objects do not hold it yet. Repeat the call."
    );
    transient(refusal(503, "tenant_not_reached", message))
}

/// The registry's tables are not there, or are those of an older Tollgate.
pub fn not_migrated() -> Refusal {
    let message = format!(
        "The registry's tables are missing or old. Run: {MIGRATE} (with --env NAME for an environment of \
         wrangler.toml, and --local instead of --remote for development)."
    );
    refusal(503, "registry_not_migrated", message)
}

/// The registry did not answer, or not with what was asked.
pub fn no_registry(why: &str) -> Refusal {
    transient(refusal(
        503,
        "registry_unavailable",
        format!("The registry (D1) did not do what was asked: {why}. Repeat the call."),
    ))
}
