//! What a provider's answer is worth, by its head; and the head of the answer that a client gets.

use crate::dialect::Dialect;
use crate::gauge::Gauges;
use crate::health::Outcome;
use crate::refusal::Refusal;
use crate::units::{Millis, Tokens};
use std::fmt::Write;

mod limits;
pub mod media;

/// The most of a provider's own "not now" that is believed.
const RETRY_AFTER_MAX: Millis = Millis::from_secs(3_600);

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
}

/// Judges an answer by its status and its `lines`: content-type, retry-after, retry-after-ms.
pub fn judge(status: u16, lines: &str, streams: bool) -> Verdict {
    let mut lines = lines.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (content_type, retry_after, retry_after_ms) = (line(), line(), line());
    let wait = retry_wait(retry_after, retry_after_ms);
    match status {
        200 if streams && STREAMS.iter().any(|kind| content_type.starts_with(kind)) => Verdict::Stream,
        429 => Verdict::Failed(Outcome::Busy(wait), Refusal::provider_failed(status, wait)),
        // 402 is the operator's balance at the provider, 408 the provider's own patience.
        402 | 408 => Verdict::Failed(Outcome::Failed, Refusal::provider_failed(502, wait)),
        401 | 403 => Verdict::Failed(Outcome::Failed, Refusal::provider_credentials(status)),
        // An answer that sends elsewhere is no answer: no key follows it.
        300..=399 | 600.. => Verdict::Failed(Outcome::Failed, Refusal::provider_failed(502, None)),
        500..=599 => Verdict::Failed(Outcome::Failed, Refusal::provider_failed(status, wait)),
        _ => Verdict::Whole(content_type.to_owned()),
    }
}

/// How long a provider asks to be left alone. A date is not read: no provider sends one.
fn retry_wait(seconds: &str, millis: &str) -> Option<Millis> {
    let millis = millis.trim().parse().ok().map(Millis::new);
    let seconds = || seconds.trim().parse().ok().map(Millis::from_secs);
    millis.or_else(seconds).map(|wait| wait.min(RETRY_AFTER_MAX))
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
        let json = "application/json\n\n";
        assert_eq!(judge(200, "text/event-stream; charset=utf-8\n\n", true), Verdict::Stream);
        assert_eq!(judge(200, json, true), Verdict::Whole("application/json".to_owned()));
        assert_eq!(judge(400, json, true), Verdict::Whole("application/json".to_owned()));
        for (status, lines, outcome, told) in [
            (429, "application/json\n2\n", Outcome::Busy(Some(Millis::from_secs(2))), 429),
            (429, "application/json\n2\n1500", Outcome::Busy(Some(Millis::new(1_500))), 429),
            (429, json, Outcome::Busy(None), 429),
            (500, json, Outcome::Failed, 500),
            (503, "text/html\n7\n", Outcome::Failed, 503),
            (401, json, Outcome::Failed, 502),
            (302, json, Outcome::Failed, 502),
            (402, json, Outcome::Failed, 502),
            (999, json, Outcome::Failed, 502),
        ] {
            match judge(status, lines, false) {
                Verdict::Failed(got, refusal) => assert_eq!((got, refusal.status), (outcome, told), "{status}"),
                other => panic!("{status}: {other:?}"),
            }
        }
    }
}
