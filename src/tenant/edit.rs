//! What an administrator changes of a tenant: in place, so that what did not change is not built anew.
//!
//! A tenant that is edited in place is the one that its rows then describe.

use super::past::{Past, Reads};
use super::{KeyRecord, Tenant};
use crate::catalog::Catalog;
use crate::key::KeyId;
use crate::limits::Whose;
use crate::policy::Policy;
use crate::units::Millis;
use crate::window::Window;

/// How many keys a tenant's object holds: those in use, and those whose end is less than some two hours past.
pub const KEYS_MAX: usize = 10_000;
/// What the own policies of all keys may take of an object's memory, in bytes.
pub const POLICY_BYTES_MAX: usize = 24 * 1_024 * 1_024;

/// What the keys would take of the object with one that is told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// How many there would be.
    pub keys: usize,
    /// What their own policies would take of memory, in bytes.
    pub policy_bytes: usize,
}

/// What is changed; what it does not name stays.
#[derive(Clone, Debug, Default)]
pub struct Edit {
    /// Whether the tenant's calls are admitted at all, and its policy.
    pub tenant: Option<(bool, Policy)>,
    /// The catalog.
    pub catalog: Option<Catalog>,
    /// Keys, new or changed.
    pub keys: Vec<(KeyId, KeyRecord)>,
}

impl Tenant {
    /// Changes what the tenant is. What is returned is to be read from the rows, and given to [`Tenant::edited`] before
    /// anything else is asked of the tenant.
    #[must_use]
    pub fn edit(&mut self, now: Millis, edit: Edit) -> Reads {
        let now = self.tick(now);
        let mut reads = Reads::default();
        if let Some((enabled, policy)) = edit.tenant {
            self.config.enabled = enabled;
            if policy.limits != self.config.policy.limits {
                self.limits.set_tenant(&policy.limits);
                let uncounted = |whose| self.limits.uncounted(whose);
                reads.add(now, &uncounted(Whose::Tenant), &uncounted(Whose::Each));
            }
            self.config.policy = policy;
        }
        if let Some(catalog) = edit.catalog {
            self.config.catalog = catalog;
        }
        let keys = edit.keys.into_iter();
        for (id, record) in keys.filter(|(id, record)| self.takes(now, id, record)).collect::<Vec<_>>() {
            self.edit_key(now, id, record, &mut reads);
        }
        reads
    }

    /// Ends an edit with what was `read` for it.
    pub fn edited(&mut self, read: &Past) {
        self.count(read);
        self.limits.review_debts(self.now);
    }

    /// What the keys would take of the object with `record` as the key `id`.
    pub fn taken_with(&self, id: &KeyId, record: &KeyRecord) -> Taken {
        let before = self.config.keys.get(id);
        let keys = self.config.keys.len().saturating_add(usize::from(before.is_none()));
        let others = self.policy_bytes.saturating_sub(before.map_or(0, KeyRecord::policy_bytes));
        Taken { keys, policy_bytes: others.saturating_add(record.policy_bytes()) }
    }

    fn edit_key(&mut self, now: Millis, id: KeyId, record: KeyRecord, reads: &mut Reads) {
        let own = record.policy.as_ref().map(|policy| policy.limits.as_slice()).unwrap_or_default();
        let known = self.config.keys.contains_key(&id);
        self.limits.set_key(&id, own);
        let windows = if known {
            self.limits.uncounted_own(&id)
        } else {
            // It has made no call for as long as any rolling window reaches back, if it was ever here.
            let calendar = |window: &Window| matches!(window, Window::Calendar(_));
            self.limits.windows_of(&id).into_iter().filter(calendar).collect()
        };
        reads.add_key(now, &windows, &id);
        self.policy_bytes = self.taken_with(&id, &record).policy_bytes;
        self.leaving.add(&id, &record);
        self.config.keys.insert(id, record);
    }
}
