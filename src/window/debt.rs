//! A calendar window and what it repays of earlier ones.

use super::owed::Owed;
use super::{Counted, Period, Tally};
use crate::units::{Amount, CEILING, Millis};

impl Tally {
    /// Lets `max` be what a calendar window repays of a debt at most, and forgets all debts where they are another's.
    pub fn repay(&mut self, max: Amount, forget: bool) {
        self.change_owed(|_, owed| {
            owed.max = max;
            if forget {
                owed.debts.clear();
            }
        });
    }

    /// Takes up a debt of `amount` that the window from `start` on repays.
    pub fn owe(&mut self, start: Millis, amount: Amount) {
        self.change_owed(|period, owed| owed.add(period.start(start), amount));
    }

    /// Lets go of `amount` of the debt that the window from `start` on repays.
    pub fn forgive(&mut self, start: Millis, amount: Amount) {
        self.change_owed(|period, owed| owed.take(period.start(start), amount));
    }

    fn change_owed(&mut self, change: impl FnOnce(Period, &mut Owed)) {
        if let Counted::Calendar { period, start, sum, owed } = &mut self.counted {
            let before = owed.due(*period, *start);
            change(*period, owed);
            *sum = sum.saturating_sub(before).saturating_add(owed.due(*period, *start)).min(CEILING);
        }
    }

    /// When the window began that holds `at`.
    pub fn start_of(&self, at: Millis) -> Millis {
        self.period().map_or(at, |period| period.start(at))
    }

    /// When the window begins that repays what a call admitted at `at` has overshot.
    pub fn repaid_from(&self, at: Millis) -> Millis {
        self.period().and_then(|period| period.end(at)).unwrap_or(at)
    }

    /// What debts are no more where the calendar window before `from`, which is over, has used `less`: by the start of the window that
    /// repays them first, and of each no more than `row` says.
    pub fn eased(&self, from: Millis, less: Amount, row: impl Fn(Millis) -> Amount) -> Vec<(Millis, Amount)> {
        match &self.counted {
            Counted::Calendar { period, start, owed, .. } => owed.eased(*period, from, *start, less, row),
            Counted::Rolling { .. } | Counted::Moment => Vec::new(),
        }
    }

    fn period(&self) -> Option<Period> {
        match &self.counted {
            Counted::Calendar { period, .. } => Some(*period),
            Counted::Rolling { .. } | Counted::Moment => None,
        }
    }

    /// What this calendar window has counted and holds beyond `max`. What of a debt it cannot repay is not in it: that is left to the
    /// next one as it is.
    pub fn overflow(&self, max: Amount) -> Amount {
        match &self.counted {
            Counted::Calendar { period, start, sum, owed } => {
                let due = owed.due(*period, *start);
                let spent = Amount::new(sum.saturating_sub(due));
                spent.plus(owed.max.min(Amount::new(due))).plus(self.held).minus(max)
            }
            Counted::Rolling { .. } | Counted::Moment => Amount::ZERO,
        }
    }

    /// The starts of this calendar window, as of the last [`Tally::advance`], and of the next; `None`: there is no next.
    pub fn starts(&self) -> Option<(Millis, Millis)> {
        match &self.counted {
            Counted::Calendar { period, start, .. } => Some((*start, period.end(*start)?)),
            Counted::Rolling { .. } | Counted::Moment => None,
        }
    }

    /// What of [`Tally::settled`] is an earlier window's debt.
    pub fn debt(&self) -> Amount {
        match &self.counted {
            Counted::Calendar { period, start, owed, .. } => Amount::new(owed.due(*period, *start)),
            Counted::Rolling { .. } | Counted::Moment => Amount::ZERO,
        }
    }
}
