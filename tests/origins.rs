//! Pages: which of them a tenant's and a key's policy let a key be used by.
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
use tollgate::wire::{Ask, Denial, Look, Reply};

const PAGE: &str = "https://app.example.com";
const OTHER: &str = "https://shop.example.org";

#[test]
fn a_page_may_use_a_key_where_its_policy_or_else_the_tenants_lets_it() {
    let only = |origins: &[&str]| json!({"allowed_origins": origins});
    let none = json!({});
    let nobody = only(&[]);
    let (page, other) = (only(&[PAGE]), only(&["https://*.example.org"]));
    for (tenant, key, allowed) in [
        (&none, None, [true, true, true]),
        (&page, None, [true, false, true]),
        (&page, Some(&none), [true, false, true]),
        (&page, Some(&other), [false, true, true]),
        (&none, Some(&page), [true, false, true]),
        (&nobody, None, [false, false, true]),
        (&nobody, Some(&page), [true, false, true]),
    ] {
        for (origin, allowed) in [Some(PAGE), Some(OTHER), None].into_iter().zip(allowed) {
            check(tenant, key, origin, allowed);
        }
    }
}

/// Checks whether calls and looks of `origin` are let through, and that a refusal writes nothing.
fn check(tenant: &Value, key: Option<&Value>, origin: Option<&str>, allowed: bool) {
    let mut world = World::new(tenant, key);
    let origin = origin.map(str::to_owned);
    let ask = Ask { origin: origin.clone(), ..world.ask("c", "a", 10, None) };
    let look = Look { key: ask.key.clone(), hash: ask.hash.clone(), origin: origin.clone() };
    let denial = || Denial::OriginNotAllowed(origin.clone().unwrap_or_default());
    match world.tenant.ask(world.now, &ask) {
        Reply::Admitted(_) => assert!(allowed, "{tenant} {key:?} {origin:?}"),
        Reply::Denied(got) => assert_eq!((allowed, got, world.write()), (false, denial(), 0), "{tenant} {key:?}"),
        reply => panic!("{reply:?}"),
    }
    let seen = world.tenant.check(world.now, &look);
    assert_eq!(seen.map(drop), if allowed { Ok(()) } else { Err(denial()) }, "{tenant} {key:?} {origin:?}");
}
