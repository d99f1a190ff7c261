//! What calls mostly use: a small histogram for each key, model and endpoint, learnt from settled calls.
//!
//! A limit on a token rate would refuse far too much if every call held the most that it can have.
//! It holds what 95 of 100 such calls stay within; the rest is corrected on the way and at the end.
//! Limits on money do not use this: they hold the true worst case.

use crate::rows::{CallRow, State, Truth};
use crate::units::Tokens;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many calls must be known before anything is concluded from them.
const CALLS_MIN: u32 = 20;
/// At so many the counts are halved, so that what is new weighs more.
const CALLS_MAX: u32 = 2_000;
/// How many key, model and endpoint triples are remembered.
const HABITS_MAX: usize = 1_000;

/// What the calls of one key to one model and endpoint used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Habit {
    /// How many calls' output fell into each bucket; see [`bucket`].
    output: BTreeMap<u8, u32>,
    /// All of them.
    calls: u32,
    /// The input of those that were text alone.
    input: u64,
    /// The bytes of text that made it.
    bytes: u64,
}

/// The habits of a tenant's keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Habits {
    /// Of calls that usage rows hold already.
    stored: BTreeMap<String, Habit>,
    /// Of all.
    live: BTreeMap<String, Habit>,
}

impl Habits {
    /// What was read back: habits by their name.
    pub fn restore(stored: BTreeMap<String, Habit>) -> Self {
        Self { live: stored.clone(), stored }
    }

    /// The habit of calls such as `key` makes of `model` and `endpoint`.
    pub fn of(&self, key: &str, model: &str, endpoint: &str) -> Option<&Habit> {
        self.live.get(&name(key, model, endpoint))
    }

    /// Learns from a call that has ended.
    pub fn learn(&mut self, row: &CallRow) {
        learn(&mut self.live, row);
    }

    /// Learns anew from the calls that no usage row holds: one of them does not tell any more what such calls use.
    pub fn relearn<'a>(&mut self, unflushed: impl Iterator<Item = &'a CallRow>) {
        self.live.clone_from(&self.stored);
        unflushed.for_each(|row| self.learn(row));
    }

    /// Forgets what a key's calls used.
    pub fn forget(&mut self, key: &str) {
        let others = |name: &String, _: &mut Habit| name.split_once(' ').is_none_or(|(own, _)| own != key);
        self.stored.retain(others);
        self.live.retain(others);
    }

    /// Moves the calls `done` to the stored habits, of which those that changed are returned; `rest`
    /// are the calls that stay in memory.
    pub fn flush<'a>(
        &mut self,
        done: impl Iterator<Item = &'a CallRow>,
        rest: impl Iterator<Item = &'a CallRow>,
    ) -> Vec<(String, Habit)> {
        let mut changed: BTreeMap<String, Habit> = BTreeMap::new();
        for row in done.filter(|row| teaches(row)) {
            let name = name(row.key.as_str(), &row.model, &row.endpoint);
            if !self.stored.contains_key(&name) && self.stored.len() >= HABITS_MAX {
                continue;
            }
            let habit = self.stored.entry(name.clone()).or_default();
            habit.learn(row);
            changed.insert(name, Habit::default());
        }
        for (name, changed) in &mut changed {
            if let Some(habit) = self.stored.get_mut(name) {
                habit.fade();
                *changed = habit.clone();
            }
        }
        self.live.clone_from(&self.stored);
        rest.for_each(|row| learn(&mut self.live, row));
        changed.into_iter().collect()
    }
}

impl Habit {
    /// The output that so many of 100 calls stay within; `None`: too few are known.
    pub fn output(&self, percent: u32) -> Option<Tokens> {
        if self.calls < CALLS_MIN {
            return None;
        }
        let wanted = u64::from(self.calls).saturating_mul(percent.into()).div_ceil(100);
        let mut seen = 0_u64;
        let within = self.output.iter().find(|(_, calls)| {
            seen = seen.saturating_add(u64::from(**calls));
            seen >= wanted
        });
        within.map(|(bucket, _)| Tokens::new(upper(*bucket)))
    }

    /// The input that a text of so many bytes mostly makes; `None`: too few calls are known.
    pub fn input(&self, bytes: u64) -> Option<Tokens> {
        if self.calls < CALLS_MIN || self.bytes == 0 {
            return None;
        }
        let input = u128::from(bytes).saturating_mul(self.input.into()).div_ceil(u128::from(self.bytes.max(1)));
        Some(Tokens::new(u64::try_from(input).unwrap_or(u64::MAX)))
    }

    fn learn(&mut self, row: &CallRow) {
        let bill = row.end.as_ref().map(|end| end.bill).unwrap_or_default();
        let calls = self.output.entry(bucket(bill.output.get())).or_default();
        *calls = calls.saturating_add(1);
        self.calls = self.calls.saturating_add(1);
        // Only of text alone are the bytes known.
        if row.bytes > 0 {
            self.input = self.input.saturating_add(bill.input.get());
            self.bytes = self.bytes.saturating_add(row.bytes);
        }
    }

    /// Halves the counts once they are large.
    fn fade(&mut self) {
        if self.calls < CALLS_MAX {
            return;
        }
        self.output.values_mut().for_each(|calls| *calls /= 2);
        self.output.retain(|_, calls| *calls > 0);
        self.calls = self.output.values().fold(0, |sum, calls| sum.saturating_add(*calls));
        (self.input, self.bytes) = (self.input / 2, self.bytes / 2);
    }
}

fn learn(habits: &mut BTreeMap<String, Habit>, row: &CallRow) {
    if !teaches(row) {
        return;
    }
    let name = name(row.key.as_str(), &row.model, &row.endpoint);
    if habits.contains_key(&name) || habits.len() < HABITS_MAX {
        habits.entry(name).or_default().learn(row);
    }
}

/// Whether a call tells what such calls use: an answer whose usage the provider reported.
fn teaches(row: &CallRow) -> bool {
    let told = |end: &crate::rows::End| end.truth == Truth::Reported && !end.failed();
    row.state == State::Settled && row.end.as_ref().is_some_and(told)
}

fn name(key: &str, model: &str, endpoint: &str) -> String {
    format!("{key} {endpoint} {model}")
}

/// The bucket of a count: four to each power of two.
fn bucket(count: u64) -> u8 {
    let Some(power) = count.checked_ilog2() else {
        return 0;
    };
    let quarter = if power < 2 { 0 } else { (count >> power.saturating_sub(2)) & 3 };
    let bucket = u64::from(power).saturating_mul(4).saturating_add(quarter).saturating_add(1);
    u8::try_from(bucket).unwrap_or(u8::MAX)
}

/// The largest count of a bucket.
fn upper(bucket: u8) -> u64 {
    let Some(index) = bucket.checked_sub(1) else {
        return 0;
    };
    let (power, quarter) = (u32::from(index / 4), u64::from(index % 4));
    let base = 1_u64.checked_shl(power).unwrap_or(u64::MAX);
    let step = base / 4;
    if power < 2 {
        return base.saturating_mul(2).saturating_sub(1);
    }
    base.saturating_add(step.saturating_mul(quarter.saturating_add(1))).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyId;
    use crate::limits::Load;
    use crate::price::Bill;
    use crate::rows::{CallKey, End};
    use crate::units::Millis;
    use proptest::prelude::*;

    fn row(input: u64, bytes: u64, output: u64) -> CallRow {
        let bill = Bill::of(Tokens::new(input), Tokens::new(output));
        CallRow {
            at: CallKey::new(1),
            call: String::new(),
            key: KeyId::parse("k").unwrap(),
            model: "m".to_owned(),
            endpoint: "chat".to_owned(),
            bytes,
            state: State::Settled,
            lease_ends: Millis::ZERO,
            held: Load::default(),
            special: false,
            stop_at: None,
            catalog: 0,
            end: Some(End { bill, status: 200, ..End::default() }),
        }
    }

    proptest! {
        #[test]
        fn a_bucket_is_a_fifth_wide_at_most_and_holds_its_counts(count in 0_u64..1 << 40) {
            let upper = upper(bucket(count));
            prop_assert!(count <= upper, "{count} is above {upper}");
            prop_assert!(count < 4 || upper <= count + count / 4, "{count} is far below {upper}");
            prop_assert!(bucket(upper) == bucket(count) && bucket(upper + 1) > bucket(count));
        }

        #[test]
        fn what_is_flushed_and_what_is_not_make_the_same_whole(outputs in prop::collection::vec(0_u64..9_000, 0..90), cut in 0_usize..90) {
            let rows: Vec<_> = outputs.iter().map(|output| row(1, 4, *output)).collect();
            let mut whole = Habits::default();
            rows.iter().for_each(|row| whole.learn(row));
            let cut = cut.min(rows.len());
            let mut parts = whole.clone();
            let stored = parts.flush(rows[..cut].iter(), rows[cut..].iter());
            prop_assert_eq!(&parts.live, &whole.live);
            let mut again = Habits::restore(stored.into_iter().collect());
            rows[cut..].iter().for_each(|row| again.learn(row));
            prop_assert_eq!(&again, &parts);
        }
    }

    #[test]
    fn most_calls_stay_within_what_is_concluded() {
        let mut habits = Habits::default();
        for output in 1..=19 {
            habits.learn(&row(10, 40, output * 10));
        }
        assert_eq!(habits.of("k", "m", "chat").and_then(|habit| habit.output(95)), None, "too few");
        (20..=100).for_each(|output| habits.learn(&row(10, 40, output * 10)));
        let habit = habits.of("k", "m", "chat").unwrap();
        assert_eq!(habit.output(95), Some(Tokens::new(1_023)));
        assert_eq!(habit.output(50), Some(Tokens::new(511)));
        assert_eq!(habit.input(400), Some(Tokens::new(100)));
        assert_eq!(habits.of("k", "m", "embeddings"), None);
    }

    #[test]
    fn what_is_new_weighs_more_and_what_failed_teaches_nothing() {
        let mut habits = Habits::default();
        let old: Vec<_> = (0..CALLS_MAX).map(|_| row(1, 4, 1_000)).collect();
        let new: Vec<_> = (0..CALLS_MAX).map(|_| row(1, 4, 10)).collect();
        for rows in [&old, &new, &new] {
            habits.flush(rows.iter(), [].iter());
        }
        assert_eq!(habits.of("k", "m", "chat").and_then(|habit| habit.output(80)), Some(Tokens::new(11)));
        let mut failed = row(1, 4, 5);
        failed.end = failed.end.map(|end| End { truth: Truth::Counted, ..end });
        let before = habits.clone();
        habits.learn(&failed);
        assert_eq!(habits, before);
    }
}
