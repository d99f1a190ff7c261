//! What earlier windows have overshot, and which window repays how much of it.

use super::Period;
use crate::units::{Amount, Millis};
use std::collections::BTreeMap;

/// Debts by the start of the window that repays them first.
///
/// What a debt has beyond `max` fills that window, and the next one repays the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owed {
    pub(super) max: Amount,
    pub(super) debts: BTreeMap<Millis, Amount>,
}

impl Owed {
    pub(super) const fn new(max: Amount) -> Self {
        Self { max, debts: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, start: Millis, amount: Amount) {
        let debt = self.debts.entry(start).or_default();
        *debt = debt.plus(amount);
    }

    /// What the window from `current` on has to repay.
    pub(super) fn due(&self, period: Period, current: Millis) -> u64 {
        let (mut due, mut at) = (Amount::ZERO, Millis::ZERO);
        for (&start, &debt) in self.debts.range(..=current) {
            due = self.left(due, period, at, start).plus(debt);
            at = start;
        }
        self.left(due, period, at, current).get()
    }

    /// What is left of `due` at `to` when the windows since `from` have repaid it.
    fn left(&self, mut due: Amount, period: Period, mut from: Millis, to: Millis) -> Amount {
        while due > Amount::ZERO && from < to && self.max > Amount::ZERO {
            due = due.minus(self.max);
            from = period.end(from).unwrap_or(to);
        }
        due
    }
}
