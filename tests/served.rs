//! Services other than the standard one: what is held for a request that asks for them, and what is billed by what its answer
//! tells.
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
use tollgate::bound::Shape;
use tollgate::catalog::Catalog;
use tollgate::dialect::{Endpoint, Envelope};
use tollgate::price::Bill;
use tollgate::rows::End;
use tollgate::service::Service;
use tollgate::units::{Millis, NanoUsd, Tokens};
use tollgate::wire::{Admission, Amend, AnsweredBy, Ask, Settlement};

/// `priced` has prices for some services and a search, `plain` for none; `either` may be answered by both.
fn catalog() -> Catalog {
    let model = |targets: &[&str]| {
        let target = |provider: &&str| json!({"provider": provider, "model": "m"});
        let targets: Vec<Value> = targets.iter().map(target).collect();
        json!({"targets": targets, "max_output": 1000, "max_input": 1000, "unbounded_reserve": "0.05"})
    };
    let document = json!({
        "providers": {
            "priced": {"dialect": "openai", "base_url": "http://p/v1"}, "plain": {"dialect": "openai", "base_url": "http://q/v1"},
            "pictures": {"dialect": "openai", "base_url": "http://r/v1"}
        },
        "models": {"priced": model(&["priced"]), "plain": model(&["plain"]), "either": model(&["priced", "plain"])},
        "prices": {
            "priced/m": {"input": "1", "output": "10", "search": "0.01", "variants": {
                "priority": {"input": "2", "output": "20"}, "flex": {"multiply": "0.5"}, "fast": {"multiply": "6"}
            }},
            "plain/m": {"input": "1", "output": "10"},
            "pictures/images/*": {"input": "5", "output": "40", "request": "0.01", "variants": {"high": {"request": "0.17"}}}
        }
    });
    Catalog::read(&document, 3).unwrap()
}

fn world() -> World {
    let policy =
        json!({"passthrough": ["*"], "limits": [{"name": "money", "what": "cost", "window": "day", "max": "100.00"}]});
    let mut world = World::new(&policy, None);
    let mut config = world.tenant.config().clone();
    config.catalog = catalog();
    world.configure(config);
    world
}

fn shape(endpoint: Endpoint, more: &str) -> Shape {
    let body = format!(r#"{{"model":"m","max_tokens":9,"messages":[]{more}}}"#);
    Envelope::read(endpoint, body.as_bytes()).unwrap().shape
}

fn ask(world: &World, model: &str, shape: Shape) -> Ask {
    Ask { model: model.to_owned(), shape, ..world.ask("c", "a", 0, None) }
}

/// What a thousand tokens in and a thousand out cost where the standard price is 11 thousandths of a dollar.
const STANDARD: u64 = 11_000_000;

#[test]
fn a_request_for_another_service_holds_what_that_may_cost() {
    let (chat, messages) = (Endpoint::Chat, Endpoint::Messages);
    let search = |more: &str| format!(r#","tools":[{{"type":"web_search_20250305","name":"web_search"{more}}}]"#);
    for (endpoint, model, more, held) in [
        (chat, "priced", String::new(), STANDARD),
        (chat, "priced", r#","service_tier":"auto""#.to_owned(), STANDARD),
        (chat, "priced", r#","service_tier":"flex""#.to_owned(), STANDARD),
        (chat, "priced", r#","service_tier":"priority""#.to_owned(), 2 * STANDARD),
        (chat, "priced", r#","service_tier":"PRIORITY""#.to_owned(), 2 * STANDARD),
        (chat, "priced", r#","service_tier":"default","service_tier":"priority""#.to_owned(), 2 * STANDARD),
        (chat, "priced", r#","service_tier":"priority","service_tier":"default""#.to_owned(), 2 * STANDARD),
        (chat, "priced", r#","service_tier":"priority","service_tier":"other""#.to_owned(), STANDARD + 50_000_000),
        (chat, "priced", r#","service_tier":"other""#.to_owned(), STANDARD + 50_000_000),
        (chat, "priced", r#","service_tier":7"#.to_owned(), STANDARD + 50_000_000),
        (chat, "plain", r#","service_tier":"priority""#.to_owned(), STANDARD + 50_000_000),
        (chat, "either", r#","service_tier":"priority""#.to_owned(), 2 * STANDARD + 50_000_000),
        (messages, "priced", r#","speed":"fast""#.to_owned(), 6 * STANDARD),
        (messages, "priced", r#","speed":"fast","service_tier":"priority""#.to_owned(), 12 * STANDARD),
        (messages, "priced", r#","inference_geo":"us""#.to_owned(), STANDARD + 50_000_000),
        (messages, "plain", r#","speed":"fast""#.to_owned(), STANDARD + 50_000_000),
        // What a search reads has no bound; how often it is made may have one.
        (chat, "priced", r#","web_search_options":{}"#.to_owned(), STANDARD + 60_000_000),
        (chat, "plain", r#","web_search_options":{}"#.to_owned(), STANDARD + 50_000_000),
        (messages, "priced", search(""), STANDARD + 50_000_000),
        (messages, "priced", search(r#","max_uses":3"#), STANDARD + 50_000_000),
        (messages, "priced", search(r#","max_uses":9"#), STANDARD + 90_000_000),
        (messages, "plain", search(r#","max_uses":9"#), STANDARD + 50_000_000),
        (messages, "priced", r#","container":"x","service_tier":"priority""#.to_owned(), 2 * STANDARD + 50_000_000),
    ] {
        let mut world = world();
        // Of any size: the model reads a thousand tokens.
        let shape = Shape { bytes: 5_000, ..shape(endpoint, &more) };
        let ask = ask(&world, model, shape);
        let admission = world.admit(&ask).unwrap();
        assert_eq!(world.rows.calls[&admission.at].held.cost.get(), held, "{model} {more}");
        assert_eq!(admission.hops[0].price, catalog().prices["plain/m"].0[0].price, "the front has the standard price");
    }
}

#[test]
fn a_hold_for_another_service_is_kept_while_its_call_runs() {
    let mut world = world();
    let shape = Shape { bytes: 5_000, ..shape(Endpoint::Chat, r#","service_tier":"priority""#) };
    let ask = ask(&world, "priced", shape);
    let at = world.admit(&ask).unwrap().at;
    let amend = Amend {
        at,
        call: "c".to_owned(),
        target: "priced/m".to_owned(),
        output: Tokens::new(10),
        usage: None,
        fixed: false,
    };
    world.tenant.amend(world.now, &amend);
    world.write();
    assert_eq!(world.rows.calls[&at].held.cost.get(), 2 * STANDARD);
    world.restart();
    assert_eq!(world.standings("a"), [("money".to_owned(), 0, 2 * STANDARD)]);
}

/// Settles as the front does: by the standard price, and with what the answer told.
fn settle(world: &mut World, admission: &Admission, hop: usize, asked: Service, told: Service) -> End {
    let hop = &admission.hops[hop];
    let bill = Bill::of(Tokens::new(1_000), Tokens::new(1_000));
    let (cost, priced_by, target) = (hop.price.cost(bill), hop.priced_by.clone(), hop.target.clone());
    let end = End { bill, cost, status: 200, priced_by, target, ..End::default() };
    let answered_by = AnsweredBy::of(hop, asked, told);
    let (at, attempts, call) = (Some(admission.at), Vec::new(), "c".to_owned());
    let settlement = Settlement { at, call, end, attempts, answered_by, ..Settlement::default() };
    world.tenant.settle(world.now, &settlement).unwrap();
    world.write();
    world.rows.calls[&admission.at].end.clone().unwrap()
}

fn service(told: Value) -> Service {
    serde_json::from_value(told).unwrap()
}

#[test]
fn a_call_is_billed_by_the_service_that_its_answer_tells() {
    let asked = |tier: &str| service(json!({"tier": tier}));
    let searches = |searches: u64| service(json!({"uses": [searches, 0, 0, 0, 0]}));
    for (model, hop, asked, told, cost, priced_by) in [
        ("priced", 0, asked(""), asked("default"), STANDARD, "catalog:3"),
        ("priced", 0, asked("priority"), asked("default"), STANDARD, "catalog:3"),
        ("priced", 0, asked("priority"), asked(""), 2 * STANDARD, "catalog:3/priority"),
        ("priced", 0, asked(""), asked("priority"), 2 * STANDARD, "catalog:3/priority"),
        ("priced", 0, asked("priority"), asked("flex"), STANDARD / 2, "catalog:3/flex"),
        ("priced", 0, asked(""), asked("batch"), STANDARD, "catalog:3"),
        ("priced", 0, asked(""), searches(2), STANDARD + 20_000_000, "catalog:3"),
        ("priced", 0, searches(1), asked("default"), STANDARD + 10_000_000, "catalog:3"),
        ("plain", 0, asked(""), asked("priority"), STANDARD + 50_000_000, "catalog:3+reserve"),
        ("plain", 0, asked("priority"), asked("flex"), STANDARD, "catalog:3"),
        ("plain", 0, asked(""), searches(50), STANDARD + 50_000_000, "catalog:3+reserve"),
        ("plain", 0, asked(""), service(json!({"cost": 20_000_000})), 20_000_000, "catalog:3+told"),
        ("either", 0, asked("priority"), asked("priority"), 2 * STANDARD, "catalog:3/priority"),
        ("either", 1, asked("priority"), asked("priority"), STANDARD + 50_000_000, "catalog:3+reserve"),
    ] {
        let mut world = world();
        let ask = ask(&world, model, Shape { service: asked, ..Shape::default() });
        let admission = world.admit(&ask).unwrap();
        let end = settle(&mut world, &admission, hop, asked, told);
        assert_eq!((end.cost.get(), end.priced_by.as_str()), (cost, priced_by), "{model}: {asked:?} {told:?}");
        assert_eq!(world.standings("a"), [("money".to_owned(), cost, 0)]);
    }
}

#[test]
fn an_ordinary_answer_needs_no_word_more_to_be_priced() {
    let mut world = world();
    let ask = ask(&world, "priced", Shape::default());
    let hop = world.admit(&ask).unwrap().hops.remove(0);
    for told in
        [json!({}), json!({"tier": "default"}), json!({"tier": "standard", "region": "global", "speed": "standard"})]
    {
        assert_eq!(AnsweredBy::of(&hop, Service::default(), service(told.clone())), None, "{told}");
    }
    let named = AnsweredBy::of(&hop, Service::default(), service(json!({"tier": "flex"}))).unwrap();
    assert_eq!((named.provider.as_str(), named.model.as_str()), ("priced", "m"));
}

#[test]
fn a_price_that_is_gone_meanwhile_is_billed_as_it_was_admitted() {
    for (told, cost, priced_by) in [
        (json!({"tier": "flex"}), STANDARD, "catalog:3"),
        (json!({"tier": "priority"}), STANDARD + 50_000_000, "catalog:3+reserve"),
    ] {
        let mut world = world();
        let ask = ask(&world, "priced", Shape::default());
        let admission = world.admit(&ask).unwrap();
        let mut config = world.tenant.config().clone();
        config.catalog.prices.clear();
        world.configure(config);
        let end = settle(&mut world, &admission, 0, Service::default(), service(told));
        assert_eq!((end.cost.get(), end.priced_by.as_str()), (cost, priced_by));
    }
}

#[test]
fn a_native_answer_is_billed_by_what_its_path_costs_for_the_quality_that_it_tells() {
    let catalog = catalog();
    for (told, cost, priced_by) in [
        (json!({}), 10_000_000 + 45_000_000, "catalog:3"),
        (json!({"quality": "low"}), 10_000_000 + 45_000_000, "catalog:3"),
        (json!({"quality": "high"}), 170_000_000 + 45_000_000, "catalog:3/high"),
    ] {
        let mut world = world();
        let (provider, path) = (Some("pictures".to_owned()), "images/generations".to_owned());
        let through = tollgate::wire::Through { provider, path: path.clone(), method: "POST".to_owned() };
        let ask = Ask { through: Some(through), output: false, ..world.ask("c", "a", 0, None) };
        let tollgate::wire::Reply::Admitted(admission) = world.tenant.ask(world.now, &ask) else { panic!() };
        world.write();
        assert_eq!(
            world.rows.calls[&admission.at].held.cost,
            NanoUsd::new(170_000_000),
            "the dearest quality is held for"
        );
        let (hop, bill) = (&admission.hops[0], Bill::of(Tokens::new(1_000), Tokens::new(1_000)));
        let end =
            End { bill, cost: hop.price.cost(bill), status: 200, priced_by: hop.priced_by.clone(), ..End::default() };
        let answered_by = AnsweredBy::of_path(hop, &path, None, service(told.clone()));
        let (at, attempts, call) = (Some(admission.at), Vec::new(), "c".to_owned());
        let settlement = Settlement { at, call, end, attempts, answered_by, ..Settlement::default() };
        world.tenant.settle(world.now, &settlement).unwrap();
        world.write();
        let end = world.rows.calls[&admission.at].end.clone().unwrap();
        assert_eq!((end.cost.get(), end.priced_by.as_str()), (cost, priced_by), "{told}");
    }
    assert!(catalog.model_price("pictures", "m", Millis::new(START)).is_none());
}
