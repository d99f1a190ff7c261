//! An answer: as a whole, and as the events of a stream.

use super::{Part, Text, Thought, ToolCall};
use crate::service::Service;
use crate::units::Tokens;
use serde_json::Value;

/// The most letters of an answer's id, its last, that are part of an id that is made up: OpenAI takes ids of 40 letters.
const ID_LETTERS_MAX: usize = 24;

/// An answer, whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// What it is about.
    pub head: Head,
    /// The answers that were asked for, by their index from 0 on.
    pub choices: Vec<Choice>,
    /// What it used, where the provider says.
    pub usage: Option<Usage>,
}

/// What an answer begins with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Its provider's name for it.
    pub id: String,
    /// The model that gives it.
    pub model: String,
    /// When it was begun, in seconds since 1970; 0: that is not told.
    pub created: u64,
}

impl Head {
    /// The id of a call that its provider gave none: the `nth` of `choice`. No other answer has a call of that id, unless its
    /// provider gives answers no ids either.
    pub fn call_id(&self, choice: u64, nth: u64) -> String {
        let is_word = |letter: &char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
        let letters: Vec<char> = self.id.chars().filter(is_word).collect();
        let most_own = letters.len().saturating_sub(ID_LETTERS_MAX);
        let answer: String = letters.into_iter().skip(most_own).collect();
        if answer.is_empty() { format!("call_{choice}_{nth}") } else { format!("call_{answer}_{choice}_{nth}") }
    }
}

/// One of several answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    /// Texts, thoughts, calls of tools and refusals.
    pub parts: Vec<Part>,
    /// Why it ends; `None`: it does not say.
    pub finish: Option<Finish>,
    /// Log probabilities of its tokens, as OpenAI writes the list `content`.
    pub logprobs: Option<Vec<Value>>,
}

/// Why an answer ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// All is said.
    Stop,
    /// A stop sequence came: this one.
    StopSequence(String),
    /// It came to its cap, or to the end of the context.
    Length,
    /// Tools are to be called.
    ToolCalls,
    /// The provider holds the rest back, or the model declines.
    Filter,
}

/// The tokens of one call. Parts never say more than their whole, and do not overlap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// All that went in, of every kind.
    pub input: Tokens,
    /// The part of `input` that the provider had cached.
    pub cached_input: Tokens,
    /// The part of `input` that the provider cached now, for minutes.
    pub cache_write: Tokens,
    /// The part of `input` that the provider cached now, for an hour.
    pub cache_write_hour: Tokens,
    /// The part of `input` that is sound; cached sound is told by nobody apart, and so counts here.
    pub audio_input: Tokens,
    /// All that came out, of every kind.
    pub output: Tokens,
    /// The part of `output` that was thought and not said.
    pub reasoning: Tokens,
    /// The part of `output` that is sound.
    pub audio_output: Tokens,
}

/// Where a stretch of text is from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Citation {
    /// The address.
    pub url: String,
    /// The title of what is there.
    pub title: String,
    /// The words there.
    pub quote: Option<String>,
    /// The stretch, in characters (code points) of its text: from this one on.
    pub start: u64,
    /// Up to this one.
    pub end: u64,
}

/// The next thing that a stream says. `choice` is its index; of a part that is begun the rest comes before another begins.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// It begins.
    Begin(Head),
    /// Some text.
    Text {
        /// Of which choice.
        choice: u32,
        /// The next bit.
        text: String,
    },
    /// Some of a thought.
    Thought {
        /// Of which choice.
        choice: u32,
        /// The next bit.
        text: String,
    },
    /// The thought is over, and this is what signs it; one that is `sealed` has no text.
    Signature {
        /// Of which choice.
        choice: u32,
        /// The signature.
        signature: String,
        /// It is all there is of the thought.
        sealed: bool,
    },
    /// Some of why the model does not answer.
    Refusal {
        /// Of which choice.
        choice: u32,
        /// The next bit.
        text: String,
    },
    /// A tool is called. Its arguments follow.
    ToolCall {
        /// Of which choice.
        choice: u32,
        /// Its place among the choice's calls.
        nth: u32,
        /// What its result is named by.
        id: String,
        /// The tool's name.
        name: String,
        /// The tool takes free text.
        free: bool,
    },
    /// Some of the arguments of a call.
    Arguments {
        /// Of which choice.
        choice: u32,
        /// The call's place.
        nth: u32,
        /// The next bit.
        text: String,
    },
    /// Where some of the text so far is from.
    Citation {
        /// Of which choice.
        choice: u32,
        /// Where from.
        citation: Citation,
    },
    /// Log probabilities of the text beside it, as OpenAI writes the list `content`.
    Logprobs {
        /// Of which choice.
        choice: u32,
        /// The next ones.
        tokens: Vec<Value>,
    },
    /// A choice ends.
    Finish {
        /// Which one.
        choice: u32,
        /// Why.
        finish: Finish,
    },
    /// What was used so far: the last one counts.
    Usage(Usage),
    /// How it is served, as far as that was said: the last one counts.
    Service(Service),
    /// The answer is whole.
    End,
    /// It is over, and not whole.
    Fault(Fault),
    /// Nothing new: the provider is there.
    Ping,
}

/// What went wrong, as a provider tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fault {
    /// For people.
    pub message: String,
    /// The provider's `type` or `status`, where it gives one.
    pub kind: Option<String>,
    /// The provider's `code`, where it gives one.
    pub code: Option<String>,
    /// The request's field, where it names one.
    pub param: Option<String>,
}

impl Answer {
    /// The answer as the events of a stream.
    pub fn events(&self) -> Vec<Event> {
        let mut events = vec![Event::Begin(self.head.clone())];
        for (choice, said) in (0_u32..).zip(&self.choices) {
            let mut calls = 0;
            for part in &said.parts {
                part_events(choice, part, &mut calls, &mut events);
            }
            if let Some(tokens) = said.logprobs.clone() {
                events.push(Event::Logprobs { choice, tokens });
            }
            events.extend(said.finish.clone().map(|finish| Event::Finish { choice, finish }));
        }
        events.extend(self.usage.map(Event::Usage));
        events.push(Event::End);
        events
    }
}

/// What `part` is as events; `calls`: the choice's calls of tools so far. Answers have no other parts.
fn part_events(choice: u32, part: &Part, calls: &mut u32, events: &mut Vec<Event>) {
    match part {
        Part::Text(Text { text, citations, .. }) => {
            events.push(Event::Text { choice, text: text.clone() });
            events.extend(citations.iter().map(|citation| Event::Citation { choice, citation: citation.clone() }));
        }
        Part::Thought(Thought { text, signature, sealed }) => {
            if !text.is_empty() {
                events.push(Event::Thought { choice, text: text.clone() });
            }
            let signature = signature.clone();
            events.extend(signature.map(|signature| Event::Signature { choice, signature, sealed: *sealed }));
        }
        Part::Refusal(text) => events.push(Event::Refusal { choice, text: text.clone() }),
        Part::ToolCall(ToolCall { id, name, arguments, free }) => {
            let (nth, free) = (*calls, *free);
            *calls = calls.saturating_add(1);
            events.push(Event::ToolCall { choice, nth, id: id.clone(), name: name.clone(), free });
            events.push(Event::Arguments { choice, nth, text: arguments.clone() });
        }
        Part::Image { .. } | Part::Audio { .. } | Part::File { .. } | Part::ToolResult(_) => {}
    }
}
