//! A stream of any other dialect: read as events, which are metered and, for a client of another dialect, written anew.

use super::chunks::is_padding;
use super::{Fate, Phase, State, Stop};
use crate::aws::eventstream::{Broken, Messages};
use crate::chat::{Event, Fault, Finish};
use crate::dialect::openai::usage::members;
use crate::dialect::{Counter, Dialect, Endpoint, Reader, Stamp, Writer};
use crate::sse::Frame;
use crate::units::Tokens;
use serde::de::IgnoredAny;
use serde_json::Value;

/// What is known of such a stream besides its [`State`].
#[derive(Debug)]
pub(super) struct Events {
    reader: Reader,
    counter: Counter,
    writer: Writer,
    /// The client speaks the provider's dialect: frames pass as they are, and the writer is heard only where the stream is
    /// ended in its place.
    same: bool,
    read: Vec<Event>,
    /// How many bytes of the stream were written anew.
    came: usize,
    /// What cuts a stream that is no text.
    messages: Option<Messages>,
}

impl Events {
    pub(super) fn new(from: Dialect, to: Endpoint, stamp: &Stamp<'_>, show_usage: bool) -> Self {
        let (reader, counter, writer) = (Reader::new(from), Counter::new(from), Writer::new(to, stamp, show_usage));
        let messages = (from == Dialect::Converse).then(Messages::default);
        Self { reader, counter, writer, same: from == to.dialect(), read: Vec::new(), came: 0, messages }
    }

    /// Whether the stream is no text.
    pub(super) const fn is_binary(&self) -> bool {
        self.messages.is_some()
    }

    /// How many bytes are held: of a message of such a stream, and of what was written anew, which some dialects repeat whole at
    /// the end.
    pub(super) fn held(&self) -> usize {
        self.messages.as_ref().map_or(0, Messages::held).saturating_add(self.came)
    }

    /// What the next whole message of such a stream in `rest` is to the client.
    pub(super) fn next_message(&mut self, rest: &mut &[u8], state: &mut State) -> Result<Option<Vec<u8>>, Broken> {
        let Some(messages) = &mut self.messages else { return Ok(None) };
        let Some(message) = messages.next(rest)? else { return Ok(None) };
        self.came = self.came.saturating_add(message.payload().len());
        let (name, payload) = (Some(message.name().as_bytes()), message.payload());
        self.reader.read(name, payload, &mut self.read);
        if !state.has_begun() && !begins(&self.read, name, payload) {
            state.fail(name, payload);
        }
        let counted = self.counter.count(name, payload);
        Ok(Some(self.write(counted, state)))
    }

    pub(super) fn read(&mut self, frame: Frame<'_>, state: &mut State) -> Fate {
        // Comments keep connections alive; Google's own clients do not know them.
        let Some(data) = frame.data() else {
            return if self.same || !matches!(self.writer, Writer::Gemini(_)) { Fate::Pass } else { Fate::Withhold };
        };
        if !self.same {
            self.came = self.came.saturating_add(data.len());
        }
        self.reader.read(frame.event(), &data, &mut self.read);
        if !state.has_begun() && !begins(&self.read, frame.event(), &data) {
            state.fail(frame.event(), &data);
        }
        let counted = self.counter.count(frame.event(), &data);
        let bytes = self.write(counted, state);
        if self.same { Fate::Pass } else { Fate::Replace(bytes) }
    }

    /// Ends every choice that was begun at its length.
    pub(super) fn stop(&mut self, stop: &Stop, state: &mut State) -> Vec<u8> {
        state.choices |= u128::from(state.choices == 0);
        self.read.extend(state.open().map(|choice| Event::Finish { choice, finish: Finish::Length }));
        let (usage, _) = stop.reckoning.settle(state.known);
        self.read.extend([Event::Usage(usage), Event::End]);
        // All that is our word, not the provider's.
        let State { known, finished, told, .. } = *state;
        let bytes = self.write(Tokens::ZERO, state);
        (state.known, state.finished, state.told) = (known, finished, told);
        bytes
    }

    /// The provider closed the stream: some dialects have no other end.
    pub(super) fn close(&mut self, state: &mut State) -> Vec<u8> {
        self.reader.finish(&mut self.read);
        let bytes = self.write(Tokens::ZERO, state);
        if self.same { Vec::new() } else { bytes }
    }

    pub(super) fn fault(&mut self, fault: Fault) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.writer.write(&Event::Fault(fault), &mut bytes);
        bytes
    }

    /// Meters what was read of a frame, in which so much was `counted`, and writes it for the client.
    fn write(&mut self, counted: Tokens, state: &mut State) -> Vec<u8> {
        state.thinks |= self.counter.thinks();
        let (mut bytes, mut counted) = (Vec::new(), Some(counted));
        for event in self.read.drain(..) {
            if state.phase != Phase::Running {
                break;
            }
            if matches!(event, Event::Usage(_) | Event::End) {
                // That is of all that stands in the frame.
                state.count(counted.take().unwrap_or_default());
            }
            meter(&event, state);
            self.writer.write(&event, &mut bytes);
        }
        state.count(counted.unwrap_or_default());
        bytes
    }
}

/// Whether all the data of `frame` is there.
pub(super) fn is_readable(frame: Frame<'_>) -> bool {
    frame.data().is_some_and(|data| data.trim_ascii() == b"[DONE]" || serde_json::from_slice::<Value>(&data).is_ok())
}

/// Whether what was read of an event's data, and `read` as events, can stand at the beginning of an answer: it is no error, in the words of this or
/// another dialect, and can be read at all.
fn begins(read: &[Event], name: Option<&[u8]>, data: &[u8]) -> bool {
    let [error] = members(data, ["error"]);
    let says_error = !matches!(error, b"" | b"null" | b"\"\"" | b"{}" | b"false");
    let is_fault = |event: &Event| matches!(event, Event::Fault(_));
    let is_json = || serde_json::from_slice::<IgnoredAny>(data).is_ok();
    !says_error && name != Some(b"error") && !read.iter().any(is_fault) && (is_padding(data) || is_json())
}

fn meter(event: &Event, state: &mut State) {
    match event {
        Event::Thought { choice, .. } => {
            state.begun(*choice);
            state.thinks = true;
        }
        Event::Signature { .. } => state.thinks = true,
        Event::Text { choice, .. }
        | Event::Refusal { choice, .. }
        | Event::Arguments { choice, .. }
        | Event::ToolCall { choice, .. } => {
            state.begun(*choice);
            state.says = true;
        }
        Event::Finish { choice, .. } => state.ended(*choice),
        Event::Usage(usage) => state.used(*usage),
        Event::Service(service) => state.service = *service,
        Event::Begin(head) => state.model = (!head.model.is_empty()).then(|| head.model.clone()),
        Event::End => state.phase = Phase::Whole,
        Event::Fault(_) => state.phase = Phase::Broken,
        Event::Citation { .. } | Event::Logprobs { .. } | Event::Ping => {}
    }
}
