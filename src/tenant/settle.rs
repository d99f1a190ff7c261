//! A call's end, as a tenant takes it up: what its hold becomes, and what silence costs.

use super::credit::late;
use super::through::ENDPOINT;
use super::{RowNeeded, Tenant};
use crate::ledger::{self, Found};
use crate::limits::Caller;
use crate::policy::Unsettled;
use crate::price::{Bill, Kinds, Price, Prices};
use crate::route;
use crate::rows::{CallRow, Change, End, Sums, Truth};
use crate::units::{Millis, NanoUsd, Tokens};
use crate::wire::Settlement;

impl Tenant {
    /// Ends a call, once. What comes later can only correct a call that had expired, or was estimated.
    ///
    /// # Errors
    /// The call is not in memory: the host reads its row and calls [`Tenant::settle_row`].
    pub fn settle(&mut self, now: Millis, settlement: &Settlement) -> Result<(), RowNeeded> {
        let now = self.tick(now);
        self.keep(now, settlement);
        if settlement.goes_on {
            self.go_on(now, settlement);
            return Ok(());
        }
        // Its place may be another now: the clock that it was given by was ahead.
        let Some(at) = self.place_of(&settlement.call).or(settlement.at) else {
            // It came before its ask, which will find the call ended.
            self.ledger.forestall(now, &settlement.call);
            return Ok(());
        };
        let Some(row) = self.ledger.at(at) else {
            return Err(RowNeeded(at));
        };
        let end = self.end_of(now, row, settlement);
        let found = self.ledger.settle(at, &settlement.call, end, settlement.again);
        self.apply(now, found, settlement);
        Ok(())
    }

    /// Ends a call whose `row` was read back; `None`: there is no such call, and nothing is done.
    pub fn settle_row(&mut self, now: Millis, settlement: &Settlement, row: Option<CallRow>) {
        let now = self.tick(now);
        let Some(mut row) = row.filter(|row| row.call == settlement.call && row.end.is_some()) else {
            return;
        };
        let end = self.end_of(now, &row, settlement);
        let found = ledger::settle_ended(&mut row, end, settlement.again);
        if let Found::Corrected(row, before) = &found {
            // Usage rows hold the call already, so what changed is added to them.
            let change = row.end.as_ref().map(Sums::of).unwrap_or_default().minus(Sums::of(before));
            for key in ledger::usage_keys(row.at, &row.key, &row.model) {
                self.add_usage(key, change);
            }
        }
        self.apply(now, found, settlement);
    }

    /// Counts what a settlement found, queues its row, and lets health learn from its attempts.
    fn apply(&mut self, now: Millis, found: Found, settlement: &Settlement) {
        let row = match found {
            Found::NotHere | Found::Settled => return,
            Found::Open(row) => {
                let used = row.end.as_ref().map(End::load).unwrap_or_default();
                let caller = Caller { key: &row.key, model: &row.model };
                self.limits.settle(row.at.millis(), now, caller, &row.held, &used);
                row
            }
            Found::Corrected(row, before) => {
                let used = row.end.as_ref().map(End::load).unwrap_or_default();
                let caller = Caller { key: &row.key, model: &row.model };
                self.limits.correct(row.at.millis(), now, caller, (&before.load(), &used), late(&row, &before));
                row
            }
        };
        if row.at >= self.ledger.flushed() {
            self.habits.learn(&row);
        }
        self.changes.push(Change::Ended(row));
        for (target, outcome) in &settlement.attempts {
            self.changes.extend(self.health.learn(now, target, *outcome).map(Change::Health));
        }
        self.flush(now, false);
    }

    /// Ends every call whose lease is over, billed at what it held.
    pub fn expire(&mut self, now: Millis) {
        let now = self.tick(now);
        while let Some(row) = self.ledger.expire(now) {
            let caller = Caller { key: &row.key, model: &row.model };
            let used = row.end.as_ref().map(End::load).unwrap_or_default();
            self.limits.settle(row.at.millis(), now, caller, &row.held, &used);
            self.changes.push(Change::Ended(row));
        }
    }

    /// The end of `row`'s call that a settlement tells of, as of `now`.
    fn end_of(&self, now: Millis, row: &CallRow, settlement: &Settlement) -> End {
        let end = self.priced(row, settlement.answered_by.as_ref(), End { at: now, ..settlement.end.clone() });
        let (end, silent) = self.with_late(row, settlement, end);
        let end = self.with_silence(row, (&silent, settlement.cut), end);
        if settlement.bounded { End { truth: Truth::Bounded, ..end } } else { end }
    }

    /// `end` with what silent targets have told since, and those that have told nothing.
    fn with_late<'a>(&self, row: &CallRow, settlement: &'a Settlement, mut end: End) -> (End, Vec<&'a str>) {
        let mut silent: Vec<&str> = settlement.silent.iter().map(String::as_str).collect();
        for late in &settlement.late {
            let Some(place) = silent.iter().position(|target| *target == late.target) else { continue };
            silent.remove(place);
            let told = self.priced(row, late.answered_by.as_ref(), late.end.clone());
            end = end.and(if late.bounded { End { truth: Truth::Bounded, ..told } } else { told });
        }
        (end, silent)
    }

    /// `end` with what silence costs: that of the targets that told nothing, and of an answer that was cut.
    fn with_silence(&self, row: &CallRow, (silent, cut): (&[&str], bool), end: End) -> End {
        if silent.is_empty() && !cut {
            return end;
        }
        let end = match silent.last().filter(|_| end.target.is_empty()) {
            None => end,
            Some(&target) => {
                let priced_by = self.price_of(row, target).map(|(_, source)| source).unwrap_or_default();
                End { target: target.to_owned(), priced_by, ..end }
            }
        };
        match self.policy(&row.key).unsettled {
            Unsettled::Ceiling => ceiling(row, end),
            Unsettled::Estimate => self.estimated(row, (silent, cut), end),
        }
    }

    /// `end` with what its silent targets are taken to have used. Estimates never take a bill above its hold.
    fn estimated(&self, row: &CallRow, (silent, cut): (&[&str], bool), end: End) -> End {
        let held = row.held;
        let (mut bill, mut cost) = (end.bill, end.cost);
        if cut && row.endpoint == ENDPOINT {
            // What native calls mostly use is not known.
            cost = cost.max(held.cost);
        }
        for target in silent {
            let (input, output) = (held.likely_input.max(Tokens::new(1)), held.likely_output);
            let likely = self.likely_cost(row, target, Bill::of(input, output));
            bill.input = bill.input.max(bill.input.plus(input).min(held.input));
            bill.output = bill.output.max(bill.output.plus(output).min(held.output));
            cost = cost.max(cost.plus(likely).min(held.cost));
        }
        End { bill, cost, truth: Truth::Estimated, ..end }
    }

    /// What `bill` costs where `target` is taken to have made it: all that was held, if nobody knows any more.
    fn likely_cost(&self, row: &CallRow, target: &str, bill: Bill) -> NanoUsd {
        let Some((price, _)) = self.price_of(row, target) else {
            return row.held.cost;
        };
        let cost = price.cost(bill);
        cost.plus(self.reserve(row, row.held.input, &Prices(vec![price])))
    }

    /// What `target` costs a call of `row`'s model, and where that is written; `None`: nobody knows any more.
    pub(super) fn price_of(&self, row: &CallRow, target: &str) -> Option<(Price, String)> {
        let targets = &self.config.catalog.models.get(&row.model)?.targets;
        let target = targets.iter().find(|one| one.name() == target)?;
        route::price(&self.config.catalog, target, row.at.millis(), self.policy(&row.key).unknown_price)
    }

    /// What `row` holds for what has no bound: held to the end, and part of every estimate.
    pub(super) fn reserve(&self, row: &CallRow, input: Tokens, prices: &Prices) -> NanoUsd {
        let reserve = row.held.cost.minus(prices.worst(input, row.held.output, Kinds::ALL));
        if row.special { reserve } else { NanoUsd::ZERO }
    }
}

/// `end` at what `row` held, or what is known to be more.
fn ceiling(row: &CallRow, end: End) -> End {
    let held = row.held;
    let (input, output) = (end.bill.input.max(held.input), end.bill.output.max(held.output));
    let bill = Bill { input, output, ..end.bill };
    End { bill, cost: end.cost.max(held.cost), truth: Truth::Ceiling, ..end }
}
