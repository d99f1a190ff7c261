//! What a tenant sees of itself: each limit as it stands, and what was used, by period, model and key.

use crate::key::KeyId;
use crate::limits::Standing;
use crate::rows::{Grain, Sums, UsageKey};
use crate::units::{Millis, NanoUsd};
use crate::window::Period;
use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The answer to `GET /v1/usage`: `usage` holds the rows of the open periods, all calls included.
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
        "limits": standings.iter().map(limit_document).collect::<Vec<_>>(),
        "periods": periods,
    })
}

/// An instant as RFC 3339 in UTC, to the millisecond.
pub fn timestamp(at: Millis) -> Value {
    let instant = i64::try_from(at.get()).ok().and_then(DateTime::from_timestamp_millis);
    instant.map_or(Value::Null, |instant| instant.to_rfc3339_opts(SecondsFormat::Millis, true).into())
}

fn limit_document(standing: &Standing<'_>) -> Value {
    let limit = standing.limit;
    let mut document = limit.document();
    let shown = [
        ("used", limit.what.document(standing.settled)),
        ("held", limit.what.document(standing.held)),
        ("remaining", limit.what.document(standing.remaining())),
        ("resets_at", standing.resets_at.map_or(Value::Null, timestamp)),
    ];
    if let Value::Object(fields) = &mut document {
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
