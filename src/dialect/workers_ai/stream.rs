//! The frames of an answer that streams, in either form.

use super::{fault, form};
use crate::chat::Event;
use crate::dialect::openai;
use serde_json::{Value, json};

/// Reads one stream.
#[derive(Debug, Default)]
pub struct Reader {
    inner: openai::stream::Reader,
}

impl Reader {
    /// Reads the data of a frame, and adds the events that it is.
    ///
    /// Older models do not say why they end; that they end, `[DONE]` says.
    pub fn read(&mut self, event: Option<&[u8]>, data: &[u8], events: &mut Vec<Event>) {
        if data.trim_ascii() == b"[DONE]" {
            if self.inner.is_unfinished() {
                let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
                self.inner.chunk(event, end, events);
            }
            return self.inner.read(event, data, events);
        }
        let Ok(chunk) = serde_json::from_slice::<Value>(data) else { return };
        if fault::is_fault(&chunk) {
            return self.inner.fail(fault::read(&chunk), events);
        }
        self.inner.chunk(event, form::choices(chunk, "delta"), events);
    }

    /// The provider closed the connection: see [`openai::stream::Reader::finish`].
    pub fn finish(&mut self, events: &mut Vec<Event>) {
        self.inner.finish(events);
    }
}
