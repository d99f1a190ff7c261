//! Passes a provider's stream on to the client and meters it on the way.
//!
//! Usage is always asked of the provider, for the bill. A client that did not ask for it gets the
//! very bytes it would have got: the chunk that holds only the usage is held back, and the `usage`
//! members of the others are cut out. Every other byte passes as it came, each frame as soon as it
//! is whole, and what the client gets does not depend on how the stream was cut into chunks.
//!
//! A stream can be [stopped](Relay::stop_at) on its way. The client then sees what it would see had the
//! provider come to its own cap just there.
//!
//! What the call costs and whose it is are not known here.

use crate::dialect::openai::chunk::Chunk;
use crate::dialect::openai::ending::Heading;
use crate::dialect::openai::write::{error_body, error_event};
use crate::reckon::{Known, Reckoning};
use crate::sse::{FRAME_BYTES_MAX, Frame, FrameTooLong, Frames};
use crate::units::Tokens;
use std::ops::Range;

const DONE: &[u8] = b"data: [DONE]\n\n";

/// One streamed answer on its way from the provider to the client.
#[derive(Debug)]
pub struct Relay {
    frames: Frames,
    meter: Meter,
    /// The frame given last went to the client.
    last_passed: bool,
    /// What went to the client ended with a CR.
    after_cr: bool,
    stop: Option<Stop>,
}

/// Where a stream is to end before its provider ends it.
#[derive(Clone, Debug)]
pub struct Stop {
    /// After so much output, of all choices.
    pub output: Tokens,
    /// What the stream is taken to have used then, where the provider does not say.
    pub reckoning: Reckoning,
    /// The heading for a stream that said nothing yet.
    pub heading: Heading,
}

/// What to send to the client for a chunk of the provider's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Relayed {
    /// The chunk itself.
    Same,
    /// These bytes in place of it; perhaps none.
    Bytes(Vec<u8>),
    /// These bytes, of which an error event is the last: the provider sent a frame beyond
    /// [`FRAME_BYTES_MAX`]. Read no further.
    Failed(Vec<u8>),
}

/// How the provider's connection came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The provider closed it.
    Whole,
    /// It broke.
    Cut,
}

/// What a stream is to be billed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metered {
    /// What it used; its output is an [estimate](crate::dialect::openai::chunk::estimate).
    pub known: Known,
    /// The answer came to its end, or was stopped.
    pub whole: bool,
}

impl Relay {
    /// A stream of which nothing has come yet. `show_usage`: the client asked for its usage.
    pub const fn new(show_usage: bool) -> Self {
        let known = Known { usage: None, counted: Tokens::ZERO, since: Tokens::ZERO };
        let meter = Meter { show_usage, known, choices: 0, finished: 0, heading: None, phase: Phase::Running };
        Self { frames: Frames::new(), meter, last_passed: false, after_cr: false, stop: None }
    }

    /// Sets where the stream is to end, or that it is to run on. A stream that is there already ends at
    /// once: the next call of [`Relay::push`] or [`Relay::finish`] gives its last bytes. One whose choices
    /// have all come to their end is let be.
    pub fn stop_at(&mut self, stop: Option<Stop>) {
        self.stop = stop;
    }

    /// The stream has come to where it is to end, and its last bytes are still to be given.
    pub fn is_stopping(&self) -> bool {
        let there = |stop: &Stop| stop.reckoning.settle(self.meter.known).0.output >= stop.output;
        let Meter { choices, finished, phase, .. } = self.meter;
        phase == Phase::Running && (choices == 0 || choices != finished) && self.stop.as_ref().is_some_and(there)
    }

    /// Takes the next chunk of the provider's. What comes after the end of the stream is dropped.
    pub fn push(&mut self, chunk: &[u8]) -> Relayed {
        let mut output = Output { chunk, run: 0..0, built: None };
        let mut rest = chunk;
        if self.frames.take_line_feed(&mut rest) && self.last_passed && self.meter.phase != Phase::Stopped {
            output.pass(0..1);
        }
        while self.meter.phase == Phase::Running {
            if self.is_stopping() {
                let after_cr = output.last().map_or(self.after_cr, |last| last == b'\r');
                output.built().extend(self.stopped(after_cr));
                break;
            }
            let start = chunk.len().saturating_sub(rest.len());
            let frame = match self.frames.next(&mut rest) {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(FrameTooLong) => {
                    self.meter.phase = Phase::Broken;
                    let mut bytes = output.into_bytes();
                    bytes.extend_from_slice(too_long().as_bytes());
                    return Relayed::Failed(bytes);
                }
            };
            let fate = self.meter.read(frame);
            self.last_passed = !matches!(fate, Fate::Withhold);
            let end = chunk.len().saturating_sub(rest.len());
            let is_lent = frame.bytes().len() == end.saturating_sub(start);
            match fate {
                Fate::Pass if is_lent => output.pass(start..end),
                fate => fate.apply(frame, output.built()),
            }
        }
        self.after_cr = output.last().map_or(self.after_cr, |last| last == b'\r');
        output.finish()
    }

    /// Ends the stream: the last bytes for the client, perhaps none.
    ///
    /// A stream that lacks `[DONE]` is whole when the provider closed it with a `finish_reason` on
    /// every choice it began, and gets its `[DONE]`. Any other gets an error event in its place.
    /// Of a frame cut short nothing goes out; one that lacks only its blank line gets that.
    pub fn finish(&mut self, end: End) -> Vec<u8> {
        let mut bytes = Vec::new();
        if self.meter.phase != Phase::Running {
            return bytes;
        }
        if self.is_stopping() {
            return self.stopped(self.after_cr);
        }
        if end == End::Whole
            && let Some(frame) = self.frames.finish().filter(|frame| is_readable(*frame))
        {
            self.meter.read(frame).apply(frame, &mut bytes);
        }
        if self.meter.phase != Phase::Running {
            return bytes;
        }
        if end == End::Whole && self.meter.choices != 0 && self.meter.choices == self.meter.finished {
            self.meter.phase = Phase::Whole;
            bytes.extend_from_slice(DONE);
        } else {
            self.meter.phase = Phase::Broken;
            bytes.extend_from_slice(cut_short().as_bytes());
        }
        bytes
    }

    /// Ends the stream where it was to be stopped: every choice that was begun comes to its length.
    ///
    /// `after_cr`: the frame before ended with a CR, of which the LF may be lost.
    fn stopped(&mut self, after_cr: bool) -> Vec<u8> {
        let Some(stop) = self.stop.take() else {
            return Vec::new();
        };
        let mut bytes: Vec<u8> = after_cr.then_some(b'\n').into_iter().collect();
        let heading = self.meter.heading.as_ref().unwrap_or(&stop.heading);
        if self.meter.choices == 0 {
            bytes.extend_from_slice(heading.begin().as_bytes());
            self.meter.choices = 1;
        }
        let open = self.meter.choices & !self.meter.finished;
        for index in (0..u128::BITS).filter(|index| open & (1 << index) != 0) {
            bytes.extend_from_slice(heading.finish(index).as_bytes());
        }
        if self.meter.show_usage {
            let (usage, _) = stop.reckoning.settle(self.meter.known);
            bytes.extend_from_slice(heading.usage(usage).as_bytes());
        }
        bytes.extend_from_slice(DONE);
        self.meter.phase = Phase::Stopped;
        bytes
    }

    /// The stream is over: with `[DONE]`, with an error, stopped, or by [`Relay::finish`]. No byte
    /// that still comes matters.
    pub fn is_over(&self) -> bool {
        self.meter.phase != Phase::Running
    }

    /// What was metered so far.
    pub fn metered(&self) -> Metered {
        Metered { known: self.meter.known, whole: matches!(self.meter.phase, Phase::Whole | Phase::Stopped) }
    }
}

/// What the frames so far have said.
#[derive(Debug)]
struct Meter {
    show_usage: bool,
    known: Known,
    /// The choices that were begun and those that were ended, as bits by index.
    choices: u128,
    finished: u128,
    /// What its chunks begin with, from the first that has a choice.
    heading: Option<Heading>,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    /// The answer came to its end.
    Whole,
    /// It was ended before.
    Stopped,
    /// An error stands where the rest of the answer should be.
    Broken,
}

/// What becomes of a frame.
enum Fate {
    Pass,
    Withhold,
    /// Pass without these bytes of its data.
    Without(Range<usize>),
}

impl Meter {
    fn read(&mut self, frame: Frame<'_>) -> Fate {
        let Some(data) = frame.data() else {
            return Fate::Pass;
        };
        if is_done(&data) {
            self.phase = Phase::Whole;
            return Fate::Pass;
        }
        let chunk = Chunk::read(&data).unwrap_or_default();
        self.count(&chunk);
        if self.choices == 0 && chunk.choices != 0 {
            self.heading = Heading::read(&data, self.show_usage);
        }
        self.choices |= chunk.choices;
        self.finished |= chunk.finished;
        if chunk.is_error || frame.event() == Some(b"error") {
            self.phase = Phase::Broken;
            return Fate::Pass;
        }
        match chunk.usage_member {
            Some(_) if !self.show_usage && chunk.usage_only => Fate::Withhold,
            Some(member) if !self.show_usage => Fate::Without(member),
            _ => Fate::Pass,
        }
    }

    fn count(&mut self, chunk: &Chunk) {
        self.known.counted = self.known.counted.plus(chunk.counted);
        self.known.since = self.known.since.plus(chunk.counted);
        if chunk.usage.is_some() {
            self.known.usage = chunk.usage;
            self.known.since = Tokens::ZERO;
        }
    }
}

impl Fate {
    /// Adds to `bytes` what goes out of `frame`.
    fn apply(self, frame: Frame<'_>, bytes: &mut Vec<u8>) {
        match self {
            Self::Pass => bytes.extend_from_slice(frame.bytes()),
            Self::Withhold => {}
            Self::Without(range) => {
                let (head, tail) = frame.around(range.start, range.end);
                bytes.extend_from_slice(head);
                bytes.extend_from_slice(tail);
            }
        }
    }
}

/// What goes out for a chunk: a run of the chunk itself as long as that will do.
struct Output<'a> {
    chunk: &'a [u8],
    /// The part of the chunk that goes out after what is built.
    run: Range<usize>,
    built: Option<Vec<u8>>,
}

impl Output<'_> {
    /// Sends this part of the chunk.
    fn pass(&mut self, part: Range<usize>) {
        if self.run.end != part.start {
            self.built();
            self.run.start = part.start;
        }
        self.run.end = part.end;
    }

    /// Where other bytes can be added after all that was passed.
    fn built(&mut self) -> &mut Vec<u8> {
        let built = self.built.get_or_insert_with(|| Vec::with_capacity(self.chunk.len()));
        built.extend_from_slice(self.chunk.get(self.run.clone()).unwrap_or_default());
        self.run.start = self.run.end;
        built
    }

    /// The last byte that goes out.
    fn last(&self) -> Option<u8> {
        let last = self.chunk.get(self.run.clone()).and_then(<[u8]>::last);
        last.or_else(|| self.built.as_ref()?.last()).copied()
    }

    fn finish(self) -> Relayed {
        if self.built.is_none() && self.run == (0..self.chunk.len()) {
            return Relayed::Same;
        }
        Relayed::Bytes(self.into_bytes())
    }

    fn into_bytes(mut self) -> Vec<u8> {
        self.built();
        self.built.unwrap_or_default()
    }
}

fn is_done(data: &[u8]) -> bool {
    data.trim_ascii() == b"[DONE]"
}

/// Whether all the data of `frame` is there.
fn is_readable(frame: Frame<'_>) -> bool {
    frame.data().is_some_and(|data| is_done(&data) || Chunk::read(&data).is_some())
}

fn cut_short() -> String {
    let message = "The provider's stream broke off before its end: the answer so far is not whole. \
                   Send the request again for a whole one.";
    error_event(&error_body(message, "server_error", Some("upstream_cut"), None, None))
}

fn too_long() -> String {
    let message = format!(
        "The provider sent a stream event of more than {FRAME_BYTES_MAX} bytes: the answer cannot \
         be passed on any further."
    );
    error_event(&error_body(&message, "server_error", Some("upstream_event_too_long"), None, None))
}
