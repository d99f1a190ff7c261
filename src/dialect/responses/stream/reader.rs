//! Reads the frames of a stream as events.
//!
//! Every frame of a provider's passes here, also of one whose client speaks this dialect, to be counted. So a frame's
//! `type` is looked at first, and of the many that say again what bits have said nothing else is read.

use crate::chat::{Answer, Choice, Event, Fault, Thought};
use crate::dialect::openai::usage::members;
use crate::dialect::responses::answer::{read_finish, read_head, read_item};
use crate::dialect::responses::count::type_of;
use crate::dialect::responses::output::read_citation;
use crate::dialect::responses::{fault, item, usage};
use crate::dialect::service;
use crate::service::Service;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Reads one stream.
#[derive(Debug, Default)]
pub struct Reader {
    begun: bool,
    over: bool,
    /// The items that were seen, by their index.
    items: BTreeMap<u64, Item>,
    /// The indices of those that are told by their id alone, as llama.cpp does.
    indices: BTreeMap<String, u64>,
    /// How many calls there were.
    calls: u32,
    refused: bool,
    text: Text,
    service: Service,
}

/// An item, as far as it was told.
#[derive(Debug, Default)]
struct Item {
    /// The call's place among all calls.
    call: Option<u32>,
    /// Some of it was told bit by bit.
    told: bool,
    /// Which part of it was told last, of a thought: a part of its summary or of the thought itself.
    thought: Option<(bool, u64)>,
}

/// The text that was said last.
#[derive(Debug, Default)]
struct Text {
    /// Nothing else was said since.
    is_last: bool,
    /// The part that it stands in: its item, and its place there.
    part: (u64, u64),
    /// The characters of the texts before this part that it is one with.
    before: u64,
    /// The characters of all of them.
    length: u64,
}

/// What a frame with a bit of an item has.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Bit {
    output_index: Option<u64>,
    item_id: Option<String>,
    /// The index of its item.
    #[serde(skip)]
    at: u64,
    content_index: u64,
    summary_index: u64,
    delta: Option<String>,
    logprobs: Option<Vec<Value>>,
    /// What a call was given in all.
    arguments: Option<String>,
    input: Option<String>,
}

/// What a frame with an item, or with an annotation, has.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Whole {
    output_index: Option<u64>,
    item: Value,
    annotation: Value,
}

impl Reader {
    /// Reads the data of a frame, and adds the events that it is.
    pub fn read(&mut self, event: Option<&[u8]>, data: &[u8], events: &mut Vec<Event>) {
        if self.over {
            return;
        }
        let kind = type_of(data).or(event).unwrap_or_default();
        let Ok(kind) = str::from_utf8(kind) else { return };
        match kind.strip_prefix("response.").unwrap_or(kind) {
            "output_text.delta" => self.bit(data, events, Self::say),
            "refusal.delta" => self.bit(data, events, Self::refuse),
            "reasoning_summary_text.delta" => self.bit(data, events, |reader, bit, events| {
                let place = (true, bit.summary_index);
                reader.think(bit, place, events);
            }),
            "reasoning_text.delta" => self.bit(data, events, |reader, bit, events| {
                let place = (false, bit.content_index);
                reader.think(bit, place, events);
            }),
            "function_call_arguments.delta" | "custom_tool_call_input.delta" => self.bit(data, events, Self::pass),
            "function_call_arguments.done" | "custom_tool_call_input.done" => self.done_passing(data, events),
            "output_text.annotation.added" => self.cite(data, events),
            "output_item.added" => self.add(data, events),
            "output_item.done" => self.done(data, events),
            "created" | "queued" | "in_progress" => self.begin(data, events),
            kind @ ("completed" | "incomplete" | "failed" | "cancelled") => self.end(kind, data, events),
            "error" => self.fail(data, events),
            // An error as the older dialect has it.
            "" => {
                let [error] = members(data, ["error"]);
                if error.first() == Some(&b'{') {
                    self.fail(data, events);
                }
            }
            _ => {}
        }
    }

    /// The provider closed the connection. A stream of this dialect says itself when it is whole.
    pub const fn finish(&mut self, _events: &mut Vec<Event>) {}

    fn bit(&mut self, data: &[u8], events: &mut Vec<Event>, tell: fn(&mut Self, Bit, &mut Vec<Event>)) {
        if let Ok(mut bit) = serde_json::from_slice::<Bit>(data) {
            bit.at = self.index(bit.output_index, bit.item_id.as_deref());
            self.items.entry(bit.at).or_default().told = true;
            tell(self, bit, events);
        }
    }

    fn say(&mut self, bit: Bit, events: &mut Vec<Event>) {
        let text = bit.delta.unwrap_or_default();
        if !text.is_empty() {
            let part = (bit.at, bit.content_index);
            self.text.add(part, &text);
            events.push(Event::Text { choice: 0, text });
        }
        let tokens = bit.logprobs.filter(|tokens| !tokens.is_empty());
        events.extend(tokens.map(|tokens| Event::Logprobs { choice: 0, tokens }));
    }

    fn refuse(&mut self, bit: Bit, events: &mut Vec<Event>) {
        (self.refused, self.text.is_last) = (true, false);
        events.extend(bit.delta.map(|text| Event::Refusal { choice: 0, text }));
    }

    /// Tells a bit of a thought: of its summary, or of the thought itself, whichever came first of the two.
    fn think(&mut self, bit: Bit, place: (bool, u64), events: &mut Vec<Event>) {
        let Some(text) = bit.delta.filter(|text| !text.is_empty()) else { return };
        let item = self.items.entry(bit.at).or_default();
        match item.thought.replace(place) {
            Some(last) if last.0 != place.0 => {
                item.thought = Some(last);
                return;
            }
            Some(last) if last.1 != place.1 => events.push(Event::Thought { choice: 0, text: "\n\n".to_owned() }),
            _ => {}
        }
        self.text.is_last = false;
        events.push(Event::Thought { choice: 0, text });
    }

    fn pass(&mut self, bit: Bit, events: &mut Vec<Event>) {
        let call = self.items.get(&bit.at).and_then(|item| item.call);
        let told = call.zip(bit.delta).map(|(nth, text)| Event::Arguments { choice: 0, nth, text });
        events.extend(told);
    }

    /// A server that does not tell what a tool is given bit by bit tells it at once.
    fn done_passing(&mut self, data: &[u8], events: &mut Vec<Event>) {
        let [index, id] = members(data, ["output_index", "item_id"]);
        if self.item_at(index, id).is_none_or(|item| item.told || item.call.is_none()) {
            return;
        }
        self.bit(data, events, |reader, mut bit, events| {
            bit.delta = bit.arguments.take().or(bit.input.take());
            reader.pass(bit, events);
        });
    }

    fn cite(&mut self, data: &[u8], events: &mut Vec<Event>) {
        let Ok(whole) = serde_json::from_slice::<Whole>(data) else { return };
        let citation = read_citation(&whole.annotation, self.text.before).filter(|_| self.text.is_last);
        events.extend(citation.map(|citation| Event::Citation { choice: 0, citation }));
    }

    fn add(&mut self, data: &[u8], events: &mut Vec<Event>) {
        let Ok(whole) = serde_json::from_slice::<Whole>(data) else { return };
        let index = self.index_of(&whole);
        let item = self.items.entry(index).or_default();
        if let Some(call) = item.call(&whole.item, self.calls) {
            self.calls = self.calls.saturating_add(1);
            self.text.is_last = false;
            events.push(call);
        }
    }

    /// An item is whole. What was not told of it bit by bit is told now; a thought is signed only here.
    fn done(&mut self, data: &[u8], events: &mut Vec<Event>) {
        let [index, raw] = members(data, ["output_index", "item"]);
        let kind = type_of(raw).unwrap_or_default();
        let is_thought = kind == b"reasoning";
        if kind.ends_with(b"_call") && !matches!(kind, b"function_call" | b"custom_tool_call") {
            self.service.uses = self.service.uses.plus(service::of_items([&value(raw)]));
            events.push(Event::Service(self.service));
        }
        let [id] = members(raw, ["id"]);
        if is_thought || self.item_at(index, id).is_none_or(|item| !item.told) {
            let Ok(whole) = serde_json::from_slice::<Whole>(data) else { return };
            let index = self.index_of(&whole);
            self.whole(index, &whole.item, events);
        }
    }

    fn whole(&mut self, index: u64, value: &Value, events: &mut Vec<Event>) {
        let item = self.items.entry(index).or_default();
        let was_told = std::mem::replace(&mut item.told, true);
        if value.get("type").and_then(Value::as_str) == Some("reasoning") {
            let Some(Thought { text, signature, sealed }) = item::thought_of(value) else { return };
            self.text.is_last = false;
            if !was_told && !text.is_empty() {
                events.push(Event::Thought { choice: 0, text });
            }
            let sealed = sealed && !was_told;
            events.extend(signature.map(|signature| Event::Signature { choice: 0, signature, sealed }));
            return;
        }
        if let Some(call) = item.call(value, self.calls) {
            self.calls = self.calls.saturating_add(1);
            events.push(call);
        }
        if let Some(nth) = item.call {
            self.text.is_last = false;
            let text = ["arguments", "input"].into_iter().find_map(|name| value.get(name)?.as_str());
            let text = text.filter(|text| !text.is_empty()).map(str::to_owned);
            events.extend(text.map(|text| Event::Arguments { choice: 0, nth, text }));
            return;
        }
        let mut choice = Choice::default();
        read_item(value, &mut choice);
        let said = Answer { choices: vec![choice], ..Answer::default() }.events();
        for mut event in said.into_iter().filter(|event| !matches!(event, Event::Begin(_) | Event::End)) {
            match &mut event {
                Event::Text { text, .. } => self.text.add((index, 0), text),
                Event::Citation { citation, .. } => {
                    citation.start = citation.start.saturating_add(self.text.before);
                    citation.end = citation.end.saturating_add(self.text.before);
                }
                Event::Refusal { .. } => (self.refused, self.text.is_last) = (true, false),
                _ => {}
            }
            events.push(event);
        }
    }

    fn begin(&mut self, data: &[u8], events: &mut Vec<Event>) {
        if !self.begun {
            let [response] = members(data, ["response"]);
            self.head(response, events);
        }
    }

    fn head(&mut self, response: &[u8], events: &mut Vec<Event>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let [id, model, created_at, tier] = members(response, ["id", "model", "created_at", "service_tier"]).map(value);
        self.service.tier = service::tier(Some(&tier));
        let head = json!({"id": id, "model": model, "created_at": created_at});
        events.push(Event::Begin(read_head(&head)));
        events.extend((!self.service.is_untold()).then_some(Event::Service(self.service)));
    }

    /// The response is whole, or failed; `kind` says so where it does not. Of a server that tells no items before, they are
    /// told now.
    fn end(&mut self, kind: &str, data: &[u8], events: &mut Vec<Event>) {
        let [response] = members(data, ["response"]);
        self.head(response, events);
        self.over = true;
        let [status, details, used, error, output, tier] =
            members(response, ["status", "incomplete_details", "usage", "error", "output", "service_tier"]);
        let (used, output) = (value(used), value(output));
        self.served(tier, &used, &output, events);
        let used = usage::read(&used).map(Event::Usage);
        let status = value(status);
        let status = status.as_str().unwrap_or(kind);
        if matches!(status, "failed" | "cancelled") {
            let fault = match value(error) {
                Value::Null => Fault { message: format!("The response is {status}."), ..Fault::default() },
                error => fault::read(&error),
            };
            events.extend(used);
            events.push(Event::Fault(fault));
            return;
        }
        if self.items.is_empty() {
            for (index, item) in (0_u64..).zip(output.as_array().into_iter().flatten()) {
                self.whole(index, item, events);
            }
        }
        let details = value(details);
        let reason = details.get("reason").and_then(Value::as_str);
        let finish = read_finish(status, reason, self.calls > 0, self.refused);
        events.extend(finish.map(|finish| Event::Finish { choice: 0, finish }));
        events.extend(used);
        events.push(Event::End);
    }

    /// What the end of a response says of how it was served: that counts, whatever was said before.
    fn served(&mut self, tier: &[u8], used: &Value, output: &Value, events: &mut Vec<Event>) {
        let said = used.as_object().map(service::of_usage).unwrap_or_default();
        let tier = service::tier_text(tier).or(said.tier).or(self.service.tier);
        let items = output.as_array().filter(|items| !items.is_empty()).map(service::of_items);
        let uses = items.unwrap_or(self.service.uses).max(said.uses);
        self.service = Service { tier, uses, ..said };
        events.extend((!self.service.is_untold()).then_some(Event::Service(self.service)));
    }

    fn fail(&mut self, data: &[u8], events: &mut Vec<Event>) {
        let Ok(body) = serde_json::from_slice::<Value>(data) else { return };
        self.over = true;
        events.push(Event::Fault(fault::read(&body)));
    }

    /// The item of that index or, where there is none, of that id, as they stand in a frame.
    fn item_at(&self, index: &[u8], id: &[u8]) -> Option<&Item> {
        let index = match str::from_utf8(index).ok()?.parse() {
            Ok(index) => index,
            Err(_) => *self.indices.get(value(id).as_str()?)?,
        };
        self.items.get(&index)
    }

    /// The index of an item, which its frames give or else its `id`; one that gives neither is the first.
    fn index(&mut self, index: Option<u64>, id: Option<&str>) -> u64 {
        let (None, Some(id)) = (index, id) else { return index.unwrap_or_default() };
        let next = self.items.last_key_value().map_or(0, |(last, _)| last.saturating_add(1));
        *self.indices.entry(id.to_owned()).or_insert(next)
    }

    fn index_of(&mut self, whole: &Whole) -> u64 {
        self.index(whole.output_index, whole.item.get("id").and_then(Value::as_str))
    }
}

impl Item {
    /// Begins the call that `item` is, the `nth` of all; `None`: it is none, was begun before, or has no name yet.
    fn call(&mut self, item: &Value, nth: u32) -> Option<Event> {
        let text = |name: &str| item.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let free = match text("type")? {
            "function_call" => false,
            "custom_tool_call" => true,
            _ => return None,
        };
        let name = text("name").filter(|_| self.call.is_none())?.to_owned();
        self.call = Some(nth);
        let id = text("call_id").or(text("id")).unwrap_or_default().to_owned();
        Some(Event::ToolCall { choice: 0, nth, id, name, free })
    }
}

impl Text {
    /// More of the text of `part` was said.
    fn add(&mut self, part: (u64, u64), more: &str) {
        if !self.is_last {
            (self.before, self.length) = (0, 0);
        } else if self.part != part {
            self.before = self.length;
        }
        (self.is_last, self.part) = (true, part);
        self.length = self.length.saturating_add(u64::try_from(more.chars().count()).unwrap_or(u64::MAX));
    }
}

/// What `raw` says; nothing where it is not JSON.
fn value(raw: &[u8]) -> Value {
    serde_json::from_slice(raw).unwrap_or_default()
}
