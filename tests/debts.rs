//! Debts: what a window has beyond its budget is what the windows after it repay, and no more once less was used.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    missing_docs,
    reason = "a test may fail loudly"
)]

mod support;

use serde_json::{Value, json};
use support::World;
use tollgate::rows::{CallKey, End};
use tollgate::units::{Millis, NanoUsd, Tokens};
use tollgate::wire::{Credited, Denial};

const HOUR: u64 = 3_600_000;

fn policy(max: &str) -> Value {
    json!({"lease": "30s", "fit_min": 1, "limits": [{"name": "hourly", "what": "cost", "per": "tenant", "window": "hour", "max": max}]})
}

/// A tenant with 1,000 micro-dollars an hour, at the beginning of one.
fn world() -> World {
    let mut world = World::new(&policy("0.001"), None);
    world.now = Millis::new(world.now.get() / HOUR * HOUR);
    world
}

/// A call that holds `held` micro-dollars: so many bytes in, and one token out for each two.
fn admit(world: &mut World, call: &str, held: u64) -> CallKey {
    let ask = world.ask(call, "a", 1, Some((held - 20) / 2));
    let at = world.admit(&ask).unwrap().at;
    let hold = world.rows.calls[&at].held.cost.get() / 1_000;
    assert!(hold <= held, "{call} holds {hold}");
    at
}

/// Ends the call with a bill of so many micro-dollars.
fn bill(world: &mut World, call: &str, at: CallKey, cost: u64) {
    world.end(call, Some(at), End { cost: NanoUsd::new(cost * 1_000), status: 200, ..End::default() });
}

/// What the rows say is owed, in micro-dollars, by the hour since the start.
fn owed(world: &World) -> Vec<(u64, u64)> {
    let start = support::START / HOUR * HOUR;
    let hour = |at: Millis| (at.get() - start) / HOUR;
    world.rows.debts.iter().map(|(debt, amount)| (hour(debt.start), amount.get() / 1_000)).collect()
}

fn used(world: &mut World) -> u64 {
    world.standings("a")[0].1 / 1_000
}

#[test]
fn a_debt_is_what_is_over_and_shrinks_as_others_end_below_their_holds() {
    let mut world = world();
    let (first, second) = (admit(&mut world, "c1", 400), admit(&mut world, "c2", 400));
    bill(&mut world, "c1", first, 900);
    let held = world.rows.calls[&second].held.cost.get() / 1_000;
    assert_eq!(owed(&world), [(1, held - 100)]);
    bill(&mut world, "c2", second, 150);
    assert_eq!(owed(&world), [(1, 50)]);
    world.now = world.now.plus(Millis::new(HOUR));
    assert_eq!(used(&mut world), 50);
}

#[test]
fn what_a_window_that_is_over_has_used_less_is_repaid_by_none_of_those_after_it() {
    let mut world = world();
    let (first, second) = (admit(&mut world, "c1", 200), admit(&mut world, "c2", 700));
    bill(&mut world, "c1", first, 2_500);
    // The call under way is let go of at its lease, billed what it held, and that is found to be too much two hours later.
    let held = world.rows.calls[&second].held.cost.get() / 1_000;
    world.now = world.now.plus(Millis::new(HOUR / 2));
    world.expire();
    assert_eq!(owed(&world), [(1, 1_500 + held)]);
    world.now = world.now.plus(Millis::new(HOUR * 2));
    assert_eq!(used(&mut world), 500 + held);
    bill(&mut world, "c2", second, 0);
    assert_eq!((owed(&world), used(&mut world)), (vec![(1, 1_500)], 500));
}

/// A bill that nobody can have meant: it fills its hour and many after it.
#[test]
fn a_credit_takes_back_the_bill_and_all_that_the_hours_after_it_were_to_repay() {
    for (hours, flushed, restarted) in [(0, false, false), (3, false, true), (3, true, false), (5, true, true)] {
        let mut world = world();
        let at = admit(&mut world, "c1", 400);
        bill(&mut world, "c1", at, 900_000);
        world.now = world.now.plus(Millis::new(HOUR * hours));
        if flushed {
            world.now = world.now.plus(Millis::from_secs(60));
            world.tenant.flush(world.now, true);
            world.write();
            assert!(world.tenant.flushed() > at);
        }
        if restarted {
            world.restart();
        }
        let ask = world.ask("c2", "a", 1, Some(100));
        assert!(matches!(world.admit(&ask), Err(Denial::Limited { .. })));
        let given = world.credit("c1", at, Some(899_700_000));
        assert!(matches!(given, Credited::Given { billed, .. } if billed.get() == 300_000), "{given:?}");
        assert_eq!((owed(&world), used(&mut world)), (vec![], if hours == 0 { 300 } else { 0 }));
        assert_eq!(world.usage().cost, 300_000, "the sums follow");
        world.restart();
        assert_eq!((used(&mut world), world.usage().cost), (if hours == 0 { 300 } else { 0 }, 300_000));
        world.admit(&ask).unwrap();
        // Nothing corrects it afterwards.
        bill(&mut world, "c1", at, 500);
        assert_eq!(world.rows.calls[&at].end.as_ref().unwrap().cost.get(), 300_000);
    }
}

/// A call that is billed two hours after its own hour owes that in the hour of its bill.
#[test]
fn a_credit_takes_back_what_was_owed_for_a_bill_that_came_late() {
    let mut world = world();
    let at = admit(&mut world, "c1", 400);
    world.now = world.now.plus(Millis::new(HOUR * 2));
    world.expire();
    bill(&mut world, "c1", at, 5_000);
    let beyond = 5_000 - world.rows.calls[&at].held.cost.get() / 1_000;
    assert_eq!(owed(&world), [(2, beyond)]);
    world.credit("c1", at, None);
    assert_eq!((owed(&world), used(&mut world)), (vec![], 0));
}

#[test]
fn a_credit_is_given_once_for_a_call_that_has_ended_and_for_no_more_than_its_bill() {
    let mut world = world();
    let at = admit(&mut world, "c1", 400);
    assert_eq!(world.credit("c1", at, None), Credited::UnderWay);
    bill(&mut world, "c1", at, 200);
    let billed = NanoUsd::new(200_000);
    assert_eq!(world.credit("c1", at, Some(200_001)), Credited::TooMuch { billed });
    assert_eq!(world.credit("c9", at, None), Credited::Unknown, "another's place");
    assert_eq!(world.credit("c1", CallKey::new(7), None), Credited::Unknown);
    assert_eq!(world.tenant.place_of("c1"), Some(at));
    assert!(matches!(world.credit("c1", at, None), Credited::Given { .. }));
    assert_eq!(world.credit("c1", at, None), Credited::Before { billed: NanoUsd::ZERO });
}

#[test]
fn a_limit_that_is_raised_owes_no_more_than_what_is_over() {
    for (max, left) in [("0.0011", vec![(1, 400)]), ("0.0014", vec![(1, 100)]), ("0.002", vec![])] {
        let mut world = world();
        let at = admit(&mut world, "c1", 400);
        bill(&mut world, "c1", at, 1_500);
        assert_eq!(owed(&world), [(1, 500)]);
        world.edit(&policy(max), &json!({}));
        world.write();
        assert_eq!(owed(&world), left, "raised to {max}");
        world.edit(&policy("0.0005"), &json!({}));
        world.write();
        assert_eq!(owed(&world), left, "lowering it makes no debt");
        world.restart();
        assert_eq!(used(&mut world), 1_500);
    }
}

#[test]
fn a_hold_that_shrinks_takes_its_part_of_the_debt_with_it() {
    let mut world = world();
    let (first, second) = (admit(&mut world, "c1", 400), admit(&mut world, "c2", 500));
    bill(&mut world, "c1", first, 1_000);
    let held = world.rows.calls[&second].held.cost.get() / 1_000;
    assert_eq!(owed(&world), [(1, held)]);
    world.amend("c2", second, Tokens::new(10), Some(1));
    let left = world.rows.calls[&second].held.cost.get() / 1_000;
    assert!(left < held, "the budget carries no more of it");
    assert_eq!(owed(&world), [(1, left)]);
}
