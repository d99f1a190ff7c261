//! Every list has a maximum that is told, what is at its maximum works, and what limits count has one whatever the traffic.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "a test may fail loudly"
)]

use serde_json::{Map, Value, json};
use tollgate::catalog::{Catalog, DOCUMENT_BYTES_MAX};
use tollgate::fields::Field;
use tollgate::key::{KeyId, TenantId};
use tollgate::limits::{Caller, Limits, Load};
use tollgate::operator::{TenantRecord, refuse};
use tollgate::policy::{Per, Policy};
use tollgate::units::{Millis, NanoUsd, Tokens};

const NOW: Millis = Millis::new(1_763_985_590_000);

fn policy(document: &Value) -> Result<Policy, String> {
    Policy::read(&Field::root("policy", document), Per::Tenant).map_err(|invalid| invalid.to_string())
}

fn many<T>(count: usize, one: impl Fn(usize) -> T) -> Vec<T> {
    (0..count).map(one).collect()
}

/// What is told of a list with one entry more than may be.
fn told(got: Result<impl Sized, String>, path: &str, max: usize) {
    let got = got.err().unwrap();
    let expected = format!("{path}: must have at most {max} entries; it has {}", max + 1);
    assert!(got.starts_with(&expected), "{got}");
}

#[test]
fn a_policy_has_so_many_limits_and_patterns_and_says_so() {
    let limit = |number: usize| json!({"name": format!("l{number}"), "what": "requests", "window": "60s", "max": 1});
    let models = |count: usize| json!(many(count, |number| format!("m{number}")));
    assert!(policy(&json!({"limits": many(32, limit), "models": models(64), "passthrough": models(64)})).is_ok());
    told(policy(&json!({"limits": many(33, limit)})), "policy.limits", 32);
    told(policy(&json!({"models": models(65)})), "policy.models", 64);
    told(policy(&json!({"passthrough": models(65)})), "policy.passthrough", 64);
    let wide = json!({"what": "requests", "window": "60s", "max": 1, "models": models(65)});
    told(policy(&json!({"limits": [wide]})), "policy.limits[0].models", 64);
    let long = policy(&json!({"limits": [{"name": "x".repeat(65), "what": "concurrency", "max": 1}]})).err().unwrap();
    assert!(long.contains("must have 1 to 64 bytes; it has 65"), "{long}");
    for (days, good) in
        [(json!(1), true), (json!(3_650), true), (json!(0), false), (json!(3_651), false), (json!("9"), false)]
    {
        assert_eq!(policy(&json!({"ledger_days": days})).is_ok(), good, "{days}");
    }
    let own = Policy::read(&Field::root("policy", &json!({"ledger_days": 9})), Per::Key).unwrap_err().to_string();
    assert!(own.contains("put it into the tenant's"), "{own}");
}

#[test]
fn a_policy_reads_back_as_it_was_written_with_the_days_of_its_ledger() {
    for document in [json!({}), json!({"ledger_days": 30})] {
        let read = policy(&document).unwrap();
        assert_eq!(policy(&read.document()).unwrap(), read);
        assert_eq!(
            read.document().get("ledger_days"),
            document.get("ledger_days"),
            "unsaid, a release before can read it"
        );
    }
    let large = json!({"id": "acme", "policy": {"limits": many(32, |number| json!({
        "name": format!("l{number}"), "what": "requests", "window": "60s", "max": 1, "models": many(5, |_| "x".repeat(256))
    }))}});
    let got = TenantRecord::read(&large, NOW).unwrap_err().to_string();
    assert!(got.contains("must have at most 32768 bytes"), "{got}");
}

fn catalog(providers: usize, models: usize, targets: usize, prices: usize) -> Value {
    let target = |number: usize| json!({"provider": format!("p{}", number % providers), "model": format!("t{number}")});
    let named = |count: usize, name: &dyn Fn(usize) -> String, one: &dyn Fn(usize) -> Value| {
        Value::Object((0..count).map(|number| (name(number), one(number))).collect::<Map<_, _>>())
    };
    json!({
        "providers": named(providers, &|number| format!("p{number}"), &|_| json!({"dialect": "openai", "base_url": "http://p/v1"})),
        "models": named(models, &|number| format!("m{number}"), &|number| json!({"targets": many(targets, |nth| target(number * targets + nth))})),
        "prices": named(prices, &|number| format!("p{}/t{number}*", number % providers), &|_| json!({"input": "1"})),
    })
}

#[test]
fn a_catalog_has_so_many_providers_models_targets_and_prices_and_says_so() {
    let read = |document: &Value| Catalog::read(document, 1).map_err(|invalid| invalid.to_string());
    let full = catalog(128, 2_000, 3, 4_000);
    assert!(full.to_string().len() <= DOCUMENT_BYTES_MAX, "it fits into one document");
    let full = read(&full).unwrap();
    let target = &full.models["m1999"].targets[2];
    assert_eq!(target.name(), "p111/t5999");
    // The longest name that covers it counts, found in no more steps than it has letters.
    assert_eq!(full.own_price("p46/t2222", NOW).unwrap().0.price.rates.input.get(), 1_000_000_000);
    assert!(full.own_price("p46/t222x", NOW).is_none() && full.own_price("p46/t2222x", NOW).is_some());
    told(read(&catalog(129, 1, 1, 1)), "catalog.providers", 128);
    told(read(&catalog(1, 2_001, 1, 1)), "catalog.models", 2_000);
    told(read(&catalog(1, 1, 9, 1)), "catalog.models[\"m0\"].targets", 8);
    told(read(&catalog(1, 1, 1, 4_001)), "catalog.prices", 4_000);
    let long = json!({"providers": {"x".repeat(257): {"dialect": "openai", "base_url": "http://p"}}, "models": {}});
    assert!(read(&long).err().unwrap().contains("a provider's name has 1 to 256"));
}

#[test]
fn a_refusal_says_how_many_keys_there_would_be_and_what_their_policies_would_take() {
    let tenant = TenantId::parse("acme").unwrap();
    let keys = refuse::too_many_keys(&tenant, 10_001, 10_000);
    assert_eq!((keys.status, keys.retry), (409, Some(false)));
    assert!(keys.message.contains("would have 10001 keys; at most 10000"), "{}", keys.message);
    let policies = refuse::policies_too_large(&tenant, 30_000_000, 25_165_824);
    assert!(policies.message.contains("30000000 bytes of memory together; at most 25165824"), "{}", policies.message);
}

/// A tenant's limits with keys `k0` to `k{count - 1}`, each call of which is one request.
fn limits(document: &Value, count: usize) -> (Limits, Vec<KeyId>) {
    let policy = policy(&json!({"limits": document})).unwrap();
    let keys = many(count, |number| KeyId::parse(&format!("k{number}")).unwrap());
    (Limits::new(&policy.limits, keys.iter().map(|key| (key, [].as_slice()))), keys)
}

fn call(limits: &mut Limits, key: &KeyId, at: Millis) {
    limits.reserve(at, at, Caller { key, model: "m" }, &Load::used(Tokens::new(1), Tokens::new(1), NanoUsd::new(1)));
}

#[test]
fn a_key_that_made_no_call_holds_no_counts_and_one_whose_windows_are_empty_lets_go_of_them() {
    let (mut limits, keys) = limits(&json!([{"what": "requests", "per": "key", "window": "60s", "max": 9}]), 1_000);
    limits.counted();
    assert_eq!(limits.active_keys(), 0);
    keys.iter().take(500).for_each(|key| call(&mut limits, key, NOW));
    limits.sweep(NOW);
    assert_eq!(limits.active_keys(), 500);
    let later = NOW.plus(Millis::from_secs(61));
    keys.iter().skip(500).for_each(|key| call(&mut limits, key, later));
    limits.sweep(later);
    assert_eq!(limits.active_keys(), 500, "those of before are let go of");
    assert_eq!(limits.standings(later, &keys[0])[0].settled.get(), 0);
    assert_eq!(limits.standings(later, &keys[999])[0].settled.get(), 1);
}

#[test]
fn rolling_windows_have_so_many_cells_at_most_and_never_count_less_for_it() {
    let (mut limits, keys) = limits(&json!([{"what": "requests", "per": "key", "window": "1h", "max": 1_000_000}]), 40);
    let calls = 30_000_u64;
    for number in 0..calls {
        let at = NOW.plus(Millis::new(number * 100));
        keys.iter().for_each(|key| call(&mut limits, key, at));
        if number % 100 == 0 {
            limits.sweep(at);
        }
    }
    assert!(limits.cells() <= 1_010_000, "{} cells", limits.cells());
    let counted = |limits: &mut Limits, at: u64| limits.standings(NOW.plus(Millis::new(at)), &keys[0])[0].settled.get();
    assert_eq!(counted(&mut limits, calls * 100), calls);
    // Half an hour later half of them have left the window, or a few less.
    let left = counted(&mut limits, 3_600_000 + calls * 50);
    assert!((calls / 2..calls / 2 + 100).contains(&left), "{left} of {calls}");
    assert_eq!(counted(&mut limits, 3_600_000 + calls * 100 + 60), 0, "and in the end all have");
}
