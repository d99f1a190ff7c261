//! What the head of an answer says of the limits that cover its call, in three tongues:
//!
//! - `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, as OpenAI's clients read them: the tightest limit on each; to
//!   Anthropic's clients `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}`.
//! - `x-tollgate-budget`, `-limit`, `-used`, `-held`, `-remaining`, `-reset`: the tightest limit on money by name, in US
//!   dollars; where there is none, the tightest quota of a calendar period. A lifetime has no `-reset`.
//! - `RateLimit-Policy` and `RateLimit` of draft-ietf-httpapi-ratelimit-headers-11: every limit but those on money, the
//!   tightest first; of limits that share a name (a tenant's and a key's own) the tightest alone, since a name is all that
//!   ties the two fields together.
//!
//! The tightest is the limit that has the smallest part of itself left. All is as of the call's admission or refusal.

use crate::dialect::Dialect;
use crate::gauge::{Gauge, Gauges, TOLD_MAX};
use crate::policy::What;
use crate::refusal::duration;
use std::fmt::Write;

/// The largest integer of a structured field (RFC 9651).
const INTEGER_MAX: u64 = 999_999_999_999_999;

/// Adds the lines to those of an answer. Writing to a text cannot fail.
pub(super) fn write(lines: &mut String, dialect: Dialect, gauges: &Gauges) {
    if gauges.all.is_empty() {
        return;
    }
    lines.reserve(gauges.all.len().saturating_mul(96).saturating_add(512));
    match dialect {
        Dialect::Anthropic => write_anthropic(lines, gauges),
        _ => write_openai(lines, gauges),
    }
    if let Some(gauge) = gauges.budget() {
        write_budget(lines, gauge);
    }
    write_fields(lines, gauges);
}

fn write_openai(lines: &mut String, gauges: &Gauges) {
    for (kind, what) in [("requests", What::Requests), ("tokens", What::Tokens)] {
        if let Some(gauge) = gauges.tightest(what) {
            let (limit, remaining) = (gauge.max, gauge.remaining());
            let _ = write!(lines, "\nx-ratelimit-limit-{kind}\n{limit}\nx-ratelimit-remaining-{kind}\n{remaining}");
            if let Some(reset) = gauges.reset(gauge) {
                let _ = write!(lines, "\nx-ratelimit-reset-{kind}\n{}", duration(reset));
            }
        }
    }
}

fn write_anthropic(lines: &mut String, gauges: &Gauges) {
    for (kind, what) in [
        ("requests", What::Requests),
        ("tokens", What::Tokens),
        ("input-tokens", What::InputTokens),
        ("output-tokens", What::OutputTokens),
    ] {
        let Some(gauge) = gauges.tightest(what) else { continue };
        let name = format!("anthropic-ratelimit-{kind}");
        let _ = write!(lines, "\n{name}-limit\n{}\n{name}-remaining\n{}", gauge.max, gauge.remaining());
        let reset = gauges.as_of.plus(gauges.reset(gauge).unwrap_or_default());
        if let Some(reset) = reset.to_rfc3339() {
            let _ = write!(lines, "\n{name}-reset\n{reset}");
        }
    }
}

fn write_budget(lines: &mut String, gauge: &Gauge) {
    lines.push_str("\nx-tollgate-budget\n");
    lines.extend(printable(&gauge.name));
    for (name, amount) in
        [("limit", gauge.max), ("used", gauge.used), ("held", gauge.held), ("remaining", gauge.remaining())]
    {
        let _ = write!(lines, "\nx-tollgate-budget-{name}\n{}", gauge.what.text(amount));
    }
    if let Some(reset) = gauge.resets_at.and_then(|at| at.to_rfc3339()) {
        let _ = write!(lines, "\nx-tollgate-budget-reset\n{reset}");
    }
}

/// The two structured fields: lists of strings with parameters.
fn write_fields(lines: &mut String, gauges: &Gauges) {
    let mut told: Vec<(&Gauge, &str)> = Vec::with_capacity(gauges.all.len().min(TOLD_MAX));
    for gauge in &gauges.all {
        let quota_unit = match gauge.what {
            What::Requests => "requests",
            What::Tokens | What::InputTokens | What::OutputTokens => "tokens",
            What::Concurrency => "concurrent-requests",
            What::Cost => continue,
        };
        if told.len() < TOLD_MAX && told.iter().all(|(other, _)| other.name != gauge.name) {
            told.push((gauge, quota_unit));
        }
    }
    let mut before = "\nratelimit-policy\n";
    for (gauge, quota_unit) in &told {
        write_name(lines, before, &gauge.name);
        let _ = write!(lines, ";q={}", gauge.max.get().min(INTEGER_MAX));
        if let Some(length) = gauge.length {
            let _ = write!(lines, ";w={}", length.as_secs_ceil());
        }
        let _ = write!(lines, ";qu=\"{quota_unit}\"");
        before = ", ";
    }
    before = "\nratelimit\n";
    for (gauge, _) in &told {
        write_name(lines, before, &gauge.name);
        let _ = write!(lines, ";r={}", gauge.remaining().get().min(INTEGER_MAX));
        if let Some(reset) = gauges.reset(gauge) {
            let _ = write!(lines, ";t={}", reset.as_secs_ceil());
        }
        before = ", ";
    }
}

/// Writes a name as a structured field's string.
fn write_name(lines: &mut String, before: &str, name: &str) {
    lines.push_str(before);
    lines.push('"');
    for letter in printable(name) {
        if matches!(letter, '"' | '\\') {
            lines.push('\\');
        }
        lines.push(letter);
    }
    lines.push('"');
}

/// A name as a header can carry it. Those that policies take need no change.
fn printable(name: &str) -> impl Iterator<Item = char> {
    name.chars().map(|letter| if matches!(letter, ' '..='~') { letter } else { '?' })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Amount, CEILING, Millis};

    fn gauge(name: &str, what: What, length: Option<u64>, (max, used, held): (u64, u64, u64)) -> Gauge {
        let [max, used, held] = [max, used, held].map(Amount::new);
        Gauge {
            name: name.to_owned(),
            what,
            length: length.map(Millis::from_secs),
            max,
            used,
            held,
            calendar: false,
            resets_at: None,
        }
    }

    fn told(all: Vec<Gauge>) -> Vec<(String, String)> {
        let mut lines = "first\nline".to_owned();
        write(&mut lines, Dialect::OpenAi, &Gauges { as_of: Millis::new(1_796_083_140_000), all });
        let lines: Vec<&str> = lines.split('\n').skip(2).collect();
        assert!(lines.len().is_multiple_of(2), "{lines:?}");
        lines.chunks(2).map(|pair| (pair[0].to_owned(), pair[1].to_owned())).collect()
    }

    #[track_caller]
    fn check(all: Vec<Gauge>, expected: &[(&str, &str)]) {
        let told = told(all);
        let told: Vec<(&str, &str)> = told.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn every_limit_is_told_in_its_tongue() {
        let reset = |at: u64, gauge: Gauge| Gauge { resets_at: Some(Millis::new(at)), ..gauge };
        let month = reset(
            1_796_083_200_000,
            gauge("monthly", What::Cost, Some(2_592_000), (25_000_000_000, 1_500_000_000, 15)),
        );
        check(
            vec![
                reset(1_796_083_163_000, gauge("rpm", What::Requests, Some(60), (600, 188, 0))),
                Gauge { calendar: true, ..month },
                gauge("busy", What::Concurrency, None, (8, 0, 3)),
                reset(1_796_083_140_012, gauge("tpm", What::Tokens, Some(60), (200_000, 40, 60))),
            ],
            &[
                ("x-ratelimit-limit-requests", "600"),
                ("x-ratelimit-remaining-requests", "412"),
                ("x-ratelimit-reset-requests", "23s"),
                ("x-ratelimit-limit-tokens", "200000"),
                ("x-ratelimit-remaining-tokens", "199900"),
                ("x-ratelimit-reset-tokens", "12ms"),
                ("x-tollgate-budget", "monthly"),
                ("x-tollgate-budget-limit", "25"),
                ("x-tollgate-budget-used", "1.5"),
                ("x-tollgate-budget-held", "0.000000015"),
                ("x-tollgate-budget-remaining", "23.499999985"),
                ("x-tollgate-budget-reset", "2026-12-01T00:00:00.000Z"),
                (
                    "ratelimit-policy",
                    "\"rpm\";q=600;w=60;qu=\"requests\", \"busy\";q=8;qu=\"concurrent-requests\", \"tpm\";q=200000;w=60;qu=\"tokens\"",
                ),
                ("ratelimit", "\"rpm\";r=412;t=23, \"busy\";r=5, \"tpm\";r=199900;t=1"),
            ],
        );
    }

    #[test]
    fn a_calendar_quota_stands_in_for_a_budget_and_a_rate_does_not() {
        let daily = Gauge { calendar: true, ..gauge("daily", What::InputTokens, Some(86_400), (500, 100, 10)) };
        check(
            vec![gauge("rpm", What::Requests, Some(60), (600, 0, 0)), daily],
            &[
                ("x-ratelimit-limit-requests", "600"),
                ("x-ratelimit-remaining-requests", "600"),
                ("x-tollgate-budget", "daily"),
                ("x-tollgate-budget-limit", "500"),
                ("x-tollgate-budget-used", "100"),
                ("x-tollgate-budget-held", "10"),
                ("x-tollgate-budget-remaining", "390"),
                ("ratelimit-policy", "\"rpm\";q=600;w=60;qu=\"requests\", \"daily\";q=500;w=86400;qu=\"tokens\""),
                ("ratelimit", "\"rpm\";r=600, \"daily\";r=390"),
            ],
        );
    }

    #[test]
    fn nothing_is_told_where_nothing_is_limited_and_money_has_its_own_headers() {
        check(vec![], &[]);
        let names: Vec<String> =
            told(vec![gauge("ever", What::Cost, None, (5, 9, 0))]).into_iter().map(|(name, _)| name).collect();
        let known = ["", "-limit", "-used", "-held", "-remaining"].map(|part| format!("x-tollgate-budget{part}"));
        assert_eq!(names, known, "a lifetime has no reset, and money no RateLimit");
    }

    #[test]
    fn fields_are_bounded_and_well_formed_whatever_a_limit_is_called() {
        let mut all = vec![gauge("a\"\\\nb: é", What::Requests, None, (CEILING, 0, 0))];
        all.push(gauge("rpm", What::Requests, None, (1, 3, 0)));
        all.push(gauge("rpm", What::Tokens, None, (2, 0, 0)));
        all.extend((0..40).map(|nth| gauge(&format!("more-{nth}"), What::Concurrency, None, (9, 0, 0))));
        let told = told(all);
        let field = |name: &str| told.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str()).unwrap();
        let state = field("ratelimit");
        assert!(state.starts_with("\"a\\\"\\\\?b: ?\";r=999999999999999, \"rpm\";r=0, \"more-0\";r=9"), "{state}");
        assert_eq!(state.split(", ").count(), TOLD_MAX);
        assert_eq!(field("ratelimit-policy").split(", ").count(), TOLD_MAX);
    }
}
