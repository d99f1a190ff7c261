//! Which price holds when, and for which service: a target's prices over time, and the rates that follow from those named.

use crate::price::{Price, Rates};
use crate::units::{Millis, Rate};
use chrono::{DateTime, SecondsFormat};

mod served;

pub use served::{Change, Charge, Extras, Fees, Served, Variant};

const SECONDS_A_DAY: u64 = 86_400;

/// A target's prices over time: of those that hold at an instant, the last counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tariff(pub Vec<Dated>);

/// A price and when it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dated {
    /// When it holds.
    pub when: When,
    /// What a call costs then, by the standard service.
    pub price: Price,
    /// What other services cost, and the provider's own tools.
    pub extras: Extras,
}

/// When a price holds; a later start is more than an earlier one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    /// At any time.
    #[default]
    Always,
    /// From an instant on.
    From(Millis),
    /// Each day from one second after midnight (UTC) to another, perhaps over midnight.
    Daily(u64, u64),
}

/// The rates that a document names, in the order of [`Rates`]; the others follow from them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Named(pub [Option<Rate>; 8]);

impl Tariff {
    /// The price that holds at `now`.
    pub fn at(&self, now: Millis) -> Option<&Dated> {
        self.0.iter().rev().find(|dated| dated.when.holds(now))
    }

    /// Whether it has a price at any time.
    pub fn always_holds(&self) -> bool {
        self.0.iter().any(|dated| dated.when == When::Always)
    }
}

impl When {
    fn holds(self, now: Millis) -> bool {
        match self {
            Self::Always => true,
            Self::From(start) => now >= start,
            Self::Daily(from, to) => {
                let second = (now.get() / 1_000) % SECONDS_A_DAY;
                if to < from { second >= from || second < to } else { second >= from && second < to }
            }
        }
    }

    /// What says in a ledger row which of several prices held: `@2026-10-19`, `@01:00:00Z`, or nothing.
    pub fn suffix(self) -> String {
        match self {
            Self::Always => String::new(),
            Self::From(start) => {
                let start = i64::try_from(start.get()).ok().and_then(DateTime::from_timestamp_millis);
                let text = start.map(|start| start.to_rfc3339_opts(SecondsFormat::Millis, true)).unwrap_or_default();
                let text = text.strip_suffix(".000Z").map_or(text.clone(), |text| format!("{text}Z"));
                format!("@{}", text.strip_suffix("T00:00:00Z").unwrap_or(&text))
            }
            Self::Daily(from, _) => {
                let (hour, minute, second) = (from / 3_600, (from / 60) % 60, from % 60);
                format!("@{hour:02}:{minute:02}:{second:02}Z")
            }
        }
    }
}

impl Named {
    /// All rates: cached input, sound and what is written to a cache cost what input does, a cache
    /// of an hour what one of minutes does, thought and sound what output does. No output named is free.
    pub fn rates(self) -> Rates {
        let [input, cached_input, cache_write, cache_write_hour, audio_input, output, reasoning, audio_output] = self.0;
        let input = input.unwrap_or_default();
        let output = output.unwrap_or_default();
        let cache_write = cache_write.unwrap_or(input);
        Rates {
            input,
            cached_input: cached_input.unwrap_or(input),
            cache_write,
            cache_write_hour: cache_write_hour.unwrap_or(cache_write),
            audio_input: audio_input.unwrap_or(input),
            output,
            reasoning: reasoning.unwrap_or(output),
            audio_output: audio_output.unwrap_or(output),
        }
    }

    /// These, and what only `base` names: a tier names what it changes.
    #[must_use]
    pub fn or(mut self, base: Self) -> Self {
        self.0.iter_mut().zip(base.0).for_each(|(own, base)| *own = own.or(base));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tariff(entries: &[(When, u64)]) -> Tariff {
        let dated = |&(when, rate): &(When, u64)| Dated {
            when,
            price: Price::flat(Rate::new(rate), Rate::ZERO),
            extras: Extras::default(),
        };
        Tariff(entries.iter().map(dated).collect())
    }

    #[test]
    fn of_the_prices_that_hold_the_last_counts() {
        let hours = |hours: u64| hours.saturating_mul(3_600);
        let all = tariff(&[
            (When::Always, 1),
            (When::From(Millis::from_secs(hours(240))), 2),
            (When::Daily(hours(22), hours(2)), 3),
            (When::Daily(hours(8), hours(9)), 4),
        ]);
        for (hour, rate, suffix) in [
            (12, 1, ""),
            (22, 3, "@22:00:00Z"),
            (25, 3, "@22:00:00Z"),
            (26, 1, ""),
            (239, 3, "@22:00:00Z"),
            (240 + 7, 2, "@1970-01-11"),
            (240 + 8, 4, "@08:00:00Z"),
            (240 + 9, 2, "@1970-01-11"),
        ] {
            let now = Millis::from_secs(hours(hour));
            let dated = all.at(now).unwrap();
            assert_eq!((dated.price.rates.input.get(), dated.when.suffix().as_str()), (rate, suffix), "hour {hour}");
            assert_eq!(all.at(now.plus(Millis::new(3_599_999))), Some(dated), "to the end of hour {hour}");
        }
        assert_eq!(When::From(Millis::new(1_700_000_000_500)).suffix(), "@2023-11-14T22:13:20.500Z");
        assert_eq!(tariff(&[(When::From(Millis::new(1_000)), 2)]).at(Millis::new(999)), None);
        assert_eq!(Tariff::default().at(Millis::ZERO), None);
    }

    #[test]
    fn rates_that_are_not_named_follow_from_those_that_are() {
        let named = |rates: [u64; 8]| Named(rates.map(|rate| (rate > 0).then(|| Rate::new(rate))));
        let all = |rates: [u64; 8]| Rates::from(rates.map(Rate::new));
        assert_eq!(named([3, 0, 0, 0, 0, 7, 0, 0]).rates(), all([3, 3, 3, 3, 3, 7, 7, 7]));
        assert_eq!(named([3, 1, 4, 0, 0, 0, 0, 0]).rates(), all([3, 1, 4, 4, 3, 0, 0, 0]));
        assert_eq!(named([1, 2, 3, 4, 5, 6, 7, 8]).rates(), all([1, 2, 3, 4, 5, 6, 7, 8]));
        let tier = named([6, 0, 0, 0, 0, 0, 0, 0]).or(named([3, 1, 0, 0, 0, 7, 0, 0]));
        assert_eq!(tier.rates(), all([6, 1, 6, 6, 6, 7, 7, 7]), "what follows from input follows from the tier's");
    }
}
