//! What a dialect cannot say though it has the feature: how a request or an answer looks once it has said it.

mod ask;
mod tell;

use tollgate::chat::{Answer, Part, Request};

/// One thing that a dialect cannot say exactly. The comment is what it says instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// The model is named in the path of the URL, and whether the answer is a stream: nothing in the body says so.
    NoModel,
    /// What it says depends on the model: it is one of Anthropic's.
    OfClaude,
    /// Neighbouring messages of the user are one.
    OneUser,
    /// All that the system says is one message.
    OneSystem,
    /// What the system says is one text in a message.
    SystemApart,
    /// In a message of the assistant come first thoughts, then what is said, then calls, each after its thoughts.
    CallsLast,
    /// What the assistant thought is one text without a signature, before all it says.
    PlainThoughts,
    /// Texts of one message are one, if there is nothing else in it.
    JoinedTexts,
    /// An answer says one text, then declines once.
    TextThenRefusal,
    /// What the assistant declines is a text.
    NoRefusals,
    /// That an image is looked at as closely as the model likes goes without saying.
    NoAutoDetail,
    /// Of what is at an address no kind is told.
    NoUrlKinds,
    /// Of what is at an address the kind is told.
    UrlKinds,
    /// Files have no names.
    NoFileNames,
    /// Files have names, none of them twice.
    FileNames,
    /// A tool whose schema demands nothing has none.
    NoEmptySchemas,
    /// Nothing tells whether arguments must fit exactly.
    NoStrictTools,
    /// Whether arguments must fit exactly is always told: they need not.
    StrictTools,
    /// Whether several tools may be called stands in the choice of tools: with it `auto` goes without saying, and with
    /// `none` there is nothing to say.
    ParallelInChoice,
    /// A schema's name is `answer`.
    AnswerSchema,
    /// A schema has no description.
    NoSchemaAbout,
    /// Nothing tells whether an answer must fit its schema exactly.
    NoStrictSchema,
    /// An answer has a cap: 100 where none is told.
    Capped,
    /// A budget is below the cap.
    BudgetBelowCap,
    /// Reasoning is an effort.
    EffortOnly,
    /// Reasoning is an effort, and whether it is told.
    EffortAndTold,
    /// An effort and a budget are not both told, only the effort.
    EffortOrBudget,
    /// There is no effort between none and low.
    NoMinimal,
    /// There is no effort above high.
    NoHighest,
    /// A budget of zero is the effort none.
    ZeroIsNone,
    /// Who does not think does not say whether that is told.
    NoneIsSilent,
    /// Nobody says when an answer was begun.
    NoTime,
    /// An answer does not say what it is, nor of which model.
    NoHead,
    /// There is one answer.
    OneChoice,
    /// Citations are not told.
    NoCitations,
    /// A citation is of all the text before it.
    CitesAll,
    /// A citation has no quote.
    NoQuotes,
    /// Log probabilities are not told.
    NoLogprobs,
    /// Which stop sequence came is not told.
    NoStopSequences,
    /// Sound is not counted.
    NoSoundCount,
    /// What is written to a cache is not counted.
    NoCacheWrites,
    /// What is written to a cache is counted as one.
    OneCacheWrite,
    /// What is thought is not counted.
    NoThoughtCount,
    /// Calls of tools that take free text are calls like any other.
    NoFreeCalls,
}

/// Makes `request` one that a dialect with these limits can say: all over again while one undoes another.
pub(crate) fn on_request(limits: &[Limit], request: &mut Request) {
    loop {
        let before = request.clone();
        limits.iter().for_each(|limit| limit.on_request(request));
        if *request == before {
            return;
        }
    }
}

/// Makes `answer` one that a dialect with these limits can tell.
pub(crate) fn on_answer(limits: &[Limit], answer: &mut Answer) {
    loop {
        let before = answer.clone();
        limits.iter().for_each(|limit| limit.on_answer(answer));
        if *answer == before {
            return;
        }
    }
}

/// Thoughts, what is said, and calls with the thoughts before them, in this order.
fn calls_last(parts: Vec<Part>) -> Vec<Part> {
    let (mut first, mut said, mut calls, mut open) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for part in parts {
        match part {
            Part::Thought(_) => open.push(part),
            Part::ToolCall(_) => {
                calls.append(&mut open);
                calls.push(part);
            }
            _ => {
                first.append(&mut open);
                said.push(part);
            }
        }
    }
    first.append(&mut open);
    [first, said, calls].concat()
}
