//! Keys that can never call again leave the object: the registry keeps their records, and what they used stays summed up.

use super::{KeyRecord, Tenant};
use crate::key::KeyId;
use crate::rows::Change;
use crate::units::Millis;
use std::collections::{BTreeMap, BTreeSet};

/// How long a key stays after its end, at least: longer than any rolling window reaches back, so that an expired key that is
/// given another end begins with all that it must count.
const STAYS: Millis = Millis::from_secs(2 * 3_600);
const HOUR: u64 = 3_600_000;

/// The keys that have an end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Leaving {
    /// By when they may leave.
    due: BTreeSet<(Millis, KeyId)>,
    /// Those that may, but have calls that are not summed up, and when they are looked at again at the latest.
    late: BTreeSet<KeyId>,
    late_at: Millis,
}

impl Leaving {
    pub(super) fn of(keys: &BTreeMap<KeyId, KeyRecord>) -> Self {
        let due = keys.iter().filter_map(|(id, key)| Some((key.leaves_at()?, id.clone()))).collect();
        Self { due, ..Self::default() }
    }

    pub(super) fn add(&mut self, id: &KeyId, key: &KeyRecord) {
        self.due.extend(key.leaves_at().map(|at| (at, id.clone())));
    }

    /// When the first key may leave.
    pub(super) fn first(&self) -> Option<Millis> {
        let late = (!self.late.is_empty()).then_some(self.late_at);
        self.due.first().map(|&(at, _)| at).into_iter().chain(late).min()
    }

    /// Takes out those that may leave at `now`.
    fn take(&mut self, now: Millis) -> BTreeSet<KeyId> {
        let mut keys = std::mem::take(&mut self.late);
        while let Some((at, id)) = self.due.pop_first() {
            if at > now {
                self.due.insert((at, id));
                break;
            }
            keys.insert(id);
        }
        keys
    }
}

impl KeyRecord {
    /// When it may leave the object, at a full hour; `None`: it has no end.
    pub fn leaves_at(&self) -> Option<Millis> {
        let end = self.revoked_at.into_iter().chain(self.expires_at).min()?;
        Some(Millis::new(end.plus(STAYS).get().div_ceil(HOUR).saturating_mul(HOUR)))
    }
}

impl Tenant {
    /// Whether a key that an administrator's call tells of belongs here: one that may leave is not brought back.
    pub fn takes(&self, now: Millis, id: &KeyId, key: &KeyRecord) -> bool {
        self.config.keys.contains_key(id) || key.leaves_at().is_none_or(|at| at > now)
    }

    /// Lets those keys go that may leave and whose calls are all summed up.
    pub(super) fn let_keys_go(&mut self, now: Millis) {
        let keys = self.leaving.take(now);
        if keys.is_empty() {
            return;
        }
        let calls = self.ledger.open().chain(self.ledger.unflushed());
        let busy: BTreeSet<KeyId> = calls.map(|row| row.key.clone()).collect();
        for id in keys {
            let ended = self.config.keys.get(&id).and_then(KeyRecord::leaves_at).is_some_and(|at| at <= now);
            if ended && busy.contains(&id) {
                self.leaving.late.insert(id);
                self.leaving.late_at = now.plus(Millis::new(HOUR));
            } else if ended {
                self.forget_key(&id);
            }
        }
    }

    fn forget_key(&mut self, id: &KeyId) {
        if let Some(key) = self.config.keys.remove(id) {
            self.policy_bytes = self.policy_bytes.saturating_sub(key.policy_bytes());
        }
        self.limits.remove_key(id);
        self.habits.forget(id.as_str());
        self.changes.push(Change::KeyGone(id.clone()));
    }
}
