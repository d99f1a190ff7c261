//! Native calls and what a provider keeps: whose a path and a body may name, what goes on behind an answer, what a look costs.
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
use tollgate::catalog::Catalog;
use tollgate::dialect::Dialect;
use tollgate::price::Bill;
use tollgate::reach::{Reach, of_json};
use tollgate::refusal::Refusal;
use tollgate::rows::{CallKey, End, Truth};
use tollgate::units::{Millis, NanoUsd, Tokens};
use tollgate::wire::{Admission, Ask, Heard, Reply, Settlement, Through};

const MONEY: &str = r#"{"name": "money", "what": "cost", "window": "day", "max": "1"}"#;

/// A tenant that may pass on anything to `p`, an account that all share, and to `own`, which nobody else does.
fn world() -> World {
    let limits: Value = serde_json::from_str(MONEY).unwrap();
    let mut world = World::new(&json!({"passthrough": ["*"], "limits": [limits]}), None);
    let mut config = world.tenant.config().clone();
    let document = json!({
        "providers": {
            "p": {"dialect": "openai", "base_url": "http://p/v1"},
            "own": {"dialect": "openai", "base_url": "http://own/v1", "shared": false},
        },
        "models": {"m": {"targets": [{"provider": "p", "model": "m"}]}},
        "prices": {
            "p/*": {"input": "1", "output": "10"}, "own/*": {"input": "1", "output": "10"},
            "p/messages/batches": {"input": "0", "request": "0.25"}, "p/looked/*": {"request": "0.01", "input": "5"},
        },
    });
    config.catalog = Catalog::read(&document, 5).unwrap();
    world.configure(config);
    world
}

/// Asks as the object does: with what its rows know of the ids that are named.
fn pass(world: &mut World, provider: &str, method: &str, path: &str, body: &str) -> Result<Admission, Box<Refusal>> {
    let through = Through { provider: Some(provider.to_owned()), path: path.to_owned(), method: method.to_owned() };
    let call = format!("c{}", world.rows.calls.len());
    let reach = of_json(body.as_bytes());
    let ask = Ask { model: String::new(), through: Some(through), reach, ..world.ask(&call, "a", 0, None) };
    let ids = world.tenant.kept_ids(&ask);
    let known = world.rows.kept.keys().filter(|(id, _)| ids.contains(id)).cloned().collect();
    let ask = Ask { reach: Reach { owned: known, ..ask.reach.clone() }, ..ask };
    let reply = world.tenant.ask(world.now, &ask);
    world.write();
    match reply {
        Reply::Admitted(admission) => Ok(admission),
        Reply::Barred { denial, .. } => Err(Box::new(Refusal::denied(denial, ""))),
        other => panic!("{other:?}"),
    }
}

/// Ends a call whose answer told of these ids.
fn settle(world: &mut World, admission: &Admission, kept: &[&str]) {
    let call = world.rows.calls[&admission.at].call.clone();
    let end = End { status: 200, target: admission.hops[0].target.clone(), ..End::default() };
    let kept = kept.iter().map(|id| (*id).to_owned()).collect();
    let settlement = Settlement { at: Some(admission.at), call, end, kept, ..Settlement::default() };
    world.tenant.settle(world.now, &settlement).unwrap();
    world.write();
}

#[test]
fn a_thing_is_its_tenants_own_once_an_answer_told_of_it_and_still_after_a_restart() {
    let mut world = world();
    for (method, path, body, id) in [
        ("GET", "files/file-1", "", "file-1"),
        ("GET", "v1/files/file-1/content", "", "file-1"),
        ("DELETE", "files/file-1", "", "file-1"),
        ("GET", "responses/resp_1/input_items", "", "resp_1"),
        ("POST", "responses/resp_1/cancel", "", "resp_1"),
        ("POST", "vector_stores/vs_1/search", "{}", "vs_1"),
        ("GET", "audio/voices/voice_1", "", "voice_1"),
        ("GET", "v1beta/cachedContents/c1", "", "cachedContents/c1"),
        ("DELETE", "models/ft:m:1", "", "ft:m:1"),
        ("POST", "responses", r#"{"model":"m","previous_response_id":"resp_2"}"#, "resp_2"),
        ("POST", "images/edits", r#"{"images":[{"file_id":"file-2"}]}"#, "file-2"),
        (
            "POST",
            "conversations",
            r#"{"items":[{"type":"message","content":[{"type":"input_file","file_id":"file-3"}]}]}"#,
            "file-3",
        ),
    ] {
        let refusal = pass(&mut world, "p", method, path, body);
        if !world.rows.kept.contains_key(&(id.to_owned(), "p".to_owned())) {
            let refusal = refusal.unwrap_err();
            assert_eq!(refusal.status, 404, "{method} {path}");
            assert!(refusal.message.contains("\"shared\": false"), "{}", refusal.message);
            let made = pass(&mut world, "p", "POST", "files", "").unwrap();
            settle(&mut world, &made, &[id]);
        }
        world.restart();
        let admission = pass(&mut world, "p", method, path, body).unwrap();
        settle(&mut world, &admission, &[]);
        let own = pass(&mut world, "own", method, path, body).unwrap();
        settle(&mut world, &own, &[]);
    }
    assert!(pass(&mut world, "p", "GET", "files/file-of-another", "").is_err());
}

#[test]
fn what_lists_what_all_have_or_governs_the_account_is_for_nobody_who_shares_it() {
    let mut world = world();
    for (method, path) in [
        ("GET", "files"),
        ("GET", "v1/batches"),
        ("GET", "audio/voices"),
        ("GET", "organization/costs"),
        ("POST", "realtime/client_secrets"),
        ("POST", "keys"),
    ] {
        let refusal = pass(&mut world, "p", method, path, "").unwrap_err();
        assert_eq!((refusal.status, refusal.code), (403, Some("passthrough_not_allowed")), "{method} {path}");
        let own = pass(&mut world, "own", method, path, "").unwrap();
        settle(&mut world, &own, &[]);
    }
    assert!(pass(&mut world, "p", "GET", "models", "").is_ok());
}

#[test]
fn work_behind_the_answer_needs_a_price_of_its_path() {
    let mut world = world();
    for (provider, path, body) in [
        ("p", "batches", "{}"),
        ("own", "v1/fine_tuning/jobs", "{}"),
        ("own", "threads/thread_1/runs", "{}"),
        ("own", "models/veo:predictLongRunning", "{}"),
        ("own", "responses", r#"{"background":true}"#),
        ("own", "transcripts", r#"{"webhook_url":"https://x.test"}"#),
    ] {
        let refusal = pass(&mut world, provider, "POST", path, body).unwrap_err();
        assert_eq!((refusal.status, refusal.code), (400, Some("unsupported_parameter")), "{path}");
        assert!(refusal.message.contains("behind its answer"), "{}", refusal.message);
    }
    let batch = pass(&mut world, "p", "POST", "messages/batches", r#"{"requests":[]}"#).unwrap();
    assert_eq!(world.rows.calls[&batch.at].held.cost, NanoUsd::new(250_000_000));
    assert_eq!(batch.hops[0].price.request, NanoUsd::new(250_000_000));
}

#[test]
fn another_model_is_not_chosen_beside_the_one_that_a_native_body_names() {
    let mut world = world();
    for path in ["chat/completions", "v1/responses", "messages", "models/m:generateContent"] {
        let refusal = pass(&mut world, "own", "POST", path, r#"{"model":"m","fallbacks":["dear"]}"#).unwrap_err();
        assert_eq!((refusal.status, refusal.param.as_deref()), (400, Some("fallbacks")), "{path}");
    }
    // Elsewhere such a word is the provider's own.
    assert!(pass(&mut world, "own", "POST", "text-to-speech/v", r#"{"model_id":"m"}"#).is_ok());
}

#[test]
fn a_look_holds_and_costs_no_more_than_the_catalog_says_of_its_path() {
    let mut world = world();
    for (method, path, cost) in
        [("GET", "files/f", 0), ("DELETE", "x", 0), ("POST", "batches/b/cancel", 0), ("GET", "looked/at", 10_000_000)]
    {
        let admission = pass(&mut world, if cost > 0 { "p" } else { "own" }, method, path, "").unwrap();
        assert_eq!(world.rows.calls[&admission.at].held.cost, NanoUsd::new(cost), "{method} {path}");
        let bill = Bill::of(Tokens::new(1_000), Tokens::new(100_000));
        assert_eq!(admission.hops[0].price.cost(bill), NanoUsd::new(cost), "no tokens cost: {method} {path}");
        settle(&mut world, &admission, &[]);
    }
    let call = pass(&mut world, "own", "POST", "x", "{}").unwrap();
    assert_eq!(world.rows.calls[&call.at].held.cost, NanoUsd::new(100_000_000));
}

/// A call of a response that works on behind its answer, heard of by `id`.
fn work(world: &mut World, id: &str) -> (CallKey, Settlement) {
    let reach = Reach { dialect: Some(Dialect::Responses), ..of_json(br#"{"background":true}"#) };
    let ask = Ask { reach, ..world.ask(id, "a", 40, Some(100)) };
    let at = world.admit(&ask).unwrap().at;
    let end = End { target: "p/m".to_owned(), status: 200, ..End::default() };
    let kept = vec![id.to_owned()];
    let settlement =
        Settlement { at: Some(at), call: id.to_owned(), end, kept, goes_on: true, ..Settlement::default() };
    world.tenant.settle(world.now, &settlement).unwrap();
    world.write();
    (at, settlement)
}

/// Looks at `id` as the object does.
fn look(world: &mut World, id: &str, bill: Option<Bill>) {
    let known = world.rows.kept[&(id.to_owned(), "p".to_owned())].clone().unwrap();
    let heard = Heard { id: id.to_owned(), bill, bounded: false };
    if let Some(settlement) = world.tenant.heard(world.now, &heard, known) {
        world.write();
        if let Err(needed) = world.tenant.settle(world.now, &settlement) {
            let row = world.rows.calls.get(&needed.0).cloned();
            world.tenant.settle_row(world.now, &settlement, row);
        }
    }
    world.write();
}

fn responses() -> World {
    let mut world = world();
    let mut config = world.tenant.config().clone();
    let document = json!({
        "providers": {"p": {"dialect": "responses", "base_url": "http://p/v1"}},
        "models": {"m": {"targets": [{"provider": "p", "model": "m"}]}},
        "prices": {"p/m": {"input": "1000", "output": "2000"}},
    });
    config.catalog = Catalog::read(&document, 5).unwrap();
    world.configure(config);
    world
}

#[test]
fn a_response_in_the_background_keeps_its_hold_and_is_billed_once_however_often_its_end_is_looked_at() {
    let mut world = responses();
    let (at, settlement) = work(&mut world, "resp_1");
    let held = world.rows.calls[&at].held.cost;
    let standing = |world: &mut World| world.standings("a")[0].clone();
    assert!(held > NanoUsd::new(200_000_000), "100 tokens of output at 0.002 USD");
    assert_eq!(standing(&mut world), ("money".to_owned(), 0, held.get()));
    let bill = Bill::of(Tokens::new(10), Tokens::new(20));
    let cost = 10 * 1_000_000 + 20 * 2_000_000;
    for step in 0..4 {
        world.restart();
        look(&mut world, "resp_1", None);
        assert_eq!(standing(&mut world), ("money".to_owned(), 0, held.get()), "it goes on, {step}");
        world.now = world.now.plus(Millis::from_secs(500));
    }
    for _ in 0..3 {
        look(&mut world, "resp_1", Some(bill));
        assert_eq!(standing(&mut world), ("money".to_owned(), cost, 0));
        world.restart();
        world.tenant.settle(world.now, &settlement).unwrap();
        world.write();
    }
    let end = world.rows.calls[&at].end.clone().unwrap();
    assert_eq!((end.cost.get(), end.bill, end.truth), (cost, bill, Truth::Reported));
}

#[test]
fn work_whose_end_nobody_looks_at_is_billed_at_its_ceiling_until_somebody_does() {
    let mut world = responses();
    let (at, _) = work(&mut world, "resp_1");
    let held = world.rows.calls[&at].held.cost;
    world.now = world.now.plus(Millis::from_secs(601));
    world.expire();
    assert_eq!(world.standings("a")[0], ("money".to_owned(), held.get(), 0));
    look(&mut world, "resp_1", None);
    assert_eq!(world.standings("a")[0], ("money".to_owned(), held.get(), 0));
    look(&mut world, "resp_1", Some(Bill::default()));
    assert_eq!(world.standings("a")[0], ("money".to_owned(), 0, 0), "it failed, and was for nothing");
}
