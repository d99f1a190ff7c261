//! Keys that have ended leave the object, and what they used stays counted; what all keys may take of it has a maximum.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "a test may fail loudly"
)]

mod support;

use serde_json::json;
use support::World;
use tollgate::fields::Field;
use tollgate::key::KeyId;
use tollgate::policy::{Per, Policy};
use tollgate::tenant::{Edit, KeyRecord, Taken};
use tollgate::units::Millis;
use tollgate::wire::Denial;

const HOUR: u64 = 3_600_000;

fn id(key: &str) -> KeyId {
    KeyId::parse(key).unwrap()
}

fn record(world: &World) -> KeyRecord {
    world.tenant.config().keys[&id("b")].clone()
}

fn tell(world: &mut World, key: &str, record: KeyRecord) {
    world.change(Edit { keys: vec![(id(key), record)], ..Edit::default() });
}

fn denial(world: &mut World, key: &str) -> Denial {
    let ask = world.ask("refused", key, 40, Some(10));
    world.admit(&ask).unwrap_err()
}

/// The object's alarm at the moment that it asks for; whether it has nothing more to wait for.
fn alarm(world: &mut World) -> bool {
    world.now = world.now.max(world.tenant.next_alarm().unwrap());
    world.tenant.expire(world.now);
    world.tenant.flush(world.now, true);
    world.write();
    world.tenant.next_alarm().is_none()
}

fn money(lease: &str) -> serde_json::Value {
    json!({"lease": lease, "limits": [
        {"name": "all", "what": "cost", "window": "month", "max": "1"},
        {"name": "each", "what": "requests", "per": "key", "window": "month", "max": 3},
        {"name": "hourly", "what": "requests", "window": "1h", "max": 100},
    ]})
}

#[test]
fn a_revoked_key_leaves_hours_after_its_end_and_what_it_used_stays_counted() {
    let mut world = World::new(&money("1m"), None);
    let ask = world.ask("c1", "a", 40, Some(100));
    let at = world.admit(&ask).unwrap().at;
    world.settle("c1", Some(at), 10, 100);
    let (revoked_at, used) = (Some(world.now), world.standings("b")[0].clone());
    let revoked = KeyRecord { revoked_at, ..record(&world) };
    tell(&mut world, "a", revoked.clone());
    assert_eq!(denial(&mut world, "a"), Denial::KeyRevoked);
    let leaves_at = world.tenant.next_alarm().unwrap();
    assert!(leaves_at >= world.now.plus(Millis::new(2 * HOUR)) && leaves_at.get().is_multiple_of(HOUR), "{leaves_at}");

    assert!(alarm(&mut world), "and no alarm is left");
    assert_eq!(world.rows.gone, [id("a")]);
    assert_eq!(denial(&mut world, "a"), Denial::KeyUnknown);
    assert_eq!(world.standings("b")[0], used, "the tenant's money is spent");
    let usage = world.tenant.usage(world.now, &id("b"));
    assert_eq!(usage["periods"]["month"]["keys"]["a"]["calls"], 1);
    assert_eq!(usage["periods"]["month"], {
        world.restart();
        world.tenant.usage(world.now, &id("b"))["periods"]["month"].clone()
    });

    tell(&mut world, "a", revoked);
    assert_eq!(denial(&mut world, "a"), Denial::KeyUnknown, "what is told of it late does not bring it back");
    assert_eq!(world.tenant.config().keys.len(), 1);
}

#[test]
fn a_key_stays_as_long_as_a_call_of_it_is_under_way() {
    let mut world = World::new(&money("1h"), None);
    let ask = world.ask("c1", "a", 40, Some(100));
    let at = world.admit(&ask).unwrap().at;
    let revoked = KeyRecord { revoked_at: Some(world.now), ..record(&world) };
    tell(&mut world, "a", revoked);
    for _ in 0..10 {
        world.now = world.now.plus(Millis::new(HOUR / 3));
        world.amend("c1", at, tollgate::units::Tokens::new(1), None);
        world.tenant.flush(world.now, true);
        world.write();
    }
    assert!(world.tenant.config().keys.contains_key(&id("a")) && world.rows.gone.is_empty());
    world.settle("c1", Some(at), 10, 100);
    while !alarm(&mut world) {}
    assert_eq!(world.rows.gone, [id("a")]);
}

#[test]
fn an_expired_key_leaves_and_comes_back_with_its_counts_where_its_end_is_moved() {
    let mut world = World::new(&money("1m"), None);
    let expires_at = Some(world.now.plus(Millis::new(1_000)));
    let short = KeyRecord { expires_at, ..record(&world) };
    tell(&mut world, "a", short);
    for call in ["c1", "c2"] {
        let ask = world.ask(call, "a", 40, Some(100));
        let at = world.admit(&ask).unwrap().at;
        world.settle(call, Some(at), 10, 100);
    }
    world.now = world.now.plus(Millis::new(1_000));
    assert_eq!(denial(&mut world, "a"), Denial::KeyExpired);
    while !alarm(&mut world) {}
    assert_eq!(denial(&mut world, "a"), Denial::KeyUnknown);
    let again = record(&world);
    tell(&mut world, "a", again);
    assert_eq!(world.standings("a")[1], ("each".to_owned(), 2, 0), "two of three are made");
    let ask = world.ask("c3", "a", 40, Some(100));
    world.admit(&ask).unwrap();
    assert!(matches!(denial(&mut world, "a"), Denial::Limited { .. }));
}

#[test]
fn what_the_keys_take_is_known_whatever_is_edited_and_after_a_restart() {
    let mut world = World::new(&json!({}), None);
    let limit = json!({"name": "own", "what": "requests", "window": "60s", "max": 1, "models": ["gpt-*"]});
    let policy = Policy::read(&Field::root("policy", &json!({"limits": [limit]})), Per::Key).unwrap();
    let (bare, own) = (record(&world), KeyRecord { policy: Some(policy.clone()), ..record(&world) });
    assert_eq!(world.tenant.taken_with(&id("c"), &own), Taken { keys: 3, policy_bytes: policy.bytes() });
    tell(&mut world, "c", own.clone());
    tell(&mut world, "a", own.clone());
    for _ in 0..2 {
        assert_eq!(world.tenant.taken_with(&id("a"), &own), Taken { keys: 3, policy_bytes: 2 * policy.bytes() });
        assert_eq!(world.tenant.taken_with(&id("a"), &bare), Taken { keys: 3, policy_bytes: policy.bytes() });
        world.restart();
    }
    let revoked = KeyRecord { revoked_at: Some(world.now), ..own };
    tell(&mut world, "c", revoked);
    while !alarm(&mut world) {}
    assert_eq!(world.tenant.taken_with(&id("a"), &bare), Taken { keys: 2, policy_bytes: 0 });
}

#[test]
fn old_rows_are_needed_as_long_as_the_policy_keeps_them_or_a_call_is_under_way() {
    let days = |count: u64| Millis::from_secs(86_400 * count);
    let mut world = World::new(&json!({"ledger_days": 3, "lease": "1m"}), None);
    let ask = world.ask("c1", "a", 40, Some(100));
    let at = world.admit(&ask).unwrap().at;
    let first = world.now;
    world.now = world.now.plus(days(5));
    assert!(world.tenant.ledger_begins(world.now) <= at, "it is under way");
    world.expire();
    assert!(world.tenant.ledger_begins(world.now) <= at, "no usage row holds it");
    world.now = world.now.plus(days(1));
    world.tenant.flush(world.now, true);
    world.write();
    assert_eq!(world.tenant.ledger_begins(world.now).millis(), world.now.minus(days(3)));
    assert!(world.tenant.ledger_begins(first.plus(days(3))) <= at, "no day too early");
    let policy = Policy::read(&Field::root("policy", &json!({})), Per::Tenant).unwrap();
    assert_eq!(policy.ledger_keeps(), days(400));
}
