//! Requests and answers that this dialect can say, and the fixtures that tell one scenario in it.

use crate::chat::{
    Answer, Choice, Citation, Effort, Finish, Format, Head, Media, Message, Part, Reasoning, Request, Role, Sampling,
    Text, Thought, Tool, ToolCall, ToolChoice, ToolResult, Usage,
};
use crate::units::Tokens;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Number, Value, json};

/// The fixture `case` of `kind`: `request.json`, `answer.json` or `sse`.
pub(super) fn fixture(case: &str, kind: &str) -> String {
    let root = env!("CARGO_MANIFEST_DIR");
    std::fs::read_to_string(format!("{root}/tests/fixtures/chat/openai/{case}.{kind}")).unwrap()
}

/// The same as JSON.
pub(super) fn fixture_json(case: &str, kind: &str) -> Value {
    serde_json::from_str(&fixture(case, kind)).unwrap()
}

/// Answers as streams can tell them too: an unsigned thought comes before a text, or it would be signed by what follows.
pub(super) fn answers() -> impl Strategy<Value = Answer> {
    let head = ("[a-z]{1,4}", "[a-z]{1,4}", 1_u64..9).prop_map(|(id, model, created)| Head { id, model, created });
    (head, vec(choice(), 1..3), option::of(usage())).prop_map(|(head, choices, usage)| Answer { head, choices, usage })
}

/// Requests.
pub(super) fn requests() -> impl Strategy<Value = Request> {
    let asked = ("[a-z]{1,5}", vec(message(), 0..7), option::of(0_u64..999), 1_u32..4, any::<bool>());
    let tools = (vec(tool(), 0..3), option::of(tool_choice()), option::of(any::<bool>()));
    let rest = (sampling(), vec(".{1,3}", 0..3), option::of(effort()), option::of("[a-z]{1,4}"), format());
    (asked, tools, rest).prop_map(|(asked, tools, rest)| {
        let (model, messages, cap, choices, stream) = asked;
        let (tools, tool_choice, parallel_tools) = tools;
        let (sampling, stop, effort, user, format) = rest;
        let output_cap = cap.map(Tokens::new);
        let reasoning = effort.map(|effort| Reasoning { effort: Some(effort), ..Reasoning::default() });
        let mut request = Request { model, tools, tool_choice, parallel_tools, format, ..Request::default() };
        request = Request { output_cap, choices, sampling, stop, reasoning, stream, user, ..request };
        for said in messages {
            let repeats = request.messages.last().is_some_and(|last| last.role == said.role);
            if !repeats || matches!(said.role, Role::System | Role::User) {
                request.say(said);
            }
        }
        request
    })
}

fn choice() -> impl Strategy<Value = Choice> {
    let citation = ("[a-z]{1,4}", "[a-z]{0,4}", option::of(".{1,3}"), 0_u64..9, 0_u64..9);
    let citation = citation.prop_map(|(url, title, quote, start, end)| Citation { url, title, quote, start, end });
    let text = (".{1,6}", vec(citation, 0..2));
    let text = text.prop_map(|(text, citations)| Text { text, citations, cache: None });
    let logprobs = option::of(vec(
        (".{1,3}", 0..9).prop_map(|(token, logprob)| json!({"token": token, "logprob": logprob})),
        1..3,
    ));
    let said = (vec(signed(), 0..2), option::of(".{1,4}"), option::of(text), option::of(".{1,5}"));
    (said, calls(), any::<bool>(), logprobs).prop_map(|((mut parts, thought, text, refusal), calls, cut, logprobs)| {
        let whole = match (calls.is_empty(), &refusal) {
            (false, _) => Finish::ToolCalls,
            (true, Some(_)) => Finish::Filter,
            (true, None) => Finish::Stop,
        };
        if let Some(text) = text {
            parts.extend(thought.map(|text| Part::Thought(Thought { text, ..Thought::default() })));
            parts.push(Part::Text(text));
        }
        parts.extend(refusal.map(Part::Refusal));
        parts.extend(calls);
        Choice { parts, finish: Some(if cut { Finish::Length } else { whole }), logprobs }
    })
}

/// Thoughts that are signed.
fn signed() -> impl Strategy<Value = Part> {
    (".{0,4}", ".{1,4}", any::<bool>()).prop_map(|(text, signature, sealed)| {
        let text = if sealed { String::new() } else { text };
        Part::Thought(Thought { text, signature: Some(signature), sealed })
    })
}

/// Calls with ids of their own, and the thoughts that belong to each.
fn calls() -> impl Strategy<Value = Vec<Part>> {
    let call = (vec(signed(), 0..2), "[a-z]{1,4}", "[a-z]{1,4}", any::<bool>());
    vec(call, 0..3).prop_map(|calls| {
        let numbered = (0..).zip(calls);
        let parts = numbered.flat_map(|(nth, (mut parts, name, input, free))| {
            let arguments = if free { input } else { json!({"a": input}).to_string() };
            parts.push(Part::ToolCall(ToolCall { id: format!("call_{nth}"), name, arguments, free }));
            parts
        });
        parts.collect()
    })
}

fn usage() -> impl Strategy<Value = Usage> {
    proptest::array::uniform8(0_u64..9).prop_map(|counts| {
        let [cached_input, cache_write, cache_write_hour, audio_input, reasoning, audio_output, input, output] =
            counts.map(Tokens::new);
        let input = input.plus(cached_input).plus(cache_write).plus(cache_write_hour).plus(audio_input);
        let output = output.plus(reasoning).plus(audio_output);
        Usage { input, cached_input, cache_write, cache_write_hour, audio_input, output, reasoning, audio_output }
    })
}

fn message() -> impl Strategy<Value = Message> {
    let name = || option::of("[a-z]{1,3}");
    let texts = || vec(".{0,5}".prop_map(Part::text), 0..3);
    let system = (name(), texts()).prop_map(|(name, parts)| Message { role: Role::System, name, parts });
    let user = (name(), vec(media(), 0..4)).prop_map(|(name, parts)| Message { role: Role::User, name, parts });
    let result = ("[a-z]{1,4}", texts()).prop_map(|(call, parts)| ToolResult { call, parts, ..ToolResult::default() });
    let tool = vec(result.prop_map(Part::ToolResult), 1..3).prop_map(|parts| Message::new(Role::Tool, parts));
    let said = prop_oneof![".{0,5}".prop_map(Part::text), ".{1,5}".prop_map(Part::Refusal)];
    let thoughts =
        prop_oneof![signed(), ".{1,4}".prop_map(|text| Part::Thought(Thought { text, ..Thought::default() }))];
    let assistant = (name(), vec(thoughts, 0..3), vec(said, 0..3), calls());
    let assistant = assistant.prop_map(|(name, mut parts, said, calls)| {
        parts.extend(said);
        parts.extend(calls);
        Message { role: Role::Assistant, name, parts }
    });
    prop_oneof![system, user, tool, assistant]
}

fn media() -> impl Strategy<Value = Part> {
    let inline = |kind: &str, data: String| Media::Inline { kind: kind.to_owned(), data };
    let image = ("[A-Za-z0-9]{4}", option::of("low|high|auto"), any::<bool>());
    let image = image.prop_map(move |(data, detail, remote)| {
        let url = || Media::Url { kind: None, url: format!("https://x/{data}") };
        Part::Image { media: if remote { url() } else { inline("image/png", data.clone()) }, detail, cache: None }
    });
    let audio = ("[A-Za-z0-9]{4}", "audio/wav|audio/mpeg|audio/flac");
    let audio = audio.prop_map(move |(data, kind)| Part::Audio { media: inline(&kind, data) });
    let file = ("[A-Za-z0-9]{4}", option::of("[a-z]{1,3}\\.pdf"));
    let file =
        file.prop_map(move |(data, name)| Part::File { media: inline("application/pdf", data), name, cache: None });
    prop_oneof![".{0,5}".prop_map(Part::text), image, audio, file]
}

fn tool() -> impl Strategy<Value = Tool> {
    let schema = option::of("[a-z]{1,3}".prop_map(|name| json!({"type": "object", "z": 1, "a": {name: 2}})));
    let tool = ("[a-c]", option::of(".{0,4}"), schema, option::of(any::<bool>()), any::<bool>());
    tool.prop_map(|(name, description, parameters, strict, free)| match free {
        true => Tool { name, description, free, ..Tool::default() },
        false => Tool { name, description, parameters, strict, ..Tool::default() },
    })
}

fn tool_choice() -> impl Strategy<Value = ToolChoice> {
    let one = "[a-c]".prop_map(ToolChoice::One);
    prop_oneof![Just(ToolChoice::Auto), Just(ToolChoice::None), Just(ToolChoice::Any), one]
}

fn sampling() -> impl Strategy<Value = Sampling> {
    let number =
        || option::of(prop::sample::select(vec![0.0, 0.125, 0.7, 2.0]).prop_map(|it| Number::from_f64(it).unwrap()));
    let all = (number(), number(), option::of(any::<i64>()), number(), number(), option::of(0_u32..20));
    all.prop_map(|(temperature, top_p, seed, frequency_penalty, presence_penalty, logprobs)| Sampling {
        temperature,
        top_p,
        top_k: None,
        seed,
        frequency_penalty,
        presence_penalty,
        logprobs,
    })
}

fn effort() -> impl Strategy<Value = Effort> {
    use Effort::{High, Highest, Low, Medium, Minimal, None};
    prop::sample::select(vec![None, Minimal, Low, Medium, High, Highest])
}

fn format() -> impl Strategy<Value = Format> {
    let schema = ("[a-z]{1,3}", option::of(".{0,3}"), option::of(any::<bool>()));
    let schema = schema.prop_map(|(name, description, strict)| Format::Schema {
        name,
        description,
        schema: json!({"type": "object"}),
        strict,
    });
    prop_oneof![Just(Format::Text), Just(Format::Json), schema]
}
