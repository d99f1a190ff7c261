//! Watches that a secret is in no byte that passes, wherever the bytes are cut.

use crate::secret::watch::Watch;
use std::rc::Rc;

/// Lets bytes pass in which no secret is. Held back is no more than what may be a secret's beginning.
#[derive(Debug)]
pub struct Guard {
    watch: Rc<Watch>,
    held: Vec<u8>,
}

/// The bytes quote a secret: nothing more may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quoted;

impl Guard {
    /// A guard with what is watched for.
    pub fn new(watch: Rc<Watch>) -> Self {
        Self { watch, held: Vec::new() }
    }

    /// What passes once `chunk` has come; `None`: just the chunk.
    ///
    /// # Errors
    /// [`Quoted`].
    pub fn push(&mut self, chunk: &[u8]) -> Result<Option<Vec<u8>>, Quoted> {
        let joined = (!self.held.is_empty()).then(|| [self.held.as_slice(), chunk].concat());
        let bytes = joined.as_deref().unwrap_or(chunk);
        if self.watch.finds(bytes) {
            self.held.clear();
            return Err(Quoted);
        }
        let kept = self.watch.begun(bytes);
        if kept == 0 && joined.is_none() {
            return Ok(None);
        }
        let (passes, held) = bytes.split_at_checked(bytes.len().saturating_sub(kept)).unwrap_or((bytes, &[]));
        let (passes, held) = (passes.to_vec(), held.to_vec());
        self.held = held;
        Ok(Some(passes))
    }

    /// The rest: it was no secret.
    pub fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    const SECRET: &str = "sk-aaab-0123";

    fn guard() -> Guard {
        Guard::new(Rc::new(Watch::new(&[Secret::read(SECRET).unwrap()])))
    }

    fn pass(text: &[u8], cuts: &[usize]) -> Result<Vec<u8>, Quoted> {
        let mut guard = guard();
        let (mut passed, mut from) = (Vec::new(), 0);
        for to in cuts.iter().copied().chain([text.len()]) {
            let chunk = &text[from..to];
            passed.extend(guard.push(chunk)?.unwrap_or_else(|| chunk.to_vec()));
            from = to;
        }
        passed.extend(guard.finish());
        Ok(passed)
    }

    #[test]
    fn a_secret_is_found_wherever_it_is_cut_and_all_else_passes_whole() {
        for (text, quotes) in [
            (format!("x{SECRET}y"), true),
            (format!("sk-aa{SECRET}"), true),
            ("sk-aaab-012".to_owned(), false),
            ("sk-aaab-0124 sk-sk-a short".to_owned(), false),
            (String::new(), false),
        ] {
            for first in 0..=text.len() {
                for second in first..=text.len() {
                    let passed = pass(text.as_bytes(), &[first, second]);
                    let expected = if quotes { Err(Quoted) } else { Ok(text.clone().into_bytes()) };
                    assert_eq!(passed, expected, "{text} cut at {first} and {second}");
                }
            }
        }
    }

    #[test]
    fn a_chunk_that_holds_nothing_of_a_secret_is_not_copied() {
        assert_eq!(guard().push(b"plain"), Ok(None));
        assert_eq!(guard().push(b"{\"plain\":\"a\\nb\"}"), Ok(None));
    }
}
