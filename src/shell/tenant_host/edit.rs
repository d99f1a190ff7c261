//! What an administrator changes of a tenant, taken up by its object: its rows and its memory together, or neither.

use super::{Answer, TenantHost, failed, millis, read_json};
use crate::catalog::Catalog;
use crate::fields::Field;
use crate::key::{KeyId, SecretHash};
use crate::policy::{Per, Policy};
use crate::shell::object::to_json;
use crate::store::{self, Statement};
use crate::tenant::{Config, Edit, KeyRecord};
use crate::wire::{CatalogUpdate, Configure, KeyUpdate, Room, TenantUpdate};
use wasm_bindgen::prelude::wasm_bindgen;

pub(super) const TENANT: &str = "tenant";
pub(super) const CATALOG: &str = "catalog";
pub(super) const REVISION: &str = "revision";

#[wasm_bindgen]
impl TenantHost {
    /// Takes up what an administrator changed.
    ///
    /// # Errors
    /// The message is not understood: nothing was changed. Or the rows cannot be read or written: memory is dropped, and
    /// nothing was changed.
    pub fn configure(&mut self, now: f64, text: &str) -> Answer<()> {
        let now = millis(now);
        let mut change: Configure = read_json(text)?;
        let mut edit = read_edit(&change)?;
        let held = self.tenant(now)?;
        let stays = |(_, key): &(KeyId, KeyRecord)| key.leaves_at().is_none_or(|at| at > now);
        edit.keys.retain(|key| held.as_ref().map_or_else(|| stays(key), |tenant| tenant.takes(now, &key.0, &key.1)));
        change.keys.retain(|update| edit.keys.iter().any(|(id, _)| *id == update.id));
        let Some(mut tenant) = held else {
            self.write(&statements(&change))?;
            self.tenant = self.restore(now, false)?;
            return Ok(());
        };
        // Messages may overtake one another: what is older than what is held is let be.
        if change.revision < self.revision {
            (change.tenant, change.keys, change.revision) = (None, Vec::new(), 0);
            (edit.tenant, edit.keys) = (None, Vec::new());
        }
        if edit.catalog.as_ref().is_some_and(|catalog| catalog.version < tenant.config().catalog.version) {
            (change.catalog, edit.catalog) = (None, None);
        }
        self.write_changes(&mut tenant)?;
        let reads = tenant.edit(now, edit);
        let past = self.read_past(&reads, tenant.flushed())?;
        tenant.edited(&past);
        let mut statements = statements(&change);
        statements.extend(store::write(&tenant.take_changes()));
        self.write(&statements)?;
        self.revision = self.revision.max(change.revision);
        self.tenant = Some(tenant);
        Ok(())
    }

    /// What the keys would take of the object with the one that is told of (`text`, a [`KeyUpdate`]): a [`Room`].
    ///
    /// # Errors
    /// The message is not understood, or the rows cannot be read.
    pub fn room(&mut self, now: f64, text: &str) -> Answer<String> {
        let update: KeyUpdate = read_json(text)?;
        let record = read_key(&update)?;
        let tenant = self.tenant(millis(now))?;
        let taken = tenant.as_ref().map(|tenant| tenant.taken_with(&update.id, &record)).unwrap_or_default();
        self.tenant = tenant;
        Ok(to_json(&Room { keys: taken.keys, policy_bytes: taken.policy_bytes }))
    }
}

/// What writes a change.
fn statements(change: &Configure) -> Vec<Statement> {
    let mut statements: Vec<Statement> = Vec::new();
    statements.extend(change.tenant.as_ref().map(|update| store::write_fact(TENANT, &to_json(update))));
    statements.extend(change.catalog.as_ref().map(|update| store::write_fact(CATALOG, &to_json(update))));
    statements.extend(change.keys.iter().map(|key| store::write_key(key.id.as_str(), &to_json(key))));
    if change.revision > 0 {
        statements.push(store::write_fact(REVISION, &change.revision.to_string()));
    }
    statements
}

/// What a change says, every part of which can be read back.
fn read_edit(change: &Configure) -> Answer<Edit> {
    let tenant = |update: &TenantUpdate| -> Answer<(bool, Policy)> {
        Ok((update.enabled, read_policy(&update.policy, Per::Tenant)?))
    };
    Ok(Edit {
        tenant: change.tenant.as_ref().map(tenant).transpose()?,
        catalog: change.catalog.as_ref().map(read_catalog).transpose()?,
        keys: change.keys.iter().map(|key| Ok((key.id.clone(), read_key(key)?))).collect::<Answer<_>>()?,
    })
}

/// The tenant that rows describe, without its keys.
pub(super) fn read_config(record: &TenantUpdate, catalog: &CatalogUpdate) -> Answer<Config> {
    Ok(Config {
        tenant: record.id.clone(),
        enabled: record.enabled,
        policy: read_policy(&record.policy, Per::Tenant)?,
        catalog: read_catalog(catalog)?,
        keys: std::collections::BTreeMap::new(),
    })
}

fn read_policy(document: &serde_json::Value, owner: Per) -> Answer<Policy> {
    Policy::read(&Field::root("policy", document), owner).map_err(|invalid| failed(&invalid.to_string()))
}

fn read_catalog(update: &CatalogUpdate) -> Answer<Catalog> {
    Catalog::read(&update.document, update.version).map_err(|invalid| failed(&invalid.to_string()))
}

pub(super) fn read_key(update: &KeyUpdate) -> Answer<KeyRecord> {
    let policy = update.policy.as_ref().map(|document| read_policy(document, Per::Key)).transpose()?;
    let hash = SecretHash::parse(update.hash.as_str()).ok_or_else(|| failed("a key's hash is not one"))?;
    let revoked_at = update.revoked.then(|| update.revoked_at.unwrap_or_default());
    Ok(KeyRecord { hash, policy, revoked_at, expires_at: update.expires_at })
}
