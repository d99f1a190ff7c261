//! A tenant's calls: opened when admitted, ended once, corrected at most.
//!
//! Every call keeps a place in time order. Open calls are all in memory; ended ones stay until
//! usage rows hold them, which is true of every call before [`Ledger::flushed`].

use crate::key::KeyId;
use crate::price::Bill;
use crate::rows::{CallKey, CallRow, End, Grain, State, Sums, Truth, UsageKey};
use crate::units::Millis;
use crate::window::Period;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How many ended calls stay in memory before they are summed up into usage rows.
const ENDED_MAX: usize = 512;
/// How long an ended call is remembered at least: an ask that is repeated because its answer was
/// lost comes sooner.
const REMEMBERED: Millis = Millis::from_secs(15);

/// The calls of one tenant that are open or not yet summed up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    open: BTreeMap<CallKey, CallRow>,
    ended: BTreeMap<CallKey, CallRow>,
    names: HashMap<String, CallKey>,
    leases: BTreeSet<(Millis, CallKey)>,
    /// Calls that ended before they were heard of: their names, and when that was.
    forestalled: HashMap<String, Millis>,
    flushed: CallKey,
    last: CallKey,
    flush_at: usize,
}

/// Calls that were let go of.
#[derive(Clone, Debug)]
pub struct Flushed {
    /// The usage they make.
    pub usage: BTreeMap<UsageKey, Sums>,
    /// Their rows.
    pub done: BTreeMap<CallKey, CallRow>,
    /// The place before which all calls are summed up.
    pub end: CallKey,
}

/// What a settlement found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// An open call, which it ended: its row.
    Open(CallRow),
    /// A call that had ended without its provider's word, which it corrected: its row, and the end that it had.
    Corrected(CallRow, End),
    /// A call of which more was known before, or another's place: nothing is to be done.
    Settled,
    /// Nothing in memory: the call's row is to be read.
    NotHere,
}

impl Ledger {
    /// Nothing but the places that are taken: up to `last`, and before `flushed` summed up.
    pub fn new(flushed: CallKey, last: CallKey) -> Self {
        Self { flushed, last, flush_at: ENDED_MAX, ..Self::default() }
    }

    /// Takes up a row that was read back.
    pub fn restore(&mut self, row: CallRow) {
        self.last = self.last.max(row.at);
        if row.state == State::Open {
            self.insert(row);
        } else if row.at >= self.flushed {
            self.names.insert(row.call.clone(), row.at);
            self.ended.insert(row.at, row);
        }
    }

    /// The place before which every call is in the usage rows.
    pub fn flushed(&self) -> CallKey {
        self.flushed
    }

    /// The place that a call admitted at `now` would get.
    pub fn next_place(&self, now: Millis) -> CallKey {
        CallKey::at(now).max(self.last.next()).max(self.flushed)
    }

    /// A place for a call that is admitted at `now`.
    pub fn place(&mut self, now: Millis) -> CallKey {
        self.last = self.next_place(now);
        self.last
    }

    /// The latest time that any place was given for, or is summed up to.
    pub fn latest(&self) -> Millis {
        self.last.max(self.flushed).millis()
    }

    /// The call named `call`, open or lately ended.
    pub fn find(&self, call: &str) -> Option<&CallRow> {
        self.at(*self.names.get(call)?)
    }

    /// Notes that the call named `call` has ended before it was heard of.
    pub fn forestall(&mut self, now: Millis, call: &str) {
        self.forestalled.retain(|_, noted| noted.plus(REMEMBERED.times(4)) > now);
        self.forestalled.insert(call.to_owned(), now);
    }

    /// Whether the call named `call` has ended before it was heard of.
    pub fn forestalled(&self, call: &str) -> bool {
        self.forestalled.contains_key(call)
    }

    /// The call at `at`, open or lately ended.
    pub fn at(&self, at: CallKey) -> Option<&CallRow> {
        self.open.get(&at).or_else(|| self.ended.get(&at))
    }

    /// Takes up a call that was just admitted.
    pub fn insert(&mut self, row: CallRow) {
        self.names.insert(row.call.clone(), row.at);
        self.leases.insert((row.lease_ends, row.at));
        self.open.insert(row.at, row);
    }

    /// When the first open lease ends.
    pub fn first_lease(&self) -> Option<Millis> {
        self.leases.first().map(|&(ends, _)| ends)
    }

    /// The open calls, in time order.
    pub fn open(&self) -> impl Iterator<Item = &CallRow> {
        self.open.values()
    }

    /// The open call named `call` at `at`.
    pub fn open_call(&self, at: CallKey, call: &str) -> Option<&CallRow> {
        self.open.get(&at).filter(|row| row.call == call)
    }

    /// Puts `row` in place of the open call's.
    pub fn amend(&mut self, row: CallRow) {
        if let Some(open) = self.open.get_mut(&row.at) {
            self.leases.remove(&(open.lease_ends, row.at));
            self.leases.insert((row.lease_ends, row.at));
            *open = row;
        }
    }

    /// Puts `row` in place of the ended call's.
    pub fn replace(&mut self, row: CallRow) {
        if let Some(ended) = self.ended.get_mut(&row.at) {
            *ended = row;
        }
    }

    /// Gives the call at `at` its end, once; `again`: as [`settle_ended`] has it.
    pub fn settle(&mut self, at: CallKey, call: &str, end: End, again: bool) -> Found {
        if self.at(at).is_some_and(|row| row.call != call) {
            return Found::Settled;
        }
        if let Some(mut row) = self.open.remove(&at) {
            self.leases.remove(&(row.lease_ends, at));
            row.state = State::Settled;
            row.end = Some(end);
            self.ended.insert(at, row.clone());
            return Found::Open(row);
        }
        match self.ended.get_mut(&at) {
            None => Found::NotHere,
            Some(row) => settle_ended(row, end, again),
        }
    }

    /// Ends the first open call whose lease is over at `now`, billed at what it held.
    pub fn expire(&mut self, now: Millis) -> Option<CallRow> {
        let &(ends, at) = self.leases.first().filter(|&&(ends, _)| ends <= now)?;
        self.leases.remove(&(ends, at));
        let mut row = self.open.remove(&at)?;
        let bill = Bill::of(row.held.input, row.held.output);
        row.state = State::Expired;
        row.end = Some(End { at: now, bill, cost: row.held.cost, truth: Truth::Ceiling, ..End::default() });
        self.ended.insert(at, row.clone());
        Some(row)
    }

    /// Lets go of ended calls once there are many of them.
    pub fn flush(&mut self, now: Millis, force: bool) -> Option<Flushed> {
        if self.ended.len() < self.flush_at && !force {
            return None;
        }
        let old = CallKey::at(now.minus(REMEMBERED));
        let end = self.open.keys().next().map_or(old, |&first| first.min(old));
        let rest = self.ended.split_off(&end);
        let done = std::mem::replace(&mut self.ended, rest);
        self.flush_at = self.ended.len().saturating_add(ENDED_MAX);
        if done.is_empty() {
            return None;
        }
        let mut usage: BTreeMap<UsageKey, Sums> = BTreeMap::new();
        for row in done.values() {
            self.names.remove(&row.call);
            for key in usage_keys(row.at, &row.key, &row.model) {
                let sums = usage.entry(key).or_default();
                *sums = sums.plus(row.end.as_ref().map(Sums::of).unwrap_or_default());
            }
        }
        self.flushed = end;
        Some(Flushed { usage, done, end })
    }

    /// The ended calls that are not summed up yet.
    pub fn unflushed(&self) -> impl Iterator<Item = &CallRow> {
        self.ended.values()
    }
}

/// Gives a call that is not open any more its end, if nobody did before, or nobody knew what its provider tells now. `again`: it
/// was told before, and more is known of it now, if not all.
pub fn settle_ended(row: &mut CallRow, end: End, again: bool) -> Found {
    let is_news = |before: &End| {
        let says_more = !end.truth.is_open() || (again && (end.bill, end.cost) != (before.bill, before.cost));
        before.truth.is_open() && says_more
    };
    if row.state == State::Settled && !row.end.as_ref().is_some_and(is_news) {
        return Found::Settled;
    }
    row.state = State::Settled;
    let before = row.end.replace(end).unwrap_or_default();
    Found::Corrected(row.clone(), before)
}

/// The usage rows that a call belongs to.
pub fn usage_keys(at: CallKey, key: &KeyId, model: &str) -> [UsageKey; 4] {
    let now = at.millis();
    let row =
        |grain, period: Period| UsageKey { grain, start: period.start(now), key: key.clone(), model: model.to_owned() };
    [
        row(Grain::Hour, Period::Hour),
        row(Grain::Day, Period::Day),
        row(Grain::Month, Period::Month),
        row(Grain::Lifetime, Period::Lifetime),
    ]
}
