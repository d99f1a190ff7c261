//! What an administrator changes of a tenant: in place, so that what did not change is not built anew.
//!
//! A tenant that is edited in place is the one that its rows then describe.

use super::past::{Past, Reads};
use super::{KeyRecord, Tenant};
use crate::catalog::Catalog;
use crate::key::KeyId;
use crate::policy::Policy;
use crate::units::Millis;
use crate::window::Window;

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
                reads.add(now, &self.limits.uncounted());
            }
            self.config.policy = policy;
        }
        if let Some(catalog) = edit.catalog {
            self.config.catalog = catalog;
        }
        for (id, record) in edit.keys {
            self.edit_key(now, id, record, &mut reads);
        }
        reads
    }

    /// Ends an edit with what was `read` for it.
    pub fn edited(&mut self, read: &Past) {
        self.count(read);
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
        self.config.keys.insert(id, record);
    }
}
