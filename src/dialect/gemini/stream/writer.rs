//! Writes events as the answers that a stream is made of.

use crate::chat::{Citation, Event, Fault, Finish, Head, ToolCall, Usage};
use crate::dialect::Stamp;
use crate::dialect::gemini::grounding::{self, Cited};
use crate::dialect::gemini::{answer, fault, logprobs, said, usage};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Writes one stream.
#[derive(Debug)]
pub struct Writer {
    /// What is told where the provider tells nothing.
    stamp: Head,
    head: Head,
    choices: BTreeMap<u32, Said>,
    usage: Option<Usage>,
    begun: bool,
    over: bool,
}

/// What a choice has said so far, and what it has yet to say.
#[derive(Debug, Default)]
struct Said {
    /// The text since the last part that was no text, as its reader has it.
    text: String,
    /// The bytes of the texts before it.
    before: usize,
    /// Where in `text` the part begins that citations are told of: a refusal is text here, and no part of it there.
    part: usize,
    refusing: bool,
    /// The citations of that part.
    citations: Vec<Citation>,
    /// A thought that is not signed was told last.
    thinking: bool,
    /// What signs the next part, or else the thought that was told last.
    signature: Option<String>,
    /// The calls whose arguments may not be whole yet.
    calls: Vec<Call>,
    logprobs: Vec<Value>,
    finish: Option<Finish>,
}

#[derive(Debug)]
struct Call {
    nth: u32,
    call: ToolCall,
    signature: Option<String>,
}

impl Writer {
    /// A stream that has said nothing. Its usage is always told: Gemini's clients need not ask for it.
    pub fn new(stamp: &Stamp<'_>, _show_usage: bool) -> Self {
        let stamp = Head { id: stamp.id.to_owned(), model: stamp.model.to_owned(), created: stamp.created };
        Self { stamp, head: Head::default(), choices: BTreeMap::new(), usage: None, begun: false, over: false }
    }

    /// Adds the frames that `event` is to `out`; nothing once the stream is over. There is no frame for a ping: older
    /// SDKs of Google's take no comments.
    ///
    /// A call is told whole, once something else comes. The ends of all choices are told at the end, with the usage.
    pub fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Begin(head) if !self.begun => self.head.clone_from(head),
            Event::Text { choice, text } => self.text(*choice, text, false, out),
            Event::Refusal { choice, text } => self.text(*choice, text, true, out),
            Event::Thought { choice, text } => self.thought(*choice, text, out),
            Event::Signature { choice, signature, sealed } => self.sign(*choice, signature, *sealed, out),
            Event::ToolCall { choice, nth, id, name, free } => {
                self.end_text(*choice, out);
                self.calls(*choice, true, out);
                let said = self.said(*choice);
                let call = ToolCall { id: id.clone(), name: name.clone(), arguments: String::new(), free: *free };
                said.calls.push(Call { nth: *nth, call, signature: said.signature.take() });
                said.thinking = false;
            }
            Event::Arguments { choice, nth, text } => {
                let call = self.said(*choice).calls.iter_mut().rfind(|call| call.nth == *nth);
                if let Some(call) = call {
                    call.call.arguments.push_str(text);
                }
            }
            Event::Citation { choice, citation } => self.said(*choice).citations.push(citation.clone()),
            Event::Logprobs { choice, tokens } => self.said(*choice).logprobs.extend(tokens.iter().cloned()),
            Event::Finish { choice, finish } => {
                self.settle(*choice, out);
                self.said(*choice).finish.get_or_insert_with(|| finish.clone());
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::End => self.end(out),
            Event::Fault(fault) => self.fail(fault, out),
            Event::Begin(_) | Event::Service(_) | Event::Ping => {}
        }
    }

    fn said(&mut self, choice: u32) -> &mut Said {
        self.choices.entry(choice).or_default()
    }

    fn text(&mut self, choice: u32, text: &str, refusing: bool, out: &mut Vec<u8>) {
        if text.is_empty() {
            // It begins all the same.
            self.said(choice);
            return;
        }
        self.calls(choice, false, out);
        let said = self.said(choice);
        if said.signature.is_some() || said.refusing != refusing {
            self.cited(choice, out);
        }
        let said = self.said(choice);
        let signature = said.signature.take();
        if signature.is_some() {
            said.begin_text();
        }
        (said.refusing, said.thinking) = (refusing, false);
        said.text.push_str(text);
        let mut part = json!({"text": text});
        said::sign(&mut part, signature.as_deref());
        self.part(choice, &part, out);
    }

    fn thought(&mut self, choice: u32, text: &str, out: &mut Vec<u8>) {
        self.settle(choice, out);
        if !text.is_empty() {
            self.said(choice).thinking = true;
            self.part(choice, &said::write_thought(text, None, false), out);
        }
    }

    fn sign(&mut self, choice: u32, signature: &str, sealed: bool, out: &mut Vec<u8>) {
        self.settle(choice, out);
        if signature.is_empty() {
            return;
        }
        if sealed {
            self.said(choice).thinking = false;
            return self.part(choice, &said::write_thought("", Some(signature), true), out);
        }
        self.said(choice).signature = Some(signature.to_owned());
    }

    /// Tells what is held of a choice, for something else comes.
    fn settle(&mut self, choice: u32, out: &mut Vec<u8>) {
        self.end_text(choice, out);
        self.calls(choice, false, out);
        let said = self.said(choice);
        if let Some(signature) = said.signature.take() {
            // Of a thought that was told it is the end.
            let of_thought = std::mem::take(&mut said.thinking);
            self.part(choice, &said::write_thought("", Some(&signature), of_thought), out);
        }
    }

    /// Tells the calls that are held; only those that nothing can be added to, up to the first of the others, if `whole`.
    fn calls(&mut self, choice: u32, whole: bool, out: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.said(choice).calls);
        let is_whole =
            |call: &Call| serde_json::from_str::<Map<String, Value>>(&call.call.arguments).is_ok() && !call.call.free;
        let count = if whole { held.iter().take_while(|call| is_whole(call)).count() } else { held.len() };
        let mut held = held.into_iter();
        for Call { call, signature, .. } in held.by_ref().take(count) {
            let mut part = said::write_call(&call, true);
            said::sign(&mut part, signature.as_deref());
            self.part(choice, &part, out);
        }
        self.said(choice).calls = held.collect();
    }

    /// Tells the citations of the text, which is over.
    fn end_text(&mut self, choice: u32, out: &mut Vec<u8>) {
        self.cited(choice, out);
        self.said(choice).begin_text();
    }

    fn cited(&mut self, choice: u32, out: &mut Vec<u8>) {
        let said = self.said(choice);
        let citations = std::mem::take(&mut said.citations);
        let text = said.text.get(said.part..).unwrap_or_default();
        let from = said.before.saturating_add(said.part);
        let cited = citations.into_iter().filter(|_| !text.is_empty()).map(|citation| {
            let [start, end] = [citation.start, citation.end].map(|at| grounding::bytes(text, at));
            let [whole_start, whole_end] = [start, end].map(|at| at.saturating_add(from));
            let cited = Cited { part: 0, start: whole_start, end: whole_end, citation };
            (cited, text.get(start..end).unwrap_or_default())
        });
        let grounding = grounding::write(&cited.collect::<Vec<_>>());
        said.part = said.text.len();
        if let Some(grounding) = grounding {
            self.candidate(choice, Map::from_iter([("groundingMetadata".to_owned(), grounding)]), out);
        }
    }

    fn part(&mut self, choice: u32, part: &Value, out: &mut Vec<u8>) {
        let content = json!({"parts": [part], "role": "model"});
        self.candidate(choice, Map::from_iter([("content".to_owned(), content)]), out);
    }

    fn candidate(&mut self, choice: u32, mut members: Map<String, Value>, out: &mut Vec<u8>) {
        members.insert("index".to_owned(), choice.into());
        let tokens = std::mem::take(&mut self.said(choice).logprobs);
        if !tokens.is_empty() {
            members.insert("logprobsResult".to_owned(), logprobs::write(&tokens));
        }
        self.chunk(vec![members.into()], None, out);
    }

    fn chunk(&mut self, candidates: Vec<Value>, used: Option<Usage>, out: &mut Vec<u8>) {
        self.begun = true;
        let mut body = Map::from_iter([("candidates".to_owned(), candidates.into())]);
        body.extend(used.map(|used| ("usageMetadata".to_owned(), usage::write(used))));
        let Head { id, model, created } = &self.stamp;
        answer::put_head(&mut body, &self.head, &Stamp { id, model, created: *created });
        frame(&body.into(), out);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.said(self.choices.keys().next().copied().unwrap_or_default());
        let choices: Vec<u32> = self.choices.keys().copied().collect();
        choices.iter().for_each(|choice| self.settle(*choice, out));
        let ends = self.choices.iter_mut().map(|(choice, said)| {
            let mut members = Map::new();
            members.insert("finishReason".to_owned(), answer::finish_reason(said.finish.as_ref()).into());
            members.insert("index".to_owned(), (*choice).into());
            let tokens = std::mem::take(&mut said.logprobs);
            if !tokens.is_empty() {
                members.insert("logprobsResult".to_owned(), logprobs::write(&tokens));
            }
            Value::Object(members)
        });
        let ends = ends.collect();
        self.chunk(ends, self.usage, out);
        self.over = true;
    }

    fn fail(&mut self, failed: &Fault, out: &mut Vec<u8>) {
        frame(&fault::write(fault::status_of(failed), failed, Map::new(), &self.stamp.id), out);
        self.over = true;
    }
}

impl Said {
    fn begin_text(&mut self) {
        self.before = self.before.saturating_add(self.text.len());
        self.text.clear();
        (self.part, self.refusing) = (0, false);
    }
}

fn frame(body: &Value, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("data: {body}\n\n").as_bytes());
}
