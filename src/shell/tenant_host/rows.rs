//! What a tenant's object reads back of its rows.

use super::edit::{CATALOG, REVISION, TENANT, read_config, read_key};
use super::{Answer, TenantHost, failed, read_json};
use crate::key::KeyId;
use crate::rows::{CallKey, CallRow, Sums, UsageKey};
use crate::shell::glue;
use crate::shell::object::to_json;
use crate::store;
use crate::tenant::{self, Config, KeyRecord, Past, PastCalls, Reads, Return, Stored, Tenant, UsageRead};
use crate::units::Millis;
use crate::wire::KeyUpdate;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use wasm_bindgen::JsValue;

impl TenantHost {
    /// The tenant as its rows describe it; `None`: nobody has configured it. Where its clock `was_ahead`, or rows tell so, they are
    /// dated to its return.
    pub(super) fn restore(&mut self, now: Millis, was_ahead: bool) -> Answer<Option<Tenant>> {
        self.migrate()?;
        self.credited = None;
        let Some((config, stored)) = self.read_stored(now)? else {
            return Ok(None);
        };
        if !was_ahead && !stored.is_ahead(now) {
            return Ok(Some(Tenant::restore(now, config, stored)));
        }
        let tenant = config.tenant.as_str();
        worker::console_warn!("the clock of tenant {tenant} was ahead: what is dated later than now is dated to now");
        self.write(&store::turn_back(&Return::at(now, &config)))?;
        let Some((config, stored)) = self.read_stored(now)? else {
            return Ok(None);
        };
        let mut tenant = Tenant::restore(now, config, stored);
        tenant.returned();
        self.write_changes(&mut tenant)?;
        Ok(Some(tenant))
    }

    /// What the tenant is and what it has used, as its rows tell; `None`: nobody has configured it.
    fn read_stored(&mut self, now: Millis) -> Answer<Option<(Config, Stored)>> {
        let facts: BTreeMap<String, String> =
            self.read::<(String, String)>(store::FACTS_READ, &())?.into_iter().collect();
        let number = |name: &str| facts.get(name).and_then(|number| number.parse::<u64>().ok());
        self.revision = number(REVISION).unwrap_or(0);
        let Some(record) = facts.get(TENANT) else {
            return Ok(None);
        };
        let catalog = facts.get(CATALOG).ok_or_else(|| failed("this tenant has no catalog"))?;
        let mut config = read_config(&read_json(record)?, &read_json(catalog)?)?;
        config.keys = self.read_keys()?;
        let last: Vec<(Option<CallKey>,)> = self.read(store::LAST_READ, &())?;
        let last = last.into_iter().next().and_then(|row| row.0).unwrap_or_default();
        let flushed = number(store::FLUSHED).map_or(CallKey::default(), CallKey::new);
        let now = now.max(last.millis());
        let past = self.read_past(&tenant::reads(&config, now), flushed)?;
        let mut stored = Stored { flushed, last, past, calls: self.read_calls(flushed)?, ..Stored::default() };
        stored.health = self.read::<store::HealthRead>(store::HEALTH_READ, &())?.into_iter().map(Into::into).collect();
        stored.debts = self.read::<store::DebtRead>(store::DEBTS_READ, &())?.into_iter().map(Into::into).collect();
        let habits: Vec<(String, String)> = self.read(store::HABITS_READ, &())?;
        let habit = |(name, habit): (String, String)| Some((name, serde_json::from_str(&habit).ok()?));
        stored.habits = habits.into_iter().filter_map(habit).collect();
        self.read_names(&mut stored)?;
        Ok(Some((config, stored)))
    }

    /// Reads the sums of the past that `reads` asks for.
    pub(super) fn read_past(&self, reads: &Reads, flushed: CallKey) -> Answer<Past> {
        let mut past = Past::default();
        for read in &reads.usage {
            past.usage.extend(self.read_usage(read)?);
        }
        for read in &reads.calls {
            let key = read.key.as_ref().map(KeyId::as_str).unwrap_or_default();
            let width = read.cell.map_or(1, Millis::get).max(1);
            let mut from = read.from;
            loop {
                let page: Vec<store::PastRead> = self.read(store::CALLS_PAST_READ, &(from, flushed, width, key))?;
                let extents = page.iter().map(store::PastRead::extent);
                let (last, calls) =
                    extents.fold((from, 0_u64), |all, one| (all.0.max(one.0), all.1.saturating_add(one.1)));
                past.calls.extend(page.into_iter().map(|row| row.past(read)).collect::<Vec<PastCalls>>());
                if calls < store::CALLS_PAST_PAGE {
                    break;
                }
                from = last.next();
            }
        }
        Ok(past)
    }

    pub(super) fn read_usage(&self, read: &UsageRead) -> Answer<Vec<(UsageKey, Sums)>> {
        let (grain, start) = (read.grain.number(), read.start);
        let rows: Vec<store::UsageRead> = match &read.key {
            None => self.read(store::USAGE_READ, &(grain, start))?,
            Some(key) => self.read(store::USAGE_OF_KEY_READ, &(grain, start, key))?,
        };
        Ok(rows.into_iter().map(<(UsageKey, Sums)>::from).collect())
    }

    pub(super) fn read_call(&self, at: CallKey) -> Answer<Option<CallRow>> {
        let rows: Vec<store::CallRead> = self.read(store::CALL_READ, &[at])?;
        Ok(rows.into_iter().next().map(CallRow::from))
    }

    /// The rows that a statement gives; `binds` is a list or a tuple.
    pub(super) fn read<T: DeserializeOwned>(&self, statement: &str, binds: &impl Serialize) -> Answer<Vec<T>> {
        let binds = to_json(binds);
        let rows = glue::read(&self.storage, statement, if binds == "null" { "[]" } else { &binds })?;
        store::read(&rows).map_err(|error| failed(&error.to_string()))
    }

    fn read_keys(&self) -> Answer<BTreeMap<KeyId, KeyRecord>> {
        let mut keys = BTreeMap::new();
        let mut after = String::new();
        loop {
            let page: Vec<(String, String)> = self.read(store::KEYS_READ, &[after.as_str()])?;
            for (_, record) in &page {
                let update: KeyUpdate = read_json(record)?;
                keys.insert(update.id.clone(), read_key(&update)?);
            }
            match page.into_iter().last() {
                Some((last, _)) => after = last,
                None => return Ok(keys),
            }
        }
    }

    /// The ledger from a place on.
    fn read_calls(&self, mut from: CallKey) -> Answer<Vec<CallRow>> {
        let mut calls: Vec<CallRow> = Vec::new();
        loop {
            let page: Vec<store::CallRead> = self.read(store::CALLS_READ, &[from])?;
            let full = page.len() >= store::CALLS_PAGE;
            calls.extend(page.into_iter().map(CallRow::from));
            match calls.last() {
                Some(row) if full => from = row.at.next(),
                _ => return Ok(calls),
            }
        }
    }

    /// Brings the tables up to date, once for each start of the object.
    fn migrate(&mut self) -> Answer<()> {
        if self.migrated {
            return Ok(());
        }
        glue::write(&self.storage, &js_sys::Array::of1(&store::SCHEMA.into()), &js_sys::Array::of1(&JsValue::NULL))?;
        let done: Vec<(usize,)> = self.read(store::SCHEMA_READ, &())?;
        for (index, migration) in store::MIGRATIONS.iter().enumerate().skip(done.len()) {
            let statements = js_sys::Array::of2(&(*migration).into(), &store::SCHEMA_DONE.into());
            let version = to_json(&[index.saturating_add(1)]);
            glue::write(&self.storage, &statements, &js_sys::Array::of2(&JsValue::NULL, &version.into()))?;
        }
        self.migrated = true;
        Ok(())
    }
}
