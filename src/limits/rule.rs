//! One limit with its counts, one for each key where it counts each by itself.

use super::{Block, Caller, Cause, Load, Standing};
use crate::key::KeyId;
use crate::policy::{Limit, Per, What};
use crate::rows::DebtKey;
use crate::units::{Amount, Millis};
use crate::window::{Period, Tally, Window};
use std::collections::BTreeMap;

/// A limit and what it has counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) limit: Limit,
    /// The one key whose policy holds the limit; `None`: the tenant's policy does.
    pub(super) owner: Option<KeyId>,
    /// One for each key where the limit is per key, else one under `None`.
    pub(super) tallies: BTreeMap<Option<KeyId>, Tally>,
}

impl Rule {
    pub(super) fn covers(&self, caller: Caller<'_>) -> bool {
        self.owner.as_ref().is_none_or(|owner| owner == caller.key) && self.limit.covers(caller.model)
    }

    pub(super) fn slot(&self, key: &KeyId) -> Option<KeyId> {
        self.slot_of(Some(key))
    }

    pub(super) fn slot_of(&self, key: Option<&KeyId>) -> Option<KeyId> {
        key.filter(|_| self.limit.per == Per::Key && self.owner.is_none()).cloned()
    }

    /// The name that no other limit of the tenant and its keys has.
    pub(super) fn name(&self) -> String {
        let name = &self.limit.name;
        self.owner.as_ref().map_or_else(|| name.clone(), |owner| format!("{}/{name}", owner.as_str()))
    }

    /// Whether what goes beyond this limit is repaid: money is, as long as there is a next window.
    pub(super) fn repays(&self) -> bool {
        let next = matches!(self.limit.window, Window::Calendar(period) if period != Period::Lifetime);
        self.limit.what == What::Cost && next
    }

    /// Notes what of `excess`, which a call admitted at `at` used beyond its hold, goes beyond this limit:
    /// the next window repays it, and what belongs to a window that is over is repaid as soon as there is room.
    pub(super) fn owe(&mut self, at: Millis, now: Millis, key: &KeyId, excess: Amount) -> Vec<(DebtKey, Amount)> {
        if excess == Amount::ZERO || !self.repays() {
            return Vec::new();
        }
        let (limit, slot, max) = (self.name(), self.slot(key), self.limit.max_at(now));
        let tally = self.tally(now, key);
        let Some((this, next)) = tally.starts() else {
            return Vec::new();
        };
        let counted = tally.settled().plus(tally.held());
        let (here, later) = if tally.covers_hold(at) {
            (Amount::ZERO, excess.min(counted.minus(max)))
        } else {
            // Whether the window that is over had room left is not known any more.
            let here = excess.min(max.minus(counted));
            (here, excess.minus(here))
        };
        let key = slot.map(|key| key.as_str().to_owned()).unwrap_or_default();
        let debts = [(this, here), (next, later)].into_iter().filter(|(_, amount)| *amount > Amount::ZERO);
        debts
            .map(|(start, amount)| {
                tally.owe(start, amount);
                (DebtKey { limit: limit.clone(), key: key.clone(), start }, amount)
            })
            .collect()
    }

    pub(super) fn tally(&mut self, now: Millis, key: &KeyId) -> &mut Tally {
        self.tally_in(self.slot(key), now)
    }

    /// The counts kept in `slot`, as of `now`.
    pub(super) fn tally_in(&mut self, slot: Option<KeyId>, now: Millis) -> &mut Tally {
        let tally = self.tallies.entry(slot).or_insert_with(|| Tally::new(self.limit.window, self.limit.max, now));
        tally.advance(now);
        tally
    }

    pub(super) fn standing(&mut self, now: Millis, key: &KeyId) -> Standing<'_> {
        let slot = self.slot(key);
        let (limit, max) = (&self.limit, self.limit.max_at(now));
        let Some(tally) = self.tallies.get_mut(&slot) else {
            let resets_at = Tally::new(limit.window, limit.max, now).resets_at(now);
            let [settled, held, debt] = [Amount::ZERO; 3];
            return Standing { limit, max, settled, held, debt, resets_at };
        };
        tally.advance(now);
        let (settled, held, debt) = (tally.settled(), tally.held(), tally.debt());
        Standing { limit, max, settled, held, debt, resets_at: tally.resets_at(now) }
    }

    pub(super) fn block(
        &mut self,
        now: Millis,
        key: &KeyId,
        load: &Load,
        first_lease: Option<Millis>,
    ) -> Option<Block> {
        let asked = load.amount(&self.limit);
        let standing = self.standing(now, key);
        if asked == Amount::ZERO || asked <= standing.remaining() {
            return None;
        }
        let (settled, held, max) = (standing.settled, standing.held, standing.max);
        let lease_wait = first_lease.map(|lease| lease.minus(now));
        let (cause, wait) = if asked > max {
            (Cause::Never, None)
        } else if self.limit.what == What::Concurrency {
            (Cause::Busy, lease_wait)
        } else if settled.plus(asked) <= max {
            (Cause::Reserved, lease_wait)
        } else {
            self.full(now, key, asked)
        };
        let Limit { name, what, per, window, .. } = &self.limit;
        let (name, what, per) = (name.clone(), what.name().to_owned(), per.name().to_owned());
        Some(Block { name, what, per, window: window.name(), max, settled, held, asked, cause, wait })
    }

    /// What is settled leaves no room for `asked`: until when, under the maximum that will be in force by then.
    fn full(&self, now: Millis, key: &KeyId, asked: Amount) -> (Cause, Option<Millis>) {
        let cause = if self.limit.window.span().is_some() { Cause::Rate } else { Cause::Exhausted };
        let tally = self.tallies.get(&self.slot(key));
        let frees_at = |max| tally.and_then(|tally| tally.frees_at(now, tally.settled().plus(asked).minus(max)));
        let wait = |at: Option<Millis>| at.map(|at| at.minus(now));
        let at = frees_at(self.limit.max_at(now));
        let ends_first = self.limit.increase_at(now).is_some_and(|increase| at.is_none_or(|at| increase.until <= at));
        match ends_first {
            false => (cause, wait(at)),
            true if asked > self.limit.max => (Cause::Never, None),
            true => (cause, wait(frees_at(self.limit.max))),
        }
    }
}
