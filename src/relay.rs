//! Passes a provider's stream on to the client and meters it on the way.
//!
//! Usage is always asked of the provider, for the bill. A client that did not ask for it gets the
//! very bytes it would have got: the chunk that holds only the usage is held back, and the `usage`
//! members of the others are cut out. Every other byte passes as it came, each frame as soon as it
//! is whole, and what the client gets does not depend on how the stream was cut into chunks. Where
//! client and provider speak different dialects, each frame is written anew.
//!
//! A stream can be [stopped](Relay::stop_at) on its way. The client then sees what it would see had the
//! provider come to its own cap just there.
//!
//! What the call costs and whose it is are not known here.

use crate::aws::eventstream::Broken;
use crate::chat::Fault;
use crate::dialect::estimate::{Kind, Said};
use crate::dialect::openai::ending::Heading;
use crate::dialect::skim::fits;
use crate::dialect::{Dialect, Endpoint, Stamp};
use crate::reach::Made;
use crate::reckon::Reckoning;
use crate::sse::{FRAME_BYTES_MAX, Frame, FrameTooLong, Frames};
use crate::units::Tokens;
use chunks::Chunks;
use events::Events;
use output::Output;
use state::{Phase, State};
use std::ops::Range;

mod chunks;
mod events;
mod metered;
mod output;
mod start;
mod state;

pub use metered::Metered;
pub use start::{Failed, Start};

/// What a client is told of a stream that broke off.
const CUT_SHORT: &str = "The provider's stream broke off before its end: the answer so far is not whole. \
                         Send the request again for a whole one.";

/// One streamed answer on its way from the provider to the client.
#[derive(Debug)]
pub struct Relay {
    frames: Frames,
    state: State,
    voice: Voice,
    /// The frame given last went to the client.
    last_passed: bool,
    /// What went to the client ended with a CR.
    after_cr: bool,
    stop: Option<Stop>,
    /// The ids of what its provider keeps, where they are to be remembered.
    made: Option<Made>,
}

/// How the stream is read and written.
#[derive(Debug)]
enum Voice {
    Chunks(Chunks),
    Events(Box<Events>),
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

impl Relay {
    /// A stream of chat completions for a client that reads them, of which nothing has come yet. `show_usage`: the client
    /// asked for its usage.
    pub const fn new(show_usage: bool) -> Self {
        Self::with(Voice::Chunks(Chunks { show_usage, heading: None }))
    }

    /// A stream that comes in the dialect `from` and goes to a client of the endpoint `to`.
    pub fn between(from: Dialect, to: Endpoint, stamp: &Stamp<'_>, show_usage: bool) -> Self {
        if (from, to.dialect()) == (Dialect::OpenAi, Dialect::OpenAi) {
            return Self::new(show_usage);
        }
        Self::with(Voice::Events(Box::new(Events::new(from, to, stamp, show_usage))))
    }

    const fn with(voice: Voice) -> Self {
        Self {
            frames: Frames::new(),
            state: State::new(),
            voice,
            last_passed: false,
            after_cr: false,
            stop: None,
            made: None,
        }
    }

    /// The same stream, of which the ids are remembered that `made` is for.
    #[must_use]
    pub fn remembering(self, made: Option<Made>) -> Self {
        Self { made, ..self }
    }

    /// The ids that it has told of.
    pub fn made(&mut self) -> Vec<String> {
        self.made.as_mut().map(Made::take).unwrap_or_default()
    }

    /// Sets where the stream is to end, or that it is to run on. A stream that is there already ends at
    /// once: the next call of [`Relay::push`] or [`Relay::finish`] gives its last bytes. One whose choices
    /// have all come to their end is let be.
    pub fn stop_at(&mut self, stop: Option<Stop>) {
        self.stop = stop;
    }

    /// The stream has come to where it is to end, and its last bytes are still to be given.
    pub fn is_stopping(&self) -> bool {
        let there = |stop: &Stop| stop.reckoning.settle(self.state.known).0.output >= stop.output;
        let is_running = self.state.phase == Phase::Running && !self.state.is_finished();
        is_running && self.stop.as_ref().is_some_and(there)
    }

    /// Takes the next chunk of the provider's. What comes after the end of the stream is dropped.
    pub fn push(&mut self, chunk: &[u8]) -> Relayed {
        if let Voice::Events(events) = &self.voice
            && events.is_binary()
        {
            return self.push_messages(chunk);
        }
        let mut output = Output::of(chunk);
        let mut rest = chunk;
        if self.frames.take_line_feed(&mut rest) && self.last_passed && self.state.phase != Phase::Stopped {
            output.pass(0..1);
        }
        while self.state.phase == Phase::Running {
            if self.is_stopping() {
                let after_cr = output.last().map_or(self.after_cr, |last| last == b'\r');
                output.built().extend(self.stopped(after_cr));
                break;
            }
            let start = chunk.len().saturating_sub(rest.len());
            let frame = match self.frames.next(&mut rest) {
                Ok(Some(frame)) if self.voice.fits(frame) => frame,
                Ok(None) => break,
                Ok(Some(_)) | Err(FrameTooLong) => {
                    let mut bytes = output.into_bytes();
                    bytes.extend(self.too_long());
                    return Relayed::Failed(bytes);
                }
            };
            remember(&mut self.made, frame);
            let fate = self.voice.read(frame, &mut self.state);
            self.last_passed = fate.passes();
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

    /// [`Relay::push`] of a stream that is no text.
    fn push_messages(&mut self, chunk: &[u8]) -> Relayed {
        let (mut bytes, mut rest) = (Vec::new(), chunk);
        while self.state.phase == Phase::Running {
            if self.is_stopping() {
                bytes.extend(self.stopped(false));
                break;
            }
            let Voice::Events(events) = &mut self.voice else { break };
            match events.next_message(&mut rest, &mut self.state) {
                Ok(Some(more)) => bytes.extend(more),
                Ok(None) => break,
                Err(Broken::TooLong) => {
                    bytes.extend(self.too_long());
                    return Relayed::Failed(bytes);
                }
                Err(Broken::Checksum | Broken::Malformed) => {
                    self.state.phase = Phase::Broken;
                    bytes.extend(self.voice.fault(CUT_SHORT, "upstream_cut"));
                    return Relayed::Failed(bytes);
                }
            }
        }
        Relayed::Bytes(bytes)
    }

    /// Ends the stream: the last bytes for the client, perhaps none.
    ///
    /// A stream that lacks its dialect's last word is whole when the provider closed it with the end of
    /// every choice it began, and gets that word. Any other gets an error event in its place.
    /// Of a frame cut short nothing goes out; one that lacks only its blank line gets that.
    pub fn finish(&mut self, end: End) -> Vec<u8> {
        let mut bytes = Vec::new();
        if self.state.phase != Phase::Running {
            return bytes;
        }
        if self.is_stopping() {
            return self.stopped(self.after_cr);
        }
        if end == End::Whole
            && let Some(frame) = self.frames.finish()
        {
            if self.voice.is_readable(frame) {
                remember(&mut self.made, frame);
                self.voice.read(frame, &mut self.state).apply(frame, &mut bytes);
            } else if !matches!(frame.bytes().trim_ascii(), [] | [b':', ..]) {
                // An error, perhaps, that is no event.
                self.state.fail(None, frame.bytes());
            }
        }
        if end == End::Whole && self.state.phase == Phase::Running {
            bytes.extend(self.voice.close(&mut self.state));
        }
        if self.state.phase == Phase::Running {
            self.state.phase = Phase::Broken;
            bytes.extend(self.voice.fault(CUT_SHORT, "upstream_cut"));
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
        bytes.extend(match &mut self.voice {
            Voice::Chunks(chunks) => chunks.stop(&stop, &mut self.state),
            Voice::Events(events) => events.stop(&stop, &mut self.state),
        });
        self.state.phase = Phase::Stopped;
        bytes
    }

    /// How many bytes are held of the stream.
    pub fn held(&self) -> usize {
        let read = match &self.voice {
            Voice::Chunks(_) => 0,
            Voice::Events(events) => events.held(),
        };
        self.frames.held().saturating_add(read)
    }

    /// Ends the stream because there is no room for the frame that is coming: the last bytes for the client.
    pub fn overflow(&mut self) -> Vec<u8> {
        self.frames = Frames::new();
        self.too_long()
    }

    fn too_long(&mut self) -> Vec<u8> {
        // It was said all the same; what is so long is mostly a picture or sound.
        let mut said = Said::default();
        said.add(Kind::Media, FRAME_BYTES_MAX);
        self.state.count(said.piece());
        self.state.phase = Phase::Broken;
        let message = format!(
            "The provider sent a stream event of more than {FRAME_BYTES_MAX} bytes: the answer cannot \
             be passed on any further."
        );
        self.voice.fault(&message, "upstream_event_too_long")
    }

    /// The stream is over: with its dialect's last word, with an error, stopped, or by [`Relay::finish`]. No byte
    /// that still comes matters.
    pub fn is_over(&self) -> bool {
        self.state.phase != Phase::Running
    }
}

/// Looks at a frame for what is to be remembered.
fn remember(made: &mut Option<Made>, frame: Frame<'_>) {
    if let Some(made) = made
        && let Some(data) = frame.data()
    {
        made.event(&data);
    }
}

impl Voice {
    /// Whether the frame is not too much to be read.
    fn fits(&self, frame: Frame<'_>) -> bool {
        matches!(self, Self::Chunks(_)) || fits(frame.bytes())
    }

    fn read(&mut self, frame: Frame<'_>, state: &mut State) -> Fate {
        match self {
            Self::Chunks(chunks) => chunks.read(frame, state),
            Self::Events(events) => events.read(frame, state),
        }
    }

    fn close(&mut self, state: &mut State) -> Vec<u8> {
        match self {
            Self::Chunks(_) => Chunks::close(state),
            Self::Events(events) => events.close(state),
        }
    }

    fn fault(&mut self, message: &str, code: &str) -> Vec<u8> {
        let fault = Fault {
            message: message.to_owned(),
            kind: Some("server_error".to_owned()),
            code: Some(code.to_owned()),
            param: None,
        };
        match self {
            Self::Chunks(_) => Chunks::fault(&fault),
            Self::Events(events) => events.fault(fault),
        }
    }

    fn is_readable(&self, frame: Frame<'_>) -> bool {
        match self {
            Self::Chunks(_) => chunks::is_readable(frame),
            Self::Events(_) => events::is_readable(frame),
        }
    }
}

/// What becomes of a frame.
enum Fate {
    Pass,
    Withhold,
    /// Pass without these bytes of its data.
    Without(Range<usize>),
    /// These bytes go out in its place.
    Replace(Vec<u8>),
}

impl Fate {
    /// Whether the end of the frame goes out.
    const fn passes(&self) -> bool {
        matches!(self, Self::Pass | Self::Without(_))
    }

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
            Self::Replace(new) => bytes.extend_from_slice(&new),
        }
    }
}
