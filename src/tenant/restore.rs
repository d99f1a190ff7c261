//! A tenant rebuilt from its rows: it decides as the one before.

use super::leave::Leaving;
use super::look::Looks;
use super::past::{Past, Reads, UsageRead};
use super::{Config, KeyRecord, Tenant};
use crate::habit::{Habit, Habits};
use crate::health::Health;
use crate::idempotency::Names;
use crate::ledger::Ledger;
use crate::limits::Limits;
use crate::rows::{CallKey, CallRow, DebtKey, Grain, HealthRow};
use crate::units::{Amount, Millis};
use crate::usage::Periods;
use crate::window::Period;
use std::collections::{BTreeMap, BTreeSet};

/// What was read back from storage.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// Before this place every call is in the usage rows.
    pub flushed: CallKey,
    /// The last place that was given.
    pub last: CallKey,
    /// What [`reads`] asks for.
    pub past: Past,
    /// The ledger from `flushed` on.
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

/// What is to be read of the past when a tenant is rebuilt: the usage of all open periods, and what rolling windows have seen.
pub fn reads(config: &Config, now: Millis) -> Reads {
    let keys = config.keys.values().filter_map(|key| key.policy.as_ref());
    let limits = keys.flat_map(|policy| &policy.limits).chain(&config.policy.limits);
    let mut reads = Reads::default();
    reads.add(now, &limits.map(|limit| limit.window).collect(), &BTreeSet::new());
    reads.usage = open_periods(now).map(|(grain, start)| UsageRead { grain, start, key: None }).into();
    reads
}

/// The usage rows that an answer about usage is made of: from when on, for each grain.
pub fn open_periods(now: Millis) -> [(Grain, Millis); 4] {
    [
        (Grain::Hour, Period::Hour.start(now)),
        (Grain::Day, Period::Week.start(now)),
        (Grain::Month, Period::Month.start(now)),
        (Grain::Lifetime, Millis::ZERO),
    ]
}

impl Tenant {
    /// The tenant that `config` and the `stored` rows describe.
    pub fn restore(now: Millis, config: Config, stored: Stored) -> Self {
        let keys = config
            .keys
            .iter()
            .map(|(id, key)| (id, key.policy.as_ref().map(|policy| policy.limits.as_slice()).unwrap_or_default()));
        let limits = Limits::new(&config.policy.limits, keys);
        let ledger = Ledger::new(stored.flushed, stored.last);
        let now = now.max(stored.last.millis());
        let health = Health::restore(stored.health);
        let habits = Habits::restore(stored.habits);
        let names = Names::restore(now, stored.oldest_name, stored.answers);
        let leaving = Leaving::of(&config.keys);
        let policy_bytes = config.keys.values().map(KeyRecord::policy_bytes).fold(0, usize::saturating_add);
        let (periods, looks, changes) = (Periods::new(now), Looks::default(), Vec::new());
        let mut tenant =
            Self { config, limits, ledger, health, habits, names, periods, looks, leaving, policy_bytes, now, changes };
        for row in stored.calls {
            tenant.habits.learn(&row);
            tenant.ledger.restore(row);
        }
        tenant.limits.restore_debts(stored.debts);
        stored.past.usage.iter().for_each(|(row, sums)| tenant.periods.add(row, *sums));
        tenant.count(&stored.past);
        tenant
    }
}
