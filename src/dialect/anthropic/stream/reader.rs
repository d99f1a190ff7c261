//! Reads the frames of a stream as events.

use crate::chat::{Citation, Event};
use crate::dialect::anthropic::usage::Tally;
use crate::dialect::anthropic::{answer, cite, fault};
use crate::dialect::service;
use crate::service::Service;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The only choice there is.
const CHOICE: u32 = 0;

/// Reads one stream.
#[derive(Debug, Default)]
pub struct Reader {
    tally: Tally,
    /// The blocks that are begun and not over, by their index.
    blocks: Vec<(u64, Block)>,
    /// The calls of tools so far.
    calls: u32,
    /// The characters of the text that is being said, over all its blocks.
    said: u64,
    service: Service,
}

/// A block of content, as far as it matters once more is said of it.
#[derive(Debug)]
enum Block {
    /// The character of its text that it begins with, and where it is from: told when it is over.
    Text {
        start: u64,
        citations: Vec<Value>,
    },
    Thought,
    /// `input`: what it takes, should nothing more come.
    Call {
        nth: u32,
        input: Option<String>,
    },
    /// What the provider's own tools do.
    Other,
}

/// A frame, as far as all frames are alike.
#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(rename = "type", borrow)]
    kind: Word<'a>,
    #[serde(default)]
    index: u64,
    delta: Option<Delta<'a>>,
    #[serde(borrow)]
    content_block: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Word<'a>>,
    text: Option<String>,
    thinking: Option<String>,
    signature: Option<String>,
    partial_json: Option<String>,
    #[serde(borrow)]
    citation: Option<&'a RawValue>,
    stop_reason: Option<String>,
    stop_sequence: Option<String>,
    #[serde(borrow)]
    stop_details: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Word<'a>(#[serde(borrow)] Cow<'a, str>);

impl Reader {
    /// Adds what a frame with this `data` says to `events`. The data names its event by itself.
    pub fn read(&mut self, _event: Option<&[u8]>, data: &[u8], events: &mut Vec<Event>) {
        let Ok(frame) = serde_json::from_slice::<Frame<'_>>(data) else { return };
        match frame.kind.0.as_ref() {
            "content_block_delta" => self.delta(frame.index, frame.delta, events),
            "content_block_start" => self.start(frame.index, &value(frame.content_block), events),
            "content_block_stop" => self.stop(frame.index, events),
            "message_start" => {
                let message = value(frame.message);
                events.push(Event::Begin(answer::head(&message)));
                message.get("usage").into_iter().for_each(|usage| self.tally.add(usage));
                events.extend(self.tally.usage().map(Event::Usage));
                self.serve(service::of_message(&message), events);
            }
            "message_delta" => {
                let delta = frame.delta;
                let refusal = answer::refusal(Some(&value(delta.as_ref().and_then(|delta| delta.stop_details))));
                events.extend(refusal.map(|text| Event::Refusal { choice: CHOICE, text }));
                let reason = delta.as_ref().and_then(|delta| Some((delta.stop_reason.as_deref()?, delta)));
                let finish = reason.map(|(reason, delta)| answer::finish(reason, delta.stop_sequence.as_deref()));
                events.extend(finish.map(|finish| Event::Finish { choice: CHOICE, finish }));
                let usage = value(frame.usage);
                self.tally.add(&usage);
                events.extend(self.tally.usage().map(Event::Usage));
                self.serve(usage.as_object().map(service::of_usage).unwrap_or_default(), events);
            }
            "message_stop" => events.push(Event::End),
            "error" => {
                let body = serde_json::from_slice(data).unwrap_or_default();
                events.push(Event::Fault(fault::read(&body)));
            }
            "ping" => events.push(Event::Ping),
            _ => {}
        }
    }

    /// The provider closed the connection. A stream that is whole has said so.
    pub fn finish(&mut self, _events: &mut Vec<Event>) {}

    /// Takes up what is said of how the message is served.
    fn serve(&mut self, said: Service, events: &mut Vec<Event>) {
        let before = self.service;
        self.service.add(said);
        events.extend((self.service != before).then_some(Event::Service(self.service)));
    }

    fn start(&mut self, index: u64, begun: &Value, events: &mut Vec<Event>) {
        let text = |name: &str| begun.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        self.blocks.retain(|(open, _)| *open != index);
        let block = match text("type").as_str() {
            "text" => {
                let citations = begun.get("citations").and_then(Value::as_array).cloned().unwrap_or_default();
                let start = self.said;
                self.text(text("text"), events);
                Block::Text { start, citations }
            }
            "thinking" => {
                self.thought(text("thinking"), events);
                self.sign(text("signature"), events);
                Block::Thought
            }
            "redacted_thinking" => {
                self.said = 0;
                events.push(Event::Signature { choice: CHOICE, signature: text("data"), sealed: true });
                Block::Other
            }
            "tool_use" => {
                let (nth, id, name) = (self.calls, text("id"), text("name"));
                (self.calls, self.said) = (nth.saturating_add(1), 0);
                events.push(Event::ToolCall { choice: CHOICE, nth, id, name, free: false });
                let input = begun.get("input").filter(|input| !input.is_null());
                Block::Call { nth, input: Some(input.map_or_else(|| "{}".to_owned(), Value::to_string)) }
            }
            "server_tool_use" => {
                let uses = service::and_block(self.service.uses, service::of_block(begun));
                self.serve(Service { uses, ..Service::default() }, events);
                Block::Other
            }
            _ => Block::Other,
        };
        self.blocks.push((index, block));
    }

    fn delta(&mut self, index: u64, delta: Option<Delta<'_>>, events: &mut Vec<Event>) {
        let Some(Delta { kind: Some(kind), text, thinking, signature, partial_json, citation, .. }) = delta else {
            return;
        };
        let block = self.blocks.iter_mut().find(|(open, _)| *open == index).map(|(_, block)| block);
        match (kind.0.as_ref(), block) {
            ("text_delta", _) => self.text(text.unwrap_or_default(), events),
            ("thinking_delta", _) => self.thought(thinking.unwrap_or_default(), events),
            ("signature_delta", _) => self.sign(signature.unwrap_or_default(), events),
            ("input_json_delta", Some(Block::Call { nth, input })) => {
                let more = partial_json.filter(|more| !more.is_empty());
                if let Some(text) = more {
                    *input = None;
                    events.push(Event::Arguments { choice: CHOICE, nth: *nth, text });
                }
            }
            ("citations_delta", Some(Block::Text { citations, .. })) => citations.push(value(citation)),
            _ => {}
        }
    }

    fn stop(&mut self, index: u64, events: &mut Vec<Event>) {
        let Some(at) = self.blocks.iter().position(|(open, _)| *open == index) else { return };
        match self.blocks.swap_remove(at).1 {
            Block::Text { start, citations } => {
                let read = |citation: &Value| -> Option<Citation> { cite::read(citation, start, self.said) };
                let citations = citations.iter().filter_map(read);
                events.extend(citations.map(|citation| Event::Citation { choice: CHOICE, citation }));
            }
            Block::Call { nth, input } => {
                events.extend(input.map(|text| Event::Arguments { choice: CHOICE, nth, text }));
            }
            Block::Thought | Block::Other => {}
        }
    }

    fn text(&mut self, text: String, events: &mut Vec<Event>) {
        if !text.is_empty() {
            self.said = self.said.saturating_add(cite::count(&text));
            events.push(Event::Text { choice: CHOICE, text });
        }
    }

    fn thought(&mut self, text: String, events: &mut Vec<Event>) {
        if !text.is_empty() {
            self.said = 0;
            events.push(Event::Thought { choice: CHOICE, text });
        }
    }

    fn sign(&mut self, signature: String, events: &mut Vec<Event>) {
        if !signature.is_empty() {
            self.said = 0;
            events.push(Event::Signature { choice: CHOICE, signature, sealed: false });
        }
    }
}

/// The value that is written as `raw`.
fn value(raw: Option<&RawValue>) -> Value {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}
