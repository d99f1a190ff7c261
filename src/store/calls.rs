//! The ledger read backwards, in SQL: a bounded number of rows at a time, by primary key.

use crate::rows::CallKey;
use serde::Deserialize;

/// How many calls before a place are looked at at once.
pub const CALLS_BACK_PAGE: u64 = 20_000;
/// What the calls before a place are, as many as are looked at at once: how many, the first place of them, and the place of the one
/// that is named so.
pub const CALLS_BACK_READ: &str = "SELECT count(*), min(at), max(CASE WHEN call = ?2 THEN at END) FROM \
     (SELECT at, call FROM calls WHERE at < ?1 ORDER BY at DESC LIMIT 20000)";
/// The calls before a place and from another on, the newest first, so many at most: all, or those of a list of truths.
pub const CALLS_LISTED_READ: &str = "SELECT * FROM calls WHERE at < ?1 AND at >= ?2 AND \
     (?4 = '[]' OR truth IN (SELECT value FROM json_each(?4))) ORDER BY at DESC LIMIT ?3";

/// A row of [`CALLS_BACK_READ`].
#[derive(Deserialize)]
pub struct BackRead(u64, Option<CallKey>, Option<CallKey>);

impl BackRead {
    /// The first place that was looked at.
    pub fn first(&self) -> CallKey {
        self.1.unwrap_or_default()
    }

    /// Before which place there may be more.
    pub fn further(&self) -> Option<CallKey> {
        self.1.filter(|_| self.0 >= CALLS_BACK_PAGE)
    }

    /// The place of the call that was looked for.
    pub fn found(&self) -> Option<CallKey> {
        self.2
    }
}
