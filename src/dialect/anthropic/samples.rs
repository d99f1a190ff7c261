//! Requests and answers that this dialect can say, and the fixtures that tell one scenario in it.

use crate::chat::{
    Answer, Cache, Choice, Citation, Effort, Finish, Format, Head, Media, Message, Part, Reasoning, Request, Role,
    Text, Thought, Tool, ToolCall, ToolChoice, ToolResult, Usage,
};
use crate::units::Tokens;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Number, Value, json};

/// The cases of the scenario that end well.
pub(super) const CASES: [&str; 8] = ["text", "tools", "parallel", "image", "schema", "reasoning", "refusal", "length"];

/// The fixture `case` of `kind`: `request.json`, `answer.json` or `sse`.
pub(super) fn fixture(case: &str, kind: &str) -> String {
    let root = env!("CARGO_MANIFEST_DIR");
    std::fs::read_to_string(format!("{root}/tests/fixtures/chat/anthropic/{case}.{kind}")).unwrap()
}

/// The same as JSON.
pub(super) fn fixture_json(case: &str, kind: &str) -> Value {
    serde_json::from_str(&fixture(case, kind)).unwrap()
}

/// Requests.
pub(super) fn requests() -> impl Strategy<Value = Request> {
    let said = (vec(system(), 0..3), vec(message(), 0..7));
    let tools = (vec(tool(), 1..3), option::of(tool_choice()), option::of(any::<bool>()));
    let asked = (2_000_u64..99_000, any::<bool>(), vec("[a-z]{1,3}", 0..3), option::of("[a-z]{1,4}"));
    let sampling = (option::of(number()), option::of(number()), option::of(0_u64..99));
    (said, tools, asked, sampling, reasoning(), format()).prop_map(
        |(said, tools, asked, sampling, reasoning, format)| {
            let (cap, stream, stop, user) = asked;
            let output_cap = Some(Tokens::new(cap));
            let mut request = Request { model: "m".to_owned(), choices: 1, output_cap, ..Request::default() };
            request = Request { stream, stop, user, reasoning, format, ..request };
            if let Some(budget) = request.reasoning.as_mut().and_then(|reasoning| reasoning.budget.as_mut()) {
                *budget = (*budget).min(Tokens::new(cap - 1));
            }
            (request.sampling.temperature, request.sampling.top_p, request.sampling.top_k) = sampling;
            (request.tools, request.tool_choice, request.parallel_tools) = tools;
            match (&request.tool_choice, request.parallel_tools) {
                // Both only say that all is as ever.
                (Some(ToolChoice::Auto), Some(_)) => request.tool_choice = None,
                (Some(ToolChoice::None), _) => request.parallel_tools = None,
                _ => {}
            }
            said.0.into_iter().chain(said.1).for_each(|message| request.say(message));
            request
        },
    )
}

/// Answers.
pub(super) fn answers() -> impl Strategy<Value = Answer> {
    let head = ("[a-z]{1,4}", "[a-z]{1,4}").prop_map(|(id, model)| Head { id, model, created: 0 });
    let finish = select(vec![
        Finish::Stop,
        Finish::Length,
        Finish::Filter,
        Finish::ToolCalls,
        Finish::StopSequence("s".to_owned()),
    ]);
    let parts = vec(prop_oneof![texts(), thought(), call()], 0..5);
    (head, parts, option::of(".{1,5}"), finish, usage()).prop_map(|(head, parts, refusal, finish, usage)| {
        let mut said: Vec<Part> = Vec::new();
        for part in parts {
            if !matches!((&part, said.last()), (Part::Text(_), Some(Part::Text(_)))) {
                said.push(part);
            }
        }
        let called = said.iter().any(|part| matches!(part, Part::ToolCall(_)));
        let finish = match finish {
            Finish::Stop if refusal.is_some() => Finish::Filter,
            Finish::StopSequence(_) if refusal.is_some() => Finish::Filter,
            Finish::Stop if called => Finish::ToolCalls,
            finish => finish,
        };
        said.extend(refusal.map(Part::Refusal));
        let choices = vec![Choice { parts: said, finish: Some(finish), logprobs: None }];
        Answer { head, choices, usage: Some(usage) }
    })
}

fn texts() -> impl Strategy<Value = Part> {
    let cited = vec((0_u64..3, 1_u64..4, option::of("[a-z]{1,3}")), 0..3);
    (".{1,12}", cited).prop_map(|(text, cited)| {
        let (mut at, length) = (0, text.chars().count() as u64);
        let mut citations = Vec::new();
        for (skipped, taken, quote) in cited {
            let (start, end) = (at + skipped, at + skipped + taken);
            if end <= length {
                citations.push(Citation { url: "u".to_owned(), title: "t".to_owned(), quote, start, end });
                at = end;
            }
        }
        Part::Text(Text { text, citations, cache: None })
    })
}

fn usage() -> impl Strategy<Value = Usage> {
    proptest::array::uniform6(0_u64..9).prop_map(|counts| {
        let [cached_input, cache_write, cache_write_hour, reasoning, fresh, said] = counts.map(Tokens::new);
        let input = fresh.plus(cached_input).plus(cache_write).plus(cache_write_hour);
        let output = said.plus(reasoning).plus(Tokens::new(1));
        Usage { input, cached_input, cache_write, cache_write_hour, output, reasoning, ..Usage::default() }
    })
}

fn cache() -> impl Strategy<Value = Option<Cache>> {
    select(vec![None, Some(Cache::Minutes), Some(Cache::Hour)])
}

fn text() -> impl Strategy<Value = Part> {
    (".{1,5}", cache()).prop_map(|(text, cache)| Part::Text(Text { text, citations: Vec::new(), cache }))
}

/// A thought that is signed.
fn thought() -> impl Strategy<Value = Part> {
    (".{0,4}", ".{1,4}", any::<bool>()).prop_map(|(text, signature, sealed)| {
        let text = if sealed { String::new() } else { text };
        Part::Thought(Thought { text, signature: Some(signature), sealed })
    })
}

fn call() -> impl Strategy<Value = Part> {
    ("[a-zA-Z0-9_-]{1,4}", "[a-z]{1,4}", ".{0,4}").prop_map(|(id, name, value)| {
        let arguments = json!({"z": value, "a": [1, 2.5, null]}).to_string();
        Part::ToolCall(ToolCall { id, name, arguments, free: false })
    })
}

fn media(kinds: [&'static str; 2]) -> impl Strategy<Value = Media> {
    let inline = (select(kinds.to_vec()), "[A-Za-z0-9]{4}").prop_map(|(kind, data)| {
        // Texts are told as such.
        let data = if kind == "text/plain" { "aGk=".to_owned() } else { data };
        Media::Inline { kind: kind.to_owned(), data }
    });
    let url = "[a-z]{1,3}".prop_map(|path| Media::Url { kind: None, url: format!("https://x/{path}") });
    prop_oneof![inline, url, "[a-z]{1,4}".prop_map(Media::Stored)]
}

fn seen() -> impl Strategy<Value = Part> {
    let image = (media(["image/png", "image/webp"]), cache());
    let image = image.prop_map(|(media, cache)| Part::Image { media, detail: None, cache });
    let file = (media(["application/pdf", "text/plain"]), option::of("[a-z]{1,3}"), cache());
    prop_oneof![2 => text(), 1 => image, 1 => file.prop_map(|(media, name, cache)| Part::File { media, name, cache })]
}

fn system() -> impl Strategy<Value = Message> {
    text().prop_map(|text| Message::new(Role::System, vec![text]))
}

fn message() -> impl Strategy<Value = Message> {
    let user = vec(seen(), 1..4).prop_map(|parts| Message::new(Role::User, parts));
    let result = ("[a-zA-Z0-9_-]{1,4}", vec(seen(), 0..3), any::<bool>(), cache());
    let result = result.prop_map(|(call, parts, failed, cache)| ToolResult { call, parts, failed, cache });
    let tool = vec(result.prop_map(Part::ToolResult), 1..3).prop_map(|parts| Message::new(Role::Tool, parts));
    let said = vec(prop_oneof![text(), thought(), call()], 1..4);
    prop_oneof![user, tool, said.prop_map(|parts| Message::new(Role::Assistant, parts))]
}

fn tool() -> impl Strategy<Value = Tool> {
    let schema = option::of("[a-z]{1,3}".prop_map(|name| json!({"type": "object", "z": 1, "a": {name: 2}})));
    let tool = ("[a-c]", option::of(".{0,4}"), schema, option::of(any::<bool>()), cache());
    tool.prop_map(|(name, description, parameters, strict, cache)| Tool {
        name,
        description,
        parameters,
        strict,
        free: false,
        cache,
    })
}

fn tool_choice() -> impl Strategy<Value = ToolChoice> {
    let one = "[a-c]".prop_map(ToolChoice::One);
    prop_oneof![Just(ToolChoice::Auto), Just(ToolChoice::None), Just(ToolChoice::Any), one]
}

fn number() -> impl Strategy<Value = Number> {
    select(vec![0.0, 0.125, 0.7, 1.0]).prop_map(|it| Number::from_f64(it).unwrap())
}

fn reasoning() -> impl Strategy<Value = Option<Reasoning>> {
    use Effort::{High, Highest, Low, Medium};
    let effort = option::of(select(vec![Low, Medium, High, Highest]));
    let budget = option::of((1_024_u64..99_999).prop_map(Tokens::new));
    let thinks = (effort, budget, option::of(any::<bool>()));
    let thinks = thinks.prop_map(|(effort, budget, told)| Reasoning { effort, budget, told });
    let none = Reasoning { effort: Some(Effort::None), ..Reasoning::default() };
    option::of(prop_oneof![4 => thinks, 1 => Just(none)])
}

fn format() -> impl Strategy<Value = Format> {
    let schema = "[a-z]{1,3}".prop_map(|name| Format::Schema {
        name: "answer".to_owned(),
        description: None,
        schema: json!({"type": "object", "properties": {name: {}}}),
        strict: None,
    });
    prop_oneof![Just(Format::Text), schema]
}
