//! The events of an answer that streams, each by its name and its JSON.

use super::answer::{length, read_citation, read_finish, read_usage};
use super::{block, fault};
use crate::chat::{Citation, Event, Head};
use crate::dialect::service;
use serde_json::Value;

/// Bedrock gives one answer.
const CHOICE: u32 = 0;

/// Reads the events of one answer.
///
/// What was used comes after the end of what is said: the answer is whole with that, or when the provider closes.
#[derive(Debug, Default)]
pub struct Reader {
    /// The blocks that are calls of tools, in their order.
    calls: Vec<u64>,
    /// What signs the thought under way, and whether it is sealed.
    signature: Option<(String, bool)>,
    /// Where the block under way is from.
    cited: Vec<Citation>,
    /// The characters of the text under way, and those before the block.
    said: u64,
    said_before: u64,
    finished: bool,
    ended: bool,
}

impl Reader {
    /// Reads the event called `event`; one that is unknown or cannot be read adds nothing.
    ///
    /// An exception is told from an event by its name, which ends so; `error` is one that Bedrock does not name.
    pub fn read(&mut self, event: Option<&[u8]>, data: &[u8], events: &mut Vec<Event>) {
        let name = event.and_then(|name| str::from_utf8(name).ok()).unwrap_or_default();
        let data: Value = serde_json::from_slice(data).unwrap_or_default();
        match name {
            "messageStart" => events.push(Event::Begin(Head::default())),
            "contentBlockStart" => self.start(&data, events),
            "contentBlockDelta" => self.delta(&data, events),
            "contentBlockStop" => self.stop(events),
            "messageStop" => {
                self.stop(events);
                let finish = read_finish(&data);
                self.finished = finish.is_some();
                events.extend(finish.map(|finish| Event::Finish { choice: CHOICE, finish }));
            }
            "metadata" => {
                events.extend(data.get("usage").and_then(read_usage).map(Event::Usage));
                let service = service::of_body(&data);
                events.extend((!service.is_untold()).then_some(Event::Service(service)));
                self.finish(events);
            }
            "error" => self.fail(&data, None, events),
            _ if name.ends_with("Exception") => self.fail(&data, Some(name), events),
            _ => {}
        }
    }

    /// The provider closed the connection: that is the end, if it said before why the answer ends.
    pub fn finish(&mut self, events: &mut Vec<Event>) {
        if self.finished && !self.ended {
            self.ended = true;
            events.push(Event::End);
        }
    }

    fn fail(&mut self, data: &Value, kind: Option<&str>, events: &mut Vec<Event>) {
        self.ended = true;
        events.push(Event::Fault(fault::read(data, kind)));
    }

    fn start(&mut self, data: &Value, events: &mut Vec<Event>) {
        self.stop(events);
        let Some(call) = data.pointer("/start/toolUse").filter(|call| !block::is_hosted(call)) else { return };
        let text = |name: &str| call.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let nth = u32::try_from(self.calls.len()).unwrap_or(u32::MAX);
        self.calls.push(index(data));
        self.said = 0;
        events.push(Event::ToolCall { choice: CHOICE, nth, id: text("toolUseId"), name: text("name"), free: false });
    }

    fn delta(&mut self, data: &Value, events: &mut Vec<Event>) {
        let Some(delta) = data.get("delta") else { return };
        if let Some(text) = delta.get("text").and_then(Value::as_str) {
            self.said = self.said.saturating_add(length(text));
            events.push(Event::Text { choice: CHOICE, text: text.to_owned() });
        } else if let Some(input) = delta.pointer("/toolUse/input").and_then(Value::as_str) {
            let call = self.calls.iter().rposition(|call| *call == index(data));
            let call = call.and_then(|nth| u32::try_from(nth).ok());
            events.extend(call.map(|nth| Event::Arguments { choice: CHOICE, nth, text: input.to_owned() }));
        } else if let Some(thought) = delta.get("reasoningContent") {
            self.think(thought, events);
        } else if let Some(citation) = delta.get("citation") {
            self.cited.push(read_citation(citation));
        }
    }

    fn think(&mut self, thought: &Value, events: &mut Vec<Event>) {
        self.said = 0;
        let text = |name: &str| thought.get(name).and_then(Value::as_str);
        if let Some(text) = text("text") {
            events.push(Event::Thought { choice: CHOICE, text: text.to_owned() });
        } else if let Some(more) = text("signature") {
            self.signature.get_or_insert_default().0.push_str(more);
        } else if let Some(bytes) = text("redactedContent") {
            self.signature = Some((block::unseal(bytes), true));
        }
    }

    /// The block under way is over: now what it is from is known, and what signs it.
    fn stop(&mut self, events: &mut Vec<Event>) {
        if let Some((signature, sealed)) = self.signature.take() {
            events.push(Event::Signature { choice: CHOICE, signature, sealed });
        }
        let (start, end) = (self.said_before.min(self.said), self.said);
        let cited = self.cited.drain(..).map(|citation| Citation { start, end, ..citation });
        events.extend(cited.map(|citation| Event::Citation { choice: CHOICE, citation }));
        self.said_before = self.said;
    }
}

fn index(data: &Value) -> u64 {
    data.get("contentBlockIndex").and_then(Value::as_u64).unwrap_or_default()
}
