//! The law of metering: for any stream of any dialect, with anything unheard of in it, cut or left anywhere, the bill is what the
//! provider told where it told it, and else at least what could be seen and at most what was held. No stream is for nothing.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "tests")]

use proptest::prelude::*;
use serde_json::{Value, json};
use std::{fmt, fs};
use tollgate::chat::Usage;
use tollgate::dialect::{Dialect, Endpoint, Stamp};
use tollgate::passthrough::{self, Meter};
use tollgate::price::{Bill, Price};
use tollgate::reckon::{Basis, Reckoning};
use tollgate::relay::{End, Relay};
use tollgate::rows::Truth;
use tollgate::units::{Rate, Tokens};

const CASES: [&str; 7] = ["text", "tools", "parallel", "image", "schema", "reasoning", "length"];
const CLIENTS: [Endpoint; 5] =
    [Endpoint::Chat, Endpoint::Completions, Endpoint::Responses, Endpoint::Messages, Endpoint::Generate];
const HELD: Tokens = Tokens::new(4_000);

/// A frame of a stream: how it stands on the wire, and what it says.
#[derive(Clone)]
struct Piece {
    wire: Vec<u8>,
    /// The tokens of it that can be seen.
    seen: u64,
    tells_usage: bool,
}

impl Piece {
    /// It says that an answer ends.
    fn ends(&self) -> bool {
        let text = String::from_utf8_lossy(&self.wire);
        let words = [
            "finish_reason\":\"",
            "stop_reason\":\"",
            "finishReason\":\"",
            "stopReason\":\"",
            "response.completed",
            "response.incomplete",
        ];
        words.iter().any(|word| text.contains(word))
    }
}

impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} seen {} usage {}", String::from_utf8_lossy(&self.wire), self.seen, self.tells_usage)
    }
}

/// The frames of a fixture.
fn fixture(dialect: Dialect, case: &str) -> Vec<Piece> {
    let folder = dialect.name().replace('-', "_");
    let path = |ending: &str| format!("tests/fixtures/chat/{folder}/{case}.{ending}");
    if dialect == Dialect::Converse {
        let listed: Vec<Value> = serde_json::from_slice(&fs::read(path("events.json")).unwrap()).unwrap();
        return listed.iter().map(|one| piece(dialect, one["type"].as_str().unwrap(), &one["payload"])).collect();
    }
    let text = fs::read_to_string(path("sse")).unwrap();
    let frame = |frame: &str| {
        let data: String = frame.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
        let value: Value = serde_json::from_str(&data).unwrap_or_default();
        let (seen, tells_usage) = (seen(&value), tells_usage(&value));
        Piece { wire: frame.as_bytes().to_vec(), seen, tells_usage }
    };
    text.split_inclusive("\n\n").map(frame).collect()
}

/// A frame that says `value`.
fn piece(dialect: Dialect, kind: &str, value: &Value) -> Piece {
    let wire = match dialect {
        Dialect::Converse => message(kind, &value.to_string()),
        _ => format!("data: {value}\n\n").into_bytes(),
    };
    Piece { wire, seen: seen(value), tells_usage: tells_usage(value) }
}

/// One message of Amazon's event stream.
fn message(kind: &str, payload: &str) -> Vec<u8> {
    let header = |name: &str, value: &str| {
        let length = u16::try_from(value.len()).unwrap().to_be_bytes();
        let name_length = u8::try_from(name.len()).unwrap();
        [&[name_length], name.as_bytes(), &[7], &length, value.as_bytes()].concat()
    };
    let headers = [header(":message-type", "event"), header(":event-type", kind)].concat();
    let lengths = [16 + headers.len() + payload.len(), headers.len()].map(|length| u32::try_from(length).unwrap());
    let prelude = lengths.map(u32::to_be_bytes).concat();
    let crc = |bytes: &[u8]| crc32fast::hash(bytes).to_be_bytes();
    let message = [&prelude, &crc(&prelude)[..], &headers, payload.as_bytes()].concat();
    [message.as_slice(), &crc(&message)].concat()
}

fn tells_usage(value: &Value) -> bool {
    let at = |path: &str| value.pointer(path).is_some_and(Value::is_object);
    ["/usage", "/usageMetadata", "/response/usage"].iter().any(|path| at(path))
}

/// The tokens that a reader of the stream sees come: a short text is one.
fn seen(value: &Value) -> u64 {
    let tokens = |text: &str| match text.len() {
        0 => 0,
        1..=16 => 1,
        length => u64::try_from(length / 4).unwrap(),
    };
    match value {
        Value::Object(members)
            if members.get("type").and_then(Value::as_str).is_some_and(|kind| kind.ends_with(".done")) =>
        {
            0
        }
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| match (name.as_str(), value) {
                (
                    "text" | "content" | "thinking" | "partial_json" | "reasoning_content" | "unheard_of",
                    Value::String(text),
                ) => tokens(text),
                // What is done was seen before, and a thought may be told twice.
                ("item" | "part" | "response", Value::Object(_)) | ("reasoning_details", _) => 0,
                ("response", Value::String(text)) => tokens(text),
                ("delta", Value::String(text)) => tokens(text),
                (_, value) => seen(value),
            })
            .sum(),
        Value::Array(list) if !list.is_empty() && value.get(0).is_some_and(Value::is_object) => {
            list.iter().map(seen).sum()
        }
        _ => 0,
    }
}

/// A frame that says `text` as nobody here has ever heard it said.
fn unheard_of(dialect: Dialect, text: &str, form: usize) -> Piece {
    let said = json!({"unheard_of": text, "id": "0123456789abcdefghi", "type": "new"});
    let event = ("somethingNew", json!({"type": "something.new", "id": "x", "unheard_of": {"in": [said]}}));
    let (kind, value) = match (dialect, form) {
        (Dialect::OpenAi, 0) => ("", json!({"id": "c", "choices": [{"index": 0, "delta": said}]})),
        (Dialect::Anthropic, 0) => ("", json!({"type": "content_block_delta", "index": 0, "delta": said})),
        (Dialect::Responses, 0) => ("", json!({"type": "response.something.delta", "delta": text, "item_id": "i"})),
        (Dialect::Gemini, 0) => ("", json!({"candidates": [{"index": 0, "content": {"parts": [said]}}]})),
        (Dialect::Converse, 0) => ("contentBlockDelta", json!({"contentBlockIndex": 0, "delta": {"new": said}})),
        _ => event,
    };
    piece(dialect, kind, &value)
}

fn streams() -> impl Strategy<Value = (Dialect, Endpoint, Vec<Piece>)> {
    let place = (any::<prop::sample::Index>(), "[a-z ]{1,40}", 0..2_usize);
    let new = prop::collection::vec(place, 0..3);
    let of = (prop::sample::select(Dialect::ALL.to_vec()), prop::sample::select(CASES.to_vec()), 0..CLIENTS.len(), new);
    of.prop_map(|(dialect, case, client, new)| {
        let mut pieces = fixture(dialect, case);
        for (at, text, form) in new {
            // After the last word nothing is read. Where no end is told, what comes after a usage is more than that.
            let ends = pieces.iter().any(Piece::ends);
            let most =
                if ends { pieces.len() } else { pieces.iter().rposition(|piece| piece.tells_usage).unwrap() + 1 };
            pieces.insert(at.index(most), unheard_of(dialect, &text, form));
        }
        (dialect, CLIENTS[client], pieces)
    })
}

/// The usage that the provider of a stream tells in the end.
fn truth(dialect: Dialect, pieces: &[Piece]) -> Usage {
    let mut relay = relay(dialect, Endpoint::Chat);
    for piece in pieces {
        relay.push(&piece.wire);
    }
    relay.finish(End::Whole);
    relay.metered().known.usage.unwrap()
}

fn relay(from: Dialect, to: Endpoint) -> Relay {
    Relay::between(from, to, &Stamp { id: "1-2", created: 17, model: "m" }, true)
}

/// How much of a stream came with its first `bytes`: the tokens seen in whole frames, and whether the provider's last word on its
/// usage is among them: that is told by its place behind the end of the answer, or by the end of all.
fn came(pieces: &[Piece], bytes: usize) -> (u64, bool) {
    let last = pieces.iter().rposition(|piece| piece.tells_usage).unwrap();
    let ends = pieces[..=last].iter().any(Piece::ends);
    let (mut end, mut sum, mut told) = (0, 0, false);
    for (nth, piece) in pieces.iter().enumerate() {
        end += piece.wire.len();
        if end > bytes {
            break;
        }
        sum += piece.seen;
        told |= nth == last && ends;
        if nth + 1 == pieces.len() {
            return (sum, true);
        }
    }
    (sum, told)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_stream_is_billed_what_was_told_or_what_was_seen(
        (dialect, client, pieces) in streams(),
        at in any::<prop::sample::Index>(),
        size in 1..400_usize,
        is_left in any::<bool>(),
    ) {
        let wire: Vec<u8> = pieces.iter().flat_map(|piece| piece.wire.clone()).collect();
        let bytes = at.index(wire.len() + 1);
        let (seen, told) = came(&pieces, bytes);
        let mut relay = relay(dialect, client);
        for chunk in wire[..bytes].chunks(size) {
            relay.push(chunk);
        }
        if !is_left {
            relay.finish(End::Cut);
        }
        let reckoning = Reckoning { input: Tokens::new(50), output_max: Some(HELD), bounds: None };
        let (usage, basis) = reckoning.settle(relay.metered().over());
        if told {
            prop_assert_eq!((usage, basis), (truth(dialect, &pieces), Basis::Told));
        } else {
            prop_assert!(usage.output.get() >= seen && usage.output <= HELD, "{} for {seen}", usage.output.get());
            prop_assert!(usage.input > Tokens::ZERO);
        }
    }

    #[test]
    fn a_native_stream_is_billed_what_was_told_or_what_was_held(
        (dialect, _, pieces) in streams(),
        at in any::<prop::sample::Index>(),
        size in 1..400_usize,
        is_list in any::<bool>(),
    ) {
        let kind = match dialect {
            Dialect::Converse => "application/vnd.amazon.eventstream",
            Dialect::Gemini if is_list => "application/json",
            _ => "text/event-stream",
        };
        let mut pieces = pieces;
        if kind == "application/json" {
            for (nth, piece) in pieces.iter_mut().enumerate() {
                let data = String::from_utf8(piece.wire.clone()).unwrap();
                let data = data.strip_prefix("data: ").unwrap().trim_end().to_owned();
                piece.wire = format!("{}{data}", if nth == 0 { "[" } else { "\n," }).into_bytes();
            }
        }
        let wire: Vec<u8> = pieces.iter().flat_map(|piece| piece.wire.clone()).collect();
        let bytes = at.index(wire.len() + 1);
        let (seen, told) = came(&pieces, bytes);
        let mut meter = Meter::new(kind);
        for chunk in wire[..bytes].chunks(size) {
            meter.push(chunk);
        }
        let price = Price::flat(Rate::new(1_000_000_000), Rate::new(40_000_000_000));
        let (bill, cost, rests_on) = passthrough::bill(&price, true, &meter, None);
        if told {
            let usage = truth_of(dialect, &pieces, kind);
            prop_assert_eq!((bill.input, bill.output, rests_on), (usage.input, usage.output, Truth::Reported));
        } else if rests_on != Truth::Reported {
            prop_assert!(cost >= passthrough::hold(&price) && cost >= price.cost(Bill::of(Tokens::ZERO, Tokens::new(seen / 4))));
        }
        prop_assert!(cost.get() > 0);
    }
}

fn truth_of(dialect: Dialect, pieces: &[Piece], kind: &str) -> Usage {
    if kind != "application/json" {
        return truth(dialect, pieces);
    }
    let sse = |piece: &Piece| {
        let data = String::from_utf8(piece.wire.clone()).unwrap();
        Piece { wire: format!("data: {}\n\n", &data[1..].trim_start_matches(',')).into_bytes(), ..piece.clone() }
    };
    truth(dialect, &pieces.iter().map(sse).collect::<Vec<_>>())
}
