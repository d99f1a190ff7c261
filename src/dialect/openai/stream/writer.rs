//! Writes events as the chunks of a stream.

use crate::chat::{Event, Fault, Finish, Head, Usage};
use crate::dialect::openai::answer::{finish_reason, head, write_citation};
use crate::dialect::openai::ending::{Heading, quoted};
use crate::dialect::openai::fault;
use crate::dialect::{Endpoint, Stamp};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Writes one stream.
#[derive(Debug)]
pub struct Writer {
    /// What is told where the provider tells nothing.
    stamp: Head,
    heading: Heading,
    show_usage: bool,
    choices: BTreeMap<u32, Said>,
    usage: Option<Usage>,
    over: bool,
}

/// What a choice has said so far.
#[derive(Debug, Default)]
struct Said {
    /// Its first chunk is out.
    begun: bool,
    calls: Vec<Call>,
    refused: bool,
    finished: bool,
    /// The index of the thought that comes, or would come next.
    thought: u64,
    /// Some of its text was told.
    thinking: bool,
    /// What signs it: told when it is known what comes next, for that may be the call that it belongs to.
    signature: Option<(String, bool)>,
}

#[derive(Debug)]
struct Call {
    nth: u32,
    free: bool,
    /// Nothing of its arguments was told.
    bare: bool,
}

impl Writer {
    /// A stream that has said nothing. `show_usage`: the client asked for its usage.
    pub fn new(stamp: &Stamp<'_>, show_usage: bool) -> Self {
        let stamp = head(&Head::default(), "chatcmpl-", stamp);
        let heading = heading_of(&stamp, show_usage);
        Self { stamp, heading, show_usage, choices: BTreeMap::new(), usage: None, over: false }
    }

    /// Adds the frames that `event` is to `out`; nothing once the stream is over.
    pub fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Begin(begun) => self.begin(begun),
            Event::Text { choice, text } => self.text(*choice, "content", text, out),
            Event::Refusal { choice, text } => {
                self.text(*choice, "refusal", text, out);
                self.choices.entry(*choice).or_default().refused = true;
            }
            Event::Thought { choice, text } => self.thought(*choice, text, out),
            Event::Signature { choice, signature, sealed } => self.sign(*choice, signature, *sealed, out),
            Event::ToolCall { choice, nth, id, name, free } => {
                self.settle(*choice, Some(id), out);
                let (kind, input) = if *free { ("custom", "input") } else { ("function", "arguments") };
                let said = self.choices.entry(*choice).or_default();
                let call = json!({"index": said.calls.len(), "id": id, "type": kind, kind: {"name": name, input: ""}});
                said.calls.push(Call { nth: *nth, free: *free, bare: true });
                self.delta(*choice, &json!({"tool_calls": [call]}), out);
            }
            Event::Arguments { choice, nth, text } => self.arguments(*choice, *nth, text, out),
            Event::Citation { choice, citation } => {
                self.settle(*choice, None, out);
                self.delta(*choice, &json!({"annotations": [write_citation(citation, 0)]}), out);
            }
            Event::Logprobs { choice, tokens } => {
                self.settle(*choice, None, out);
                let logprobs = json!({"content": tokens, "refusal": null}).to_string();
                self.chunk(*choice, "{}", &logprobs, "", out);
            }
            Event::Finish { choice, finish } => self.finish(*choice, Some(finish), out),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::End => self.end(out),
            Event::Fault(fault) => self.fail(fault, out),
            Event::Service(_) => {}
            Event::Ping => out.extend_from_slice(b": ping\n\n"),
        }
    }

    /// The head counts until the first chunk is out.
    fn begin(&mut self, begun: &Head) {
        if self.choices.is_empty() {
            let Head { id, model, created } = &self.stamp;
            let stamp = Stamp { id, model, created: *created };
            self.heading = heading_of(&head(begun, "", &stamp), self.show_usage);
        }
    }

    fn text(&mut self, choice: u32, name: &str, text: &str, out: &mut Vec<u8>) {
        self.settle(choice, None, out);
        if !text.is_empty() {
            self.chunk(choice, &format!("{{\"{name}\":{}}}", quoted(text)), "null", "", out);
        }
    }

    fn thought(&mut self, choice: u32, text: &str, out: &mut Vec<u8>) {
        if self.choices.get(&choice).is_some_and(|said| said.signature.is_some()) {
            self.settle(choice, None, out);
        }
        let said = self.choices.entry(choice).or_default();
        if !text.is_empty() {
            said.thinking = true;
            let detail = json!({"type": "reasoning.text", "text": text, "index": said.thought});
            self.delta(choice, &json!({"reasoning_content": text, "reasoning_details": [detail]}), out);
        }
    }

    fn sign(&mut self, choice: u32, signature: &str, sealed: bool, out: &mut Vec<u8>) {
        let said = self.choices.entry(choice).or_default();
        // What is sealed is a thought of its own.
        if said.signature.is_some() || (said.thinking && sealed) {
            self.settle(choice, None, out);
        }
        self.choices.entry(choice).or_default().signature = Some((signature.to_owned(), sealed));
    }

    /// Ends the thought that was under way, for something else comes: the call `id`, or what is no call.
    fn settle(&mut self, choice: u32, id: Option<&str>, out: &mut Vec<u8>) {
        self.begin_choice(choice, out);
        let said = self.choices.entry(choice).or_default();
        let (index, signature) = (said.thought, said.signature.take());
        if signature.is_some() || said.thinking {
            said.thought = index.saturating_add(1);
        }
        let had_text = std::mem::take(&mut said.thinking);
        let Some((signature, sealed)) = signature else { return };
        let mut detail = match (sealed, had_text) {
            (true, _) => json!({"type": "reasoning.encrypted", "data": signature, "index": index}),
            (false, true) => json!({"type": "reasoning.text", "signature": signature, "index": index}),
            (false, false) => json!({"type": "reasoning.text", "text": "", "signature": signature, "index": index}),
        };
        if let (Some(id), Some(members)) = (id.filter(|id| !id.is_empty()), detail.as_object_mut()) {
            members.insert("id".to_owned(), id.into());
        }
        self.delta(choice, &json!({"reasoning_details": [detail]}), out);
    }

    fn arguments(&mut self, choice: u32, nth: u32, text: &str, out: &mut Vec<u8>) {
        let calls = self.choices.get_mut(&choice).map(|said| &mut said.calls);
        let found = calls.and_then(|calls| {
            let at = calls.iter().rposition(|call| call.nth == nth)?;
            calls.get_mut(at).map(|call| (at, call))
        });
        let Some((index, call)) = found.filter(|_| !text.is_empty()) else { return };
        call.bare = false;
        let (kind, input) = if call.free { ("custom", "input") } else { ("function", "arguments") };
        self.delta(choice, &json!({"tool_calls": [{"index": index, kind: {input: text}}]}), out);
    }

    fn finish(&mut self, choice: u32, finish: Option<&Finish>, out: &mut Vec<u8>) {
        self.settle(choice, None, out);
        let Some(said) = self.choices.get(&choice).filter(|said| !said.finished) else { return };
        let (called, refused) = (!said.calls.is_empty(), said.refused);
        // A call without arguments is one of an empty object: no client reads an empty text as JSON.
        let bare: Vec<u32> = said.calls.iter().filter(|call| call.bare && !call.free).map(|call| call.nth).collect();
        bare.into_iter().for_each(|nth| self.arguments(choice, nth, "{}", out));
        self.chunk(choice, "{}", "null", finish_reason(finish, called, refused), out);
        if let Some(said) = self.choices.get_mut(&choice) {
            said.finished = true;
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        let mut open: Vec<u32> = self.choices.keys().copied().collect();
        if open.is_empty() {
            open.push(0);
        }
        open.into_iter().for_each(|choice| self.finish(choice, None, out));
        if let Some(usage) = self.usage.filter(|_| self.show_usage) {
            out.extend_from_slice(self.heading.usage(usage).as_bytes());
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
        self.over = true;
    }

    fn fail(&mut self, failed: &Fault, out: &mut Vec<u8>) {
        let body = fault::write(500, failed, Map::new(), &self.stamp.id);
        out.extend_from_slice(fault::event(&body.to_string()).as_bytes());
        self.over = true;
    }

    fn begin_choice(&mut self, choice: u32, out: &mut Vec<u8>) {
        let said = self.choices.entry(choice).or_default();
        if !std::mem::replace(&mut said.begun, true) {
            out.extend_from_slice(self.heading.begin_choice(choice).as_bytes());
        }
    }

    fn delta(&mut self, choice: u32, delta: &Value, out: &mut Vec<u8>) {
        self.chunk(choice, &delta.to_string(), "null", "", out);
    }

    /// Adds a chunk of a choice that has not ended.
    fn chunk(&mut self, choice: u32, delta: &str, logprobs: &str, finish: &str, out: &mut Vec<u8>) {
        self.begin_choice(choice, out);
        if self.choices.get(&choice).is_some_and(|said| !said.finished) {
            let chunk = self.heading.choice(choice, &format!("\"delta\":{delta}"), logprobs, finish);
            out.extend_from_slice(chunk.as_bytes());
        }
    }
}

fn heading_of(head: &Head, show_usage: bool) -> Heading {
    Heading::named(Endpoint::Chat, &head.id, head.created, &head.model).showing(show_usage)
}
