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

    pub(super) fn take(&mut self, start: Millis, amount: Amount) {
        if let Some(debt) = self.debts.get_mut(&start) {
            *debt = debt.minus(amount);
        }
        self.debts.retain(|_, debt| *debt > Amount::ZERO);
    }

    /// What debts are no more, by the window that repays them first, where the window before `from` has used `less`: its own, and
    /// then those of the windows up to `current` that had less to repay. Of each no more than `row` says that is its own.
    pub(super) fn eased(
        &self,
        period: Period,
        from: Millis,
        current: Millis,
        mut less: Amount,
        row: impl Fn(Millis) -> Amount,
    ) -> Vec<(Millis, Amount)> {
        let debt = |at| self.debts.get(&at).copied().unwrap_or_default();
        let mut eased = Vec::new();
        let (mut at, mut due) = (from, Amount::new(self.due(period, from)));
        let mut left = due;
        loop {
            let gone = less.min(row(at)).min(debt(at));
            left = left.minus(gone);
            if gone > Amount::ZERO {
                eased.push((at, gone));
            }
            let Some(next) = period.end(at).filter(|next| *next <= current && left < due) else {
                return eased;
            };
            less = due.min(self.max).minus(left.min(self.max));
            (due, left) = (due.minus(self.max).plus(debt(next)), left.minus(self.max).plus(debt(next)));
            at = next;
        }
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
