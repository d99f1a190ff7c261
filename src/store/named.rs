//! The rows of named calls in SQL.

use super::{Statement, push};
use crate::idempotency::{Name, NameChange, NamedRow};
use crate::key::KeyId;
use crate::rows::CallKey;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const NAMES_GONE: &str = "DELETE FROM names WHERE at IN (SELECT value FROM json_each(?))";
const NAMES_WRITE: &str = "INSERT INTO names (at, key, name, body_hash, call, head) SELECT value->>0, value->>1, value->>2, \
     value->>3, value->>4, value->>5 FROM json_each(?) WHERE true ON CONFLICT (at) DO UPDATE SET head = excluded.head";
/// As many as [`SWEPT_AT_ONCE`](crate::idempotency::SWEPT_AT_ONCE).
const NAMES_EXPIRED: &str = "DELETE FROM names WHERE at IN (SELECT at FROM names \
     WHERE at < (SELECT value FROM json_each(?)) ORDER BY at LIMIT 64)";
const ANSWERS_GONE: &str = "DELETE FROM answers WHERE at IN (SELECT value FROM json_each(?))";

/// The row of a name: its key and the name are bound.
pub const NAME_READ: &str = "SELECT at, key, name, body_hash, call, head FROM names WHERE key = ? AND name = ?";
/// The place of the oldest row.
pub const OLDEST_NAME_READ: &str = "SELECT min(at) FROM names";
/// The answers that are kept, and how many bytes each has.
pub const ANSWERS_READ: &str = "SELECT at, sum(length(bytes)) FROM answers GROUP BY at";

/// Adds the statements that write `changes`.
pub(super) fn write(statements: &mut Vec<Statement>, changes: &[&NameChange]) {
    // The last that is said of a row stands. What goes, goes first: a name is given again in the same turn.
    let mut rows = BTreeMap::new();
    let (mut answers, mut expired) = (Vec::new(), None);
    for change in changes {
        match change {
            NameChange::Set(row) => drop(rows.insert(row.at, Some(row))),
            NameChange::Gone(at) => drop(rows.insert(*at, None)),
            NameChange::AnswerGone(at) => answers.push(*at),
            NameChange::Expired(before) => expired = expired.max(Some(*before)),
        }
    }
    let gone: Vec<CallKey> = rows.iter().filter(|(_, row)| row.is_none()).map(|(at, _)| *at).collect();
    let set: Vec<_> = rows.into_values().flatten().map(columns).collect();
    push(statements, ANSWERS_GONE, &answers);
    push(statements, NAMES_GONE, &gone);
    push(statements, NAMES_EXPIRED, &Vec::from_iter(expired));
    push(statements, NAMES_WRITE, &set);
}

fn columns(row: &NamedRow) -> impl Serialize + use<'_> {
    (row.at, &row.name.key, row.name.name.as_str(), row.body_hash.as_str(), row.call.as_str(), row.head.as_deref())
}

/// A row of `names`, as it is read.
#[derive(Deserialize)]
pub struct NamedRead(CallKey, KeyId, String, String, String, Option<String>);

impl From<NamedRead> for NamedRow {
    fn from(row: NamedRead) -> Self {
        let name = Name { key: row.1, name: row.2 };
        Self { at: row.0, name, body_hash: row.3, call: row.4, head: row.5 }
    }
}
