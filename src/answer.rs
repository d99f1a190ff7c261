//! What a provider's answer is worth, by its head; and the head of the answer that a client gets.

use crate::dialect::Dialect;
use crate::gauge::Gauges;
use crate::health::Outcome;
use crate::refusal::Refusal;
use crate::units::{Millis, Tokens};
use failure::{empty_account, failed};
use std::fmt::Write;
use waits::Waits;

mod failure;
mod limits;
pub mod media;
mod waits;

pub use failure::{Failing, instead, no_answer};

/// The content types of streams.
const STREAMS: [&str; 2] = ["text/event-stream", "application/vnd.amazon.eventstream"];
/// The most bytes of a text in a header.
const TOLD_BYTES_MAX: usize = 1_024;

/// What the head of a provider's answer says.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// A stream has begun.
    Stream,
    /// A body of this content type is to be read: an answer, or a refusal that is the client's own fault.
    Whole(String),
    /// The target failed: the next is tried, or else the client is told so.
    Failed(Outcome, Refusal),
    /// The same, and the beginning of its body may say for how long.
    Failing(Failing),
}

/// Judges an answer by its head, at `now`: its status, its content type, and as `lines` those headers by which a failure says
/// how long to wait, their names in small letters and their values in turn.
pub fn judge(status: u16, content_type: &str, lines: &str, streams: bool, now: Millis) -> Verdict {
    let waits = Waits::of_headers(lines, now);
    let verdict = |(outcome, refusal)| Verdict::Failed(outcome, refusal);
    match status {
        200..=299 if streams && is_stream(content_type) => Verdict::Stream,
        429 => Verdict::Failing(Failing { status, waits }),
        503 | 529 if !waits.is_outright() => Verdict::Failing(Failing { status, waits }),
        // The operator's balance at the provider.
        402 => verdict(empty_account(502)),
        // The provider's own patience.
        408 => verdict(failed(502, waits.wait())),
        401 | 403 => Verdict::Failed(Outcome::Failed, Refusal::provider_credentials(status)),
        // An answer that sends elsewhere is no answer: no key follows it.
        300..=399 | 600.. => verdict(failed(502, None)),
        500..=599 => verdict(failed(status, waits.wait())),
        _ => Verdict::Whole(content_type.to_owned()),
    }
}

/// Whether a content type, in whatever case it is written, is that of a stream.
fn is_stream(content_type: &str) -> bool {
    let begins = |kind: &str| content_type.get(..kind.len()).is_some_and(|start| start.eq_ignore_ascii_case(kind));
    STREAMS.into_iter().any(begins)
}

/// What an answer's head tells of its call.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// The client's dialect.
    pub dialect: Dialect,
    /// Who answered.
    pub target: Option<&'a str>,
    /// The output cap that was set in place of what the client asked for.
    pub cap: Option<Tokens>,
    /// The paths of what the target could not be told.
    pub dropped: &'a [String],
}

impl Told<'_> {
    /// Nothing of a call.
    pub const fn nothing(dialect: Dialect) -> Self {
        Self { dialect, target: None, cap: None, dropped: &[] }
    }
}

/// The headers of an answer, as lines that alternate names and values. `gauges`: the limits that cover the call, as
/// they stood when it was decided.
pub fn headers(id: &str, content_type: &str, told: &Told<'_>, gauges: &Gauges) -> String {
    let mut lines = format!("content-type\n{content_type}\nx-request-id\n{id}");
    let Told { dialect, target, cap, dropped } = *told;
    if dialect == Dialect::Anthropic {
        let _ = write!(lines, "\nrequest-id\n{id}");
    }
    // Writing to a text cannot fail.
    if let Some(target) = target {
        let _ = write!(lines, "\nx-tollgate-target\n{}", printable(target));
    }
    if let Some(cap) = cap {
        let _ = write!(lines, "\nx-tollgate-output-cap\n{cap}");
    }
    if !dropped.is_empty() {
        let _ = write!(lines, "\nx-tollgate-dropped\n{}", printable(&dropped.join(", ")));
    }
    limits::write(&mut lines, dialect, gauges);
    lines
}

/// A text as a header can carry it.
pub fn printable(text: &str) -> String {
    let shown = |letter: char| if matches!(letter, ' '..='~') { letter } else { '?' };
    text.chars().take(TOLD_BYTES_MAX).map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_judged_by_its_head() {
        let json = "application/json";
        let now = Millis::ZERO;
        assert_eq!(judge(200, "text/event-stream; charset=utf-8", "", true, now), Verdict::Stream);
        assert_eq!(judge(201, "Text/Event-Stream", "", true, now), Verdict::Stream);
        assert_eq!(judge(200, json, "", true, now), Verdict::Whole(json.to_owned()));
        assert_eq!(judge(400, json, "", true, now), Verdict::Whole(json.to_owned()));
        let busy = |seconds| Outcome::Busy(Some(Millis::from_secs(seconds)));
        for (status, lines, outcome, told) in [
            (429, "retry-after\n2", busy(2), 429),
            (429, "retry-after\n2\nretry-after-ms\n1500", Outcome::Busy(Some(Millis::new(1_500))), 429),
            (429, "", Outcome::Busy(None), 429),
            (500, "", Outcome::Failed, 500),
            (500, "retry-after\n3", busy(3), 500),
            (503, "", Outcome::Failed, 503),
            (503, "retry-after\n7", busy(7), 503),
            (529, "", Outcome::Failed, 529),
            (401, "", Outcome::Failed, 502),
            (302, "", Outcome::Failed, 502),
            (402, "", busy(60), 502),
            (408, "", Outcome::Failed, 502),
            (999, "", Outcome::Failed, 502),
        ] {
            let (got, refusal) = match judge(status, json, lines, false, now) {
                Verdict::Failed(outcome, refusal) => (outcome, refusal),
                Verdict::Failing(failing) => failing.explained(Dialect::OpenAi, b"", now),
                other => panic!("{status}: {other:?}"),
            };
            assert_eq!((got, refusal.status), (outcome, told), "{status} {lines:?}");
        }
    }
}
