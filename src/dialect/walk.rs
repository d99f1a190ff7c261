//! Steps that all readers of a request's [shape](crate::bound::Shape) take.

use super::names::word;
use super::skim::{Cursor, Key};
use memchr::memchr;

/// Whether a string that says one of `words` comes next, in front of which the cursor stays.
pub(in crate::dialect) fn is_one_of(cursor: &mut Cursor<'_>, words: &[&str]) -> Option<bool> {
    Some(cursor.peek()? == b'"' && word(cursor.clone().string()?.raw, words).is_some())
}

/// Whether `null` or `false` comes next: as good as nothing.
pub(in crate::dialect) fn absent(cursor: &mut Cursor<'_>) -> bool {
    matches!(cursor.peek(), Some(b'n' | b'f'))
}

/// The two sides of the comma of a `data:` address whose data is base64.
pub(in crate::dialect) fn inline(url: &[u8]) -> Option<(&[u8], &[u8])> {
    if !url.starts_with(b"data:") {
        return None;
    }
    let (head, data) = url.split_at_checked(memchr(b',', url)?)?;
    head.ends_with(b";base64").then_some((head, data.get(1..)?))
}

/// [`Cursor::object`], compiled once for all who call it here.
pub(in crate::dialect) fn object<'a>(
    cursor: &mut Cursor<'a>,
    member: &mut dyn FnMut(&mut Cursor<'a>, &Key<'a>) -> Option<()>,
) -> Option<()> {
    cursor.object(member)
}

/// [`Cursor::array`], compiled once for all who call it here.
pub(in crate::dialect) fn array<'a>(
    cursor: &mut Cursor<'a>,
    element: &mut dyn FnMut(&mut Cursor<'a>) -> Option<()>,
) -> Option<()> {
    cursor.array(element)
}

/// A length as a count of bytes.
pub(in crate::dialect) fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
