//! What an object tells of its own work.

use crate::units::Millis;
use serde::{Deserialize, Serialize};

/// What an object has done since its memory was last rebuilt, for measurements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metrics {
    /// Calls admitted.
    pub calls: u64,
    /// Rows written, as the platform bills them.
    pub rows_written: u64,
    /// Requests that the data path made of the object.
    pub object_requests: u64,
    /// Transactions written: group commits.
    pub commits: u64,
    /// Bytes of calls that the object's isolate holds now.
    #[serde(default)]
    pub isolate_bytes: u64,
    /// The most that it has held.
    #[serde(default)]
    pub isolate_bytes_peak: u64,
    /// What its rows take of storage, which holds 10 GB.
    #[serde(default)]
    pub database_bytes: u64,
    /// When the oldest call of its ledger was admitted.
    #[serde(default)]
    pub oldest_call: Option<Millis>,
}
