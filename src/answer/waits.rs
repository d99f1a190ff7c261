//! How long a provider asks to be left alone, in every form in which one says so.
//!
//! | said                                                                    | by                             |
//! |-------------------------------------------------------------------------|--------------------------------|
//! | outright: `retry-after` (RFC 9110, 10.2.3: seconds or a date), its forms in milliseconds, `google.rpc.RetryInfo` and members such as `retry_after` in the body | all; Azure; Google; others |
//! | as the reset of a limit of which nothing remains: `x-ratelimit-*`, `anthropic-ratelimit-*`, `ratelimit` | OpenAI, Groq, Anthropic, … |
//! | to people: "Please retry in 41.2s."                                     | Google, OpenAI, Azure          |
//!
//! The first of these rows that says something counts, and of two waits in it the longer: a call before that is for nothing.

use crate::units::Millis;
use chrono::NaiveDate;
use serde_json::Value;

/// The most of a wait that is believed.
const WAIT_MAX: Millis = Millis::from_secs(3_600);
/// The most headers that are looked at.
const HEADERS_MAX: usize = 64;
/// A number from here on, in milliseconds, is an instant and no span: it would be 31 years.
const INSTANT_MIN: Millis = Millis::from_secs(1_000_000_000);
/// Members of an error that are waits: spans and instants as [`wait`] reads them, but for those in milliseconds.
const MEMBERS: [&str; 8] = [
    "retryDelay",
    "retry_after",
    "retryAfter",
    "retry_after_seconds",
    "estimated_time",
    "resets_in_seconds",
    "resets_at",
    "retry_after_ms",
];
/// What stands before a wait in a text, in small letters.
const PHRASES: [&str; 5] = ["retry in ", "again in ", "retry after ", "again after ", "wait "];
/// How many letters after that the wait begins at the latest.
const PHRASE_LETTERS: usize = 12;
/// What units are called, and their milliseconds.
const UNITS: [(&str, u64); 18] = [
    ("ms", 1),
    ("millisecond", 1),
    ("milliseconds", 1),
    ("s", 1_000),
    ("sec", 1_000),
    ("secs", 1_000),
    ("second", 1_000),
    ("seconds", 1_000),
    ("m", 60_000),
    ("min", 60_000),
    ("mins", 60_000),
    ("minute", 60_000),
    ("minutes", 60_000),
    ("h", 3_600_000),
    ("hour", 3_600_000),
    ("hours", 3_600_000),
    ("d", 86_400_000),
    ("days", 86_400_000),
];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const BILLION: u128 = 1_000_000_000;

/// What was found of each row of the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Waits {
    outright: Option<Millis>,
    reset: Option<Millis>,
    told: Option<Millis>,
}

impl Waits {
    /// What the headers say, `lines` of names in small letters and values in turn, at `now`.
    pub(super) fn of_headers(lines: &str, now: Millis) -> Self {
        let all: Vec<&str> = lines.split('\n').take(HEADERS_MAX.saturating_mul(2)).collect();
        let pairs = || all.chunks_exact(2).filter_map(|pair| Some((*pair.first()?, *pair.last()?)));
        let (mut seconds, mut millis, mut reset) = (None, None, None);
        for (name, value) in pairs() {
            if name.ends_with("retry-after-ms") {
                millis = millis.max(in_millis(value));
            } else if name.ends_with("retry-after") {
                seconds = seconds.max(first_or_longest(value, now));
            } else if name == "ratelimit" {
                reset = reset.max(spent_field(value));
            } else if let Some(name) = name_of_reset(name, value) {
                let found = pairs().find(|(other, _)| *other == name);
                reset = reset.max(found.and_then(|(_, value)| wait(value, now)));
            }
        }
        // Where both say the same, that in milliseconds is exact.
        let same =
            |millis: &Millis| seconds.is_none_or(|seconds: Millis| millis.as_secs_ceil() >= seconds.as_secs_ceil());
        Self { outright: millis.filter(same).or(seconds), reset, told: None }
    }

    /// These, and what the body of the error says, be it JSON or not.
    pub(super) fn and_body(self, body: &[u8], now: Millis) -> Self {
        let value: Value = serde_json::from_slice(body).unwrap_or_default();
        let mut all = Self { told: in_text(&String::from_utf8_lossy(body).to_ascii_lowercase()), ..self };
        for object in objects(&value) {
            for name in MEMBERS {
                all.outright = all.outright.max(object.get(name).and_then(|value| member(name, value, now)));
            }
            if let Some(headers) = object.get("headers").and_then(Value::as_object) {
                let lines: Vec<String> = headers
                    .iter()
                    .filter_map(|(name, value)| Some(format!("{}\n{}", name.to_ascii_lowercase(), text_of(value)?)))
                    .collect();
                let inner = Self::of_headers(&lines.join("\n"), now);
                (all.outright, all.reset) = (all.outright.max(inner.outright), all.reset.max(inner.reset));
            }
        }
        all
    }

    /// Whether the wait is said outright.
    pub(super) const fn is_outright(&self) -> bool {
        self.outright.is_some()
    }

    /// The wait that counts.
    pub(super) fn wait(&self) -> Option<Millis> {
        self.outright.or(self.reset).or(self.told).map(|wait| wait.min(WAIT_MAX))
    }
}

/// The objects of an error's body in which a wait may stand: itself, its `error`, and what these have as details.
fn objects(body: &Value) -> Vec<&Value> {
    let body = body.as_array().and_then(|all| all.first()).unwrap_or(body);
    let error = body.get("error").unwrap_or(&Value::Null);
    let mut all = vec![body, error, error.get("metadata").unwrap_or(&Value::Null)];
    for details in [body.get("details"), error.get("details")].into_iter().flatten() {
        match details.as_array() {
            Some(details) => all.extend(details.iter().take(HEADERS_MAX)),
            None => all.push(details),
        }
    }
    all
}

/// A member's wait. A `google.protobuf.Duration` is a text in JSON; some write its fields.
fn member(name: &str, value: &Value, now: Millis) -> Option<Millis> {
    if let Some(seconds) = value.get("seconds").and_then(text_of) {
        let nanos = value.get("nanos").and_then(Value::as_u64).unwrap_or_default();
        return wait(&seconds, now).map(|wait| wait.plus(Millis::new(nanos.div_ceil(1_000_000))));
    }
    let text = text_of(value)?;
    if name == "retry_after_ms" { in_millis(&text) } else { wait(&text, now) }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The header that says when a limit is reset, where this one says that nothing of it remains.
fn name_of_reset(name: &str, value: &str) -> Option<String> {
    let spent = |value: &str| value.starts_with('-') || number(value).is_some_and(|(billionths, _)| billionths == 0);
    if name.contains("remaining") && spent(value.trim()) {
        return Some(name.replacen("remaining", "reset", 1));
    }
    let rejected = name.contains("ratelimit") && value.trim() == "rejected";
    name.strip_suffix("status").filter(|_| rejected).map(|name| format!("{name}reset"))
}

/// The time until a limit without rest is reset, of those in a field `RateLimit: "rpm";r=0;t=23`
/// (draft-ietf-httpapi-ratelimit-headers-11).
fn spent_field(value: &str) -> Option<Millis> {
    let of = |limit: &str, name: &str| {
        let parameters = limit.split(';').filter_map(|parameter| parameter.split_once('='));
        parameters.into_iter().find_map(|(own, value)| (own.trim() == name).then(|| value.trim().to_owned()))
    };
    let spent = value.split(',').filter(|limit| of(limit, "r").as_deref() == Some("0"));
    spent.filter_map(|limit| in_unit(&of(limit, "t")?, 1_000)).max()
}

/// A `retry-after`, or the longest of several: a header that is sent twice comes as one with commas.
fn first_or_longest(text: &str, now: Millis) -> Option<Millis> {
    wait(text, now).or_else(|| text.split(',').filter_map(|part| wait(part, now)).max())
}

/// The time until what `text` says: seconds, a span such as `6m0s`, an instant in seconds or milliseconds since 1970, or a
/// date of RFC 9110 or RFC 3339. What is past is no time.
fn wait(text: &str, now: Millis) -> Option<Millis> {
    let text = text.trim();
    let until = |at: Millis| at.minus(now);
    if let Some(bare) = in_unit(text, 1_000) {
        let in_millis = Millis::new(bare.get() / 1_000);
        return Some(match bare {
            _ if in_millis >= INSTANT_MIN => until(in_millis),
            _ if bare >= INSTANT_MIN => until(bare),
            _ => bare,
        });
    }
    let whole_span = || span(text).filter(|(_, rest)| rest.is_empty()).map(|(wait, _)| wait);
    whole_span().or_else(|| Millis::parse_rfc3339(text).or_else(|| http_date(text)).map(until))
}

fn in_millis(text: &str) -> Option<Millis> {
    in_unit(text.trim(), 1)
}

/// A bare number of units that have so many milliseconds.
fn in_unit(text: &str, unit: u64) -> Option<Millis> {
    number(text).filter(|(_, rest)| rest.is_empty()).map(|(billionths, _)| times(billionths, unit))
}

/// The decimal that `text` begins with, in billionths, and what follows it.
fn number(text: &str) -> Option<(u128, &str)> {
    let (whole, rest) = digits(text);
    if whole.is_empty() {
        return None;
    }
    let (fraction, rest) = match rest.strip_prefix('.').map(digits) {
        Some((fraction, after)) if !fraction.is_empty() => (fraction, after),
        _ => ("", rest),
    };
    let whole: u64 = whole.parse().unwrap_or(u64::MAX);
    let fraction: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let fraction: u64 = fraction.parse().unwrap_or_default();
    Some((u128::from(whole).saturating_mul(BILLION).saturating_add(fraction.into()), rest))
}

fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or_default()
}

/// So many billionths of a unit, rounded up.
fn times(billionths: u128, unit: u64) -> Millis {
    let millis = billionths.saturating_mul(unit.into()).div_ceil(BILLION);
    Millis::new(u64::try_from(millis).unwrap_or(u64::MAX))
}

/// The span that `text` begins with, such as `1h2m3.5s`, `12ms` or `1 minute and 3 seconds`, and what follows it.
fn span(text: &str) -> Option<(Millis, &str)> {
    let (mut sum, mut rest, mut found) = (Millis::ZERO, text, false);
    while let Some((billionths, after)) = number(rest) {
        let after = after.trim_start();
        let end = after.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(end).unwrap_or_default();
        let Some((_, millis)) = UNITS.iter().find(|(name, _)| unit.eq_ignore_ascii_case(name)) else { break };
        (sum, found) = (sum.plus(times(billionths, *millis)), true);
        let next = after.trim_start_matches([' ', ',']);
        rest = next.strip_prefix("and ").unwrap_or(next);
    }
    found.then_some((sum, rest))
}

/// The longest wait that stands in a text of small letters.
fn in_text(text: &str) -> Option<Millis> {
    let after = |phrase: &'static str| {
        text.match_indices(phrase).filter_map(move |(at, _)| text.get(at.saturating_add(phrase.len())..))
    };
    let waits = PHRASES.into_iter().flat_map(after).filter_map(|rest| {
        let start = rest.char_indices().take(PHRASE_LETTERS).find(|(_, letter)| letter.is_ascii_digit())?.0;
        span(rest.get(start..)?).map(|(wait, _)| wait)
    });
    waits.max()
}

/// A date in any of the three forms of RFC 9110, 5.6.7: `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT`
/// and `Sun Nov  6 08:49:37 1994`. Of a year of two digits the one in this century is meant: what is said now is not older.
fn http_date(text: &str) -> Option<Millis> {
    let parts: Vec<&str> = text.split([' ', ',', '-', ':']).filter(|part| !part.is_empty()).collect();
    let (day, month, year, [hour, minute, second]) = match parts.as_slice() {
        [_, day, month, year, hour, minute, second, "GMT" | "UTC"] => (day, month, year, [hour, minute, second]),
        [_, month, day, hour, minute, second, year] => (day, month, year, [hour, minute, second]),
        _ => return None,
    };
    let month = (1_u32..).zip(MONTHS).find(|(_, name)| month.eq_ignore_ascii_case(name))?.0;
    let century = if year.len() == 2 { 2_000 } else { 0 };
    let year = year.parse::<i32>().ok()?.checked_add(century)?;
    let [hour, minute, second] = [hour, minute, second].map(|part| part.parse::<u32>().ok());
    // A leap second is as good as the one before.
    let (hour, minute, second) = (hour?, minute?, second?.min(59));
    let at = NaiveDate::from_ymd_opt(year, month, day.parse().ok()?)?.and_hms_opt(hour, minute, second)?;
    Some(Millis::new(u64::try_from(at.and_utc().timestamp_millis()).unwrap_or_default()))
}

#[cfg(test)]
#[path = "waits/tests.rs"]
mod tests;
