//! Reads the chunks of a stream as events, of OpenAI and of those who speak nearly as it does.

use crate::chat::{Event, Fault, Finish, Head, Part, Thought, Usage};
use crate::dialect::CHOICES_MAX;
use crate::dialect::openai::{answer, fault, thought};
use crate::dialect::service;
use crate::service::Service;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Reads one stream.
#[derive(Debug, Default)]
pub struct Reader {
    /// What it began with.
    head: Option<Head>,
    over: bool,
    choices: BTreeMap<u32, Said>,
    usage: Option<Usage>,
    /// How it is served, and what of that was told.
    service: Service,
    told: Service,
}

/// What a choice has said so far.
#[derive(Debug, Default)]
struct Said {
    calls: Vec<Call>,
    refused: bool,
    finished: bool,
}

/// A call that was begun.
#[derive(Debug)]
struct Call {
    /// Its index, where its provider gives one.
    index: Option<u64>,
    id: String,
    /// What came of its arguments before its name did; `None`: the name is there.
    held: Option<String>,
}

impl Reader {
    /// Reads the data of a frame, and adds the events that it is.
    pub fn read(&mut self, event: Option<&[u8]>, data: &[u8], events: &mut Vec<Event>) {
        let data = data.trim_ascii();
        if self.over {
            return;
        }
        if data == b"[DONE]" {
            self.over = true;
            events.push(Event::End);
            return;
        }
        if let Ok(chunk) = serde_json::from_slice(data) {
            self.chunk(event, chunk, events);
        }
    }

    /// Adds the events that `chunk` is: the data of a frame.
    pub(in crate::dialect) fn chunk(&mut self, event: Option<&[u8]>, mut chunk: Value, events: &mut Vec<Event>) {
        if self.over {
            return;
        }
        let failed = chunk.get("error").is_some_and(|error| !fault::is_empty(error));
        if failed || event == Some(b"error") {
            return self.fail(fault::read(&chunk), events);
        }
        self.service.add(service::of_chat(&chunk));
        let choices = match chunk.get_mut("choices").map(Value::take) {
            Some(Value::Array(choices)) => choices,
            _ => Vec::new(),
        };
        let head = answer::read_head(&chunk);
        let says_something = !choices.is_empty() || !head.id.is_empty();
        if self.head.is_none() && says_something {
            self.head = Some(head.clone());
            events.push(Event::Begin(head));
        }
        let mut usage = chunk.get("usage").and_then(answer::read_usage);
        for (nth, choice) in (0_u32..).zip(choices) {
            let Value::Object(choice) = choice else { continue };
            // Moonshot tells it here.
            usage = usage.or_else(|| choice.get("usage").and_then(answer::read_usage));
            self.choice(nth, choice, events);
        }
        if usage.is_some() && usage != self.usage {
            self.usage = usage;
            events.extend(usage.map(Event::Usage));
        }
        if self.service != self.told {
            self.told = self.service;
            events.push(Event::Service(self.service));
        }
    }

    /// The stream ends in an error.
    pub(in crate::dialect) fn fail(&mut self, fault: Fault, events: &mut Vec<Event>) {
        if !self.over {
            self.over = true;
            events.push(Event::Fault(fault));
        }
    }

    /// Whether one answer has begun, and nothing said yet why it ends.
    pub(in crate::dialect) fn is_unfinished(&self) -> bool {
        self.choices.len() == 1 && self.choices.values().any(|choice| !choice.finished)
    }

    /// The provider closed the connection: a stream that lacks its `[DONE]` is whole if every choice had its end.
    pub fn finish(&mut self, events: &mut Vec<Event>) {
        if !self.over && !self.choices.is_empty() && self.choices.values().all(|choice| choice.finished) {
            self.over = true;
            events.push(Event::End);
        }
    }

    fn choice(&mut self, nth: u32, mut choice: Map<String, Value>, events: &mut Vec<Event>) {
        let index = choice.get("index").map_or(Some(nth), |index| u32::try_from(index.as_u64()?).ok());
        let Some(index) = index.filter(|index| u64::from(*index) < CHOICES_MAX) else { return };
        let (said, nobody) = (self.choices.entry(index).or_default(), Head::default());
        let head = self.head.as_ref().unwrap_or(&nobody);
        // A server that does not stream after all has the message whole.
        if let Some(Value::Object(delta)) = choice.remove("delta").or_else(|| choice.remove("message")) {
            said.delta(index, delta, head, events);
        }
        let tokens = choice.get_mut("logprobs").and_then(|it| it.get_mut("content")).map(Value::take);
        if let Some(Value::Array(tokens)) = tokens.filter(|tokens| !fault::is_empty(tokens)) {
            events.push(Event::Logprobs { choice: index, tokens });
        }
        let finish = answer::read_finish(&choice, !said.calls.is_empty(), said.refused);
        if let Some(finish) = finish.filter(|_| !said.finished) {
            said.finished = true;
            events.push(finish_of(index, finish));
        }
    }
}

const fn finish_of(choice: u32, finish: Finish) -> Event {
    Event::Finish { choice, finish }
}

impl Said {
    fn delta(&mut self, choice: u32, mut delta: Map<String, Value>, head: &Head, events: &mut Vec<Event>) {
        read_thoughts(choice, &delta, events);
        for part in answer::read_said(delta.get("content").unwrap_or(&Value::Null)) {
            match part {
                Part::Thought(Thought { text, .. }) => events.push(Event::Thought { choice, text }),
                Part::Text(text) => events.push(Event::Text { choice, text: text.text }),
                _ => {}
            }
        }
        let cited = answer::read_citations(&delta).into_iter();
        events.extend(cited.map(|citation| Event::Citation { choice, citation }));
        if let Some(Value::String(text)) = delta.remove("refusal")
            && !text.is_empty()
        {
            self.refused = true;
            events.push(Event::Refusal { choice, text });
        }
        if let Some(Value::Array(calls)) = delta.remove("tool_calls") {
            calls.iter().for_each(|call| self.call(choice, call, head, events));
        }
        if let Some(call @ Value::Object(_)) = delta.remove("function_call") {
            self.call(choice, &Value::Object(Map::from_iter([("function".to_owned(), call)])), head, events);
        }
    }

    fn call(&mut self, choice: u32, call: &Value, head: &Head, events: &mut Vec<Event>) {
        let free = call.get("custom").is_some_and(Value::is_object);
        let inner = call.get(if free { "custom" } else { "function" });
        let text =
            |value: Option<&Value>| value.and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
        let (id, name) = (text(call.get("id")), text(inner.and_then(|inner| inner.get("name"))));
        let index = call.get("index").and_then(Value::as_u64);
        let given = inner.and_then(|inner| inner.get(if free { "input" } else { "arguments" }));
        let given = given.map(answer::words).unwrap_or_default();
        let made_up = |nth: usize| head.call_id(choice.into(), u64::try_from(nth).unwrap_or(u64::MAX));
        let at = self.place(index, id, name.is_some(), made_up);
        let Some(call) = self.calls.get_mut(at) else { return };
        let nth = u32::try_from(at).unwrap_or(u32::MAX);
        let mut text = given;
        if let Some(held) = &mut call.held {
            held.push_str(&text);
            let Some(name) = name else { return };
            text = call.held.take().unwrap_or_default();
            events.push(Event::ToolCall { choice, nth, id: call.id.clone(), name, free });
        }
        if !text.is_empty() {
            events.push(Event::Arguments { choice, nth, text });
        }
    }

    /// Which call a bit is of: a new one, or the one of its index, of its id, or else the last.
    ///
    /// Some servers give all calls one index, or none, and each its id; some repeat a call's name and make up another
    /// id for each bit.
    fn place(
        &mut self,
        index: Option<u64>,
        id: Option<String>,
        named: bool,
        made_up: impl Fn(usize) -> String,
    ) -> usize {
        let is_it = |call: &Call| match (index, &id) {
            (None, Some(id)) => call.id == *id,
            (Some(_), Some(id)) if named => call.index == index && call.id == *id,
            (Some(_), _) => call.index == index,
            (None, None) => !named,
        };
        self.calls.iter().rposition(is_it).unwrap_or_else(|| {
            let nth = self.calls.len();
            let id = id.unwrap_or_else(|| made_up(nth));
            self.calls.push(Call { index, id, held: Some(String::new()) });
            nth
        })
    }
}

/// Text that is told by two names is taken once; signatures only the details have.
fn read_thoughts(choice: u32, delta: &Map<String, Value>, events: &mut Vec<Event>) {
    let plain = ["reasoning_content", "reasoning"].into_iter().find_map(|name| {
        let text = delta.get(name).and_then(Value::as_str);
        text.filter(|text| !text.is_empty())
    });
    let (told, _) = thought::read(delta);
    if let Some(text) = plain.filter(|_| told.iter().all(|(_, thought)| thought.text.is_empty())) {
        events.push(Event::Thought { choice, text: text.to_owned() });
    }
    for (_, Thought { text, signature, sealed }) in told {
        if !text.is_empty() {
            events.push(Event::Thought { choice, text });
        }
        events.extend(signature.map(|signature| Event::Signature { choice, signature, sealed }));
    }
}
