//! What a tenant sees of itself: each limit as it stands, and what was used, by period, model and key.

use crate::key::KeyId;
use crate::limits::Standing;
use crate::rows::{Grain, Sums, UsageKey};
use crate::units::{Amount, Millis, NanoUsd};
use crate::window::Period;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The answer to `GET /v1/usage`: `usage` holds the rows of the open periods, all calls included.
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
    usage: &[(UsageKey, Sums)],
) -> Value {
    let periods: Map<String, Value> =
        Period::ALL.iter().map(|&period| (period.name().to_owned(), period_document(now, period, usage))).collect();
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
fn period_document(now: Millis, period: Period, usage: &[(UsageKey, Sums)]) -> Value {
    let start = period.start(now);
    let grain = match period {
        Period::Hour => Grain::Hour,
        Period::Day | Period::Week => Grain::Day,
        Period::Month => Grain::Month,
        Period::Lifetime => Grain::Lifetime,
    };
    let mut total = Sums::default();
    let (mut models, mut keys) = (BTreeMap::<&str, Sums>::new(), BTreeMap::<&str, Sums>::new());
    for (row, sums) in usage.iter().filter(|(row, _)| row.grain == grain && row.start >= start) {
        total = total.plus(*sums);
        let by_model = models.entry(&row.model).or_default();
        *by_model = by_model.plus(*sums);
        let by_key = keys.entry(row.key.as_str()).or_default();
        *by_key = by_key.plus(*sums);
    }
    let parts = |parts: BTreeMap<&str, Sums>| -> Map<String, Value> {
        parts.into_iter().map(|(name, sums)| (name.to_owned(), sums_document(sums))).collect()
    };
    json!({
        "start": timestamp(start),
        "end": period.end(now).map_or(Value::Null, timestamp),
        "total": sums_document(total),
        "models": parts(models),
        "keys": parts(keys),
    })
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
