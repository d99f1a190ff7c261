//! Finds any of some texts in bytes, in one pass that skips most of them.
//!
//! Source: S. Wu and U. Manber, "A fast algorithm for multi-pattern searching", 1994, with blocks of two bytes.

/// As many pairs of bytes are told apart.
const PAIRS: usize = 1_024;

/// The texts that are looked for, of two bytes and more each.
#[derive(Debug, Default)]
pub(super) struct Needles {
    all: Vec<Vec<u8>>,
    /// How far the search may move on from a pair of bytes, by its place in this table.
    skips: Vec<u8>,
    /// The bytes of each text that the search moves along.
    window: usize,
}

impl Needles {
    pub(super) fn new(all: Vec<Vec<u8>>) -> Self {
        let all: Vec<Vec<u8>> = all.into_iter().filter(|needle| needle.len() >= 2).collect();
        let window = all.iter().map(Vec::len).min().unwrap_or(2).min(usize::from(u8::MAX));
        let furthest = u8::try_from(window.saturating_sub(1)).unwrap_or(u8::MAX);
        let mut skips = vec![furthest; PAIRS];
        for needle in &all {
            for (at, pair) in needle.iter().zip(needle.iter().skip(1)).take(window.saturating_sub(1)).enumerate() {
                let skip = u8::try_from(window.saturating_sub(at).saturating_sub(2)).unwrap_or(u8::MAX);
                if let Some(known) = skips.get_mut(place(*pair.0, *pair.1)) {
                    *known = skip.min(*known);
                }
            }
        }
        Self { all, skips, window }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The bytes that are in one of the texts.
    pub(super) fn bytes(&self) -> impl Iterator<Item = u8> {
        self.all.iter().flatten().copied()
    }

    /// The length of the longest.
    pub(super) fn longest(&self) -> usize {
        self.all.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// Whether one of the texts is in `bytes`.
    pub(super) fn are_in(&self, bytes: &[u8]) -> bool {
        // Where the window ends whose last pair is looked at.
        let mut end = self.window;
        while !self.all.is_empty() && end <= bytes.len() {
            let Some(&[left, right]) = bytes.get(end.saturating_sub(2)..end) else { break };
            match self.skips.get(place(left, right)) {
                None | Some(0) => {
                    let from = bytes.get(end.saturating_sub(self.window)..).unwrap_or_default();
                    if self.all.iter().any(|needle| from.starts_with(needle)) {
                        return true;
                    }
                    end = end.saturating_add(1);
                }
                Some(skip) => end = end.saturating_add(usize::from(*skip)),
            }
        }
        false
    }

    /// How many of the last `bytes` are the beginning of a text.
    pub(super) fn begun(&self, bytes: &[u8]) -> usize {
        self.all.iter().map(|needle| begun(bytes, needle)).max().unwrap_or(0)
    }
}

/// The place of a pair of bytes in the table.
fn place(left: u8, right: u8) -> usize {
    (usize::from(left) << 5 ^ usize::from(right)) % PAIRS
}

fn begun(bytes: &[u8], needle: &[u8]) -> usize {
    let most = needle.len().saturating_sub(1).min(bytes.len());
    let is_begun = |length: &usize| needle.get(..*length).is_some_and(|head| bytes.ends_with(head));
    (1..=most).rev().find(is_begun).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_in_the_bytes_is_found_and_nothing_else(
            needles in prop::collection::vec(prop::collection::vec(0_u8..3, 2..7), 0..4), bytes in prop::collection::vec(0_u8..3, 0..60),
        ) {
            let found = Needles::new(needles.clone()).are_in(&bytes);
            let expected = needles.iter().any(|needle| bytes.windows(needle.len()).any(|window| window == needle));
            prop_assert_eq!(found, expected);
        }
    }
}
