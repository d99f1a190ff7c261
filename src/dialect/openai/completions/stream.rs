//! Writes events as the chunks of a plain completion's stream.

use super::{finish_reason, write_logprobs};
use crate::chat::{Event, Finish, Head, Usage};
use crate::dialect::openai::answer::head;
use crate::dialect::openai::ending::{Heading, quoted};
use crate::dialect::openai::fault;
use crate::dialect::{Endpoint, Stamp};
use serde_json::Map;
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
    refused: bool,
    finished: bool,
    /// The letters whose log probabilities were told.
    rated: usize,
}

impl Writer {
    /// A stream that has said nothing. `show_usage`: the client asked for its usage.
    pub fn new(stamp: &Stamp<'_>, show_usage: bool) -> Self {
        let stamp = head(&Head::default(), "cmpl-", stamp);
        let heading = heading_of(&stamp, show_usage);
        Self { stamp, heading, show_usage, choices: BTreeMap::new(), usage: None, over: false }
    }

    /// Adds the frames that `event` is to `out`; nothing once the stream is over.
    pub fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Begin(begun) if self.choices.is_empty() => {
                let Head { id, model, created } = &self.stamp;
                let stamp = Stamp { id, model, created: *created };
                self.heading = heading_of(&head(begun, "", &stamp), self.show_usage);
            }
            Event::Text { choice, text } => self.text(*choice, text, out),
            Event::Refusal { choice, text } => {
                self.text(*choice, text, out);
                self.choices.entry(*choice).or_default().refused = true;
            }
            Event::Logprobs { choice, tokens } => {
                let rated = &mut self.choices.entry(*choice).or_default().rated;
                let logprobs = write_logprobs(tokens, rated).to_string();
                self.chunk(*choice, "", &logprobs, "", out);
            }
            Event::Finish { choice, finish } => self.finish(*choice, Some(finish), out),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::End => self.end(out),
            Event::Fault(failed) => {
                let body = fault::write(500, failed, Map::new(), &self.stamp.id);
                out.extend_from_slice(fault::event(&body.to_string()).as_bytes());
                self.over = true;
            }
            Event::Service(_) => {}
            Event::Ping => out.extend_from_slice(b": ping\n\n"),
            Event::Begin(_)
            | Event::Thought { .. }
            | Event::Signature { .. }
            | Event::ToolCall { .. }
            | Event::Arguments { .. }
            | Event::Citation { .. } => {}
        }
    }

    fn text(&mut self, choice: u32, text: &str, out: &mut Vec<u8>) {
        if !text.is_empty() {
            self.chunk(choice, text, "null", "", out);
        }
    }

    fn finish(&mut self, choice: u32, finish: Option<&Finish>, out: &mut Vec<u8>) {
        let refused = self.choices.get(&choice).is_some_and(|said| said.refused);
        self.chunk(choice, "", "null", finish_reason(finish, refused), out);
        self.choices.entry(choice).or_default().finished = true;
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

    /// Adds a chunk of a choice that has not ended.
    fn chunk(&mut self, choice: u32, text: &str, logprobs: &str, finish: &str, out: &mut Vec<u8>) {
        if !self.choices.entry(choice).or_default().finished {
            let chunk = self.heading.choice(choice, &format!("\"text\":{}", quoted(text)), logprobs, finish);
            out.extend_from_slice(chunk.as_bytes());
        }
    }
}

fn heading_of(head: &Head, show_usage: bool) -> Heading {
    Heading::named(Endpoint::Completions, &head.id, head.created, &head.model).showing(show_usage)
}
