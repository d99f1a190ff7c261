//! What an operator asks of the admin API and what it answers: documents in, documents out.
//!
//! Nothing here has I/O: the shell stores what was read, and passes it on to the tenant's object.

use crate::fields::{Field, Invalid};
use crate::key::{KeyId, SecretHash, TenantId, redacted};
use crate::policy::{Per, Policy};
use crate::units::{CEILING, Millis};
use crate::wire::{KeyUpdate, TenantUpdate};
use serde_json::{Map, Value, json};

pub mod calls;
pub mod edit;
pub mod list;
pub mod path;
pub mod refuse;
pub mod tries;

/// The largest body of an admin call, in bytes.
pub const BODY_BYTES_MAX: usize = 1_024 * 1_024;
/// The largest policy, in bytes and with its defaults written out: every key's is in its object's memory.
const POLICY_BYTES_MAX: usize = 32 * 1_024;
const NAME_BYTES_MAX: usize = 200;

/// A tenant, as the registry keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantRecord {
    /// What keys and paths call it.
    pub id: TenantId,
    /// What people call it.
    pub name: Option<String>,
    /// Whether its calls are admitted at all.
    pub enabled: bool,
    /// Its policy's document.
    pub policy: Value,
    /// When it was made.
    pub created_at: Millis,
    /// When it was last changed.
    pub updated_at: Millis,
}

impl TenantRecord {
    /// The tenant that the body of `POST /tenants` describes.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn read(body: &Value, now: Millis) -> Result<Self, Invalid> {
        let mut fields = Field::root("", body).fields()?;
        let id = fields.required("id")?;
        let id = TenantId::parse(id.text(NAME_BYTES_MAX)?)
            .ok_or_else(|| id.invalid("must be 1 to 40 of a-z, 0-9 and '-', and not begin with '-'"))?;
        let name = fields.optional("name").map(|name| read_name(&name)).transpose()?;
        let policy = match fields.optional("policy") {
            None => read_policy(&Field::root("policy", &json!({})), Per::Tenant)?,
            Some(policy) => read_policy(&policy, Per::Tenant)?,
        };
        fields.finish()?;
        Ok(Self { id, name, enabled: true, policy, created_at: now, updated_at: now })
    }

    /// Whether both say the same of one tenant, whenever that was.
    pub fn same(&self, other: &Self) -> bool {
        let policies = whole_policy(&self.policy, Per::Tenant) == whole_policy(&other.policy, Per::Tenant);
        self.id == other.id && self.name == other.name && self.enabled == other.enabled && policies
    }

    /// The tenant as it is shown.
    pub fn document(&self) -> Value {
        json!({
            "object": "tenant",
            "id": self.id,
            "name": self.name,
            "enabled": self.enabled,
            "policy": whole_policy(&self.policy, Per::Tenant),
            "created_at": instant(self.created_at),
            "updated_at": instant(self.updated_at),
        })
    }

    /// What the tenant's object is told.
    pub fn update(&self) -> TenantUpdate {
        TenantUpdate { id: self.id.clone(), enabled: self.enabled, policy: self.policy.clone() }
    }
}

/// A key, as the registry keeps it: never the key itself.
#[derive(Clone, Debug)]
pub struct KeyRecord {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its public name.
    pub id: KeyId,
    /// What people call it.
    pub name: Option<String>,
    /// What proves that a caller holds it.
    pub hash: SecretHash,
    /// Its policy's document.
    pub policy: Option<Value>,
    /// From when on it is refused.
    pub expires_at: Option<Millis>,
    /// When it was revoked.
    pub revoked_at: Option<Millis>,
    /// When it was made.
    pub created_at: Millis,
    /// When it was last changed.
    pub updated_at: Millis,
}

impl KeyRecord {
    /// The key as it is shown at `now`: neither its secret nor its hash.
    pub fn document(&self, now: Millis) -> Value {
        let expired = self.expires_at.is_some_and(|end| end <= now);
        json!({
            "object": "key",
            "id": self.id,
            "tenant": self.tenant,
            "name": self.name,
            "redacted": redacted(&self.tenant, &self.id),
            "policy": self.policy.as_ref().map(|policy| whole_policy(policy, Per::Key)),
            "enabled": self.revoked_at.is_none() && !expired,
            "expires_at": self.expires_at.map(instant),
            "revoked_at": self.revoked_at.map(instant),
            "created_at": instant(self.created_at),
            "updated_at": instant(self.updated_at),
        })
    }

    /// What the tenant's object is told.
    pub fn update(&self) -> KeyUpdate {
        KeyUpdate {
            id: self.id.clone(),
            hash: self.hash.clone(),
            policy: self.policy.clone(),
            revoked: self.revoked_at.is_some(),
            revoked_at: self.revoked_at,
            expires_at: self.expires_at,
        }
    }
}

/// A catalog that was sent, and the version it was made from, where that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentCatalog {
    /// The document, without its version.
    pub document: Value,
    /// The version that `GET /catalog` had shown.
    pub edited_from: Option<u64>,
}

impl SentCatalog {
    /// What the body of `PUT /catalog` says; the document is still to be checked.
    ///
    /// # Errors
    /// The version is not one.
    pub fn read(mut document: Value) -> Result<Self, Invalid> {
        let version = document.as_object_mut().and_then(|document| document.remove("version"));
        let edited_from = match &version {
            None | Some(Value::Null) => None,
            Some(version) => Some(Field::root("catalog.version", version).integer(0, CEILING)?),
        };
        Ok(Self { document, edited_from })
    }
}

/// A catalog's document with its version in it, as it is shown.
pub fn catalog_document(version: u64, document: Value) -> Value {
    let mut shown = Map::from_iter([("version".to_owned(), Value::from(version))]);
    if let Value::Object(document) = document {
        shown.extend(document);
    }
    Value::Object(shown)
}

/// The catalog's version that the query's parameters ask for; `None`: the newest.
///
/// # Errors
/// The parameter that is wrong.
pub fn read_version<'a>(query: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Option<u64>, Invalid> {
    let mut version = None;
    for (name, value) in query {
        match name {
            "version" => version = Some(read_number(name, value, 0, CEILING)?),
            _ => return Err(unknown_parameter(name, "version")),
        }
    }
    Ok(version)
}

/// `instant` as RFC 3339 writes it, in UTC.
pub fn instant(instant: Millis) -> String {
    instant.to_rfc3339().unwrap_or_default()
}

fn read_name(field: &Field<'_>) -> Result<String, Invalid> {
    field.text(NAME_BYTES_MAX).map(str::to_owned)
}

/// A policy's document with its defaults written out.
fn read_policy(field: &Field<'_>, owner: Per) -> Result<Value, Invalid> {
    let document = Policy::read(field, owner)?.document();
    let bytes = document.to_string().len();
    if bytes > POLICY_BYTES_MAX {
        return Err(
            field.invalid(format!("must have at most {POLICY_BYTES_MAX} bytes with its defaults; it has {bytes}"))
        );
    }
    Ok(document)
}

/// A stored policy with the defaults of today: it may have been written by an older Tollgate.
fn whole_policy(document: &Value, owner: Per) -> Value {
    Policy::read(&Field::root("policy", document), owner).map_or_else(|_| document.clone(), |policy| policy.document())
}

fn read_number(name: &str, value: &str, min: u64, max: u64) -> Result<u64, Invalid> {
    let number = value.parse().ok().filter(|number| (min..=max).contains(number));
    number.ok_or_else(|| Invalid {
        path: name.to_owned(),
        problem: format!("must be a whole number from {min} to {max}; got {value:?}"),
    })
}

fn unknown_parameter(name: &str, known: &str) -> Invalid {
    let shown: String = name.chars().take(64).collect();
    Invalid { path: shown, problem: format!("is not a parameter here; known are {known}") }
}

#[cfg(test)]
#[path = "operator/tests.rs"]
mod tests;
