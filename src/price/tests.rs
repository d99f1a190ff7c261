use super::*;
use proptest::prelude::*;

fn rates(text: &str) -> Rates {
    let rates: Vec<Rate> = text.split(' ').map(|text| Rate::parse_usd(text).unwrap()).collect();
    Rates::from(<[Rate; 8]>::try_from(rates).unwrap())
}

fn tokens(count: u64) -> Tokens {
    Tokens::new(count)
}

/// `input/cached/written/hour/audio + output/reasoning/audio`.
fn bill(text: &str) -> Bill {
    let (input, output) = text.split_once(" + ").unwrap();
    let parts = |text: &str| text.split('/').map(|part| tokens(part.parse().unwrap())).collect::<Vec<_>>();
    let (input, output) = (parts(input), parts(output));
    let part = |parts: &[Tokens], at: usize| parts.get(at).copied().unwrap_or_default();
    Bill {
        input: input[0],
        cached_input: part(&input, 1),
        cache_write: part(&input, 2),
        cache_write_hour: part(&input, 3),
        audio_input: part(&input, 4),
        output: output[0],
        reasoning: part(&output, 1),
        audio_output: part(&output, 2),
    }
}

#[test]
fn every_kind_of_token_has_its_own_rate_and_tiers_price_the_whole_call() {
    let price = Price {
        rates: rates("1 0.1 1.25 2 40 10 12 80"),
        tiers: vec![Tier { above: tokens(200_000), rates: rates("2 0.2 2.5 4 40 15 18 80") }],
        request: NanoUsd::new(7),
    };
    for (text, nano) in [
        ("0 + 0", 7),
        ("1000 + 100", 1_000_000 + 1_000_000 + 7),
        ("1000/400 + 0", 600_000 + 40_000 + 7),
        ("1000/400/300/200/100 + 0", 40_000 + 375_000 + 400_000 + 4_000_000 + 7),
        ("0 + 100/40/20", 400_000 + 480_000 + 1_600_000 + 7),
        ("200000 + 0", 200_000_000 + 7),
        ("200001 + 1", 400_002_000 + 15_000 + 7),
        ("10/99/99 + 1/5/5", 1_000 + 12_000 + 7),
    ] {
        assert_eq!(price.cost(bill(text)), NanoUsd::new(nano), "{text}");
    }
}

#[test]
fn a_call_is_priced_to_the_nano_dollar() {
    let mini = Price { rates: rates("0.15 0.075 0.15 0.15 0.15 0.60 0.60 0.60"), ..Price::default() };
    for (text, nano) in [("12 + 20", 13_800), ("12/12 + 0", 900), ("1000000 + 1000000", 750_000_000), ("0 + 0", 0)] {
        assert_eq!(mini.cost(bill(text)), NanoUsd::new(nano), "{text}");
    }
    let tiny = Price::flat(Rate::new(1_000), Rate::ZERO);
    assert_eq!(tiny.cost(Bill::of(tokens(1), Tokens::ZERO)), NanoUsd::new(1), "rounded up");
    assert_eq!(mini.cost(Bill::of(tokens(u64::MAX), tokens(u64::MAX))).get(), crate::units::CEILING);
    assert_eq!(Price::default().affordable_output(tokens(9), Kinds::default(), NanoUsd::ZERO), None);
}

fn price() -> impl Strategy<Value = Price> {
    let rates = || prop::array::uniform8(1_u64..100_000_000_000).prop_map(|rates| Rates::from(rates.map(Rate::new)));
    let tier = (1_u64..90_000, rates()).prop_map(|(above, rates)| Tier { above: tokens(above), rates });
    (rates(), prop::collection::vec(tier, 0..3), 0_u64..1_000_000).prop_map(|(rates, mut tiers, request)| {
        tiers.sort_by_key(|tier| tier.above);
        Price { rates, tiers, request: NanoUsd::new(request) }
    })
}

proptest! {
    #[test]
    fn what_is_affordable_is_the_most_that_fits(price in price(), input in 0_u64..100_000, room in 0_u64..10_000_000_000) {
        let (input, room, kinds) = (tokens(input), NanoUsd::new(room), Kinds::default());
        let most = price.affordable_output(input, kinds, room).unwrap();
        prop_assert!(price.worst(input, most.plus(tokens(1)), kinds) > room);
        prop_assert!(most == Tokens::ZERO || price.worst(input, most, kinds) <= room);
    }

    #[test]
    fn no_bill_within_the_bounds_costs_more_than_the_worst(
        price in price(), input in 0_u64..100_000, output in 0_u64..10_000, parts in prop::array::uniform7(0_u64..100_000), flags in any::<[bool; 3]>(),
    ) {
        let [audio_input, audio_output, cache_hour] = flags;
        let kinds = Kinds { audio_input, audio_output, cache_hour };
        let when = |may: bool, part: u64| if may { tokens(part) } else { Tokens::ZERO };
        let bill = Bill {
            input: tokens(input.min(parts[0])), cached_input: tokens(parts[1]), cache_write: tokens(parts[2]),
            cache_write_hour: when(cache_hour, parts[3]), audio_input: when(audio_input, parts[4]),
            output: tokens(output), reasoning: tokens(parts[5]), audio_output: when(audio_output, parts[6]),
        };
        prop_assert!(price.cost(bill) <= price.worst(tokens(input), tokens(output), kinds));
        let text = serde_json::to_string(&price).unwrap();
        prop_assert_eq!(serde_json::from_str::<Price>(&text).unwrap(), price);
    }
}
