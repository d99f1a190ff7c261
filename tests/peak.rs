//! How much memory a step takes at most, beyond what it is given: an isolate has 128 MB for all its calls, and the Rust memory
//! never shrinks.
#![allow(clippy::unwrap_used, clippy::panic, clippy::arithmetic_side_effects, reason = "a test may fail loudly")]
#![allow(unsafe_code, reason = "an allocator that counts cannot be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use tollgate::chat::Features;
use tollgate::dialect::{CapField, Dialect, Edit, Endpoint, Envelope, Stamp};
use tollgate::relay::{Relay, Relayed};
use tollgate::translate::{self, Outgoing, Target, Unable};
use tollgate::units::Tokens;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, with a count for each thread.
struct Counting;

fn count(change: impl Fn(usize) -> usize) {
    let _ = HELD.try_with(|held| {
        held.set(change(held.get()));
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
    });
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(|held| held.saturating_add(layout.size()));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(|held| held.saturating_sub(layout.size()));
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes that are held while `step` runs, beyond those before.
fn peak<T>(step: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    PEAK.set(before);
    let done = step();
    (done, PEAK.get() - before)
}

const MIB: usize = 1_024 * 1_024;
const LONG: usize = 4 * MIB;
const DIALECTS: [Dialect; 6] =
    [Dialect::OpenAi, Dialect::Responses, Dialect::Anthropic, Dialect::Gemini, Dialect::Converse, Dialect::WorkersAi];

/// The bodies of calls with one long text: of a message, of an image, of a tool's result.
fn long_bodies() -> Vec<String> {
    let long = "a".repeat(LONG);
    let image = format!(r#"[{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{long}"}}}}]"#);
    let call = r#"{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]}"#;
    [
        format!(r#"{{"role":"user","content":"{long}"}}"#),
        format!(r#"{{"role":"user","content":{image}}}"#),
        format!(r#"{call},{{"role":"tool","tool_call_id":"c","content":"{long}"}}"#),
    ]
    .map(|messages| format!(r#"{{"model":"m","messages":[{messages}]}}"#))
    .to_vec()
}

fn read(body: &str) -> Envelope {
    Envelope::read(Endpoint::Chat, body.as_bytes()).unwrap()
}

fn sent(envelope: &Envelope, body: &str, dialect: Dialect) -> Result<Outgoing, Unable> {
    let edit = Edit { model: "another", output_cap: None, usage: true };
    let target = Target {
        dialects: &[dialect],
        lacks: Features::default(),
        refuses: Features::default(),
        drop_unsupported: true,
        edit,
        cap_field: CapField::MaxTokens,
        max_output: Some(Tokens::new(1_000)),
    };
    translate::request(envelope, body.as_bytes(), &target)
}

#[test]
fn a_body_is_read_and_changed_for_its_provider_without_a_second_copy() {
    for body in long_bodies() {
        let (envelope, reading) = peak(|| read(&body));
        let (outgoing, changing) = peak(|| sent(&envelope, &body, Dialect::OpenAi).unwrap());
        assert!(reading + changing < 64 * 1_024, "{reading} and {changing} bytes");
        assert_eq!(outgoing.body.held(), 0);
        assert_eq!(outgoing.body.length(body.as_bytes()), outgoing.body.whole(body.as_bytes()).len());
    }
}

#[test]
fn a_body_that_is_written_anew_is_there_twice_at_most_besides_its_own() {
    for body in long_bodies() {
        let envelope = read(&body);
        // Workers AI's binding takes no long bodies.
        for dialect in DIALECTS.into_iter().filter(|dialect| !matches!(dialect, Dialect::OpenAi | Dialect::WorkersAi)) {
            let (outgoing, most) = peak(|| sent(&envelope, &body, dialect));
            let Ok(outgoing) = outgoing else { continue };
            assert!(outgoing.body.held() >= LONG, "{dialect:?}");
            assert!(most < LONG * 9 / 4, "{dialect:?}: {} copies", most / LONG);
        }
    }
}

#[test]
fn a_body_of_very_many_values_is_refused_before_they_are_read() {
    let many = |value: &str| vec![value; 1_000_000].join(",");
    for body in [
        format!(r#"{{"model":"m","messages":[],"metadata":[{}]}}"#, many("1")),
        format!(r#"{{"model":"m","messages":[],"metadata":[{}]}}"#, many(r#"{"a":1}"#)),
        format!(r#"{{"model":"m","messages":[],"metadata":[{}]}}"#, many("[]")),
        format!(r#"{{"model":"m","messages":[],"metadata":{{{}}}}}"#, many(r#""a":1"#)),
    ] {
        let envelope = read(&body);
        for dialect in DIALECTS {
            let (outgoing, most) = peak(|| sent(&envelope, &body, dialect));
            assert_eq!(outgoing.is_ok(), dialect == Dialect::OpenAi, "one that passes as it is has any number");
            assert!(most < 64 * 1_024, "{dialect:?}: {most} bytes");
        }
    }
}

#[test]
fn an_answer_or_an_event_of_very_many_values_is_not_read() {
    let numbers = vec!["1"; 1_000_000].join(",");
    let stamp = Stamp { id: "id", created: 0, model: "m" };
    let event = format!("data: {{\"candidates\":[{numbers}]}}\n\n");
    for from in [Dialect::Anthropic, Dialect::Gemini, Dialect::Responses] {
        let body = format!(r#"{{"a":[{numbers}]}}"#);
        let (told, most) = peak(|| translate::answer(from, Endpoint::Chat, body.as_bytes(), &stamp, false));
        assert!(told.is_none() && most < 64 * 1_024, "{from:?}: {most} bytes");
        let mut relay = Relay::between(from, Endpoint::Chat, &stamp, true);
        let (relayed, most) = peak(|| relay.push(event.as_bytes()));
        assert!(matches!(relayed, Relayed::Failed(_)) && most < event.len() + 64 * 1_024, "{from:?}: {most} bytes");
    }
}

#[test]
fn what_a_relay_holds_of_a_stream_is_told_and_let_go_of() {
    let mut relay = Relay::new(true);
    let _ = relay.push(format!("data: {{\"x\":\"{}", "a".repeat(MIB)).as_bytes());
    assert!(relay.held() >= MIB);
    let _ = relay.push(b"\"}\n\n");
    let _ = relay.push(b"data: {}\n\n");
    assert!(relay.held() <= 64 * 1_024, "{} bytes", relay.held());
}
