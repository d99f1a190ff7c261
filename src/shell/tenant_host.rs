//! Hosts one tenant's state machine in its Durable Object: events in, rows out.
//!
//! Every method is synchronous and decides at once; `entry.js` awaits. Memory is a cache of the
//! rows: whenever a step fails it is dropped, and built anew from them; `entry.js` then tells
//! everyone of the turn.

use super::glue;
use super::object::to_json;
use crate::catalog::Catalog;
use crate::fields::Field;
use crate::key::{KeyId, SecretHash};
use crate::policy::{Per, Policy};
use crate::rows::{CallKey, CallRow, Sums, UsageKey};
use crate::store::{self, Statement};
use crate::tenant::{self, Config, KeyRecord, Stored, Tenant};
use crate::units::Millis;
use crate::wire::{
    Amend, Amended, Ask, CatalogUpdate, Configure, Denial, KeyUpdate, Look, Metrics, Reply, Seen, Settlement,
    TenantUpdate,
};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

mod named;

const TENANT: &str = "tenant";
const CATALOG: &str = "catalog";
const REVISION: &str = "revision";

/// One tenant's memory and storage.
#[wasm_bindgen]
pub struct TenantHost {
    storage: JsValue,
    tenant: Option<Tenant>,
    migrated: bool,
    /// When the alarm goes off; `None`: none was set since the object started.
    armed: Option<Millis>,
    metrics: Metrics,
}

type Answer<T> = Result<T, JsValue>;

#[wasm_bindgen]
impl TenantHost {
    /// A host over the object's `storage`; nothing is read yet.
    #[wasm_bindgen(constructor)]
    pub fn new(storage: JsValue) -> Self {
        Self { storage, tenant: None, migrated: false, armed: None, metrics: Metrics::default() }
    }

    /// Settles what has ended (`ends`, one [`Settlement`] a line) and admits the call that asks (`ask`,
    /// an [`Ask`], or nothing); the [`Reply`] may leave once [`TenantHost::commit`] has run.
    ///
    /// # Errors
    /// The message cannot be read, or the rows cannot.
    pub fn call(&mut self, now: f64, ask: &str, ends: &str) -> Answer<String> {
        let now = millis(now);
        let ends: Vec<Settlement> = ends.lines().filter_map(read_settlement).collect();
        let ask: Option<Ask> = if ask.is_empty() { None } else { Some(read_json(ask)?) };
        self.metrics.object_requests = self.metrics.object_requests.saturating_add(1);
        let Some(mut tenant) = self.tenant(now)? else {
            return Ok(to_json(&Reply::Denied(Denial::KeyUnknown)));
        };
        for settlement in &ends {
            if let Err(needed) = tenant.settle(now, settlement) {
                self.write_changes(&mut tenant)?;
                let row = self.read_call(needed.0)?;
                tenant.settle_row(now, settlement, row);
            }
            self.settle_name(&mut tenant, settlement)?;
        }
        let reply = match &ask {
            None => Reply::Settled,
            Some(ask) => self.ask(&mut tenant, now, ask)?,
        };
        if matches!(reply, Reply::Admitted(_)) {
            self.metrics.calls = self.metrics.calls.saturating_add(1);
        }
        self.tenant = Some(tenant);
        Ok(to_json(&reply))
    }

    /// Takes up how far a stream has come (`text`, an [`Amend`]); the [`Amended`] may leave once
    /// [`TenantHost::commit`] has run.
    ///
    /// # Errors
    /// The message cannot be read, or the rows cannot.
    pub fn amend(&mut self, now: f64, text: &str) -> Answer<String> {
        let now = millis(now);
        let amend: Amend = read_json(text)?;
        self.metrics.object_requests = self.metrics.object_requests.saturating_add(1);
        let Some(mut tenant) = self.tenant(now)? else {
            return Ok(to_json(&Amended { ended: true, stop_at: None }));
        };
        let amended = tenant.amend(now, &amend);
        self.tenant = Some(tenant);
        Ok(to_json(&amended))
    }

    /// Writes all changes that are queued, in one transaction; when the alarm is to be set, if it is.
    ///
    /// # Errors
    /// The rows could not be written: memory is dropped, and nothing of the turn has happened.
    pub fn commit(&mut self) -> Answer<Option<f64>> {
        let Some(mut tenant) = self.tenant.take() else {
            return Ok(None);
        };
        self.write_changes(&mut tenant)?;
        let next = tenant.next_alarm();
        self.tenant = Some(tenant);
        match (next, self.armed) {
            (Some(next), armed) if armed.is_none_or(|armed| next < armed) => {
                self.armed = Some(next);
                self.metrics.rows_written = self.metrics.rows_written.saturating_add(1);
                Ok(Some(to_f64(next)))
            }
            _ => Ok(None),
        }
    }

    /// Ends the calls whose lease is over: what the alarm is for.
    ///
    /// # Errors
    /// The rows cannot be read.
    pub fn expire(&mut self, now: f64) -> Answer<()> {
        let now = millis(now);
        self.armed = None;
        if let Some(mut tenant) = self.tenant(now)? {
            tenant.expire(now);
            tenant.flush(now, true);
            self.tenant = Some(tenant);
        }
        Ok(())
    }

    /// Takes up what an administrator changed, and starts anew from the rows.
    ///
    /// # Errors
    /// The message is not understood, or the rows cannot be written: nothing was changed.
    pub fn configure(&mut self, now: f64, text: &str) -> Answer<()> {
        let now = millis(now);
        let mut change: Configure = read_json(text)?;
        check(&change)?;
        if let Some(mut tenant) = self.tenant(now)? {
            self.write_changes(&mut tenant)?;
        }
        self.drop_outdated(&mut change)?;
        let mut statements: Vec<Statement> = Vec::new();
        statements.extend(change.tenant.as_ref().map(|update| store::write_fact(TENANT, &to_json(update))));
        statements.extend(change.catalog.as_ref().map(|update| store::write_fact(CATALOG, &to_json(update))));
        statements.extend(change.keys.iter().map(|key| store::write_key(key.id.as_str(), &to_json(key))));
        if change.revision > 0 {
            statements.push(store::write_fact(REVISION, &change.revision.to_string()));
        }
        self.write(&statements)?;
        self.tenant = self.restore(now)?;
        Ok(())
    }

    /// What the holder of a key sees of its tenant's usage.
    ///
    /// # Errors
    /// The message cannot be read, or the rows cannot.
    pub fn usage(&mut self, now: f64, text: &str) -> Answer<String> {
        self.show(millis(now), text, |host, tenant, now, key, _| {
            let rows = host.read_usage(now)?;
            Ok(tenant.usage(now, key, rows))
        })
    }

    /// The models that the holder of a key may call.
    ///
    /// # Errors
    /// The message cannot be read, or the rows cannot.
    pub fn models(&mut self, now: f64, text: &str) -> Answer<String> {
        self.show(millis(now), text, |_, tenant, _, _, record| Ok(tenant.models(&record).into()))
    }

    /// What this object has done since it started, as JSON.
    pub fn metrics(&self) -> String {
        to_json(&self.metrics)
    }
}

impl TenantHost {
    /// The tenant, taken out of memory or built from the rows; `None`: nobody has configured it.
    fn tenant(&mut self, now: Millis) -> Answer<Option<Tenant>> {
        match self.tenant.take() {
            Some(tenant) => Ok(Some(tenant)),
            None => self.restore(now),
        }
    }

    /// Answers a [`Look`] with what `show` gives, if its key is good.
    fn show(
        &mut self,
        now: Millis,
        text: &str,
        show: impl FnOnce(&mut Self, &mut Tenant, Millis, &KeyId, KeyRecord) -> Answer<serde_json::Value>,
    ) -> Answer<String> {
        let look: Look = read_json(text)?;
        let Some(mut tenant) = self.tenant(now)? else {
            return Ok(to_json(&Seen::Denied(Denial::KeyUnknown)));
        };
        tenant.expire(now);
        self.write_changes(&mut tenant)?;
        let record = tenant.check(now, &look.key, &look.hash).cloned();
        let seen = match record {
            Err(denial) => Seen::Denied(denial),
            Ok(record) => {
                let document = show(self, &mut tenant, now, &look.key, record)?;
                Seen::Shown { document, gauges: tenant.gauges(now, &look.key) }
            }
        };
        self.tenant = Some(tenant);
        Ok(to_json(&seen))
    }

    /// Takes out of a change what is older than what is held: messages may overtake one another.
    fn drop_outdated(&self, change: &mut Configure) -> Answer<()> {
        let facts = self.read_facts()?;
        let held = facts.get(REVISION).and_then(|revision| revision.parse().ok()).unwrap_or(0);
        if change.revision < held {
            change.tenant = None;
            change.keys.clear();
            change.revision = 0;
        }
        if let Some(catalog) = facts.get(CATALOG) {
            let held: CatalogUpdate = read_json(catalog)?;
            change.catalog.take_if(|update| update.version < held.version);
        }
        Ok(())
    }

    fn read_facts(&self) -> Answer<BTreeMap<String, String>> {
        Ok(self.read::<(String, String)>(store::FACTS_READ, &[])?.into_iter().collect())
    }

    fn write_changes(&mut self, tenant: &mut Tenant) -> Answer<()> {
        let changes = tenant.take_changes();
        if changes.is_empty() {
            return Ok(());
        }
        self.metrics.commits = self.metrics.commits.saturating_add(1);
        self.write(&store::write(&changes))
    }

    fn write(&mut self, statements: &[Statement]) -> Answer<()> {
        let (sql, texts) = (js_sys::Array::new(), js_sys::Array::new());
        for (statement, text) in statements {
            sql.push(&JsValue::from_str(statement));
            texts.push(&JsValue::from_str(text));
        }
        let rows = glue::write(&self.storage, &sql, &texts)?;
        self.metrics.rows_written = self.metrics.rows_written.saturating_add(rows.into());
        Ok(())
    }

    fn read<T: DeserializeOwned>(&self, statement: &str, binds: &[u64]) -> Answer<Vec<T>> {
        let rows = glue::read(&self.storage, statement, &to_json(&binds))?;
        store::read(&rows).map_err(|error| failed(&error.to_string()))
    }

    fn read_call(&self, at: CallKey) -> Answer<Option<CallRow>> {
        let rows: Vec<store::CallRead> = self.read(store::CALL_READ, &[at.get()])?;
        Ok(rows.into_iter().next().map(CallRow::from))
    }

    fn read_usage(&self, now: Millis) -> Answer<Vec<(UsageKey, Sums)>> {
        let mut rows = Vec::new();
        for (grain, start) in tenant::open_periods(now) {
            let read: Vec<store::UsageRead> = self.read(store::USAGE_READ, &[grain.number().into(), start.get()])?;
            rows.extend(read.into_iter().map(<(UsageKey, Sums)>::from));
        }
        Ok(rows)
    }

    /// Brings the tables up to date, once for each start of the object.
    fn migrate(&mut self) -> Answer<()> {
        if self.migrated {
            return Ok(());
        }
        glue::write(&self.storage, &js_sys::Array::of1(&store::SCHEMA.into()), &js_sys::Array::of1(&JsValue::NULL))?;
        let done: Vec<(usize,)> = self.read(store::SCHEMA_READ, &[])?;
        for (index, migration) in store::MIGRATIONS.iter().enumerate().skip(done.len()) {
            let statements = js_sys::Array::of2(&(*migration).into(), &store::SCHEMA_DONE.into());
            let version = to_json(&[index.saturating_add(1)]);
            glue::write(&self.storage, &statements, &js_sys::Array::of2(&JsValue::NULL, &version.into()))?;
        }
        self.migrated = true;
        Ok(())
    }

    fn restore(&mut self, now: Millis) -> Answer<Option<Tenant>> {
        self.migrate()?;
        let facts = self.read_facts()?;
        let Some(record) = facts.get(TENANT) else {
            return Ok(None);
        };
        let keys: Vec<(String, String)> = self.read(store::KEYS_READ, &[])?;
        let catalog = facts.get(CATALOG).ok_or_else(|| failed("this tenant has no catalog"))?;
        let config = read_config(&read_json(record)?, &read_json(catalog)?, &keys)?;
        let last: Vec<(Option<CallKey>,)> = self.read(store::LAST_READ, &[])?;
        let last = last.into_iter().next().and_then(|row| row.0).unwrap_or_default();
        let flushed =
            facts.get(store::FLUSHED).and_then(|place| place.parse().ok()).map_or(CallKey::default(), CallKey::new);
        let now = now.max(last.millis());
        let mut stored = Stored { flushed, last, usage: self.read_usage(now)?, ..Stored::default() };
        let mut from = tenant::first_call_needed(&config, now, flushed);
        loop {
            let page: Vec<store::CallRead> = self.read(store::CALLS_READ, &[from.get()])?;
            let full = page.len() >= store::CALLS_PAGE;
            stored.calls.extend(page.into_iter().map(CallRow::from));
            match stored.calls.last() {
                Some(row) if full => from = row.at.next(),
                _ => break,
            }
        }
        stored.health = self.read::<store::HealthRead>(store::HEALTH_READ, &[])?.into_iter().map(Into::into).collect();
        stored.debts = self.read::<store::DebtRead>(store::DEBTS_READ, &[])?.into_iter().map(Into::into).collect();
        let habits: Vec<(String, String)> = self.read(store::HABITS_READ, &[])?;
        let habit = |(name, habit): (String, String)| Some((name, serde_json::from_str(&habit).ok()?));
        stored.habits = habits.into_iter().filter_map(habit).collect();
        self.read_names(&mut stored)?;
        Ok(Some(Tenant::restore(now, config, stored)))
    }
}

/// Whether every part of a change can be read back: it is stored as text.
fn check(change: &Configure) -> Answer<()> {
    if let Some(update) = &change.tenant {
        read_policy(&update.policy, Per::Tenant)?;
    }
    if let Some(update) = &change.catalog {
        read_catalog(update)?;
    }
    change.keys.iter().try_for_each(|key| read_key(key).map(drop))
}

fn read_config(record: &TenantUpdate, catalog: &CatalogUpdate, keys: &[(String, String)]) -> Answer<Config> {
    let key = |(_, record): &(String, String)| {
        let update: KeyUpdate = read_json(record)?;
        Ok((update.id.clone(), read_key(&update)?))
    };
    Ok(Config {
        tenant: record.id.clone(),
        enabled: record.enabled,
        policy: read_policy(&record.policy, Per::Tenant)?,
        catalog: read_catalog(catalog)?,
        keys: keys.iter().map(key).collect::<Answer<_>>()?,
    })
}

fn read_policy(document: &serde_json::Value, owner: Per) -> Answer<Policy> {
    Policy::read(&Field::root("policy", document), owner).map_err(|invalid| failed(&invalid.to_string()))
}

fn read_catalog(update: &CatalogUpdate) -> Answer<Catalog> {
    Catalog::read(&update.document, update.version).map_err(|invalid| failed(&invalid.to_string()))
}

fn read_key(update: &KeyUpdate) -> Answer<KeyRecord> {
    let policy = update.policy.as_ref().map(|document| read_policy(document, Per::Key)).transpose()?;
    let hash = SecretHash::parse(update.hash.as_str()).ok_or_else(|| failed("a key's hash is not one"))?;
    Ok(KeyRecord { hash, policy, revoked: update.revoked, expires_at: update.expires_at })
}

/// A settlement; one that cannot be read holds nobody else up, and its call is left to its lease.
fn read_settlement(line: &str) -> Option<Settlement> {
    let settlement = serde_json::from_str(line);
    if let Err(error) = &settlement {
        worker::console_error!("a settlement cannot be read: {error}");
    }
    settlement.ok()
}

fn read_json<T: DeserializeOwned>(text: &str) -> Answer<T> {
    serde_json::from_str(text).map_err(|error| failed(&error.to_string()))
}

fn failed(why: &str) -> JsValue {
    js_sys::Error::new(why).into()
}

/// The runtime's clock, which is a whole number of milliseconds.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a date is a positive whole number below 2^53"
)]
pub(super) fn millis(now: f64) -> Millis {
    Millis::new(now as u64)
}

#[expect(clippy::cast_precision_loss, reason = "units stay below 2^53")]
fn to_f64(at: Millis) -> f64 {
    at.get() as f64
}
