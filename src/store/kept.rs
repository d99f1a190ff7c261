//! The rows of what providers keep for the tenant, in SQL.

use super::{Statement, push};
use crate::rows::Work;
use crate::units::Millis;

/// How many things are remembered: the oldest are forgotten first.
const KEPT_MAX: u32 = 200_000;

const KEPT_WRITE: &str = "INSERT INTO kept SELECT value->>0, value->>1, value->>2, value->>3 FROM json_each(?) WHERE true ON CONFLICT DO NOTHING";
const KEPT_SWEEP: &str = "DELETE FROM kept WHERE at <= (SELECT at FROM kept ORDER BY at DESC LIMIT 1 OFFSET (SELECT value FROM json_each(?)))";

/// Those of the bound ids that are known, each with its provider.
pub const KEPT_READ: &str = "SELECT id, provider FROM kept WHERE id IN (SELECT value FROM json_each(?))";

/// The work that goes on behind the answer that told of an id, whose provider is bound too.
pub const WORK_READ: &str = "SELECT work FROM kept WHERE id = ? AND provider = ? AND work IS NOT NULL";

/// An id, its provider, when it was heard of, and the work that it is of.
pub(super) type Kept<'a> = (&'a str, &'a str, &'a Millis, Option<&'a Work>);

/// Adds the statements that write what is `kept`.
pub(super) fn write(statements: &mut Vec<Statement>, kept: &[Kept<'_>], is_swept: bool) {
    let rows: Vec<_> =
        kept.iter().map(|(id, provider, at, work)| (id, provider, at, work.map(super::to_json))).collect();
    push(statements, KEPT_WRITE, &rows);
    if is_swept {
        push(statements, KEPT_SWEEP, &[KEPT_MAX]);
    }
}
