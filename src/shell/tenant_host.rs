//! Hosts one tenant's state machine in its Durable Object: events in, rows out.
//!
//! Every method is synchronous and decides at once; `entry.js` awaits. Memory is a cache of the
//! rows: whenever a step fails it is dropped, and built anew from them; `entry.js` then tells
//! everyone of the turn.

use super::glue;
use super::object::to_json;
use crate::key::KeyId;
use crate::rows::CallKey;
use crate::store::{self, Statement};
use crate::tenant::Tenant;
use crate::units::Millis;
use crate::wire::{Amend, Amended, Ask, Credited, Denial, Look, Metrics, Reply, Seen, Settlement};
use serde::de::DeserializeOwned;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

mod calls;
mod check;
mod edit;
mod named;
mod rows;

/// One tenant's memory and storage.
#[wasm_bindgen]
pub struct TenantHost {
    storage: JsValue,
    tenant: Option<Tenant>,
    migrated: bool,
    /// The revision of the tenant and its keys that is held: an older one changes nothing.
    revision: u64,
    /// When old rows are to be dropped on: there were more than one step drops.
    drop_at: Option<Millis>,
    /// How full the storage was when that was last warned of, in percent.
    warned: u64,
    /// When the alarm goes off; `None`: none was set since the object started.
    armed: Option<Millis>,
    /// The last credit by its name, while memory stands.
    credited: Option<(String, Credited)>,
    metrics: Metrics,
}

type Answer<T> = Result<T, JsValue>;

#[wasm_bindgen]
impl TenantHost {
    /// A host over the object's `storage`; nothing is read yet.
    #[wasm_bindgen(constructor)]
    pub fn new(storage: JsValue) -> Self {
        Self {
            storage,
            tenant: None,
            migrated: false,
            revision: 0,
            drop_at: None,
            warned: 0,
            armed: None,
            credited: None,
            metrics: Metrics::default(),
        }
    }

    /// Settles what has ended (`ends`, one [`Settlement`] a line) and admits the call that asks (`ask`,
    /// an [`Ask`], or nothing); the [`Reply`] may leave once [`TenantHost::commit`] has run.
    ///
    /// # Errors
    /// The message cannot be read, or the rows cannot.
    pub fn call(&mut self, now: f64, ask: &str, ends: &str) -> Answer<String> {
        let now = millis(now);
        let ends: Vec<Settlement> = ends.lines().filter_map(read_settlement).collect();
        let mut ask: Option<Ask> = if ask.is_empty() { None } else { Some(read_json(ask)?) };
        self.metrics.object_requests = self.metrics.object_requests.saturating_add(1);
        let Some(mut tenant) = self.tenant(now)? else {
            return Ok(to_json(&Reply::Denied(Denial::KeyUnknown)));
        };
        for settlement in &ends {
            self.settle(&mut tenant, now, settlement)?;
            self.settle_name(&mut tenant, settlement)?;
            if let Some(work) = self.read_work(&mut tenant, now, settlement)? {
                self.settle(&mut tenant, now, &work)?;
            }
        }
        let reply = match &mut ask {
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
        let next = tenant.next_alarm().into_iter().chain(self.drop_at).min();
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

    /// Ends the calls whose lease is over, and drops rows that are old: what the alarm is for.
    ///
    /// # Errors
    /// The rows cannot be read.
    pub fn expire(&mut self, now: f64) -> Answer<()> {
        let now = millis(now);
        self.armed = None;
        if let Some(mut tenant) = self.tenant(now)? {
            tenant.expire(now);
            tenant.flush(now, true);
            self.write_changes(&mut tenant)?;
            self.drop_old_calls(&tenant, now)?;
            self.tenant = Some(tenant);
        }
        Ok(())
    }

    /// What the holder of a key sees of its tenant's usage.
    ///
    /// # Errors
    /// The message cannot be read, or the rows cannot.
    pub fn usage(&mut self, now: f64, text: &str) -> Answer<String> {
        self.show(millis(now), text, Tenant::usage)
    }

    /// The models that the holder of a key may call.
    ///
    /// # Errors
    /// The message cannot be read, or the rows cannot.
    pub fn models(&mut self, now: f64, text: &str) -> Answer<String> {
        self.show(millis(now), text, |tenant, _, key| tenant.models(key).into())
    }

    /// What this object has done since it started, as JSON; its isolate holds so many bytes of calls, and has held `peak`.
    ///
    /// # Errors
    /// The rows cannot be read.
    pub fn metrics(&self, held: u32, peak: u32) -> Answer<String> {
        let oldest: Vec<(Option<CallKey>,)> =
            if self.migrated { self.read(store::OLDEST_CALL_READ, &())? } else { Vec::new() };
        let oldest_call = oldest.first().and_then(|row| row.0).map(CallKey::millis);
        let database_bytes = millis(glue::database_size(&self.storage)).get();
        Ok(to_json(&Metrics {
            isolate_bytes: held.into(),
            isolate_bytes_peak: peak.into(),
            database_bytes,
            oldest_call,
            ..self.metrics
        }))
    }
}

impl TenantHost {
    /// The tenant, taken out of memory or built from the rows; `None`: nobody has configured it.
    fn tenant(&mut self, now: Millis) -> Answer<Option<Tenant>> {
        match self.tenant.take() {
            Some(mut tenant) if tenant.is_ahead(now) => {
                self.write_changes(&mut tenant)?;
                self.restore(now, true)
            }
            Some(tenant) => Ok(Some(tenant)),
            None => self.restore(now, false),
        }
    }

    /// Answers a [`Look`] with what `show` gives, if its key is good and has not looked too often.
    fn show(
        &mut self,
        now: Millis,
        text: &str,
        show: impl FnOnce(&mut Tenant, Millis, &KeyId) -> serde_json::Value,
    ) -> Answer<String> {
        let look: Look = read_json(text)?;
        let Some(mut tenant) = self.tenant(now)? else {
            return Ok(to_json(&Seen::Denied(Denial::KeyUnknown)));
        };
        let seen = match tenant.look(now, &look) {
            Err(denial) => Seen::Denied(denial),
            Ok(()) => {
                tenant.expire(now);
                self.write_changes(&mut tenant)?;
                let document = show(&mut tenant, now, &look.key);
                Seen::Shown { document, gauges: tenant.gauges(now, &look.key) }
            }
        };
        self.tenant = Some(tenant);
        Ok(to_json(&seen))
    }

    /// Drops some of the calls that are older than the tenant's policy keeps them, and warns where storage fills up all the same.
    fn drop_old_calls(&mut self, tenant: &Tenant, now: Millis) -> Answer<()> {
        let before = self.metrics.rows_written;
        self.write(&[store::drop_old_calls(tenant.ledger_begins(now))])?;
        let dropped = self.metrics.rows_written.saturating_sub(before);
        self.drop_at = (dropped >= store::OLD_CALLS_PAGE.into()).then(|| now.plus(Millis::from_secs(1)));
        let filled = store::filled(millis(glue::database_size(&self.storage)).get());
        if filled > self.warned {
            let tenant = tenant.config().tenant.as_str();
            worker::console_warn!("the rows of tenant {tenant} fill {filled} % of its storage; lower ledger_days");
        }
        self.warned = filled;
        Ok(())
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
