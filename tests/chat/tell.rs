//! Answers in their one form, their streams, and any events in any order, at random.

use super::make::{object, signed, text, thought, word};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use tollgate::chat::{Answer, Choice, Citation, Event, Fault, Finish, Head, Part, Text, ToolCall, Usage};
use tollgate::units::Tokens;

/// What happens to be next when a stream is made of an answer.
pub(crate) type Chance = Vec<u8>;

fn head() -> impl Strategy<Value = Head> {
    (word(), word(), 1_u64..2_000_000_000).prop_map(|(id, model, created)| Head { id, model, created })
}

fn usage() -> impl Strategy<Value = Usage> {
    prop::array::uniform8(0_u64..50).prop_map(|[input, cached, write, hour, sound, output, reasoning, spoken]| {
        let [input, output] = [input + cached + write + hour + sound, output + reasoning + spoken].map(Tokens::new);
        let [cached_input, cache_write, cache_write_hour] = [cached, write, hour].map(Tokens::new);
        let [audio_input, reasoning, audio_output] = [sound, reasoning, spoken].map(Tokens::new);
        Usage { input, cached_input, cache_write, cache_write_hour, audio_input, output, reasoning, audio_output }
    })
}

fn citations(text: &str, wanted: &[(u8, u8, Option<String>)]) -> Vec<Citation> {
    let length = text.chars().count() as u64;
    let mut from = 0;
    let mut cited = Vec::new();
    for (nth, (skip, take, quote)) in wanted.iter().enumerate() {
        let start = (from + u64::from(skip % 3)).min(length);
        let end = (start + 1 + u64::from(take % 4)).min(length);
        if start < end {
            let (url, title) = (format!("https://example.com/{nth}"), format!("Page {nth}"));
            cited.push(Citation { url, title, quote: quote.clone(), start, end });
            from = end;
        }
    }
    cited
}

fn part() -> impl Strategy<Value = Part> {
    let wanted = prop::collection::vec((any::<u8>(), any::<u8>(), prop::option::of(word())), 0..3);
    let said = (text(), prop_oneof![3 => Just(Vec::new()), 1 => wanted]).prop_map(|(text, wanted)| {
        let citations = citations(&text, &wanted);
        Part::Text(Text { text, citations, cache: None })
    });
    let call = (word(), object(), text(), prop::bool::weighted(0.2)).prop_map(|(name, arguments, input, free)| {
        let arguments = if free { input } else { arguments.to_string() };
        Part::ToolCall(ToolCall { id: String::new(), name, arguments, free })
    });
    prop_oneof![4 => said, 2 => thought().prop_map(Part::Thought), 3 => call, 1 => text().prop_map(Part::Refusal)]
}

/// As OpenAI writes them.
fn logprobs() -> impl Strategy<Value = Vec<Value>> {
    let token = (word(), select(&[-0.25, -1.5, -20.0][..])).prop_map(|(token, logprob)| {
        let bytes: Vec<u8> = token.bytes().collect();
        json!({"token": token, "logprob": logprob, "bytes": bytes, "top_logprobs": [{"token": token, "logprob": logprob, "bytes": bytes}]})
    });
    prop::collection::vec(token, 1..3)
}

fn choice() -> impl Strategy<Value = Choice> {
    let ends = prop_oneof![
        3 => Just(Finish::Stop),
        1 => word().prop_map(Finish::StopSequence),
        1 => Just(Finish::Length),
        1 => Just(Finish::Filter)
    ];
    (prop::collection::vec(part(), 1..5), ends, prop::option::weighted(0.1, logprobs())).prop_map(
        |(parts, finish, logprobs)| {
            let mut choice = Choice { parts, finish: Some(finish), logprobs };
            tidy_choice(&mut choice);
            choice
        },
    )
}

/// Brings a choice to its one form: neighbouring texts are one, as are neighbouring refusals; who calls tools ends
/// for that, and who declines is held back; there is something in it.
pub(crate) fn tidy_choice(choice: &mut Choice) {
    let mut parts: Vec<Part> = Vec::new();
    for part in signed(std::mem::take(&mut choice.parts)) {
        match (parts.last_mut(), part) {
            (Some(Part::Text(_)), Part::Text(_)) | (Some(Part::Refusal(_)), Part::Refusal(_)) => {}
            (_, part) => parts.push(part),
        }
    }
    let calls = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    if parts.is_empty() {
        parts.push(Part::text("a"));
    }
    choice.parts = parts;
    let refused = choice.parts.iter().any(|part| matches!(part, Part::Refusal(_)));
    match &choice.finish {
        _ if calls => choice.finish = Some(Finish::ToolCalls),
        Some(Finish::Length) => {}
        _ if refused => choice.finish = Some(Finish::Filter),
        Some(Finish::ToolCalls) => choice.finish = Some(Finish::Stop),
        _ => {}
    }
    let calls = choice.parts.iter_mut().filter_map(|part| match part {
        Part::ToolCall(call) => Some(call),
        _ => None,
    });
    for (nth, call) in calls.enumerate() {
        call.id = format!("call_{nth}");
    }
}

/// Any answer.
pub(crate) fn answer() -> impl Strategy<Value = Answer> {
    let choices = prop_oneof![3 => prop::collection::vec(choice(), 1..2), 1 => prop::collection::vec(choice(), 1..4)];
    (head(), choices, prop::option::weighted(0.8, usage())).prop_map(|(head, choices, usage)| {
        let mut answer = Answer { head, choices, usage };
        name_calls(&mut answer);
        answer
    })
}

/// No two calls of one answer have one id.
pub(crate) fn name_calls(answer: &mut Answer) {
    for (index, choice) in answer.choices.iter_mut().enumerate() {
        for part in &mut choice.parts {
            if let Part::ToolCall(call) = part {
                call.id = format!("{}_{index}", call.id);
            }
        }
    }
}

/// The answer's events with their bits cut, calls begun before the one before has all its arguments, the choices
/// mixed, and pings and early counts between, as `chance` has it.
pub(crate) fn streamed(answer: &Answer, chance: &Chance) -> Vec<Event> {
    let mut chance = chance.iter().copied().cycle();
    let mut next = move || chance.next().unwrap_or(0);
    let mut lanes: Vec<Vec<Event>> = vec![Vec::new(); answer.choices.len()];
    let mut ends = Vec::new();
    let mut said = vec![Event::Begin(answer.head.clone())];
    said.extend(answer.usage.filter(|_| next() % 3 == 0).map(|usage| {
        Event::Usage(Usage { output: Tokens::ZERO, reasoning: Tokens::ZERO, audio_output: Tokens::ZERO, ..usage })
    }));
    for event in answer.events().into_iter().skip(1) {
        match of_choice(&event) {
            Some(choice) => lanes[choice as usize].extend(cut(event, usize::from(next()))),
            None => ends.push(event),
        }
    }
    for lane in &mut lanes {
        for at in 1..lane.len() {
            let late = matches!((&lane[at - 1], &lane[at]), (Event::Arguments { .. }, Event::ToolCall { .. }));
            if late && next() % 2 == 0 {
                lane.swap(at - 1, at);
            }
        }
        lane.reverse();
    }
    lanes.retain(|lane| !lane.is_empty());
    while !lanes.is_empty() {
        let lane = usize::from(next()) % lanes.len();
        said.extend(lanes[lane].pop());
        lanes.retain(|lane| !lane.is_empty());
        if next() % 8 == 0 {
            said.push(Event::Ping);
        }
    }
    if next() % 4 == 0 {
        let finish = said.iter().rposition(|event| matches!(event, Event::Finish { .. })).unwrap_or(said.len());
        let usage = ends.iter().position(|event| matches!(event, Event::Usage(_)));
        said.splice(finish..finish, usage.map(|at| ends.remove(at)));
    }
    said.extend(ends);
    said
}

fn of_choice(event: &Event) -> Option<u32> {
    match event {
        Event::Text { choice, .. }
        | Event::Thought { choice, .. }
        | Event::Signature { choice, .. }
        | Event::Refusal { choice, .. }
        | Event::ToolCall { choice, .. }
        | Event::Arguments { choice, .. }
        | Event::Citation { choice, .. }
        | Event::Logprobs { choice, .. }
        | Event::Finish { choice, .. } => Some(*choice),
        Event::Begin(_) | Event::Usage(_) | Event::Service(_) | Event::End | Event::Fault(_) | Event::Ping => None,
    }
}

/// The event as two, where its text is long enough; `at` chooses the place.
fn cut(event: Event, at: usize) -> Vec<Event> {
    let parts = |text: &str| -> Vec<String> {
        let places: Vec<usize> = text.char_indices().map(|(place, _)| place).skip(1).collect();
        match places.get(at % (places.len() + 1)) {
            Some(place) => vec![text[..*place].to_owned(), text[*place..].to_owned()],
            None => vec![text.to_owned()],
        }
    };
    match event {
        Event::Text { choice, text } => parts(&text).into_iter().map(|text| Event::Text { choice, text }).collect(),
        Event::Thought { choice, text } => {
            parts(&text).into_iter().map(|text| Event::Thought { choice, text }).collect()
        }
        Event::Refusal { choice, text } => {
            parts(&text).into_iter().map(|text| Event::Refusal { choice, text }).collect()
        }
        Event::Arguments { choice, nth, text } => {
            parts(&text).into_iter().map(|text| Event::Arguments { choice, nth, text }).collect()
        }
        other => vec![other],
    }
}

pub(crate) fn fault() -> impl Strategy<Value = Fault> {
    let kind = select(&["server_error", "overloaded_error", "UNAVAILABLE"][..]);
    (text(), prop::option::of(kind), prop::option::of(word()), prop::option::of(word()))
        .prop_map(|(message, kind, code, param)| Fault { message, kind: kind.map(str::to_owned), code, param })
}

/// Any event, whatever came before it.
fn event() -> impl Strategy<Value = Event> {
    let bit = || prop_oneof![4 => text(), 1 => Just(String::new())];
    let choice = || prop_oneof![4 => Just(0_u32), 1 => 0_u32..3];
    let nth = || 0_u32..3;
    let finish = prop_oneof![
        Just(Finish::Stop),
        word().prop_map(Finish::StopSequence),
        Just(Finish::Length),
        Just(Finish::ToolCalls),
        Just(Finish::Filter)
    ];
    let signature = (choice(), bit(), any::<bool>());
    let call = (choice(), nth(), bit(), bit(), any::<bool>());
    let cited = (choice(), 0_u64..5, 0_u64..9).prop_map(|(choice, start, end)| {
        let citation = Citation { url: "https://example.com".to_owned(), start, end, ..Citation::default() };
        Event::Citation { choice, citation }
    });
    prop_oneof![
        2 => head().prop_map(Event::Begin),
        6 => (choice(), bit()).prop_map(|(choice, text)| Event::Text { choice, text }),
        4 => (choice(), bit()).prop_map(|(choice, text)| Event::Thought { choice, text }),
        2 => signature.prop_map(|(choice, signature, sealed)| Event::Signature { choice, signature, sealed }),
        2 => (choice(), bit()).prop_map(|(choice, text)| Event::Refusal { choice, text }),
        4 => call.prop_map(|(choice, nth, id, name, free)| Event::ToolCall { choice, nth, id, name, free }),
        4 => (choice(), nth(), bit()).prop_map(|(choice, nth, text)| Event::Arguments { choice, nth, text }),
        1 => cited,
        1 => (choice(), logprobs()).prop_map(|(choice, tokens)| Event::Logprobs { choice, tokens }),
        2 => (choice(), finish).prop_map(|(choice, finish)| Event::Finish { choice, finish }),
        2 => usage().prop_map(Event::Usage),
        1 => Just(Event::End),
        1 => fault().prop_map(Event::Fault),
        1 => Just(Event::Ping),
    ]
}

/// Any events in any order.
pub(crate) fn events() -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec(event(), 0..24)
}

pub(crate) fn chance() -> impl Strategy<Value = Chance> {
    prop::collection::vec(any::<u8>(), 1..24)
}
