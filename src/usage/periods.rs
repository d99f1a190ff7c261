//! What the open periods have seen, summed up by model and by key: what an answer about usage is made of.
//!
//! It is kept in memory as usage rows are written, so that no answer reads rows.

use crate::key::KeyId;
use crate::rows::{Grain, Sums, UsageKey};
use crate::units::Millis;
use crate::window::Period;
use std::collections::BTreeMap;

/// The keys that a period tells apart; what more there are is one sum.
const KEYS_MAX: usize = 20_000;

/// The sums of each open period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Periods(pub(super) [Open; 5]);

/// An open period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) period: Period,
    start: Millis,
    pub(super) total: Sums,
    pub(super) models: BTreeMap<String, Sums>,
    pub(super) keys: BTreeMap<KeyId, Sums>,
}

impl Periods {
    /// The periods that are open at `now`, with nothing in them.
    pub fn new(now: Millis) -> Self {
        Self(Period::ALL.map(|period| Open::new(period, now)))
    }

    /// Goes on to the periods that are open at `now`.
    pub fn advance(&mut self, now: Millis) {
        for open in &mut self.0 {
            if open.period.start(now) > open.start {
                *open = Open::new(open.period, now);
            }
        }
    }

    /// Adds what was added to a usage row, as far as that belongs to a period that is open.
    pub fn add(&mut self, row: &UsageKey, sums: Sums) {
        for open in self.0.iter_mut().filter(|open| open.covers(row)) {
            open.total = open.total.plus(sums);
            match open.models.get_mut(&row.model) {
                Some(model) => *model = model.plus(sums),
                None => drop(open.models.insert(row.model.clone(), sums)),
            }
            let more = open.keys.len() < KEYS_MAX;
            match open.keys.get_mut(&row.key) {
                Some(key) => *key = key.plus(sums),
                None if more => drop(open.keys.insert(row.key.clone(), sums)),
                None => {}
            }
        }
    }

    /// The sums of each model in `period`, and when that began.
    pub fn models(&self, period: Period) -> impl Iterator<Item = (Millis, &str, Sums)> {
        let open = self.0.iter().filter(move |open| open.period == period);
        open.flat_map(|open| open.models.iter().map(|(model, sums)| (open.start, model.as_str(), *sums)))
    }
}

impl Open {
    fn new(period: Period, now: Millis) -> Self {
        let (models, keys) = (BTreeMap::new(), BTreeMap::new());
        Self { period, start: period.start(now), total: Sums::default(), models, keys }
    }

    /// Whether a usage row is one of those that make it up.
    pub(super) fn covers(&self, row: &UsageKey) -> bool {
        grain(self.period) == row.grain && row.start >= self.start
    }
}

/// Which usage rows make up a period.
pub fn grain(period: Period) -> Grain {
    match period {
        Period::Hour => Grain::Hour,
        Period::Day | Period::Week => Grain::Day,
        Period::Month => Grain::Month,
        Period::Lifetime => Grain::Lifetime,
    }
}
