//! Calls with an `Idempotency-Key`: however they are repeated, one of them is made and billed.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "a test may fail loudly"
)]

mod support;

use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;
use support::World;
use support::names::name;
use tollgate::idempotency::{ANSWER_BYTES_MAX, COMING_BYTES_MAX, Followed, Following, KEPT_BYTES_MAX, Last};
use tollgate::rows::CallKey;
use tollgate::units::Millis;
use tollgate::wire::{Denial, Reply};

/// Of the policies here: a leader may be silent for so long.
const LEASE: Millis = Millis::from_secs(10);
const DAY: Millis = Millis::from_secs(24 * 3_600);

fn world() -> World {
    World::new(
        &json!({"lease": "10s", "limits": [{"name": "calls", "what": "requests", "window": "lifetime", "max": 1_000_000}]}),
        None,
    )
}

/// Asks as `call` for key `a`; what came of it, in a word.
fn ask(world: &mut World, call: &str, name: &str, body: &str) -> String {
    match world.ask_named(&world.named(call, "a", name, body)) {
        Reply::Admitted(_) => "leads".to_owned(),
        Reply::Follow(Following { call, .. }) => format!("follows {call}"),
        Reply::Denied(denial) => format!("{denial:?}"),
        Reply::Settled | Reply::Barred { .. } => panic!("an ask is answered"),
    }
}

fn stands(world: &mut World, call: &str, of: &str) -> Followed {
    let at = world.rows.calls.values().find(|row| row.call == call).unwrap().at;
    world.follow(&Following { name: name("a", of), at, call: call.to_owned() })
}

/// Runs `story` as it is, and again with a restart between any two of its events.
fn with_and_without_restarts(story: impl Fn(&mut World, &dyn Fn(&mut World))) {
    story(&mut world(), &|_| ());
    story(&mut world(), &World::restart);
}

#[test]
fn a_name_is_led_once_then_followed_then_replayed_for_a_day() {
    with_and_without_restarts(|world, then| {
        let start = world.now;
        assert_eq!(ask(world, "c1", "n", "x"), "leads");
        then(world);
        assert_eq!(ask(world, "c1", "n", "x"), "leads", "it asks again: its reply was lost");
        then(world);
        assert_eq!(ask(world, "c2", "n", "x"), "follows c1");
        assert_eq!(ask(world, "c3", "n", "y"), "NameTaken");
        then(world);
        world.publish(&name("a", "n"), "c1", 700, None);
        then(world);
        assert!(matches!(stands(world, "c1", "n"), Followed::Wait(_)));
        world.publish(&name("a", "n"), "c1", 300, Some(Last::Kept));
        then(world);
        world.settle("c1", None, 10, 10);
        then(world);
        let head = "200\ncontent-type\ntext/plain".to_owned();
        assert_eq!(stands(world, "c1", "n"), Followed::Stored(head));
        assert_eq!(world.rows.names.answers.values().sum::<u64>(), 1_000);
        world.now = start.plus(DAY).minus(Millis::new(1));
        assert_eq!(ask(world, "c4", "n", "x"), "follows c1");
        then(world);
        assert_eq!(ask(world, "c5", "n", "y"), "NameTaken");
        world.now = start.plus(DAY);
        assert_eq!(ask(world, "c6", "n", "y"), "leads");
        assert_eq!(world.rows.names.names.len(), 1, "the old row is gone");
        assert_eq!(world.rows.names.answers.len(), 0, "and its answer");
        assert_eq!(world.usage().calls, 1);
    });
}

#[test]
fn a_call_for_which_nobody_was_billed_frees_its_name() {
    with_and_without_restarts(|world, then| {
        for failure in ["published", "settled", "both"] {
            let call = |nth: u32| format!("{failure}-{nth}");
            assert_eq!(ask(world, &call(1), "n", "x"), "leads");
            then(world);
            if failure != "settled" {
                let published = world.publish(&name("a", "n"), &call(1), 90, Some(Last::Failed));
                assert!(published.take && published.store.is_none());
                then(world);
            }
            if failure != "published" {
                world.fail(&call(1), 502);
                then(world);
            }
            assert_eq!(stands(world, &call(1), "n"), Followed::Gone);
            assert!(world.rows.names.names.is_empty(), "{failure}");
            assert_eq!(ask(world, &call(2), "n", "another body"), "leads");
            world.fail(&call(2), 0);
        }
    });
}

#[test]
fn a_refusal_leaves_no_name_behind() {
    let limits = json!([{"name": "at-once", "what": "concurrency", "max": 1}]);
    let mut world = World::new(&json!({"lease": "10s", "limits": limits}), None);
    assert_eq!(ask(&mut world, "c1", "n", "x"), "leads");
    assert!(ask(&mut world, "c2", "m", "x").starts_with("Limited"));
    assert_eq!(world.rows.names.names.len(), 1);
    assert_eq!(ask(&mut world, "c3", "n", "x"), "follows c1", "a follower holds no slot");
    world.settle("c1", None, 1, 1);
    assert_eq!(ask(&mut world, "c4", "m", "y"), "leads");
}

#[test]
fn names_belong_to_the_api_key_and_ask_for_a_good_one() {
    let mut world = world();
    assert_eq!(ask(&mut world, "c1", "n", "x"), "leads");
    let mut other = world.named("c2", "b", "n", "another body");
    assert!(matches!(world.ask_named(&other), Reply::Admitted(_)));
    other.key = tollgate::key::KeyId::parse("stranger").unwrap();
    assert!(matches!(world.ask_named(&other), Reply::Denied(Denial::KeyUnknown)));
    let mut config = world.tenant.config().clone();
    config.keys.get_mut(&name("a", "n").key).unwrap().revoked_at = Some(world.now);
    world.tenant = tollgate::tenant::Tenant::restore(world.now, config.clone(), world.rows.read(&config, world.now));
    assert_eq!(ask(&mut world, "c3", "n", "x"), "KeyRevoked");
}

#[test]
fn a_leader_that_is_silent_for_its_lease_is_gone_and_one_that_is_heard_of_is_not() {
    let mut world = world();
    assert_eq!(ask(&mut world, "c1", "n", "x"), "leads");
    for _ in 0..100 {
        world.now = world.now.plus(LEASE).minus(Millis::new(1));
        assert_eq!(ask(&mut world, "f", "n", "x"), "follows c1", "though its lease is over");
        assert!(!world.publish(&name("a", "n"), "c1", 0, None).stop);
    }
    world.now = world.now.plus(LEASE).minus(Millis::new(1));
    assert_eq!(stands(&mut world, "c1", "n"), Followed::Wait(Millis::new(1)));
    world.now = world.now.plus(Millis::new(1));
    assert_eq!(stands(&mut world, "c1", "n"), Followed::Gone);
    assert_eq!(ask(&mut world, "c2", "n", "another body"), "leads");
    assert!(world.publish(&name("a", "n"), "c1", 9, Some(Last::Kept)).stop, "it comes too late");
    assert_eq!(ask(&mut world, "c3", "n", "another body"), "follows c2");
    world.restart();
    assert_eq!(ask(&mut world, "c4", "n", "another body"), "follows c2", "who knows when it was heard of");
    world.now = world.now.plus(LEASE);
    assert_eq!(ask(&mut world, "c5", "n", "another body"), "leads");
}

#[test]
fn an_answer_that_is_billed_and_not_kept_is_never_made_again() {
    with_and_without_restarts(|world, then| {
        // Too large.
        assert_eq!(ask(world, "c1", "n", "x"), "leads");
        assert!(!world.publish(&name("a", "n"), "c1", ANSWER_BYTES_MAX, None).full);
        assert!(world.publish(&name("a", "n"), "c1", 1, None).full);
        assert_eq!((ask(world, "f", "n", "x"), stands(world, "c1", "n")), ("AnswerNotKept".into(), Followed::NotKept));
        assert!(world.publish(&name("a", "n"), "c1", ANSWER_BYTES_MAX + 1, Some(Last::Kept)).full);
        then(world);
        assert_eq!((ask(world, "f", "n", "x"), stands(world, "c1", "n")), ("AnswerNotKept".into(), Followed::NotKept));
        assert_eq!(ask(world, "f", "n", "y"), "NameTaken");
        // Never told.
        assert_eq!(ask(world, "c2", "m", "x"), "leads");
        then(world);
        world.settle("c2", None, 5, 5);
        then(world);
        assert_eq!(ask(world, "f", "m", "x"), "AnswerNotKept");
        // Not stored.
        assert_eq!(ask(world, "c3", "o", "x"), "leads");
        let at = world.publish(&name("a", "o"), "c3", 5, Some(Last::Kept)).store.unwrap();
        world.tenant.not_stored(at);
        world.write();
        then(world);
        assert_eq!(ask(world, "f", "o", "x"), "AnswerNotKept");
        assert!(world.rows.names.answers.is_empty());
    });
}

#[test]
fn what_comes_and_what_is_kept_is_bounded() {
    let mut world = world();
    let parts = 10;
    let part = ANSWER_BYTES_MAX / parts;
    let most = COMING_BYTES_MAX / part;
    for nth in 0..=most {
        let call = format!("coming-{nth}");
        assert_eq!(ask(&mut world, &call, &call, "x"), "leads");
        assert_eq!(world.publish(&name("a", &call), &call, part, None).full, nth == most, "{nth} of {most}");
    }
    for nth in 0..most {
        let call = format!("coming-{nth}");
        assert!(world.publish(&name("a", &call), &call, 0, Some(Last::Failed)).take);
    }
    for nth in 0..KEPT_BYTES_MAX / ANSWER_BYTES_MAX * 2 {
        let call = format!("kept-{nth}");
        assert_eq!(ask(&mut world, &call, &call, "x"), "leads");
        assert!(world.publish(&name("a", &call), &call, ANSWER_BYTES_MAX, Some(Last::Kept)).store.is_some());
        assert!(world.rows.names.answers.values().sum::<u64>() <= KEPT_BYTES_MAX);
        assert_eq!(ask(&mut world, "f", &call, "x"), format!("follows {call}"));
    }
    assert_eq!(ask(&mut world, "f", "kept-0", "x"), "AnswerNotKept");
    // A day later all of it goes, a few with every call.
    world.now = world.now.plus(DAY).plus(Millis::new(1));
    for nth in 0..20 {
        assert_eq!(ask(&mut world, &format!("new-{nth}"), &format!("new-{nth}"), "x"), "leads");
    }
    assert_eq!((world.rows.names.names.len(), world.rows.names.answers.len()), (20, 0));
}

#[test]
fn answers_go_after_a_day_though_nobody_calls_any_more() {
    let mut world = world();
    let start = world.now;
    for nth in 0..100 {
        let call = format!("c{nth}");
        assert_eq!(ask(&mut world, &call, &call, "x"), "leads");
        world.publish(&name("a", &call), &call, 9, Some(Last::Kept));
        world.settle(&call, None, 1, 1);
    }
    world.restart();
    let mut alarms = 0;
    while let Some(at) = world.tenant.next_alarm() {
        assert_eq!(at, start.plus(DAY).plus(Millis::new(1)));
        world.now = at;
        world.tenant.expire(at);
        world.tenant.flush(at, true);
        world.write();
        alarms += 1;
    }
    assert_eq!((alarms, world.rows.names.names.len(), world.rows.names.answers.len()), (2, 0, 0));
}

#[derive(Clone, Debug)]
enum Step {
    Ask { key: usize, name: usize, body: usize },
    Publish { call: usize, bytes: u64, last: Option<Last> },
    Settle { call: usize, status: u16 },
    Wait(u64),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let last = prop_oneof![3 => Just(None), 2 => Just(Some(Last::Kept)), 1 => Just(Some(Last::Failed))];
    prop_oneof![
        6 => (0..2_usize, 0..3_usize, 0..2_usize).prop_map(|(key, name, body)| Step::Ask { key, name, body }),
        6 => (0..6_usize, 0..3_000_000_u64, last).prop_map(|(call, bytes, last)| Step::Publish { call, bytes, last }),
        3 => (0..6_usize, prop::sample::select(vec![200_u16, 200, 400, 502, 0]))
            .prop_map(|(call, status)| Step::Settle { call, status }),
        2 => prop::sample::select(vec![1_u64, 900, 9_999, 10_000, 3_600_000, 86_400_000]).prop_map(Step::Wait),
        1 => Just(Step::Restart),
    ]
}

/// What the test itself knows of a name: its leader, and whether it can be led again.
#[derive(Clone, Debug)]
struct Led {
    call: String,
    body: usize,
    at: Millis,
    heard: Millis,
    /// It was answered and billed.
    billed: bool,
    free: bool,
}

const KEYS: [&str; 2] = ["a", "b"];
const NAMES: [&str; 3] = ["n1", "n2", "n3"];
const BODIES: [&str; 2] = ["x", "y"];

#[derive(Default)]
struct Known {
    led: BTreeMap<(usize, usize), Led>,
    /// The calls that were admitted, newest last, and their name.
    calls: Vec<(String, (usize, usize))>,
}

impl Known {
    fn call(&self, back: usize) -> Option<(String, (usize, usize))> {
        self.calls.iter().rev().nth(back).cloned()
    }
}

fn play(world: &mut World, known: &mut Known, nth: usize, step: &Step) {
    match *step {
        Step::Wait(ms) => world.now = world.now.plus(Millis::new(ms)),
        Step::Restart => {
            world.restart();
            known.led.values_mut().for_each(|led| led.heard = world.now);
        }
        Step::Ask { key, name, body } => {
            let call = format!("c{nth}");
            let reply = world.ask_named(&world.named(&call, KEYS[key], NAMES[name], BODIES[body]));
            let led = known.led.get(&(key, name)).filter(|led| {
                let silent = !led.billed && led.heard.plus(LEASE) <= world.now;
                led.at.plus(DAY) > world.now && !led.free && !silent
            });
            match (led, reply) {
                (None, Reply::Admitted(_)) => {
                    let led =
                        Led { call: call.clone(), body, at: world.now, heard: world.now, billed: false, free: false };
                    known.led.insert((key, name), led);
                    known.calls.push((call, (key, name)));
                }
                (Some(led), Reply::Follow(following)) => assert_eq!((led.body, &led.call), (body, &following.call)),
                (Some(led), Reply::Denied(Denial::NameTaken)) => assert_ne!(led.body, body),
                (Some(led), Reply::Denied(Denial::AnswerNotKept)) => assert_eq!(led.body, body),
                (led, reply) => panic!("{led:?} is known, and the reply is {reply:?}"),
            }
        }
        Step::Publish { call, bytes, last } => {
            let Some((call, of)) = known.call(call) else { return };
            let published = world.publish(&name(KEYS[of.0], NAMES[of.1]), &call, bytes, last);
            let leads = |led: &&mut Led| led.call == call && !led.billed && !led.free && led.at.plus(DAY) > world.now;
            let led = known.led.get_mut(&of).filter(leads);
            assert_eq!(published.stop, led.is_none(), "{call}: {led:?}");
            if let Some(led) = led {
                led.heard = world.now;
                led.billed = last == Some(Last::Kept);
                led.free = last == Some(Last::Failed);
            }
        }
        Step::Settle { call, status } => {
            let Some((call, of)) = known.call(call) else { return };
            if status == 200 {
                world.settle(&call, None, 1, 1);
            } else {
                world.fail(&call, status);
            }
            if let Some(led) = known.led.get_mut(&of).filter(|led| led.call == call && !led.billed && !led.free) {
                (led.billed, led.free) = (status == 200, status != 200);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn a_name_is_led_again_only_when_nobody_was_billed_or_nobody_is_there(steps in prop::collection::vec(step(), 1..60)) {
        let (mut world, mut known) = (world(), Known::default());
        for (nth, step) in steps.iter().enumerate() {
            play(&mut world, &mut known, nth, step);
            let rows = &world.rows.names;
            prop_assert!(rows.answers.keys().all(|at| rows.names.contains_key(at)), "an answer has a row");
            prop_assert!(rows.names.len() <= NAMES.len() * KEYS.len());
        }
        // What one bill was paid for: every call that was settled as answered is in the ledger once.
        let places: Vec<CallKey> = world.rows.calls.keys().copied().collect();
        prop_assert_eq!(places.len(), known.calls.len());
    }
}
