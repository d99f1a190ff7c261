//! What operators set, kept in D1: tenants, keys and catalogs, and who changed them.
//!
//! The only module with D1's SQL, so that another store can stand in for it. A change and its
//! audit row are one batch, which D1 runs as one transaction.

use crate::catalog;
use crate::key::{KeyId, SecretHash, TenantId};
use crate::operator::edit::{Edit, KeyEdit, TenantEdit};
use crate::operator::list::Page;
use crate::operator::{KeyRecord, TenantRecord};
use crate::units::Millis;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use wasm_bindgen::JsValue;
use worker::{D1Database, D1Result, Env};

pub(super) mod held;
mod sql;

/// The D1 database's binding.
pub(super) const BINDING: &str = "REGISTRY";

static ADMIN_QUERIES: AtomicU64 = AtomicU64::new(0);
static DATA_PATH_QUERIES: AtomicU64 = AtomicU64::new(0);

/// Whose queries they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// An admin call.
    Admin,
    /// A client's call.
    #[expect(dead_code, reason = "no client's call waits for D1; one that did would be counted and seen")]
    DataPath,
}

/// How many D1 queries clients' calls have made in this isolate.
pub(super) fn data_path_reads() -> u64 {
    DATA_PATH_QUERIES.load(Ordering::Relaxed)
}

/// Why the registry did not do what was asked: nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RegistryError {
    /// The tables are not there, or lack a column.
    NotMigrated,
    /// There is one of that name already.
    Exists,
    /// It failed, or could not be reached; in the latter case the change may be stored.
    Failed(String),
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotMigrated => f.write_str("the registry's tables are missing or old"),
            Self::Exists => f.write_str("there is one of that name already"),
            Self::Failed(why) => write!(f, "the registry did not answer ({why})"),
        }
    }
}

impl From<worker::Error> for RegistryError {
    fn from(error: worker::Error) -> Self {
        let text = match &error {
            worker::Error::D1(d1) => String::from(AsRef::<js_sys::Error>::as_ref(d1).message()),
            other => other.to_string(),
        };
        if text.contains("no such table") || text.contains("no such column") || text.contains("has no column") {
            Self::NotMigrated
        } else if text.contains("UNIQUE constraint failed") {
            Self::Exists
        } else {
            Self::Failed(text)
        }
    }
}

/// The registry of this deployment.
pub(super) struct Registry {
    database: D1Database,
    caller: Caller,
}

/// A statement and what is bound to it.
type Statement<'a> = (&'static str, &'a [JsValue]);

impl Registry {
    /// The registry of this deployment; `None`: it has no such binding.
    pub(super) fn open(env: &Env, caller: Caller) -> Option<Self> {
        Some(Self { database: env.d1(BINDING).ok()?, caller })
    }

    /// One tenant.
    pub(super) async fn tenant(&self, id: &TenantId) -> Result<Option<TenantRecord>, RegistryError> {
        let rows: Vec<TenantRow> = self.read(sql::TENANT, &[text(id.as_str())]).await?;
        rows.into_iter().next().map(TenantRow::record).transpose()
    }

    /// A page of the tenants, in the order of their ids, with one more to tell whether there are more.
    pub(super) async fn tenants(&self, page: &Page) -> Result<Vec<TenantRecord>, RegistryError> {
        let binds = [text(&page.after), number(page.limit.saturating_add(1))];
        let rows: Vec<TenantRow> = self.read(sql::TENANTS, &binds).await?;
        rows.into_iter().map(TenantRow::record).collect()
    }

    /// Makes a tenant.
    ///
    /// # Errors
    /// [`RegistryError::Exists`]: there is one of that id.
    pub(super) async fn add_tenant(&self, tenant: &TenantRecord) -> Result<(), RegistryError> {
        let (id, name, policy, now) = (
            text(tenant.id.as_str()),
            maybe_text(tenant.name.as_deref()),
            tenant.policy.to_string(),
            instant(tenant.created_at),
        );
        let detail = serde_json::json!({"name": tenant.name, "policy": tenant.policy}).to_string();
        let audit = [now.clone(), text("tenant.create"), id.clone(), JsValue::NULL, text(&detail)];
        let add = [id, name, text(&policy), now];
        self.batch(&[(sql::TENANT_ADD, &add), (sql::AUDIT, &audit)]).await.map(drop)
    }

    /// Changes what `edit` names of a tenant; `None`: there is no such tenant.
    pub(super) async fn change_tenant(
        &self,
        id: &TenantId,
        edit: &TenantEdit,
        now: Millis,
    ) -> Result<Option<TenantRecord>, RegistryError> {
        let (tenant, now) = (text(id.as_str()), instant(now));
        let audit =
            [now.clone(), text("tenant.change"), tenant.clone(), JsValue::NULL, text(&edit.detail().to_string())];
        let [named, name] = edited(&edit.name, |name| text(name));
        let policy = edit.policy.as_ref().map_or(JsValue::NULL, |policy| text(&policy.to_string()));
        let enabled = edit.enabled.map_or(JsValue::NULL, JsValue::from_bool);
        let change = [tenant, named, name, policy, enabled, now];
        let results = self.batch(&[(sql::AUDIT_OF_TENANT, &audit), (sql::TENANT_CHANGE, &change)]).await?;
        last_row(&results)?.map(TenantRow::record).transpose()
    }

    /// One key.
    pub(super) async fn key(&self, tenant: &TenantId, id: &KeyId) -> Result<Option<KeyRecord>, RegistryError> {
        let rows: Vec<KeyRow> = self.read(sql::KEY, &[text(tenant.as_str()), text(id.as_str())]).await?;
        rows.into_iter().next().map(KeyRow::record).transpose()
    }

    /// A page of a tenant's keys, in the order of their ids, with one more to tell whether there are more.
    pub(super) async fn keys(&self, tenant: &TenantId, page: &Page) -> Result<Vec<KeyRecord>, RegistryError> {
        let binds = [text(tenant.as_str()), text(&page.after), number(page.limit.saturating_add(1))];
        let rows: Vec<KeyRow> = self.read(sql::KEYS, &binds).await?;
        rows.into_iter().map(KeyRow::record).collect()
    }

    /// Makes a key; whether there is such a tenant.
    pub(super) async fn add_key(&self, key: &KeyRecord, detail: &Value) -> Result<bool, RegistryError> {
        let (tenant, id, now) = (text(key.tenant.as_str()), text(key.id.as_str()), instant(key.created_at));
        let audit = [now.clone(), text("key.create"), tenant.clone(), id.clone(), text(&detail.to_string())];
        let policy = key.policy.as_ref().map(Value::to_string);
        let expires_at = key.expires_at.map_or(JsValue::NULL, instant);
        let (name, hash) = (maybe_text(key.name.as_deref()), text(key.hash.as_str()));
        let add = [tenant.clone(), id, name, hash, maybe_text(policy.as_deref()), expires_at, now];
        let revise = [tenant];
        let results =
            self.batch(&[(sql::AUDIT_OF_TENANT, &audit), (sql::REVISE, &revise), (sql::KEY_ADD, &add)]).await?;
        Ok(last_row::<IdRow>(&results)?.is_some())
    }

    /// Changes what `edit` names of a key, unless it is revoked; `None`: there is no such key.
    pub(super) async fn change_key(
        &self,
        (tenant, id): (&TenantId, &KeyId),
        edit: &KeyEdit,
        now: Millis,
    ) -> Result<Option<KeyRecord>, RegistryError> {
        let [named, name] = edited(&edit.name, |name| text(name));
        let [limited, policy] = edited(&edit.policy, |policy| text(&policy.to_string()));
        let [dated, expires_at] = edited(&edit.expires_at, |end| instant(*end));
        let change =
            [text(tenant.as_str()), text(id.as_str()), named, name, limited, policy, dated, expires_at, instant(now)];
        self.edit_key("key.change", &edit.detail(), now, (sql::KEY_CHANGE, &change)).await
    }

    /// Revokes a key, which is final; `None`: there is no such key.
    pub(super) async fn revoke_key(
        &self,
        tenant: &TenantId,
        id: &KeyId,
        now: Millis,
    ) -> Result<Option<KeyRecord>, RegistryError> {
        let revoke = [text(tenant.as_str()), text(id.as_str()), instant(now)];
        self.edit_key("key.revoke", &serde_json::json!({}), now, (sql::KEY_REVOKE, &revoke)).await
    }

    /// Runs `edit`, whose first binds are tenant and key, with all that goes with it; the key afterwards.
    async fn edit_key(
        &self,
        action: &str,
        detail: &Value,
        now: Millis,
        edit: Statement<'_>,
    ) -> Result<Option<KeyRecord>, RegistryError> {
        let key = edit.1.get(..2).unwrap_or_default();
        let mut audit = vec![instant(now), text(action)];
        audit.extend_from_slice(key);
        audit.push(text(&detail.to_string()));
        let batch = [(sql::AUDIT_OF_KEY, audit.as_slice()), (sql::REVISE_FOR_KEY, key), edit, (sql::KEY, key)];
        let results = self.batch(&batch).await?;
        last_row(&results)?.map(KeyRow::record).transpose()
    }

    /// Notes that a call of a tenant's `key` is given a credit.
    pub(super) async fn note_credit(
        &self,
        tenant: &TenantId,
        key: &KeyId,
        detail: &Value,
        now: Millis,
    ) -> Result<(), RegistryError> {
        let (tenant, key, detail) = (text(tenant.as_str()), text(key.as_str()), text(&detail.to_string()));
        let audit = [instant(now), text("credit.create"), tenant, key, detail];
        self.batch(&[(sql::AUDIT_OF_TENANT, &audit)]).await.map(drop)
    }

    /// The newest catalog, or one of `version`; `None`: there never was one of that version.
    pub(super) async fn catalog(&self, version: Option<u64>) -> Result<Option<(u64, Value)>, RegistryError> {
        let rows: Vec<CatalogRow> = match version {
            Some(0) => Vec::new(),
            Some(version) => self.read(sql::CATALOG, &[number(version)]).await?,
            None => self.read(sql::CATALOG_NEWEST, &[]).await?,
        };
        match rows.into_iter().next() {
            Some(row) => Ok(Some((row.version, json(&row.document)?))),
            None if version.is_none_or(|version| version == 0) => Ok(Some((0, json(catalog::DEFAULT)?))),
            None => Ok(None),
        }
    }

    /// Adds a catalog as `version`.
    ///
    /// # Errors
    /// [`RegistryError::Exists`]: another call has added that version.
    pub(super) async fn add_catalog(&self, version: u64, document: &Value, now: Millis) -> Result<(), RegistryError> {
        let add = [number(version), text(&document.to_string()), instant(now)];
        let detail = serde_json::json!({"version": version}).to_string();
        let audit = [instant(now), text("catalog.replace"), JsValue::NULL, JsValue::NULL, text(&detail)];
        let old = [number(version)];
        self.batch(&[(sql::CATALOG_ADD, &add), (sql::CATALOGS_DROP, &old), (sql::AUDIT, &audit)]).await.map(drop)
    }

    /// The rows that a statement gives.
    async fn read<T: DeserializeOwned>(
        &self,
        statement: &'static str,
        binds: &[JsValue],
    ) -> Result<Vec<T>, RegistryError> {
        self.count(1);
        let bound = self.database.prepare(statement).bind(binds)?;
        Ok(bound.all().await?.results()?)
    }

    /// Runs statements as one transaction.
    async fn batch(&self, batch: &[Statement<'_>]) -> Result<Vec<D1Result>, RegistryError> {
        self.count(u64::try_from(batch.len()).unwrap_or(0));
        let bound: worker::Result<Vec<_>> =
            batch.iter().map(|(statement, binds)| self.database.prepare(*statement).bind(binds)).collect();
        Ok(self.database.batch(bound?).await?)
    }

    fn count(&self, queries: u64) {
        let counter = match self.caller {
            Caller::Admin => &ADMIN_QUERIES,
            Caller::DataPath => &DATA_PATH_QUERIES,
        };
        counter.fetch_add(queries, Ordering::Relaxed);
    }
}

#[derive(Deserialize)]
struct TenantRow {
    id: TenantId,
    name: Option<String>,
    enabled: u8,
    policy: String,
    created_at: Millis,
    updated_at: Millis,
    revision: u64,
    held_revision: u64,
    held_catalog: i64,
}

impl TenantRow {
    fn record(self) -> Result<TenantRecord, RegistryError> {
        let Self { id, name, created_at, updated_at, .. } = self;
        Ok(TenantRecord { id, name, enabled: self.enabled != 0, policy: json(&self.policy)?, created_at, updated_at })
    }
}

#[derive(Deserialize)]
struct KeyRow {
    tenant: TenantId,
    id: KeyId,
    name: Option<String>,
    hash: SecretHash,
    policy: Option<String>,
    expires_at: Option<Millis>,
    revoked_at: Option<Millis>,
    created_at: Millis,
    updated_at: Millis,
}

impl KeyRow {
    fn record(self) -> Result<KeyRecord, RegistryError> {
        let Self { tenant, id, name, hash, expires_at, revoked_at, created_at, updated_at, .. } = self;
        let policy = self.policy.as_deref().map(json).transpose()?;
        Ok(KeyRecord { tenant, id, name, hash, policy, expires_at, revoked_at, created_at, updated_at })
    }
}

#[derive(Deserialize)]
struct CatalogRow {
    version: u64,
    document: String,
}

#[derive(Deserialize)]
struct IdRow {
    #[expect(dead_code, reason = "that there is a row says it all")]
    id: String,
}

/// The first row of a batch's last statement.
fn last_row<T: DeserializeOwned>(results: &[D1Result]) -> Result<Option<T>, RegistryError> {
    match results.last() {
        Some(result) => Ok(result.results()?.into_iter().next()),
        None => Ok(None),
    }
}

fn json(stored: &str) -> Result<Value, RegistryError> {
    serde_json::from_str(stored)
        .map_err(|error| RegistryError::Failed(format!("a stored document is not JSON: {error}")))
}

fn text(text: &str) -> JsValue {
    JsValue::from_str(text)
}

fn maybe_text(maybe: Option<&str>) -> JsValue {
    maybe.map_or(JsValue::NULL, text)
}

#[expect(clippy::cast_precision_loss, reason = "what is stored stays below 2^53")]
fn number(number: u64) -> JsValue {
    JsValue::from_f64(number as f64)
}

fn instant(instant: Millis) -> JsValue {
    number(instant.get())
}

/// An edit as two binds: whether the field is named, and what it becomes.
fn edited<T>(edit: &Edit<T>, bind: impl FnOnce(&T) -> JsValue) -> [JsValue; 2] {
    match edit {
        Edit::Keep => [JsValue::FALSE, JsValue::NULL],
        Edit::Remove => [JsValue::TRUE, JsValue::NULL],
        Edit::Set(value) => [JsValue::TRUE, bind(value)],
    }
}
