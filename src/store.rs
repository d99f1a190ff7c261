//! The tenant's rows in SQL: what is written for a change, and how rows are read back.
//!
//! A whole turn's rows of a table are bound as one JSON text, so a commit is a few statements
//! however many calls it holds, and integers cross into SQLite exactly. This module only makes
//! texts; the shell runs them.

use crate::key::KeyId;
use crate::limits::Load;
use crate::price::Bill;
use crate::rows::{CallKey, CallRow, Change, DebtKey, End, Grain, HealthRow, State, Sums, Truth, UsageKey};
use crate::units::{Amount, Millis, NanoUsd, Tokens};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

mod calls;
mod clock;
mod kept;
mod named;
mod past;
mod size;

pub use calls::{BackRead, CALLS_BACK_PAGE, CALLS_BACK_READ, CALLS_LISTED_READ};
pub use clock::turn_back;
pub use kept::{KEPT_READ, WORK_READ};
pub use named::{ANSWERS_READ, NAME_READ, NamedRead, OLDEST_NAME_READ};
pub use past::{CALLS_PAST_PAGE, CALLS_PAST_READ, PastRead, USAGE_OF_KEY_READ};
pub use size::{OLD_CALLS_PAGE, OLDEST_CALL_READ, drop_old_calls, filled};

/// The tables, by version: each is run once, in order.
pub const MIGRATIONS: [&str; 4] = [
    include_str!("../migrations/tenant/0001_init.sql"),
    include_str!("../migrations/tenant/0002_parts.sql"),
    include_str!("../migrations/tenant/0003_names.sql"),
    include_str!("../migrations/tenant/0004_kept.sql"),
];
/// Where the versions that were run are kept.
pub const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS schema (version INTEGER PRIMARY KEY)";
/// Notes that a version was run.
pub const SCHEMA_DONE: &str = "INSERT INTO schema (version) SELECT value FROM json_each(?)";
/// The versions that were run.
pub const SCHEMA_READ: &str = "SELECT version FROM schema ORDER BY version";

/// The rows that one text may hold: far below the platform's 2 MB for a text.
const ROWS_MAX: usize = 1_000;

const OPENED_WRITE: &str = "INSERT INTO calls (at, call, key, model, endpoint, bytes, state, lease_ends, held_input, \
     held_output, held_likely_input, held_likely_output, held_cost, catalog, special) SELECT value->>0, value->>1, value->>2, value->>3, value->>4, \
     value->>5, 'open', value->>6, value->>7, value->>8, value->>9, value->>10, value->>11, value->>12, value->>13 FROM json_each(?)";
const ENDED_WRITE: &str = "UPDATE calls SET state = ended.value->>1, ended_at = ended.value->>2, input = ended.value->>3, \
     cached_input = ended.value->>4, output = ended.value->>5, parts = ended.value->>6, cost = ended.value->>7, \
     truth = ended.value->>8, priced_by = ended.value->>9, target = ended.value->>10, status = ended.value->>11, \
     attempts = ended.value->>12 FROM json_each(?) AS ended WHERE calls.at = ended.value->>0";
const AMENDED_WRITE: &str = "UPDATE calls SET lease_ends = amended.value->>1, held_output = amended.value->>2, \
     held_likely_output = amended.value->>3, held_cost = amended.value->>4, stop_at = amended.value->>5 \
     FROM json_each(?) AS amended WHERE calls.at = amended.value->>0";
const USAGE_WRITE: &str = "INSERT INTO usage SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, \
     value->>6, value->>7, value->>8, value->>9 FROM json_each(?) WHERE true \
     ON CONFLICT (grain, start, key, model) DO UPDATE SET calls = calls + excluded.calls, failed = failed + excluded.failed, \
     input = input + excluded.input, cached_input = cached_input + excluded.cached_input, \
     output = output + excluded.output, cost = cost + excluded.cost";
const HEALTH_WRITE: &str = "INSERT INTO health SELECT value->>0, value->>1, value->>2 FROM json_each(?) WHERE true \
     ON CONFLICT (target) DO UPDATE SET rests_until = excluded.rests_until, rests = excluded.rests";
const HABITS_WRITE: &str = "INSERT INTO habits SELECT value->>0, value->>1 FROM json_each(?) WHERE true \
     ON CONFLICT (name) DO UPDATE SET habit = excluded.habit";
const DEBTS_WRITE: &str = "INSERT INTO debts SELECT value->>0, value->>1, value->>2, value->>3 FROM json_each(?) \
     WHERE true ON CONFLICT (limit_name, key, start) DO UPDATE SET amount = amount + excluded.amount";
const DEBTS_GONE: &str = "DELETE FROM debts WHERE amount <= 0 AND (limit_name, key, start) IN \
     (SELECT value->>0, value->>1, value->>2 FROM json_each(?))";
const FACT_WRITE: &str = "INSERT INTO facts SELECT value->>0, value->>1 FROM json_each(?) WHERE true \
     ON CONFLICT (name) DO UPDATE SET value = excluded.value";
const KEYS_WRITE: &str = "INSERT INTO keys SELECT value->>0, value->>1 FROM json_each(?) WHERE true \
     ON CONFLICT (id) DO UPDATE SET record = excluded.record";

const KEYS_GONE: &str = "DELETE FROM keys WHERE id IN (SELECT value FROM json_each(?))";
const HABITS_GONE: &str =
    "DELETE FROM habits WHERE substr(name, 1, instr(name, ' ') - 1) IN (SELECT value FROM json_each(?))";

/// All facts: name and value.
pub const FACTS_READ: &str = "SELECT name, value FROM facts";
/// A page of the keys behind an id: id and record. There is a page after each that is not empty.
pub const KEYS_READ: &str = "SELECT id, record FROM keys WHERE id > ? ORDER BY id LIMIT 500";
/// The last place in the ledger.
pub const LAST_READ: &str = "SELECT max(at) FROM calls";
/// A page of the ledger from a place on, oldest first.
pub const CALLS_READ: &str = "SELECT * FROM calls WHERE at >= ? ORDER BY at LIMIT 2000";
/// How many rows a page of [`CALLS_READ`] holds.
pub const CALLS_PAGE: usize = 2_000;
/// One call.
pub const CALL_READ: &str = "SELECT * FROM calls WHERE at = ?";
/// The usage rows of a grain from a time on.
pub const USAGE_READ: &str = "SELECT * FROM usage WHERE grain = ? AND start >= ?";
/// All habits: name and habit.
pub const HABITS_READ: &str = "SELECT name, habit FROM habits";
/// All debts.
pub const DEBTS_READ: &str = "SELECT limit_name, key, start, amount FROM debts";
/// The targets that are not well.
pub const HEALTH_READ: &str = "SELECT * FROM health WHERE rests > 0";

/// The fact that tells before which place every call is in the usage rows.
pub const FLUSHED: &str = "flushed";

/// A statement and the text that is bound to it.
pub type Statement = (&'static str, String);

/// The statements that write `changes`, to be run together.
pub fn write(changes: &[Change]) -> Vec<Statement> {
    let mut opened = Vec::new();
    // A call that expires and is settled in one turn ends twice: the last end stands.
    let mut ended = BTreeMap::new();
    let mut amended = BTreeMap::new();
    let (mut usage, mut health, mut facts) = (Vec::new(), Vec::new(), Vec::new());
    let (mut habits, mut debts, mut names, mut gone) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut kept, mut is_swept) = (Vec::new(), false);
    for change in changes {
        match change {
            Change::Opened(row) => opened.push(opened_row(row)),
            Change::Ended(row) => ended.extend(ended_row(row).map(|columns| (row.at, columns))),
            Change::Amended(row) => drop(amended.insert(row.at, amended_row(row))),
            Change::Habit(name, habit) => habits.push((name.as_str(), to_json(habit))),
            Change::Debt(key, by) => debts.push((key.limit.as_str(), key.key.as_str(), key.start, by)),
            Change::KeyGone(id) => gone.push(id),
            Change::Usage(key, sums) => usage.push(usage_row(key, sums)),
            Change::Health(row) => health.push((row.target.as_str(), row.rests_until, row.rests)),
            Change::Name(change) => names.push(change),
            Change::Kept { id, provider, at, work } => kept.push((id.as_str(), provider.as_str(), at, work.as_ref())),
            Change::KeptSwept => is_swept = true,
            Change::Flushed(place) => facts.push((FLUSHED, place.get().to_string())),
        }
    }
    let mut statements = Vec::new();
    push(&mut statements, OPENED_WRITE, &opened);
    push(&mut statements, AMENDED_WRITE, &amended.into_values().collect::<Vec<_>>());
    push(&mut statements, ENDED_WRITE, &ended.into_values().collect::<Vec<_>>());
    push(&mut statements, USAGE_WRITE, &usage);
    push(&mut statements, HEALTH_WRITE, &health);
    push(&mut statements, HABITS_WRITE, &habits);
    push(&mut statements, KEYS_GONE, &gone);
    push(&mut statements, HABITS_GONE, &gone);
    push(&mut statements, DEBTS_WRITE, &debts);
    push(&mut statements, DEBTS_GONE, &debts.iter().filter(|(.., by)| **by < 0).collect::<Vec<_>>());
    push(&mut statements, FACT_WRITE, &facts);
    named::write(&mut statements, &names);
    kept::write(&mut statements, &kept, is_swept);
    statements
}

/// The statement that keeps `value` as the fact `name`.
pub fn write_fact(name: &str, value: &str) -> Statement {
    (FACT_WRITE, to_json(&[(name, value)]))
}

/// The statement that keeps `record` as the key `id`.
pub fn write_key(id: &str, record: &str) -> Statement {
    (KEYS_WRITE, to_json(&[(id, record)]))
}

fn push(statements: &mut Vec<Statement>, statement: &'static str, rows: &[impl Serialize]) {
    statements.extend(rows.chunks(ROWS_MAX).map(|rows| (statement, to_json(rows))));
}

/// `value` as JSON. Texts, numbers and lists cannot fail.
fn to_json(value: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn opened_row(row: &CallRow) -> impl Serialize + use<'_> {
    let held = row.held;
    (
        row.at,
        &row.call,
        &row.key,
        &row.model,
        &row.endpoint,
        row.bytes,
        row.lease_ends,
        held.input,
        held.output,
        held.likely_input,
        held.likely_output,
        held.cost,
        row.catalog,
        u8::from(row.special),
    )
}

fn amended_row(row: &CallRow) -> impl Serialize + use<> {
    let held = row.held;
    (row.at, row.lease_ends, held.output, held.likely_output, held.cost, row.stop_at)
}

fn ended_row(row: &CallRow) -> Option<impl Serialize + use<'_>> {
    let end = row.end.as_ref()?;
    Some((
        row.at,
        row.state,
        end.at,
        end.bill.input,
        end.bill.cached_input,
        end.bill.output,
        parts(&end.bill),
        end.cost,
        end.truth,
        end.priced_by.as_str(),
        end.target.as_str(),
        end.status,
        end.attempts,
    ))
}

/// The tokens of special kinds as the column `parts` holds them.
fn parts(bill: &Bill) -> Option<String> {
    let parts = [bill.cache_write, bill.cache_write_hour, bill.audio_input, bill.reasoning, bill.audio_output];
    parts.iter().any(|part| *part > Tokens::ZERO).then(|| to_json(&parts))
}

fn usage_row<'a>(key: &'a UsageKey, sums: &Sums) -> impl Serialize + use<'a> {
    (
        key.grain.number(),
        key.start,
        &key.key,
        key.model.as_str(),
        sums.calls,
        sums.failed,
        sums.input,
        sums.cached_input,
        sums.output,
        sums.cost,
    )
}

/// Reads rows that were read back as a JSON list of lists.
///
/// # Errors
/// They are not what this module wrote.
pub fn read<T: DeserializeOwned>(rows: &str) -> Result<Vec<T>, serde_json::Error> {
    serde_json::from_str(rows)
}

/// A row of `calls`, as it is read.
#[derive(Deserialize)]
pub struct CallRead(
    CallKey,
    String,
    KeyId,
    String,
    State,
    Millis,
    Tokens,
    Tokens,
    NanoUsd,
    u64,
    Option<Millis>,
    Option<Tokens>,
    Option<Tokens>,
    Option<Tokens>,
    Option<NanoUsd>,
    Option<Truth>,
    Option<String>,
    Option<u16>,
    Option<u32>,
    String,
    u64,
    Option<Tokens>,
    Option<Tokens>,
    Option<String>,
    Option<String>,
    u8,
    Option<Tokens>,
);

impl From<CallRead> for CallRow {
    fn from(row: CallRead) -> Self {
        let parts = row.24.and_then(|parts| serde_json::from_str::<[Tokens; 5]>(&parts).ok());
        let [cache_write, cache_write_hour, audio_input, reasoning, audio_output] = parts.unwrap_or_default();
        let bill = Bill {
            input: row.11.unwrap_or_default(),
            cached_input: row.12.unwrap_or_default(),
            cache_write,
            cache_write_hour,
            audio_input,
            output: row.13.unwrap_or_default(),
            reasoning,
            audio_output,
        };
        let end = row.10.map(|at| End {
            at,
            bill,
            cost: row.14.unwrap_or_default(),
            truth: row.15.unwrap_or_default(),
            priced_by: row.23.unwrap_or_default(),
            target: row.16.unwrap_or_default(),
            status: row.17.unwrap_or_default(),
            attempts: row.18.unwrap_or_default(),
        });
        let held = Load {
            input: row.6,
            output: row.7,
            likely_input: row.21.unwrap_or(row.6),
            likely_output: row.22.unwrap_or(row.7),
            cost: row.8,
        };
        Self {
            at: row.0,
            call: row.1,
            key: row.2,
            model: row.3,
            endpoint: row.19,
            bytes: row.20,
            state: row.4,
            lease_ends: row.5,
            held,
            special: row.25 > 0,
            stop_at: row.26,
            catalog: row.9,
            end,
        }
    }
}

/// A row of `usage`, as it is read.
#[derive(Deserialize)]
pub struct UsageRead(u8, Millis, KeyId, String, i64, i64, i64, i64, i64, i64);

impl From<UsageRead> for (UsageKey, Sums) {
    fn from(row: UsageRead) -> Self {
        let grain = Grain::ALL.iter().find(|(_, number)| *number == row.0).map_or(Grain::Hour, |(grain, _)| *grain);
        let sums = Sums { calls: row.4, failed: row.5, input: row.6, cached_input: row.7, output: row.8, cost: row.9 };
        (UsageKey { grain, start: row.1, key: row.2, model: row.3 }, sums)
    }
}

/// A row of `debts`, as it is read.
#[derive(Deserialize)]
pub struct DebtRead(String, String, Millis, Amount);

impl From<DebtRead> for (DebtKey, Amount) {
    fn from(row: DebtRead) -> Self {
        (DebtKey { limit: row.0, key: row.1, start: row.2 }, row.3)
    }
}

/// A row of `health`, as it is read.
#[derive(Deserialize)]
pub struct HealthRead(String, Millis, u32);

impl From<HealthRead> for HealthRow {
    fn from(row: HealthRead) -> Self {
        Self { target: row.0, rests_until: row.1, rests: row.2 }
    }
}

#[cfg(test)]
#[path = "store/tests.rs"]
mod tests;
