//! What happens to calls that are under way: amended, stopped, billed beyond their hold, learnt from.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "a test may fail loudly"
)]

mod support;

use serde_json::{Value, json};
use support::World;
use tollgate::limits::Cause;
use tollgate::rows::CallKey;
use tollgate::units::{Millis, Tokens};
use tollgate::wire::{Amend, Amended, Denial};

fn money(max: &str) -> Value {
    json!({"limits": [{"name": "money", "what": "cost", "window": "day", "max": max}], "lease": "30s"})
}

fn admit(world: &mut World, call: &str, cap: u64) -> CallKey {
    let ask = world.ask(call, "a", 40, Some(cap));
    world.admit(&ask).unwrap().at
}

fn held(world: &mut World, limit: &str) -> (u64, u64) {
    world.expire();
    let standings = world.standings("a");
    let (_, settled, held) = standings.iter().find(|(name, ..)| name == limit).unwrap();
    (*settled, *held)
}

#[test]
fn a_long_call_keeps_its_hold_as_long_as_it_is_heard_of() {
    let mut world = World::new(&money("1"), None);
    let at = admit(&mut world, "c", 100);
    for _ in 0..5 {
        world.now = world.now.plus(Millis::from_secs(10));
        assert_eq!(world.amend("c", at, Tokens::new(1), None), Amended::default());
        assert_eq!(held(&mut world, "money"), (0, 240_000));
        world.restart();
    }
    world.now = world.now.plus(Millis::from_secs(30));
    assert_eq!(held(&mut world, "money"), (240_000, 0), "billed what it held, once nobody speaks of it");
    let amended = world.amend("c", at, Tokens::new(2), None);
    assert!(amended.ended, "a call that has ended is told so");
}

#[test]
fn a_call_that_cannot_be_stopped_keeps_its_hold_whatever_budgets_carry() {
    let mut world = World::new(&money("1"), None);
    let at = admit(&mut world, "c", 100);
    world.edit(&money("0.0001"), &json!({}));
    world.now = world.now.plus(Millis::from_secs(20));
    let (call, target) = ("c".to_owned(), String::new());
    let waiting = Amend { at, call, target, output: Tokens::ZERO, usage: None, fixed: true };
    assert_eq!(world.amend_with(&waiting), Amended::default());
    assert_eq!(held(&mut world, "money"), (0, 240_000));
    world.now = world.now.plus(Millis::from_secs(20));
    assert_eq!(held(&mut world, "money"), (0, 240_000), "its lease is renewed");
    let stopped = world.amend("c", at, Tokens::ZERO, None);
    assert_eq!(stopped.stop_at, Some(Tokens::new(30)), "one that can be stopped is told where");
}

#[test]
fn an_amendment_is_a_row_only_where_it_matters() {
    let mut world = World::new(&money("1"), None);
    let at = admit(&mut world, "c", 100);
    let written = world.rows.written;
    for second in 1..15 {
        world.now = world.now.plus(Millis::from_secs(1));
        world.amend("c", at, Tokens::new(second), None);
    }
    assert_eq!(world.rows.written, written);
    // 40 bytes were held as 40 tokens; the provider says there are 10.
    world.amend("c", at, Tokens::new(15), Some(10));
    assert_eq!((world.rows.written, held(&mut world, "money")), (written + 1, (0, 210_000)));
}

#[test]
fn a_budget_that_is_cut_stops_the_calls_that_it_does_not_carry_any_more() {
    let mut world = World::new(&money("0.0005"), None);
    let at = admit(&mut world, "c", 200);
    assert_eq!(held(&mut world, "money"), (0, 440_000));
    world.edit(&money("0.0002"), &money("9"));
    // 0.0002 carry 40 tokens of input and 80 of output.
    let amended = world.amend("c", at, Tokens::new(20), None);
    assert_eq!(amended.stop_at, Some(Tokens::new(80)));
    assert_eq!(held(&mut world, "money"), (0, 200_000), "the others see at once what it gives back");
    world.restart();
    let again = world.amend("c", at, Tokens::new(60), None);
    assert_eq!(again.stop_at, amended.stop_at, "it is told again, should the answer have been lost");
    world.edit(&money("0.0001"), &money("9"));
    assert_eq!(world.amend("c", at, Tokens::new(60), None).stop_at, Some(Tokens::new(30)), "it stops at once");
    assert_eq!(held(&mut world, "money"), (0, 160_000), "what has come has come");
}

#[test]
fn what_is_held_for_something_without_a_bound_is_held_to_the_end() {
    let mut world = World::new(&money("0.2"), None);
    let mut ask = world.ask("c", "a", 40, Some(100));
    ask.shape.unbounded = true;
    let at = world.admit(&ask).unwrap().at;
    assert_eq!(held(&mut world, "money"), (0, 100_240_000));
    world.edit(&money("0.1001"), &money("9"));
    assert_eq!(world.amend("c", at, Tokens::new(1), Some(10)).stop_at, Some(Tokens::new(30)));
    assert_eq!(held(&mut world, "money"), (0, 100_100_000));
}

#[test]
fn a_hold_is_reckoned_anew_only_where_the_prices_are_known_that_bill_it() {
    let quota = |max: u64| {
        json!({"limits": [
            {"name": "money", "what": "cost", "window": "day", "max": "9"},
            {"name": "quota", "what": "output_tokens", "window": "day", "max": max}
        ]})
    };
    let mut world = World::new(&quota(9_000), None);
    let at = admit(&mut world, "c", 100);
    let mut config = world.tenant.config().clone();
    config.catalog.version += 1;
    config.catalog.models.get_mut("m").unwrap().targets.clear();
    world.configure(config);
    world.edit(&quota(50), &json!({}));
    assert_eq!(world.amend("c", at, Tokens::new(1), Some(1)).stop_at, Some(Tokens::new(50)));
    assert_eq!(held(&mut world, "money"), (0, 240_000), "it is still billed at the price of its admission");
}

#[test]
fn a_call_that_a_rate_lets_pass_is_capped_at_what_its_budget_holds() {
    let mut world = World::new(
        &json!({"limits": [
            {"name": "tpm", "what": "tokens", "window": "60s", "max": 1000},
            {"name": "money", "what": "cost", "window": "month", "max": "0.0035"}
        ]}),
        None,
    );
    for number in 0..20 {
        let name = format!("c{number}");
        let at = admit(&mut world, &name, 300);
        world.settle(&name, Some(at), 10, 10);
        world.now = world.now.plus(Millis::from_secs(60));
    }
    let at = admit(&mut world, "large", 900);
    world.settle("large", Some(at), 10, 790);
    let ask = world.ask("more", "a", 40, None);
    let admission = world.admit(&ask).unwrap();
    let row = &world.rows.calls[&admission.at];
    assert_eq!(admission.output_cap, Some(row.held.output));
}

#[test]
fn what_a_bill_has_beyond_its_hold_and_its_budget_is_repaid_by_the_next_window() {
    let mut world = World::new(&money("0.0005"), None);
    let at = admit(&mut world, "c1", 100);
    world.settle("c1", Some(at), 10, 300);
    assert_eq!(held(&mut world, "money"), (610_000, 0), "110,000 beyond");
    world.now = world.now.plus(Millis::from_secs(43_210));
    for _ in 0..2 {
        assert_eq!(held(&mut world, "money"), (110_000, 0));
        world.restart();
    }
    admit(&mut world, "c2", 100);
    let ask = world.ask("c3", "a", 40, Some(100));
    let denial = world.admit(&ask).unwrap_err();
    let Denial::Limited { blocks, affordable, .. } = denial else { panic!("{denial:?}") };
    assert_eq!((blocks[0].cause, affordable), (Cause::Reserved, Some(Tokens::new(55))));
    world.now = world.now.plus(Millis::from_secs(86_400));
    assert_eq!(held(&mut world, "money"), (0, 0));
}

#[test]
fn a_rate_holds_what_such_calls_mostly_have_and_follows_what_comes() {
    let rate = |on_shortfall: &str| {
        json!({"on_shortfall": on_shortfall, "limits": [
            {"name": "tpm", "what": "tokens", "window": "60s", "max": 1000},
            {"name": "quota", "what": "output_tokens", "window": "month", "max": 100_000}
        ]})
    };
    let mut world = World::new(&rate("reject"), None);
    for number in 0..20 {
        let name = format!("c{number}");
        let at = admit(&mut world, &name, 900);
        world.settle(&name, Some(at), 10, 40);
        world.now = world.now.plus(Millis::from_secs(60));
    }
    // Each of them holds 10 and 47, and could have 900.
    let calls: Vec<CallKey> = (0..17).map(|number| admit(&mut world, &format!("d{number}"), 900)).collect();
    assert_eq!(held(&mut world, "tpm"), (0, 17 * 57));
    assert_eq!(held(&mut world, "quota"), (800, 17 * 900), "a quota holds the worst case");
    let ask = world.ask("e", "a", 40, Some(900));
    assert!(world.admit(&ask).is_err());
    world.amend("d0", calls[0], Tokens::new(100), None);
    assert_eq!(held(&mut world, "tpm"), (0, 16 * 57 + 210), "it has come to 100, and may double");
    world.restart();
    assert_eq!(held(&mut world, "tpm"), (0, 16 * 57 + 210));
    world.settle("d0", Some(calls[0]), 10, 700);
    assert_eq!(held(&mut world, "tpm"), (710, 16 * 57), "a rate that was passed lets nobody in until it moves on");
}
