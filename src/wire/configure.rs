//! What an administrator's call and a tenant's object say to one another.

use crate::key::{KeyId, SecretHash, TenantId};
use crate::units::Millis;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a tenant's object is told by an administrator's call: each part whole, so that it can be
/// said again without harm.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Configure {
    /// The tenant's revision that the tenant and the keys are of: an older one changes nothing.
    #[serde(default)]
    pub revision: u64,
    /// The tenant itself; the first of all messages to an object must bring it.
    #[serde(default)]
    pub tenant: Option<TenantUpdate>,
    /// The catalog.
    #[serde(default)]
    pub catalog: Option<CatalogUpdate>,
    /// Keys, new or changed.
    #[serde(default)]
    pub keys: Vec<KeyUpdate>,
}

/// What a tenant is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TenantUpdate {
    /// Its name.
    pub id: TenantId,
    /// Whether its calls are admitted at all.
    pub enabled: bool,
    /// Its policy's document.
    pub policy: Value,
}

/// A catalog.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CatalogUpdate {
    /// Its version.
    pub version: u64,
    /// Its document.
    pub document: Value,
}

/// What a key is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyUpdate {
    /// Its public name.
    pub id: KeyId,
    /// What proves that a caller holds it.
    pub hash: SecretHash,
    /// Its policy's document.
    #[serde(default)]
    pub policy: Option<Value>,
    /// Whether it was revoked.
    #[serde(default)]
    pub revoked: bool,
    /// When it was; `None` where a release told that did not say it: long ago.
    #[serde(default)]
    pub revoked_at: Option<Millis>,
    /// From when on it is refused.
    #[serde(default)]
    pub expires_at: Option<Millis>,
}

/// What a tenant's keys would take of its object with one more, or with one that is changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// How many there would be.
    pub keys: usize,
    /// What their own policies would take of memory, in bytes.
    pub policy_bytes: usize,
}
