//! The laws of relaying: what the client gets, what is metered, and that the cut never matters.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "tests")]

use proptest::prelude::*;
use serde_json::{Value, json};
use std::path::Path;
use tollgate::chat::Usage;
use tollgate::dialect::estimate::estimate;
use tollgate::relay::{End, Metered, Relay, Relayed};
use tollgate::sse::FRAME_BYTES_MAX;
use tollgate::units::Tokens;

const FIXTURES: [&str; 6] = ["plain", "traps", "cumulative", "error", "no_done", "done_twice"];

fn fixture(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/openai");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

/// Relays `chunks` and says what the client got and what was metered.
fn relay<'a>(show_usage: bool, chunks: impl IntoIterator<Item = &'a [u8]>, end: End) -> (Vec<u8>, Metered) {
    let (mut relay, mut client) = (Relay::new(show_usage), Vec::new());
    for chunk in chunks {
        client.extend(push(&mut relay, chunk));
    }
    client.extend(relay.finish(end));
    assert!(relay.is_over());
    assert_eq!(relay.finish(end), b"", "the end is said once");
    assert_eq!(push(&mut relay, b"data: late\n\n"), b"");
    (client, relay.metered())
}

fn push(relay: &mut Relay, chunk: &[u8]) -> Vec<u8> {
    match relay.push(chunk) {
        Relayed::Same => chunk.to_vec(),
        Relayed::Bytes(bytes) | Relayed::Failed(bytes) => bytes,
    }
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

fn usage(input: u64, cached: u64, output: u64) -> Option<Usage> {
    let (input, cached_input, output) = (Tokens::new(input), Tokens::new(cached), Tokens::new(output));
    Some(Usage { input, cached_input, output, ..Usage::default() })
}

/// Checks one fixture: the client that did not ask for usage gets `<name>.client.sse`.
#[track_caller]
fn check(name: &str, metered: (Option<Usage>, u64, bool)) {
    let stream = fixture(&format!("{name}.sse"));
    let (hidden, said) = relay(false, [stream.as_bytes()], End::Whole);
    assert_eq!(text(&hidden), fixture(&format!("{name}.client.sse")), "{name}");
    assert_eq!((said.known.usage, said.known.counted.get(), said.whole), metered, "{name}");

    let (shown, said) = relay(true, [stream.as_bytes()], End::Whole);
    assert_eq!((said.known.usage, said.known.counted.get(), said.whole), metered, "{name}");
    let same = text(&shown).starts_with(&stream) || stream.starts_with(text(&shown));
    assert!(same, "{name}: all passes to the client that asked");
}

#[test]
fn the_client_gets_what_it_asked_for_and_the_meter_all() {
    check("plain", (usage(19, 16, 3), 1 + 9, true));
    check("traps", (usage(7, 0, 4), 5 + 1 + 1 + 1, true));
    check("cumulative", (usage(5, 0, 11), 3, true));
    check("error", (None, 1, false));
    check("no_done", (usage(3, 0, 2), 1, true));
    check("done_twice", (None, 0, true));
}

#[test]
fn an_ordinary_stream_passes_as_the_very_chunks() {
    let stream = fixture("plain.sse");
    let mut shown = Relay::new(true);
    for frame in stream.split_inclusive("\n\n") {
        assert_eq!(shown.push(frame.as_bytes()), Relayed::Same);
    }
    assert_eq!(Relay::new(true).push(stream.as_bytes()), Relayed::Same);
    let hidden = fixture("plain.client.sse");
    assert_eq!(Relay::new(false).push(hidden.as_bytes()), Relayed::Same);
}

/// Every fixture with every kind of line end, to a client that asked for usage and one that did not.
fn streams() -> impl Iterator<Item = (String, &'static str, bool)> {
    FIXTURES.into_iter().flat_map(|name| {
        let stream = fixture(&format!("{name}.sse"));
        ["\n", "\r\n", "\r"].into_iter().flat_map(move |line_end| {
            let stream = stream.replace('\n', line_end);
            [(stream.clone(), line_end, true), (stream, line_end, false)]
        })
    })
}

#[test]
fn no_cut_in_one_place_or_two_matters() {
    for (stream, _, show) in streams() {
        let bytes = stream.as_bytes();
        let whole = relay(show, [bytes], End::Whole);
        let broken = relay(show, [bytes], End::Cut);
        for first in 0..=bytes.len() {
            let (head, tail) = bytes.split_at(first);
            assert_eq!(relay(show, [head, tail], End::Whole), whole, "{first} of {stream}");
            assert_eq!(relay(show, [head, tail], End::Cut), broken, "{first} of {stream}");
            // Two cuts: every pair in a short stream, in a long one the near pairs and a sample.
            let step = if bytes.len() < 300 { 1 } else { (tail.len() / 16).max(1) };
            for second in (0..tail.len().min(5)).chain((0..tail.len()).step_by(step)) {
                let (middle, tail) = tail.split_at(second);
                let cut = relay(show, [head, middle, tail], End::Whole);
                assert_eq!(cut, whole, "{first} and {second} of {stream}");
            }
        }
        assert_eq!(relay(show, bytes.chunks(1), End::Whole), whole, "bytes of {stream}");
    }
}

#[test]
fn a_frame_goes_out_as_soon_as_it_is_whole() {
    for (stream, line_end, show) in streams() {
        let mut by_frame = Relay::new(show);
        let (mut start, mut end, mut sent) = (0, 0, Vec::new());
        for line in stream.split_inclusive(line_end) {
            end += line.len();
            if line != line_end {
                continue;
            }
            // With the CR of its blank line a frame is whole.
            for cut in start..=end - line.len() {
                let prefix = &stream.as_bytes()[..cut];
                let got = push(&mut Relay::new(show), prefix);
                assert_eq!(text(&got), text(&sent), "{cut} of {stream}");
            }
            let blank_begun = push(&mut Relay::new(show), &stream.as_bytes()[..end + 1 - line.len()]);
            sent.extend(push(&mut by_frame, &stream.as_bytes()[start..end]));
            assert!(sent.starts_with(&blank_begun) && sent.len() < blank_begun.len() + line.len());
            start = end;
        }
    }
}

const CUT: &str = "event: error\ndata: {\"error\":{\"message\":\"The provider's stream broke off \
    before its end: the answer so far is not whole. Send the request again for a whole one.\",\
    \"type\":\"server_error\",\"param\":null,\"code\":\"upstream_cut\"}}\n\n";

#[test]
fn a_stream_ends_with_done_or_an_error_and_never_both() {
    let said = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n";
    let ended = "data: {\"choices\":[{\"index\":0,\"finish_reason\":\"stop\"}]}\n\n";
    let other = "data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"Yo\"}}]}\n\n";
    let done = "data: [DONE]\n\n";
    for (sent, end, got, whole) in [
        (vec![], End::Whole, vec![CUT], false),
        (vec![said, ended, done], End::Whole, vec![said, ended, done], true),
        (vec![said, ended, done], End::Cut, vec![said, ended, done], true),
        (vec![said, done], End::Whole, vec![said, done], true),
        (vec![said, ended], End::Whole, vec![said, ended, done], true),
        (vec![said, ended], End::Cut, vec![said, ended, CUT], false),
        (vec![said], End::Whole, vec![said, CUT], false),
        (vec![said, other, ended], End::Whole, vec![said, other, ended, CUT], false),
        (vec![said, ended, "data: [DO"], End::Whole, vec![said, ended, done], true),
        (vec![said, ended, "data: [DONE]"], End::Whole, vec![said, ended, done], true),
        (vec![said, ended, "data: [DONE]\n"], End::Whole, vec![said, ended, done], true),
        (vec![said, "data: [DONE]"], End::Cut, vec![said, CUT], false),
        (vec![said, &ended[..ended.len() - 9]], End::Whole, vec![said, CUT], false),
        (vec![said, ended.trim_end()], End::Whole, vec![said, ended, done], true),
        (vec![said, ": ping"], End::Whole, vec![said, CUT], false),
    ] {
        let (client, metered) = relay(true, [sent.concat().as_bytes()], end);
        assert_eq!(text(&client), got.concat(), "{sent:?} {end:?}");
        assert_eq!(metered.whole, whole, "{sent:?} {end:?}");
    }
}

#[test]
fn an_error_of_the_providers_passes_and_ends_the_stream() {
    for error in [
        "data: {\"error\":{\"message\":\"x\"}}\n\n",
        "data: {\"error\":\"x\",\"choices\":[{\"finish_reason\":\"error\"}],\"usage\":null}\n\n",
        "event: error\ndata: {\"message\":\"x\",\"usage\":{}}\n\n",
        "event: error\ndata: x\n\n",
    ] {
        for end in [End::Whole, End::Cut] {
            let stream = format!("{error}data: more\n\n");
            let (client, metered) = relay(false, [stream.as_bytes()], end);
            assert_eq!(text(&client), error);
            assert!(!metered.whole);
        }
    }
    let fine = "data: {\"error\":null,\"choices\":[]}\n\ndata: [DONE]\n\n";
    assert!(relay(false, [fine.as_bytes()], End::Whole).1.whole);
}

#[test]
fn a_frame_beyond_the_bound_fails_however_it_is_cut() {
    let said = "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n".to_owned();
    let stream = said.clone() + "data: " + &"x".repeat(FRAME_BYTES_MAX) + "\n\ndata: [DONE]\n\n";
    let whole = relay(true, [stream.as_bytes()], End::Whole);
    assert!(text(&whole.0).starts_with(&(said + "event: error\n")));
    assert!(text(&whole.0).contains("\"code\":\"upstream_event_too_long\""));
    assert_eq!(whole.1.known.counted.get(), 1 + 4_096, "it is counted as the picture that it may be");
    assert!(!whole.1.whole);
    for size in [1 << 12, 1 << 20, stream.len() - 1] {
        assert_eq!(relay(true, stream.as_bytes().chunks(size), End::Whole), whole, "{size}");
    }
    let mut relay = Relay::new(true);
    assert!(matches!(relay.push(stream.as_bytes()), Relayed::Failed(_)));
}

/// A string with what could be taken for something else.
fn trap() -> impl Strategy<Value = String> {
    let traps = ["\"usage\":null", ",\"usage\":{", "[DONE]", "\\", "\"", "\n\n", "data:", "}", "é🦀", "\r"];
    let part = prop_oneof![prop::sample::select(traps.to_vec()).prop_map(str::to_owned), ".{0,6}"];
    prop::collection::vec(part, 0..5).prop_map(|parts| parts.concat())
}

fn members() -> impl Strategy<Value = Vec<(String, Value)>> {
    let chunk = (0..3_u8, prop::option::of(trap()), trap()).prop_map(|(index, content, id)| {
        let choice = json!({"index": index, "delta": {"content": content, "usage": null}});
        vec![("id".to_owned(), json!(id)), ("choices".to_owned(), json!([choice]))]
    });
    let others = prop::collection::vec((trap(), trap().prop_map(Value::from)), 0..3);
    (chunk, others).prop_map(|(chunk, others)| [chunk, others].concat()).prop_shuffle()
}

fn write(members: &[(String, Value)]) -> String {
    let members = members.iter().map(|(key, value)| format!("{}:{value}", json!(key)));
    format!("data: {{{}}}\n\n", members.collect::<Vec<_>>().join(","))
}

proptest! {
    #[test]
    fn a_usage_member_anywhere_leaves_no_trace(
        mut members in members(),
        at in any::<prop::sample::Index>(),
        is_null in any::<bool>(),
    ) {
        let without = write(&members);
        let usage = if is_null { Value::Null } else { json!({"prompt_tokens": 3, "n": {"a": "}"}}) };
        members.insert(at.index(members.len() + 1), ("usage".to_owned(), usage));
        let mut relay = Relay::new(false);
        let client = push(&mut relay, write(&members).as_bytes());
        prop_assert_eq!(text(&client), without);
        prop_assert_eq!(relay.metered().known.usage.is_some(), !is_null);
        prop_assert_eq!(Relay::new(true).push(write(&members).as_bytes()), Relayed::Same);
    }

    #[test]
    fn output_is_counted_by_the_bytes_it_stands_for(members in members()) {
        let mut relay = Relay::new(true);
        push(&mut relay, write(&members).as_bytes());
        let choices = members.iter().find(|(key, _)| key == "choices").unwrap();
        let content = choices.1[0]["delta"]["content"].as_str().unwrap_or_default();
        prop_assert_eq!(relay.metered().known.counted, estimate(content.len()));
    }

    #[test]
    fn no_cuts_matter(
        frames in prop::collection::vec(members(), 1..6),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        show in any::<bool>(),
        line_end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
    ) {
        let stream: String = frames.iter().map(|members| write(members)).collect();
        let stream = stream.replace('\n', line_end) + &fixture("plain.sse");
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len())).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let chunks = cuts.windows(2).map(|pair| &stream.as_bytes()[pair[0]..pair[1]]);
        let whole = relay(show, [stream.as_bytes()], End::Whole);
        prop_assert_eq!(relay(show, chunks, End::Whole), whole);
    }

    #[test]
    fn no_bytes_break_the_relay(bytes in prop::collection::vec(any::<u8>(), 0..200), show: bool) {
        let whole = relay(show, [bytes.as_slice()], End::Whole);
        prop_assert_eq!(relay(show, bytes.chunks(1), End::Whole), whole);
    }
}
