//! Changes a request for its provider in place: what the changes are, and how they are made.

use crate::units::Tokens;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// What to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edit<'a> {
    /// The name the provider knows the model by.
    pub model: &'a str,
    /// The cap to hold each choice to; `None` leaves the client's.
    pub output_cap: Option<OutputCap>,
    /// Have a stream end with its usage.
    pub usage: bool,
}

/// The most tokens each choice may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputCap {
    /// The cap.
    pub tokens: Tokens,
    /// The field to say it with where the client gave no cap.
    pub field: CapField,
}

/// The field of a request that caps its output: providers differ in which they know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CapField {
    /// The older name, which nearly all providers know.
    MaxTokens,
    /// The newer name, which OpenAI's reasoning models insist on.
    MaxCompletionTokens,
}

impl CapField {
    /// The name of the field.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MaxTokens => "max_tokens",
            Self::MaxCompletionTokens => "max_completion_tokens",
        }
    }

    /// The field named `name`.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::MaxTokens, Self::MaxCompletionTokens].into_iter().find(|it| it.as_str() == name)
    }
}

/// Replacements in a body, which do not overlap: the body changed, of which only what is new is held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patches(Vec<(Range<usize>, String)>);

impl Patches {
    pub(super) fn replace(&mut self, span: &Range<usize>, text: String) {
        self.put(span.clone(), text);
    }

    pub(super) fn insert(&mut self, at: usize, text: String) {
        self.put(at..at, text);
    }

    /// Those at one place stay in the order in which they came.
    fn put(&mut self, span: Range<usize>, text: String) {
        let at = self.0.partition_point(|(other, _)| (other.start, other.end) <= (span.start, span.end));
        self.0.insert(at, (span, text));
    }

    /// The parts of `body` changed, from its byte `from` on, which is one of the body as it was changed.
    pub fn parts<'a>(&'a self, body: &'a [u8], from: usize) -> impl Iterator<Item = &'a [u8]> {
        let starts = std::iter::once(0).chain(self.0.iter().map(|(span, _)| span.end));
        let ends = self.0.iter().map(|(span, _)| span.start).chain([body.len()]);
        let texts = self.0.iter().map(|(_, text)| text.as_bytes()).chain([&[][..]]);
        let kept = starts.zip(ends).map(|(start, end)| body.get(start..end).unwrap_or_default());
        let mut skipped = from;
        kept.zip(texts).flat_map(|(kept, text)| [kept, text]).filter_map(move |part| {
            let rest = part.get(skipped..);
            skipped = skipped.saturating_sub(part.len());
            rest.filter(|rest| !rest.is_empty())
        })
    }

    /// How many bytes `body` has once it is changed.
    pub fn length(&self, body: &[u8]) -> usize {
        self.parts(body, 0).map(<[u8]>::len).sum()
    }

    /// `body` changed.
    pub fn apply(&self, body: &[u8]) -> Vec<u8> {
        let mut changed = Vec::with_capacity(self.length(body));
        self.parts(body, 0).for_each(|part| changed.extend_from_slice(part));
        changed
    }
}
