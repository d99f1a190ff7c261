//! What goes out for a chunk: the chunk itself as long as that will do.

use super::Relayed;
use std::ops::Range;

/// What goes out for a chunk: a run of the chunk itself as long as that will do.
pub(super) struct Output<'a> {
    chunk: &'a [u8],
    /// The part of the chunk that goes out after what is built.
    run: Range<usize>,
    built: Option<Vec<u8>>,
}

impl<'a> Output<'a> {
    /// Nothing of `chunk` so far.
    pub(super) const fn of(chunk: &'a [u8]) -> Self {
        Self { chunk, run: 0..0, built: None }
    }

    /// Sends this part of the chunk.
    pub(super) fn pass(&mut self, part: Range<usize>) {
        if self.run.end != part.start {
            self.built();
            self.run.start = part.start;
        }
        self.run.end = part.end;
    }

    /// Where other bytes can be added after all that was passed.
    pub(super) fn built(&mut self) -> &mut Vec<u8> {
        let built = self.built.get_or_insert_with(|| Vec::with_capacity(self.chunk.len()));
        built.extend_from_slice(self.chunk.get(self.run.clone()).unwrap_or_default());
        self.run.start = self.run.end;
        built
    }

    /// The last byte that goes out.
    pub(super) fn last(&self) -> Option<u8> {
        let last = self.chunk.get(self.run.clone()).and_then(<[u8]>::last);
        last.or_else(|| self.built.as_ref()?.last()).copied()
    }

    pub(super) fn finish(self) -> Relayed {
        if self.built.is_none() && self.run == (0..self.chunk.len()) {
            return Relayed::Same;
        }
        Relayed::Bytes(self.into_bytes())
    }

    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        self.built();
        self.built.unwrap_or_default()
    }
}
