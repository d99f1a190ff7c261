//! Native calls: who may pass what on, what is held for it, and what it is billed once its answer has told.
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
use tollgate::refusal::Refusal;
use tollgate::rows::{CallKey, End, State, Truth};
use tollgate::service::Service;
use tollgate::units::{Millis, NanoUsd, Tokens};
use tollgate::wire::{Admission, AnsweredBy, Ask, Denial, Hop, Reply, Settlement, Through};

/// `openai` has prices for pictures, each 4 cents, and for a model; `claude` speaks another dialect; `aws` signs.
fn catalog(more: Value) -> Catalog {
    let mut document = json!({
        "providers": {
            "openai": {"price_list": "none"},
            "claude": {"dialect": "anthropic", "base_url": "http://c/v1", "auth": {"header": "x-api-key", "secret": "C"}},
            "groq": {},
            "bedrock": {}, "workers-ai-binding": {}
        },
        "models": {"m": {"targets": [{"provider": "openai", "model": "m"}]}},
        "prices": {
            "openai/images/*": {"input": "5", "output": "40", "request": "0.04"},
            "openai/audio/speech": {"input": "0"},
            "openai/priced*": {"input": "1", "output": "2", "request": "0.001"}
        }
    });
    document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Catalog::read(&document, 3).unwrap()
}

fn world(policy: &Value, key_policy: Option<&Value>) -> World {
    let mut world = World::new(policy, key_policy);
    let mut config = world.tenant.config().clone();
    config.catalog = catalog(json!({}));
    world.configure(config);
    world
}

fn native(world: &World, call: &str, provider: Option<&str>, path: &str) -> Ask {
    let through = Through { provider: provider.map(str::to_owned), path: path.to_owned(), method: "POST".to_owned() };
    Ask { model: String::new(), output: false, through: Some(through), ..world.ask(call, "a", 0, None) }
}

/// Asks, and checks that a refusal writes nothing.
fn pass(world: &mut World, call: &str, provider: Option<&str>, path: &str) -> Result<Admission, (Denial, Dialect)> {
    let ask = native(world, call, provider, path);
    let reply = world.tenant.ask(world.now, &ask);
    let written = world.write();
    match reply {
        Reply::Admitted(admission) => Ok(admission),
        Reply::Barred { denial, dialect } => {
            assert_eq!(written, 0, "a refusal writes nothing");
            Err((denial, dialect))
        }
        other => panic!("{other:?}"),
    }
}

/// Settles as the front does: by the price of the path.
fn settle(world: &mut World, at: CallKey, hop: &Hop, model: Option<&str>, bill: Bill, status: u16) -> End {
    let cost = if status == 200 { hop.price.cost(bill) } else { NanoUsd::ZERO };
    let end = End { bill, cost, status, priced_by: hop.priced_by.clone(), ..End::default() };
    let answered_by = model.map(|model| AnsweredBy {
        provider: hop.target.trim_end_matches("/*").to_owned(),
        model: model.to_owned(),
        request: hop.price.request,
        path: String::new(),
        service: Service::default(),
    });
    let call = world.rows.calls[&at].call.clone();
    let settlement = Settlement { at: Some(at), call, end, answered_by, ..Settlement::default() };
    if world.tenant.settle(world.now, &settlement).is_err() {
        let row = world.rows.calls.get(&at).cloned();
        world.tenant.settle_row(world.now, &settlement, row);
    }
    world.write();
    world.rows.calls[&at].end.clone().unwrap()
}

fn tokens(input: u64, output: u64) -> Bill {
    Bill::of(Tokens::new(input), Tokens::new(output))
}

#[test]
fn what_may_be_passed_on_is_what_the_policies_say() {
    let all = json!(["openai/*"]);
    let files = |field: &str| Some((field.to_owned(), "openai/files".to_owned()));
    let none = json!([]);
    for (tenant, key, denied) in [
        (json!({}), None, files("passthrough")),
        (json!({"passthrough": all}), None, None),
        (json!({"passthrough": all}), Some(json!({})), None),
        (json!({"passthrough": all}), Some(json!({"passthrough": none})), files("passthrough")),
        (json!({}), Some(json!({"passthrough": all})), None),
        (json!({"passthrough": ["groq/*"]}), None, files("passthrough")),
        (
            json!({"passthrough": all, "models": ["gpt-*"]}),
            None,
            Some(("models".to_owned(), "providers/openai".to_owned())),
        ),
        (json!({"passthrough": all, "models": ["providers/*"]}), None, None),
        (
            json!({"passthrough": all}),
            Some(json!({"models": ["m"]})),
            Some(("models".to_owned(), "providers/openai".to_owned())),
        ),
    ] {
        let mut world = world(&tenant, key.as_ref());
        let expected = denied.map(|(field, name)| Denial::NotPassed { field, name });
        assert_eq!(pass(&mut world, "c", Some("openai"), "files").err().map(|one| one.0), expected, "{tenant} {key:?}");
    }
    let denial = Denial::NotPassed { field: "passthrough".to_owned(), name: "openai/files".to_owned() };
    let refusal = Refusal::denied(denial, "");
    assert_eq!(
        (refusal.status, refusal.code, refusal.param.as_deref()),
        (403, Some("passthrough_not_allowed"), Some("passthrough"))
    );
    assert!(refusal.message.contains("\"openai/files\""));
}

#[test]
fn a_call_that_names_no_provider_goes_to_the_catalogs_own_choice() {
    let chosen = |catalog: &Catalog, wanted: Option<&str>| catalog.native(wanted).map(|(name, _)| name.to_owned());
    let usual = catalog(json!({}));
    assert_eq!(chosen(&usual, None).as_deref(), Some("openai"));
    assert_eq!(chosen(&usual, Some("claude")).as_deref(), Some("claude"));
    assert_eq!(chosen(&usual, Some("nobody")), None);
    assert_eq!(chosen(&catalog(json!({"default_provider": "groq"})), None).as_deref(), Some("groq"));
    let providers = json!({"claude": {"dialect": "anthropic", "base_url": "http://c"}, "z": {"dialect": "openai", "base_url": "http://z"}});
    let models = json!({"m": {"targets": [{"provider": "z", "model": "m"}]}});
    let other = catalog(json!({"providers": providers, "models": models, "prices": {}}));
    assert_eq!(chosen(&other, None).as_deref(), Some("z"));
    let wrong = json!({"providers": providers, "models": models, "default_provider": "openai"});
    let invalid = Catalog::read(&wrong, 1).unwrap_err().to_string();
    assert_eq!(invalid, "catalog.default_provider: \"openai\" is not among this catalog's providers");
}

#[test]
fn a_refusal_is_in_the_words_of_the_providers_clients() {
    let mut world = world(&json!({"passthrough": ["*"]}), None);
    let unknown = Denial::ProviderUnknown(Some("nobody".to_owned()));
    assert_eq!(pass(&mut world, "c", Some("nobody"), "x"), Err((unknown, Dialect::OpenAi)));
    let signs = Denial::ProviderSigns("bedrock".to_owned());
    assert_eq!(pass(&mut world, "c", Some("bedrock"), "x"), Err((signs, Dialect::Converse)));
    let bound = Denial::ProviderBound("workers-ai-binding".to_owned());
    assert_eq!(pass(&mut world, "c", Some("workers-ai-binding"), "x"), Err((bound, Dialect::WorkersAi)));
    let ask = native(&world, "c", Some("claude"), "messages");
    let stranger = Ask { key: tollgate::key::KeyId::parse("nobody").unwrap(), ..ask };
    let reply = world.tenant.ask(world.now, &stranger);
    assert!(matches!(reply, Reply::Barred { denial: Denial::KeyUnknown, dialect: Dialect::Anthropic }), "{reply:?}");
}

#[test]
fn money_holds_what_the_path_costs_or_else_what_has_no_bound() {
    let cents = |cents: u64| NanoUsd::new(cents * 10_000_000);
    let budget =
        json!({"limits": [{"name": "day", "what": "cost", "window": "day", "max": "1.00"}], "passthrough": ["*"]});
    for (path, held) in [
        ("images/generations", Ok(cents(4))),
        ("v1/images/generations", Ok(cents(4))),
        ("audio/speech", Ok(cents(10))),
        ("files", Err("openai/files")),
    ] {
        let mut world = world(&budget, None);
        let admitted = pass(&mut world, "c", Some("openai"), path);
        let price_unknown = |target: &str| Denial::PriceUnknown { target: target.to_owned(), no_default: false };
        match held {
            Ok(cost) => {
                let row = &world.rows.calls[&admitted.unwrap().at];
                assert_eq!((row.held.cost, row.held.input, row.held.likely_output), (cost, Tokens::ZERO, Tokens::ZERO));
                assert_eq!((row.model.as_str(), row.endpoint.as_str()), ("providers/openai", "passthrough"));
                assert_eq!(world.standings("a"), [("day".to_owned(), 0, cost.get())]);
            }
            Err(target) => assert_eq!(admitted.unwrap_err().0, price_unknown(target)),
        }
    }
    // Where no budget asks, or the policy does not mind, it goes out all the same.
    for policy in [json!({"passthrough": ["*"]}), {
        let mut free = budget.clone();
        free["unknown_price"] = json!("track_only");
        free
    }] {
        assert_eq!(
            pass(&mut world(&policy, None), "c", Some("openai"), "files").unwrap().hops[0].price.request,
            NanoUsd::ZERO
        );
    }
}

#[test]
fn limits_on_requests_concurrency_and_money_cover_it_by_its_name() {
    let policy = json!({"passthrough": ["*"], "limits": [
        {"name": "calls", "what": "requests", "window": "lifetime", "max": 3, "models": ["providers/openai"]},
        {"name": "many", "what": "concurrency", "max": 2, "models": ["providers/*"]},
        {"name": "money", "what": "cost", "window": "day", "max": "0.09", "models": ["providers/*"]},
        {"name": "rate", "what": "tokens", "window": "60s", "max": 1, "models": ["providers/*"]},
        {"name": "other", "what": "requests", "window": "lifetime", "max": 0, "models": ["m"]}
    ]});
    let mut world = world(&policy, None);
    let blocks = |denied: Result<Admission, (Denial, Dialect)>| match denied {
        Err((Denial::Limited { blocks, .. }, _)) => blocks.into_iter().map(|block| block.name).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    let first = pass(&mut world, "c1", Some("openai"), "images/edits").unwrap();
    let second = pass(&mut world, "c2", None, "images/edits").unwrap();
    assert_eq!(blocks(pass(&mut world, "c3", Some("openai"), "images/edits")), ["many", "money"]);
    settle(&mut world, second.at, &second.hops[0], None, tokens(0, 0), 500);
    settle(&mut world, first.at, &first.hops[0], None, tokens(2, 0), 200);
    let third = pass(&mut world, "c3", Some("openai"), "images/edits").unwrap();
    settle(&mut world, third.at, &third.hops[0], None, tokens(0, 0), 200);
    assert_eq!(blocks(pass(&mut world, "c4", Some("openai"), "images/edits")), ["calls", "money"]);
    let told = |name: &str, settled: u64| (name.to_owned(), settled, 0);
    assert_eq!(world.standings("a")[..2], [told("calls", 3), told("many", 0)]);
    assert_eq!(world.standings("a")[3], told("rate", 2));
}

#[test]
fn a_bill_is_the_models_price_and_what_the_path_costs_each_time() {
    for (path, model, bill, status, cost, priced_by) in [
        ("images/generations", None, tokens(0, 0), 200, 40_000_000, "catalog:3"),
        ("images/generations", None, tokens(10, 100), 200, 40_000_000 + 50_000 + 4_000_000, "catalog:3"),
        ("images/generations", Some("priced-2"), tokens(10, 100), 200, 40_000_000 + 10_000 + 200_000, "catalog:3"),
        ("images/generations", Some("nobody-knows"), tokens(10, 0), 200, 40_000_000 + 50_000, "catalog:3"),
        ("audio/speech", Some("priced-2"), tokens(10, 100), 200, 1_000_000 + 10_000 + 200_000, "catalog:3"),
        ("audio/speech", None, tokens(10, 100), 200, 0, "catalog:3"),
        ("files", Some("nobody-knows"), tokens(10, 100), 200, 0, ""),
        ("images/generations", None, tokens(0, 0), 400, 0, "catalog:3"),
    ] {
        let money = json!([{"name": "money", "what": "cost", "window": "day", "max": "9"}]);
        let mut world = world(&json!({"passthrough": ["*"], "unknown_price": "track_only", "limits": money}), None);
        let admitted = pass(&mut world, "c", Some("openai"), path).unwrap();
        let end = settle(&mut world, admitted.at, &admitted.hops[0], model, bill, status);
        assert_eq!((end.cost.get(), end.priced_by.as_str()), (cost, priced_by), "{path} {model:?}");
        assert_eq!(u64::try_from(world.usage().cost), Ok(cost));
        assert_eq!(world.standings("a"), [("money".to_owned(), cost, 0)]);
        // Said again, it changes nothing.
        assert_eq!(settle(&mut world, admitted.at, &admitted.hops[0], None, tokens(9, 9), 200).cost.get(), cost);
    }
    let listed = catalog(json!({})).model_price("groq", "llama-3.3-70b-versatile", Millis::new(support::START));
    assert!(listed.is_some_and(|(_, source)| source.starts_with("genai-prices:")));
}

#[test]
fn an_end_that_no_usage_was_told_of_costs_no_less_than_the_front_says() {
    for (model, bill, cost, ends_at) in [
        (None, tokens(0, 0), 100_000_000, 100_000_000),
        (Some("priced-2"), tokens(0, 0), 100_000_000, 100_000_000),
        (Some("priced-2"), tokens(10, 100_000), 100_000_000, 1_000_000 + 10_000 + 200_000_000),
    ] {
        let mut world = world(&json!({"passthrough": ["*"]}), None);
        let admitted = pass(&mut world, "c", Some("openai"), "audio/speech").unwrap();
        let end = End { bill, cost: NanoUsd::new(cost), status: 200, truth: Truth::Ceiling, ..End::default() };
        let model = model.map(str::to_owned);
        let by = |model| AnsweredBy {
            provider: "openai".to_owned(),
            model,
            request: NanoUsd::ZERO,
            path: String::new(),
            service: Service::UNTOLD,
        };
        let (call, answered_by) = ("c".to_owned(), model.map(by));
        let settlement = Settlement { at: Some(admitted.at), call, end, answered_by, ..Settlement::default() };
        world.tenant.settle(world.now, &settlement).unwrap();
        assert_eq!(u64::try_from(world.usage().cost), Ok(ends_at));
    }
}

#[test]
fn an_ask_that_is_repeated_is_admitted_once_and_a_lost_call_ends_at_its_lease() {
    let policy = json!({"lease": "60s", "limits": [{"name": "day", "what": "cost", "window": "day", "max": "1.00"}]});
    let mut world = world(&policy, None);
    let first = pass(&mut world, "c", Some("openai"), "images/edits").unwrap();
    world.restart();
    assert_eq!(pass(&mut world, "c", Some("openai"), "images/edits").unwrap(), first);
    assert_eq!(world.rows.calls.len(), 1);

    // What is under way is heard of, and keeps what it holds.
    world.now = world.now.plus(Millis::from_secs(50));
    assert!(!world.amend("c", first.at, Tokens::ZERO, None).ended);
    assert_eq!(world.rows.calls[&first.at].held.cost, NanoUsd::new(40_000_000));
    world.now = world.now.plus(Millis::from_secs(50));
    world.expire();
    assert_eq!(world.rows.calls[&first.at].state, State::Open);
    world.now = world.now.plus(Millis::from_secs(60));
    world.expire();
    let row = &world.rows.calls[&first.at];
    let end = row.end.as_ref().unwrap();
    assert_eq!((row.state, end.truth, end.cost), (State::Expired, Truth::Ceiling, NanoUsd::new(40_000_000)));
    assert_eq!(pass(&mut world, "c", Some("openai"), "images/edits").unwrap_err().0, Denial::CallEnded);

    // Its end comes after all, and its row is read back for it.
    world.tenant.flush(world.now.plus(Millis::from_secs(60)), true);
    world.write();
    let end = settle(&mut world, first.at, &first.hops[0], Some("priced-1"), tokens(1_000, 0), 200);
    assert_eq!(end.cost.get(), 40_000_000 + 1_000_000);
    assert_eq!(world.standings("a"), [("day".to_owned(), 41_000_000, 0)]);
}
