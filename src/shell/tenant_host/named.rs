//! Named calls in the tenant's object: their rows are read when they are asked for, their answers pass by.
//!
//! The bytes of answers stay on JavaScript's side (`answers.js`); here is decided what becomes of them.

use super::{Answer, TenantHost, millis, read_json};
use crate::idempotency::{Followed, Following, Name, NamedRow, Publish, Published};
use crate::rows::CallKey;
use crate::shell::object::to_json;
use crate::store;
use crate::tenant::{Stored, Tenant};
use crate::units::Millis;
use crate::wire::{Ask, Reply, Settlement};
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
impl TenantHost {
    /// Hears of a leader (`text`, a [`Publish`]) whose next `bytes` are here, besides those that are
    /// `held`; the [`Published`].
    ///
    /// # Errors
    /// The message cannot be read, or the rows cannot.
    pub fn publish(&mut self, now: f64, text: &str, held: u32, bytes: u32) -> Answer<String> {
        let now = millis(now);
        let said: Publish = read_json(text)?;
        self.metrics.object_requests = self.metrics.object_requests.saturating_add(1);
        let Some(mut tenant) = self.tenant(now)? else {
            return Ok(to_json(&Published { stop: true, ..Published::default() }));
        };
        self.read_name(&mut tenant, &said.name)?;
        let published = tenant.publish(now, &said, held.into(), bytes.into());
        self.tenant = Some(tenant);
        Ok(to_json(&published))
    }

    /// Tells a follower (`text`, a [`Following`]) how its call stands: the [`Followed`].
    ///
    /// # Errors
    /// The message cannot be read, or the rows cannot.
    pub fn follow(&mut self, now: f64, text: &str) -> Answer<String> {
        let now = millis(now);
        let following: Following = read_json(text)?;
        let Some(mut tenant) = self.tenant(now)? else {
            return Ok(to_json(&Followed::Gone));
        };
        self.read_name(&mut tenant, &following.name)?;
        let followed = tenant.follow(now, &following);
        self.tenant = Some(tenant);
        Ok(to_json(&followed))
    }

    /// Counts rows that `answers.js` wrote.
    pub fn wrote(&mut self, rows: u32) {
        self.metrics.rows_written = self.metrics.rows_written.saturating_add(rows.into());
    }

    /// Notes that the answer at a place, which was to be stored, could not be.
    ///
    /// # Errors
    /// The rows cannot be read.
    pub fn not_stored(&mut self, now: f64, place: f64) -> Answer<()> {
        if let Some(mut tenant) = self.tenant(millis(now))? {
            tenant.not_stored(CallKey::new(millis(place).get()));
            self.tenant = Some(tenant);
        }
        Ok(())
    }
}

impl TenantHost {
    /// Answers a call that asks.
    pub(super) fn ask(&mut self, tenant: &mut Tenant, now: Millis, ask: &mut Ask) -> Answer<Reply> {
        self.read_kept(tenant, ask)?;
        if let Some(idempotency) = &ask.idempotency {
            let name = Name { key: ask.key.clone(), name: idempotency.key.clone() };
            self.read_name(tenant, &name)?;
        }
        Ok(tenant.ask(now, ask))
    }

    /// Ends a call, whose row is read where memory does not hold it.
    pub(super) fn settle(&mut self, tenant: &mut Tenant, now: Millis, settlement: &Settlement) -> Answer<()> {
        if let Err(needed) = tenant.settle(now, settlement) {
            self.write_changes(tenant)?;
            let row = self.read_call(needed.0)?;
            tenant.settle_row(now, settlement, row);
        }
        Ok(())
    }

    /// The settlement of the work of whose end a look has told, if it has.
    pub(super) fn read_work(
        &mut self,
        tenant: &mut Tenant,
        now: Millis,
        settlement: &Settlement,
    ) -> Answer<Option<Settlement>> {
        let Some(heard) = &settlement.heard else { return Ok(None) };
        self.write_changes(tenant)?;
        let provider = settlement.end.target.split('/').next().unwrap_or_default();
        let rows: Vec<(String,)> = self.read(store::WORK_READ, &[heard.id.as_str(), provider])?;
        let work = rows.into_iter().next().and_then(|(work,)| serde_json::from_str(&work).ok());
        Ok(work.and_then(|work| tenant.heard(now, heard, work)))
    }

    /// Lets a settlement decide what comes of its call's name.
    pub(super) fn settle_name(&mut self, tenant: &mut Tenant, settlement: &Settlement) -> Answer<()> {
        if let Some(name) = &settlement.name {
            self.read_name(tenant, name)?;
            tenant.settle_name(settlement);
        }
        Ok(())
    }

    /// Reads which of the kept things that a call names are the tenant's own.
    fn read_kept(&mut self, tenant: &mut Tenant, ask: &mut Ask) -> Answer<()> {
        let ids = tenant.kept_ids(ask);
        if ids.is_empty() {
            return Ok(());
        }
        // What was kept in this very turn is written first.
        self.write_changes(tenant)?;
        ask.reach.owned = self.read(store::KEPT_READ, &[to_json(&ids)])?;
        Ok(())
    }

    /// Reads what a tenant that starts must know of its named calls.
    pub(super) fn read_names(&self, stored: &mut Stored) -> Answer<()> {
        let oldest: Vec<(Option<CallKey>,)> = self.read(store::OLDEST_NAME_READ, &())?;
        stored.oldest_name = oldest.into_iter().next().and_then(|row| row.0);
        stored.answers = self.read(store::ANSWERS_READ, &())?;
        Ok(())
    }

    fn read_name(&self, tenant: &mut Tenant, name: &Name) -> Answer<()> {
        if !tenant.name_unread(name) {
            return Ok(());
        }
        let rows: Vec<store::NamedRead> = self.read(store::NAME_READ, &[name.key.as_str(), name.name.as_str()])?;
        tenant.take_up_name(name, rows.into_iter().next().map(NamedRow::from));
        Ok(())
    }
}
