//! The laws of dialects: what is written is read the same, whole or as a stream, however it is cut, and from one
//! dialect to another nothing is lost but what is named.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, clippy::cast_possible_truncation, reason = "tests")]

mod chat;

use chat::features::{features, goes_with, wrongly_noted};
use chat::limit::{self, Limit};
use chat::{CLIENTS, Client, Dialect, dialects, fold, make, sent, tell, valid};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{TestCaseResult, TestRunner};
use serde_json::{Map, Value, json};
use tollgate::chat::{Answer, Event, Fault, Feature, Request};
use tollgate::dialect::Stamp;

/// Reads what `dialect` makes of `request`.
fn read(dialect: &Dialect, request: &Request) -> Result<Request, TestCaseError> {
    let body = sent(&(dialect.write_request)(request));
    let (mut read, used) = (dialect.read_request)(&body)
        .map_err(|wrong| TestCaseError::fail(format!("{}: {wrong:?}: {body}", dialect.name)))?;
    if dialect.asks.contains(&Limit::NoModel) {
        (read.model, read.stream) = (request.model.clone(), request.stream);
    }
    let wrong = wrongly_noted(&read, &used);
    prop_assert!(wrong.is_empty(), "{}: {wrong:?}: {body}", dialect.name);
    Ok(read)
}

fn asked_and_read(dialect: &Dialect, request: Request) -> TestCaseResult {
    let request = dialect.askable(request);
    let body = (dialect.write_request)(&request);
    prop_assert_eq!(read(dialect, &request)?, request, "{}: {}", dialect.name, body);
    Ok(())
}

/// `client`'s request, without what `provider` cannot do, is the same as `provider` reads it; nothing else is gone.
fn asked_of_another(client: &Dialect, provider: &Dialect, request: Request) -> TestCaseResult {
    let pair = format!("{} to {}", client.name, provider.name);
    let mut request = read(client, &client.askable(request))?;
    let before = features(&request);
    provider.cannot.iter().for_each(|feature| request.drop_feature(*feature));
    let goes = |feature: &Feature| {
        let goes_with = |cannot: &Feature| cannot == feature || goes_with(*cannot).contains(feature);
        provider.cannot.iter().any(goes_with)
    };
    let left = features(&request);
    let gone: Vec<_> = Feature::ALL.iter().filter(|feature| before.has(**feature) && !left.has(**feature)).collect();
    prop_assert!(gone.iter().all(|feature| goes(feature)), "{}: {:?} is gone", pair, gone);
    prop_assert!(provider.cannot.iter().all(|feature| !left.has(*feature)), "{}: {:?} is left", pair, left);
    limit::on_request(provider.asks, &mut request);
    let body = (provider.write_request)(&request);
    prop_assert_eq!(read(provider, &request)?, request, "{}: {}", pair, body);
    Ok(())
}

fn told_and_read(dialect: &Dialect, answer: Answer) -> TestCaseResult {
    let answer = dialect.tellable(answer);
    let body = sent(&(dialect.write_answer)(&answer, &NO_STAMP));
    let read = (dialect.read_answer)(&body);
    prop_assert_eq!(read, Some(answer), "{}: {}", dialect.name, body);
    Ok(())
}

/// Nobody's stamp: it may not stand in an answer that tells all.
const NO_STAMP: Stamp<'static> = Stamp { id: "", created: 0, model: "" };

fn streamed_and_read(dialect: &Client, answer: Answer, chance: &tell::Chance, size: usize) -> TestCaseResult {
    let mut answer = dialect.tellable(answer);
    limit::on_answer(&[dialect.tells, dialect.streams].concat(), &mut answer);
    let events = tell::streamed(&answer, chance);
    prop_assert_eq!(fold(events.clone()), Ok(Some(answer.clone())));
    let stream = dialect.stream(&events);
    let shown = String::from_utf8_lossy(&stream).into_owned();
    let frames = valid::frames(&stream).map_err(|wrong| TestCaseError::fail(format!("{}: {wrong}", dialect.name)))?;
    prop_assert_eq!((dialect.valid)(&frames), Ok(()), "{}: {}", dialect.name, shown);
    let read = fold(dialect.events(stream.chunks(size)));
    prop_assert_eq!(read, Ok(Some(answer)), "{}: {}", dialect.name, shown);
    Ok(())
}

/// What `provider` streams is what `client` is streamed.
fn streamed_to_another(client: &Client, provider: &Client, answer: Answer, chance: &tell::Chance) -> TestCaseResult {
    let pair = format!("{} to {}", provider.name, client.name);
    let mut answer = answer;
    let limits = [provider.tells, provider.streams, client.tells, client.streams].concat();
    limit::on_answer(&limits, &mut answer);
    let stream = provider.stream(&tell::streamed(&answer, chance));
    let told = client.stream(&provider.events([stream.as_slice()]));
    let shown = format!("{}\n{}", String::from_utf8_lossy(&stream), String::from_utf8_lossy(&told));
    let frames = valid::frames(&told).map_err(|wrong| TestCaseError::fail(format!("{pair}: {wrong}")))?;
    prop_assert_eq!((client.valid)(&frames), Ok(()), "{}: {}", pair, shown);
    let mut read = fold(client.events([told.as_slice()])).unwrap().unwrap();
    let head = &answer.head;
    read.head.created = if head.created == 0 { 0 } else { read.head.created };
    prop_assert_eq!(read, answer, "{}: {}", pair, shown);
    Ok(())
}

/// An error that is written for a client says what it said, whatever its status, and no more than it may.
fn failed_and_read(client: &Client, fault: &Fault) -> TestCaseResult {
    let names = ["message", "type", "error", "status", "code", "param", "request_id", "available"];
    let extra: Map<String, Value> = names.into_iter().map(|name| (name.to_owned(), json!(["extra"]))).collect();
    for status in [400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504, 529] {
        let body = sent(&(client.write_fault)(status, fault, extra.clone(), "req_1"));
        prop_assert_eq!(&(client.read_fault)(&body).message, &fault.message, "{}: {}", client.name, body);
        let plain = sent(&(client.write_fault)(status, fault, Map::new(), "req_1"));
        let has_own = |value: &Value, own: &Value| {
            let mut members = own.as_object().unwrap().iter();
            members.all(|(name, own)| own.is_object() || own.is_array() || value[name] == *own)
        };
        prop_assert!(has_own(&body, &plain) && has_own(&body["error"], &plain["error"]), "{}: {}", client.name, body);
    }
    Ok(())
}

fn any_order_is_valid(dialect: &Client, events: &[Event]) -> TestCaseResult {
    let stream = dialect.stream(&[events, &[Event::End]].concat());
    let shown = String::from_utf8_lossy(&stream).into_owned();
    let frames = valid::frames(&stream).map_err(|wrong| TestCaseError::fail(format!("{}: {wrong}", dialect.name)))?;
    prop_assert_eq!((dialect.valid)(&frames), Ok(()), "{}: {}", dialect.name, shown);
    // What it said before it was over is what its reader tells of it.
    let read = dialect.events([stream.as_slice()]);
    let ends = |event: &Event| matches!(event, Event::End | Event::Fault(_));
    prop_assert_eq!(read.iter().filter(|event| ends(event)).count(), 1, "{}: {:?}", dialect.name, read);
    prop_assert_eq!(
        events.iter().chain([&Event::End]).find(|event| ends(event)).map(|event| *event == Event::End),
        read.last().map(|event| *event == Event::End),
        "{}: {}",
        dialect.name,
        shown
    );
    Ok(())
}

/// Each row of a dialect's limits is one: without it some request or answer is read otherwise than it was written.
#[test]
fn no_limit_is_too_many() {
    let mut runner = TestRunner::deterministic();
    let mut any = |count: usize| -> Vec<(Request, Answer)> {
        let both = (make::request(), tell::answer());
        (0..count).map(|_| both.new_tree(&mut runner).unwrap().current()).collect()
    };
    let samples = any(3000);
    let mut idle = Vec::new();
    for dialect in dialects() {
        for limit in dialect.asks {
            let others: Vec<Limit> = dialect.asks.iter().copied().filter(|other| other != limit).collect();
            let without = Dialect { asks: others.leak(), ..*dialect };
            if samples.iter().all(|(request, _)| asked_and_read(&without, request.clone()).is_ok()) {
                idle.push(format!("{} asks {limit:?}", dialect.name));
            }
        }
        for limit in dialect.tells {
            let others: Vec<Limit> = dialect.tells.iter().copied().filter(|other| other != limit).collect();
            let without = Dialect { tells: others.leak(), ..*dialect };
            if samples.iter().all(|(_, answer)| told_and_read(&without, answer.clone()).is_ok()) {
                idle.push(format!("{} tells {limit:?}", dialect.name));
            }
        }
    }
    assert!(idle.is_empty(), "{idle:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_request_that_is_written_is_read_the_same(request in make::request()) {
        for dialect in dialects() {
            asked_and_read(dialect, request.clone())?;
        }
    }

    #[test]
    fn what_a_provider_is_asked_is_what_the_client_asked(request in make::request()) {
        for client in CLIENTS {
            for provider in dialects().filter(|provider| provider.name != client.name) {
                asked_of_another(client, provider, request.clone())?;
            }
        }
    }

    #[test]
    fn an_answer_that_is_written_is_read_the_same(answer in tell::answer()) {
        for dialect in dialects() {
            told_and_read(dialect, answer.clone())?;
        }
    }

    #[test]
    fn the_events_of_an_answer_add_up_to_it(answer in tell::answer()) {
        prop_assert_eq!(fold(answer.events()), Ok(Some(answer)));
    }

    #[test]
    fn a_stream_that_is_written_is_read_the_same_however_it_is_cut(
        answer in tell::answer(), chance in tell::chance(), size in 1_usize..200
    ) {
        for dialect in CLIENTS {
            streamed_and_read(dialect, answer.clone(), &chance, size)?;
        }
    }

    #[test]
    fn a_stream_of_one_dialect_is_told_the_same_in_another(answer in tell::answer(), chance in tell::chance()) {
        for (client, provider) in CLIENTS.iter().flat_map(|client| CLIENTS.iter().map(move |provider| (client, provider))) {
            streamed_to_another(client, provider, answer.clone(), &chance)?;
        }
    }

    #[test]
    fn an_error_that_is_written_is_read_the_same(fault in tell::fault()) {
        for client in CLIENTS {
            failed_and_read(client, &fault)?;
        }
    }

    #[test]
    fn events_in_any_order_make_a_stream_that_is_valid(events in tell::events()) {
        for dialect in CLIENTS {
            any_order_is_valid(dialect, &events)?;
        }
    }

    #[test]
    fn a_request_without_a_feature_lacks_that_and_nothing_else(request in make::request()) {
        for feature in Feature::ALL {
            let mut without = request.clone();
            without.drop_feature(*feature);
            let (before, after) = (features(&request), features(&without));
            prop_assert!(!after.has(*feature), "{:?} is still there", feature);
            let gone = |other: &&Feature| before.has(**other) && !after.has(**other);
            let goes_with = |other: &Feature| other == feature || goes_with(*feature).contains(other);
            let wrong: Vec<_> = Feature::ALL.iter().filter(gone).filter(|other| !goes_with(other)).collect();
            prop_assert!(wrong.is_empty(), "{:?} goes with {:?}", wrong, feature);
            // What goes without saying may go: that several tools may be called, that the model decides, no penalty.
            let unsaid = matches!(feature, Feature::SingleTools | Feature::ToolChoice | Feature::Penalties);
            prop_assert!(before.has(*feature) || unsaid || without == request, "{:?} is not there", feature);
            let mut tidy = without.clone();
            make::tidy(&mut tidy);
            prop_assert_eq!(&tidy, &without, "its one form, without {:?}", feature);
        }
    }
}
