//! What the ledger takes of storage: old rows are dropped, and what there is is told before it is too much.

use super::Statement;
use crate::rows::CallKey;

/// The place of the oldest call.
pub const OLDEST_CALL_READ: &str = "SELECT min(at) FROM calls";
/// Drops the oldest calls before a place, as many as a page holds: a range of the primary key.
const OLD_CALLS_DROP: &str = "DELETE FROM calls WHERE at <= (SELECT max(at) FROM \
     (SELECT at FROM calls WHERE at < CAST(? AS INTEGER) ORDER BY at LIMIT 1000))";
/// How many calls [`drop_old_calls`] drops at most.
pub const OLD_CALLS_PAGE: u32 = 1_000;
/// What an object's storage holds, in bytes.
const STORAGE_BYTES: u64 = 10_000_000_000;
/// The parts of it at which a warning is due, in percent.
const WARNED_AT: [u64; 5] = [50, 75, 90, 95, 99];

/// The statement that drops the oldest calls before `place`.
pub fn drop_old_calls(place: CallKey) -> Statement {
    (OLD_CALLS_DROP, place.get().to_string())
}

/// How full the storage is by the last mark that it has passed, in percent; 0: it has passed none.
pub fn filled(bytes: u64) -> u64 {
    let passed = |percent: &&u64| bytes >= (STORAGE_BYTES / 100).saturating_mul(**percent);
    WARNED_AT.iter().rev().find(passed).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storage_is_warned_of_at_each_mark_long_before_it_is_full() {
        for (bytes, percent) in [
            (0, 0),
            (4_999_999_999, 0),
            (5_000_000_000, 50),
            (7_499_999_999, 50),
            (9_499_999_999, 90),
            (9_899_999_999, 95),
            (10_000_000_000, 99),
            (u64::MAX, 99),
        ] {
            assert_eq!(filled(bytes), percent, "{bytes}");
        }
    }
}
