//! One limit with its counts: the tenant's, or one key's.

use super::debts::Debts;
use super::{Block, Cause, Load, Standing};
use crate::key::KeyId;
use crate::policy::{Limit, What};
use crate::rows::DebtKey;
use crate::units::{Amount, Millis};
use crate::window::{Period, Tally, Window};
use std::rc::Rc;

/// A limit and what it has counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) limit: Rc<Limit>,
    /// Where the limit stands, and whose calls are counted.
    pub(super) whose: Whose,
    /// `None`: nothing was counted yet.
    pub(super) tally: Option<Tally>,
    /// The edit that made it: until that is over, it counts what rows tell of.
    pub(super) counts_since: u64,
    /// The edit that named it: until that is over, it takes up the debts of that name.
    pub(super) named_since: u64,
}

/// A change in what one call has of a limit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Changed {
    /// When the call was admitted.
    pub(super) at: Millis,
    pub(super) before: Amount,
    pub(super) after: Amount,
    /// Of a call that had ended.
    pub(super) late: Option<Late>,
}

/// What an end has brought beyond its call's hold, of money, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Late {
    pub(super) ended_at: Millis,
    pub(super) beyond: Amount,
}

/// Where a limit stands, and whose calls are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// In the tenant's policy: all calls together.
    Tenant,
    /// In the tenant's policy: those of one key.
    Each,
    /// In one key's policy: its own.
    Own,
}

impl Rule {
    /// A limit that has counted nothing, made by the edit `since`.
    pub(super) fn new(limit: &Rc<Limit>, whose: Whose, since: u64) -> Self {
        Self { limit: Rc::clone(limit), whose, tally: None, counts_since: since, named_since: since }
    }

    /// This limit's counts under another `limit` that counts the same.
    pub(super) fn under(&self, limit: &Rc<Limit>, since: u64) -> Self {
        let renamed = self.limit.name != limit.name;
        let mut tally = self.tally.clone();
        if let Some(tally) = &mut tally {
            tally.repay(limit.max, renamed);
        }
        let named_since = if renamed { since } else { self.named_since };
        Self { limit: Rc::clone(limit), whose: self.whose, tally, counts_since: self.counts_since, named_since }
    }

    /// The limit's name and key in the rows of debts, where `key` is whose calls are counted.
    pub(super) fn debtor(&self, key: &KeyId) -> (String, String) {
        let (name, key) = (&self.limit.name, key.as_str());
        match self.whose {
            Whose::Tenant => (name.clone(), String::new()),
            Whose::Each => (name.clone(), key.to_owned()),
            Whose::Own => (format!("{key}/{name}"), String::new()),
        }
    }

    /// Whether what goes beyond this limit is repaid: money is, as long as there is a next window.
    pub(super) fn repays(&self) -> bool {
        let next = matches!(self.limit.window, Window::Calendar(period) if period != Period::Lifetime);
        self.limit.what == What::Cost && next
    }

    /// Counts that a call of `key` has, or may have, another amount of this limit: what is owed follows.
    ///
    /// What the present window has beyond its maximum is owed by the next one, and no more than that. What a window that is over has used
    /// more is owed at once, for whether it had room is not known any more; what it has used less is not owed by those after it.
    pub(super) fn change(
        &mut self,
        now: Millis,
        key: &KeyId,
        Changed { at, before, after, late }: Changed,
        debts: &mut Debts,
        count: impl FnOnce(&mut Tally),
    ) {
        let (repays, max) = (self.repays(), self.limit.max_at(now));
        let Some((this, next)) = self.tally(now).starts().filter(|_| repays && before != after) else {
            return count(self.tally(now));
        };
        let (limit, key) = self.debtor(key);
        let debt = |start| DebtKey { limit: limit.clone(), key: key.clone(), start };
        let tally = self.tally(now);
        let overflow = tally.overflow(max);
        count(tally);
        if !tally.covers_hold(at) && after > before {
            owe(tally, debts, &debt(this), after.minus(before));
        } else if !tally.covers_hold(at) {
            let mut less = before.minus(after);
            let from = tally.repaid_from(at);
            // What came late was owed at once, by the window of that time.
            let late = late.map(|late| (tally.start_of(late.ended_at), late.beyond.min(less)));
            if let Some((noted, beyond)) = late.filter(|(noted, _)| *noted > from) {
                let beyond = beyond.min(debts.of(&debt(noted)));
                less = less.minus(beyond);
                ease(tally, debts, debt, noted, beyond);
            }
            ease(tally, debts, debt, from, less);
        }
        let left = tally.overflow(max);
        if left > overflow {
            owe(tally, debts, &debt(next), left.minus(overflow));
        } else if left < overflow {
            let gone = debts.of(&debt(next)).minus(left);
            forgive(tally, debts, &debt(next), gone);
        }
    }

    /// Lets the next window owe no more than what the present one has beyond its maximum, where `debt` is what it owes.
    pub(super) fn review(&mut self, now: Millis, debt: &DebtKey, debts: &mut Debts) {
        let max = self.limit.max_at(now);
        let tally = self.tally(now);
        if tally.starts().is_some_and(|(_, next)| next == debt.start) {
            let gone = debts.of(debt).minus(tally.overflow(max));
            forgive(tally, debts, debt, gone);
        }
    }

    /// Lets `debt`, which a window behind the next one would repay, be owed no more.
    pub(super) fn forgive_later(&mut self, now: Millis, debt: &DebtKey, debts: &mut Debts) {
        let tally = self.tally(now);
        if tally.starts().is_some_and(|(_, next)| next < debt.start) {
            forgive(tally, debts, debt, debts.of(debt));
        }
    }

    /// Lets the next window owe just what the present one has beyond its maximum.
    pub(super) fn reckon(&mut self, now: Millis, key: &KeyId, debts: &mut Debts) {
        if self.tally.is_none() || !self.repays() {
            return;
        }
        let max = self.limit.max_at(now);
        let (limit, key) = self.debtor(key);
        let tally = self.tally(now);
        let Some((_, start)) = tally.starts() else { return };
        let debt = DebtKey { limit, key, start };
        let (owed, beyond) = (debts.of(&debt), tally.overflow(max));
        owe(tally, debts, &debt, beyond.minus(owed));
        forgive(tally, debts, &debt, owed.minus(beyond));
    }

    /// What is counted, as of `now`.
    pub(super) fn tally(&mut self, now: Millis) -> &mut Tally {
        let tally = self.tally.get_or_insert_with(|| Tally::new(self.limit.window, self.limit.max, now));
        tally.advance(now);
        tally
    }

    /// Counts a call that is admitted at `at`: what is certain at once, the rest as held.
    pub(super) fn reserve(&mut self, at: Millis, now: Millis, load: &Load) {
        let (what, amount) = (self.limit.what, load.amount(&self.limit));
        let tally = self.tally(now);
        match what {
            What::Requests => tally.correct(at, Amount::ZERO, amount),
            _ => tally.hold(at, amount),
        }
    }

    pub(super) fn standing(&mut self, now: Millis) -> Standing<'_> {
        let (limit, max) = (&*self.limit, self.limit.max_at(now));
        let Some(tally) = &mut self.tally else {
            let resets_at = Tally::new(limit.window, limit.max, now).resets_at(now);
            let [settled, held, debt] = [Amount::ZERO; 3];
            return Standing { limit, max, settled, held, debt, resets_at };
        };
        tally.advance(now);
        let (settled, held, debt) = (tally.settled(), tally.held(), tally.debt());
        Standing { limit, max, settled, held, debt, resets_at: tally.resets_at(now) }
    }

    pub(super) fn block(&mut self, now: Millis, load: &Load, first_lease: Option<Millis>) -> Option<Block> {
        let asked = load.amount(&self.limit);
        let standing = self.standing(now);
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
            self.full(now, asked)
        };
        let Limit { name, what, per, window, .. } = &*self.limit;
        let (name, what, per) = (name.clone(), what.name().to_owned(), per.name().to_owned());
        Some(Block { name, what, per, window: window.name(), max, settled, held, asked, cause, wait })
    }

    /// What is settled leaves no room for `asked`: until when, under the maximum that will be in force by then.
    fn full(&self, now: Millis, asked: Amount) -> (Cause, Option<Millis>) {
        let cause = if self.limit.window.span().is_some() { Cause::Rate } else { Cause::Exhausted };
        let tally = self.tally.as_ref();
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

fn owe(tally: &mut Tally, debts: &mut Debts, debt: &DebtKey, amount: Amount) {
    debts.set(debt, debts.of(debt).plus(amount));
    tally.owe(debt.start, amount);
}

/// Lets go of what is not owed any more where the window before `from` has used `less`.
fn ease(tally: &mut Tally, debts: &mut Debts, debt: impl Fn(Millis) -> DebtKey, from: Millis, less: Amount) {
    for (start, gone) in tally.eased(from, less, |start| debts.of(&debt(start))) {
        forgive(tally, debts, &debt(start), gone);
    }
}

fn forgive(tally: &mut Tally, debts: &mut Debts, debt: &DebtKey, amount: Amount) {
    if amount > Amount::ZERO {
        debts.set(debt, debts.of(debt).minus(amount));
        tally.forgive(debt.start, amount);
    }
}
