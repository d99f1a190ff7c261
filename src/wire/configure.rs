//! What a tenant's object is told of what it is, and what it tells of itself.

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
    /// From when on it is refused.
    #[serde(default)]
    pub expires_at: Option<Millis>,
}

/// What an object has done since its memory was last rebuilt, for measurements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metrics {
    /// Calls admitted.
    pub calls: u64,
    /// Rows written, as the platform bills them.
    pub rows_written: u64,
    /// Requests that the data path made of the object.
    pub object_requests: u64,
    /// Transactions written: group commits.
    pub commits: u64,
    /// Bytes of calls that the object's isolate holds now.
    #[serde(default)]
    pub isolate_bytes: u64,
    /// The most that it has held.
    #[serde(default)]
    pub isolate_bytes_peak: u64,
}
