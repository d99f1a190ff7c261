//! The return of a clock that was ahead, in SQL: what is dated ahead is dated to it.

use super::{Statement, to_json};
use crate::rows::Grain;
use crate::tenant::Return;
use crate::usage::grain;
use crate::window::Period;
use std::collections::BTreeMap;

// Bound as `?1`: the last place that is not dated ahead, the time, and when leases and rests end at the latest. The places of calls
// that are dated ahead are those after the first, in their order. A place is negative between two statements, so that none is
// taken while it is still another's; what is bound then is zero. Calls under way are all behind `flushed`, those that ended ahead
// were admitted in the day before.
const FLUSHED_BACK: &str = "UPDATE facts SET value = CAST((?1->>0) + 1 + (SELECT count(*) FROM calls WHERE at > ?1->>0 \
     AND at < CAST(facts.value AS INTEGER)) AS TEXT) WHERE name = 'flushed' AND CAST(value AS INTEGER) > ?1->>0";
const WORK_BACK: &str = "UPDATE kept SET work = json_set(work, '$.at', (?1->>0) + (SELECT count(*) FROM calls \
     WHERE at > ?1->>0 AND at <= kept.work->>'at')) WHERE work->>'at' > ?1->>0";
const KEPT_BACK: &str = "UPDATE kept SET at = ?1->>1 WHERE at > ?1->>1";
const NAMES_BACK: &str = "UPDATE names SET at = -moved.becomes FROM (SELECT at AS was, (?1->>0) + row_number() OVER (ORDER BY at) \
     AS becomes FROM calls WHERE at > ?1->>0) AS moved WHERE names.at = moved.was";
const ANSWERS_BACK: &str = "UPDATE answers SET at = -moved.becomes FROM (SELECT at AS was, (?1->>0) + row_number() OVER (ORDER BY at) \
     AS becomes FROM calls WHERE at > ?1->>0) AS moved WHERE answers.at = moved.was";
const CALLS_BACK: &str = "UPDATE calls SET at = -moved.becomes, ended_at = min(ended_at, ?1->>1) FROM (SELECT at AS was, \
     (?1->>0) + row_number() OVER (ORDER BY at) AS becomes FROM calls WHERE at > ?1->>0) AS moved WHERE calls.at = moved.was";
const NAMES_PLACED: &str = "UPDATE names SET at = -at WHERE at < ?->>0";
const ANSWERS_PLACED: &str = "UPDATE answers SET at = -at WHERE at < ?->>0";
const CALLS_PLACED: &str = "UPDATE calls SET at = -at WHERE at < ?->>0";
const LEASES_BACK: &str = "UPDATE calls SET lease_ends = min(lease_ends, ?1->>2), ended_at = min(ended_at, ?1->>1) \
     WHERE at >= min(coalesce((SELECT CAST(value AS INTEGER) FROM facts WHERE name = 'flushed'), 0), (?1->>0) - 86400000000) \
     AND (ended_at > ?1->>1 OR (state = 'open' AND lease_ends > ?1->>2))";
const RESTS_BACK: &str = "UPDATE health SET rests_until = ?1->>3 WHERE rests_until > ?1->>3";

// Bound: each grain, and when its period began.
const USAGE_BACK: &str = "INSERT INTO usage SELECT later.grain, open.value->>1, later.key, later.model, sum(later.calls), \
     sum(later.failed), sum(later.input), sum(later.cached_input), sum(later.output), sum(later.cost) \
     FROM json_each(?) AS open, usage AS later WHERE later.grain = open.value->>0 AND later.start > open.value->>1 \
     GROUP BY later.grain, later.key, later.model \
     ON CONFLICT (grain, start, key, model) DO UPDATE SET calls = calls + excluded.calls, failed = failed + excluded.failed, \
     input = input + excluded.input, cached_input = cached_input + excluded.cached_input, \
     output = output + excluded.output, cost = cost + excluded.cost";
const USAGE_GONE: &str = "DELETE FROM usage WHERE EXISTS (SELECT 1 FROM json_each(?) AS open \
     WHERE usage.grain = open.value->>0 AND usage.start > open.value->>1)";

/// The statements that date what is dated ahead to the clock's return, to be run together; debts are the tenant's to reckon.
pub fn turn_back(back: &Return) -> Vec<Statement> {
    let times = to_json(&(back.place(), back.now, back.leases_end, back.rests_end));
    let periods: BTreeMap<Grain, u64> =
        [Period::Hour, Period::Day, Period::Month].map(|period| (grain(period), back.start(period).get())).into();
    let periods = to_json(&periods.iter().map(|(grain, start)| (grain.number(), *start)).collect::<Vec<_>>());
    let bound = |statements: &[&'static str], text: &str| -> Vec<Statement> {
        statements.iter().map(|statement| (*statement, text.to_owned())).collect()
    };
    let dated = [FLUSHED_BACK, WORK_BACK, KEPT_BACK, NAMES_BACK, ANSWERS_BACK, CALLS_BACK];
    let placed = [NAMES_PLACED, ANSWERS_PLACED, CALLS_PLACED];
    [
        bound(&dated, &times),
        bound(&placed, "[0]"),
        bound(&[LEASES_BACK, RESTS_BACK], &times),
        bound(&[USAGE_BACK, USAGE_GONE], &periods),
    ]
    .concat()
}
