//! Reads what the data says of a model's prices, and writes it in integers.

use super::format;
use super::write::{block, number, rate};
use serde::Deserialize;
use serde_json::Number;
use std::collections::{BTreeMap, BTreeSet};

/// A model's prices: one, or several of which the last that holds counts.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Prices {
    Several(Vec<Conditional>),
    One(BTreeMap<String, Amount>),
}

/// A price and when it holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Conditional {
    constraint: Option<Constraint>,
    prices: BTreeMap<String, Amount>,
}

/// What other services than the standard one change.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Variant {
    when: BTreeMap<String, String>,
    constraint: Option<Constraint>,
    prices: BTreeMap<String, Amount>,
}

/// From a day on, or between two times of each day.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Constraint {
    start_date: Option<String>,
    start_time: Option<String>,
    end_time: Option<String>,
}

/// US dollars for so many units; with tiers, by how much input a call has.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Amount {
    Flat(Number),
    Tiered(Tiered),
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tiered {
    base: Number,
    tiers: Vec<Tier>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tier {
    start: u64,
    price: Number,
}

/// What a key of the data bills.
enum Key {
    /// A token of the kind at this place of the rates.
    Token(usize),
    /// A call.
    Request,
    /// A search of the web.
    Search,
    /// A search of files that are kept at the provider.
    FileSearch,
    /// Something that a call's usage does not tell.
    Untold,
}

/// The rates of one tier; those that are not named are as the reader's defaults have them.
type Rates = [Option<u64>; 8];

/// A price in integers, and when it holds.
pub(crate) struct Dated {
    when: Vec<u64>,
    rates: Rates,
    request: u64,
    search: Option<u64>,
    file_search: Option<u64>,
    tiers: Vec<(u64, Rates)>,
    /// By their names.
    variants: Vec<(String, Self)>,
}

impl Key {
    /// A key that nobody knows is an error: it may be billed for every call.
    fn of(name: &str) -> Result<Self, String> {
        Ok(match name {
            "input_mtok" => Self::Token(0),
            "cache_read_mtok" => Self::Token(1),
            "cache_write_mtok" | "cache_write_5m_mtok" => Self::Token(2),
            "cache_write_1h_mtok" => Self::Token(3),
            // Cached sound is told by no usage: it is billed as sound, which is never less.
            "input_audio_mtok" | "cache_audio_read_mtok" => Self::Token(4),
            "output_mtok" => Self::Token(5),
            "output_reasoning_mtok" => Self::Token(6),
            "output_audio_mtok" => Self::Token(7),
            "requests_kcount" => Self::Request,
            "web_searches_kcount" => Self::Search,
            "storage_searches_kcount" => Self::FileSearch,
            "input_image_mtok" | "cache_image_read_mtok" | "output_image_mtok" => Self::Untold,
            "input_video_mtok" | "output_video_mtok" | "output_citation_mtok" => Self::Untold,
            "audio_hours" | "input_audio_hours" | "input_mchars" | "input_text_messages_kcount" => Self::Untold,
            "input_document_kpages" | "input_annotated_document_kpages" => Self::Untold,
            _ => return Err(format!("{name:?} is a new kind of price: say in Key::of what it bills")),
        })
    }
}

/// The prices in integers; none where a call's usage does not tell what it costs.
pub(crate) fn compile_prices(prices: &Prices, variants: &[Variant], free: bool) -> Result<Vec<Dated>, String> {
    let compile = |constraint: Option<&Constraint>, prices: &BTreeMap<String, Amount>| {
        let Some(mut dated) = compile_price(when_of(constraint)?, prices, free)? else { return Ok(None) };
        for variant in variants {
            dated.variants.extend(variant.compile(prices)?);
        }
        Ok::<_, String>(Some(dated))
    };
    let compiled = match prices {
        Prices::One(prices) => vec![compile(None, prices)?],
        Prices::Several(several) => {
            several.iter().map(|one| compile(one.constraint.as_ref(), &one.prices)).collect::<Result<_, _>>()?
        }
    };
    Ok(compiled.into_iter().collect::<Option<Vec<_>>>().unwrap_or_default())
}

impl Variant {
    /// Its name and its price where `base` is the standard one; none where it is that too, or where a usage does not tell what
    /// it costs.
    fn compile(&self, base: &BTreeMap<String, Amount>) -> Result<Option<(String, Dated)>, String> {
        let mut when = self.when.iter();
        let name = match (when.next(), when.next()) {
            (Some((kind, word)), None) => match kind.as_str() {
                "processing" | "service_tier" => word.clone(),
                "search_type" => format!("search/{word}"),
                "route" => word.clone(),
                _ => return Err(format!("variants by {kind:?} are new: say in Variant::compile what tells them")),
            },
            _ => return Err("a variant depends on several things at once".to_owned()),
        };
        if self.prices.is_empty() {
            return Ok(None);
        }
        let mut prices = base.clone();
        prices.extend(self.prices.iter().map(|(key, amount)| (key.clone(), amount.clone())));
        let dated = compile_price(when_of(self.constraint.as_ref())?, &prices, false)?;
        Ok(dated.map(|dated| (name, dated)))
    }
}

fn compile_price(when: Vec<u64>, prices: &BTreeMap<String, Amount>, free: bool) -> Result<Option<Dated>, String> {
    if prices.is_empty() && !free {
        return Ok(None);
    }
    let (mut request, mut tokens, mut told) = (0, Vec::new(), true);
    let (mut search, mut file_search) = (None, None);
    for (name, amount) in prices {
        match (Key::of(name)?, amount) {
            (Key::Token(place), amount) => tokens.push((place, amount)),
            // Dollars for a thousand calls.
            (Key::Request, Amount::Flat(usd)) => request = integer(usd, 6)?,
            (Key::Request, Amount::Tiered(_)) => return Err(format!("{name} has tiers")),
            (Key::Search, Amount::Flat(usd)) => search = Some(integer(usd, 6)?),
            (Key::FileSearch, Amount::Flat(usd)) => file_search = Some(integer(usd, 6)?),
            (Key::Search | Key::FileSearch, Amount::Tiered(_)) => return Err(format!("{name} has tiers")),
            (Key::Untold, _) => told = false,
        }
    }
    let starts: BTreeSet<u64> = tokens.iter().flat_map(|(_, amount)| amount.starts()).collect();
    let at = |start: Option<u64>| -> Result<Rates, String> {
        let mut rates = Rates::default();
        for (place, amount) in &tokens {
            let rate = rates.get_mut(*place).ok_or("no such place")?;
            // Dollars for a million tokens.
            *rate = Some(integer(amount.at(start), 9)?).max(*rate);
        }
        Ok(rates)
    };
    let tiers = starts.into_iter().map(|start| Ok((start, at(Some(start))?))).collect::<Result<_, String>>()?;
    let dated = Dated { when, rates: at(None)?, request, search, file_search, tiers, variants: Vec::new() };
    Ok(told.then_some(dated))
}

impl Amount {
    fn starts(&self) -> impl Iterator<Item = u64> {
        let tiers = match self {
            Self::Flat(_) => &[][..],
            Self::Tiered(tiered) => &tiered.tiers,
        };
        tiers.iter().map(|tier| tier.start)
    }

    /// The price of calls with more input than `start`; with none, of those with the least.
    fn at(&self, start: Option<u64>) -> &Number {
        match self {
            Self::Flat(usd) => usd,
            Self::Tiered(tiered) => {
                let reached = tiered.tiers.iter().filter(|tier| start.is_some_and(|start| tier.start <= start));
                reached.max_by_key(|tier| tier.start).map_or(&tiered.base, |tier| &tier.price)
            }
        }
    }
}

impl Dated {
    /// Writes it as [`format`] has it.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        self.write_against(&Rates::default(), out);
    }

    /// [`Dated::write`] with those rates alone that are others than those of `base`.
    fn write_against(&self, base: &Rates, out: &mut Vec<u8>) {
        self.when.iter().for_each(|&part| number(out, part));
        let flag = |bit: u64, set: bool| if set { bit } else { 0 };
        let flags = flag(format::REQUEST, self.request > 0)
            | flag(format::SEARCH, self.search.is_some())
            | flag(format::FILE_SEARCH, self.file_search.is_some())
            | flag(format::TIERS, !self.tiers.is_empty())
            | flag(format::VARIANTS, !self.variants.is_empty());
        write_rates(out, &without(&self.rates, base), flags);
        if self.request > 0 {
            number(out, self.request);
        }
        [self.search, self.file_search].into_iter().flatten().for_each(|fee| rate(out, fee));
        if !self.tiers.is_empty() {
            number(out, self.tiers.len() as u64);
        }
        for (above, rates) in &self.tiers {
            number(out, *above);
            write_rates(out, &without(rates, &self.rates), 0);
        }
        if !self.variants.is_empty() {
            number(out, self.variants.len() as u64);
        }
        for (name, variant) in &self.variants {
            block(out, name.as_bytes());
            variant.write_against(&self.rates, out);
        }
    }
}

/// Those of `rates` that are others than in `base`.
fn without(rates: &Rates, base: &Rates) -> Rates {
    let mut others = *rates;
    others.iter_mut().zip(base).filter(|(rate, base)| *rate == *base).for_each(|(rate, _)| *rate = None);
    others
}

fn write_rates(out: &mut Vec<u8>, rates: &Rates, flags: u64) {
    let mask = rates.iter().enumerate().fold(flags, |mask, (bit, rate)| mask | (u64::from(rate.is_some()) << bit));
    number(out, mask);
    rates.iter().flatten().for_each(|&amount| rate(out, amount));
}

fn when_of(constraint: Option<&Constraint>) -> Result<Vec<u64>, String> {
    constraint.map_or(Ok(vec![format::ALWAYS]), when)
}

fn when(constraint: &Constraint) -> Result<Vec<u64>, String> {
    let wrong = |what: &str| format!("cannot read the {what}");
    match (&constraint.start_date, &constraint.start_time, &constraint.end_time) {
        (Some(date), None, None) => {
            let date: chrono::NaiveDate = date.parse().map_err(|_| wrong(date))?;
            let days = date.signed_duration_since(chrono::NaiveDate::default()).num_days();
            Ok(vec![format::FROM, u64::try_from(days).map_err(|_| wrong("year"))?])
        }
        (None, Some(start), Some(end)) => {
            let seconds = |time: &str| {
                let time = time.strip_suffix('Z').and_then(|time| time.parse::<chrono::NaiveTime>().ok());
                let time = time.filter(|time| chrono::Timelike::nanosecond(time) == 0).ok_or(wrong("time of day"))?;
                Ok::<_, String>(u64::from(chrono::Timelike::num_seconds_from_midnight(&time)))
            };
            Ok(vec![format::DAILY, seconds(start)?, seconds(end)?])
        }
        _ => Err(wrong("constraint")),
    }
}

/// `number` times `10^power`: what is finer than that is rounded up, but for the artefacts of binary fractions.
fn integer(number: &Number, power: i32) -> Result<u64, String> {
    let wrong = |why: &str| format!("the price {number} {why}");
    let text = number.to_string();
    let (decimal, exponent) = text.split_once(['e', 'E']).unwrap_or((&text, "0"));
    let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
    let digits: u128 = format!("{whole}{fraction}").parse().map_err(|_| wrong("is no amount"))?;
    let exponent: i32 = exponent.parse().map_err(|_| wrong("has no readable exponent"))?;
    let places = i32::try_from(fraction.len()).map_err(|_| wrong("is too long"))?;
    let power = power.checked_add(exponent).and_then(|power| power.checked_sub(places));
    let power = power.ok_or_else(|| wrong("is out of range"))?;
    let scale = 10_u128.checked_pow(power.unsigned_abs()).ok_or_else(|| wrong("is out of range"))?;
    if power >= 0 {
        let value = digits.checked_mul(scale).and_then(|value| u64::try_from(value).ok());
        return value.ok_or_else(|| wrong("is out of range"));
    }
    let off = |value: u128| value.saturating_mul(scale).abs_diff(digits);
    let nearest = digits.saturating_add(scale / 2).checked_div(scale).unwrap_or_default();
    let value = if off(nearest).saturating_mul(1_000_000_000_000) <= digits { nearest } else { digits.div_ceil(scale) };
    if off(value).saturating_mul(1_000_000) > digits {
        return Err(wrong("is finer than can be counted"));
    }
    u64::try_from(value).map_err(|_| wrong("is out of range"))
}
