//! Reads the prices of a catalog document.

use crate::fields::{Field, Fields, Invalid};
use crate::price::{Price, Tier};
use crate::tariff::{Dated, Named, Tariff, When};
use crate::units::{Millis, NanoUsd, Rate, Tokens};
use chrono::DateTime;

/// What documents call the rates, in the order of [`Named`].
const RATES: [&str; 8] =
    ["input", "cached_input", "cache_write", "cache_write_hour", "audio_input", "output", "reasoning", "audio_output"];
const TIERS_MAX: usize = 8;
const DATES_MAX: usize = 32;
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
    let tiers = match fields.optional("tiers") {
        None => Vec::new(),
        Some(list) => read_tiers(&list, base)?,
    };
    fields.finish()?;
    Ok(Dated { when, price: Price { rates: base.rates(), tiers, request } })
}

fn read_tiers(list: &Field<'_>, base: Named) -> Result<Vec<Tier>, Invalid> {
    let mut tiers: Vec<Tier> = Vec::new();
    for field in list.list(TIERS_MAX)? {
        let mut fields = field.fields()?;
        let number = fields.required("above")?;
        let above = Tokens::new(number.integer(1, ABOVE_MAX)?);
        if tiers.last().is_some_and(|before| before.above >= above) {
            return Err(number.invalid("must be more than that of the tier before it"));
        }
        let named = read_rates(&mut fields)?;
        fields.finish()?;
        if named == Named::default() {
            return Err(field.invalid(format!("must name a rate that is another: one of {}", RATES.join(", "))));
        }
        tiers.push(Tier { above, rates: named.or(base).rates() });
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
