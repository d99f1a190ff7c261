//! Reads the prices of a catalog document.
//!
//! A price's `variants` say what other services cost, each under the word by which an answer tells it:
//!
//! ```json
//! {"input": "1", "output": "10", "search": "0.01",
//!  "variants": {"priority": {"input": "2", "output": "20"}, "flex": {"multiply": "0.5"}, "us": {"multiply": "1.1"}}}
//! ```
//!
//! A variant names what it changes. Where the price has tiers, a rate that the variant names holds in a tier only if the
//! variant's own tier of the same size names it; else the dearer of both does.

use crate::fields::{Field, Fields, Invalid};
use crate::price::{Price, Tier};
use crate::service::{WORD_BYTES_MAX, Word};
use crate::tariff::{Change, Dated, Extras, Fees, Named, Tariff, Variant, When};
use crate::units::{Millis, NanoUsd, Rate, Tokens};
use chrono::DateTime;

/// What documents call the rates, in the order of [`Named`].
const RATES: [&str; 8] =
    ["input", "cached_input", "cache_write", "cache_write_hour", "audio_input", "output", "reasoning", "audio_output"];
const TIERS_MAX: usize = 8;
const DATES_MAX: usize = 32;
const VARIANTS_MAX: usize = 16;
/// What documents call the fees of the provider's own tools.
const FEES: [&str; 4] = ["search", "file_search", "container", "image"];
/// A variant is at most a thousand times as dear: in millionths.
const SCALE_MAX: u64 = 1_000_000_000;
const ABOVE_MAX: u64 = 1_000_000_000;
/// A million dollars for a million tokens.
const RATE_MAX: Rate = Rate::new(1_000_000_000_000_000);

/// Reads one price, or a list of prices of which each holds until the next one does.
///
/// # Errors
/// The first field that is wrong, and what would be right.
pub(super) fn read_tariff(field: &Field<'_>) -> Result<Tariff, Invalid> {
    if !field.value().is_array() {
        return Ok(Tariff(vec![read_dated(field, None)?]));
    }
    let mut tariff: Vec<Dated> = Vec::new();
    for entry in field.list(DATES_MAX)? {
        let dated = read_dated(&entry, tariff.last().map(|before| before.when))?;
        tariff.push(dated);
    }
    if tariff.is_empty() { Err(field.invalid("must hold at least one price")) } else { Ok(Tariff(tariff)) }
}

/// Reads a price; `before`: when the one before it in its list holds.
fn read_dated(field: &Field<'_>, before: Option<When>) -> Result<Dated, Invalid> {
    let mut fields = field.fields()?;
    let from = fields.optional("from");
    let when = match (&from, before) {
        (None, None) => When::Always,
        (None, Some(_)) => {
            return Err(field.invalid(
                "has no \"from\"; give the instant at which it takes the place of the price before it, \
                 such as \"2026-12-01T00:00:00Z\"",
            ));
        }
        (Some(from), before) => {
            let start = read_instant(from)?;
            if before.is_some_and(|before| before != When::Always && before >= When::From(start)) {
                return Err(from.invalid("must be later than that of the price before it"));
            }
            When::From(start)
        }
    };
    field.fields()?.required("input")?;
    let base = read_rates(&mut fields)?;
    let request = fields.optional("request").map_or(Ok(NanoUsd::ZERO), |field| field.dollars())?;
    let fees = read_fees(&mut fields)?;
    let tiers = fields.optional("tiers").map_or(Ok(Vec::new()), |list| read_tiers(&list))?;
    let standard = Standard { base, tiers, request };
    let variants = match fields.optional("variants") {
        None => Vec::new(),
        Some(field) => field
            .entries(VARIANTS_MAX)?
            .into_iter()
            .map(|(name, field)| read_variant(name, &field, &standard))
            .collect::<Result<_, _>>()?,
    };
    fields.finish()?;
    Ok(Dated { when, price: standard.price(), extras: Extras { variants, fees } })
}

/// What a price names for the standard service.
struct Standard {
    base: Named,
    tiers: Vec<(Tokens, Named)>,
    request: NanoUsd,
}

impl Standard {
    fn price(&self) -> Price {
        let tier = |&(above, named): &(Tokens, Named)| Tier { above, rates: named.or(self.base).rates() };
        Price { rates: self.base.rates(), tiers: self.tiers.iter().map(tier).collect(), request: self.request }
    }

    /// The price of a variant that names `own` and `tiers`.
    fn changed(&self, own: Named, tiers: &[(Tokens, Named)], request: NanoUsd) -> Price {
        let mut sizes: Vec<Tokens> = self.tiers.iter().chain(tiers).map(|(above, _)| *above).collect();
        sizes.sort_unstable();
        sizes.dedup();
        let reached = |tiers: &[(Tokens, Named)], above: Tokens| {
            let tier = tiers.iter().rev().find(|(size, _)| *size <= above);
            tier.map_or(Named::default(), |(_, named)| *named)
        };
        let tier = |above: Tokens| {
            let (named, standard) = (reached(tiers, above), reached(&self.tiers, above).or(self.base));
            let changed = named.or(own).or(standard).rates();
            let dearer = Named(<[Rate; 8]>::from(changed.max(standard.rates())).map(Some));
            Tier { above, rates: named.or(dearer).rates() }
        };
        Price { rates: own.or(self.base).rates(), tiers: sizes.into_iter().map(tier).collect(), request }
    }
}

fn read_variant(name: &str, field: &Field<'_>, standard: &Standard) -> Result<Variant, Invalid> {
    let word = Word::of(name);
    if word.as_str() != name || word == Word::STRANGE || word.is_empty() {
        return Err(field.invalid(format!(
            "a variant is named by the word by which answers tell the service, in 1 to {WORD_BYTES_MAX} small letters, \
             digits or '-', '_', '.', '/', such as \"priority\""
        )));
    }
    if matches!(name, "standard" | "default" | "auto") {
        return Err(field.invalid("is no variant but the price itself: name its rates beside \"variants\""));
    }
    let mut fields = field.fields()?;
    let scale = fields.optional("multiply").map(|field| read_scale(&field)).transpose()?;
    let own = read_rates(&mut fields)?;
    let tiers = fields.optional("tiers").map_or(Ok(Vec::new()), |list| read_tiers(&list))?;
    let request = fields.optional("request").map(|field| field.dollars()).transpose()?;
    let fees = read_fees(&mut fields)?;
    fields.finish()?;
    let names_price = own != Named::default() || !tiers.is_empty() || request.is_some();
    let change = match scale {
        Some(_) if names_price => {
            return Err(field.invalid("has \"multiply\" and prices; give one of them"));
        }
        Some(scale) => Change::Scale(scale),
        None if !names_price && fees == Fees::default() => {
            return Err(field.invalid(format!(
                "must name what it changes: \"multiply\", \"request\", \"tiers\", or one of {}",
                [&RATES[..], &FEES].concat().join(", ")
            )));
        }
        None => Change::Price(standard.changed(own, &tiers, request.unwrap_or(standard.request))),
    };
    Ok(Variant { name: word, when: When::Always, change, fees })
}

/// Reads a factor, in millionths.
fn read_scale(field: &Field<'_>) -> Result<u64, Invalid> {
    let billionths = field.value().as_str().and_then(NanoUsd::parse_usd).map(NanoUsd::get);
    let millionths = billionths.filter(|billionths| billionths % 1_000 == 0).map(|billionths| billionths / 1_000);
    millionths.filter(|scale| (1..=SCALE_MAX).contains(scale)).ok_or_else(|| {
        field.invalid(format!(
            "must be a decimal text such as \"0.5\", more than 0 and at most 1000, with at most six digits after the point; \
             got {}",
            field.value()
        ))
    })
}

fn read_fees(fields: &mut Fields<'_>) -> Result<Fees, Invalid> {
    let [search, file_search, container, image] =
        FEES.map(|name| fields.optional(name).map(|field| field.dollars()).transpose());
    Ok(Fees { search: search?, file_search: file_search?, container: container?, image: image? })
}

fn read_tiers(list: &Field<'_>) -> Result<Vec<(Tokens, Named)>, Invalid> {
    let mut tiers: Vec<(Tokens, Named)> = Vec::new();
    for field in list.list(TIERS_MAX)? {
        let mut fields = field.fields()?;
        let number = fields.required("above")?;
        let above = Tokens::new(number.integer(1, ABOVE_MAX)?);
        if tiers.last().is_some_and(|(before, _)| *before >= above) {
            return Err(number.invalid("must be more than that of the tier before it"));
        }
        let named = read_rates(&mut fields)?;
        fields.finish()?;
        if named == Named::default() {
            return Err(field.invalid(format!("must name a rate that is another: one of {}", RATES.join(", "))));
        }
        tiers.push((above, named));
    }
    Ok(tiers)
}

fn read_rates(fields: &mut Fields<'_>) -> Result<Named, Invalid> {
    let mut named = Named::default();
    for (name, rate) in RATES.into_iter().zip(&mut named.0) {
        *rate = fields.optional(name).map(|field| read_rate(&field)).transpose()?;
    }
    Ok(named)
}

fn read_rate(field: &Field<'_>) -> Result<Rate, Invalid> {
    let rate = field.value().as_str().and_then(Rate::parse_usd).filter(|rate| *rate <= RATE_MAX);
    rate.ok_or_else(|| {
        field.invalid(format!(
            "must be US dollars for a million tokens as a decimal text such as \"0.15\"; got {}",
            field.value()
        ))
    })
}

fn read_instant(field: &Field<'_>) -> Result<Millis, Invalid> {
    let instant = field.value().as_str().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
    let millis = instant.and_then(|instant| u64::try_from(instant.timestamp_millis()).ok());
    millis.map(Millis::new).ok_or_else(|| {
        field.invalid(format!("must be an instant such as \"2026-12-01T00:00:00Z\"; got {}", field.value()))
    })
}
