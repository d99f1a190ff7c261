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

#[path = "laws/brute.rs"]
mod brute;
#[path = "laws/clock.rs"]
mod clock;
#[path = "laws/ends.rs"]
mod ends;
#[path = "laws/steps.rs"]
mod steps;
mod support;

use brute::{brute_force, debts, due, first, owed, repays, standings};
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;
use steps::{Step, policies, step};
use support::{World, load};
use tollgate::limits::Load;
use tollgate::rows::{CallKey, CallRow, State, Sums};
use tollgate::units::{Millis, Tokens};
use tollgate::window::{Period, Window};
use tollgate::wire::{Admission, Denial};

/// A history under way: the world, and all that was ever admitted.
struct History {
    world: World,
    /// Whether what budgets allow was ever halved, and is now.
    was_cut: bool,
    cut: bool,
    calls: Vec<(String, String, Admission)>,
    asked: u64,
    /// What ended calls were first billed: what a later word adds goes beyond it, as their holds have gone.
    first: BTreeMap<CallKey, Load>,
    /// What every call came to at the last look, and whether one ever came to more in an hour after its own: what the hour before had
    /// left is not known any more then, so that is owed in full.
    known: BTreeMap<CallKey, u64>,
    was_late: bool,
    was_credited: bool,
    /// Whether any bill was ever beyond its hold: a stream that was told to stop then stops, also where a later word brings the bill down.
    was_exceeded: bool,
    /// How far the clock is ahead, and whether it ever came back: then windows have counted what later ones had admitted.
    ahead: Millis,
    was_back: bool,
    /// Whether the clock was right since the last call was admitted.
    steady: bool,
}

impl History {
    fn new() -> Self {
        let (tenant, key) = policies(false);
        let world = World::new(&tenant, Some(&key));
        Self {
            world,
            was_cut: false,
            cut: false,
            calls: Vec::new(),
            asked: 0,
            first: BTreeMap::new(),
            known: BTreeMap::new(),
            was_late: false,
            was_credited: false,
            was_exceeded: false,
            ahead: Millis::ZERO,
            was_back: false,
            steady: true,
        }
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
                let steady = self.steady;
                let recent = |call: &&(String, String, Admission)| {
                    steady && call.2.at.millis().plus(Millis::from_secs(14)) > now
                };
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
            Step::Tell { which, part } => self.tell(which, part),
            Step::Silence { which, silent, answered } => {
                if !self.calls.is_empty() {
                    let (call, _, admission) = self.calls[which % self.calls.len()].clone();
                    self.world.expire();
                    self.fall_silent(&call, &admission, silent, answered);
                }
            }
            Step::Amend { which, part, input } => {
                if !self.calls.is_empty() {
                    let (call, _, admission) = self.calls[which % self.calls.len()].clone();
                    self.world.expire();
                    self.amend(&call, &admission, part, input);
                }
            }
            Step::Credit { which, part } => {
                if !self.calls.is_empty() {
                    let (call, _, admission) = self.calls[which % self.calls.len()].clone();
                    self.credit(&call, admission.at, part);
                }
            }
            Step::Edit { cut } => {
                let (tenant, key) = policies(cut);
                self.world.edit(&tenant, &key);
                (self.cut, self.was_cut) = (cut, self.was_cut || cut);
            }
            Step::Wait(ms) => self.world.now = self.world.now.plus(Millis::new(ms)),
            Step::Ahead(ms) => self.jump(Millis::new(ms)),
            Step::Back => self.come_back(),
            Step::Alarm => self.world.expire(),
            Step::Restart => self.restart(),
            Step::Flush => {
                self.world.tenant.flush(self.world.now, true);
                self.world.write();
            }
        }
        self.was_exceeded |= self.has_excess();
    }

    fn ask(&mut self, call: &str, key: &str, bytes: u64, cap: Option<u64>) {
        let ask = self.world.ask(call, key, bytes, cap);
        self.world.expire();
        let before = (self.world.standings("a"), self.world.standings("b"), self.world.rows.written);
        match self.world.admit(&ask) {
            Ok(admission) => {
                let held = self.world.rows.calls[&admission.at].held.output;
                assert_eq!(admission.output_cap, Some(held), "what budgets hold is what the request may have");
                for (limit, settled, held, _) in standings(&mut self.world, key) {
                    assert!(settled + held <= limit.max.get(), "{}: admitted beyond its limit", limit.name);
                }
                self.steady = true;
                self.calls.push((call.to_owned(), key.to_owned(), admission));
            }
            Err(denial) => {
                assert!(matches!(denial, Denial::Limited { .. }), "{denial:?}");
                let after = (self.world.standings("a"), self.world.standings("b"), self.world.rows.written);
                assert_eq!(before, after, "a refused call changes no count");
            }
        }
    }

    fn amend(&mut self, call: &str, admission: &Admission, part: u64, input: Option<u64>) {
        let row = self.world.rows.calls[&admission.at].clone();
        let output = Tokens::new(row.held.output.get() * part / 4);
        let amended = self.world.amend(call, admission.at, output, input);
        let after = &self.world.rows.calls[&admission.at];
        assert_eq!(amended.ended, row.state != State::Open);
        if let Some(stop_at) = amended.stop_at {
            assert!(
                self.was_cut || self.was_credited || self.was_exceeded || self.was_back,
                "a budget that was not cut carries what it admitted"
            );
            let lowered = after.stop_at != row.stop_at;
            assert!(!lowered || after.held.output <= stop_at.max(output), "what stops there holds no more");
        }
        assert!(after.held.output <= row.held.output && after.held.cost <= row.held.cost, "a hold never grows");
        assert!(after.lease_ends >= row.lease_ends);
        assert!(!amended.ended || *after == row, "what has ended is not changed");
    }

    /// Whether any bill went beyond its hold.
    fn has_excess(&self) -> bool {
        let beyond = |row: &CallRow| {
            let first = self.first.get(&row.at).unwrap_or(&row.held);
            row.end.as_ref().is_some_and(|end| end.cost > first.cost || end.bill.output > first.output)
        };
        self.world.rows.calls.values().any(beyond)
    }

    fn restart(&mut self) {
        self.world.expire();
        let before = (self.world.standings("a"), self.world.standings("b"), self.world.usage());
        self.world.restart();
        let after = (self.world.standings("a"), self.world.standings("b"), self.world.usage());
        assert_eq!(before, after, "memory is a cache of the rows");
    }

    /// Notes what was first known of each call, after every step.
    fn note(&mut self) {
        let world = &self.world;
        for row in world.rows.calls.values().filter(|row| row.state == State::Settled) {
            self.first.entry(row.at).or_insert_with(|| first(row));
        }
        for row in world.rows.calls.values() {
            let cost = load(row).cost.get();
            let is_over = Period::Hour.start(row.at.millis()) < Period::Hour.start(world.clock());
            self.was_late |= is_over && self.known.insert(row.at, cost).is_some_and(|before| before < cost);
            self.known.insert(row.at, cost);
        }
    }

    fn check(&mut self) {
        let (world, first) = (&mut self.world, &self.first);
        // Every admitted call has one row, and so one bill.
        assert_eq!(world.rows.calls.len(), self.calls.len());
        let ended = world.rows.calls.values().filter_map(|row| row.end.as_ref());
        let ledger = ended.fold(Sums::default(), |sum, end| sum.plus(Sums::of(end)));
        assert_eq!(ledger, world.usage(), "sum of the ledger = usage");
        for key in ["a", "b"] {
            for (limit, settled, held, debt) in standings(world, key) {
                let brute = brute_force(world, key, &limit, first);
                let slack = if limit.window == Window::parse("5m").unwrap() { 5 } else { 0 };
                assert_eq!(held, brute.held, "{} held", limit.name);
                assert_eq!(debt, due(world, key, &limit, 0), "{} repays", limit.name);
                let counted = brute.settled + debt;
                assert!(settled >= counted, "{} counts {settled}, not {counted}", limit.name);
                assert!(slack > 0 || settled == counted, "{} counts {settled}, not {counted}", limit.name);
                // What was admitted under the full limit stays when it is cut; bills beyond their holds count.
                let allowed = if self.was_cut { limit.max.get() * 2 } else { limit.max.get() } + brute.excess + debt;
                let bounded = settled + held <= allowed;
                assert!(self.was_back || bounded, "{}: {settled} + {held} of {}", limit.name, limit.max);
                if repays(&limit) {
                    let next = debts(world, key, &limit)
                        .range(world.clock().plus(Millis::new(1))..)
                        .map(|(_, amount)| amount)
                        .sum::<u64>();
                    let over = (brute.settled + debt.min(limit.max.get()) + held).saturating_sub(limit.max.get());
                    assert!(next <= over, "{}: {next} is owed, {over} is over", limit.name);
                    if !self.was_cut {
                        assert_eq!(next, over, "{} owes what is over", limit.name);
                        let rows = debts(world, key, &limit);
                        assert!(
                            self.was_late || self.was_back || rows == owed(world, key, &limit),
                            "{}: {rows:?}",
                            limit.name
                        );
                        let beyond = (settled + held).saturating_sub(limit.max.get());
                        assert_eq!(due(world, key, &limit, 1), beyond, "{} repays what is beyond", limit.name);
                    }
                }
            }
        }
    }
}

/// One of so many steps is checked, and the last: histories are many and of any length, so each step is the last of some.
const CHECKED: usize = 4;

/// No limit is passed, and no call is lost or doubled.
fn all_holds(steps: &[Step]) {
    let mut history = History::new();
    for (nth, step) in steps.iter().enumerate() {
        history.step(step);
        history.world.expire();
        history.note();
        if nth % CHECKED == 0 {
            history.check();
        }
    }
    history.check();
    // Every hold ends.
    history.world.now = history.world.now.plus(Millis::from_secs(31));
    history.world.expire();
    history.note();
    history.check();
    assert_eq!(history.world.tenant.next_alarm(), None);
    assert!(history.world.rows.calls.values().all(|row| row.state != State::Open));
    history.restart();
    history.check();
}

/// A restart after every step changes nothing.
fn restarts_do_not_show(steps: &[Step]) {
    let (mut whole, mut broken) = (History::new(), History::new());
    for step in steps {
        whole.step(step);
        broken.step(step);
        broken.restart();
        whole.world.expire();
        let rows = |history: &History| history.world.rows.calls.values().cloned().collect::<Vec<_>>();
        assert_eq!(rows(&whole), rows(&broken));
        assert_eq!(whole.world.usage(), broken.world.usage());
    }
}

// 100,000 histories in all, in parts that run beside one another.
proptest! {
    #![proptest_config(ProptestConfig::with_cases(24_000))]

    #[test]
    fn all_holds_in_the_first_part(steps in prop::collection::vec(step(), 1..80)) {
        all_holds(&steps);
    }

    #[test]
    fn all_holds_in_the_second_part(steps in prop::collection::vec(step(), 1..80)) {
        all_holds(&steps);
    }

    #[test]
    fn all_holds_in_the_third_part(steps in prop::collection::vec(step(), 1..80)) {
        all_holds(&steps);
    }

    #[test]
    fn all_holds_in_the_fourth_part(steps in prop::collection::vec(step(), 1..80)) {
        all_holds(&steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn a_restart_after_every_step_changes_nothing(steps in prop::collection::vec(step(), 1..40)) {
        restarts_do_not_show(&steps);
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
