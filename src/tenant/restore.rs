//! A tenant rebuilt from its rows: it decides as the one before.

use super::{Config, Tenant};
use crate::habit::{Habit, Habits};
use crate::health::Health;
use crate::idempotency::Names;
use crate::ledger::Ledger;
use crate::limits::{Caller, Limits};
use crate::rows::{CallKey, CallRow, DebtKey, Grain, HealthRow, Sums, UsageKey};
use crate::units::{Amount, Millis};
use crate::window::{Period, Window};
use std::collections::BTreeMap;

/// What was read back from storage.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// Before this place every call is in the usage rows.
    pub flushed: CallKey,
    /// The last place that was given.
    pub last: CallKey,
    /// The usage rows of the open periods (see [`open_periods`]).
    pub usage: Vec<(UsageKey, Sums)>,
    /// The ledger from [`first_call_needed`] on.
    pub calls: Vec<CallRow>,
    /// The targets that were not well.
    pub health: Vec<HealthRow>,
    /// What calls mostly use, as of what is flushed.
    pub habits: BTreeMap<String, Habit>,
    /// What earlier windows' overshoots have left to later ones.
    pub debts: Vec<(DebtKey, Amount)>,
    /// The oldest row of a named call.
    pub oldest_name: Option<CallKey>,
    /// The answers that are kept for named calls, and how many bytes each has.
    pub answers: Vec<(CallKey, u64)>,
}

/// The usage rows to be read back: from when on, for each grain.
pub fn open_periods(now: Millis) -> [(Grain, Millis); 4] {
    [
        (Grain::Hour, Period::Hour.start(now)),
        (Grain::Day, Period::Week.start(now)),
        (Grain::Month, Period::Month.start(now)),
        (Grain::Lifetime, Millis::ZERO),
    ]
}

/// The first ledger row to be read back: rolling windows reach behind what is flushed.
pub fn first_call_needed(config: &Config, now: Millis, flushed: CallKey) -> CallKey {
    let keys = config.keys.values().filter_map(|key| key.policy.as_ref());
    let limits = keys.flat_map(|policy| &policy.limits).chain(&config.policy.limits);
    let longest = limits.filter_map(|limit| limit.window.reach()).max().unwrap_or(Millis::ZERO);
    flushed.min(CallKey::at(now.minus(longest)))
}

impl Tenant {
    /// The tenant that `config` and the `stored` rows describe.
    pub fn restore(now: Millis, config: Config, stored: Stored) -> Self {
        let keys = config.keys.iter().filter_map(|(id, key)| Some((id, key.policy.as_ref()?.limits.as_slice())));
        let limits = Limits::new(&config.policy.limits, keys);
        let ledger = Ledger::new(stored.flushed, stored.last);
        let now = now.max(stored.last.millis());
        let health = Health::restore(stored.health);
        let habits = Habits::restore(stored.habits);
        let names = Names::restore(now, stored.oldest_name, stored.answers);
        let mut tenant = Self { config, limits, ledger, health, habits, names, now, changes: Vec::new() };
        for (debt, amount) in &stored.debts {
            tenant.limits.restore_debt(now, debt, *amount);
        }
        for (usage, sums) in &stored.usage {
            tenant.restore_usage(usage, *sums);
        }
        for row in stored.calls {
            tenant.restore_call(row);
        }
        tenant
    }

    fn restore_usage(&mut self, usage: &UsageKey, sums: Sums) {
        let covers: fn(Window) -> bool = match usage.grain {
            Grain::Hour => |window| window == Window::Calendar(Period::Hour),
            Grain::Day => |window| matches!(window, Window::Calendar(Period::Day | Period::Week)),
            Grain::Month => |window| window == Window::Calendar(Period::Month),
            Grain::Lifetime => |window| window == Window::Calendar(Period::Lifetime),
        };
        let caller = Caller { key: &usage.key, model: &usage.model };
        let calls = u64::try_from(sums.calls).unwrap_or(0);
        self.limits.restore(usage.start, self.now, caller, calls, &sums.load(), covers);
    }

    fn restore_call(&mut self, row: CallRow) {
        let caller = Caller { key: &row.key, model: &row.model };
        let at = row.at.millis();
        match &row.end {
            None => self.limits.reserve(at, self.now, caller, &row.held),
            Some(end) if row.at >= self.ledger.flushed() => {
                self.limits.restore(at, self.now, caller, 1, &end.load(), |_| true);
            }
            Some(end) => self.limits.restore(at, self.now, caller, 1, &end.load(), |window| window.span().is_some()),
        }
        if row.at >= self.ledger.flushed() {
            self.habits.learn(&row);
        }
        self.ledger.restore(row);
    }
}
