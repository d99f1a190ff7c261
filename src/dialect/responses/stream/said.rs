//! What a stream has said so far: the items that are done, and those that are open.

use super::frames::Frames;
use crate::chat::{Citation, Thought, ToolCall};
use crate::dialect::responses::output::{
    call_item, message_item, refusal_part, summary_part, text_part, thought_item, write_citation,
};
use serde::Serialize;
use serde_json::{Value, json};

/// The items of one stream. One is open at a time, but for calls: of several that run beside one another all are.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// What the ids of items end with.
    id: String,
    pub(super) frames: Frames,
    /// The items that are done.
    pub(super) output: Vec<Value>,
    open: Open,
}

#[derive(Debug, Default)]
enum Open {
    #[default]
    Nothing,
    /// A message: its parts that are done, and the one that is open.
    Message(Vec<Value>, Part),
    /// A thought that is told.
    Thought(String),
    /// Calls, with their places among all calls.
    Calls(Vec<(u32, ToolCall)>),
}

#[derive(Debug)]
enum Part {
    Text { text: String, annotations: Vec<Value>, logprobs: Vec<Value> },
    Refusal(String),
}

/// A bit of an item.
#[derive(Serialize)]
struct Bit<'a> {
    item_id: &'a str,
    output_index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary_index: Option<usize>,
    delta: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<&'a [Value]>,
}

impl Said {
    pub(super) fn new(id: &str, frames: Frames) -> Self {
        Self { id: id.to_owned(), frames, ..Self::default() }
    }

    /// Some text, and the log probabilities of some.
    pub(super) fn text(&mut self, more: &str, tokens: &[Value], out: &mut Vec<u8>) {
        if !matches!(self.open, Open::Message(_, Part::Text { .. })) {
            self.open_part(Part::Text { text: String::new(), annotations: Vec::new(), logprobs: Vec::new() }, out);
        }
        let Open::Message(done, Part::Text { text, logprobs, .. }) = &mut self.open else { return };
        text.push_str(more);
        logprobs.extend_from_slice(tokens);
        let content_index = Some(done.len());
        self.bit("response.output_text.delta", "msg", [content_index, None], more, Some(tokens), out);
    }

    /// Some of why the model declines.
    pub(super) fn refuse(&mut self, more: &str, out: &mut Vec<u8>) {
        if !matches!(self.open, Open::Message(_, Part::Refusal(_))) {
            self.open_part(Part::Refusal(String::new()), out);
        }
        let Open::Message(done, Part::Refusal(text)) = &mut self.open else { return };
        text.push_str(more);
        let content_index = Some(done.len());
        self.bit("response.refusal.delta", "msg", [content_index, None], more, None, out);
    }

    /// Where some of the text so far is from; of what is no text that is not told.
    pub(super) fn cite(&mut self, citation: &Citation, out: &mut Vec<u8>) {
        let (id, output_index) = self.place("msg", 0);
        let Open::Message(done, Part::Text { annotations, .. }) = &mut self.open else { return };
        let annotation = write_citation(citation);
        let added = json!({
            "item_id": id, "output_index": output_index, "content_index": done.len(),
            "annotation_index": annotations.len(), "annotation": annotation,
        });
        annotations.push(annotation);
        self.frames.send("response.output_text.annotation.added", &added, out);
    }

    /// Some of a thought.
    pub(super) fn think(&mut self, more: &str, out: &mut Vec<u8>) {
        self.open_thought(out);
        let Open::Thought(text) = &mut self.open else { return };
        text.push_str(more);
        self.bit("response.reasoning_summary_text.delta", "rs", [None, Some(0)], more, None, out);
    }

    /// Ends the thought that is open with what signs it; without one, or `sealed`, this is a thought of its own.
    pub(super) fn sign(&mut self, signature: &str, sealed: bool, out: &mut Vec<u8>) {
        if sealed {
            self.close("completed", out);
            let (id, output_index) = self.place("rs", 0);
            let added = json!({"output_index": output_index, "item": {"id": id, "type": "reasoning", "summary": []}});
            self.frames.send("response.output_item.added", &added, out);
            let thought = Thought { text: String::new(), signature: Some(signature.to_owned()), sealed };
            return self.done(thought_item(&id, &thought), out);
        }
        self.open_thought(out);
        let Open::Thought(text) = std::mem::take(&mut self.open) else { return };
        self.close_thought(text, Some(signature.to_owned()), out);
    }

    /// A call, `nth` among all. Those before it that are whole are done.
    pub(super) fn call(&mut self, nth: u32, mut call: ToolCall, out: &mut Vec<u8>) {
        if !matches!(self.open, Open::Calls(_)) {
            self.close("completed", out);
            self.open = Open::Calls(Vec::new());
        }
        self.close_calls(is_whole, "completed", out);
        let Open::Calls(calls) = &mut self.open else { return };
        let index = calls.len();
        let (id, output_index) = place(&self.id, prefix(call.free), self.output.len().saturating_add(index));
        if call.id.is_empty() {
            call.id = format!("call_{}_{output_index}", self.id);
        }
        let (kind, input) = if call.free { ("custom_tool_call", "input") } else { ("function_call", "arguments") };
        let item = json!({
            "id": id, "type": kind, "status": "in_progress", "call_id": call.id, "name": call.name, input: "",
        });
        calls.push((nth, call));
        self.frames.send("response.output_item.added", &json!({"output_index": output_index, "item": item}), out);
    }

    /// Some of what a tool is given. Of a call that is done, or that nobody made, nothing more is told.
    pub(super) fn arguments(&mut self, nth: u32, more: &str, out: &mut Vec<u8>) {
        let Open::Calls(calls) = &mut self.open else { return };
        let Some(index) = calls.iter().rposition(|(place, _)| *place == nth) else { return };
        let Some((_, call)) = calls.get_mut(index) else { return };
        call.arguments.push_str(more);
        let free = call.free;
        self.call_bit(index, free, more, out);
    }

    /// Ends all that is open; `status` is how it ended.
    pub(super) fn close(&mut self, status: &str, out: &mut Vec<u8>) {
        match std::mem::take(&mut self.open) {
            Open::Nothing => {}
            Open::Message(mut done, part) => {
                done.push(self.close_part(done.len(), part, out));
                let (id, _) = self.place("msg", 0);
                self.done(ended(message_item(&id, done), status), out);
            }
            Open::Thought(text) => self.close_thought(text, None, out),
            Open::Calls(calls) => {
                self.open = Open::Calls(calls);
                self.close_calls(|_| true, status, out);
                self.open = Open::Nothing;
            }
        }
    }

    /// Opens a part of a message, and the message itself unless one is open.
    fn open_part(&mut self, part: Part, out: &mut Vec<u8>) {
        let done = match std::mem::take(&mut self.open) {
            Open::Message(mut done, last) => {
                done.push(self.close_part(done.len(), last, out));
                done
            }
            other => {
                self.open = other;
                self.close("completed", out);
                let (id, output_index) = self.place("msg", 0);
                let item = json!({
                    "id": id, "type": "message", "status": "in_progress", "role": "assistant", "content": [],
                });
                let added = json!({"output_index": output_index, "item": item});
                self.frames.send("response.output_item.added", &added, out);
                Vec::new()
            }
        };
        let (id, output_index) = self.place("msg", 0);
        let empty = match part {
            Part::Text { .. } => text_part("", Vec::new(), Vec::new()),
            Part::Refusal(_) => refusal_part(""),
        };
        let added = json!({"item_id": id, "output_index": output_index, "content_index": done.len(), "part": empty});
        self.frames.send("response.content_part.added", &added, out);
        self.open = Open::Message(done, part);
    }

    /// Ends the part `content_index` of the message that is open, and returns it.
    fn close_part(&mut self, content_index: usize, part: Part, out: &mut Vec<u8>) -> Value {
        let (id, output_index) = self.place("msg", 0);
        let at = |name: &str, value: Value| {
            let mut at = json!({"item_id": id, "output_index": output_index, "content_index": content_index});
            at.as_object_mut().map(|members| members.insert(name.to_owned(), value));
            at
        };
        let part = match part {
            Part::Text { text, annotations, logprobs } => {
                let mut done = at("text", text.as_str().into());
                done.as_object_mut().map(|members| members.insert("logprobs".to_owned(), logprobs.clone().into()));
                self.frames.send("response.output_text.done", &done, out);
                text_part(&text, annotations, logprobs)
            }
            Part::Refusal(text) => {
                self.frames.send("response.refusal.done", &at("refusal", text.as_str().into()), out);
                refusal_part(&text)
            }
        };
        self.frames.send("response.content_part.done", &at("part", part.clone()), out);
        part
    }

    fn open_thought(&mut self, out: &mut Vec<u8>) {
        if matches!(self.open, Open::Thought(_)) {
            return;
        }
        self.close("completed", out);
        let (id, output_index) = self.place("rs", 0);
        let added = json!({"output_index": output_index, "item": {"id": id, "type": "reasoning", "summary": []}});
        self.frames.send("response.output_item.added", &added, out);
        let part = json!({"item_id": id, "output_index": output_index, "summary_index": 0, "part": summary_part("")});
        self.frames.send("response.reasoning_summary_part.added", &part, out);
        self.open = Open::Thought(String::new());
    }

    fn close_thought(&mut self, text: String, signature: Option<String>, out: &mut Vec<u8>) {
        let (id, output_index) = self.place("rs", 0);
        let done = json!({"item_id": id, "output_index": output_index, "summary_index": 0, "text": text});
        self.frames.send("response.reasoning_summary_text.done", &done, out);
        let part =
            json!({"item_id": id, "output_index": output_index, "summary_index": 0, "part": summary_part(&text)});
        self.frames.send("response.reasoning_summary_part.done", &part, out);
        self.done(thought_item(&id, &Thought { text, signature, sealed: false }), out);
    }

    /// Ends the calls in front that are `over`, in their order.
    fn close_calls(&mut self, over: fn(&ToolCall) -> bool, status: &str, out: &mut Vec<u8>) {
        while let Open::Calls(calls) = &mut self.open
            && calls.first().is_some_and(|(_, call)| over(call))
        {
            let (_, mut call) = calls.remove(0);
            if !call.free && call.arguments.trim_ascii().is_empty() {
                "{}".clone_into(&mut call.arguments);
                self.call_bit(0, false, "{}", out);
            }
            let (id, output_index) = self.place(prefix(call.free), 0);
            let (kind, input) =
                if call.free { ("custom_tool_call_input", "input") } else { ("function_call_arguments", "arguments") };
            let done = json!({"item_id": id, "output_index": output_index, input: call.arguments});
            self.frames.send(&format!("response.{kind}.done"), &done, out);
            self.done(ended(call_item(&id, &call), status), out);
        }
    }

    fn call_bit(&mut self, index: usize, free: bool, more: &str, out: &mut Vec<u8>) {
        let kind =
            if free { "response.custom_tool_call_input.delta" } else { "response.function_call_arguments.delta" };
        let (id, output_index) = self.place(prefix(free), index);
        let bit =
            Bit { item_id: &id, output_index, content_index: None, summary_index: None, delta: more, logprobs: None };
        self.frames.send(kind, &bit, out);
    }

    fn bit(
        &mut self,
        kind: &str,
        prefix: &str,
        [content_index, summary_index]: [Option<usize>; 2],
        delta: &str,
        logprobs: Option<&[Value]>,
        out: &mut Vec<u8>,
    ) {
        let (item_id, output_index) = self.place(prefix, 0);
        let bit = Bit { item_id: &item_id, output_index, content_index, summary_index, delta, logprobs };
        self.frames.send(kind, &bit, out);
    }

    /// The item that is next is done.
    fn done(&mut self, item: Value, out: &mut Vec<u8>) {
        let done = json!({"output_index": self.output.len(), "item": item});
        self.frames.send("response.output_item.done", &done, out);
        self.output.push(item);
    }

    /// The id and the index of the open item at `index` among those that are open.
    fn place(&self, prefix: &str, index: usize) -> (String, usize) {
        place(&self.id, prefix, self.output.len().saturating_add(index))
    }
}

fn place(id: &str, prefix: &str, index: usize) -> (String, usize) {
    (format!("{prefix}_{id}_{index}"), index)
}

const fn prefix(free: bool) -> &'static str {
    if free { "ctc" } else { "fc" }
}

/// Whether nothing can follow what the tool is given: a whole JSON object. Free text may always go on.
fn is_whole(call: &ToolCall) -> bool {
    !call.free
        && call.arguments.ends_with('}')
        && serde_json::from_str::<serde::de::IgnoredAny>(&call.arguments).is_ok()
}

/// `item`, which ended so.
fn ended(mut item: Value, status: &str) -> Value {
    if let Some(written) = item.get_mut("status") {
        *written = status.into();
    }
    item
}
