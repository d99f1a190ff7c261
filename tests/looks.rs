//! A tenant's looks at itself: each is from memory, shows as much at most, and there are so many of them at most.
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
use tollgate::dialect::Dialect;
use tollgate::key::KeyId;
use tollgate::refusal::Refusal;
use tollgate::rows::{CallKey, Grain, Sums, UsageKey};
use tollgate::tenant::{Edit, Tenant};
use tollgate::units::Millis;
use tollgate::wire::{Denial, Look};

fn id(key: &str) -> KeyId {
    KeyId::parse(key).unwrap()
}

fn look(world: &mut World, key: &str) -> Option<Millis> {
    let hash = world.ask("c", key, 1, None).hash;
    match world.tenant.look(world.now, &Look { key: id(key), hash, origin: None }) {
        Ok(()) => None,
        Err(Denial::LooksLimited { wait }) => Some(wait),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn a_key_looks_a_minutes_worth_at_once_and_then_as_time_goes_by() {
    let mut world = World::new(&json!({}), None);
    for _ in 0..600 {
        assert_eq!(look(&mut world, "a"), None);
    }
    assert_eq!(look(&mut world, "a"), Some(Millis::new(100)));
    assert_eq!(look(&mut world, "b"), None, "the other key is not in its way");
    world.now = world.now.plus(Millis::new(99));
    assert_eq!(look(&mut world, "a"), Some(Millis::new(1)));
    world.now = world.now.plus(Millis::new(1));
    assert_eq!((look(&mut world, "a"), look(&mut world, "a")), (None, Some(Millis::new(100))));
    world.now = world.now.plus(Millis::from_secs(60));
    assert!((0..600).all(|_| look(&mut world, "a").is_none()), "all of it comes back");
    assert_eq!(world.write(), 0, "and it is no row");
}

#[test]
fn all_keys_together_look_five_times_as_often_as_one() {
    let mut world = World::new(&json!({}), None);
    let record = world.tenant.config().keys[&id("a")].clone();
    let keys: Vec<String> = (0..6).map(|number| format!("k{number}")).collect();
    world.change(Edit { keys: keys.iter().map(|key| (id(key), record.clone())).collect(), ..Edit::default() });
    let looks = keys.iter().map(|key| (0..600).filter(|_| look(&mut world, key).is_none()).count());
    assert_eq!(looks.sum::<usize>(), 3_000);
}

#[test]
fn a_look_too_many_is_refused_in_the_callers_dialect_and_says_when_to_come_back() {
    let refusal = Refusal::denied(Denial::LooksLimited { wait: Millis::new(100) }, "");
    assert_eq!((refusal.status, refusal.code, refusal.retry), (429, Some("rate_limit_exceeded"), Some(true)));
    assert!(refusal.headers().contains(&("retry-after", "1".to_owned())));
    let said: Value = serde_json::from_str(&refusal.body(Dialect::Anthropic, "req")).unwrap();
    assert_eq!((&said["type"], &said["error"]["type"]), (&json!("error"), &json!("rate_limit_error")));
    assert!(said["error"]["message"].as_str().unwrap().contains("600 times a minute"), "{said}");
}

#[test]
fn an_answer_shows_the_dearest_models_and_keys_and_the_sum_of_the_others() {
    let mut world = World::new(&json!({}), None);
    let sums = |cost: i64| Sums { calls: 1, cost, input: 3, ..Sums::default() };
    for number in 0..1_000 {
        let cost = if number == 0 { 0 } else { 1_000_000 + number };
        let key = if number == 0 { id("a") } else { id(&format!("k{number}")) };
        let usage = UsageKey { grain: Grain::Lifetime, start: Millis::ZERO, key, model: format!("m{}", number % 300) };
        world.rows.usage.insert(usage, sums(cost));
    }
    world.restart();
    let usage = world.tenant.usage(world.now, &id("a"));
    let period = &usage["periods"]["lifetime"];
    let count = |name: &str| period[name].as_object().unwrap().len();
    assert_eq!((count("models"), count("keys")), (200, 200));
    assert_eq!(period["keys"]["a"]["calls"], 1, "the asking key stands among them");
    assert!(period["keys"]["k999"].is_object() && period["keys"]["k1"].is_null());
    for (shown, others) in [("models", "other_models"), ("keys", "other_keys")] {
        for field in ["calls", "input_tokens"] {
            let all = period[shown].as_object().unwrap().values().chain([&period[others]]);
            assert_eq!(
                all.map(|part| part[field].as_i64().unwrap()).sum::<i64>(),
                period["total"][field].as_i64().unwrap()
            );
        }
    }
    assert!(usage.to_string().len() < 100_000, "{}", usage.to_string().len());
    assert!(usage["periods"]["month"]["other_keys"].is_null(), "where nothing is left out nothing is said");
}

#[test]
fn what_is_shown_is_of_the_periods_that_are_open_now() {
    let mut world = World::new(&json!({"lease": "1m"}), None);
    let ask = world.ask("c1", "a", 40, Some(100));
    let at = world.admit(&ask).unwrap().at;
    world.settle("c1", Some(at), 10, 100);
    let calls = |tenant: &mut Tenant, now: Millis| {
        let usage = tenant.usage(now, &id("a"));
        ["hour", "day", "week", "month", "lifetime"]
            .map(|period| usage["periods"][period]["total"]["calls"].as_i64().unwrap())
    };
    let hours = |count: u64| Millis::from_secs(3_600 * count);
    assert_eq!(calls(&mut world.tenant, world.now), [1; 5]);
    world.now = world.now.plus(hours(1));
    world.tenant.flush(world.now, true);
    world.write();
    assert!(world.rows.flushed > CallKey::default(), "usage rows hold it");
    for (wait, expected) in [(0, [0, 1, 1, 1, 1]), (24, [0, 0, 1, 1, 1]), (24 * 7, [0, 0, 0, 0, 1])] {
        let now = world.now.plus(hours(wait));
        assert_eq!(calls(&mut world.tenant, now), expected, "after {wait} h");
        let config = world.tenant.config().clone();
        assert_eq!(calls(&mut Tenant::restore(now, config.clone(), world.rows.read(&config, now)), now), expected);
    }
}
