//! The same shape by a slow reader of values, for bodies in any order, white space and escapes; and
//! for bodies that can be read in two ways, never less than either reading.

use super::shape;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tollgate::bound::Shape;
use tollgate::service::Word;

/// What `body` is made of, were there all the time in the world; `bytes` is how long it is written.
fn slow(body: &Value, bytes: usize) -> Shape {
    let mut shape = Shape::default();
    let mut media = 0;
    for message in list(&body["messages"], &mut shape) {
        let given = |field: &str| is_given(&message[field]);
        shape.unbounded |= !message.is_object() || given("audio") || given("attachments") || given("file_ids");
        match &message["content"] {
            Value::Array(parts) => parts.iter().for_each(|part| media += slow_part(part, &mut shape)),
            part @ Value::Object(_) => media += slow_part(part, &mut shape),
            other => shape.unbounded |= !other.is_string() && is_given(other),
        }
    }
    for tool in list(&body["tools"], &mut shape) {
        shape.tools = true;
        shape.unbounded |= tool["type"] != "function" && tool["type"] != "custom";
    }
    for modality in list(&body["modalities"], &mut shape) {
        shape.kinds.audio_output |= modality == "audio";
        shape.unbounded |= modality != "audio" && modality != "text";
    }
    shape.kinds.audio_output |= is_given(&body["audio"]);
    shape.unbounded |= is_given(&body["web_search_options"]) || is_given(&body["plugins"]);
    shape.service.uses.searches = u64::from(is_given(&body["web_search_options"]));
    if is_given(&body["service_tier"]) && !["auto", "default", "flex"].map(Value::from).contains(&body["service_tier"])
    {
        shape.service.tier = Word::of(body["service_tier"].as_str().unwrap());
        (shape.service_alone, shape.unbounded) = (!shape.unbounded, true);
    }
    shape.kinds.cache_hour = keeps_long(body);
    shape.bytes = u64::try_from(bytes).unwrap() - media;
    shape
}

/// Counts a part, and gives the bytes of it that are media.
fn slow_part(part: &Value, shape: &mut Shape) -> u64 {
    let fields = ["image_url", "input_audio", "file"].map(|field| (field, &part[field]));
    let given: Vec<_> = fields.into_iter().filter(|(_, value)| is_given(value)).collect();
    let (mut bytes, mut known) = (0, true);
    for (field, value) in &given {
        let (inline, understood) = match *field {
            "image_url" => {
                shape.images += 1;
                let url = value["url"].as_str().or(value.as_str()).unwrap_or_default();
                let inline = url.strip_prefix("data:image").and_then(|url| url.split_once(";base64,"));
                (inline.map_or(0, |(_, data)| data.len()), inline.is_some() || url.starts_with("http"))
            }
            "input_audio" => {
                shape.kinds.audio_input = true;
                let data = value["data"].as_str().map_or(0, str::len);
                shape.audio_bytes += u64::try_from(data).unwrap();
                (data, ["wav", "mp3"].map(Value::from).contains(&value["format"]) && value["data"].is_string())
            }
            _ => {
                shape.files += 1;
                let data = value["file_data"].as_str().map(|data| data.split_once(',').map_or(data, |(_, data)| data));
                let pdf = data.filter(|data| data.starts_with("JVBER")).map_or(0, str::len);
                (pdf, data.is_some() && !is_given(&value["file_id"]))
            }
        };
        (bytes, known) = (bytes + inline, known && understood);
    }
    let clear = match given[..] {
        [] => part.is_string() || part["type"] == "text" || part["type"] == "refusal",
        [(field, _)] => known && part["type"] == field,
        _ => false,
    };
    shape.unbounded |= !clear;
    if clear { u64::try_from(bytes).unwrap() } else { 0 }
}

fn is_given(value: &Value) -> bool {
    !value.is_null() && value != false
}

fn list<'a>(value: &'a Value, shape: &mut Shape) -> &'a [Value] {
    shape.unbounded |= is_given(value) && !value.is_array();
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Whether input is to be cached for longer than minutes, wherever that is said.
fn keeps_long(value: &Value) -> bool {
    let long = |ttl: &Value| is_given(ttl) && ttl != "5m" && ttl != "30m";
    match value {
        Value::Array(values) => values.iter().any(keeps_long),
        Value::Object(members) => members.get("ttl").is_some_and(long) || members.values().any(keeps_long),
        _ => false,
    }
}

/// Values as they are written: members in an order, and as often as one likes.
#[derive(Clone, Debug)]
enum Written {
    Plain(Value),
    List(Vec<Self>),
    Members(Vec<(String, Self)>),
}

/// Choices that a test case makes.
struct Dice<'a>(std::iter::Cycle<std::slice::Iter<'a, u8>>);

impl Dice<'_> {
    fn below(&mut self, sides: usize) -> usize {
        usize::from(*self.0.next().unwrap()) % sides
    }
}

impl Written {
    /// `value` with its members in some order.
    fn of(value: &Value, dice: &mut Dice<'_>) -> Self {
        match value {
            Value::Array(values) => Self::List(values.iter().map(|value| Self::of(value, dice)).collect()),
            Value::Object(members) => {
                let mut shuffled: Vec<(String, Self)> = Vec::new();
                for (name, value) in members {
                    let at = dice.below(shuffled.len() + 1);
                    shuffled.insert(at, (name.clone(), Self::of(value, dice)));
                }
                Self::Members(shuffled)
            }
            plain => Self::Plain(plain.clone()),
        }
    }

    /// This with members of `other` put between its own, so that some are there twice.
    fn mixed(&mut self, other: &Self, dice: &mut Dice<'_>) {
        match (self, other) {
            (Self::Members(own), Self::Members(others)) => {
                for (name, value) in others {
                    let twin = own.iter_mut().find(|(own, _)| own == name && name != "model");
                    match twin {
                        Some((_, twin)) if dice.below(2) == 0 => twin.mixed(value, dice),
                        _ if name == "model" => {}
                        _ => {
                            let at = dice.below(own.len() + 1);
                            own.insert(at, (name.clone(), value.clone()));
                        }
                    }
                }
            }
            (Self::List(own), Self::List(others)) => {
                own.iter_mut().zip(others).for_each(|(own, other)| own.mixed(other, dice));
            }
            _ => {}
        }
    }

    /// What a reader sees that takes the first of like members, or the last.
    fn read(&self, first: bool) -> Value {
        match self {
            Self::Plain(value) => value.clone(),
            Self::List(values) => values.iter().map(|value| value.read(first)).collect(),
            Self::Members(members) => {
                let mut read = Map::new();
                for (name, value) in members {
                    if !first || !read.contains_key(name) {
                        read.insert(name.clone(), value.read(first));
                    }
                }
                Value::Object(read)
            }
        }
    }

    fn write(&self, dice: &mut Dice<'_>, escapes: usize, json: &mut String) {
        const SPACE: [&str; 6] = ["", "", "", " ", "\n\t", "\r "];
        let space = |dice: &mut Dice<'_>| SPACE[dice.below(SPACE.len())];
        json.push_str(space(dice));
        match self {
            Self::Plain(Value::String(text)) => write_text(text, dice, escapes, json),
            Self::Plain(value) => json.push_str(&value.to_string()),
            Self::List(values) => {
                for (at, value) in values.iter().enumerate() {
                    json.push(if at == 0 { '[' } else { ',' });
                    value.write(dice, escapes, json);
                }
                json.push_str(if values.is_empty() { "[]" } else { "]" });
            }
            Self::Members(members) => {
                for (at, (name, value)) in members.iter().enumerate() {
                    json.push(if at == 0 { '{' } else { ',' });
                    json.push_str(space(dice));
                    write_text(name, dice, escapes, json);
                    json.push_str(space(dice));
                    json.push(':');
                    value.write(dice, escapes, json);
                }
                json.push_str(if members.is_empty() { "{}" } else { "}" });
            }
        }
        json.push_str(space(dice));
    }
}

/// Writes `text` with one letter of `escapes` escaped, or none where that is 0.
fn write_text(text: &str, dice: &mut Dice<'_>, escapes: usize, json: &mut String) {
    json.push('"');
    for letter in text.chars() {
        let code = u32::from(letter);
        if escapes > 0 && code < 0x80 && dice.below(escapes) == 0 {
            json.push_str(&format!("\\u{code:04x}"));
        } else {
            let plain = Value::from(letter.to_string()).to_string();
            json.push_str(&plain[1..plain.len() - 1]);
        }
    }
    json.push('"');
}

fn part() -> impl Strategy<Value = Value> {
    let base64 = || "[A-Za-z0-9+/]{0,40}={0,2}";
    let url = prop_oneof![
        base64().prop_map(|data| format!("data:image/png;base64,{data}")),
        base64().prop_map(|data| format!("data:image/svg+xml,{data}")),
        Just("https://x.test/a.png".to_owned()),
        Just("gs://bucket/film".to_owned()),
    ];
    let kind =
        prop::sample::select(vec!["text", "refusal", "image_url", "input_audio", "file", "video_url", "document"]);
    let wrapped = any::<bool>();
    let image = (url, wrapped)
        .prop_map(|(url, wrapped)| if wrapped { json!({"url": url, "detail": "high"}) } else { url.into() });
    let sound = (base64(), "wav|mp3|opus").prop_map(|(data, format)| json!({"data": data, "format": format}));
    let file = prop_oneof![
        base64()
            .prop_map(|data| json!({"file_data": format!("data:application/pdf;base64,JVBER{data}"), "filename": "a"})),
        base64().prop_map(|data| json!({"file_data": data})),
        Just(json!({"file_id": "file-1"})),
        Just(json!({"file_data": "JVBERAAA", "file_id": "file-1"})),
    ];
    let media = prop_oneof![
        Just(("text", json!("some text: \"data:image/png;base64,AAAA\" \\ 🙂"))),
        image.prop_map(|image| ("image_url", image)),
        sound.prop_map(|sound| ("input_audio", sound)),
        file.prop_map(|file| ("file", file)),
        Just(("file", Value::Null)),
    ];
    let ttl = prop::option::of(prop::sample::select(vec!["5m", "1h", "30m", "12h"]));
    (media, prop::option::weighted(0.2, kind), ttl).prop_map(|((field, value), other, ttl)| {
        let mut part = json!({"type": other.unwrap_or(field), field: value});
        if let Some(ttl) = ttl {
            part["cache_control"] = json!({"type": "ephemeral", "ttl": ttl});
        }
        part
    })
}

fn body() -> impl Strategy<Value = Value> {
    let content = prop_oneof![
        3 => prop::collection::vec(part(), 0..4).prop_map(Value::Array),
        1 => part(),
        2 => Just(json!("text")),
        1 => Just(Value::Null),
        1 => Just(json!([7, "text"])),
    ];
    let message = (content, prop::option::weighted(0.1, Just(json!({"id": "audio_1"}))))
        .prop_map(|(content, audio)| json!({"role": "user", "content": content, "audio": audio}));
    let tool = prop::sample::select(vec![
        json!({"type": "function", "function": {"name": "f", "parameters": {"properties": {"type": {}, "image_url": {}}}}}),
        json!({"type": "custom", "custom": {"name": "c"}}),
        json!({"type": "web_search"}),
    ]);
    let other = prop::sample::select(vec![
        ("modalities", json!(["text", "audio"])),
        ("modalities", json!(["image"])),
        ("audio", json!({"voice": "alloy"})),
        ("web_search_options", json!({})),
        ("plugins", Value::Null),
        ("service_tier", json!("priority")),
        ("service_tier", json!("flex")),
        ("metadata", json!({"a": ["b", {"image_url": "c"}], "n": [1, true, null]})),
    ]);
    let messages = prop::collection::vec(message, 0..3);
    (messages, prop::collection::vec(tool, 0..2), prop::collection::vec(other, 0..3)).prop_map(
        |(messages, tools, others)| {
            let mut body = json!({"model": "m", "messages": messages, "tools": tools});
            body.as_object_mut().unwrap().extend(others.into_iter().map(|(name, value)| (name.to_owned(), value)));
            body
        },
    )
}

/// Whether nothing of `truth` is more than what `shape` holds for it.
fn covers(shape: &Shape, truth: &Shape) -> bool {
    let kinds = [
        (shape.kinds.audio_input, truth.kinds.audio_input),
        (shape.kinds.audio_output, truth.kinds.audio_output),
        (shape.kinds.cache_hour, truth.kinds.cache_hour),
        (shape.tools, truth.tools),
        (shape.unbounded, truth.unbounded),
        (!shape.service_alone, truth.unbounded && !truth.service_alone),
        (!shape.service.tier.is_empty(), !truth.service.tier.is_empty()),
    ];
    let known = shape.bytes >= truth.bytes && kinds.iter().all(|(shape, truth)| shape >= truth);
    known
        && shape.service.uses.searches >= truth.service.uses.searches
        && shape.images >= truth.images
        && shape.files >= truth.files
        && shape.audio_bytes >= truth.audio_bytes
}

proptest! {
    #[test]
    fn order_and_white_space_change_nothing(body in body(), dice in prop::collection::vec(any::<u8>(), 1..400)) {
        let mut dice = Dice(dice.iter().cycle());
        let mut json = String::new();
        Written::of(&body, &mut dice).write(&mut dice, 0, &mut json);
        prop_assert_eq!(shape(&json), slow(&body, json.len()), "{}", json);
    }

    #[test]
    fn escapes_never_make_it_less(body in body(), dice in prop::collection::vec(any::<u8>(), 1..400), one_of in 1..20_usize) {
        let mut dice = Dice(dice.iter().cycle());
        let mut json = String::new();
        Written::of(&body, &mut dice).write(&mut dice, one_of, &mut json);
        let truth = slow(&body, body.to_string().len());
        prop_assert!(covers(&shape(&json), &truth), "{:?} does not cover {:?}: {}", shape(&json), truth, json);
    }

    #[test]
    fn what_can_be_read_in_two_ways_covers_both(
        body in body(),
        other in body(),
        dice in prop::collection::vec(any::<u8>(), 1..400),
        one_of in 0..20_usize,
    ) {
        let mut dice = Dice(dice.iter().cycle());
        let mut written = Written::of(&body, &mut dice);
        written.mixed(&Written::of(&other, &mut dice), &mut dice);
        let mut json = String::new();
        written.write(&mut dice, one_of, &mut json);
        for first in [true, false] {
            let read = written.read(first);
            let truth = slow(&read, read.to_string().len());
            prop_assert!(covers(&shape(&json), &truth), "{:?} does not cover {:?}: {}", shape(&json), truth, json);
        }
    }
}
