//! The rows of what providers keep for the tenant, in SQL.

use super::{Statement, push};
use crate::units::Millis;

/// How many things are remembered: the oldest are forgotten first.
const KEPT_MAX: u32 = 200_000;

const KEPT_WRITE: &str =
    "INSERT INTO kept SELECT value->>0, value->>1, value->>2 FROM json_each(?) WHERE true ON CONFLICT DO NOTHING";
const KEPT_SWEEP: &str = "DELETE FROM kept WHERE at <= (SELECT at FROM kept ORDER BY at DESC LIMIT 1 OFFSET (SELECT value FROM json_each(?)))";

/// Those of the bound ids that are known, each with its provider.
pub const KEPT_READ: &str = "SELECT id, provider FROM kept WHERE id IN (SELECT value FROM json_each(?))";

/// Adds the statements that write what is `kept`: ids, providers, times.
pub(super) fn write(statements: &mut Vec<Statement>, kept: &[(&str, &str, &Millis)], is_swept: bool) {
    push(statements, KEPT_WRITE, kept);
    if is_swept {
        push(statements, KEPT_SWEEP, &[KEPT_MAX]);
    }
}
