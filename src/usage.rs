//! What a tenant sees of itself: each limit as it stands, and what was used, by period, model and key.

use crate::key::KeyId;
use crate::limits::Standing;
use crate::rows::{Sums, UsageKey};
use crate::units::{Amount, Millis, NanoUsd};
use periods::Open;
use serde_json::{Map, Value, json};
use std::cmp::Reverse;
use std::collections::BTreeMap;

mod periods;

pub use periods::{Periods, grain};

/// How many models and how many keys of a period an answer shows: those that cost most.
const SHOWN_MAX: usize = 200;

/// The answer to `GET /v1/usage`: what `periods` hold, and `unflushed` calls that they do not hold yet.
///
/// Of a period with more than 200 models or keys those that cost most are shown, and the asking key; what the others have used
/// together is said as `other_models` and `other_keys`.
///
/// Each limit of the key stands in `limits` with the fields of its policy and, in its own unit (US dollars as a decimal
/// text, all else whole numbers):
/// - `max`: the most that it allows just now, an increase included;
/// - `increase`: only while one is under way: its end as `until`, and as `then` the `max` that holds from there on;
/// - `used`: settled in its window; `held`: what calls under way may still add; `remaining`: what `max` leaves of both,
///   and 0 where the limit was lowered below them;
/// - `debt`: only while there is one: what of `used` an earlier window overshot, and this one repays;
/// - `resets_at`: when its window will have let go of all that is used; `null`: never, or nothing is.
pub fn document(
    now: Millis,
    tenant: &str,
    key: &KeyId,
    standings: &[Standing<'_>],
    periods: &Periods,
    unflushed: &[(UsageKey, Sums)],
) -> Value {
    let shown = |open: &Open| (open.period.name().to_owned(), period_document(now, open, key, unflushed));
    let periods: Map<String, Value> = periods.0.iter().map(shown).collect();
    json!({
        "object": "usage",
        "tenant": tenant,
        "key": key,
        "as_of": timestamp(now),
        "limits": standings.iter().map(|standing| limit_document(now, standing)).collect::<Vec<_>>(),
        "periods": periods,
    })
}

/// An instant as RFC 3339 in UTC, to the millisecond.
pub fn timestamp(at: Millis) -> Value {
    at.to_rfc3339().map_or(Value::Null, Value::from)
}

fn limit_document(now: Millis, standing: &Standing<'_>) -> Value {
    let limit = standing.limit;
    let mut document = limit.document();
    let shown = [
        ("max", limit.what.document(standing.max)),
        ("used", limit.what.document(standing.settled)),
        ("held", limit.what.document(standing.held)),
        ("remaining", limit.what.document(standing.remaining())),
        ("resets_at", standing.resets_at.map_or(Value::Null, timestamp)),
    ];
    if let Value::Object(fields) = &mut document {
        fields.remove("increase");
        if let Some(increase) = limit.increase_at(now) {
            let ends = json!({"until": timestamp(increase.until), "then": limit.what.document(limit.max)});
            fields.insert("increase".to_owned(), ends);
        }
        if standing.debt > Amount::ZERO {
            fields.insert("debt".to_owned(), limit.what.document(standing.debt));
        }
        fields.extend(shown.into_iter().map(|(name, value)| (name.to_owned(), value)));
    }
    document
}

/// One period's total, and its parts by model and by key.
fn period_document(now: Millis, open: &Open, key: &KeyId, unflushed: &[(UsageKey, Sums)]) -> Value {
    let mut total = open.total;
    let (mut models, mut keys) = (BTreeMap::<&str, Sums>::new(), BTreeMap::<&str, Sums>::new());
    for (row, sums) in unflushed.iter().filter(|(row, _)| open.covers(row)) {
        total = total.plus(*sums);
        for (parts, name) in [(&mut models, row.model.as_str()), (&mut keys, row.key.as_str())] {
            let part = parts.entry(name).or_default();
            *part = part.plus(*sums);
        }
    }
    let known_models = open.models.iter().map(|(model, sums)| (model.as_str(), *sums));
    let known_keys = open.keys.iter().map(|(key, sums)| (key.as_str(), *sums));
    let mut document = json!({
        "start": timestamp(open.period.start(now)),
        "end": open.period.end(now).map_or(Value::Null, timestamp),
        "total": sums_document(total),
    });
    if let Value::Object(fields) = &mut document {
        fields.extend(parts("models", total, known_models, models, ""));
        fields.extend(parts("keys", total, known_keys, keys, key.as_str()));
    }
    document
}

/// The parts of `total` called `name`: as many as are shown, `own` among them, and the sum of all others where there are others.
fn parts<'a>(
    name: &str,
    total: Sums,
    known: impl Iterator<Item = (&'a str, Sums)>,
    mut more: BTreeMap<&'a str, Sums>,
    own: &str,
) -> Vec<(String, Value)> {
    let added = |(part, sums): (&'a str, Sums)| (part, more.remove(part).map_or(sums, |more| sums.plus(more)));
    let mut all: Vec<(&str, Sums)> = known.map(added).collect();
    all.extend(more);
    if all.len() > SHOWN_MAX {
        let worth = |(part, sums): &(&str, Sums)| Reverse((*part == own, sums.cost, sums.calls));
        all.select_nth_unstable_by_key(SHOWN_MAX, worth);
        all.truncate(SHOWN_MAX);
    }
    all.sort_unstable_by_key(|(part, _)| *part);
    let others = all.iter().fold(total, |rest, (_, sums)| rest.minus(*sums));
    let shown: Map<String, Value> =
        all.into_iter().map(|(part, sums)| (part.to_owned(), sums_document(sums))).collect();
    let mut parts = vec![(name.to_owned(), Value::Object(shown))];
    if others != Sums::default() {
        parts.push((format!("other_{name}"), sums_document(others)));
    }
    parts
}

fn sums_document(sums: Sums) -> Value {
    let cost = NanoUsd::new(u64::try_from(sums.cost).unwrap_or(0));
    json!({
        "calls": sums.calls,
        "failed": sums.failed,
        "input_tokens": sums.input,
        "cached_input_tokens": sums.cached_input,
        "output_tokens": sums.output,
        "cost": cost.to_usd(),
    })
}
