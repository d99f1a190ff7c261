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

/// Replacements that do not overlap.
#[derive(Default)]
pub(super) struct Patches(Vec<(Range<usize>, String)>);

impl Patches {
    pub(super) fn replace(&mut self, span: &Range<usize>, text: String) {
        self.0.push((span.clone(), text));
    }

    pub(super) fn insert(&mut self, at: usize, text: String) {
        self.0.push((at..at, text));
    }

    pub(super) fn apply(mut self, body: &[u8]) -> Vec<u8> {
        self.0.sort_by_key(|(span, _)| (span.start, span.end));
        let added = self.0.iter().map(|(_, text)| text.len()).sum::<usize>();
        let mut spliced = Vec::with_capacity(body.len().saturating_add(added));
        let mut at = 0;
        for (span, text) in self.0 {
            spliced.extend_from_slice(body.get(at..span.start).unwrap_or_default());
            spliced.extend_from_slice(text.as_bytes());
            at = span.end;
        }
        spliced.extend_from_slice(body.get(at..).unwrap_or_default());
        spliced
    }
}
