//! Requests in their one form, at random: see `tollgate::chat`.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Number, Value, json};
use tollgate::chat::{
    Cache, Effort, Format, Media, Message, Part, Reasoning, Request, Role, Sampling, Text, Thought, Tool, ToolCall,
    ToolChoice, ToolResult,
};
use tollgate::units::Tokens;

/// Texts that a wire format could trip over, and ordinary ones.
pub(super) fn text() -> impl Strategy<Value = String> {
    const WORDS: &[&str] =
        &["a", "Hi there.", "\u{e9}\u{1f600}", "\"q\"\\", "x\ny", "{\"a\":1}", "data: [DONE]\n\n", "null", "\u{2028}b"];
    prop::collection::vec(select(WORDS), 1..3).prop_map(|words| words.concat())
}

pub(super) fn word() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9_]{0,5}"
}

/// A JSON object whose text is the one that serde writes.
pub(super) fn object() -> impl Strategy<Value = Value> {
    let values = [
        json!({}),
        json!({"city": "Paris"}),
        json!({"z": 1, "a": -2.5, "m": null}),
        json!({"deep": {"list": [true, {"x": "\u{1f600}\"\\"}]}}),
    ];
    select(values.to_vec())
}

fn schema() -> impl Strategy<Value = Value> {
    let values = [
        json!({"type": "object", "properties": {}}),
        json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}),
        json!({"properties": {"z": {"type": "integer"}, "a": {"type": "string"}}, "type": "object", "additionalProperties": false}),
    ];
    select(values.to_vec())
}

fn number() -> impl Strategy<Value = Number> {
    prop_oneof![
        (0_u32..=2).prop_map(Number::from),
        select(&["0.0", "0.01", "0.5", "1.0", "1.25", "2.0"][..]).prop_map(|number| number.parse().unwrap()),
    ]
}

fn tokens() -> impl Strategy<Value = Tokens> {
    (1_u64..100_000).prop_map(Tokens::new)
}

fn cache() -> impl Strategy<Value = Option<Cache>> {
    prop_oneof![8 => Just(None), 1 => Just(Some(Cache::Minutes)), 1 => Just(Some(Cache::Hour))]
}

fn inline(kinds: &'static [&'static str]) -> impl Strategy<Value = Media> {
    (select(kinds), select(&["aGk=", "AAEC"][..]))
        .prop_map(|(kind, data)| Media::Inline { kind: kind.to_owned(), data: data.to_owned() })
}

fn media(kinds: &'static [&'static str]) -> impl Strategy<Value = Media> {
    let url = (prop::option::of(select(kinds)), word()).prop_map(|(kind, word)| Media::Url {
        kind: kind.map(str::to_owned),
        url: format!("https://example.com/{word}"),
    });
    prop_oneof![inline(kinds), url, word().prop_map(|id| Media::Stored(format!("file-{id}")))]
}

const IMAGES: &[&str] = &["image/png", "image/jpeg", "image/webp"];

fn image() -> impl Strategy<Value = Part> {
    let detail = prop::option::of(select(&["low", "high", "auto"][..]));
    (media(IMAGES), detail, cache()).prop_map(|(media, detail, cache)| Part::Image {
        media,
        detail: detail.map(str::to_owned),
        cache,
    })
}

fn file() -> impl Strategy<Value = Part> {
    (media(&["application/pdf", "text/plain"]), prop::option::of(word()), cache())
        .prop_map(|(media, name, cache)| Part::File { media, name, cache })
}

fn said() -> impl Strategy<Value = Part> {
    (text(), cache()).prop_map(|(text, cache)| Part::Text(Text { text, citations: Vec::new(), cache }))
}

fn asked() -> impl Strategy<Value = Part> {
    let sound = inline(&["audio/wav", "audio/mpeg"]).prop_map(|media| Part::Audio { media });
    prop_oneof![6 => said(), 2 => image(), 1 => file(), 1 => sound]
}

/// What a tool says: nothing, texts, and seldom an image or a file.
fn result() -> impl Strategy<Value = ToolResult> {
    let said = text().prop_map(Part::text);
    let seen = image().prop_map(|part| match part {
        Part::Image { media, .. } => Part::Image { media, detail: None, cache: None },
        other => other,
    });
    let parts = prop::collection::vec(prop_oneof![6 => said, 1 => seen], 0..3);
    (parts, prop::bool::weighted(0.2), cache()).prop_map(|(parts, failed, cache)| ToolResult {
        call: String::new(),
        parts,
        failed,
        cache,
    })
}

/// A part of an answer that is sent again; a call is of the tool at the index that `id` holds.
#[derive(Clone, Debug)]
enum Again {
    Part(Part),
    Call { tool: usize, arguments: Value, free: String, result: ToolResult },
}

/// A signed thought: one that is told, one that is sealed, or one that only signs what comes after it.
pub(super) fn thought() -> impl Strategy<Value = Thought> {
    (prop::option::of(text()), word(), any::<bool>()).prop_map(|(text, signature, sealed)| Thought {
        sealed: sealed && text.is_none(),
        text: text.unwrap_or_default(),
        signature: Some(signature),
    })
}

fn again() -> impl Strategy<Value = Again> {
    let call = (any::<usize>(), object(), text(), result()).prop_map(|(tool, arguments, free, result)| Again::Call {
        tool,
        arguments,
        free,
        result,
    });
    prop_oneof![
        4 => said().prop_map(Again::Part),
        2 => thought().prop_map(|thought| Again::Part(Part::Thought(thought))),
        1 => text().prop_map(|text| Again::Part(Part::Refusal(text))),
        3 => call,
    ]
}

#[derive(Clone, Debug)]
enum Turn {
    Asked(Option<String>, Vec<Part>),
    Answered(Option<String>, Vec<Again>),
}

fn turn() -> impl Strategy<Value = Turn> {
    let name = || prop_oneof![9 => Just(None), 1 => word().prop_map(Some)];
    prop_oneof![
        (name(), prop::collection::vec(asked(), 1..3)).prop_map(|(name, parts)| Turn::Asked(name, parts)),
        (name(), prop::collection::vec(again(), 1..5)).prop_map(|(name, parts)| Turn::Answered(name, parts)),
    ]
}

fn tool() -> impl Strategy<Value = Tool> {
    let about = (prop::option::of(text()), prop::option::weighted(0.9, schema()), prop::option::of(any::<bool>()));
    (about, prop::bool::weighted(0.2), cache()).prop_map(|((description, parameters, strict), free, cache)| Tool {
        name: String::new(),
        description,
        parameters: parameters.filter(|_| !free),
        strict: strict.filter(|_| !free),
        free,
        cache,
    })
}

fn format() -> impl Strategy<Value = Format> {
    let schema = (word(), prop::option::of(text()), schema(), prop::option::of(any::<bool>()))
        .prop_map(|(name, description, schema, strict)| Format::Schema { name, description, schema, strict });
    prop_oneof![4 => Just(Format::Text), 1 => Just(Format::Json), 2 => schema]
}

fn sampling() -> impl Strategy<Value = Sampling> {
    let seldom = || prop::option::weighted(0.2, number());
    let whole = (prop::option::weighted(0.2, 1_u64..100), prop::option::weighted(0.2, -5_i64..1_000_000));
    (seldom(), seldom(), whole, seldom(), seldom(), prop::option::weighted(0.2, 0_u32..20)).prop_map(
        |(temperature, top_p, (top_k, seed), frequency_penalty, presence_penalty, logprobs)| Sampling {
            temperature,
            top_p,
            top_k,
            seed,
            frequency_penalty,
            presence_penalty,
            logprobs,
        },
    )
}

fn reasoning() -> impl Strategy<Value = Option<Reasoning>> {
    use Effort::{High, Highest, Low, Medium, Minimal, None as Not};
    let effort = prop::option::of(select(&[Not, Minimal, Low, Medium, High, Highest][..]));
    let budget = prop::option::of(prop_oneof![Just(Tokens::ZERO), (1024_u64..100_000).prop_map(Tokens::new)]);
    let some = (effort, budget, prop::option::of(any::<bool>()))
        .prop_filter("it says something", |(effort, budget, told)| {
            effort.is_some() || budget.is_some() || told.is_some()
        })
        .prop_map(|(effort, budget, told)| Reasoning { effort, budget, told });
    prop_oneof![3 => Just(None), 2 => some.prop_map(Some)]
}

fn tool_choice() -> impl Strategy<Value = Option<ToolChoice>> {
    let some = [ToolChoice::Auto, ToolChoice::None, ToolChoice::Any, ToolChoice::One("t0".to_owned())];
    prop::option::of(select(some.to_vec()))
}

/// Any request.
pub(crate) fn request() -> impl Strategy<Value = Request> {
    let system =
        prop::collection::vec((prop::collection::vec(said(), 1..3), prop::option::weighted(0.1, word())), 0..3);
    let said = (system, prop::collection::vec(turn(), 1..5));
    let tools = (prop::collection::vec(tool(), 0..3), tool_choice(), prop::option::of(any::<bool>()));
    let asked = (format(), prop::option::of(tokens()), 1_u32..3, sampling(), prop::collection::vec(word(), 0..3));
    let rest = (reasoning(), any::<bool>(), prop::option::weighted(0.2, word()), word());
    (said, tools, asked, rest).prop_map(|((system, turns), (tools, tool_choice, parallel_tools), asked, rest)| {
        let (format, output_cap, choices, sampling, stop) = asked;
        let (reasoning, stream, user, model) = rest;
        let mut request = Request {
            model,
            format,
            output_cap,
            choices,
            sampling,
            stop,
            reasoning,
            stream,
            user,
            ..Request::default()
        };
        request.tools = tools;
        for (nth, tool) in request.tools.iter_mut().enumerate() {
            tool.name = format!("t{nth}");
        }
        if !request.tools.is_empty() {
            (request.tool_choice, request.parallel_tools) = (tool_choice, parallel_tools);
        }
        for (parts, name) in system {
            request.say(Message { role: Role::System, name, parts });
        }
        let mut calls = 0;
        for turn in turns {
            take_turn(&mut request, turn, &mut calls);
        }
        tidy(&mut request);
        request
    })
}

fn take_turn(request: &mut Request, turn: Turn, calls: &mut usize) {
    let (name, said) = match turn {
        Turn::Asked(name, parts) => return request.say(Message { role: Role::User, name, parts }),
        Turn::Answered(name, said) => (name, said),
    };
    let (mut parts, mut results) = (Vec::new(), Vec::new());
    for part in said {
        match part {
            Again::Part(part) => parts.push(part),
            Again::Call { tool, arguments, free, mut result } if !request.tools.is_empty() => {
                let tool = &request.tools[tool % request.tools.len()];
                let id = format!("call_{calls}");
                *calls += 1;
                result.call.clone_from(&id);
                let arguments = if tool.free { free } else { arguments.to_string() };
                parts.push(Part::ToolCall(ToolCall { id, name: tool.name.clone(), arguments, free: tool.free }));
                results.push(Part::ToolResult(result));
            }
            Again::Call { .. } => {}
        }
    }
    if !parts.is_empty() {
        request.say(Message { role: Role::Assistant, name, parts });
    }
    if !results.is_empty() {
        request.say(Message::new(Role::Tool, results));
    }
}

/// Brings `request` to its one form again: of neighbours that may be one, one; no message without parts; a thought
/// that only signs what comes after it has something after it.
pub(crate) fn tidy(request: &mut Request) {
    for mut message in std::mem::take(&mut request.messages) {
        if message.role == Role::Assistant {
            message.parts = signed(message.parts);
        }
        if !message.parts.is_empty() {
            request.say(message);
        }
    }
}

/// `parts`, in which what only signs comes before a text or a call, and once; all there is is not thought.
pub(super) fn signed(parts: Vec<Part>) -> Vec<Part> {
    let signs = |part: &Part| matches!(part, Part::Thought(thought) if thought.text.is_empty() && !thought.sealed);
    let next: Vec<bool> = parts.iter().skip(1).map(|part| matches!(part, Part::Text(_) | Part::ToolCall(_))).collect();
    let keep = |nth: usize, part: &Part| !signs(part) || next.get(nth) == Some(&true);
    let kept: Vec<Part> =
        parts.iter().enumerate().filter(|(nth, part)| keep(*nth, part)).map(|(_, part)| part.clone()).collect();
    if kept.iter().all(|part| matches!(part, Part::Thought(_))) { Vec::new() } else { kept }
}
