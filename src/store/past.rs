//! What rows tell of the past, in SQL: for limits that count nothing yet.

use crate::key::KeyId;
use crate::rows::{CallKey, Sums};
use crate::tenant::{CallsRead, PastCalls};
use crate::units::Millis;
use serde::Deserialize;

/// A page of what ended calls come to by cell, key and model: from which place on, up to which, how wide a cell is, and the one
/// key that is wanted, or ''. The last place of each stands first, so that the next page can go on behind it.
pub const CALLS_PAST_READ: &str = "SELECT max(at), key, model, (at / 1000 + ?3 - 1) / ?3 * ?3 AS cell, count(*), \
     CAST(min(total(input), 9007199254740991) AS INTEGER), CAST(min(total(output), 9007199254740991) AS INTEGER), \
     CAST(min(total(cost), 9007199254740991) AS INTEGER) FROM (SELECT at, key, model, input, output, cost FROM calls \
     WHERE at >= ?1 AND at < ?2 AND ended_at IS NOT NULL AND (?4 = '' OR key = ?4) ORDER BY at LIMIT 20000) \
     GROUP BY cell, key, model";
/// How many calls a page of [`CALLS_PAST_READ`] sums up.
pub const CALLS_PAST_PAGE: u64 = 20_000;
/// The usage rows of one key for the period of a grain that began at a time.
pub const USAGE_OF_KEY_READ: &str = "SELECT * FROM usage WHERE grain = ? AND start = ? AND key = ?";

/// A row of [`CALLS_PAST_READ`].
#[derive(Deserialize)]
pub struct PastRead(CallKey, KeyId, String, Millis, i64, i64, i64, i64);

impl PastRead {
    /// The last place that it sums up, and how many calls it does.
    pub fn extent(&self) -> (CallKey, u64) {
        (self.0, u64::try_from(self.4).unwrap_or(0))
    }

    /// What it tells, as an answer to `read`.
    pub fn past(self, read: &CallsRead) -> PastCalls {
        let sums = Sums { calls: self.4, input: self.5, output: self.6, cost: self.7, ..Sums::default() };
        PastCalls { cell: read.cell, at: self.3, key: self.1, model: self.2, sums }
    }
}
