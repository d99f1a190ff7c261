//! Writes events as the frames of a stream.
//!
//! A message is blocks, one after the other, and none can be taken up again. So what comes while the arguments of a
//! call are not whole waits until they are, or until the choice ends: the text after a call, and another call whose
//! arguments come in turn with its own. As providers tell calls one by one, mostly nothing waits.

use super::extent::Extent;
use crate::chat::{Event, Finish, Head, ToolCall, Usage};
use crate::dialect::Stamp;
use crate::dialect::anthropic::tool::fit_id;
use crate::dialect::anthropic::{answer, block, cite, fault, usage};
use crate::units::Tokens;
use serde_json::{Map, Value, json};
use std::collections::VecDeque;

/// Writes one stream. Of several choices it tells the first.
#[derive(Debug)]
pub struct Writer {
    /// What is told where the provider tells nothing.
    stamp: Head,
    begun: bool,
    over: bool,
    /// The index of the block that is open, or of the next one.
    index: u64,
    open: Option<Open>,
    /// What is said once the open call is whole.
    waiting: VecDeque<Event>,
    calls: u64,
    refusal: Option<String>,
    finish: Option<Finish>,
    usage: Option<Usage>,
}

/// The block that is open.
#[derive(Debug)]
enum Open {
    /// `cited`: it is told where it is from; what follows is from elsewhere.
    Text {
        cited: bool,
    },
    Thought,
    /// `held`: the input so far of a tool with free input, which is told as one.
    Call {
        nth: u32,
        extent: Extent,
        held: Option<String>,
    },
}

impl Writer {
    /// A stream that has said nothing. Every client of this dialect is shown the usage.
    pub fn new(stamp: &Stamp<'_>, _show_usage: bool) -> Self {
        let stamp = Head { id: stamp.id.to_owned(), model: stamp.model.to_owned(), created: 0 };
        let (waiting, finish, usage) = (VecDeque::new(), None, None);
        Self { stamp, begun: false, over: false, index: 0, open: None, waiting, calls: 0, refusal: None, finish, usage }
    }

    /// Adds the frames that `event` is to `out`; nothing once the stream is over.
    pub fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Begin(head) => self.begin(head, out),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Ping => frame("ping", &json!({"type": "ping"}), out),
            Event::Fault(fault) => {
                frame("error", &fault::event(fault), out);
                self.over = true;
            }
            Event::End => self.end(out),
            Event::Refusal { choice: 0, text } => self.refusal.get_or_insert_default().push_str(text),
            Event::Finish { choice: 0, finish } => {
                self.finish = Some(finish.clone());
                self.settle(true, out);
                self.close(out);
            }
            Event::Text { choice: 0, .. }
            | Event::Thought { choice: 0, .. }
            | Event::Signature { choice: 0, .. }
            | Event::Citation { choice: 0, .. }
            | Event::ToolCall { choice: 0, .. }
            | Event::Arguments { choice: 0, .. } => self.say_in_turn(event, out),
            _ => {}
        }
    }

    fn begin(&mut self, head: &Head, out: &mut Vec<u8>) {
        if self.begun {
            return;
        }
        self.begun = true;
        let mut message = answer::begin(head, &self.stamp.id, &self.stamp.model, Vec::new());
        for name in ["stop_reason", "stop_sequence", "stop_details"] {
            message.insert(name.to_owned(), Value::Null);
        }
        message.insert("usage".to_owned(), usage::write(self.usage).into());
        frame("message_start", &json!({"type": "message_start", "message": message}), out);
        frame("ping", &json!({"type": "ping"}), out);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.begin(&Head::default(), out);
        self.settle(true, out);
        self.close(out);
        let delta = answer::end(self.finish.as_ref(), self.calls > 0, self.refusal.as_deref());
        let mut used = usage::write(self.usage);
        if self.usage.is_none_or(|usage| usage.cache_write_hour == Tokens::ZERO) {
            // Only a message that begins tells how long what is kept is kept; nothing else could, were it not known then.
            used.remove("cache_creation");
        }
        frame("message_delta", &json!({"type": "message_delta", "delta": delta, "usage": used}), out);
        frame("message_stop", &json!({"type": "message_stop"}), out);
        self.over = true;
    }

    /// Says `event`, or has it wait for the open call.
    fn say_in_turn(&mut self, event: &Event, out: &mut Vec<u8>) {
        self.begin(&Head::default(), out);
        let is_of_open = match (event, &self.open) {
            (Event::Arguments { nth, .. }, Some(Open::Call { nth: open, .. })) => nth == open,
            _ => false,
        };
        if is_of_open || (self.waiting.is_empty() && !self.blocked()) {
            self.say(event, out);
        } else {
            self.waiting.push_back(event.clone());
        }
        self.settle(false, out);
    }

    /// Says what waits as far as it can be said: all of it where it is `due`.
    fn settle(&mut self, due: bool, out: &mut Vec<u8>) {
        while let Some(event) = (due || !self.blocked()).then(|| self.waiting.pop_front()).flatten() {
            self.say(&event, out);
        }
    }

    /// Whether the open block is a call whose arguments are not whole.
    fn blocked(&self) -> bool {
        matches!(&self.open, Some(Open::Call { extent, held, .. }) if held.is_some() || !extent.is_whole())
    }

    fn say(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Text { text, .. } if !text.is_empty() => {
                if !matches!(self.open, Some(Open::Text { cited: false })) {
                    self.start(Open::Text { cited: false }, json!({"type": "text", "text": ""}), out);
                }
                self.delta("text_delta", "text", text, out);
            }
            Event::Thought { text, .. } if !text.is_empty() => {
                self.think(out);
                self.delta("thinking_delta", "thinking", text, out);
            }
            Event::Signature { signature, sealed: true, .. } => {
                self.start(Open::Thought, json!({"type": "redacted_thinking", "data": signature}), out);
                self.close(out);
            }
            Event::Signature { signature, .. } if !signature.is_empty() => {
                self.think(out);
                self.delta("signature_delta", "signature", signature, out);
                self.close(out);
            }
            Event::Citation { citation, .. } => {
                if let Some(Open::Text { cited }) = &mut self.open {
                    *cited = true;
                    let delta = json!({"type": "citations_delta", "citation": cite::write(citation)});
                    let body = json!({"type": "content_block_delta", "index": self.index, "delta": delta});
                    frame("content_block_delta", &body, out);
                }
            }
            Event::ToolCall { nth, id, name, free, .. } => self.call(*nth, id, name, *free, out),
            Event::Arguments { nth, text, .. } => self.arguments(*nth, text, out),
            _ => {}
        }
    }

    fn think(&mut self, out: &mut Vec<u8>) {
        if !matches!(self.open, Some(Open::Thought)) {
            self.start(Open::Thought, json!({"type": "thinking", "thinking": "", "signature": ""}), out);
        }
    }

    /// Begins a call, and says what waited of its arguments.
    fn call(&mut self, nth: u32, id: &str, name: &str, free: bool, out: &mut Vec<u8>) {
        let id = answer::call_id(id, self.calls);
        self.calls = self.calls.saturating_add(1);
        let open = Open::Call { nth, extent: Extent::default(), held: free.then(String::new) };
        self.start(open, json!({"type": "tool_use", "id": fit_id(&id), "name": name, "input": {}}), out);
        let is_of_it = |event: &Event| matches!(event, Event::Arguments { nth: of, .. } if *of == nth);
        let again = |event: &Event| matches!(event, Event::ToolCall { nth: of, .. } if *of == nth);
        let end = self.waiting.iter().position(again).unwrap_or(self.waiting.len());
        let later = self.waiting.split_off(end);
        let (mine, others) = std::mem::take(&mut self.waiting).into_iter().partition::<Vec<_>, _>(is_of_it);
        self.waiting.extend(others);
        self.waiting.extend(later);
        mine.iter().for_each(|event| self.say(event, out));
    }

    /// Arguments of a call that is over were not JSON, or not of it: they are not told.
    fn arguments(&mut self, nth: u32, text: &str, out: &mut Vec<u8>) {
        match &mut self.open {
            Some(Open::Call { nth: open, held: Some(held), .. }) if *open == nth => held.push_str(text),
            Some(Open::Call { nth: open, extent, .. }) if *open == nth && !text.is_empty() => {
                extent.add(text);
                self.delta("input_json_delta", "partial_json", text, out);
            }
            _ => {}
        }
    }

    fn start(&mut self, open: Open, begun: Value, out: &mut Vec<u8>) {
        self.close(out);
        let body = json!({"type": "content_block_start", "index": self.index, "content_block": begun});
        frame("content_block_start", &body, out);
        self.open = Some(open);
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        let Some(open) = self.open.take() else { return };
        if let Open::Call { held: Some(arguments), .. } = open {
            let input = block::input(&ToolCall { arguments, free: true, ..ToolCall::default() });
            self.delta("input_json_delta", "partial_json", &Value::from(input).to_string(), out);
        }
        frame("content_block_stop", &json!({"type": "content_block_stop", "index": self.index}), out);
        self.index = self.index.saturating_add(1);
    }

    /// A bit of the open block: what comes most often.
    fn delta(&self, kind: &str, name: &str, text: &str, out: &mut Vec<u8>) {
        let delta = Map::from_iter([("type".to_owned(), kind.into()), (name.to_owned(), text.into())]);
        let body = json!({"type": "content_block_delta", "index": self.index, "delta": delta});
        frame("content_block_delta", &body, out);
    }
}

fn frame(event: &str, body: &Value, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("event: {event}\ndata: {body}\n\n").as_bytes());
}
