//! The tokens that a call used. What was cached stands beside `input_tokens` here, not within.

use crate::chat::Usage;
use crate::dialect::tokens;
use crate::units::Tokens;
use serde_json::{Map, Value, json};

/// What was told of a usage so far. Every count only rises, so of two that are told the higher one holds: at the
/// beginning of a stream, or at its end, some servers tell none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    fresh: Tokens,
    read: Tokens,
    written: Tokens,
    written_hour: Tokens,
    output: Tokens,
    thought: Tokens,
}

impl Tally {
    /// Adds what the object `usage` tells. What the server did to shorten the conversation it tells apart from the rest.
    pub(super) fn add(&mut self, usage: &Value) {
        self.raise(Self::of(usage));
        let apart = usage.get("iterations").and_then(Value::as_array).into_iter().flatten();
        let apart = apart.filter(|one| one.get("type").is_some_and(|kind| kind == "compaction")).map(Self::of);
        let apart: Self = apart.fold(Self::default(), Self::plus);
        if apart.output > Tokens::ZERO || apart.fresh > Tokens::ZERO {
            self.raise(Self::of(usage).plus(apart));
        }
    }

    /// The usage; `None`: none was told.
    pub(super) fn usage(self) -> Option<Usage> {
        let Self { fresh, read, written, written_hour, output, thought } = self;
        let written = written.max(written_hour);
        let input = fresh.plus(read).plus(written);
        let usage = Usage {
            input,
            cached_input: read,
            cache_write: written.minus(written_hour),
            cache_write_hour: written_hour,
            output,
            reasoning: thought.min(output),
            ..Usage::default()
        };
        (usage != Usage::default()).then_some(usage)
    }

    fn of(usage: &Value) -> Self {
        let count = |path: &str| tokens::of(usage.pointer(path)).unwrap_or_default();
        Self {
            fresh: count("/input_tokens"),
            read: count("/cache_read_input_tokens"),
            written: count("/cache_creation_input_tokens"),
            written_hour: count("/cache_creation/ephemeral_1h_input_tokens"),
            output: count("/output_tokens"),
            thought: count("/output_tokens_details/thinking_tokens"),
        }
    }

    fn raise(&mut self, other: Self) {
        *self = self.both(other, Tokens::max);
    }

    fn plus(self, other: Self) -> Self {
        self.both(other, Tokens::plus)
    }

    fn both(self, other: Self, of: impl Fn(Tokens, Tokens) -> Tokens) -> Self {
        Self {
            fresh: of(self.fresh, other.fresh),
            read: of(self.read, other.read),
            written: of(self.written, other.written),
            written_hour: of(self.written_hour, other.written_hour),
            output: of(self.output, other.output),
            thought: of(self.thought, other.thought),
        }
    }
}

/// The object `usage` of an answer; none told is nothing used. Sound has no place in it.
pub(super) fn write(usage: Option<Usage>) -> Map<String, Value> {
    let usage = usage.unwrap_or_default();
    let (minutes, hour) = (usage.cache_write, usage.cache_write_hour);
    let written = minutes.plus(hour);
    let details = (usage.reasoning > Tokens::ZERO).then(|| json!({"thinking_tokens": usage.reasoning.get()}));
    let lives = json!({"ephemeral_5m_input_tokens": minutes.get(), "ephemeral_1h_input_tokens": hour.get()});
    let members = [
        ("input_tokens", usage.input.minus(usage.cached_input).minus(written).get().into()),
        ("cache_creation_input_tokens", written.get().into()),
        ("cache_read_input_tokens", usage.cached_input.get().into()),
        ("cache_creation", lives),
        ("output_tokens", usage.output.get().into()),
        ("output_tokens_details", details.into()),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
