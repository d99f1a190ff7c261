use super::super::When;
use super::*;
use crate::price::Tier;
use crate::units::{Rate, Tokens};
use proptest::prelude::*;

const RESERVE: NanoUsd = NanoUsd::new(100_000_000);
/// A thousand tokens in and a thousand out.
const BILL: Bill = Bill::of(Tokens::new(1_000), Tokens::new(1_000));

fn service(text: &str) -> Service {
    let mut service = Service::default();
    for part in text.split(' ').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap();
        let number = || value.parse().unwrap();
        match name {
            "tier" => service.tier = Word::of(value),
            "speed" => service.speed = Word::of(value),
            "region" => service.region = Word::of(value),
            "latency" => service.latency = Word::of(value),
            "quality" => service.quality = Word::of(value),
            "searches" => service.uses.searches = number(),
            "files" => service.uses.file_searches = number(),
            "containers" => service.uses.containers = number(),
            "images" => service.uses.images = number(),
            "others" => service.uses.others = number(),
            "cited" => service.cited = true,
            "cost" => service.cost = Some(NanoUsd::new(number())),
            _ => panic!("{name}"),
        }
    }
    service
}

fn flat(input: u64, output: u64) -> Price {
    Price::flat(Rate::new(input * 1_000_000_000), Rate::new(output * 1_000_000_000))
}

fn variant(name: &str, change: Change) -> Variant {
    Variant { name: Word::of(name), when: When::Always, change, fees: Fees::default() }
}

/// 1 USD for a million tokens of input, 10 for output; by `priority` 2 and 20; by `flex` half; in `us` a tenth more; a search
/// is a cent, and a picture of high quality costs 4 cents each time.
fn priced() -> Dated {
    let cents = |cents: u64| NanoUsd::new(cents * 10_000_000);
    let variants = vec![
        variant("priority", Change::Price(flat(2, 20))),
        variant("flex", Change::Scale(500_000)),
        variant("us", Change::Scale(1_100_000)),
        variant("high", Change::Price(Price { request: cents(4), ..flat(1, 10) })),
        variant("slow", Change::Price(flat(3, 3))),
    ];
    let fees = Fees { search: Some(cents(1)), container: Some(cents(3)), ..Fees::default() };
    Dated { price: flat(1, 10), extras: Extras { variants, fees }, ..Dated::default() }
}

fn plain() -> Dated {
    Dated { price: flat(1, 10), ..Dated::default() }
}

#[test]
fn a_bill_is_by_what_was_told_and_what_was_not_denied() {
    let standard = 11_000_000;
    for (asked, told, price, nano, suffix) in [
        ("", "", priced(), standard, ""),
        ("", "tier=default", priced(), standard, ""),
        ("", "tier=priority", priced(), 22_000_000, "/priority"),
        ("tier=priority", "tier=priority", priced(), 22_000_000, "/priority"),
        ("tier=priority", "tier=default", priced(), standard, ""),
        ("tier=priority", "tier=flex", priced(), 5_500_000, "/flex"),
        ("tier=priority", "", priced(), 22_000_000, "/priority"),
        ("tier=priority", "speed=standard", priced(), 22_000_000, "/priority"),
        ("", "tier=batch", priced(), standard, ""),
        ("", "tier=scale", priced(), standard, ""),
        ("", "region=us", priced(), 12_100_000, "/us"),
        ("", "tier=priority region=us", priced(), 24_200_000, "/priority/us"),
        ("", "tier=flex region=us", priced(), 6_050_000, "/flex/us"),
        ("", "tier=priority speed=slow", priced(), 22_000_000, "/priority/slow"),
        ("", "region=global latency=standard", priced(), standard, ""),
        ("", "quality=high", priced(), standard + 40_000_000, "/high"),
        ("", "quality=low", priced(), standard, ""),
        ("", "searches=3", priced(), standard + 30_000_000, ""),
        ("searches=1", "", priced(), standard + 10_000_000, ""),
        ("searches=1", "searches=4", priced(), standard + 40_000_000, ""),
        ("", "containers=2", priced(), standard + 60_000_000, ""),
        ("", "cited=yes", priced(), standard + 10_000_000, ""),
        ("", "cited=yes searches=2", priced(), standard + 20_000_000, ""),
        ("", "cited=yes", plain(), standard, ""),
        // What has no price of its own.
        ("", "tier=turbo", priced(), standard + 100_000_000, "+reserve"),
        ("", "speed=fast", priced(), standard + 100_000_000, "+reserve"),
        ("speed=fast", "speed=standard", priced(), standard, ""),
        ("", "region=eu", priced(), standard + 100_000_000, "+reserve"),
        ("", "tier=priority region=eu", priced(), 122_000_000, "/priority+reserve"),
        ("", "files=1", priced(), standard + 100_000_000, "+reserve"),
        ("", "others=1 searches=2", priced(), standard + 120_000_000, "+reserve"),
        ("", "tier=priority", plain(), standard + 100_000_000, "+reserve"),
        ("", "tier=flex", plain(), standard, ""),
        ("", "tier=reserved", plain(), standard, ""),
        ("", "latency=optimized searches=50", plain(), standard + 100_000_000, "+reserve"),
        // What the provider says that it cost.
        ("", "cost=10999999", plain(), standard, ""),
        ("", "cost=11000000", plain(), standard, ""),
        ("", "cost=11000001", plain(), 11_000_001, "+told"),
        ("", "cost=12000000 searches=1", plain(), 12_000_000, "+told"),
        ("", "cost=9000000000000000", plain(), standard + 100_000_000, "+told"),
        ("", "cost=0 searches=1", plain(), standard + 100_000_000, "+reserve"),
    ] {
        let billed = service(told).over(service(asked));
        let charge = price.charge((BILL, &billed), Millis::ZERO, RESERVE, None);
        let expected = Charge { cost: NanoUsd::new(nano), suffix: suffix.to_owned() };
        assert_eq!(charge, expected, "asked {asked:?}, told {told:?}");
    }
}

#[test]
fn what_a_call_costs_each_time_covers_its_searches_unless_these_have_a_fee() {
    let request = NanoUsd::new(5_000_000);
    let covered = Dated { price: Price { request, ..flat(1, 10) }, ..Dated::default() };
    let told = service("searches=7");
    assert_eq!(covered.charge((BILL, &told), Millis::ZERO, RESERVE, None).cost.get(), 16_000_000);
    let fees = Fees { search: Some(NanoUsd::new(1)), ..Fees::default() };
    let counted = Dated { extras: Extras { fees, ..Extras::default() }, ..covered };
    assert_eq!(counted.charge((BILL, &told), Millis::ZERO, RESERVE, None).cost.get(), 16_000_007);
    let path = counted.charge((BILL, &told), Millis::ZERO, RESERVE, Some(NanoUsd::new(2)));
    assert_eq!(path.cost.get(), 11_000_009, "what a path costs each time stands in its place");
    assert_eq!(priced().dearest_request(), NanoUsd::new(40_000_000));
}

#[test]
fn of_a_variant_with_several_prices_the_one_that_holds_counts() {
    let at = |when: When, input: u64| Variant { when, ..variant("priority", Change::Price(flat(input, 0))) };
    let day = Millis::from_secs(86_400);
    let variants = vec![at(When::From(day.times(2)), 4), at(When::From(day), 3)];
    let dated = Dated { extras: Extras { variants, ..Extras::default() }, ..plain() };
    for (days, nano, suffix) in [(0, 111_000_000, "+reserve"), (1, 3_000_000, "/priority"), (2, 4_000_000, "/priority")]
    {
        let charge = dated.charge((BILL, &service("tier=priority")), day.times(days), RESERVE, None);
        assert_eq!((charge.cost.get(), charge.suffix.as_str()), (nano, suffix), "after {days} days");
    }
}

fn any_price() -> impl Strategy<Value = Price> {
    let rates = || prop::array::uniform8(0_u64..50_000_000_000).prop_map(|rates| rates.map(Rate::new).into());
    (rates(), rates(), 0_u64..1_000).prop_map(|(rates, tier, request)| Price {
        rates,
        tiers: vec![Tier { above: Tokens::new(500), rates: tier }],
        request: NanoUsd::new(request),
    })
}

fn any_dated() -> impl Strategy<Value = Dated> {
    let change = prop_oneof![any_price().prop_map(Change::Price), (1_u64..3_000_000).prop_map(Change::Scale)];
    let names = prop::sample::select(vec!["priority", "flex", "batch", "fast", "us", "optimized", "high"]);
    let variant = (names, change).prop_map(|(name, change)| variant(name, change));
    let fee = || prop::option::of((0_u64..1_000).prop_map(NanoUsd::new));
    let fees = (fee(), fee(), fee(), fee());
    let fees = fees.prop_map(|(search, file_search, container, image)| Fees { search, file_search, container, image });
    (any_price(), prop::collection::vec(variant, 0..4), fees).prop_map(|(price, variants, fees)| Dated {
        price,
        extras: Extras { variants, fees },
        ..Dated::default()
    })
}

fn any_service() -> impl Strategy<Value = Service> {
    let word = |words: &'static [&'static str]| prop::sample::select(words).prop_map(Word::of);
    let words = (
        word(&["", "default", "priority", "flex", "batch", "turbo", "scale"]),
        word(&["", "standard", "fast"]),
        word(&["", "global", "us", "eu"]),
        word(&["", "standard", "optimized"]),
        word(&["", "high"]),
    );
    let cost = prop::option::weighted(0.2, (0_u64..1_000_000_000).prop_map(NanoUsd::new));
    (words, prop::array::uniform5(0_u64..3), cost).prop_map(|((tier, speed, region, latency, quality), uses, cost)| {
        Service { tier, speed, region, latency, quality, uses: uses.into(), cost, ..Service::default() }
    })
}

proptest! {
    #[test]
    fn no_bill_is_below_the_cheapest_rate_that_is_known_or_beyond_what_is_held(
        dated in any_dated(), told in any_service(), asked in any_service(), input in 0_u64..2_000, output in 0_u64..2_000,
    ) {
        let bill = Bill::of(Tokens::new(input), Tokens::new(output));
        let billed = told.over(asked);
        let charge = dated.charge((bill, &billed), Millis::ZERO, RESERVE, None);
        let scales: Vec<u64> = dated.extras.variants.iter().filter_map(|one| match one.change {
            Change::Scale(scale) if scale < 1_000_000 => Some(scale),
            _ => None,
        }).collect();
        let prices = dated.extras.variants.iter().filter_map(|one| match &one.change {
            Change::Price(price) => Some(price.clone()),
            Change::Scale(_) => None,
        }).chain([dated.price.clone()]);
        let cheapest = prices.map(|price| {
            scales.iter().fold(price, |price, scale| price.scaled(*scale)).cost(bill)
        }).min().unwrap();
        prop_assert!(charge.cost >= cheapest, "{charge:?} {cheapest:?}");

        // What is held is the dearest of the prices that are known, and the reserve where one is not.
        let served = dated.served(&billed, Millis::ZERO);
        let worst = served.prices.iter().map(|price| price.worst(bill.input, bill.output, crate::price::Kinds::default()));
        let held = worst.max().unwrap().plus(served.fees).plus(RESERVE);
        prop_assert!(charge.cost <= held);
        prop_assert_eq!(charge.suffix.ends_with("+reserve"), served.unpriced && !charge.suffix.ends_with("+told"));
    }

    #[test]
    fn the_standard_service_costs_the_standard_price_whatever_variants_there_are(dated in any_dated(), output in 0_u64..2_000) {
        let bill = Bill::of(Tokens::new(700), Tokens::new(output));
        for told in ["", "tier=default", "tier=standard speed=standard region=global latency=standard"] {
            let told = service(told);
            prop_assert!(told.is_standard());
            let charge = dated.charge((bill, &told), Millis::ZERO, RESERVE, None);
            prop_assert_eq!(charge, Charge { cost: dated.price.cost(bill), suffix: String::new() });
        }
    }
}
