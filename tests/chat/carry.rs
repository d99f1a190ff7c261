//! How a provider's stream comes: as server-sent events, or as Amazon's event stream.

use super::Dialect;
use serde_json::Value;
use std::path::Path;
use tollgate::aws::eventstream::Messages;
use tollgate::chat::Event;
use tollgate::sse::Frames;

/// What carries the events of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    /// Server-sent events: `<case>.sse`.
    Sse,
    /// Amazon's event stream, whose messages `<case>.events.json` lists.
    EventStream,
}

impl Dialect {
    /// How the dialect's provider tells the story `case` as a stream.
    pub(crate) fn fixture_stream(&self, case: &str) -> Vec<u8> {
        match self.carrier {
            Carrier::Sse => fixture(self.name, case, "sse").into_bytes(),
            Carrier::EventStream => {
                let listed: Vec<Value> = serde_json::from_str(&fixture(self.name, case, "events.json")).unwrap();
                let bytes =
                    |event: &Value| message(event["type"].as_str().unwrap(), event["payload"].to_string().as_bytes());
                listed.iter().flat_map(bytes).collect()
            }
        }
    }

    /// The events of the stream that comes in `chunks`.
    pub(crate) fn events<'a>(&self, chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Event> {
        let (mut reader, mut events) = ((self.reader)(), Vec::new());
        let mut read = |name: Option<&[u8]>, data: &[u8]| reader(Some((name, data)), &mut events);
        match self.carrier {
            Carrier::Sse => {
                let mut frames = Frames::new();
                for mut rest in chunks {
                    while let Some(frame) = frames.next(&mut rest).unwrap() {
                        frame.data().iter().for_each(|data| read(frame.event(), data));
                    }
                }
                if let Some(frame) = frames.finish() {
                    frame.data().iter().for_each(|data| read(frame.event(), data));
                }
            }
            Carrier::EventStream => {
                let mut messages = Messages::default();
                for mut rest in chunks {
                    while let Some(message) = messages.next(&mut rest).unwrap() {
                        read(Some(message.name().as_bytes()), message.payload());
                    }
                }
            }
        }
        reader(None, &mut events);
        events
    }
}

/// The file `<case>.<ending>` of the story `case` as `dialect` tells it.
pub(crate) fn fixture(dialect: &str, case: &str, ending: &str) -> String {
    let name = format!("tests/fixtures/chat/{dialect}/{case}.{ending}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&name);
    std::fs::read_to_string(path).unwrap_or_else(|wrong| panic!("{name}: {wrong}"))
}

/// The message of the event `name`, or of the exception whose name ends so.
fn message(name: &str, payload: &[u8]) -> Vec<u8> {
    let kind = if name.ends_with("Exception") { "exception" } else { "event" };
    let mut headers = Vec::new();
    for (header, value) in [(format!(":{kind}-type").as_str(), name), (":message-type", kind)] {
        headers.push(header.len() as u8);
        headers.extend_from_slice(header.as_bytes());
        headers.extend_from_slice(&[7, 0, value.len() as u8]);
        headers.extend_from_slice(value.as_bytes());
    }
    let mut bytes = ((16 + headers.len() + payload.len()) as u32).to_be_bytes().to_vec();
    bytes.extend_from_slice(&(headers.len() as u32).to_be_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
    bytes.extend_from_slice(&headers);
    bytes.extend_from_slice(payload);
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
    bytes
}
