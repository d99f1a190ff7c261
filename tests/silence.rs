//! What silence costs: a call that was sent and never told its usage is billed by an estimate, or by what it held, and is
//! corrected by a usage that comes later.
//!
//! The model `m` costs 1 USD for a million tokens of input and 2 for output, at most 1,000; its targets are `p/m` and `q/m`.
//! A call of 40 bytes holds 40 tokens of input, of which 10 are likely.
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
use tollgate::bound::Shape;
use tollgate::price::Bill;
use tollgate::rows::{CallKey, CallRow, End, State, Truth};
use tollgate::units::{NanoUsd, Tokens};
use tollgate::wire::{Late, Settlement};

fn policy(unsettled: &str) -> Value {
    json!({"unsettled": unsettled, "lease": "30s", "limits": [
        {"name": "money", "what": "cost", "window": "day", "max": "1"},
        {"name": "out", "what": "output_tokens", "window": "60s", "max": 100_000}
    ]})
}

fn bill(input: u64, output: u64) -> Bill {
    Bill::of(Tokens::new(input), Tokens::new(output))
}

/// An end of this status, of which `p/m` told so many tokens.
fn told(input: u64, output: u64) -> End {
    let cost = NanoUsd::new(input * 1_000 + output * 2_000);
    End { bill: bill(input, output), cost, status: 200, target: "p/m".to_owned(), attempts: 1, ..End::default() }
}

fn failed(status: u16) -> End {
    End { status, attempts: 1, ..End::default() }
}

/// A call of 40 bytes and this cap is admitted: its place.
fn admit(world: &mut World, call: &str, cap: Option<u64>) -> CallKey {
    let ask = world.ask(call, "a", 40, cap);
    world.admit(&ask).unwrap().at
}

/// Its settlement comes: the row that it makes.
fn settle(world: &mut World, at: CallKey, end: End, silent: &[&str], cut: bool) -> CallRow {
    let call = world.rows.calls[&at].call.clone();
    world.end_with(&call, Some(at), end, silent.iter().map(|target| (*target).to_owned()).collect(), cut);
    world.rows.calls[&at].clone()
}

#[track_caller]
fn check(row: &CallRow, truth: Truth, billed: Bill, cost: u64) {
    let end = row.end.as_ref().unwrap();
    assert_eq!((end.truth, end.bill, end.cost.get()), (truth, billed, cost), "{end:?}");
    assert!(end.cost <= row.held.cost.max(NanoUsd::new(cost)));
}

/// Twenty-five calls that each have `output` tokens: so many make a habit.
fn learn(world: &mut World, output: u64) {
    for nth in 0..25 {
        let at = admit(world, &format!("habit-{nth}"), Some(1_000));
        settle(world, at, told(10, output), &[], false);
    }
}

#[test]
fn a_call_of_which_nothing_came_is_billed_what_such_calls_mostly_use() {
    let mut world = World::new(&policy("estimate"), None);
    let at = admit(&mut world, "first", Some(300));
    let row = settle(&mut world, at, failed(504), &["q/m"], false);
    check(&row, Truth::Estimated, bill(10, 300), 610_000);
    let end = row.end.unwrap();
    assert_eq!((end.status, end.target.as_str(), end.priced_by.as_str()), (504, "q/m", "catalog:3"));
    learn(&mut world, 20);
    let at = admit(&mut world, "later", Some(300));
    let row = settle(&mut world, at, failed(504), &["p/m"], false);
    check(&row, Truth::Estimated, bill(10, 23), 56_000);
    assert_eq!(row.state, State::Settled);
}

#[test]
fn a_policy_may_ask_for_the_ceiling() {
    let mut world = World::new(&policy("ceiling"), None);
    learn(&mut world, 20);
    let at = admit(&mut world, "silent", Some(300));
    let row = settle(&mut world, at, failed(502), &["p/m"], false);
    check(&row, Truth::Ceiling, bill(40, 300), 640_000);
    let at = admit(&mut world, "cut", Some(300));
    let row = settle(&mut world, at, End { truth: Truth::Counted, ..told(10, 7) }, &[], true);
    check(&row, Truth::Ceiling, bill(40, 300), 640_000);
}

#[test]
fn an_answer_that_was_cut_is_billed_what_came_of_it() {
    let mut world = World::new(&policy("estimate"), None);
    let at = admit(&mut world, "cut", Some(300));
    let row = settle(&mut world, at, End { truth: Truth::Counted, ..told(10, 7) }, &[], true);
    check(&row, Truth::Estimated, bill(10, 7), 24_000);
}

#[test]
fn a_target_that_fell_silent_is_billed_besides_the_one_that_answers() {
    let mut world = World::new(&policy("estimate"), None);
    learn(&mut world, 20);
    let at = admit(&mut world, "one", Some(300));
    let row = settle(&mut world, at, told(9, 30), &["q/m"], false);
    check(&row, Truth::Estimated, bill(19, 53), 69_000 + 56_000);
    assert_eq!(row.end.unwrap().target, "p/m", "the one that answered");
    // Estimates never take a bill above its hold, and what is told is billed in full.
    let at = admit(&mut world, "many", Some(30));
    let row = settle(&mut world, at, told(9, 20), &["q/m", "p/m", "q/m"], false);
    check(&row, Truth::Estimated, bill(39, 30), 100_000);
    let at = admit(&mut world, "above", Some(30));
    let row = settle(&mut world, at, told(90, 50), &["q/m"], false);
    check(&row, Truth::Estimated, bill(90, 50), 190_000);
}

#[test]
fn a_usage_that_comes_late_counts_in_place_of_an_estimate_and_only_once() {
    for flushed in [false, true] {
        let mut world = World::new(&policy("estimate"), None);
        let at = admit(&mut world, "late", Some(300));
        let estimated = settle(&mut world, at, failed(504), &["p/m"], false);
        if flushed {
            world.now = world.now.plus(tollgate::units::Millis::from_secs(60));
            world.tenant.flush(world.now, true);
            world.write();
        }
        let again = settle(&mut world, at, failed(504), &["p/m"], false);
        assert_eq!(again, estimated, "a settlement that is said twice changes nothing");
        let row = settle(&mut world, at, End { status: 504, ..told(12, 250) }, &[], false);
        check(&row, Truth::Reported, bill(12, 250), 512_000);
        for end in [failed(504), told(1, 1)] {
            assert_eq!(settle(&mut world, at, end, &["p/m"], false), row, "the provider's word is the last");
        }
        assert_eq!(world.usage().cost, 512_000);
        assert!(world.standings("a").contains(&("money".to_owned(), 512_000, 0)));
        world.restart();
        assert!(world.standings("a").contains(&("money".to_owned(), 512_000, 0)));
        assert_eq!(settle(&mut world, at, told(1, 1), &[], false), row);
    }
}

/// What `q/m`, which costs as `p/m` does, tells late.
fn late(target: &str, input: u64, output: u64) -> Late {
    let end = End { target: target.to_owned(), ..told(input, output) };
    Late { target: target.to_owned(), end, ..Late::default() }
}

/// The settlement of a call whose targets `silent` fell silent, of which some have told since, comes (`again`): the row that it makes.
fn settle_late(world: &mut World, at: CallKey, end: End, silent: &[&str], told: Vec<Late>, again: bool) -> CallRow {
    let call = world.rows.calls[&at].call.clone();
    let silent = silent.iter().map(|target| (*target).to_owned()).collect();
    world.hand_in(Settlement { at: Some(at), call, end, silent, late: told, again, ..Settlement::default() });
    world.rows.calls[&at].clone()
}

#[test]
fn what_silent_targets_tell_late_counts_besides_the_answer_and_the_rest_is_estimated() {
    for flushed in [false, true] {
        let mut world = World::new(&policy("estimate"), None);
        learn(&mut world, 20);
        let at = admit(&mut world, "three", Some(300));
        let silent = ["q/m", "p/m"];
        let row = settle(&mut world, at, told(9, 30), &silent, false);
        check(&row, Truth::Estimated, bill(29, 76), 69_000 + 2 * 56_000);
        if flushed {
            world.now = world.now.plus(tollgate::units::Millis::from_secs(60));
            world.tenant.flush(world.now, true);
            world.write();
        }
        // Without `again` it is the same settlement, come once more.
        assert_eq!(settle_late(&mut world, at, told(9, 30), &silent, vec![late("q/m", 11, 100)], false), row);
        let row = settle_late(&mut world, at, told(9, 30), &silent, vec![late("q/m", 11, 100)], true);
        check(&row, Truth::Estimated, bill(30, 153), 69_000 + 211_000 + 56_000);
        let all = || vec![late("q/m", 11, 100), late("p/m", 12, 200)];
        let row = settle_late(&mut world, at, told(9, 30), &silent, all(), true);
        check(&row, Truth::Reported, bill(32, 330), 69_000 + 211_000 + 412_000);
        assert_eq!(row.end.as_ref().unwrap().target, "p/m", "the one that answered");
        for told_again in [vec![], vec![late("q/m", 1, 1)], all()] {
            assert_eq!(settle_late(&mut world, at, told(9, 30), &silent, told_again, true), row);
        }
        assert_eq!(world.usage().cost, 25 * 50_000 + 692_000);
        world.restart();
        assert!(world.standings("a").contains(&("money".to_owned(), 25 * 50_000 + 692_000, 0)));
    }
}

#[test]
fn what_is_told_late_may_come_first_and_is_the_last_word_all_the_same() {
    let mut world = World::new(&policy("estimate"), None);
    let at = admit(&mut world, "first", Some(300));
    let row = settle_late(&mut world, at, failed(504), &["q/m"], vec![late("q/m", 11, 100)], true);
    check(&row, Truth::Reported, bill(11, 100), 211_000);
    let end = row.end.as_ref().unwrap();
    assert_eq!((end.status, end.target.as_str(), end.attempts), (504, "q/m", 1));
    assert_eq!(settle(&mut world, at, failed(504), &["q/m"], false), row);
}

#[test]
fn a_target_that_tells_late_that_it_did_nothing_is_free_and_one_that_is_not_on_the_bill_changes_nothing() {
    for (target, truth, billed, cost) in
        [("q/m", Truth::Reported, bill(0, 0), 0), ("p/m", Truth::Estimated, bill(10, 300), 610_000)]
    {
        let mut world = World::new(&policy("estimate"), None);
        let at = admit(&mut world, "free", Some(300));
        settle(&mut world, at, failed(504), &["q/m"], false);
        let nothing = Late { target: target.to_owned(), ..Late::default() };
        let row = settle_late(&mut world, at, failed(504), &["q/m"], vec![nothing], true);
        check(&row, truth, billed, cost);
    }
}

#[test]
fn a_ceiling_stays_until_all_that_were_silent_have_told() {
    let mut world = World::new(&policy("ceiling"), None);
    let at = admit(&mut world, "two", Some(300));
    let silent = ["q/m", "p/m"];
    let row = settle(&mut world, at, failed(504), &silent, false);
    check(&row, Truth::Ceiling, bill(40, 300), 640_000);
    assert_eq!(settle_late(&mut world, at, failed(504), &silent, vec![late("q/m", 11, 100)], true), row);
    let all = vec![late("q/m", 11, 100), Late { bounded: true, ..late("p/m", 12, 200) }];
    check(&settle_late(&mut world, at, failed(504), &silent, all, true), Truth::Bounded, bill(23, 300), 623_000);
}

#[test]
fn an_estimate_counts_in_place_of_a_lease_that_ran_out() {
    let mut world = World::new(&policy("estimate"), None);
    let at = admit(&mut world, "lost", Some(300));
    world.now = world.now.plus(tollgate::units::Millis::from_secs(30));
    world.expire();
    check(&world.rows.calls[&at].clone(), Truth::Ceiling, bill(40, 300), 640_000);
    let row = settle(&mut world, at, failed(504), &["p/m"], false);
    check(&row, Truth::Estimated, bill(10, 300), 610_000);
}

#[test]
fn what_holds_for_what_has_no_bound_is_estimated_with_that() {
    let mut world = World::new(&policy("estimate"), None);
    let mut ask = world.ask("tools", "a", 40, Some(100));
    ask.shape = Shape { unbounded: true, ..ask.shape };
    let at = world.admit(&ask).unwrap().at;
    let row = settle(&mut world, at, failed(504), &["p/m"], false);
    check(&row, Truth::Estimated, bill(10, 100), 210_000 + 100_000_000);
}

#[test]
fn what_is_known_to_cost_nothing_is_estimated_at_nothing() {
    let mut world = World::new(&json!({"unknown_price": "track_only"}), None);
    let mut ask = world.ask("free", "a", 40, Some(100));
    ask.model = "free".to_owned();
    let at = world.admit(&ask).unwrap().at;
    check(&settle(&mut world, at, failed(504), &["p/free"], false), Truth::Estimated, bill(10, 100), 0);
}

#[test]
fn a_target_that_nobody_can_price_any_more_is_billed_what_was_held() {
    let mut world = World::new(&policy("estimate"), None);
    let at = admit(&mut world, "gone", Some(300));
    check(&settle(&mut world, at, failed(504), &["gone/m"], false), Truth::Estimated, bill(10, 300), 640_000);
}

#[test]
fn words_that_only_a_newer_release_knows_do_not_lose_a_settlement() {
    let text = r#"{"call": "c", "end": {"bill": {"input": 1, "cached_input": 0, "output": 2}, "cost": 5, "truth": "divined"},
        "silent": ["p/m"], "more": true}"#;
    let settlement: tollgate::wire::Settlement = serde_json::from_str(text).unwrap();
    assert_eq!((settlement.end.truth, settlement.cut), (Truth::Counted, false));
    let words = r#""estimated""#;
    let truth: Truth = serde_json::from_str(words).unwrap();
    assert_eq!(serde_json::to_string(&truth).unwrap(), words);
}
