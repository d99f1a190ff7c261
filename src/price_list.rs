//! What providers charge, as the data of `genai-prices` had it when Tollgate was built.
//!
//! `build.rs` compiles the data; here a model is looked up in it. Nothing is unpacked but the entry
//! that is found, and [`crate::catalog`] looks every target up once, when a catalog is read.
//!
//! What the data has and this list has not: models that are billed by what a call's usage does not
//! tell (see `build.rs`). Cached sound is billed as sound.

mod format;
mod table;

use crate::pattern::Pattern;
use crate::tariff::Tariff;
use crate::units::Tokens;
use chrono::NaiveDate;
use table::Table;

/// Where the prices come from: `genai-prices:` and its version.
pub const SOURCE: &str = env!("PRICE_LIST_SOURCE");
static NAMES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/list_names.bin"));
static PRICES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/list_prices.bin"));

/// One provider's list of prices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct List {
    /// What it is called: `openai`.
    pub name: &'static str,
    addresses: Table<'static>,
    fallbacks: Table<'static>,
    models: &'static [u8],
    prices: Table<'static>,
}

/// What a list says of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The most tokens that it reads and answers together, where known.
    pub context: Option<Tokens>,
    /// What its calls cost.
    pub tariff: Tariff,
}

/// Every list.
pub fn lists() -> impl Iterator<Item = List> {
    let (mut names, mut prices) = (Table(NAMES), Table(PRICES));
    std::iter::from_fn(move || read_list(names.block()?, prices.block()?))
}

impl List {
    /// The list of this name.
    pub fn named(name: &str) -> Option<Self> {
        lists().find(|list| list.name == name)
    }

    /// The list of the provider whose API is at `base_url`.
    pub fn at(base_url: &str) -> Option<Self> {
        let is_at = |list: &List| list.addresses.texts().any(|address| Pattern::new(address).matches(base_url));
        lists().find(is_at)
    }

    /// What the list says of the provider's `model`; `None`: it has no price for it.
    ///
    /// Large and small letters (of ASCII) are the same, and so are `-20251211` and `-2025-12-11`.
    pub fn find(&self, model: &str) -> Option<Listed> {
        let model = model.to_ascii_lowercase();
        let found = self.find_here_or_there(&model);
        let found = found.or_else(|| self.find_here_or_there(&spread_dates(&model)?))?;
        (!found.tariff.0.is_empty()).then_some(found)
    }

    /// What the list says, or else the lists that it falls back on: those know only their own providers' other services.
    fn find_here_or_there(&self, model: &str) -> Option<Listed> {
        let there = || {
            let mut found = self.fallbacks.texts().find_map(|name| Self::named(name)?.find_here(model))?;
            found.tariff.0.iter_mut().for_each(|dated| dated.extras.variants.clear());
            Some(found)
        };
        self.find_here(model).or_else(there)
    }

    fn find_here(&self, model: &str) -> Option<Listed> {
        let place = self.models.split(|byte| *byte == format::END).position(|rules| is_for(rules, model))?;
        let mut prices = self.prices;
        (0..place).try_for_each(|_| prices.block().map(drop))?;
        prices.entry()
    }
}

fn read_list(names: &'static [u8], prices: &'static [u8]) -> Option<List> {
    let mut names = Table(names);
    let name = names.text()?;
    let addresses = names;
    names.skip_texts()?;
    let fallbacks = names;
    names.skip_texts()?;
    Some(List { name, addresses, fallbacks, models: names.0, prices: Table(prices) })
}

/// Whether one of the clauses in `rules` holds for `model`.
fn is_for(mut rules: &[u8], model: &str) -> bool {
    let mut holds = false;
    while let Some((tag, rest)) = rules.split_first() {
        let end = rest.iter().position(|byte| *byte < b' ').unwrap_or(rest.len());
        let (text, after) = rest.split_at_checked(end).unwrap_or_default();
        if tag & format::ALSO == 0 {
            if holds {
                return true;
            }
            holds = clause_holds(*tag, text, model);
        } else {
            holds = holds && clause_holds(tag & !format::ALSO, text, model);
        }
        rules = after;
    }
    holds
}

fn clause_holds(tag: u8, text: &[u8], model: &str) -> bool {
    let name = model.as_bytes();
    let alike = |(text, name): (&u8, &u8)| if *text == format::DIGIT { name.is_ascii_digit() } else { text == name };
    let starts_with_digits = || name.len() >= text.len() && text.iter().zip(name).all(alike);
    match tag {
        format::EQUALS => name == text,
        format::STARTS => name.starts_with(text),
        format::ENDS => name.ends_with(text),
        format::CONTAINS => str::from_utf8(text).is_ok_and(|text| model.contains(text)),
        format::EQUALS_DIGITS => name.len() == text.len() && starts_with_digits(),
        format::STARTS_DIGITS => starts_with_digits(),
        format::LACKS => str::from_utf8(text).is_ok_and(|text| {
            let mut rests = model.split(text).skip(1);
            rests.all(|rest| !rest.is_empty() && !rest.starts_with('-'))
        }),
        _ => false,
    }
}

/// `model` with each date such as `-20251211` written `-2025-12-11`; `None`: it has none.
fn spread_dates(model: &str) -> Option<String> {
    let mut spread = String::with_capacity(model.len());
    let mut rest = model;
    while let Some((head, tail)) = rest.split_once('-') {
        spread.push_str(head);
        spread.push('-');
        rest = tail;
        if let Some((date, after)) = tail.split_at_checked(8)
            && (after.is_empty() || after.starts_with(['-', ':']))
            && let Some((year, month, day)) = split_date(date)
        {
            spread.extend([year, "-", month, "-", day]);
            rest = after;
        }
    }
    spread.push_str(rest);
    (spread != model).then_some(spread)
}

/// The parts of a date of this century such as `20251211`.
fn split_date(date: &str) -> Option<(&str, &str, &str)> {
    let plain = date.starts_with("20") && date.bytes().all(|byte| byte.is_ascii_digit());
    let (year, rest) = date.split_at_checked(4).filter(|_| plain)?;
    let (month, day) = rest.split_at_checked(2)?;
    NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)?;
    Some((year, month, day))
}

#[cfg(test)]
#[path = "price_list/tests.rs"]
mod tests;
