//! The words of the compiled price list: `build.rs` writes it with them, [`super`] reads it.
//!
//! There are two tables, of names and of prices, because like packs well with like. Both have a
//! block for each list, in the same order, and the third model of the one is the third of the other.
//!
//! ```text
//! names    = block(text:list count text:address* count text:fallback* model*)*
//! model    = clause* END                         one of them must hold
//! clause   = tag characters                      up to the next byte below a space
//!          | clause (ALSO | tag) characters      both must hold
//! prices   = block(block(entry)*)*
//! entry    = number:context count dated*
//! dated    = when number:mask rate*              by rising bit of the mask; then what REQUEST, SEARCH, FILE_SEARCH, TIERS and VARIANTS say
//! when     = ALWAYS | FROM number:days | DAILY number:from number:to
//! text     = block = number:bytes bytes
//! count    = number
//! number   = seven bits a byte, the lowest first; the top bit says that more follow
//! rate     = number: mantissa * 16 + power of ten
//! ```
//!
//! A model without a price of its own has a count of no dated prices; a context of 0 is not known.

/// A clause: the name is this.
pub(super) const EQUALS: u8 = 1;
/// A clause: the name starts with this.
pub(super) const STARTS: u8 = 2;
/// A clause: the name ends with this.
pub(super) const ENDS: u8 = 3;
/// A clause: the name holds this.
pub(super) const CONTAINS: u8 = 4;
/// A clause: the name is this, in which each [`DIGIT`] stands for any digit.
pub(super) const EQUALS_DIGITS: u8 = 5;
/// A clause: the name starts with this, in which each [`DIGIT`] stands for any digit.
pub(super) const STARTS_DIGITS: u8 = 6;
/// A clause: nowhere in the name does this stand before its end or before a `-`.
pub(super) const LACKS: u8 = 7;
/// The bit of a tag that says: the clause before this one must hold too.
pub(super) const ALSO: u8 = 16;
/// The end of a model's clauses.
pub(super) const END: u8 = b'\n';
/// What stands for a digit.
pub(super) const DIGIT: u8 = b'#';

/// A price that always holds.
pub(super) const ALWAYS: u64 = 0;
/// A price that holds from a day after 1970-01-01 on.
pub(super) const FROM: u64 = 1;
/// A price that holds each day from one second after midnight (UTC) to another, perhaps over midnight.
pub(super) const DAILY: u64 = 2;

/// The bit of a mask that says: what a call costs besides, in nano-USD, follows the rates.
pub(super) const REQUEST: u64 = 1 << 8;
/// The bit of a mask that says: what a search of the web costs, in nano-USD, follows as a rate.
pub(super) const SEARCH: u64 = 1 << 10;
/// The bit of a mask that says: what a search of stored files costs, in nano-USD, follows as a rate.
pub(super) const FILE_SEARCH: u64 = 1 << 11;
/// The bit of a mask that says: variants follow, as a count and then for each its name as a text and what it is, as a dated
/// price is written, with those rates that are others than without it.
pub(super) const VARIANTS: u64 = 1 << 12;
/// The bit of a mask that says: tiers follow, as a count and then for each the number of input
/// tokens it is above, a mask, and the rates that are others than without it.
pub(super) const TIERS: u64 = 1 << 9;
