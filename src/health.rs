//! A target's fitness: outcomes in, Well / Resting / Probing out.
//!
//! Three failures in a row, or a provider's own "not now", send a target to rest: for as long as the
//! provider asks, else for twice as long each time in a row. After it one call probes the target: its
//! outcome decides. A resting target is not forbidden, it only comes last: health orders the targets, it
//! refuses nobody.

use crate::rows::HealthRow;
use crate::units::Millis;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const FAILURES_MAX: u32 = 3;
const REST_FIRST: Millis = Millis::from_secs(1);
/// How long a target rests at most that does not say how long itself.
pub const REST_MAX: Millis = Millis::from_secs(60);
/// The longest rest that a provider can ask for itself.
pub const ASKED_MAX: Millis = Millis::from_secs(3_600);
/// A probe that nobody reports on is over after this.
const PROBE_MAX: Millis = Millis::from_secs(120);

/// What became of one attempt at a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It answered; a refusal that is the client's own fault is an answer.
    Answered,
    /// It failed, gave no answer in time, or could not be reached.
    Failed,
    /// It asked to be left alone, for so long if it said so.
    Busy(Option<Millis>),
}

/// How one target is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Fitness {
    failures: u32,
    rests: u32,
    rests_until: Millis,
    probe_ends: Millis,
}

/// Where a target stands in the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It gets calls.
    Well,
    /// Its rest is over, and nobody probes it yet.
    Probing,
    /// It gets calls only where nothing better is left.
    Resting,
}

/// The fitness of every target that was ever unwell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    targets: BTreeMap<String, Fitness>,
}

impl Health {
    /// What the stored rows say.
    pub fn restore(rows: impl IntoIterator<Item = HealthRow>) -> Self {
        let fitness = |row: HealthRow| {
            let fitness = Fitness { rests: row.rests, rests_until: row.rests_until, ..Fitness::default() };
            (row.target, fitness)
        };
        Self { targets: rows.into_iter().map(fitness).collect() }
    }

    /// Where `target` stands at `now`.
    pub fn standing(&self, now: Millis, target: &str) -> Standing {
        match self.targets.get(target) {
            None => Standing::Well,
            Some(fitness) if fitness.rests == 0 => Standing::Well,
            Some(fitness) if now < fitness.rests_until || now < fitness.probe_ends => Standing::Resting,
            Some(_) => Standing::Probing,
        }
    }

    /// Marks `target` as being probed by the call that is now sent to it.
    pub fn probe(&mut self, now: Millis, target: &str) {
        if let Some(fitness) = self.targets.get_mut(target) {
            fitness.probe_ends = now.plus(PROBE_MAX);
        }
    }

    /// Learns the outcome of an attempt at `target`; the row to be written where that changed its rest.
    pub fn learn(&mut self, now: Millis, target: &str, outcome: Outcome) -> Option<HealthRow> {
        if outcome == Outcome::Answered {
            let fitness = self.targets.remove(target)?;
            return (fitness.rests > 0).then(|| HealthRow {
                target: target.to_owned(),
                rests_until: Millis::ZERO,
                rests: 0,
            });
        }
        let fitness = self.targets.entry(target.to_owned()).or_default();
        fitness.failures = fitness.failures.saturating_add(1);
        let asked = match outcome {
            Outcome::Busy(asked) => Some(asked.unwrap_or(REST_FIRST)),
            Outcome::Answered | Outcome::Failed => None,
        };
        let resting = now < fitness.rests_until;
        let probed = fitness.rests > 0;
        let until = |asked: Millis| now.plus(asked.min(ASKED_MAX));
        // Of calls that were under way together each may be told how long; a moment more is no news.
        if resting && asked.is_some_and(|asked| until(asked) > fitness.rests_until.plus(REST_FIRST)) {
            fitness.rests_until = until(asked.unwrap_or_default());
            return Some(HealthRow {
                target: target.to_owned(),
                rests_until: fitness.rests_until,
                rests: fitness.rests,
            });
        }
        if resting || (asked.is_none() && !probed && fitness.failures < FAILURES_MAX) {
            return None;
        }
        let doubled = REST_FIRST.times(1_u64.checked_shl(fitness.rests).unwrap_or(u64::MAX));
        let rest = asked.map_or(doubled.min(REST_MAX), |asked| asked.max(REST_FIRST).min(ASKED_MAX));
        *fitness = Fitness {
            failures: 0,
            rests: fitness.rests.saturating_add(1).min(16),
            rests_until: now.plus(rest),
            probe_ends: Millis::ZERO,
        };
        Some(HealthRow { target: target.to_owned(), rests_until: fitness.rests_until, rests: fitness.rests })
    }

    /// The rows that would restore this.
    pub fn rows(&self) -> Vec<HealthRow> {
        let unwell = self.targets.iter().filter(|(_, fitness)| fitness.rests > 0);
        let row = |(target, fitness): (&String, &Fitness)| HealthRow {
            target: target.clone(),
            rests_until: fitness.rests_until,
            rests: fitness.rests,
        };
        unwell.map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each row: when, what happened, how the target stands after it.
    #[test]
    fn a_target_rests_longer_each_time_and_one_probe_decides() {
        use Outcome::{Answered, Busy, Failed};
        let mut health = Health::default();
        for (at, outcome, standing) in [
            (0, Some(Failed), Standing::Well),
            (1, Some(Failed), Standing::Well),
            (2, Some(Answered), Standing::Well),
            (3, Some(Failed), Standing::Well),
            (4, Some(Failed), Standing::Well),
            (5, Some(Failed), Standing::Resting),
            (1_004, None, Standing::Resting),
            (1_005, None, Standing::Probing),
            (1_006, Some(Failed), Standing::Resting),
            (3_005, None, Standing::Resting),
            (3_006, None, Standing::Probing),
            (3_007, Some(Answered), Standing::Well),
            (3_008, Some(Busy(Some(Millis::from_secs(2)))), Standing::Resting),
            (5_008, None, Standing::Probing),
            (5_009, Some(Busy(Some(Millis::from_secs(86_400)))), Standing::Resting),
            (65_009, None, Standing::Resting),
            (3_605_009, None, Standing::Probing),
        ] {
            let now = Millis::new(at);
            if let Some(outcome) = outcome {
                health.learn(now, "a/b", outcome);
            }
            assert_eq!(health.standing(now, "a/b"), standing, "at {at}");
            let restored = Health::restore(health.rows());
            assert_eq!(restored.standing(now, "a/b"), standing, "restored at {at}");
        }
    }

    #[test]
    fn only_one_call_probes() {
        let mut health = Health::default();
        health.learn(Millis::ZERO, "a", Outcome::Busy(None));
        let now = Millis::new(1_000);
        assert_eq!(health.standing(now, "a"), Standing::Probing);
        health.probe(now, "a");
        assert_eq!(health.standing(now, "a"), Standing::Resting);
        assert_eq!(health.standing(now.plus(PROBE_MAX), "a"), Standing::Probing, "a lost probe ends");
    }
}
