//! What happens to calls, told as tables: each line is a moment (seconds), an event and what came of it.
//!
//! The model `m` costs 1 USD for a million tokens of input and 2 USD for output, and answers at most
//! 1,000 tokens. A call of 40 bytes holds 10 tokens of input, and money for 40.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "a test may fail loudly"
)]

mod support;

use serde_json::{Value, json};
use support::{START, World};
use tollgate::limits::Cause;
use tollgate::price::Price;
use tollgate::units::{Millis, Tokens};
use tollgate::wire::Denial;

/// Plays the lines of `table` against `policy`; each ends with what came of it.
#[track_caller]
fn play(policy: &Value, table: &str) {
    let mut world = World::new(policy, None);
    let mut places = std::collections::HashMap::new();
    for line in table.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (seconds, millis) = words[0].split_once('.').unwrap_or((words[0], "0"));
        world.now = Millis::new(
            START + seconds.parse::<u64>().unwrap() * 1_000 + format!("{millis:0<3}").parse::<u64>().unwrap(),
        );
        let arrow = words.iter().position(|word| *word == "->").unwrap_or(words.len());
        let expected = words.get(arrow + 1..).unwrap_or_default().join(" ");
        let got = event(&mut world, &mut places, &words[1..arrow]);
        assert_eq!(got, expected, "{line}");
    }
}

fn event(
    world: &mut World,
    places: &mut std::collections::HashMap<String, tollgate::rows::CallKey>,
    words: &[&str],
) -> String {
    let number = |name: &str| {
        let at = words.iter().position(|word| *word == name)?;
        words.get(at + 1)?.parse::<u64>().ok()
    };
    match words[0] {
        "ask" => {
            let (key, call) = words[1].split_once('/').unwrap();
            let mut ask = world.ask(call, key, number("bytes").unwrap_or(40), number("out"));
            ask.choices = number("n").unwrap_or(1);
            ask.shape.prediction_bytes = number("predicts").unwrap_or(0);
            if words.contains(&"free") {
                ask.model = "free".to_owned();
            }
            match world.admit(&ask) {
                Ok(admission) => {
                    places.insert(call.to_owned(), admission.at);
                    let changed = admission.output_cap.filter(|cap| Some(*cap) != ask.output_cap);
                    changed.map_or("ok".to_owned(), |cap| format!("cap {cap}"))
                }
                Err(denial) => denied(&denial),
            }
        }
        "settle" => {
            world.settle(words[1], places.get(words[1]).copied(), number("in").unwrap(), number("out").unwrap());
            String::new()
        }
        "restart" => {
            world.restart();
            String::new()
        }
        "limit" => {
            world.expire();
            let (key, name) = words[1].split_once('/').unwrap();
            let standings = world.standings(key);
            let (_, settled, held) = standings.iter().find(|(limit, ..)| limit == name).unwrap();
            format!("{settled} + {held}")
        }
        other => panic!("no such event: {other}"),
    }
}

fn denied(denial: &Denial) -> String {
    let Denial::Limited { blocks, affordable, .. } = denial else {
        return format!("{denial:?}");
    };
    let one = |block: &tollgate::limits::Block| {
        let cause = match block.cause {
            Cause::Busy => "busy",
            Cause::Reserved => "reserved",
            Cause::Rate => "rate",
            Cause::Exhausted => "exhausted",
            Cause::Never => "never",
        };
        let wait = block.wait.map(|wait| format!(" {}s", wait.as_secs_ceil())).unwrap_or_default();
        format!("{cause} {}{wait}", block.name)
    };
    let blocks: Vec<String> = blocks.iter().map(one).collect();
    let affordable = affordable.map(|left: Tokens| format!(" afford {left}")).unwrap_or_default();
    blocks.join(", ") + &affordable
}

#[test]
fn a_rolling_window_lets_go_of_a_call_exactly_a_window_after_it() {
    let policy = json!({"limits": [{"name": "rpm", "what": "requests", "per": "key", "window": "60s", "max": 2}]});
    play(
        &policy,
        "0       ask a/c1        -> ok
         30      ask a/c2        -> ok
         31      ask a/c3        -> rate rpm 29s
         31      ask b/c4        -> ok
         59.999  ask a/c5        -> rate rpm 1s
         60      ask a/c6        -> ok
         60      ask a/c7        -> rate rpm 30s
         60      limit a/rpm     -> 2 + 0
         60      restart
         60      ask a/c8        -> rate rpm 30s
         120     limit a/rpm     -> 0 + 0",
    );
}

#[test]
fn a_budget_is_reserved_and_what_is_not_used_comes_back() {
    // 40 bytes and 100 tokens of output hold 240,000 nano-USD.
    let policy =
        json!({"limits": [{"name": "money", "what": "cost", "window": "day", "max": "0.0005"}], "lease": "30s"});
    play(
        &policy,
        "0    ask a/c1 out 100           -> ok
         0    ask a/c2 out 100           -> ok
         1    ask a/c3 out 100           -> reserved money 29s afford 0
         1    limit a/money              -> 0 + 480000
         2    settle c1 in 10 out 20
         2    limit a/money              -> 50000 + 240000
         2    ask a/c3 out 100           -> reserved money 28s afford 85
         3    settle c2 in 10 out 100
         3    ask a/c4 out 100           -> ok
         3    settle c4 in 10 out 100
         3    limit a/money              -> 470000 + 0
         3    ask a/c5 out 100           -> exhausted money 43207s afford 0",
    );
}

#[test]
fn a_call_that_is_never_settled_ends_with_its_lease_and_may_still_be_corrected() {
    let policy = json!({"limits": [
        {"name": "money", "what": "cost", "window": "month", "max": "1"},
        {"name": "slots", "what": "concurrency", "max": 1}
    ], "lease": "30s"});
    play(
        &policy,
        "0     ask a/c1 out 100         -> ok
         1     ask a/c2 out 100         -> busy slots 29s
         1     restart
         29    limit a/slots            -> 0 + 1
         30    limit a/slots            -> 0 + 0
         30    limit a/money            -> 240000 + 0
         31    settle c1 in 10 out 5
         31    limit a/money            -> 20000 + 0
         31    settle c1 in 10 out 90
         31    limit a/money            -> 20000 + 0
         99    restart
         99    settle c1 in 10 out 90
         99    limit a/money            -> 20000 + 0",
    );
}

#[test]
fn output_is_fitted_to_what_every_limit_has_left() {
    let policy = json!({"limits": [
        {"name": "tokens", "what": "tokens", "window": "60s", "max": 1000},
        {"name": "out", "what": "output_tokens", "window": "60s", "max": 800}
    ], "fit_min": 100});
    play(
        &policy,
        "0    ask a/c1                   -> cap 800
         1    settle c1 in 10 out 300
         1    ask a/c2 out 900           -> cap 500
         2    settle c2 in 10 out 450
         2    ask a/c3 out 900           -> rate out 58s afford 50
         2    ask a/c4 out 50            -> ok
         2    limit a/out                -> 750 + 50
         60   ask a/c5                   -> cap 300",
    );
}

#[test]
fn a_refusal_says_never_where_no_window_could_hold_the_call() {
    let policy = json!({"on_shortfall": "reject", "limits": [
        {"name": "tokens", "what": "tokens", "window": "60s", "max": 500},
        {"name": "input", "what": "input_tokens", "window": "60s", "max": 100}
    ]});
    play(
        &policy,
        "0    ask a/c1 out 600             -> never tokens afford 490
         0    ask a/c2 bytes 404 out 10    -> never input
         0    ask a/c3 out 100 n 5         -> never tokens afford 98
         0    ask a/c4 out 98 n 5          -> ok",
    );
}

#[test]
fn calendar_limits_start_anew_with_their_period() {
    // The tables begin ten seconds before a full hour.
    let policy = json!({"limits": [
        {"name": "hourly", "what": "requests", "window": "hour", "max": 1},
        {"name": "daily", "what": "requests", "window": "day", "max": 2}
    ]});
    play(
        &policy,
        "0     ask a/c1     -> ok
         1     ask a/c2     -> exhausted hourly 9s
         9.999 ask a/c3     -> exhausted hourly 1s
         10    ask a/c4     -> ok
         10    restart
         11    ask a/c5     -> exhausted hourly 3599s, exhausted daily 43199s
         3610  ask a/c6     -> exhausted daily 39600s",
    );
}

#[test]
fn a_budget_asks_for_a_price_and_a_rate_does_not() {
    play(&json!({"limits": [{"what": "requests", "window": "60s", "max": 9}]}), "0 ask a/c1 free -> ok");
    play(
        &json!({"limits": [{"what": "cost", "window": "day", "max": "1"}]}),
        "0 ask a/c1 free -> PriceUnknown { target: \"p/free\", no_default: false }",
    );
}

#[test]
fn what_a_call_predicts_is_held_as_output_beside_its_cap() {
    let policy =
        json!({"limits": [{"name": "budget", "what": "cost", "window": "lifetime", "max": "0.00114"}], "fit_min": 1});
    play(
        &policy,
        "0       ask a/c1 out 100 n 2 predicts 50    -> ok
         1       limit a/budget                      -> 0 + 640000
         2       ask a/c2 out 100 n 2 predicts 50    -> cap 65
         2       limit a/budget                      -> 0 + 1140000
         3       ask a/c2 out 100 n 2 predicts 50    -> cap 65
         4       settle c1 in 40 out 300             ->
         5       limit a/budget                      -> 640000 + 500000",
    );
}

#[test]
fn an_unknown_price_does_what_the_keys_policy_says_or_else_the_tenants() {
    let budget =
        |unknown: &str| json!({"limits": [{"what": "cost", "window": "day", "max": "1"}], "unknown_price": unknown});
    for (tenant, key, missing) in [
        ("reject", None, Some(false)),
        ("default", None, Some(true)),
        ("track_only", None, None),
        ("reject", Some("track_only"), None),
        ("track_only", Some("default"), Some(true)),
    ] {
        let key = key.map(|unknown| json!({ "unknown_price": unknown }));
        let mut world = World::new(&budget(tenant), key.as_ref());
        let mut ask = world.ask("c1", "a", 40, None);
        ask.model = "free".to_owned();
        let got = world.admit(&ask);
        match missing {
            None => {
                let hop = &got.unwrap().hops[0];
                assert_eq!((&hop.price, hop.priced_by.as_str()), (&Price::default(), ""));
            }
            Some(no_default) => {
                assert_eq!(got, Err(Denial::PriceUnknown { target: "p/free".to_owned(), no_default }));
            }
        }
    }
}
