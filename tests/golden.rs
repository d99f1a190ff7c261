//! What every client gets from every provider of another dialect, word for word: `tests/golden/<client>-<provider>.txt`.
//!
//! `UPDATE_GOLDEN=1 cargo test --test golden` writes the files anew; read the difference before it is kept.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, clippy::cast_possible_truncation, reason = "tests")]

mod chat;

use chat::carry::fixture;
use chat::{CLIENTS, Client, Dialect, STAMP, dialects};
use serde_json::{Map, Value};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};
use tollgate::chat::{Event, Feature, Features};

/// The stories that every dialect tells.
const CASES: [&str; 9] = ["text", "tools", "parallel", "image", "schema", "reasoning", "refusal", "length", "error"];
/// The HTTP status of the case `error`.
const FAILED: u16 = 503;

fn pairs() -> impl Iterator<Item = (&'static Client, &'static Dialect)> {
    let of = |client: &'static Client| dialects().map(move |provider| (client, provider));
    CLIENTS.iter().flat_map(of).filter(|(client, provider)| client.name != provider.name)
}

fn json(dialect: &Dialect, case: &str, ending: &str) -> Value {
    serde_json::from_str(&fixture(dialect.name, case, ending)).unwrap()
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

/// What `provider` is asked when `client` asks, and what of it cannot be asked: what a gateway refuses, or drops.
fn asked(client: &Client, provider: &Dialect, case: &str) -> String {
    let (mut request, used) = (client.read_request)(&json(client, case, "request.json")).unwrap();
    provider.model.clone_into(&mut request.model);
    provider.cannot.iter().for_each(|feature| request.drop_feature(*feature));
    let mut shown = pretty(&(provider.write_request)(&request));
    let cannot = Features::of(provider.cannot).with(Feature::Foreign).with(Feature::Hint);
    for (feature, path) in used.iter().filter(|(feature, _)| cannot.has(*feature)) {
        let done = if feature.is_hint() { "dropped" } else { "refused" };
        write!(shown, "\n{done}: {} at {path}", feature.name()).unwrap();
    }
    shown
}

/// What `client` is answered when `provider` answers.
fn answered(client: &Client, provider: &Dialect, case: &str) -> String {
    let body = json(provider, case, "answer.json");
    let written = (provider.read_answer)(&body).map_or_else(
        || (client.write_fault)(FAILED, &(provider.read_fault)(&body), Map::new(), STAMP.id),
        |answer| (client.write_answer)(&answer, &STAMP),
    );
    pretty(&written)
}

fn events(provider: &Dialect, case: &str) -> Vec<Event> {
    provider.events([provider.fixture_stream(case).as_slice()])
}

fn golden(client: &Client, provider: &Dialect) -> String {
    let mut all = String::new();
    for case in CASES {
        let stream = String::from_utf8(client.stream(&events(provider, case))).unwrap();
        let sections = [
            ("request", asked(client, provider, case)),
            ("answer", answered(client, provider, case)),
            ("stream", stream.trim_end().to_owned()),
        ];
        for (what, text) in sections {
            write!(all, "=== {case}: {what}\n{text}\n\n").unwrap();
        }
    }
    all
}

fn file(client: &Client, provider: &Dialect) -> PathBuf {
    let name = format!("tests/golden/{}-{}.txt", client.name, provider.name);
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[test]
fn every_pair_says_what_its_golden_file_says() {
    let mut differ = Vec::new();
    for (client, provider) in pairs() {
        let (path, said) = (file(client, provider), golden(client, provider));
        if env::var_os("UPDATE_GOLDEN").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &said).unwrap();
        }
        let known = fs::read_to_string(&path).unwrap_or_default();
        let lines = said.lines().zip(known.lines()).take_while(|(said, known)| said == known).count();
        if said != known {
            differ.push(format!("{}: from line {}: {:?}", path.display(), lines + 1, said.lines().nth(lines)));
        }
    }
    assert!(differ.is_empty(), "UPDATE_GOLDEN=1 writes them anew, if they are right:\n{}", differ.join("\n"));
}

#[test]
fn the_stream_of_every_pair_is_the_same_however_it_is_cut() {
    for provider in dialects() {
        for case in CASES {
            cut(provider, case, &provider.fixture_stream(case));
        }
    }
}

/// Cuts `stream` once at every place and twice at many, of a short one at all: the events are the same, and so is
/// what each client gets.
fn cut(provider: &Dialect, case: &str, stream: &[u8]) {
    let whole = provider.events([stream]);
    let clients: Vec<_> = CLIENTS.iter().map(|client| (client, client.stream(&whole))).collect();
    let check = |places: &[usize]| {
        let (mut rest, mut from, mut chunks) = (stream, 0, Vec::new());
        for place in places {
            let (chunk, tail) = rest.split_at(place - from);
            chunks.push(chunk);
            (rest, from) = (tail, *place);
        }
        chunks.push(rest);
        let events = provider.events(chunks);
        assert!(events == whole, "{} {case} cut at {places:?}: {events:?} and not {whole:?}", provider.name);
        if places[0].is_multiple_of(61) {
            for (client, bytes) in &clients {
                assert!(
                    client.stream(&events) == *bytes,
                    "{} to {} {case} cut at {places:?}",
                    provider.name,
                    client.name
                );
            }
        }
    };
    (0..=stream.len()).for_each(|place| check(&[place]));
    let step = if stream.len() <= 400 { 1 } else { stream.len() / 24 };
    for first in (0..stream.len()).step_by(step) {
        (first..stream.len()).step_by(step).for_each(|second| check(&[first, second]));
    }
}
