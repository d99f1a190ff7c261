//! What limits were overshot by, as the rows of debts have it: by limit, key and the window that repays it first.

use crate::rows::DebtKey;
use crate::units::{Amount, Millis};
use std::collections::BTreeMap;

/// Every debt of a tenant, and what of them has changed since the changes were last taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Debts {
    rows: BTreeMap<DebtKey, Amount>,
    changes: BTreeMap<DebtKey, i64>,
}

impl Debts {
    /// The debts that were read back.
    pub(super) fn restore(rows: Vec<(DebtKey, Amount)>) -> Self {
        let rows = rows.into_iter().filter(|(_, amount)| *amount > Amount::ZERO).collect();
        Self { rows, changes: BTreeMap::new() }
    }

    /// Every debt.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&DebtKey, Amount)> {
        self.rows.iter().map(|(debt, amount)| (debt, *amount))
    }

    /// Those that windows after `now` repay.
    pub(super) fn after(&self, now: Millis) -> Vec<DebtKey> {
        self.rows.keys().filter(|debt| debt.start > now).cloned().collect()
    }

    /// How much is owed.
    pub(super) fn of(&self, debt: &DebtKey) -> Amount {
        self.rows.get(debt).copied().unwrap_or_default()
    }

    /// Lets `amount` be owed in place of what was.
    pub(super) fn set(&mut self, debt: &DebtKey, amount: Amount) {
        let signed = |amount: Amount| i64::try_from(amount.get()).unwrap_or(i64::MAX);
        let by = signed(amount).saturating_sub(signed(self.of(debt)));
        if by == 0 {
            return;
        }
        let change = self.changes.entry(debt.clone()).or_default();
        *change = change.saturating_add(by);
        if amount == Amount::ZERO {
            self.rows.remove(debt);
        } else {
            self.rows.insert(debt.clone(), amount);
        }
    }

    /// What is owed more, or less, since this was last asked.
    pub(super) fn take_changes(&mut self) -> impl Iterator<Item = (DebtKey, i64)> + use<> {
        std::mem::take(&mut self.changes).into_iter().filter(|(_, by)| *by != 0)
    }
}
