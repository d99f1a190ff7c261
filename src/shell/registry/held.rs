//! What tenants' objects hold of the registry, and what they do not hold yet.

use super::{CatalogRow, KeyRow, Registry, RegistryError, TenantRow, json, number, sql, text};
use crate::catalog;
use crate::key::{KeyId, TenantId};
use crate::operator::{KeyRecord, TenantRecord};
use crate::wire::CatalogUpdate;
use serde::Deserialize;
use serde_json::Value;
use wasm_bindgen::JsValue;

/// How many keys one message to an object carries.
pub(in super::super) const KEYS_PAGE: u64 = 200;

/// From where on an object is told what there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum From {
    /// From its beginning.
    Start,
    /// From what it has acknowledged.
    Held,
    /// From this revision.
    Revision(u64),
}

/// What a tenant's object is to be told, as it was at one moment.
pub(in super::super) struct News {
    /// The tenant.
    pub(in super::super) tenant: TenantRecord,
    /// How many changes there had been.
    pub(in super::super) revision: u64,
    /// How many of them the object had acknowledged.
    pub(in super::super) held: u64,
    /// The catalog, if it does not hold it.
    pub(in super::super) catalog: Option<CatalogUpdate>,
    /// The first page of the keys that it does not hold.
    pub(in super::super) keys: Vec<KeyRecord>,
}

/// A tenant whose object does not hold a catalog.
#[derive(Deserialize)]
pub(in super::super) struct Behind {
    /// Which.
    pub(in super::super) id: TenantId,
    told: u8,
}

impl Behind {
    /// Whether its object holds all else.
    pub(in super::super) fn lacks_only_catalog(&self) -> bool {
        self.told != 0
    }
}

#[derive(Deserialize)]
struct RevisionRow {
    revision: u64,
}

#[derive(Deserialize)]
struct CountRow {
    count: u64,
}

impl Registry {
    /// What a tenant's object is to be told, `key` in any case; `None`: there is no such tenant.
    pub(in super::super) async fn news(
        &self,
        id: &TenantId,
        from: From,
        key: Option<&KeyId>,
    ) -> Result<Option<News>, RegistryError> {
        let tenant = [text(id.as_str())];
        let keys = keys_binds(id, from, key, "");
        let since = if from == From::Start { JsValue::from_f64(-1.0) } else { JsValue::NULL };
        let catalog = [text(id.as_str()), since];
        let batch = [(sql::TENANT, tenant.as_slice()), (sql::KEYS_NOT_HELD, &keys), (sql::CATALOG_NOT_HELD, &catalog)];
        let results = self.batch(&batch).await?;
        let [tenants, keys, catalogs] = results.as_slice() else {
            return Err(RegistryError::Failed("a batch was answered in part".to_owned()));
        };
        let Some(row) = tenants.results::<TenantRow>()?.into_iter().next() else {
            return Ok(None);
        };
        let catalog = match catalogs.results::<CatalogRow>()?.into_iter().next() {
            Some(row) => Some(CatalogUpdate { version: row.version, document: json(&row.document)? }),
            None if row.held_catalog < 0 || from == From::Start => {
                Some(CatalogUpdate { version: 0, document: json(catalog::DEFAULT)? })
            }
            None => None,
        };
        let keys = keys.results::<KeyRow>()?.into_iter().map(KeyRow::record).collect::<Result<_, _>>()?;
        let (revision, held) = (row.revision, row.held_revision);
        Ok(Some(News { tenant: row.record()?, revision, held, catalog, keys }))
    }

    /// The next page of the keys that a tenant's object does not hold.
    pub(in super::super) async fn more_keys(
        &self,
        id: &TenantId,
        from: From,
        after: &KeyId,
    ) -> Result<Vec<KeyRecord>, RegistryError> {
        let rows: Vec<KeyRow> = self.read(sql::KEYS_NOT_HELD, &keys_binds(id, from, None, after.as_str())).await?;
        rows.into_iter().map(KeyRow::record).collect()
    }

    /// Notes what a tenant's object holds; the tenant's revision of now.
    pub(in super::super) async fn note_held(
        &self,
        id: &TenantId,
        revision: u64,
        catalog: Option<u64>,
    ) -> Result<Option<u64>, RegistryError> {
        let catalog = catalog.map_or(JsValue::from_f64(-1.0), number);
        let rows: Vec<RevisionRow> = self.read(sql::HELD, &[text(id.as_str()), number(revision), catalog]).await?;
        Ok(rows.into_iter().next().map(|row| row.revision))
    }

    /// Notes that the objects of `ids` hold the catalog `version`.
    pub(in super::super) async fn note_catalog_held(
        &self,
        ids: &[&TenantId],
        version: u64,
    ) -> Result<(), RegistryError> {
        if ids.is_empty() {
            return Ok(());
        }
        let ids: Value = ids.iter().map(|id| id.as_str()).collect();
        let binds = [number(version), text(&ids.to_string())];
        self.batch(&[(sql::CATALOG_HELD, &binds)]).await.map(drop)
    }

    /// Tenants after `after` whose objects do not hold the catalog `version`.
    pub(in super::super) async fn behind(
        &self,
        version: u64,
        after: &str,
        limit: u64,
    ) -> Result<Vec<Behind>, RegistryError> {
        self.read(sql::BEHIND, &[number(version), text(after), number(limit)]).await
    }

    /// How many tenants' objects do not hold the catalog `version`.
    pub(in super::super) async fn behind_count(&self, version: u64) -> Result<u64, RegistryError> {
        let rows: Vec<CountRow> = self.read(sql::BEHIND_COUNT, &[number(version)]).await?;
        Ok(rows.into_iter().next().map_or(0, |row| row.count))
    }
}

fn keys_binds(id: &TenantId, from: From, key: Option<&KeyId>, after: &str) -> [JsValue; 5] {
    let since = match from {
        From::Start => number(0),
        From::Held => JsValue::NULL,
        From::Revision(revision) => number(revision),
    };
    let key = key.map_or(JsValue::NULL, |key| text(key.as_str()));
    [text(id.as_str()), since, key, text(after), number(KEYS_PAGE)]
}
