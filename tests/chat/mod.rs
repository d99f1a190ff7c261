//! Every dialect as a row: what it reads and writes, and what it cannot say exactly.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod carry;
pub(crate) mod features;
pub(crate) mod limit;
pub(crate) mod make;
pub(crate) mod tell;
pub(crate) mod valid;

use carry::Carrier;
use limit::Limit;
use serde_json::{Map, Value};
use std::ops::Deref;
use tollgate::chat::{Answer, Event, Fault, Feature, Fold, Request, Used};
use tollgate::dialect::{self, BadRequest, CapField, Stamp};

/// What stands in for what nobody tells.
pub(crate) const STAMP: Stamp<'static> = Stamp { id: "req_1", created: 1_700_000_000, model: "asked" };

/// Reads a provider's stream: a frame's event and data, or its end.
pub(crate) type Reads = Box<dyn FnMut(Option<(Option<&[u8]>, &[u8])>, &mut Vec<Event>)>;
/// Writes a client's stream.
pub(crate) type Writes = Box<dyn FnMut(&Event, &mut Vec<u8>)>;

/// One dialect, as a provider speaks it.
#[derive(Clone, Copy)]
pub(crate) struct Dialect {
    pub(crate) name: &'static str,
    pub(crate) cannot: &'static [Feature],
    pub(crate) read_request: fn(&Value) -> Result<(Request, Used), BadRequest>,
    pub(crate) write_request: fn(&Request) -> Value,
    pub(crate) read_answer: fn(&Value) -> Option<Answer>,
    pub(crate) write_answer: fn(&Answer, &Stamp<'_>) -> Value,
    pub(crate) read_fault: fn(&Value) -> Fault,
    pub(crate) reader: fn() -> Reads,
    pub(crate) carrier: Carrier,
    /// A model that its provider has, by the provider's name for it.
    pub(crate) model: &'static str,
    /// What it cannot say exactly in a request.
    pub(crate) asks: &'static [Limit],
    /// What it cannot tell exactly in an answer.
    pub(crate) tells: &'static [Limit],
}

/// One dialect that clients speak, too.
pub(crate) struct Client {
    pub(crate) dialect: Dialect,
    pub(crate) writer: fn(bool) -> Writes,
    /// What it cannot tell exactly in a stream, besides.
    pub(crate) streams: &'static [Limit],
    pub(crate) write_fault: fn(u16, &Fault, Map<String, Value>, &str) -> Value,
    /// What is wrong with a stream, frame by frame.
    pub(crate) valid: fn(&[valid::Seen]) -> Result<(), String>,
}

impl Deref for Client {
    type Target = Dialect;

    fn deref(&self) -> &Dialect {
        &self.dialect
    }
}

/// The dialect of the module `$module`: all have everything by the same names, but for how a request is written, and
/// how an error is read.
macro_rules! dialect {
    ($module:ident, $write:expr, $fault:expr, $asks:expr, $tells:expr) => {
        Dialect {
            name: stringify!($module),
            cannot: dialect::$module::CANNOT,
            read_request: dialect::$module::request::read,
            write_request: $write,
            read_answer: dialect::$module::answer::read,
            write_answer: dialect::$module::answer::write,
            read_fault: $fault,
            reader: || {
                let mut reader = dialect::$module::stream::Reader::default();
                Box::new(move |frame, events| match frame {
                    Some((event, data)) => reader.read(event, data, events),
                    None => reader.finish(events),
                })
            },
            carrier: Carrier::Sse,
            model: "m",
            asks: $asks,
            tells: $tells,
        }
    };
}

macro_rules! client {
    ($module:ident, $write:expr, $asks:expr, $tells:expr, $streams:expr) => {
        Client {
            dialect: dialect!($module, $write, dialect::$module::fault::read, $asks, $tells),
            writer: |show_usage| {
                let mut writer = dialect::$module::stream::Writer::new(&STAMP, show_usage);
                Box::new(move |event, out| writer.write(event, out))
            },
            streams: $streams,
            write_fault: dialect::$module::fault::write,
            valid: valid::$module,
        }
    };
}

use Limit as L;

/// All of them that clients speak.
pub(crate) const CLIENTS: &[Client] = &[
    client!(
        openai,
        |request| dialect::openai::request::write(request, CapField::MaxCompletionTokens),
        &[L::CallsLast, L::NoUrlKinds, L::EffortOnly],
        &[L::CallsLast, L::TextThenRefusal, L::NoStopSequences],
        &[]
    ),
    client!(
        responses,
        dialect::responses::request::write,
        &[L::NoUrlKinds, L::NoAutoDetail, L::StrictTools, L::EffortAndTold],
        &[L::OneChoice, L::OneCacheWrite, L::NoSoundCount, L::NoStopSequences, L::NoQuotes],
        &[]
    ),
    client!(
        anthropic,
        dialect::anthropic::request::write,
        &[
            L::SystemApart,
            L::NoRefusals,
            L::NoUrlKinds,
            L::NoFreeCalls,
            L::NoEmptySchemas,
            L::ParallelInChoice,
            L::AnswerSchema,
            L::NoSchemaAbout,
            L::NoStrictSchema,
            L::Capped,
            L::BudgetBelowCap,
            L::NoMinimal,
            L::ZeroIsNone,
            L::NoneIsSilent,
        ],
        &[L::NoTime, L::OneChoice, L::NoRefusals, L::NoFreeCalls, L::NoLogprobs, L::NoSoundCount],
        &[L::CitesAll]
    ),
    client!(
        gemini,
        dialect::gemini::request::write,
        &[
            L::NoModel,
            L::OneSystem,
            L::NoRefusals,
            L::UrlKinds,
            L::NoFileNames,
            L::NoStrictTools,
            L::AnswerSchema,
            L::NoSchemaAbout,
            L::NoStrictSchema,
            L::NoHighest,
            L::ZeroIsNone,
            L::EffortOrBudget,
            L::NoFreeCalls,
        ],
        &[L::NoTime, L::NoRefusals, L::NoFreeCalls, L::NoStopSequences, L::NoCacheWrites, L::NoQuotes],
        &[]
    ),
];

/// Those that only providers speak.
const OTHERS: &[Dialect] = &[
    Dialect {
        carrier: Carrier::EventStream,
        model: "us.anthropic.claude-opus-4-6-v1",
        ..dialect!(
            converse,
            dialect::converse::request::write,
            |body| dialect::converse::fault::read(body, None),
            &[
                L::NoModel,
                L::OfClaude,
                L::OneSystem,
                L::OneUser,
                L::FileNames,
                L::NoRefusals,
                L::NoEmptySchemas,
                L::NoStrictSchema,
                L::NoMinimal,
                L::ZeroIsNone,
                L::NoneIsSilent,
                L::NoFreeCalls,
            ],
            &[
                L::NoHead,
                L::OneChoice,
                L::NoRefusals,
                L::NoFreeCalls,
                L::NoCitations,
                L::NoLogprobs,
                L::NoSoundCount,
                L::NoThoughtCount,
            ]
        )
    },
    dialect!(
        workers_ai,
        |request| dialect::workers_ai::request::write(request, CapField::MaxTokens),
        dialect::workers_ai::fault::read,
        &[
            L::NoModel,
            L::CallsLast,
            L::PlainThoughts,
            L::JoinedTexts,
            L::NoRefusals,
            L::NoEmptySchemas,
            L::NoStrictSchema,
            L::EffortOnly,
            L::NoMinimal,
            L::NoHighest,
            L::NoFreeCalls,
        ],
        &[L::CallsLast, L::TextThenRefusal, L::NoStopSequences]
    ),
];

/// All that providers speak.
pub(crate) fn dialects() -> impl Iterator<Item = &'static Dialect> {
    CLIENTS.iter().map(|client| &client.dialect).chain(OTHERS)
}

impl Dialect {
    /// `request` without what the dialect cannot say.
    pub(crate) fn askable(&self, mut request: Request) -> Request {
        self.cannot.iter().for_each(|feature| request.drop_feature(*feature));
        limit::on_request(self.asks, &mut request);
        request
    }

    /// `answer` without what the dialect cannot tell.
    pub(crate) fn tellable(&self, mut answer: Answer) -> Answer {
        limit::on_answer(self.tells, &mut answer);
        answer
    }
}

impl Client {
    /// The stream of `events` for a client who asked for usage.
    pub(crate) fn stream(&self, events: &[Event]) -> Vec<u8> {
        let (mut writer, mut out) = ((self.writer)(true), Vec::new());
        events.iter().for_each(|event| writer(event, &mut out));
        out
    }
}

/// The answer that `events` add up to.
pub(crate) fn fold(events: impl IntoIterator<Item = Event>) -> Result<Option<Answer>, Fault> {
    let mut fold = Fold::default();
    events.into_iter().for_each(|event| fold.add(event));
    fold.finish()
}

/// `value` as whoever is sent it reads it.
pub(crate) fn sent(value: &Value) -> Value {
    serde_json::from_str(&value.to_string()).unwrap()
}
