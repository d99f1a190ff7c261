//! The limits of answers.

use super::{Limit, calls_last};
use crate::chat::tell::{name_calls, tidy_choice};
use tollgate::chat::{Answer, Finish, Head, Part, Usage};
use tollgate::units::Tokens;

impl Limit {
    pub(super) fn on_answer(self, answer: &mut Answer) {
        match self {
            Self::NoTime => answer.head.created = 0,
            Self::NoHead => answer.head = Head::default(),
            Self::OneChoice => answer.choices.truncate(1),
            Self::NoSoundCount | Self::NoCacheWrites | Self::OneCacheWrite | Self::NoThoughtCount => {
                if let Some(usage) = &mut answer.usage {
                    self.on_usage(usage);
                }
            }
            _ => {}
        }
        for choice in &mut answer.choices {
            match self {
                Self::NoLogprobs => choice.logprobs = None,
                Self::CallsLast => choice.parts = calls_last(std::mem::take(&mut choice.parts)),
                Self::TextThenRefusal => text_then_refusal(&mut choice.parts),
                Self::NoStopSequences if matches!(choice.finish, Some(Finish::StopSequence(_))) => {
                    choice.finish = Some(Finish::Stop);
                }
                _ => {}
            }
            for part in &mut choice.parts {
                self.on_answered(part);
            }
            tidy_choice(choice);
        }
        name_calls(answer);
    }

    fn on_answered(self, part: &mut Part) {
        match (self, part) {
            (Self::NoCitations, Part::Text(text)) => text.citations.clear(),
            (Self::CitesAll, Part::Text(text)) => {
                let end = text.text.chars().count() as u64;
                text.citations.iter_mut().for_each(|citation| (citation.start, citation.end) = (0, end));
            }
            (Self::NoQuotes, Part::Text(text)) => text.citations.iter_mut().for_each(|citation| citation.quote = None),
            (Self::NoFreeCalls, Part::ToolCall(call)) if call.free => {
                (call.free, call.arguments) = (false, "{}".to_owned());
            }
            (_, part) => self.on_part(part),
        }
    }

    fn on_usage(self, usage: &mut Usage) {
        match self {
            Self::NoSoundCount => (usage.audio_input, usage.audio_output) = (Tokens::ZERO, Tokens::ZERO),
            Self::NoCacheWrites => (usage.cache_write, usage.cache_write_hour) = (Tokens::ZERO, Tokens::ZERO),
            Self::OneCacheWrite => {
                usage.cache_write = usage.cache_write.plus(usage.cache_write_hour);
                usage.cache_write_hour = Tokens::ZERO;
            }
            _ => usage.reasoning = Tokens::ZERO,
        }
    }
}

/// The first text, then the first refusal, where the first of both stood.
fn text_then_refusal(parts: &mut Vec<Part>) {
    let is_said = |part: &Part| matches!(part, Part::Text(_) | Part::Refusal(_));
    let Some(at) = parts.iter().position(is_said) else { return };
    let (said, mut rest): (Vec<_>, Vec<_>) = parts.drain(..).partition(is_said);
    let text = said.iter().find(|part| matches!(part, Part::Text(_)));
    let refusal = said.iter().find(|part| matches!(part, Part::Refusal(_)));
    rest.splice(at..at, text.into_iter().chain(refusal).cloned());
    *parts = rest;
}
