//! What a catalog takes, and how it names what it does not.

use super::*;
use crate::dialect::CapField;
use crate::price::{Rates, Tier};
use crate::tariff::Change;
use serde_json::json;

fn sample() -> Value {
    json!({
        "providers": {
            "openai": {"dialect": "openai", "base_url": "https://api.openai.com/v1", "auth": {"bearer": "OPENAI_API_KEY"}},
            "ollama": {"dialect": "openai", "base_url": "http://127.0.0.1:11434/v1/", "timeout": "30s", "first_event_timeout": "9s"}
        },
        "models": {"gpt-4o-mini": {"targets": [
            {"provider": "openai", "model": "gpt-4o-mini"}, {"provider": "ollama", "model": "llama3"}
        ], "max_output": 16384}},
        "prices": {
            "openai/gpt-4o-mini": {"input": "0.15", "output": "0.60", "cached_input": "0.075"},
            "ollama/*": {"input": "0"},
            "ollama/llama*": {"input": "0.01"}
        }
    })
}

/// A catalog whose providers and prices are these, and which has one model with one target.
fn catalog(providers: Value, prices: Value, provider: &str, model: &str) -> Catalog {
    let target = json!({"provider": provider, "model": model});
    let document = json!({"providers": providers, "models": {"m": {"targets": [target]}}, "prices": prices});
    let text = serde_json::to_string(&document).unwrap();
    let catalog = Catalog::read(&document, 3).unwrap();
    assert_eq!(Catalog::read(&serde_json::from_str(&text).unwrap(), 3).as_ref(), Ok(&catalog), "written and read");
    catalog
}

fn instant(text: &str) -> Millis {
    let instant = chrono::DateTime::parse_from_rfc3339(text).unwrap();
    Millis::new(instant.timestamp_millis().try_into().unwrap())
}

fn rates(text: &str) -> Rates {
    let rates: Vec<Rate> = text.split(' ').map(|text| Rate::parse_usd(text).unwrap()).collect();
    Rates::from(<[Rate; 8]>::try_from(rates).unwrap())
}

#[test]
fn a_catalog_is_read() {
    let catalog = Catalog::read(&sample(), 7).unwrap();
    assert_eq!(catalog.providers["ollama"].place.address(), Some("http://127.0.0.1:11434/v1"));
    assert_eq!(catalog.providers["ollama"].output_cap, CapField::MaxTokens);
    assert_eq!(catalog.providers["openai"].output_cap, CapField::MaxCompletionTokens);
    let targets = &catalog.models["gpt-4o-mini"].targets;
    assert_eq!(
        catalog.price(&targets[0], Millis::ZERO).unwrap().0.rates.cached_input,
        Rate::parse_usd("0.075").unwrap()
    );
    assert_eq!(catalog.price(&targets[1], Millis::ZERO).unwrap().0.rates.input, Rate::parse_usd("0.01").unwrap());
    assert_eq!(catalog.secrets().collect::<Vec<_>>(), [("openai", "OPENAI_API_KEY")]);
}

#[test]
fn the_catalog_that_ships_prices_and_bounds_every_model() {
    let document: Value = serde_json::from_str(DEFAULT).unwrap();
    let catalog = Catalog::read(&document, 0).unwrap();
    for (name, model) in &catalog.models {
        for target in &model.targets {
            let (price, priced_by) = catalog.price(target, instant("2026-11-22T00:00:00Z")).unwrap();
            assert!(price.rates.input > Rate::ZERO && priced_by.starts_with(price_list::SOURCE), "{name}");
            let listed = catalog.providers[&target.provider].price_list.unwrap().find(&target.model).unwrap();
            assert!(model.max_input >= listed.context, "{name}: {:?} {:?}", model.max_input, listed.context);
        }
    }
}

#[test]
fn a_provider_has_the_list_of_its_address_or_name_or_the_one_it_names() {
    let provider = |url: &str, list: Value| json!({"dialect": "openai", "base_url": url, "price_list": list});
    for (name, url, list, found) in [
        ("a", "https://api.openai.com/v1", json!(null), Some("openai")),
        ("openai", "http://127.0.0.1:4000", json!(null), Some("openai")),
        ("openai", "https://openrouter.ai/api/v1", json!(null), Some("openrouter")),
        ("a", "http://127.0.0.1:4000", json!(null), None),
        ("a", "http://127.0.0.1:4000", json!("groq"), Some("groq")),
        ("openai", "https://api.openai.com/v1", json!("none"), None),
    ] {
        let catalog = catalog(json!({ name: provider(url, list) }), json!({}), name, "gpt-4o");
        assert_eq!(catalog.providers[name].price_list.map(|list| list.name), found, "{name} {url}");
    }
}

#[test]
fn a_price_of_the_catalogs_comes_before_the_lists() {
    let provider = json!({"p": {"dialect": "openai", "base_url": "https://api.openai.com/v1"}});
    let prices = json!({
        "p/*": [{"input": "9"}],
        "p/gpt-4o": {"from": "2026-12-01T00:00:00Z", "input": "7"},
        "p/gpt-5": [{"input": "1"}, {"from": "2026-12-01T06:00:00+01:00", "input": "2"}, {"from": "2027-01-01T00:00:00Z", "input": "3"}]
    });
    let list = |suffix: &str| format!("{}{suffix}", price_list::SOURCE);
    for (model, at, prices, input, priced_by) in [
        ("gpt-4o", "2026-11-30T23:59:59Z", &prices, "2.5", list("")),
        ("gpt-4o", "2026-12-01T00:00:00Z", &prices, "7", "catalog:3@2026-12-01".to_owned()),
        ("gpt-5", "2026-12-01T04:59:59Z", &prices, "1", "catalog:3".to_owned()),
        ("gpt-5", "2026-12-01T05:00:00Z", &prices, "2", "catalog:3@2026-12-01T05:00:00Z".to_owned()),
        ("gpt-5", "2030-01-01T00:00:00Z", &prices, "3", "catalog:3@2027-01-01".to_owned()),
        ("gpt-5-mini", "2026-11-22T00:00:00Z", &prices, "9", "catalog:3".to_owned()),
        ("o3", "2025-06-09T00:00:00Z", &json!({}), "10", list("")),
        ("o3", "2026-11-22T00:00:00Z", &json!({}), "2", list("@2025-06-10")),
    ] {
        let catalog = catalog(provider.clone(), prices.clone(), "p", model);
        let (price, source) = catalog.price(&catalog.models["m"].targets[0], instant(at)).unwrap();
        assert_eq!((price.rates.input.to_usd().as_str(), &source), (input, &priced_by), "{model} at {at}");
    }
    let unknown = catalog(provider, json!({}), "p", "gpt-nobody");
    assert_eq!(unknown.price(&unknown.models["m"].targets[0], Millis::ZERO), None);
}

#[test]
fn a_price_names_what_differs_and_a_tier_what_it_changes() {
    let provider = json!({"p": {"dialect": "openai", "base_url": "http://127.0.0.1"}});
    for (price, base, tiers, request) in [
        (json!({"input": "3", "output": "7"}), "3 3 3 3 3 7 7 7", vec![], 0),
        (
            json!({"input": "1", "cached_input": "2", "cache_write": "3", "cache_write_hour": "4", "audio_input": "5",
                   "output": "6", "reasoning": "7", "audio_output": "8", "request": "0.005"}),
            "1 2 3 4 5 6 7 8",
            vec![],
            5_000_000,
        ),
        (
            json!({"input": "3", "cached_input": "0.3", "cache_write": "3.75", "output": "15", "tiers": [
                {"above": 200_000, "input": "6", "output": "22.5"}, {"above": 500_000, "cached_input": "1"}
            ]}),
            "3 0.3 3.75 3.75 3 15 15 15",
            vec![(200_000, "6 0.3 3.75 3.75 6 22.5 22.5 22.5"), (500_000, "3 1 3.75 3.75 3 15 15 15")],
            0,
        ),
    ] {
        let tiers = tiers.into_iter().map(|(above, text)| Tier { above: Tokens::new(above), rates: rates(text) });
        let expected = Price { rates: rates(base), tiers: tiers.collect(), request: NanoUsd::new(request) };
        let catalog = catalog(provider.clone(), json!({ "p/x": price }), "p", "x");
        assert_eq!(catalog.price(&catalog.models["m"].targets[0], Millis::ZERO).unwrap().0, expected, "{price}");
    }
}

#[test]
fn a_models_input_is_bounded_by_what_its_lists_know() {
    let providers = json!({
        "openai": {"dialect": "openai", "base_url": "https://api.openai.com/v1"},
        "anthropic": {},
        "own": {"dialect": "openai", "base_url": "http://127.0.0.1"}
    });
    for (targets, stated, max_input) in [
        (vec!["openai/gpt-4o"], None, Some(128_000)),
        (vec!["openai/gpt-4o", "openai/gpt-5"], None, Some(400_000)),
        (vec!["openai/gpt-4o"], Some(1_000), Some(1_000)),
        (vec!["openai/gpt-4o", "own/llama3"], None, None),
        // Its context is 200,000, and beyond that it has a price.
        (vec!["anthropic/claude-sonnet-4-5"], None, Some(1 << 20)),
        // Its 8,192 are those of one text: a call may hold many.
        (vec!["openai/text-embedding-3-small"], None, None),
    ] {
        let target = |name: &&str| {
            let (provider, model) = name.split_once('/').unwrap();
            json!({"provider": provider, "model": model})
        };
        let list: Vec<_> = targets.iter().map(target).collect();
        let model = json!({"targets": list, "max_input": stated});
        let catalog = Catalog::read(&json!({"providers": providers, "models": {"m": model}}), 1).unwrap();
        assert_eq!(catalog.models["m"].max_input, max_input.map(Tokens::new), "{targets:?}");
    }
}

#[test]
fn a_default_price_is_read_and_says_whose_it_is() {
    let mut document = sample();
    assert_eq!(Catalog::read(&document, 5).unwrap().default_price(Millis::ZERO), None);
    document["default_price"] =
        json!([{"input": "50"}, {"from": "2026-12-01T00:00:00Z", "input": "60", "output": "1"}]);
    let catalog = Catalog::read(&document, 5).unwrap();
    let (dated, priced_by) = catalog.default_price(Millis::ZERO).unwrap();
    assert_eq!((dated.price.rates.input.to_usd().as_str(), priced_by.as_str()), ("50", "default:5"));
    let (dated, priced_by) = catalog.default_price(instant("2026-12-01T00:00:00Z")).unwrap();
    assert_eq!((dated.price.rates.input.to_usd().as_str(), priced_by.as_str()), ("60", "default:5@2026-12-01"));
}

#[test]
fn what_is_wrong_with_a_variant_is_named() {
    let variant = |name: &str, variant: Value| json!({"input": "1", "variants": {name: variant}});
    for (price, problem) in [
        (json!({"input": "1", "search": "a cent"}), ".search: must be US dollars"),
        (json!({"input": "1", "searches": "1"}), ".searches: is not a field here"),
        (json!({"input": "1", "variants": []}), ".variants: must be an object"),
        (
            variant("Priority", json!({"input": "2"})),
            ".variants[\"Priority\"]: a variant is named by the word by which",
        ),
        (variant("", json!({"input": "2"})), ".variants[\"\"]: a variant is named by the word by which"),
        (variant("?", json!({"input": "2"})), ".variants[\"?\"]: a variant is named by the word by which"),
        (variant("default", json!({"input": "2"})), ".variants[\"default\"]: is no variant but the price itself"),
        (variant("flex", json!({})), ".variants[\"flex\"]: must name what it changes: \"multiply\", "),
        (variant("flex", json!({"multiply": 0.5})), ".variants[\"flex\"].multiply: must be a decimal text"),
        (variant("flex", json!({"multiply": "0"})), ".variants[\"flex\"].multiply: must be a decimal text"),
        (variant("flex", json!({"multiply": "1000.1"})), ".variants[\"flex\"].multiply: must be a decimal text"),
        (variant("flex", json!({"multiply": "0.1234567"})), ".variants[\"flex\"].multiply: must be a decimal text"),
        (variant("flex", json!({"multiply": "0.5", "input": "1"})), ".variants[\"flex\"]: has \"multiply\" and prices"),
        (variant("flex", json!({"from": "2026-12-01T00:00:00Z"})), ".variants[\"flex\"].from: is not a field here"),
        (variant("flex", json!({"tiers": [{"above": 5}]})), ".variants[\"flex\"].tiers[0]: must name a rate"),
    ] {
        let mut document = sample();
        document["prices"]["openai/gpt-4o-mini"] = price;
        let got = Catalog::read(&document, 1).unwrap_err().to_string();
        let expected = format!("catalog.prices[\"openai/gpt-4o-mini\"]{problem}");
        assert!(got.starts_with(&expected), "{got}: {expected}");
    }
}

#[test]
fn a_variant_names_what_it_changes() {
    let mut document = sample();
    document["prices"]["openai/gpt-4o-mini"] = json!({"input": "1", "cached_input": "0.5", "output": "10", "request": "0.01", "search": "0.02",
    "tiers": [{"above": 100, "input": "4", "output": "40"}],
    "variants": {
        "priority": {"input": "2", "output": "20", "tiers": [{"above": 100, "input": "8", "output": "80"}, {"above": 500, "output": "90"}]},
        "flex": {"input": "0.5"}, "us": {"multiply": "1.1"}, "search/fast": {"search": "0.001"}, "high": {"request": "0.2"}
    }});
    let catalog = Catalog::read(&document, 5).unwrap();
    let tariff = &catalog.prices["openai/gpt-4o-mini"];
    let dated = tariff.at(Millis::ZERO).unwrap();
    let usd = |rate: Rate| rate.to_usd();
    let shown = |name: &str| {
        let variant = dated.extras.variants.iter().find(|variant| variant.name.as_str() == name).unwrap();
        match &variant.change {
            Change::Scale(scale) => format!("* {scale}"),
            Change::Price(price) => {
                let rates = |rates: crate::price::Rates| {
                    format!("{} {} {}", usd(rates.input), usd(rates.cached_input), usd(rates.output))
                };
                let tiers = price.tiers.iter().map(|tier| format!("; >{} {}", tier.above, rates(tier.rates)));
                format!("{}{} + {}", rates(price.rates), tiers.collect::<String>(), price.request.to_usd())
            }
        }
    };
    for (name, price) in [
        ("priority", "2 0.5 20; >100 8 0.5 80; >500 4 0.5 90 + 0.01"),
        // Cheaper, but not where it does not say so.
        ("flex", "0.5 0.5 10; >100 4 0.5 40 + 0.01"),
        ("us", "* 1100000"),
        ("high", "1 0.5 10; >100 4 0.5 40 + 0.2"),
    ] {
        assert_eq!(shown(name), price, "{name}");
    }
    assert_eq!(dated.extras.fees.search, NanoUsd::parse_usd("0.02"));
    let fast = dated.extras.variants.iter().find(|variant| variant.name.as_str() == "search/fast").unwrap();
    assert_eq!(fast.fees.search, NanoUsd::parse_usd("0.001"));
}

#[test]
fn what_is_wrong_is_named() {
    for (at, value, problem) in [
        ("/providers/openai/dialect", json!("soap"), "providers[\"openai\"].dialect: must be one of openai, "),
        ("/providers/openai/base_url", json!("ftp://x"), "providers[\"openai\"].base_url: must be an http"),
        ("/providers/openai/base_url", json!("https://u:p@x"), "must hold no user"),
        ("/providers/openai/auth", json!({"bearer": "sk-abc"}), "must be the name of a secret"),
        ("/providers/openai/auth", json!({"bearer": "ADMIN_TOKEN"}), "Tollgate's own secret"),
        (
            "/providers/ollama/first_event_timeout",
            json!("0s"),
            "providers[\"ollama\"].first_event_timeout: must be a time from 1s to 10m",
        ),
        ("/providers/ollama/timeout", json!("1h"), "providers[\"ollama\"].timeout: must be a time from 1s to 10m"),
        ("/models/gpt-4o-mini/targets", json!([]), "targets: must name at least one"),
        ("/models/gpt-4o-mini/targets/0/provider", json!("nobody"), "targets[0].provider: \"nobody\" is not among"),
        ("/models/gpt-4o-mini/targets/0/model", json!("a\nb"), "targets[0].model: must hold no control"),
        ("/models/gpt-4o-mini/max_output", json!(0), "max_output: must be a whole number from 1"),
        ("/prices/openai~1gpt-4o-mini/input", json!(0.15), "input: must be US dollars"),
        ("/prices/openai~1gpt-4o-mini/output", json!("-1"), "output: must be US dollars"),
    ] {
        let mut document = sample();
        *document.pointer_mut(at).unwrap() = value;
        let got = Catalog::read(&document, 1).unwrap_err().to_string();
        assert!(got.starts_with("catalog.") && got.contains(problem), "{at}: {got}");
    }
    let mini = "catalog.prices[\"openai/gpt-4o-mini\"]";
    let tier = |tier: Value| json!({"input": "1", "tiers": [{"above": 5, "input": "2"}, tier]});
    for (price, problem) in [
        (json!({"output": "1"}), ".input: is missing"),
        (
            json!({"input": "1", "thought": "1"}),
            ".thought: is not a field here; known are from, input, cached_input, cache_write",
        ),
        (json!({"input": "1", "reasoning": 1}), ".reasoning: must be US dollars for a million tokens"),
        (json!({"input": "1", "request": "-1"}), ".request: must be US dollars"),
        (json!({"input": "1", "tiers": {}}), ".tiers: must be a list"),
        (tier(json!({"input": "2"})), ".tiers[1].above: is missing"),
        (tier(json!({"above": 0, "input": "2"})), ".tiers[1].above: must be a whole number from 1"),
        (tier(json!({"above": 5, "input": "2"})), ".tiers[1].above: must be more than that of the tier before it"),
        (tier(json!({"above": 6})), ".tiers[1]: must name a rate that is another: one of input, cached_input"),
        (tier(json!({"above": 6, "request": "1"})), ".tiers[1].request: is not a field here"),
        (json!([]), ": must hold at least one price"),
        (json!([{"input": "1"}, {"input": "2"}]), "[1]: has no \"from\"; give the instant"),
        (json!([{"input": "1", "from": "2026-12-01"}]), "[0].from: must be an instant such as"),
        (
            json!([{"from": "2026-12-01T00:00:00Z", "input": "1"}, {"from": "2026-12-01T00:00:00Z", "input": "2"}]),
            "[1].from: must be later than that of the price before it",
        ),
    ] {
        let mut document = sample();
        document["prices"]["openai/gpt-4o-mini"] = price.clone();
        let got = Catalog::read(&document, 1).unwrap_err().to_string();
        assert!(got.starts_with(&format!("{mini}{problem}")), "{price}: {got}");
        document = sample();
        document["default_price"] = price.clone();
        let got = Catalog::read(&document, 1).unwrap_err().to_string();
        assert!(got.starts_with(&format!("catalog.default_price{problem}")), "{price}: {got}");
    }
    let mut document = sample();
    document["providers"]["ollama"]["price_list"] = json!("olama");
    let got = Catalog::read(&document, 1).unwrap_err().to_string();
    let start = "catalog.providers[\"ollama\"].price_list: must be \"none\" or a list that is built in: anthropic, ";
    assert!(got.starts_with(start) && got.ends_with("huggingface_…; got \"olama\""), "{got}");
    document = sample();
    document["prices"]["nobody/x"] = json!({"input": "1"});
    assert!(Catalog::read(&document, 1).unwrap_err().to_string().contains("with a provider of this catalog"));
    let key_by_mistake = json!({"providers": {"a": {"dialect": "openai", "base_url": "http://a", "auth": {"bearer": "sk-secret"}}}, "models": {}});
    assert!(!Catalog::read(&key_by_mistake, 1).unwrap_err().to_string().contains("sk-secret"));
}
