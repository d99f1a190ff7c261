//! Calls across the edge of a window: no limit is passed, and what is corrected later is corrected where it belongs.
//!
//! The world begins ten seconds before a full hour. A call of 40 bytes and 100 tokens of output holds 240,000 nano-USD.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "a test may fail loudly"
)]

mod support;

use serde_json::json;
use support::{START, World};
use tollgate::rows::{CallKey, End};
use tollgate::units::Millis;
use tollgate::wire::Denial;

const HELD: u64 = 240_000;

fn world() -> World {
    let policy = json!({"lease": "30s", "on_shortfall": "reject", "limits": [
        {"name": "hourly", "what": "cost", "window": "hour", "max": "0.00048"},
        {"name": "minutely", "what": "requests", "window": "60s", "max": 4},
        {"name": "slots", "what": "concurrency", "max": 3}
    ]});
    World::new(&policy, None)
}

fn at(world: &mut World, millis: u64) {
    world.now = Millis::new(START + millis);
}

fn ask(world: &mut World, call: &str) -> Result<CallKey, Denial> {
    let ask = world.ask(call, "a", 40, Some(100));
    world.admit(&ask).map(|admission| admission.at)
}

/// What is settled and held of the money of the hour.
fn money(world: &mut World) -> (u64, u64) {
    world.expire();
    let standings = world.standings("a");
    let (_, settled, held) = standings.iter().find(|(name, ..)| name == "hourly").unwrap();
    (*settled, *held)
}

#[test]
fn a_call_belongs_to_the_window_that_it_was_admitted_in() {
    let mut world = world();
    at(&mut world, 9_000);
    let place = ask(&mut world, "before").unwrap();
    assert_eq!(money(&mut world), (0, HELD));
    at(&mut world, 11_000);
    assert_eq!(money(&mut world), (0, 0), "it holds nothing of the next hour");
    world.settle("before", Some(place), 40, 100);
    assert_eq!(money(&mut world), (0, 0));
    for call in ["one", "two"] {
        ask(&mut world, call).unwrap();
    }
    assert_eq!(money(&mut world), (0, 2 * HELD));
    assert!(ask(&mut world, "three").is_err(), "the hour is full, and one more call is not");
    world.restart();
    assert_eq!(money(&mut world), (0, 2 * HELD));
}

#[test]
fn a_bill_beyond_its_hold_is_repaid_by_the_hour_that_follows_though_it_comes_late() {
    let mut world = world();
    at(&mut world, 9_000);
    let place = ask(&mut world, "before").unwrap();
    at(&mut world, 11_000);
    world.settle("before", Some(place), 40, 200);
    for restarted in [false, true] {
        if restarted {
            world.restart();
        }
        assert_eq!(money(&mut world), (200_000, 0), "what goes beyond its hold, {restarted}");
    }
}

#[test]
fn an_estimate_across_the_edge_is_corrected_in_its_own_window() {
    let mut world = world();
    at(&mut world, 9_000);
    let place = ask(&mut world, "before").unwrap();
    let end = || End { status: 504, attempts: 1, ..End::default() };
    world.end_with("before", Some(place), end(), vec!["p/m".to_owned()], false);
    assert_eq!(money(&mut world), (210_000, 0));
    at(&mut world, 11_000);
    world.settle("before", Some(place), 40, 50);
    assert_eq!(money(&mut world), (0, 0));
    assert_eq!(world.rows.calls[&place].end.as_ref().unwrap().cost.get(), 140_000);
}
