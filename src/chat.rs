//! What a call to a model says, in no dialect: the request, the answer and the events of a stream.
//!
//! Every wire format is read into this and written from it, so each needs one reader and one writer whatever
//! the others are. It holds what at least two of them can say; what only one can, its reader names as a
//! [`Feature`] in [`Used`], with the path in that client's words, to be refused or dropped by name. A call
//! whose provider speaks the client's dialect never comes here: its bytes are passed on.
//!
//! A value has one form, so that what is written and read again is the same:
//! neighbouring messages of the assistant are one, and so are neighbouring messages of tools; neighbouring texts
//! of an *answer* are one; a thought with a signature and no text belongs to what comes after it.

use crate::units::Tokens;
use serde_json::{Number, Value};

mod answer;
mod feature;
mod fold;

pub use answer::{Answer, Choice, Citation, Event, Fault, Finish, Head, Usage};
pub use feature::{Feature, Features, Used};
pub use fold::Fold;

/// A request, whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// The model, as the one who is asked knows it.
    pub model: String,
    /// What was said so far, in order. Only at the front do all dialects know [`Role::System`].
    pub messages: Vec<Message>,
    /// The tools that the client runs.
    pub tools: Vec<Tool>,
    /// Which of them must be called; `None`: the model decides.
    pub tool_choice: Option<ToolChoice>,
    /// Whether several may be called at once; `None`: they may.
    pub parallel_tools: Option<bool>,
    /// What form the answer has.
    pub format: Format,
    /// The most tokens that each choice may have.
    pub output_cap: Option<Tokens>,
    /// How many answers are asked for: at least 1, and 0 stands for 1.
    pub choices: u32,
    /// How the next token is chosen.
    pub sampling: Sampling,
    /// Texts at which the answer ends.
    pub stop: Vec<String>,
    /// How much is thought before the answer.
    pub reasoning: Option<Reasoning>,
    /// Whether the answer is a stream.
    pub stream: bool,
    /// The end user, by the client's name for them.
    pub user: Option<String>,
}

/// How the next token is chosen. Numbers are as the client wrote them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampling {
    /// `temperature`.
    pub temperature: Option<Number>,
    /// `top_p`.
    pub top_p: Option<Number>,
    /// `top_k`.
    pub top_k: Option<u64>,
    /// `seed`.
    pub seed: Option<i64>,
    /// `frequency_penalty`.
    pub frequency_penalty: Option<Number>,
    /// `presence_penalty`.
    pub presence_penalty: Option<Number>,
    /// Log probabilities of the tokens, with so many others at each place; `None`: none.
    pub logprobs: Option<u32>,
}

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// Their name among several who have that role.
    pub name: Option<String>,
    /// What is said. Of [`Role::Tool`]: results only. Of others: no results.
    pub parts: Vec<Part>,
}

/// Who says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Whoever built the application.
    System,
    /// Whoever uses it.
    User,
    /// The model.
    Assistant,
    /// The tools that the model called.
    Tool,
}

/// A part of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// A text.
    Text(Text),
    /// An image.
    Image {
        /// Where it is.
        media: Media,
        /// How closely it is looked at: `low`, `high`, `auto`.
        detail: Option<String>,
        /// Everything up to it is to be kept for later calls.
        cache: Option<Cache>,
    },
    /// A sound.
    Audio {
        /// Where it is.
        media: Media,
    },
    /// A document.
    File {
        /// Where it is.
        media: Media,
        /// Its name.
        name: Option<String>,
        /// Everything up to it is to be kept for later calls.
        cache: Option<Cache>,
    },
    /// What the model thought.
    Thought(Thought),
    /// A tool that the model calls.
    ToolCall(ToolCall),
    /// What a tool said.
    ToolResult(ToolResult),
    /// Why the model does not answer.
    Refusal(String),
}

/// A text, and what it rests on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Text {
    /// The text.
    pub text: String,
    /// Where what it says is from, by rising place. Only in answers.
    pub citations: Vec<Citation>,
    /// Everything up to it is to be kept for later calls. Only in requests.
    pub cache: Option<Cache>,
}

/// A thought. Whoever is sent it again must be sent it whole, where it is signed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Thought {
    /// What was thought, as far as it is told.
    pub text: String,
    /// What proves to its provider that it is unchanged, or holds all of it, sealed.
    pub signature: Option<String>,
    /// Nothing of it may be told: it is `signature` alone, sealed.
    pub sealed: bool,
}

/// A call of a tool.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ToolCall {
    /// What its result is named by.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// Its arguments: a JSON text; of a tool with free input any text.
    pub arguments: String,
    /// The tool takes free text.
    pub free: bool,
}

/// The result of a call of a tool.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ToolResult {
    /// The call's id.
    pub call: String,
    /// What it said: texts, images, files.
    pub parts: Vec<Part>,
    /// It is an error.
    pub failed: bool,
    /// Everything up to it is to be kept for later calls.
    pub cache: Option<Cache>,
}

/// Where an image, a sound or a file is.
#[derive(Clone, Debug, PartialEq)]
pub enum Media {
    /// Here.
    Inline {
        /// What it is, such as `image/png`.
        kind: String,
        /// Its bytes in base64.
        data: String,
    },
    /// At an address.
    Url {
        /// What it is, where that is said.
        kind: Option<String>,
        /// The address.
        url: String,
    },
    /// At the provider, under an id.
    Stored(String),
}

/// How long something is kept for later calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cache {
    /// For minutes.
    Minutes,
    /// For an hour.
    Hour,
}

/// A tool that the client runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The JSON schema of its arguments; `None`: it takes none, or free text.
    pub parameters: Option<Value>,
    /// Whether arguments must fit the schema exactly.
    pub strict: Option<bool>,
    /// It takes free text.
    pub free: bool,
    /// All tools up to it are to be kept for later calls.
    pub cache: Option<Cache>,
}

/// Which tools must be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice {
    /// The model decides.
    Auto,
    /// None.
    None,
    /// At least one.
    Any,
    /// This one.
    One(String),
}

/// What form an answer has.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Format {
    /// Text.
    #[default]
    Text,
    /// Some JSON object.
    Json,
    /// JSON of this schema.
    Schema {
        /// Its name.
        name: String,
        /// What it is for.
        description: Option<String>,
        /// The JSON schema.
        schema: Value,
        /// Whether the answer must fit it exactly.
        strict: Option<bool>,
    },
}

/// How much is thought before the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reasoning {
    /// How hard, in a word.
    pub effort: Option<Effort>,
    /// The most tokens; zero: not at all.
    pub budget: Option<Tokens>,
    /// Whether thoughts are told.
    pub told: Option<bool>,
}

/// How hard a model thinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// Not at all.
    None,
    /// As little as possible.
    Minimal,
    /// Little.
    Low,
    /// Some.
    Medium,
    /// Much.
    High,
    /// More.
    Highest,
}

impl Effort {
    /// By its word in most dialects; of two words for one the first is written.
    const WORDS: [(&str, Self); 7] = [
        ("none", Self::None),
        ("minimal", Self::Minimal),
        ("low", Self::Low),
        ("medium", Self::Medium),
        ("high", Self::High),
        ("xhigh", Self::Highest),
        ("max", Self::Highest),
    ];

    /// The effort of that word, if it is one.
    pub fn named(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(known, _)| *known == word).map(|(_, effort)| *effort)
    }

    /// Its word.
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, effort)| *effort == self).map_or("high", |(word, _)| *word)
    }

    /// All words, for people.
    pub fn words() -> String {
        Self::WORDS.map(|(word, _)| word).join(", ")
    }

    /// The budget that stands for it where a dialect knows only budgets.
    pub const fn budget(self) -> Tokens {
        Tokens::new(match self {
            Self::None => 0,
            Self::Minimal => 1_024,
            Self::Low => 4_096,
            Self::Medium => 16_384,
            Self::High | Self::Highest => 32_768,
        })
    }

    /// What stands for a budget where a dialect knows only efforts: the least whose own budget holds it, `high` at most.
    pub const fn of_budget(budget: Tokens) -> Self {
        match budget.get() {
            0 => Self::None,
            1..=1_024 => Self::Minimal,
            1_025..=4_096 => Self::Low,
            4_097..=16_384 => Self::Medium,
            _ => Self::High,
        }
    }
}

impl Reasoning {
    /// How hard is thought, be it said by a budget.
    pub fn effort(&self) -> Option<Effort> {
        self.effort.or(self.budget.map(Effort::of_budget))
    }
}

impl Part {
    /// A text with nothing to it.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(Text { text: text.into(), ..Text::default() })
    }
}

impl Message {
    /// A message of nobody in particular.
    pub const fn new(role: Role, parts: Vec<Part>) -> Self {
        Self { role, name: None, parts }
    }
}

impl Request {
    /// Adds a message; one of the assistant or of tools becomes a part of the one before if that is of the same.
    pub fn say(&mut self, message: Message) {
        match self.messages.last_mut() {
            Some(last)
                if matches!(message.role, Role::Assistant | Role::Tool)
                    && last.role == message.role
                    && last.name == message.name =>
            {
                last.parts.extend(message.parts);
            }
            _ => self.messages.push(message),
        }
    }

    /// The name of the tool that the call `id` is of.
    pub fn tool_of(&self, id: &str) -> Option<&str> {
        let parts = self.messages.iter().flat_map(|message| &message.parts);
        parts.rev().find_map(|part| match part {
            Part::ToolCall(call) if call.id == id => Some(call.name.as_str()),
            _ => None,
        })
    }
}
