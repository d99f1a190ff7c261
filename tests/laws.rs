//! The laws, on thousands of random histories: asks, settlements in any order, twice, late or never,
//! leases that run out, and a restart from the rows at any step.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    missing_docs,
    reason = "a test may fail loudly"
)]

mod support;

use proptest::prelude::*;
use serde_json::{Value, json};
use support::{World, load};
use tollgate::policy::{Limit, Per, What};
use tollgate::rows::{CallKey, CallRow, State, Sums};
use tollgate::units::Millis;
use tollgate::window::Window;
use tollgate::wire::{Admission, Denial};

#[derive(Clone, Debug)]
enum Step {
    /// A call of this key, of so many bytes, with this output cap.
    Ask { key: bool, bytes: u64, cap: Option<u64> },
    /// The ask before, once more: its answer was lost.
    AskAgain,
    /// Settles one of the calls so far, by this part of what it held.
    Settle { which: usize, part: u64, named: bool },
    /// Lets time pass.
    Wait(u64),
    /// The object's alarm.
    Alarm,
    /// The object's memory is lost.
    Restart,
    /// The usage rows are written.
    Flush,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (any::<bool>(), 1_u64..400, prop::option::of(1_u64..600)).prop_map(|(key, bytes, cap)| Step::Ask { key, bytes, cap }),
        1 => Just(Step::AskAgain),
        8 => (0_usize..40, 0_u64..=4, any::<bool>()).prop_map(|(which, part, named)| Step::Settle { which, part, named }),
        4 => prop_oneof![0_u64..50, 0_u64..30_000, 0_u64..4_000_000].prop_map(Step::Wait),
        1 => Just(Step::Alarm),
        2 => Just(Step::Restart),
        1 => Just(Step::Flush),
    ]
}

fn policies() -> (Value, Value) {
    let limit = |name: &str, what: &str, per: &str, window: &str, max: Value| json!({"name": name, "what": what, "per": per, "window": window, "max": max});
    let tenant = json!({"lease": "30s", "fit_min": 16, "limits": [
        limit("rpm", "requests", "key", "60s", json!(6)),
        limit("burst", "requests", "tenant", "1s", json!(4)),
        limit("day", "requests", "tenant", "day", json!(30)),
        limit("tpm", "tokens", "tenant", "5m", json!(2500)),
        limit("out", "output_tokens", "key", "hour", json!(4000)),
        limit("hourly", "cost", "key", "hour", json!("0.006")),
        limit("weekly", "cost", "tenant", "week", json!("0.02")),
        limit("ever", "cost", "tenant", "lifetime", json!("0.05")),
        {"name": "slots", "what": "concurrency", "per": "key", "max": 3},
    ]});
    let key =
        json!({"lease": "30s", "fit_min": 16, "limits": [limit("own", "input_tokens", "key", "month", json!(900))]});
    (tenant, key)
}

/// A history under way: the world, and all that was ever admitted.
struct History {
    world: World,
    calls: Vec<(String, String, Admission)>,
    asked: u64,
}

impl History {
    fn new() -> Self {
        let (tenant, key) = policies();
        Self { world: World::new(&tenant, Some(&key)), calls: Vec::new(), asked: 0 }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Ask { key, bytes, cap } => {
                self.asked += 1;
                self.ask(&format!("c{}", self.asked), if key { "a" } else { "b" }, bytes, cap);
            }
            Step::AskAgain => {
                // The front repeats an ask within seconds, or not at all.
                let now = self.world.now;
                let recent = |call: &&(String, String, Admission)| call.2.at.millis().plus(Millis::from_secs(14)) > now;
                if let Some((call, key, before)) = self.calls.last().filter(recent).cloned() {
                    let written = self.world.rows.written;
                    let ask = self.world.ask(&call, &key, 1, None);
                    self.world.expire();
                    let expired = self.world.rows.written;
                    match self.world.admit(&ask) {
                        Ok(again) => assert_eq!(again.at, before.at, "asked twice, admitted once"),
                        Err(denial) => assert_eq!(denial, Denial::CallEnded),
                    }
                    assert!(expired >= written && self.world.rows.written == expired, "asking again writes nothing");
                }
            }
            Step::Settle { which, part, named } => {
                if !self.calls.is_empty() {
                    let (call, _, admission) = self.calls[which % self.calls.len()].clone();
                    let held = self.world.rows.calls[&admission.at].held;
                    let at = named.then_some(admission.at);
                    // Where only the name is given, a call that left memory is not found: its lease has billed it.
                    let (input, output) = (held.input.get() * part / 4, held.output.get() * part / 4);
                    self.world.settle(&call, at.or(Some(admission.at).filter(|_| part == 0)), input, output);
                }
            }
            Step::Wait(ms) => self.world.now = self.world.now.plus(Millis::new(ms)),
            Step::Alarm => self.world.expire(),
            Step::Restart => self.restart(),
            Step::Flush => {
                self.world.tenant.flush(self.world.now, true);
                self.world.write();
            }
        }
    }

    fn ask(&mut self, call: &str, key: &str, bytes: u64, cap: Option<u64>) {
        let ask = self.world.ask(call, key, bytes, cap);
        self.world.expire();
        let before = (self.world.standings("a"), self.world.standings("b"), self.world.rows.written);
        match self.world.admit(&ask) {
            Ok(admission) => self.calls.push((call.to_owned(), key.to_owned(), admission)),
            Err(denial) => {
                assert!(matches!(denial, Denial::Limited { .. }), "{denial:?}");
                let after = (self.world.standings("a"), self.world.standings("b"), self.world.rows.written);
                assert_eq!(before, after, "a refused call changes no count");
            }
        }
    }

    fn restart(&mut self) {
        self.world.expire();
        let before = (self.world.standings("a"), self.world.standings("b"), self.world.usage());
        self.world.restart();
        let after = (self.world.standings("a"), self.world.standings("b"), self.world.usage());
        assert_eq!(before, after, "memory is a cache of the rows");
    }

    fn check(&mut self) {
        let world = &mut self.world;
        // Every admitted call has one row, and so one bill.
        assert_eq!(world.rows.calls.len(), self.calls.len());
        let ended = world.rows.calls.values().filter_map(|row| row.end.as_ref());
        let ledger = ended.fold(Sums::default(), |sum, end| sum.plus(Sums::of(end)));
        assert_eq!(ledger, world.usage(), "sum of the ledger = usage");
        for key in ["a", "b"] {
            for (limit, settled, held) in standings(world, key) {
                let brute = brute_force(world, key, &limit);
                let slack = if limit.window == Window::parse("5m").unwrap() { 5 } else { 0 };
                assert_eq!(held, brute.1, "{} held", limit.name);
                assert!(settled >= brute.0, "{} counts {settled}, not {}", limit.name, brute.0);
                assert!(slack > 0 || settled == brute.0, "{} counts {settled}, not {}", limit.name, brute.0);
                assert!(settled + held <= limit.max.get(), "{}: {settled} + {held} of {}", limit.name, limit.max);
            }
        }
    }
}

fn standings(world: &mut World, key: &str) -> Vec<(Limit, u64, u64)> {
    let now = world.now;
    let key = tollgate::key::KeyId::parse(key).unwrap();
    let standings = world.tenant.standings(now, &key);
    standings.iter().map(|one| (one.limit.clone(), one.settled.get(), one.held.get())).collect()
}

/// What the ledger's rows say that `limit` should count for `key`: settled and held.
fn brute_force(world: &World, key: &str, limit: &Limit) -> (u64, u64) {
    let mine = |row: &&CallRow| limit.per == Per::Tenant || row.key.as_str() == key;
    // The object's clock is never behind a place it gave.
    let latest = world.rows.calls.keys().next_back().copied().unwrap_or_default().millis();
    let now = world.now.max(latest);
    let (mut settled, mut held) = (0, 0);
    for row in world.rows.calls.values().filter(mine) {
        let at = row.at.millis();
        let inside = match limit.window {
            Window::Rolling(span) => at.plus(span) > now,
            Window::Calendar(period) => period.start(at) == period.start(now),
            Window::Moment => true,
        };
        let open = row.state == State::Open;
        let amount = load(row).amount(limit).get();
        match limit.what {
            What::Requests => settled += u64::from(inside),
            What::Concurrency => held += u64::from(open),
            _ if open && (inside || limit.window.span().is_some()) => held += amount,
            _ if inside && !open => settled += amount,
            _ => {}
        }
    }
    (settled, held)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn no_limit_is_passed_and_no_call_is_lost_or_doubled(steps in prop::collection::vec(step(), 1..80)) {
        let mut history = History::new();
        for step in &steps {
            history.step(step);
            history.world.expire();
            history.check();
        }
        // Every hold ends.
        history.world.now = history.world.now.plus(Millis::from_secs(31));
        history.world.expire();
        history.check();
        prop_assert_eq!(history.world.tenant.next_alarm(), None);
        prop_assert!(history.world.rows.calls.values().all(|row| row.state != State::Open));
        history.restart();
        history.check();
    }

    #[test]
    fn a_restart_after_every_step_changes_nothing(steps in prop::collection::vec(step(), 1..40)) {
        let (mut whole, mut broken) = (History::new(), History::new());
        for step in &steps {
            whole.step(step);
            broken.step(step);
            broken.restart();
            whole.world.expire();
            let rows = |history: &History| history.world.rows.calls.values().cloned().collect::<Vec<_>>();
            prop_assert_eq!(rows(&whole), rows(&broken));
            prop_assert_eq!(whole.world.usage(), broken.world.usage());
        }
    }
}

#[test]
fn places_are_unique_and_in_order() {
    let mut world = World::new(&json!({}), None);
    let mut last = CallKey::default();
    for number in 0..5_000 {
        let ask = world.ask(&format!("c{number}"), "a", 1, Some(1));
        let at = world.admit(&ask).unwrap().at;
        assert!(at > last);
        last = at;
    }
}
