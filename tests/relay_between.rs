//! Streams between any two dialects: what the client gets and what is metered do not depend on how the provider's bytes were
//! cut; a stream can be stopped; one that breaks off ends in an error of the client's dialect.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "tests")]

use std::fs;
use tollgate::dialect::openai::ending::Heading;
use tollgate::dialect::{Dialect, Endpoint, Stamp};
use tollgate::reckon::Reckoning;
use tollgate::relay::{End, Metered, Relay, Relayed, Stop};
use tollgate::units::Tokens;

const CLIENTS: [Endpoint; 5] =
    [Endpoint::Chat, Endpoint::Completions, Endpoint::Responses, Endpoint::Messages, Endpoint::Generate];
const PROVIDERS: [Dialect; 4] = [Dialect::OpenAi, Dialect::Responses, Dialect::Anthropic, Dialect::Gemini];
const WHOLE: [&str; 7] = ["text", "tools", "parallel", "image", "schema", "reasoning", "length"];

fn fixture(dialect: Dialect, case: &str) -> Vec<u8> {
    let path = format!("tests/fixtures/chat/{}/{case}.sse", dialect.name());
    fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn pairs() -> impl Iterator<Item = (Dialect, Endpoint)> {
    PROVIDERS.into_iter().flat_map(|from| CLIENTS.into_iter().map(move |to| (from, to)))
}

fn relay(from: Dialect, to: Endpoint) -> Relay {
    Relay::between(from, to, &Stamp { id: "1-2", created: 17, model: "m" }, true)
}

fn push(relay: &mut Relay, chunk: &[u8], sent: &mut Vec<u8>) {
    match relay.push(chunk) {
        Relayed::Same => sent.extend_from_slice(chunk),
        Relayed::Bytes(bytes) | Relayed::Failed(bytes) => sent.extend(bytes),
    }
}

/// What the client gets of a stream that comes in these pieces and ends so, and what was metered.
fn passed<'a>(from: Dialect, to: Endpoint, pieces: impl IntoIterator<Item = &'a [u8]>, end: End) -> (Vec<u8>, Metered) {
    let (mut relay, mut sent) = (relay(from, to), Vec::new());
    for piece in pieces {
        push(&mut relay, piece, &mut sent);
    }
    sent.extend(relay.finish(end));
    (sent, relay.metered())
}

#[test]
fn where_a_stream_is_cut_does_not_matter() {
    for (from, to) in pairs() {
        for case in WHOLE {
            let bytes = fixture(from, case);
            let whole = passed(from, to, [&bytes[..]], End::Whole);
            assert!(whole.1.whole, "{from:?} to {to:?}, {case}: {}", String::from_utf8_lossy(&whole.0));
            for at in 0..=bytes.len() {
                let cut = passed(from, to, [&bytes[..at], &bytes[at..]], End::Whole);
                assert_eq!(cut, whole, "{from:?} to {to:?}, {case}, cut at {at}");
            }
            for size in [1, 7, 64] {
                assert_eq!(passed(from, to, bytes.chunks(size), End::Whole), whole, "{case} in pieces of {size}");
            }
        }
    }
}

#[test]
fn every_client_is_billed_what_the_provider_tells() {
    for (from, to) in pairs() {
        for case in WHOLE {
            let bytes = fixture(from, case);
            let [own, other] = [from_endpoint(from), to].map(|to| passed(from, to, [&bytes[..]], End::Whole).1);
            assert_eq!(other.known.usage, own.known.usage, "{from:?} to {to:?}, {case}");
            assert!(own.known.usage.is_some_and(|usage| usage.input > Tokens::ZERO && usage.output > Tokens::ZERO));
        }
    }
}

fn from_endpoint(dialect: Dialect) -> Endpoint {
    CLIENTS.into_iter().find(|endpoint| endpoint.dialect() == dialect).unwrap()
}

/// What a client of `to` sees that its stream is not whole.
fn is_fault(to: Endpoint, sent: &str) -> bool {
    match to.dialect() {
        Dialect::OpenAi | Dialect::Anthropic => sent.contains("event: error\n") && sent.contains("\"error\":{"),
        Dialect::Responses => sent.contains("response.failed") || sent.contains("\"type\":\"error\""),
        _ => sent.contains("\"error\":{"),
    }
}

#[test]
fn a_stream_that_breaks_off_ends_in_an_error_of_the_clients() {
    for (from, to) in pairs() {
        let bytes = fixture(from, "text");
        let (sent, metered) = passed(from, to, [&bytes[..bytes.len() / 2]], End::Cut);
        let sent = String::from_utf8(sent).unwrap();
        assert!(is_fault(to, &sent) && sent.contains("broke off") && !metered.whole, "{from:?} to {to:?}: {sent}");
    }
}

#[test]
fn a_providers_own_error_reaches_the_client_in_its_dialect() {
    for (from, to) in pairs() {
        let bytes = fixture(from, "error");
        let (sent, metered) = passed(from, to, [&bytes[..]], End::Whole);
        let sent = String::from_utf8(sent).unwrap();
        assert!(sent.contains("Hel") && is_fault(to, &sent) && !metered.whole, "{from:?} to {to:?}: {sent}");
    }
}

/// The word by which a client of `to` learns that its answer came to its length.
fn length_word(to: Endpoint) -> &'static str {
    match to.dialect() {
        Dialect::Responses => "max_output_tokens",
        Dialect::Anthropic => "max_tokens",
        Dialect::Gemini => "MAX_TOKENS",
        _ => "\"length\"",
    }
}

#[test]
fn a_stream_is_stopped_as_by_its_own_cap() {
    for (from, to) in pairs() {
        let bytes = fixture(from, "text");
        // Later a provider may end the stream in the very frame that comes to it.
        for output in 0..2 {
            let (mut relay, mut sent) = (relay(from, to), Vec::new());
            let reckoning = Reckoning { input: Tokens::new(5), output_max: None, bounds: None };
            let heading = Heading::new(to, "1-2", 17, "m");
            relay.stop_at(Some(Stop { output: Tokens::new(output), reckoning, heading }));
            for piece in bytes.chunks(9) {
                push(&mut relay, piece, &mut sent);
            }
            sent.extend(relay.finish(End::Whole));
            let text = String::from_utf8(sent).unwrap();
            assert!(text.contains(length_word(to)) && !is_fault(to, &text), "{from:?} to {to:?} at {output}: {text}");
            assert!(relay.metered().whole && relay.is_over());
        }
    }
}
