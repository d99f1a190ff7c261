//! What a call under way is known to use so far: its hold and its lease follow.

use super::Tenant;
use crate::bound::InputBound;
use crate::limits::{Caller, Load};
use crate::price::{Bill, Kinds, Prices};
use crate::rows::{CallRow, Change};
use crate::units::{Millis, NanoUsd, Tokens};
use crate::wire::{Amend, Amended};

/// What is held changes only by at least this part of it: each change is a row.
const WORTH: u64 = 8;

impl Tenant {
    /// Takes up what a call under way has used so far, and says how far it may go on.
    ///
    /// Its lease is renewed once half of it is over. What it holds of money shrinks to what the target
    /// that answers can still bill; what rolling windows hold grows with what has come. Where budgets
    /// carry less than they did, as after an edit, the call is to stop where they end.
    pub fn amend(&mut self, now: Millis, amend: &Amend) -> Amended {
        let now = self.tick(now);
        self.expire(now);
        let at = self.place_of(&amend.call).unwrap_or(amend.at);
        let Some(row) = self.ledger.open_call(at, &amend.call).cloned() else {
            return Amended { ended: true, stop_at: None };
        };
        let caller = Caller { key: &row.key, model: &row.model };
        let (prices, input) = self.reckoned(&row, amend);
        let mut held = self.held(&row, amend, &prices, input);
        let carried = self.limits.carried_output(row.at.millis(), now, caller, &row.held, input, &prices);
        let lowered = carried.filter(|carried| !amend.fixed && *carried < held.output);
        if let Some(stop_at) = lowered {
            // What has come has come: it stops at once if that is more already.
            held.output = stop_at.max(amend.output).min(held.output);
            held.likely_output = held.likely_output.min(held.output);
            held.cost = self.reckoned_cost(&row, held, &prices, input);
        }
        let lease = self.policy(&row.key).lease;
        let renew = row.lease_ends.minus(now).times(2) < lease;
        let stop_at = lowered.or(row.stop_at);
        if lowered.is_some() || renew || is_worth(&row.held, &held) {
            let lease_ends = if renew { now.plus(lease) } else { row.lease_ends };
            self.limits.amend(row.at.millis(), now, caller, &row.held, &held);
            let row = CallRow { held, lease_ends, stop_at, ..row };
            self.ledger.amend(row.clone());
            self.changes.push(Change::Amended(row));
        }
        Amended { ended: false, stop_at }
    }

    /// What the call's tokens cost now that its target is known, and what its input is now known to be.
    fn reckoned(&self, row: &CallRow, amend: &Amend) -> (Prices, InputBound) {
        let said = amend.usage.map(|Bill { input, .. }| input).filter(|input| *input > Tokens::ZERO);
        let ceiling = said.unwrap_or(row.held.input);
        // What the policy makes of an unknown price may have been edited since: free is not known to be free.
        let price = self.price_of(row, &amend.target).filter(|(_, source)| !source.is_empty());
        let prices = Prices(price.map(|(price, _)| price).into_iter().collect());
        let reserve = self.reserve(row, ceiling, &prices);
        (prices, InputBound { estimate: row.held.likely_input, ceiling, kinds: Kinds::ALL, reserve })
    }

    /// What `row`'s call is to hold from now on, whatever the limits say.
    fn held(&self, row: &CallRow, amend: &Amend, prices: &Prices, input: InputBound) -> Load {
        let mut held = row.held;
        if amend.output > held.likely_output {
            held.likely_output = amend.output.times(2).min(held.output);
        }
        held.cost = self.reckoned_cost(row, held, prices, input);
        held
    }

    /// What `held` may still cost: reckoned anew only where the prices are known that it will be billed by.
    fn reckoned_cost(&self, row: &CallRow, held: Load, prices: &Prices, input: InputBound) -> NanoUsd {
        if row.catalog != self.config.catalog.version || prices.0.is_empty() {
            return held.cost;
        }
        held.cost.min(prices.worst(input.ceiling, held.output, input.kinds).plus(input.reserve))
    }
}

/// Whether a hold has changed enough to be written down.
fn is_worth(before: &Load, after: &Load) -> bool {
    let freed = before.cost.minus(after.cost);
    after.likely_output > before.likely_output || (freed > NanoUsd::ZERO && freed.times(WORTH) >= before.cost)
}
