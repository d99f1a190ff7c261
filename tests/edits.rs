//! Limits that change under traffic: edited up and down, renamed, added, raised for a time. No count ever starts anew.
//!
//! The model `m` costs 1 USD for a million tokens of input and 2 USD for output. A call of 40 bytes holds 10 tokens of input
//! in a rolling window and 40 in a calendar one, and money for 40.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "a test may fail loudly"
)]

mod support;

use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::HashMap;
use support::{START, World};
use tollgate::fields::Field;
use tollgate::key::KeyId;
use tollgate::limits::{Block, Cause};
use tollgate::policy::{Per, Policy};
use tollgate::refusal::Refusal;
use tollgate::rows::CallKey;
use tollgate::tenant::Edit;
use tollgate::units::Millis;
use tollgate::wire::Denial;

/// What an administrator's call does: another policy is in force.
fn edit(world: &mut World, policy: &Value) {
    world.expire();
    let policy = Policy::read(&Field::root("policy", policy), Per::Tenant).unwrap();
    world.change(Edit { tenant: Some((true, policy)), ..Edit::default() });
}

/// The instant `seconds` after the beginning, as policies write it.
fn instant(seconds: u64) -> String {
    Millis::new(START + seconds * 1_000).to_rfc3339().unwrap()
}

fn blocks(denial: Denial) -> Vec<Block> {
    match denial {
        Denial::Limited { blocks, .. } => blocks,
        other => panic!("{other:?}"),
    }
}

/// Plays a table: each line is a moment (seconds), an event and what came of it. `edit` puts the named policy in force.
#[track_caller]
fn play(policies: &[(&str, Value)], table: &str) {
    let mut world = World::new(&policies[0].1, None);
    let mut places: HashMap<String, CallKey> = HashMap::new();
    for line in table.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (event, expected) = line.split_once("->").unwrap_or((line, ""));
        let words: Vec<&str> = event.split_whitespace().collect();
        let (seconds, millis) = words[0].split_once('.').unwrap_or((words[0], "0"));
        let millis = format!("{millis:0<3}").parse::<u64>().unwrap();
        world.now = Millis::new(START + seconds.parse::<u64>().unwrap() * 1_000 + millis);
        let number = |at: usize| words.get(at).and_then(|word| word.parse::<u64>().ok());
        let got = match words[1] {
            "edit" => {
                edit(&mut world, &policies.iter().find(|(name, _)| *name == words[2]).unwrap().1);
                String::new()
            }
            "ask" => {
                let ask = world.ask(words[2], "a", 40, number(3));
                match world.admit(&ask).map(|admission| places.insert(words[2].to_owned(), admission.at)) {
                    Ok(_) => "ok".to_owned(),
                    Err(denial) => blocks(denial).iter().map(told).collect::<Vec<_>>().join(", "),
                }
            }
            "settle" => {
                world.settle(words[2], places.get(words[2]).copied(), number(3).unwrap(), number(4).unwrap());
                String::new()
            }
            "limit" => {
                world.expire();
                let usage = world.tenant.usage(world.now, &KeyId::parse("a").unwrap());
                let limit = usage["limits"].as_array().unwrap().iter().find(|one| one["name"] == words[2]).unwrap();
                let shown = |name: &str| limit[name].to_string().replace('"', "");
                let raised = if limit["increase"].is_null() { "" } else { " raised" };
                format!(
                    "{} + {} of {}{raised}, {} left",
                    shown("used"),
                    shown("held"),
                    shown("max"),
                    shown("remaining")
                )
            }
            other => panic!("no such event: {other}"),
        };
        assert_eq!(got, expected.trim(), "{line}");
    }
}

fn told(block: &Block) -> String {
    let wait = block.wait.map(|wait| format!(" {}s", wait.as_secs_ceil())).unwrap_or_default();
    format!("{:?} {}{wait}", block.cause, block.name).to_lowercase()
}

fn one(limit: Value) -> Value {
    json!({"limits": [limit], "lease": "1h"})
}

#[test]
fn a_limit_lowered_below_what_is_used_refuses_until_the_window_moves_and_raised_it_admits_at_once() {
    let rpm = |max: u64| one(json!({"name": "rpm", "what": "requests", "window": "60s", "max": max}));
    play(
        &[("three", rpm(3)), ("one", rpm(1)), ("none", rpm(0)), ("four", rpm(4))],
        "0    ask c1     -> ok
         10   ask c2     -> ok
         20   ask c3     -> ok
         30   edit one
         30   limit rpm  -> 3 + 0 of 1, 0 left
         30   ask c4     -> rate rpm 50s
         40   edit four
         40   limit rpm  -> 3 + 0 of 4, 1 left
         40   ask c5     -> ok
         40   ask c6     -> rate rpm 20s
         41   edit none
         41   ask c7     -> never rpm
         42   edit one
         79.999 ask c8   -> rate rpm 21s
         99.999 ask c9   -> rate rpm 1s
         100  ask c10    -> ok",
    );
}

#[test]
fn a_budget_edited_under_way_keeps_what_is_used_and_what_is_held() {
    let money = |max: &str| one(json!({"name": "money", "what": "cost", "window": "day", "max": max}));
    play(
        &[("small", money("0.0005")), ("less", money("0.0003")), ("more", money("0.001"))],
        "0    ask c1 100        -> ok
         0    ask c2 100        -> ok
         1    settle c1 10 100
         1    limit money       -> 0.00021 + 0.00024 of 0.0005, 0.00005 left
         2    edit less
         2    limit money       -> 0.00021 + 0.00024 of 0.0003, 0 left
         2    ask c3 1          -> reserved money 3598s
         3    settle c2 10 100
         3    limit money       -> 0.00042 + 0 of 0.0003, 0 left
         3    ask c3 1          -> exhausted money 43207s
         4    edit more
         4    ask c3 250        -> ok
         4    limit money       -> 0.00042 + 0.00054 of 0.001, 0.00004 left",
    );
}

#[test]
fn concurrency_lowered_waits_for_the_calls_under_way() {
    let slots = |max: u64| one(json!({"name": "slots", "what": "concurrency", "max": max}));
    play(
        &[("two", slots(2)), ("one", slots(1))],
        "0    ask c1       -> ok
         0    ask c2       -> ok
         1    edit one
         1    ask c3       -> busy slots 3599s
         2    settle c1 10 5
         2    ask c3       -> busy slots 3598s
         3    settle c2 10 5
         3    ask c3       -> ok
         4    edit two
         4    ask c4       -> ok",
    );
}

#[test]
fn a_limit_that_is_renamed_or_added_counts_what_its_window_has_seen() {
    let before = one(json!({"name": "rpm", "what": "requests", "window": "60s", "max": 9}));
    let after = json!({"lease": "1h", "limits": [
        {"name": "per-minute", "what": "requests", "window": "60s", "max": 3},
        {"name": "tpm", "what": "tokens", "per": "key", "window": "60s", "max": 1000},
        {"name": "hourly", "what": "output_tokens", "window": "hour", "max": 1000},
        {"name": "daily", "what": "requests", "window": "day", "max": 5},
        {"name": "weekly", "what": "input_tokens", "window": "week", "max": 1000},
        {"name": "ever", "what": "cost", "window": "lifetime", "max": "1"},
        {"name": "slots", "what": "concurrency", "max": 5},
        {"name": "others", "what": "requests", "models": ["free"], "window": "day", "max": 5},
    ]});
    // The tables begin ten seconds before a full hour.
    play(
        &[("before", before), ("after", after)],
        "0    ask c1 100        -> ok
         1    settle c1 10 50
         20   ask c2 100        -> ok
         21   settle c2 10 30
         22   ask c3 100        -> ok
         65   edit after
         65   limit per-minute  -> 2 + 0 of 3, 1 left
         65   limit tpm         -> 40 + 110 of 1000, 850 left
         65   limit hourly      -> 30 + 100 of 1000, 870 left
         65   limit daily       -> 3 + 0 of 5, 2 left
         65   limit weekly      -> 20 + 40 of 1000, 940 left
         65   limit ever        -> 0.00018 + 0.00024 of 1, 0.99958 left
         65   limit slots       -> 0 + 1 of 5, 4 left
         65   limit others      -> 0 + 0 of 5, 5 left
         65   ask c4 10         -> ok
         65   ask c5 10         -> rate per-minute 15s
         66   settle c3 10 1
         66   limit ever        -> 0.000192 + 0.00006 of 1, 0.999748 left",
    );
}

#[test]
fn an_increase_holds_up_to_its_end_and_nothing_is_reset_by_it() {
    let daily = |increase: Value| {
        one(json!({"name": "daily", "what": "requests", "window": "day", "max": 2, "increase": increase}))
    };
    play(
        &[
            ("plain", daily(Value::Null)),
            ("raised", daily(json!({"max": 4, "until": instant(100)}))),
            ("longer", daily(json!({"max": 4, "until": instant(90_000)}))),
            ("over", daily(json!({"max": 40, "until": instant(0)}))),
        ],
        "0    ask c1        -> ok
         0    ask c2        -> ok
         1    ask c3        -> exhausted daily 43209s
         2    edit raised
         2    limit daily   -> 2 + 0 of 4 raised, 2 left
         2    ask c3        -> ok
         99.999 limit daily -> 3 + 0 of 4 raised, 1 left
         100  limit daily   -> 3 + 0 of 2, 0 left
         100  ask c4        -> exhausted daily 43110s
         101  edit over
         101  ask c4        -> exhausted daily 43109s
         102  edit longer
         102  ask c4        -> ok
         102  ask c5        -> exhausted daily 43108s
         103  edit plain
         103  limit daily   -> 4 + 0 of 2, 0 left
         43209.999 ask c5   -> exhausted daily 1s
         43210 ask c5       -> ok",
    );
}

#[test]
fn whether_a_call_ever_fits_is_decided_by_what_is_in_force_when_it_could() {
    // The increase is over before the window has moved, and then 500 tokens are the most.
    let tokens = |until: u64| {
        let increase = json!({"max": 1000, "until": instant(until)});
        let limit = json!({"name": "out", "what": "output_tokens", "window": "60s", "max": 500, "increase": increase});
        json!({"limits": [limit], "lease": "1h", "on_shortfall": "reject"})
    };
    play(
        &[("short", tokens(30)), ("long", tokens(90))],
        "0    ask c0 1000    -> ok
         0    settle c0 10 600
         1    ask c1 1000    -> never out
         1    ask c1 401     -> rate out 59s
         1    ask c1 501     -> never out
         1    ask c1 500     -> rate out 59s
         1    ask c1 400     -> ok
         1    ask c2 501     -> never out
         1    ask c2 301     -> reserved out 3600s
         2    settle c1 10 0
         3    edit long
         3    ask c2 1000    -> rate out 57s
         60   ask c2 1000    -> ok
         61   settle c2 10 700
         89   ask c3 300     -> ok
         89.9 ask c4 300     -> reserved out 3600s
         89.9 ask c4 400     -> rate out 31s
         90   settle c3 10 300
         90   ask c4 400     -> rate out 59s",
    );
}

#[derive(Clone, Debug)]
enum Step {
    Ask { cap: u64 },
    Settle { which: usize, part: u64 },
    Wait(u64),
    Edit { max: u64, increase: Option<(u64, u64)>, lease: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let increase = prop::option::of((1_u64..600, 1_u64..120));
    let step = prop_oneof![
        8 => (1_u64..400).prop_map(|cap| Step::Ask { cap }),
        6 => (0_usize..9, 0_u64..=4).prop_map(|(which, part)| Step::Settle { which, part }),
        4 => prop_oneof![0_u64..50, 0_u64..30_000].prop_map(Step::Wait),
        2 => (100_u64..800, increase, 1_u64..100).prop_map(|(max, increase, lease)| Step::Edit { max, increase, lease }),
    ];
    prop::collection::vec(step, 1..60)
}

fn edited(now: Millis, max: u64, increase: Option<(u64, u64)>, lease: u64) -> Value {
    let until = |seconds: u64| now.plus(Millis::from_secs(seconds)).to_rfc3339().unwrap();
    let raised = |own: u64| increase.map(|(by, seconds)| json!({"max": own + by, "until": until(seconds)}));
    let money = |nano: u64| format!("0.{:09}", nano * 2_000);
    let budget = increase.map(|(by, seconds)| json!({"max": money(max + by), "until": until(seconds)}));
    let (requests, output, slots) = (max / 40, max * 2, max / 50);
    json!({"lease": format!("{lease}s"), "fit_min": 1, "on_shortfall": "reject", "limits": [
        {"name": "rpm", "what": "requests", "window": "60s", "max": requests, "increase": raised(requests)},
        {"name": "out", "what": "output_tokens", "window": "60s", "max": output, "increase": raised(output)},
        {"name": "money", "what": "cost", "window": "hour", "max": money(max), "increase": budget},
        {"name": "slots", "what": "concurrency", "max": slots, "increase": raised(slots)},
    ]})
}

/// What must be true of a refusal: `world` is as it was when it was refused.
fn check_refusal(world: &mut World, cap: u64, denial: Denial) {
    let open: Vec<Millis> = world.tenant.calls().0.map(|row| row.lease_ends.minus(world.now)).collect();
    let refused = blocks(denial.clone());
    for block in refused.iter().filter(|block| matches!(block.cause, Cause::Reserved | Cause::Busy)) {
        assert_eq!(block.wait, open.iter().min().copied(), "until the first lease ends");
    }
    let refusal = Refusal::denied(denial, "m");
    if refusal.code == Some("budget_reserved") {
        let wait = refusal.retry_after.unwrap();
        assert!(refusal.retry == Some(true) && wait <= Millis::from_secs(60));
        assert!(open.iter().all(|lease| wait <= *lease), "no longer than its neighbours' leases: {wait} of {open:?}");
    }
    if !open.is_empty() {
        return;
    }
    // Where nothing is under way each limit can be held to its word: no sooner, and then at once; or never.
    let ask = world.ask("later", "a", 40, Some(cap));
    let now = world.now;
    let refuses_at = |name: &str, wait: Millis| {
        let answer = world.tenant.clone().admit(now.plus(wait), &ask);
        answer.map_or_else(blocks, |_| Vec::new()).iter().any(|block| block.name == name)
    };
    for block in &refused {
        match block.wait {
            Some(wait) => {
                assert!(refuses_at(&block.name, wait.minus(Millis::new(1))), "all of the wait is needed: {block:?}");
                assert!(!refuses_at(&block.name, wait), "and it is enough: {block:?}");
            }
            None => {
                assert_eq!(block.cause, Cause::Never);
                let waits = [0, 1, 59, 61, 119, 121, 3_600].map(Millis::from_secs);
                assert!(waits.into_iter().all(|wait| refuses_at(&block.name, wait)), "{block:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn edits_keep_every_count_and_no_call_is_admitted_above_what_is_in_force(steps in steps()) {
        let mut world = World::new(&edited(Millis::new(START), 500, None, 30), None);
        let mut calls: Vec<(String, CallKey, u64)> = Vec::new();
        for (number, step) in steps.iter().enumerate() {
            match *step {
                Step::Wait(ms) => world.now = world.now.plus(Millis::new(ms)),
                Step::Settle { which, part } if !calls.is_empty() => {
                    let (call, at, output) = calls.remove(which % calls.len());
                    world.settle(&call, Some(at), 10, output * part / 4);
                }
                Step::Settle { .. } => {}
                Step::Edit { max, increase, lease } => {
                    world.expire();
                    let before = world.standings("a");
                    let policy = edited(world.now, max, increase, lease);
                    edit(&mut world, &policy);
                    prop_assert_eq!(world.standings("a"), before);
                }
                Step::Ask { cap } => {
                    let call = format!("c{number}");
                    let ask = world.ask(&call, "a", 40, Some(cap));
                    match world.admit(&ask) {
                        Err(denial) => check_refusal(&mut world, cap, denial),
                        Ok(admission) => {
                            let now = world.now.max(admission.at.millis());
                            for one in world.tenant.standings(now, &ask.key) {
                                let sum = one.settled.plus(one.held);
                                prop_assert!(sum <= one.limit.max_at(now), "{}: {} of {}", one.limit.name, sum, one.max);
                            }
                            calls.push((call, admission.at, admission.output_cap.unwrap().get()));
                        }
                    }
                }
            }
        }
    }
}
