//! Reads the answers that a stream is made of as events.

use crate::chat::{Citation, Event, Finish, Head};
use crate::dialect::CHOICES_MAX;
use crate::dialect::gemini::grounding::{self, Cited, characters};
use crate::dialect::gemini::{answer, fault, logprobs, usage};
use crate::dialect::service;
use crate::service::Service;
use serde_json::Value;
use std::collections::BTreeMap;

/// Reads one stream.
#[derive(Debug, Default)]
pub struct Reader {
    head: Option<Head>,
    over: bool,
    choices: BTreeMap<u32, Said>,
    service: Service,
}

/// What a choice has said so far.
#[derive(Debug, Default)]
struct Said {
    /// The text since the last part that was no text: citations are told in its bytes, and read in its characters.
    text: String,
    /// The bytes of the texts before it.
    before: usize,
    /// A thought that is not signed was told last.
    thinking: bool,
    calls: u32,
    /// The citations of it that were told.
    cited: Vec<Citation>,
    finished: bool,
}

impl Reader {
    /// Reads the data of a frame, and adds the events that it is.
    pub fn read(&mut self, _event: Option<&[u8]>, data: &[u8], events: &mut Vec<Event>) {
        if self.over {
            return;
        }
        let Ok(body) = serde_json::from_slice::<Value>(data) else { return };
        let inner = body.as_array().and_then(|all| all.first()).unwrap_or(&body);
        if inner.get("error").is_some_and(|error| !fault::is_empty(error)) {
            self.over = true;
            events.push(Event::Fault(fault::read(inner)));
            return;
        }
        let candidates = body.get("candidates").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let head = answer::read_head(&body);
        if self.head.is_none() && (!candidates.is_empty() || !head.id.is_empty()) {
            self.head = Some(head.clone());
            events.push(Event::Begin(head));
        }
        for (nth, candidate) in (0_u64..).zip(candidates) {
            self.candidate(nth, candidate, events);
        }
        if answer::is_held_back(&body) && self.choices.is_empty() {
            self.choices.insert(0, Said { finished: true, ..Said::default() });
            events.push(Event::Finish { choice: 0, finish: Finish::Filter });
        }
        // Told again it is still the provider's word: it covers what came with it.
        events.extend(body.get("usageMetadata").and_then(usage::read).map(Event::Usage));
        let mut service = self.service;
        service.add(service::of_generated(&body));
        if service != self.service {
            self.service = service;
            events.push(Event::Service(service));
        }
    }

    /// The provider closed the connection: the stream is whole if every choice had its end.
    pub fn finish(&mut self, events: &mut Vec<Event>) {
        if !self.over && !self.choices.is_empty() && self.choices.values().all(|choice| choice.finished) {
            self.over = true;
            events.push(Event::End);
        }
    }

    fn candidate(&mut self, nth: u64, candidate: &Value, events: &mut Vec<Event>) {
        let index = candidate.get("index").and_then(Value::as_u64).unwrap_or(nth);
        let Some(choice) = u32::try_from(index).ok().filter(|_| index < CHOICES_MAX) else { return };
        let said = self.choices.entry(choice).or_default();
        let parts = candidate.get("content").and_then(|content| content.get("parts")).and_then(Value::as_array);
        let head = self.head.as_ref();
        for part in parts.map(Vec::as_slice).unwrap_or_default() {
            said.part(choice, part, head, events);
        }
        for cited in candidate.get("groundingMetadata").map(grounding::read).unwrap_or_default() {
            events.extend(said.cite(choice, cited));
        }
        if let Some(tokens) = candidate.get("logprobsResult").and_then(logprobs::read) {
            events.push(Event::Logprobs { choice, tokens });
        }
        let finish = answer::read_finish(candidate, said.calls > 0);
        if let Some(finish) = finish.filter(|_| !said.finished) {
            said.finished = true;
            events.push(Event::Finish { choice, finish });
        }
    }
}

impl Said {
    fn part(&mut self, choice: u32, part: &Value, head: Option<&Head>, events: &mut Vec<Event>) {
        let (text, is_thought, signature) = answer::read_part(part);
        let text = text.filter(|text| !text.is_empty()).map(str::to_owned);
        let signature = signature.map(str::to_owned);
        let sign = |sealed: bool, events: &mut Vec<Event>| {
            let is_signed = signature.is_some();
            let signature = signature.clone();
            events.extend(signature.map(|signature| Event::Signature { choice, signature, sealed }));
            is_signed
        };
        if is_thought && (text.is_some() || part.get("functionCall").is_none()) {
            let has_text = text.is_some();
            events.extend(text.map(|text| Event::Thought { choice, text }));
            self.thinking |= has_text;
            if sign(!self.thinking, events) {
                self.thinking = false;
            }
            self.end_text();
            return;
        }
        if sign(false, events) {
            self.thinking = false;
            self.end_text();
        }
        if let Some(text) = text {
            self.thinking = false;
            self.text.push_str(&text);
            events.push(Event::Text { choice, text });
        }
        let nth = self.calls;
        let call = part.get("functionCall").and_then(|call| {
            let place = usize::try_from(nth).unwrap_or(usize::MAX);
            answer::read_call(call, head.unwrap_or(&Head::default()), choice.into(), place)
        });
        if let Some(call) = call {
            self.end_text();
            self.thinking = false;
            self.calls = nth.saturating_add(1);
            events.push(Event::ToolCall { choice, nth, id: call.id, name: call.name, free: false });
            events.push(Event::Arguments { choice, nth, text: call.arguments });
        }
    }

    /// Something else than text comes.
    fn end_text(&mut self) {
        self.before = self.before.saturating_add(self.text.len());
        self.text.clear();
        self.cited.clear();
    }

    /// A citation of the text that was told last. Chunks may repeat those that came before.
    fn cite(&mut self, choice: u32, cited: Cited) -> Option<Event> {
        let Cited { start, end, mut citation, .. } = cited;
        let end = end.checked_sub(self.before)?;
        let place = |at: usize| characters(&self.text, at.min(self.text.len()));
        (citation.start, citation.end) = (place(start.saturating_sub(self.before)), place(end));
        if self.text.is_empty() || self.cited.contains(&citation) {
            return None;
        }
        self.cited.push(citation.clone());
        Some(Event::Citation { choice, citation })
    }
}
