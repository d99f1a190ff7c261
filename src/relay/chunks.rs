//! A stream of chat completions on its way to a client that reads chat completions: passed on, not parsed.

use super::{Fate, Phase, State, Stop};
use crate::chat::Fault;
use crate::dialect::openai::chunk::{self, Chunk};
use crate::dialect::openai::ending::Heading;
use crate::dialect::openai::fault;
use crate::sse::Frame;
use serde_json::Map;

const DONE: &[u8] = b"data: [DONE]\n\n";

/// What is known of such a stream besides its [`State`].
#[derive(Debug)]
pub(super) struct Chunks {
    /// The client asked for its usage.
    pub(super) show_usage: bool,
    /// What its chunks begin with, from the first that has a choice.
    pub(super) heading: Option<Heading>,
}

impl Chunks {
    pub(super) fn read(&mut self, frame: Frame<'_>, state: &mut State) -> Fate {
        let Some(data) = frame.data() else {
            return Fate::Pass;
        };
        if is_done(&data) {
            state.phase = Phase::Whole;
            return Fate::Pass;
        }
        let chunk = Chunk::read(&data);
        let is_error = chunk.as_ref().is_some_and(|chunk| chunk.is_error) || frame.event() == Some(b"error");
        if is_error || chunk.is_none() && !is_padding(&data) {
            state.fail(frame.event(), &data);
        }
        let chunk = chunk.unwrap_or_default();
        state.service.tier = chunk.tier.or(state.service.tier);
        if let Some(service) = chunk.service {
            state.service.add(*service);
        }
        if state.choices == 0 && chunk.choices != 0 {
            state.model = chunk::model(&data);
            self.heading = Heading::read(&data, self.show_usage);
        }
        state.choices |= chunk.choices;
        state.finished |= chunk.finished;
        state.says |= chunk.says;
        state.thinks |= chunk.thinks;
        state.count(chunk.counted);
        if let Some(usage) = chunk.usage {
            state.used(usage);
        }
        if is_error {
            state.phase = Phase::Broken;
            return Fate::Pass;
        }
        match chunk.usage_member {
            Some(_) if !self.show_usage && chunk.usage_only => Fate::Withhold,
            Some(member) if !self.show_usage => Fate::Without(member),
            _ => Fate::Pass,
        }
    }

    /// Ends every choice that was begun at its length.
    pub(super) fn stop(&mut self, stop: &Stop, state: &mut State) -> Vec<u8> {
        let mut bytes = Vec::new();
        let heading = self.heading.take().map_or_else(|| stop.heading.clone(), |own| own.like(&stop.heading));
        if state.choices == 0 {
            bytes.extend_from_slice(heading.begin().as_bytes());
            state.choices = 1;
        }
        for index in state.open() {
            bytes.extend_from_slice(heading.finish(index).as_bytes());
        }
        if self.show_usage {
            let (usage, _) = stop.reckoning.settle(state.known);
            bytes.extend_from_slice(heading.usage(usage).as_bytes());
        }
        bytes.extend_from_slice(DONE);
        bytes
    }

    /// The provider closed the stream before it said that it was done.
    pub(super) fn close(state: &mut State) -> Vec<u8> {
        if state.choices == 0 || state.choices != state.finished {
            return Vec::new();
        }
        state.phase = Phase::Whole;
        DONE.to_vec()
    }

    pub(super) fn fault(fault: &Fault) -> Vec<u8> {
        fault::event(&fault::write(500, fault, Map::new(), "").to_string()).into_bytes()
    }
}

/// Whether all the data of `frame` is there.
pub(super) fn is_readable(frame: Frame<'_>) -> bool {
    frame.data().is_some_and(|data| is_done(&data) || Chunk::read(&data).is_some())
}

/// Whether this is what some providers send to be heard of.
pub(super) fn is_padding(data: &[u8]) -> bool {
    matches!(data.trim_ascii(), b"" | b"null" | b"[DONE]")
}

fn is_done(data: &[u8]) -> bool {
    data.trim_ascii() == b"[DONE]"
}
