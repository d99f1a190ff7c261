//! What the rows say of the limits, by brute force.

use super::support::{World, load};
use std::collections::BTreeMap;
use tollgate::limits::Load;
use tollgate::policy::{Limit, Per, What};
use tollgate::rows::{CallKey, CallRow, DebtKey, State, Truth};
use tollgate::units::{Amount, Millis};
use tollgate::window::{Period, Window};

pub(crate) fn repays(limit: &Limit) -> bool {
    limit.what == What::Cost && matches!(limit.window, Window::Calendar(period) if period != Period::Lifetime)
}

/// What the rows of debts say that the window of `limit` has to repay: the current one, or the one so many later.
pub(crate) fn due(world: &World, key: &str, limit: &Limit, later: u32) -> u64 {
    let Window::Calendar(period) = limit.window else {
        return 0;
    };
    let mut start = period.start(world.clock());
    for _ in 0..later {
        start = period.end(start).unwrap();
    }
    let slot = if limit.per == Per::Key { key } else { "" };
    let mine = |(debt, _): &(&DebtKey, &Amount)| debt.limit == limit.name && debt.key == slot && debt.start <= start;
    let mut debts = world.rows.debts.iter().filter(mine).peekable();
    let (mut due, Some(mut at)) = (0_u64, debts.peek().map(|(debt, _)| debt.start)) else {
        return 0;
    };
    loop {
        while let Some((_, amount)) = debts.next_if(|(debt, _)| debt.start == at) {
            due += amount.get();
        }
        if at >= start {
            return due;
        }
        due = due.saturating_sub(limit.max.get());
        at = period.end(at).unwrap();
    }
}

/// What the rows of debts say of `limit`, by the start of the window that repays it first.
pub(crate) fn debts(world: &World, key: &str, limit: &Limit) -> BTreeMap<Millis, u64> {
    let slot = if limit.per == Per::Key { key } else { "" };
    let mine = world.rows.debts.iter().filter(|(debt, _)| debt.limit == limit.name && debt.key == slot);
    mine.map(|(debt, amount)| (debt.start, amount.get())).collect()
}

/// What the ledger's rows say that these must be: what each window so far has had beyond the limit, a debt that it repaid included.
pub(crate) fn owed(world: &World, key: &str, limit: &Limit) -> BTreeMap<Millis, u64> {
    let Window::Calendar(period) = limit.window else {
        return BTreeMap::new();
    };
    let mine = |row: &&CallRow| limit.per == Per::Tenant || row.key.as_str() == key;
    let mut used: BTreeMap<Millis, u64> = BTreeMap::new();
    for row in world.rows.calls.values().filter(mine) {
        *used.entry(period.start(row.at.millis())).or_default() += load(row).amount(limit).get();
    }
    let (mut owed, mut due, max) = (BTreeMap::new(), 0_u64, limit.max.get());
    let mut start = used.keys().next().copied().unwrap_or(world.clock());
    while start <= world.clock() {
        let beyond = (used.get(&start).unwrap_or(&0) + due.min(max)).saturating_sub(max);
        start = period.end(start).unwrap();
        due = due.saturating_sub(max) + beyond;
        owed.extend((beyond > 0).then_some((start, beyond)));
    }
    owed
}

/// What the rows say of one limit.
pub(crate) struct Brute {
    pub(crate) settled: u64,
    pub(crate) held: u64,
    /// What bills went beyond their holds.
    pub(crate) excess: u64,
}

pub(crate) fn standings(world: &mut World, key: &str) -> Vec<(Limit, u64, u64, u64)> {
    let now = world.now;
    let key = tollgate::key::KeyId::parse(key).unwrap();
    let standings = world.tenant.standings(now, &key);
    standings.iter().map(|one| (one.limit.clone(), one.settled.get(), one.held.get(), one.debt.get())).collect()
}

/// What goes beyond what a call that ends so was let in for is counted from: its estimate, or else its hold.
pub(crate) fn first(row: &CallRow) -> Load {
    let estimated = row.end.as_ref().filter(|end| end.truth == Truth::Estimated);
    estimated.map_or(row.held, |end| smaller(&end.load(), &row.held))
}

fn smaller(one: &Load, other: &Load) -> Load {
    Load {
        input: one.input.min(other.input),
        output: one.output.min(other.output),
        likely_input: one.likely_input.min(other.likely_input),
        likely_output: one.likely_output.min(other.likely_output),
        cost: one.cost.min(other.cost),
    }
}

/// What the ledger's rows say that `limit` should count for `key`.
pub(crate) fn brute_force(world: &World, key: &str, limit: &Limit, first: &BTreeMap<CallKey, Load>) -> Brute {
    let mine = |row: &&CallRow| limit.per == Per::Tenant || row.key.as_str() == key;
    let now = world.clock();
    let (mut settled, mut held, mut excess) = (0, 0, 0_u64);
    for row in world.rows.calls.values().filter(mine) {
        let at = row.at.millis();
        let inside = match limit.window {
            Window::Rolling(span) => at.plus(span) > now,
            Window::Calendar(period) => period.start(at) == period.start(now),
            Window::Moment => true,
        };
        let open = row.state == State::Open;
        let coarse = limit.window.span().is_some_and(|span| at.plus(span).plus(Millis::new(5)) > now);
        let late = row.end.as_ref().is_some_and(|end| same_period(limit, end.at, now));
        if !open && (inside || coarse || late) {
            let first = first.get(&row.at).unwrap_or(&row.held);
            excess += load(row).amount(limit).get().saturating_sub(first.amount(limit).get());
        }
        let amount = load(row).amount(limit).get();
        match limit.what {
            What::Requests => settled += u64::from(inside),
            What::Concurrency => held += u64::from(open),
            _ if open && (inside || limit.window.span().is_some()) => held += amount,
            _ if inside && !open => settled += amount,
            _ => {}
        }
    }
    Brute { settled, held, excess }
}

/// Whether both instants lie in one calendar window of `limit`.
fn same_period(limit: &Limit, one: Millis, other: Millis) -> bool {
    matches!(limit.window, Window::Calendar(period) if period.start(one) == period.start(other))
}
