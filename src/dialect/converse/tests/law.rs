//! What is written and read again is the same, for all that this dialect can say.

use super::*;
use proptest::prelude::*;

fn text() -> impl Strategy<Value = String> {
    "[a-z\u{e9}\"\\\\ \n]{1,6}"
}

fn cache() -> impl Strategy<Value = Option<Cache>> {
    prop_oneof![4 => Just(None), 1 => Just(Some(Cache::Minutes)), 1 => Just(Some(Cache::Hour))]
}

fn inline(kinds: &'static [&'static str]) -> impl Strategy<Value = Media> {
    let kind = prop::sample::select(kinds);
    kind.prop_map(|kind| Media::Inline { kind: kind.to_owned(), data: "aGk=".to_owned() })
}

fn said_text() -> impl Strategy<Value = Part> {
    (text(), cache()).prop_map(|(text, cache)| Part::Text(Text { text, citations: Vec::new(), cache }))
}

fn image() -> impl Strategy<Value = Part> {
    let kinds = &["image/png", "image/jpeg", "image/gif", "image/webp"];
    (inline(kinds), cache()).prop_map(|(media, cache)| Part::Image { media, detail: None, cache })
}

fn asked() -> impl Strategy<Value = Part> {
    let file = (inline(&["application/pdf", "text/csv", "text/plain", "text/markdown", "application/msword"]), cache());
    let file = file.prop_map(|(media, cache)| Part::File { media, name: Some("a name (1)".to_owned()), cache });
    let audio = inline(&["audio/wav", "audio/mpeg"]).prop_map(|media| Part::Audio { media });
    prop_oneof![said_text(), image(), file, audio]
}

fn thought() -> impl Strategy<Value = Part> {
    (text(), prop::option::of(text()), any::<bool>()).prop_map(|(text, signature, sealed)| {
        let sealed = sealed && signature.is_some();
        Part::Thought(Thought { text: if sealed { String::new() } else { text }, signature, sealed })
    })
}

fn call() -> impl Strategy<Value = Part> {
    text().prop_map(|argument| {
        let arguments = json!({"z": argument, "a": 1.5}).to_string();
        Part::ToolCall(ToolCall { id: "c".to_owned(), name: "f".to_owned(), arguments, free: false })
    })
}

fn result() -> impl Strategy<Value = Part> {
    let parts = prop::collection::vec(prop_oneof![text().prop_map(Part::text), image()], 0..3);
    (parts, any::<bool>(), cache()).prop_map(|(mut parts, failed, cache)| {
        for part in &mut parts {
            if let Part::Image { cache, .. } = part {
                *cache = None;
            }
        }
        Part::ToolResult(ToolResult { call: "c".to_owned(), parts, failed, cache })
    })
}

fn some(part: impl Strategy<Value = Part>) -> impl Strategy<Value = Vec<Part>> {
    prop::collection::vec(part, 1..4)
}

/// What the user asks, the assistant answers, and tools then say, if anything.
fn turn() -> impl Strategy<Value = Vec<Message>> {
    let signed = |part: &Part| !matches!(part, Part::Thought(Thought { signature: None, .. }));
    let answered = some(prop_oneof![said_text(), thought().prop_filter("it is signed", signed), call()]);
    let results = prop::collection::vec(result(), 0..3);
    (some(asked()), answered, results).prop_map(|(asked, answered, results)| {
        let mut messages = vec![said(Role::User, asked), said(Role::Assistant, answered)];
        if !results.is_empty() {
            messages.push(said(Role::Tool, results));
        }
        messages
    })
}

fn reasoning() -> impl Strategy<Value = Option<Reasoning>> {
    use Effort::{High, Highest, Low, Medium, None as Not};
    let told = || prop::option::of(any::<bool>());
    let effort = prop::option::of(prop::sample::select(&[Low, Medium, High, Highest][..]));
    let budget = prop::option::of((1024_u64..9000).prop_map(Tokens::new));
    let some = (effort, budget, told()).prop_map(|(effort, budget, told)| Reasoning { effort, budget, told });
    let none = Just(Reasoning { effort: Some(Not), budget: None, told: None });
    prop::option::of(prop_oneof![3 => some, 1 => none])
}

fn tools() -> impl Strategy<Value = (Vec<Tool>, Option<ToolChoice>)> {
    let tool = (prop::option::of(text()), prop::option::of(any::<bool>()), cache()).prop_map(
        |(description, strict, cache)| {
            let parameters = Some(json!({"type": "object", "z": 1, "a": [null]}));
            Tool { name: "f".to_owned(), description, parameters, strict, free: false, cache }
        },
    );
    let choice = [ToolChoice::Auto, ToolChoice::None, ToolChoice::Any, ToolChoice::One("f".to_owned())];
    (prop::collection::vec(tool, 1..3), prop::option::of(prop::sample::select(choice.to_vec())))
}

fn format() -> impl Strategy<Value = Format> {
    let schema = (text(), prop::option::of(text())).prop_map(|(name, description)| {
        let schema = json!({"type": "object", "properties": {"z": {}, "a": {"type": "string"}}});
        Format::Schema { name, description, schema, strict: None }
    });
    prop_oneof![Just(Format::Text), schema]
}

fn requests() -> impl Strategy<Value = Request> {
    let system = prop::option::of(some(said_text()));
    let numbers = (prop::option::of(0_u32..3), prop::option::of(0_u64..99), prop::option::of(1_u64..9999));
    let rest = (format(), reasoning(), prop::collection::vec(text(), 0..3));
    (system, prop::collection::vec(turn(), 1..4), tools(), numbers, rest).prop_map(
        |(system, turns, (tools, tool_choice), (temperature, top_k, cap), (format, reasoning, stop))| {
            let mut request = Request { choices: 1, tools, tool_choice, format, reasoning, stop, ..Request::default() };
            CLAUDE.clone_into(&mut request.model);
            (request.sampling.temperature, request.sampling.top_k) = (temperature.map(Into::into), top_k);
            request.output_cap = cap.map(Tokens::new);
            let system = system.map(|parts| said(Role::System, parts));
            system.into_iter().chain(turns.into_iter().flatten()).for_each(|message| request.say(message));
            one_name_each(&mut request);
            request
        },
    )
}

fn one_name_each(request: &mut Request) {
    let mut nth = 0;
    for part in request.messages.iter_mut().flat_map(|message| &mut message.parts) {
        if let Part::File { name, .. } = part {
            *name = Some(format!("a-[{nth}]"));
            nth += 1;
        }
    }
}

/// An answer whose neighbouring texts, and thoughts without a signature, are one.
fn answers() -> impl Strategy<Value = Answer> {
    let finish = prop_oneof![
        Just(Finish::Stop),
        text().prop_map(Finish::StopSequence),
        Just(Finish::Length),
        Just(Finish::ToolCalls),
        Just(Finish::Filter)
    ];
    let part = prop_oneof![text().prop_map(Part::text), thought(), call()];
    let usage = prop::array::uniform5(0_u64..50).prop_map(|[fresh, cached, write, hour, output]| {
        let [input, cached_input, cache_write, cache_write_hour, output] =
            [fresh + cached + write + hour, cached, write, hour, output].map(Tokens::new);
        Usage { input, cached_input, cache_write, cache_write_hour, output, ..Usage::default() }
    });
    (some(part), prop::option::of(finish), prop::option::of(usage)).prop_map(|(mut parts, finish, usage)| {
        parts.dedup_by(|next, last| {
            matches!((next, last), (Part::Text(_), Part::Text(_)) | (Part::Thought(_), Part::Thought(_)))
        });
        Answer { choices: vec![crate::chat::Choice { parts, finish, logprobs: None }], usage, ..Answer::default() }
    })
}

proptest! {
    #[test]
    fn a_request_that_is_written_is_read_as_it_was(request in requests()) {
        let (mut read, used) = request::read(&request::write(&request)).unwrap();
        CLAUDE.clone_into(&mut read.model);
        prop_assert_eq!(read, request);
        prop_assert!(used.iter().all(|(feature, _)| !super::super::CANNOT.contains(&feature)));
    }

    #[test]
    fn an_answer_that_is_written_is_read_as_it_was(answer in answers()) {
        prop_assert_eq!(answer::read(&answer::write(&answer, &STAMP)), Some(answer));
    }
}
