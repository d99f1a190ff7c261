//! Cuts what carries JSON into pieces as it comes, and holds none of them.

use memchr::memchr2;

/// The lengths of a binary message and of its headers; with their CRC; and the CRC of all.
const LENGTHS_BYTES: usize = 8;
const PRELUDE_BYTES: usize = 12;
const CRC_BYTES: usize = 4;

/// What a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Of a line behind what that must begin with; of a message's payload.
    Text,
    /// The end of an empty line; of a message.
    End,
    /// Anything else.
    Other,
}

/// The line that is read.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// How many of its bytes came, up to those that it must begin with.
    begun: usize,
    /// It begins with something else.
    is_other: bool,
    /// The byte before was a CR: an LF that follows belongs to the same line end.
    after_cr: bool,
}

/// The message of `application/vnd.amazon.eventstream` that is read: see [`crate::aws::eventstream`]. Its checksums are not
/// checked: what it says is only looked at.
#[derive(Debug, Default)]
pub(super) struct Message {
    lengths: [u8; LENGTHS_BYTES],
    /// How many of its bytes came.
    at: usize,
}

/// A message has lengths that make no sense.
#[derive(Debug)]
pub(super) struct Malformed;

impl Line {
    /// Takes the next piece from the front of `rest`; `start` is what lines begin with that have a text.
    pub(super) fn next<'a>(&mut self, rest: &mut &'a [u8], start: &[u8]) -> Option<(Piece, &'a [u8])> {
        let first = *rest.first()?;
        if matches!(first, b'\n' | b'\r') {
            let is_second = first == b'\n' && self.after_cr;
            let is_empty = self.begun == 0 && !self.is_other && !is_second;
            *self = Self { after_cr: first == b'\r', ..Self::default() };
            return Some((if is_empty { Piece::End } else { Piece::Other }, take(rest, 1)));
        }
        self.after_cr = false;
        if self.is_other || self.begun == start.len() {
            let length = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            return Some((if self.is_other { Piece::Other } else { Piece::Text }, take(rest, length)));
        }
        self.is_other = start.get(self.begun) != Some(&first);
        self.begun = self.begun.saturating_add(1);
        Some((Piece::Other, take(rest, 1)))
    }
}

impl Message {
    /// Takes the next piece from the front of `rest`.
    ///
    /// # Errors
    /// [`Malformed`]: nothing more can be read.
    pub(super) fn next<'a>(&mut self, rest: &mut &'a [u8]) -> Result<Option<(Piece, &'a [u8])>, Malformed> {
        let Some(first) = rest.first() else { return Ok(None) };
        if let Some(byte) = self.lengths.get_mut(self.at) {
            *byte = *first;
            self.at = self.at.saturating_add(1);
            return Ok(Some((Piece::Other, take(rest, 1))));
        }
        let [length, headers] = self.read_lengths().ok_or(Malformed)?;
        let payload = headers.checked_add(PRELUDE_BYTES).ok_or(Malformed)?;
        let crc = length.checked_sub(CRC_BYTES).filter(|crc| *crc >= payload).ok_or(Malformed)?;
        let (piece, end) = match self.at {
            at if at < payload => (Piece::Other, payload),
            at if at < crc => (Piece::Text, crc),
            _ => (Piece::End, length),
        };
        let bytes = take(rest, end.saturating_sub(self.at));
        self.at = self.at.saturating_add(bytes.len());
        if self.at < length {
            return Ok(Some((if piece == Piece::End { Piece::Other } else { piece }, bytes)));
        }
        self.at = 0;
        Ok(Some((piece, bytes)))
    }

    /// The length of the message, and that of its headers.
    fn read_lengths(&self) -> Option<[usize; 2]> {
        let (length, rest) = self.lengths.split_first_chunk::<4>()?;
        let headers = rest.first_chunk::<4>()?;
        let number = |bytes: [u8; 4]| usize::try_from(u32::from_be_bytes(bytes)).ok();
        Some([number(*length)?, number(*headers)?])
    }
}

/// Takes up to so many bytes from the front of `rest`.
fn take<'a>(rest: &mut &'a [u8], bytes: usize) -> &'a [u8] {
    let (taken, tail) = rest.split_at_checked(bytes).unwrap_or((*rest, &[]));
    *rest = tail;
    taken
}
