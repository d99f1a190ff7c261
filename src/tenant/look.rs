//! A tenant's looks at itself: its usage and its models, from memory alone and so often at most.

use super::Tenant;
use crate::gauge::Gauges;
use crate::key::KeyId;
use crate::ledger;
use crate::rows::Sums;
use crate::units::Millis;
use crate::wire::{Denial, Look};
use std::collections::BTreeMap;

/// How often a key may look in the long run: once in this time.
const KEY_EVERY: Millis = Millis::new(100);
/// How often all keys of a tenant may.
const TENANT_EVERY: Millis = Millis::new(20);
/// How long a key or a tenant must not have looked to look as often as it likes: a minute's looks at once.
const BURST: Millis = Millis::from_secs(60);
const SWEEP_MIN: usize = 64;

/// When those that have looked may look as often as ever again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Looks {
    tenant: Millis,
    keys: BTreeMap<KeyId, Millis>,
    sweep_at: usize,
}

impl Looks {
    /// Counts a look of `key`, if it may look.
    fn take(&mut self, now: Millis, key: &KeyId) -> Result<(), Denial> {
        let next = |rests_at: Millis, every: Millis| {
            let rests_at = rests_at.max(now).plus(every);
            let wait = rests_at.minus(now.plus(BURST));
            if wait > Millis::ZERO { Err(Denial::LooksLimited { wait }) } else { Ok(rests_at) }
        };
        let own = next(self.keys.get(key).copied().unwrap_or_default(), KEY_EVERY)?;
        self.tenant = next(self.tenant, TENANT_EVERY)?;
        if self.keys.len() >= self.sweep_at {
            self.keys.retain(|_, rests_at| *rests_at > now);
            self.sweep_at = self.keys.len().saturating_mul(2).max(SWEEP_MIN);
        }
        self.keys.insert(key.clone(), own);
        Ok(())
    }
}

impl Tenant {
    /// Whether the caller's key is good, and may look at its tenant once more; it has looked then.
    ///
    /// # Errors
    /// Why it may not.
    pub fn look(&mut self, now: Millis, look: &Look) -> Result<(), Denial> {
        let now = self.tick(now);
        self.known(now, &look.key, &look.hash, look.origin.as_deref())?;
        self.looks.take(now, &look.key)
    }

    /// What the holder of `key` sees of the tenant.
    pub fn usage(&mut self, now: Millis, key: &KeyId) -> serde_json::Value {
        let now = self.tick(now);
        self.periods.advance(now);
        let rows = self.ledger.unflushed().flat_map(|row| {
            let sums = row.end.as_ref().map(Sums::of).unwrap_or_default();
            ledger::usage_keys(row.at, &row.key, &row.model).map(|usage| (usage, sums))
        });
        let rows: Vec<_> = rows.collect();
        let standings = self.limits.standings(now, key);
        crate::usage::document(now, self.config.tenant.as_str(), key, &standings, &self.periods, &rows)
    }

    /// The models that the holder of `key` may call.
    pub fn models(&self, key: &KeyId) -> Vec<&str> {
        let own = self.policy(key);
        let allows = |model: &&str| self.config.policy.allows(model) && own.allows(model);
        self.config.catalog.models.keys().map(String::as_str).filter(allows).collect()
    }

    /// How all limits of a key stand, for the headers of an answer that is about no call.
    pub fn gauges(&mut self, now: Millis, key: &KeyId) -> Gauges {
        let now = self.tick(now);
        Gauges::of(now, self.limits.standings(now, key))
    }
}
