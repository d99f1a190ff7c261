//! Writes events as the frames of a stream.

use super::frames::Frames;
use super::said::Said;
use crate::chat::{Event, Finish, Head, ToolCall, Usage};
use crate::dialect::Stamp;
use crate::dialect::responses::{fault, usage};
use serde_json::{Value, json};

/// Writes one stream. There is one choice here: of others nothing is told.
///
/// The last frame holds the whole response, so all that is said is kept until then.
#[derive(Debug)]
pub struct Writer {
    /// What is told where the provider tells nothing.
    head: Head,
    said: Said,
    /// The response was begun.
    begun: bool,
    refused: bool,
    /// Why the choice ended; nothing is said of it after that.
    finish: Option<Finish>,
    usage: Option<Usage>,
    over: bool,
}

impl Writer {
    /// A stream that has said nothing. The usage always comes with its end.
    pub fn new(stamp: &Stamp<'_>, _show_usage: bool) -> Self {
        Self::with(stamp, Frames::default())
    }

    /// One without frames, for what they add up to.
    pub(in crate::dialect::responses) fn silent(stamp: &Stamp<'_>) -> Self {
        Self::with(stamp, Frames::silent())
    }

    fn with(stamp: &Stamp<'_>, frames: Frames) -> Self {
        let head = Head { id: format!("resp_{}", stamp.id), model: stamp.model.to_owned(), created: stamp.created };
        let said = Said::new(stamp.id, frames);
        Self { head, said, begun: false, refused: false, finish: None, usage: None, over: false }
    }

    /// Adds the frames that `event` is to `out`; nothing once the stream is over.
    pub fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Ping => out.extend_from_slice(b": ping\n\n"),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Fault(fault) => {
                self.over = true;
                self.said.frames.send("error", &fault::event(fault), out);
            }
            Event::Begin(head) => self.begin(Some(head), out),
            Event::End => {
                self.begin(None, out);
                self.said.close("completed", out);
                self.over = true;
                let (status, _) = self.ending();
                let response = self.response(status);
                self.said.frames.send(&format!("response.{status}"), &json!({"response": response}), out);
            }
            _ => {
                self.begin(None, out);
                if self.finish.is_none() {
                    self.say(event, out);
                }
            }
        }
    }

    /// The response that all events add up to.
    pub(in crate::dialect::responses) fn into_response(self) -> Value {
        self.response(self.ending().0)
    }

    fn say(&mut self, event: &Event, out: &mut Vec<u8>) {
        let said = &mut self.said;
        match event {
            Event::Text { choice: 0, text } if !text.is_empty() => said.text(text, &[], out),
            Event::Logprobs { choice: 0, tokens } if !tokens.is_empty() => said.text("", tokens, out),
            Event::Citation { choice: 0, citation } => said.cite(citation, out),
            Event::Refusal { choice: 0, text } if !text.is_empty() => {
                self.refused = true;
                said.refuse(text, out);
            }
            Event::Thought { choice: 0, text } if !text.is_empty() => said.think(text, out),
            Event::Signature { choice: 0, signature, sealed } if !signature.is_empty() => {
                said.sign(signature, *sealed, out);
            }
            Event::ToolCall { choice: 0, nth, id, name, free } => {
                let call = ToolCall { id: id.clone(), name: name.clone(), arguments: String::new(), free: *free };
                said.call(*nth, call, out);
            }
            Event::Arguments { choice: 0, nth, text } if !text.is_empty() => said.arguments(*nth, text, out),
            Event::Finish { choice: 0, finish } => {
                self.finish = Some(finish.clone());
                let (status, _) = self.ending();
                self.said.close(status, out);
            }
            _ => {}
        }
    }

    /// The response begins, once.
    fn begin(&mut self, head: Option<&Head>, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        if let Some(Head { id, model, created }) = head {
            let or = |told: &String, own: &mut String| {
                if !told.is_empty() {
                    own.clone_from(told)
                }
            };
            or(id, &mut self.head.id);
            or(model, &mut self.head.model);
            self.head.created = if *created == 0 { self.head.created } else { *created };
        }
        let response = json!({"response": self.response("in_progress")});
        self.said.frames.send("response.created", &response, out);
        self.said.frames.send("response.in_progress", &response, out);
    }

    /// The status that the response ends with, and why it is incomplete. A model that declines in words has said all.
    const fn ending(&self) -> (&'static str, Option<&'static str>) {
        match self.finish {
            Some(Finish::Length) => ("incomplete", Some("max_output_tokens")),
            Some(Finish::Filter) if !self.refused => ("incomplete", Some("content_filter")),
            _ => ("completed", None),
        }
    }

    /// The response as it stands. What the request asked for is not known here: it is told as if it had asked for nothing.
    fn response(&self, status: &str) -> Value {
        let reason = if status == "incomplete" { self.ending().1 } else { None };
        let usage = if status == "in_progress" { None } else { self.usage };
        json!({
            "id": self.head.id,
            "object": "response",
            "created_at": self.head.created,
            "status": status,
            "background": false,
            "error": null,
            "incomplete_details": reason.map(|reason| json!({"reason": reason})),
            "instructions": null,
            "max_output_tokens": null,
            "model": self.head.model,
            "output": self.said.output,
            "parallel_tool_calls": true,
            "previous_response_id": null,
            "reasoning": {"effort": null, "summary": null},
            "store": false,
            "temperature": null,
            "text": {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": [],
            "top_p": null,
            "truncation": "disabled",
            "usage": usage.map(usage::write),
            "user": null,
            "metadata": {},
            "access_programs": null,
        })
    }
}
