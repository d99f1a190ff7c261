//! Each dialect's reader and writer, by its name: what a dialect adds to the whole is a row in each of these tables.

use super::openai::chunk::Chunk;
use super::{BadRequest, CapField, Dialect, Endpoint, Stamp, service};
use super::{anthropic, converse, gemini, openai, responses, workers_ai};
use crate::chat::{Answer, Event, Fault, Feature, Request, Used};
use crate::service::Service;
use crate::units::Tokens;
use serde_json::{Map, Value};

impl Dialect {
    /// What it cannot say.
    pub const fn cannot(self) -> &'static [Feature] {
        match self {
            Self::OpenAi => openai::CANNOT,
            Self::Responses => responses::CANNOT,
            Self::Anthropic => anthropic::CANNOT,
            Self::Gemini => gemini::CANNOT,
            Self::Converse => converse::CANNOT,
            Self::WorkersAi => workers_ai::CANNOT,
        }
    }

    /// The request as this dialect writes it. `cap`: the field that an OpenAI-style provider takes for its cap.
    pub fn write_request(self, request: &Request, cap: CapField) -> Value {
        match self {
            Self::OpenAi => openai::request::write(request, cap),
            Self::Responses => responses::request::write(request),
            Self::Anthropic => anthropic::request::write(request),
            Self::Gemini => gemini::request::write(request),
            Self::Converse => converse::request::write(request),
            Self::WorkersAi => workers_ai::request::write(request, cap),
        }
    }

    /// Reads a provider's whole answer; `None`: it is none.
    pub fn read_answer(self, body: &Value) -> Option<Answer> {
        match self {
            Self::OpenAi => openai::answer::read(body),
            Self::Responses => responses::answer::read(body),
            Self::Anthropic => anthropic::answer::read(body),
            Self::Gemini => gemini::answer::read(body),
            Self::Converse => converse::answer::read(body),
            Self::WorkersAi => workers_ai::answer::read(body),
        }
    }

    /// Reads how a provider's whole answer was served.
    pub fn read_service(self, body: &Value) -> Service {
        match self {
            Self::OpenAi | Self::WorkersAi => service::of_chat(body),
            Self::Responses => service::of_response(body),
            Self::Anthropic => service::of_message(body),
            Self::Gemini => service::of_generated(body),
            Self::Converse => service::of_body(body),
        }
    }

    /// An estimate of the output of a provider's whole answer, by all that it says.
    pub fn count_answer(self, body: &[u8]) -> Tokens {
        let said = match self {
            Self::OpenAi => openai::count::said(body),
            Self::Responses => responses::count::count_answer(body),
            Self::Anthropic => anthropic::count::count_answer(body),
            Self::Gemini => gemini::count::count_answer(body),
            Self::Converse => converse::count::count_answer(body),
            Self::WorkersAi => workers_ai::count::count_answer(body),
        };
        said.whole()
    }

    /// Reads a provider's error.
    pub fn read_fault(self, body: &Value) -> Fault {
        match self {
            Self::OpenAi => openai::fault::read(body),
            Self::Responses => responses::fault::read(body),
            Self::Anthropic => anthropic::fault::read(body),
            Self::Gemini => gemini::fault::read(body),
            Self::Converse => converse::fault::read(body, None),
            Self::WorkersAi => workers_ai::fault::read(body),
        }
    }

    /// An error for a client. `extra` stands beside what the dialect says itself; `id` is the request's.
    pub fn write_fault(self, status: u16, fault: &Fault, extra: Map<String, Value>, id: &str) -> Value {
        match self {
            Self::OpenAi | Self::Converse | Self::WorkersAi => openai::fault::write(status, fault, extra, id),
            Self::Responses => responses::fault::write(status, fault, extra, id),
            Self::Anthropic => anthropic::fault::write(status, fault, extra, id),
            Self::Gemini => gemini::fault::write(status, fault, extra, id),
        }
    }
}

impl Endpoint {
    /// Reads a client's request; `None`: it is no conversation. In Gemini's dialect model and streaming are not in the body.
    pub fn read_request(self, body: &Value) -> Option<Result<(Request, Used), BadRequest>> {
        match self {
            Self::Chat => Some(openai::request::read(body)),
            Self::Completions => Some(openai::completions::read(body)),
            Self::Responses => Some(responses::request::read(body)),
            Self::Messages | Self::MessagesCount => Some(anthropic::request::read(body)),
            Self::Generate | Self::GenerateCount => Some(gemini::request::read(body)),
            Self::Embeddings | Self::Embed | Self::EmbedBatch => None,
        }
    }

    /// The answer as this endpoint gives it.
    pub fn write_answer(self, answer: &Answer, stamp: &Stamp<'_>) -> Value {
        match self {
            Self::Completions => openai::completions::write_answer(answer, stamp),
            _ => match self.dialect() {
                Dialect::OpenAi | Dialect::Converse | Dialect::WorkersAi => openai::answer::write(answer, stamp),
                Dialect::Responses => responses::answer::write(answer, stamp),
                Dialect::Anthropic => anthropic::answer::write(answer, stamp),
                Dialect::Gemini => gemini::answer::write(answer, stamp),
            },
        }
    }
}

macro_rules! voices {
    ($($voice:ident: $reader:path;)*) => {
        /// Reads a provider's stream.
        #[derive(Debug)]
        #[expect(missing_docs, reason = "one for each dialect")]
        pub enum Reader {
            $($voice($reader),)*
        }

        impl Reader {
            /// A stream in `dialect` of which nothing has come.
            pub fn new(dialect: Dialect) -> Self {
                match dialect {
                    $(Dialect::$voice => Self::$voice(<$reader>::default()),)*
                }
            }

            /// Adds what a frame says: its event's name, if it has one, and its data.
            pub fn read(&mut self, event: Option<&[u8]>, data: &[u8], events: &mut Vec<Event>) {
                match self {
                    $(Self::$voice(reader) => reader.read(event, data, events),)*
                }
            }

            /// Adds what it means that the provider closed the connection.
            pub fn finish(&mut self, events: &mut Vec<Event>) {
                match self {
                    $(Self::$voice(reader) => reader.finish(events),)*
                }
            }
        }
    };
}

voices! {
    OpenAi: openai::stream::Reader;
    Responses: responses::stream::Reader;
    Anthropic: anthropic::stream::Reader;
    Gemini: gemini::stream::Reader;
    Converse: converse::stream::Reader;
    WorkersAi: workers_ai::stream::Reader;
}

/// Counts what a provider's stream says, whether it is understood or not.
#[derive(Debug)]
pub struct Counter {
    dialect: Dialect,
    responses: responses::count::Counter,
}

impl Counter {
    /// A stream in `dialect` of which nothing has come.
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, responses: responses::count::Counter::default() }
    }

    /// Whether a thought was begun of which nothing is shown.
    pub const fn thinks(&self) -> bool {
        self.responses.thinks
    }

    /// An estimate of the output in a frame: its event's name, if it has one, and its data.
    pub fn count(&mut self, event: Option<&[u8]>, data: &[u8]) -> Tokens {
        let said = match self.dialect {
            Dialect::OpenAi => return Chunk::read(data).map_or(Tokens::ZERO, |chunk| chunk.counted),
            Dialect::Responses => return self.responses.count(event, data),
            Dialect::Anthropic => anthropic::count::count_frame(data),
            Dialect::Gemini => gemini::count::count_frame(data),
            Dialect::Converse => converse::count::count_frame(event, data),
            Dialect::WorkersAi => workers_ai::count::count_answer(data),
        };
        said.piece()
    }
}

/// Writes a client's stream.
#[derive(Debug)]
#[expect(missing_docs, reason = "one for each form of a stream")]
pub enum Writer {
    Chat(openai::stream::Writer),
    Completions(openai::completions::Writer),
    Responses(responses::stream::Writer),
    Anthropic(anthropic::stream::Writer),
    Gemini(gemini::stream::Writer),
}

impl Writer {
    /// A stream for a client of `endpoint`. `show_usage`: it asked for the usage, where its dialect leaves that to it.
    pub fn new(endpoint: Endpoint, stamp: &Stamp<'_>, show_usage: bool) -> Self {
        match (endpoint, endpoint.dialect()) {
            (Endpoint::Completions, _) => Self::Completions(openai::completions::Writer::new(stamp, show_usage)),
            (_, Dialect::OpenAi | Dialect::Converse | Dialect::WorkersAi) => {
                Self::Chat(openai::stream::Writer::new(stamp, show_usage))
            }
            (_, Dialect::Responses) => Self::Responses(responses::stream::Writer::new(stamp, show_usage)),
            (_, Dialect::Anthropic) => Self::Anthropic(anthropic::stream::Writer::new(stamp, show_usage)),
            (_, Dialect::Gemini) => Self::Gemini(gemini::stream::Writer::new(stamp, show_usage)),
        }
    }

    /// Adds the frames that say `event`.
    pub fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
        match self {
            Self::Chat(writer) => writer.write(event, out),
            Self::Completions(writer) => writer.write(event, out),
            Self::Responses(writer) => writer.write(event, out),
            Self::Anthropic(writer) => writer.write(event, out),
            Self::Gemini(writer) => writer.write(event, out),
        }
    }
}
