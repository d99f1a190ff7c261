//! The compiled list against the crate that its data is from, and the shapes that are compiled.
#![allow(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "the crate counts in floats, of few digits")]

use super::*;
use crate::price::Bill;
use crate::service::{Service, Uses, Word};
use crate::units::{Millis, NanoUsd};
use genai_prices::{Calculator, ErrorKind, PriceRequest, Usage};
use std::time::{Duration, UNIX_EPOCH};

#[path = "compile/match_rules.rs"]
#[allow(dead_code, reason = "only what reads is tested here")]
mod match_rules;

fn instant(text: &str) -> Millis {
    let instant = chrono::DateTime::parse_from_rfc3339(text).unwrap();
    Millis::new(instant.timestamp_millis().try_into().unwrap())
}

/// Calls of every kind: few tokens and many, beyond each tier that there is.
fn bills() -> Vec<Bill> {
    let count = |of: u64| Tokens::new(of);
    let mut bills = Vec::new();
    for input in [1, 128_001, 200_000, 272_001, 1_000_001] {
        let part = |of: u64| count(input / of);
        bills.push(Bill::of(count(input), count(777)));
        bills.push(Bill { cached_input: part(2), reasoning: count(500), ..Bill::of(count(input), count(777)) });
        bills.push(Bill {
            cached_input: part(3),
            cache_write: part(5),
            cache_write_hour: part(7),
            audio_input: part(11),
            reasoning: count(300),
            audio_output: count(77),
            ..Bill::of(count(input), count(777))
        });
    }
    bills
}

fn usage(bill: &Bill) -> Usage {
    Usage::from(
        [
            ("input_tokens", bill.input),
            ("cache_read_tokens", bill.cached_input),
            ("cache_write_tokens", bill.cache_write.plus(bill.cache_write_hour)),
            ("cache_write_1h_tokens", bill.cache_write_hour),
            ("input_audio_tokens", bill.audio_input),
            ("cache_audio_read_tokens", Tokens::ZERO),
            ("output_tokens", bill.output),
            ("output_reasoning_tokens", bill.reasoning),
            ("output_audio_tokens", bill.audio_output),
        ]
        .map(|(key, tokens)| (key, tokens.get() as f64)),
    )
}

/// What the crate says that a call costs, in dollars; `None`: it does not know the model.
fn by_the_crate(list: &List, model: &str, usage: &Usage, now: Millis) -> Option<f64> {
    by_the_crate_served(list, model, usage, now, None)
}

/// [`by_the_crate`] for a service, as the crate is told of it.
fn by_the_crate_served(
    list: &List,
    model: &str,
    usage: &Usage,
    now: Millis,
    context: Option<(&'static str, &'static str)>,
) -> Option<f64> {
    let at = UNIX_EPOCH + Duration::from_millis(now.get());
    let request = PriceRequest::new(model, usage).with_provider_id(list.name).with_timestamp(at);
    let request = match context {
        Some((key, value)) => request.with_price_context(key, value),
        None => request,
    };
    match Calculator::bundled().calculate(&request) {
        Ok(price) => Some(price.total_price),
        Err(error) if error.kind() == ErrorKind::ModelNotFound => None,
        Err(error) => panic!("{}/{model}: {error}", list.name),
    }
}

/// Whether the crate bills the model by what a call's usage does not tell, or not at all.
fn is_untold(list: &List, model: &str, now: Millis) -> bool {
    let plain = Usage::from([("input_tokens", 1e6), ("output_tokens", 1e6)]);
    let price = |usage: &Usage| by_the_crate(list, model, usage, now).unwrap();
    let untold = [
        "input_image_tokens",
        "output_image_tokens",
        "input_video_tokens",
        "output_video_tokens",
        "output_citation_tokens",
        "audio_seconds",
        "input_characters",
        "input_document_pages",
    ];
    let differs = |key: &&str| {
        let mut usage = plain.clone();
        usage.insert((*key).to_owned(), 1e6);
        (price(&usage) - price(&plain)).abs() > 1e-9
    };
    price(&plain) == 0.0 || untold.iter().any(differs)
}

/// Compares one price: ours is a whole number of nano-dollars, rounded up.
fn compare(list: &List, model: &str, bill: &Bill, now: Millis) {
    let theirs = by_the_crate(list, model, &usage(bill), now);
    let (Some(listed), Some(theirs)) = (list.find(model), theirs) else {
        let (ours, theirs) = (list.find(model).is_some(), theirs.is_some());
        assert!(!ours && (!theirs || is_untold(list, model, now)), "{}/{model}: {ours} {theirs}", list.name);
        return;
    };
    let ours = listed.tariff.at(now).unwrap().price.cost(*bill).get() as f64;
    let theirs = theirs * 1e9;
    let slack = theirs * 1e-9 + 1e-3;
    assert!(ours > theirs - slack && ours < theirs + 1.0 + slack, "{}/{model} {bill:?}: {ours} {theirs}", list.name);
}

/// The names that the clauses of a list hold, each with two of the names that differ from it a little.
fn names(list: &List) -> Vec<String> {
    let texts = list.models.split(|byte| *byte < b' ').filter(|text| !text.is_empty());
    let variants = texts.enumerate().flat_map(|(at, text)| {
        let text = str::from_utf8(text).unwrap();
        let name = text.replace("####-##-##", "2026-01-31").replace('#', "2");
        let end = ["-20251211", "-2025-12-11", "-20251311", "-latest", "-tts", "x", ":free"][at % 7];
        let other = [format!("x{name}"), name.to_uppercase(), text.replace('#', "x")][at % 3].clone();
        [format!("{name}{end}"), other, text.to_owned(), name]
    });
    variants.filter(|name| !name.is_empty()).collect()
}

#[test]
fn every_entry_is_readable_and_every_model_of_the_data_has_one() {
    let theirs: Vec<_> = Calculator::bundled().providers().collect();
    assert_eq!(
        lists().map(|list| list.name).collect::<Vec<_>>(),
        theirs.iter().map(|one| one.id()).collect::<Vec<_>>()
    );
    for (list, theirs) in lists().zip(theirs) {
        let mut prices = list.prices;
        for model in theirs.models() {
            let entry = prices.entry().unwrap();
            assert_eq!(entry.context.map(Tokens::get), model.context_window(), "{}/{}", list.name, model.id());
            let rising = |price: &crate::price::Price| price.tiers.is_sorted_by_key(|tier| tier.above);
            assert!(entry.tariff.0.iter().all(|dated| rising(&dated.price)));
            assert!(entry.tariff.0.is_empty() || entry.tariff.always_holds());
        }
        assert_eq!(prices.0, b"");
        assert_eq!(list.models.iter().filter(|byte| **byte == format::END).count(), theirs.models().count());
        assert_eq!(List::named(list.name), Some(list));
    }
    assert_eq!(List::named("nobody"), None);
}

#[test]
fn every_model_costs_what_the_crate_says() {
    let times = ["2024-01-01T00:00:00Z", "2026-10-19T02:00:00Z", "2026-11-22T08:00:00Z", "2027-06-01T20:00:00Z"];
    let (times, bills) = (times.map(instant), bills());
    for (list, theirs) in lists().zip(Calculator::bundled().providers()) {
        for model in theirs.models() {
            let is_one = list.find(model.id()).is_some_and(|listed| listed.tariff.0.len() == 1);
            let times = if is_one { &times[..1] } else { &times };
            times.iter().for_each(|now| bills.iter().for_each(|bill| compare(&list, model.id(), bill, *now)));
        }
    }
}

#[test]
fn every_service_of_every_model_costs_what_the_crate_says() {
    let word = |word: &str| Word::of(word);
    let tier = |name: &str| Service { tier: word(name), ..Service::default() };
    let searches = Service { uses: Uses { searches: 3, file_searches: 2, ..Uses::default() }, ..Service::default() };
    let searched = Service { tier: word("priority"), ..searches };
    let services = [
        (("service_tier", "default"), tier("default")),
        (("service_tier", "priority"), searched),
        (("service_tier", "flex"), tier("flex")),
        (("service_tier", "fast"), tier("fast")),
        (("processing", "batch"), tier("batch")),
        (("search_type", "fast"), Service { quality: word("search/fast"), ..searches }),
        (("route", "mistral/eu"), Service { route: word("mistral/eu"), ..Service::default() }),
    ];
    let times = ["2026-10-11T00:00:00Z", "2026-10-13T00:00:00Z", "2026-11-30T00:00:00Z", "2027-02-01T00:00:00Z"];
    let (times, mut bills, mut others) = (times.map(instant), bills(), 0);
    // Of each kind one that is short and one that is long.
    bills.drain(3..12);
    for (list, theirs) in lists().zip(Calculator::bundled().providers()) {
        for model in theirs.models().map(|model| model.id()) {
            let Some(listed) = list.find(model) else { continue };
            // One time is enough for those that have no others: at all times they cost the same.
            let varies = listed.tariff.0.iter().any(|dated| !dated.extras.variants.is_empty());
            for &now in if varies { &times[..] } else { &times[2..3] } {
                let dated = listed.tariff.at(now).unwrap();
                for ((context, service), bill) in
                    services.iter().flat_map(|one| bills.iter().map(move |bill| (one, bill)))
                {
                    let mut used = usage(bill);
                    used.insert("web_searches".to_owned(), service.uses.searches as f64);
                    used.insert("storage_searches".to_owned(), service.uses.file_searches as f64);
                    let theirs = by_the_crate_served(&list, model, &used, now, Some(*context)).unwrap() * 1e9;
                    // What has no price of its own is billed by a reserve, here of nothing.
                    let charge = dated.charge((*bill, service), now, NanoUsd::ZERO, None);
                    let (ours, slack) = (charge.cost.get() as f64, theirs * 1e-9 + 1e-3);
                    let name = format!("{}/{model} {context:?} at {now}, {bill:?}", list.name);
                    assert!(ours > theirs - slack && ours < theirs + 1.0 + slack, "{name}: {ours} {theirs}");
                    others += usize::from(charge.suffix.starts_with('/'));
                }
            }
        }
    }
    assert!(others > 1_000, "services have prices: {others}");
}

#[test]
fn every_name_is_found_where_the_crate_finds_it() {
    let (now, bill) = (instant("2026-11-22T08:00:00Z"), Bill::of(Tokens::new(150_000), Tokens::new(1_000)));
    for list in lists() {
        names(&list).iter().for_each(|name| compare(&list, name, &bill, now));
    }
}

#[test]
fn known_models_cost_what_their_providers_publish() {
    let bill = |input: u64, cached_input: u64, output: u64| Bill {
        cached_input: Tokens::new(cached_input),
        ..Bill::of(Tokens::new(input), Tokens::new(output))
    };
    for (list, model, at, bill, nano) in [
        ("openai", "gpt-4o-mini", "2026-11-22T00:00:00Z", bill(1_000, 400, 100), 90_000 + 30_000 + 60_000),
        ("openai", "GPT-4o-mini-2024-07-18", "2026-11-22T00:00:00Z", bill(1, 0, 0), 150),
        ("openai", "o3", "2025-06-09T23:59:59Z", bill(10, 0, 10), 100_000 + 400_000),
        ("openai", "o3", "2025-06-10T00:00:00Z", bill(10, 0, 10), 20_000 + 80_000),
        ("google", "gemini-2.5-pro", "2026-11-22T00:00:00Z", bill(200_000, 0, 1), 250_000_000 + 10_000),
        ("google", "gemini-2.5-pro", "2026-11-22T00:00:00Z", bill(200_001, 0, 1), 500_002_500 + 15_000),
        ("anthropic", "claude-sonnet-4-5", "2026-11-22T00:00:00Z", bill(200_000, 0, 2), 600_000_000 + 30_000),
        (
            "anthropic",
            "claude-sonnet-4-5-20250929",
            "2026-11-22T00:00:00Z",
            bill(300_000, 0, 2),
            1_800_000_000 + 45_000,
        ),
        ("anthropic", "claude-opus-5-20260801", "2026-11-22T00:00:00Z", bill(2, 1, 0), 5_000 + 500),
        ("azure", "claude-opus-5@20260801", "2026-11-22T00:00:00Z", bill(2, 0, 0), 10_000),
        ("perplexity", "sonar", "2026-11-22T00:00:00Z", bill(1, 0, 1), 12_000_000 + 2_000),
    ] {
        let listed = List::named(list).unwrap().find(model).unwrap_or_else(|| panic!("{list}/{model}"));
        let cost = listed.tariff.at(instant(at)).unwrap().price.cost(bill);
        assert_eq!(cost, NanoUsd::new(nano), "{list}/{model} at {at}");
    }
    let openai = List::named("openai").unwrap();
    for unknown in ["", "gpt-nobody", "whisper-1", "gpt-image-1", "gpt-5-mini-2026-1-1"] {
        assert_eq!(openai.find(unknown), None, "{unknown}");
    }
    assert_eq!(openai.find("gpt-4o").unwrap().context, Some(Tokens::new(128_000)));
}

#[test]
fn a_list_is_found_by_its_address() {
    for (address, name) in [
        ("https://api.openai.com/v1", Some("openai")),
        ("https://api.anthropic.com/v1", Some("anthropic")),
        ("https://generativelanguage.googleapis.com/v1beta/openai", Some("google")),
        ("https://acme.openai.azure.com/openai/v1", Some("azure")),
        ("https://openrouter.ai/api/v1", Some("openrouter")),
        ("https://router.huggingface.co/novita/v3/openai", Some("huggingface_novita")),
        ("https://api.eu.residency.elevenlabs.io/v1", Some("elevenlabs")),
        ("https://dbc-1.cloud.databricks.com/serving-endpoints", Some("databricks")),
        ("https://dbc-1.cloud.databricks.com/else", None),
        ("http://127.0.0.1:11434/v1", None),
    ] {
        assert_eq!(List::at(address).map(|list| list.name), name, "{address}");
    }
}

#[test]
fn a_shape_that_is_not_known_stops_the_build() {
    let write = |rule: &str| {
        let rule: match_rules::Rule = serde_json::from_str(rule).unwrap();
        let mut out = Vec::new();
        rule.write(&mut out).map(|()| String::from_utf8(out).unwrap())
    };
    for (rule, clauses) in [
        (r#"{"equals": "A"}"#, "\u{1}a\n"),
        (
            r#"{"or": [{"starts_with": "a"}, {"and": [{"ends_with": "b"}, {"contains": "c"}]}]}"#,
            "\u{2}a\u{3}b\u{14}c\n",
        ),
        (r#"{"regex": "^a-\\d{3}-\\d$"}"#, "\u{5}a-###-#\n"),
        (r#"{"regex": "^a\\.b-\\d"}"#, "\u{6}a.b-#\n"),
        (r#"{"regex": "^a\\[b=c\\]$"}"#, "\u{1}a[b=c]\n"),
        (r#"{"regex": "^a[-@]\\d$"}"#, "\u{5}a-#\u{5}a@#\n"),
        (r#"{"regex": "^(?!.*-[tT][tT][sS](?:$|-))"}"#, "\u{7}-tts\n"),
    ] {
        assert_eq!(write(rule).as_deref(), Ok(clauses), "{rule}");
    }
    for regex in [
        "a",
        "^a+$",
        "^a|b$",
        "^(a)$",
        "^[a-z]$",
        "^a.b$",
        "^A$",
        "^\\w$",
        "^a\\d{2,3}$",
        "^a#$",
        "^(?!.*-[tx](?:$|-))",
    ] {
        let rule = serde_json::json!({ "regex": regex }).to_string();
        assert!(write(&rule).is_err(), "{regex}");
    }
    for pattern in ["https://[a", "https://a{2}", "https://(a"] {
        assert!(match_rules::addresses(pattern).is_err(), "{pattern}");
    }
}
