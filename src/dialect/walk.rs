//! Steps that all readers of a request's [shape](crate::bound::Shape) take.

use super::names::{field, word};
use super::skim::{Cursor, Key};
use crate::bound::Shape;
use crate::reach::{self, Reach};
use crate::service::{Service, Word};
use memchr::memchr;

/// What a request is made of, as far as it was read.
#[derive(Default)]
pub(in crate::dialect) struct Seen {
    pub(in crate::dialect) shape: Shape,
    /// The bytes that are certainly media and not text.
    pub(in crate::dialect) media_bytes: u64,
    /// What it names besides its own words.
    pub(in crate::dialect) reach: Reach,
    /// What is read stands in an `extra_body`.
    is_extra: bool,
    /// It asks for a service that may cost more than the standard one.
    pub(in crate::dialect) is_served: bool,
}

impl Seen {
    /// Whether it asks for something that may cost more than is reckoned.
    const fn is_unbounded(&self) -> bool {
        self.shape.unbounded || self.is_served
    }

    /// Notes that the value that begins at `start` has no bound, and what it names that is kept at the provider.
    pub(in crate::dialect) fn strange(&mut self, start: &Cursor<'_>) {
        self.shape.unbounded = true;
        self.reach.scan(start, false);
    }
}

/// Steps over a request of one dialect. No step has a result where the text cannot be read.
pub(in crate::dialect) trait Walk: Default {
    /// What was seen so far.
    fn seen(&mut self) -> &mut Seen;

    /// Steps over the value of a field of the body.
    fn field<'a>(&mut self, cursor: &mut Cursor<'a>, key: &Key<'a>) -> Option<()>;

    /// Steps over any value, however deep, and looks for what counts wherever it stands.
    fn pass(&mut self, cursor: &mut Cursor<'_>) -> Option<()>;

    /// Steps over the whole request.
    fn body(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        if cursor.peek()? != b'{' {
            return self.elsewhere(cursor);
        }
        object(cursor, &mut |cursor, key| {
            let before = self.seen().is_unbounded();
            match reach::of_field(key.name) {
                Some(field) if reach::is_asked(cursor, field)? => self.reaches(cursor, field)?,
                _ if !self.seen().is_extra && field(key.name, &["extra_body"]).is_some() => self.extra(cursor)?,
                _ => self.field(cursor, key)?,
            }
            let seen = self.seen();
            if seen.is_unbounded() && !before {
                seen.reach.unbounded(key.name);
            }
            Some(())
        })
    }

    /// Steps over the value of a field that reaches further than the request's own words.
    fn reaches(&mut self, cursor: &mut Cursor<'_>, field: &reach::Field) -> Option<()> {
        self.seen().reach.take(cursor, field)?;
        self.elsewhere(cursor)
    }

    /// Steps over what routers take for more of the body.
    fn extra(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        if absent(cursor) {
            return self.pass(cursor);
        }
        let before = std::mem::replace(&mut self.seen().is_extra, true);
        self.elsewhere(&mut cursor.clone())?;
        self.body(cursor)?;
        self.seen().is_extra = before;
        Some(())
    }

    /// Steps over whether the answer is to be kept; one that is given twice keeps it if either does. `unsaid`: what `null` means.
    fn store(&mut self, cursor: &mut Cursor<'_>, unsaid: bool) -> Option<()> {
        let stores = match cursor.peek()? {
            b'f' => false,
            b'n' => unsaid,
            _ => true,
        };
        let before = &mut self.seen().reach.store;
        *before = Some(before.unwrap_or(false) || stores);
        self.pass(cursor)
    }

    /// Steps over something that has no bound, unless it is nothing.
    fn elsewhere(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        if !absent(cursor) {
            self.seen().strange(cursor);
        }
        self.pass(cursor)
    }

    /// Steps over a list whose elements `element` steps over; anything else but nothing has no bound.
    fn list<'a>(
        &mut self,
        cursor: &mut Cursor<'a>,
        element: fn(&mut Self, &mut Cursor<'a>) -> Option<()>,
    ) -> Option<()> {
        if cursor.peek()? != b'[' {
            return self.elsewhere(cursor);
        }
        array(cursor, &mut |cursor| element(self, cursor))
    }

    /// Steps over a word for a service, which `place` keeps unless it is among `words`, or nothing: those cost no more than
    /// the standard one. Of two that are asked for nobody knows which counts.
    fn service(&mut self, cursor: &mut Cursor<'_>, words: &[&str], place: fn(&mut Service) -> &mut Word) -> Option<()> {
        if !absent(cursor) && !is_one_of(cursor, words)? {
            let said = cursor.clone().value()?;
            let said = serde_json::from_slice(said).map_or(Word::STRANGE, |said: String| Word::of(&said));
            let kept = place(&mut self.seen().shape.service);
            *kept = if kept.is_empty() || *kept == said { said } else { Word::STRANGE };
            self.seen().is_served = true;
        }
        self.pass(cursor)
    }

    /// Adds the number that comes next, in front of which the cursor stays, to the most uses of the provider's tools.
    fn uses(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        let uses: u64 = serde_json::from_slice(cursor.clone().value()?).unwrap_or_default();
        let shape = &mut self.seen().shape;
        shape.uses_max = shape.uses_max.saturating_add(uses);
        Some(())
    }

    /// Steps over a word that has no bound unless it is among `words`, or nothing.
    fn standard(&mut self, cursor: &mut Cursor<'_>, words: &[&str]) -> Option<()> {
        self.seen().shape.unbounded |= !absent(cursor) && !is_one_of(cursor, words)?;
        self.pass(cursor)
    }

    /// Steps over a type: which of `words` it is, if any.
    fn kind(&mut self, cursor: &mut Cursor<'_>, words: &[&'static str]) -> Option<Option<&'static str>> {
        match cursor.peek()? {
            b'"' => Some(word(cursor.string()?.raw, words)),
            _ => self.pass(cursor).map(|()| None),
        }
    }

    /// Steps over an object that has no bound unless its one type is among `types`, or, where `may_lack` it, none.
    fn typed(&mut self, cursor: &mut Cursor<'_>, types: &[&str], may_lack: bool) -> Option<()> {
        if cursor.peek()? != b'{' {
            return self.elsewhere(cursor);
        }
        let (start, mut kinds, mut known): (_, u32, bool) = (cursor.clone(), 0, may_lack);
        // What makes pictures is asked by the name of its model, too, and bounded like any tool of the provider's.
        let mut is_picture = true;
        object(cursor, &mut |cursor, key| {
            match field(key.name, &["type", "max_uses"]) {
                Some("type") if !(may_lack && absent(cursor)) => {
                    (kinds, known) = (kinds.saturating_add(1), is_one_of(cursor, types)?);
                    is_picture &= is_one_of(cursor, &["image_generation"])?;
                }
                Some("max_uses") => self.uses(cursor)?,
                _ => {}
            }
            self.pass(cursor)
        })?;
        if !known || kinds > 1 {
            let seen = self.seen();
            seen.shape.unbounded = true;
            seen.reach.scan(&start, kinds == 0 || !is_picture);
        }
        Some(())
    }
}

/// Reads what `body`, a valid JSON object, is made of, and what it reaches.
pub(in crate::dialect) fn read<W: Walk>(body: &[u8]) -> (Shape, Reach) {
    let mut walk = W::default();
    let read = walk.body(&mut Cursor::new(body));
    let Seen { shape, media_bytes, is_served, mut reach, .. } = std::mem::take(walk.seen());
    let bytes = count(body.len()).saturating_sub(if read.is_some() { media_bytes } else { 0 });
    if read.is_none() {
        reach = reach::of_json(body);
    }
    let elsewhere = shape.unbounded || read.is_none();
    (Shape { bytes, unbounded: elsewhere || is_served, service_alone: is_served && !elsewhere, ..shape }, reach)
}

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
