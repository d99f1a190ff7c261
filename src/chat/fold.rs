//! The whole answer that the events of a stream add up to.

use super::{Answer, Choice, Event, Fault, Part, Text, Thought, ToolCall};

/// The most choices that are taken up.
const CHOICES_MAX: u32 = 128;

/// An answer that is being put together.
#[derive(Clone, Debug, Default)]
pub struct Fold {
    answer: Answer,
    fault: Option<Fault>,
    whole: bool,
}

impl Fold {
    /// Adds an event.
    pub fn add(&mut self, event: Event) {
        match event {
            Event::Begin(head) => self.answer.head = head,
            Event::Text { choice, text } => self.text(choice, &text),
            Event::Thought { choice, text } => self.thought(choice, &text),
            Event::Signature { choice, signature, sealed } => self.sign(choice, signature, sealed),
            Event::Refusal { choice, text } => match self.last(choice) {
                Some(Part::Refusal(refusal)) => refusal.push_str(&text),
                _ => self.push(choice, Part::Refusal(text)),
            },
            Event::ToolCall { choice, id, name, free, .. } => {
                self.push(choice, Part::ToolCall(ToolCall { id, name, arguments: String::new(), free }));
            }
            Event::Arguments { choice, nth, text } => self.arguments(choice, nth, &text),
            Event::Citation { choice, citation } => {
                if let Some(Part::Text(text)) = self.last(choice) {
                    text.citations.push(citation);
                }
            }
            Event::Logprobs { choice, tokens } => {
                if let Some(choice) = self.choice(choice) {
                    choice.logprobs.get_or_insert_default().extend(tokens);
                }
            }
            Event::Finish { choice, finish } => {
                if let Some(choice) = self.choice(choice) {
                    choice.finish = Some(finish);
                }
            }
            Event::Usage(usage) => self.answer.usage = Some(usage),
            Event::End => self.whole = true,
            Event::Fault(fault) => self.fault = Some(fault),
            Event::Service(_) | Event::Ping => {}
        }
    }

    /// The answer; `None`: it did not come to its end.
    ///
    /// # Errors
    /// What went wrong on the way.
    pub fn finish(self) -> Result<Option<Answer>, Fault> {
        self.fault.map_or(Ok(self.whole.then_some(self.answer)), Err)
    }

    fn choice(&mut self, index: u32) -> Option<&mut Choice> {
        let index = usize::try_from(index.min(CHOICES_MAX)).ok()?;
        if self.answer.choices.len() <= index {
            self.answer.choices.resize_with(index.saturating_add(1), Choice::default);
        }
        self.answer.choices.get_mut(index)
    }

    fn last(&mut self, choice: u32) -> Option<&mut Part> {
        self.choice(choice)?.parts.last_mut()
    }

    fn push(&mut self, choice: u32, part: Part) {
        if let Some(choice) = self.choice(choice) {
            choice.parts.push(part);
        }
    }

    fn text(&mut self, choice: u32, more: &str) {
        match self.last(choice) {
            Some(Part::Text(Text { text, .. })) => text.push_str(more),
            _ if more.is_empty() => drop(self.choice(choice)),
            _ => self.push(choice, Part::text(more)),
        }
    }

    fn thought(&mut self, choice: u32, more: &str) {
        match self.last(choice) {
            Some(Part::Thought(Thought { text, signature: None, .. })) => text.push_str(more),
            _ => self.push(choice, Part::Thought(Thought { text: more.to_owned(), ..Thought::default() })),
        }
    }

    fn sign(&mut self, choice: u32, signature: String, sealed: bool) {
        match self.last(choice) {
            Some(Part::Thought(thought)) if thought.signature.is_none() && !sealed => {
                thought.signature = Some(signature);
            }
            _ => {
                self.push(choice, Part::Thought(Thought { text: String::new(), signature: Some(signature), sealed }));
            }
        }
    }

    fn arguments(&mut self, choice: u32, nth: u32, more: &str) {
        let Some(choice) = self.choice(choice) else { return };
        let calls = choice.parts.iter_mut().filter_map(|part| match part {
            Part::ToolCall(call) => Some(call),
            _ => None,
        });
        if let Some(call) = usize::try_from(nth).ok().and_then(|nth| calls.into_iter().nth(nth)) {
            call.arguments.push_str(more);
        }
    }
}
