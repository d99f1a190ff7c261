//! A credit: an operator lowers what a call was billed, once.

use super::Tenant;
use crate::ledger;
use crate::limits::Caller;
use crate::rows::{CallKey, CallRow, Change, End, State, Sums, Truth};
use crate::units::{Millis, NanoUsd};
use crate::wire::{Credit, Credited};

impl Tenant {
    /// The place of the call named `call`, if memory has it.
    pub fn place_of(&self, call: &str) -> Option<CallKey> {
        self.ledger.find(call).map(|row| row.at)
    }

    /// Gives a credit, or says what would come of it; `row` is what was read at the call's place, which memory may not hold.
    ///
    /// Its tokens stay. Its row, the sums of its usage, the limits on money whose window it is in and what these owe are as if it had
    /// cost as much from the beginning.
    pub fn credit(&mut self, now: Millis, credit: &Credit, row: Option<CallRow>) -> Credited {
        let now = self.tick(now);
        self.expire(now);
        let known = credit.place.and_then(|place| self.ledger.at(place)).cloned();
        let Some(row) = known.or(row).filter(|row| row.call == credit.call) else {
            return Credited::Unknown;
        };
        let Some(before) = row.end.clone().filter(|_| row.state != State::Open) else {
            return Credited::UnderWay;
        };
        if before.truth == Truth::Credited {
            return Credited::Before { billed: before.cost };
        }
        let amount = credit.amount.unwrap_or(before.cost);
        if amount > before.cost || amount == NanoUsd::ZERO {
            return Credited::TooMuch { billed: before.cost };
        }
        let end = End { cost: before.cost.minus(amount), truth: Truth::Credited, ..before.clone() };
        let given = Credited::Given { place: row.at, key: row.key.clone(), amount, billed: end.cost };
        if !credit.check {
            self.rebill(now, CallRow { state: State::Settled, end: Some(end), ..row }, &before);
        }
        given
    }

    /// Puts `row`, whose end was `before`, in place of the call's.
    fn rebill(&mut self, now: Millis, row: CallRow, before: &End) {
        let end = row.end.clone().unwrap_or_default();
        if row.at < self.ledger.flushed() {
            for key in ledger::usage_keys(row.at, &row.key, &row.model) {
                self.add_usage(key, Sums::of(&end).minus(Sums::of(before)));
            }
        } else {
            self.ledger.replace(row.clone());
            // What was learnt of it is forgotten, as memory that is built anew does not learn it.
            self.habits.relearn(self.ledger.unflushed());
        }
        let caller = Caller { key: &row.key, model: &row.model };
        self.limits.correct(row.at.millis(), now, caller, (&before.load(), &end.load()), late(&row, before));
        self.changes.push(Change::Ended(row));
    }
}

/// When `row`'s call ended as `before` says, and what that was beyond its hold.
pub(super) fn late(row: &CallRow, before: &End) -> (Millis, NanoUsd) {
    (before.at, before.cost.minus(row.held.cost))
}
