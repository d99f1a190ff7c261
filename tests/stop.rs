//! The laws of stopping a stream on its way: the client sees an ordinary end, wherever that is.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "tests")]

use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tollgate::dialect::Endpoint;
use tollgate::dialect::openai::chunk::Chunk;
use tollgate::dialect::openai::ending::Heading;
use tollgate::reckon::Reckoning;
use tollgate::relay::{End, Relay, Relayed, Stop};
use tollgate::sse::Frames;
use tollgate::units::Tokens;

const RECKONING: Reckoning = Reckoning { input: Tokens::new(7), output_max: None, bounds: None };

fn stop(output: u64) -> Option<Stop> {
    Some(Stop {
        output: Tokens::new(output),
        reckoning: RECKONING,
        heading: Heading::new(Endpoint::Chat, "9", 17, "asked-for"),
    })
}

fn push(relay: &mut Relay, chunk: &[u8]) -> Vec<u8> {
    match relay.push(chunk) {
        Relayed::Same => chunk.to_vec(),
        Relayed::Bytes(bytes) | Relayed::Failed(bytes) => bytes,
    }
}

/// A chunk of OpenAI's with these choices.
fn chunk(choices: &Value) -> String {
    let chunk = json!({"id": "chatcmpl-9", "object": "chat.completion.chunk", "created": 1_754_000_000, "model": "gpt-4o",
        "system_fingerprint": "fp", "choices": choices, "usage": null});
    format!("data: {chunk}\n\n")
}

fn said(index: u32, text: &str) -> String {
    chunk(&json!([{"index": index, "delta": {"content": text}, "logprobs": null, "finish_reason": null}]))
}

fn ended(index: u32) -> String {
    chunk(&json!([{"index": index, "delta": {}, "logprobs": null, "finish_reason": "stop"}]))
}

const DONE: &str = "data: [DONE]\n\n";
const USAGE: &str =
    "data: {\"id\":\"chatcmpl-9\",\"choices\":[],\"usage\":{\"prompt_tokens\":19,\"completion_tokens\":6}}\n\n";

/// Checks that a client can read `bytes` as a whole stream: what each choice said, how it ended, and the usage.
#[track_caller]
fn read_whole(bytes: &[u8]) -> (BTreeMap<u64, (String, String)>, Vec<Value>) {
    let (mut choices, mut usages, mut done) = (BTreeMap::<u64, (String, String)>::new(), Vec::new(), false);
    let (mut frames, mut rest) = (Frames::new(), bytes);
    while let Some(frame) = frames.next(&mut rest).unwrap() {
        let Some(data) = frame.data() else { continue };
        assert!(!done, "nothing comes after [DONE]: {}", String::from_utf8_lossy(bytes));
        if data.as_ref() == b"[DONE]" {
            done = true;
            continue;
        }
        assert!(Chunk::read(&data).is_some_and(|chunk| !chunk.is_error), "{}", String::from_utf8_lossy(&data));
        let chunk: Value = serde_json::from_slice(&data).unwrap();
        for choice in chunk["choices"].as_array().unwrap() {
            let (text, finish) = choices.entry(choice["index"].as_u64().unwrap()).or_default();
            assert_eq!(finish, "", "no choice goes on after its end");
            text.push_str(choice["delta"]["content"].as_str().unwrap_or_default());
            finish.push_str(choice["finish_reason"].as_str().unwrap_or_default());
        }
        usages.extend(chunk.get("usage").filter(|usage| usage.is_object()).cloned());
    }
    assert_eq!(frames.finish(), None, "it ends with a frame");
    assert!(done, "it ends with [DONE]: {}", String::from_utf8_lossy(bytes));
    assert!(choices.values().all(|(_, finish)| !finish.is_empty()), "each choice ends: {choices:?}");
    (choices, usages)
}

fn texts(choices: &BTreeMap<u64, (String, String)>) -> Vec<(u64, &str, &str)> {
    choices.iter().map(|(index, (text, finish))| (*index, text.as_str(), finish.as_str())).collect()
}

#[test]
fn the_client_gets_an_ordinary_end_where_the_count_is_reached() {
    let stream = [said(0, ""), said(0, "one "), said(0, "two "), said(0, "three "), ended(0)].concat() + USAGE + DONE;
    let mut relay = Relay::new(true);
    relay.stop_at(stop(2));
    let client = push(&mut relay, stream.as_bytes());
    let last = r#"{"id":"chatcmpl-9","object":"chat.completion.chunk","created":1754000000,"model":"gpt-4o","system_fingerprint":"fp","#;
    // serde_json writes the members of an object in the order of their names.
    let last: String = {
        let members: Value = serde_json::from_str(&(last.trim_end_matches(',').to_owned() + "}")).unwrap();
        members.to_string().trim_end_matches('}').to_owned() + ","
    };
    let expected = [
        said(0, ""),
        said(0, "one "),
        said(0, "two "),
        format!(
            "data: {last}{}\n\n",
            r#""choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"length"}],"usage":null}"#
        ),
        format!(
            "data: {last}{}\n\n",
            r#""choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9,"prompt_tokens_details":{"cached_tokens":0}}}"#
        ),
        DONE.to_owned(),
    ];
    assert_eq!(String::from_utf8(client).unwrap(), expected.concat());
    assert!(relay.is_over() && relay.metered().whole);
    assert_eq!((relay.metered().known.usage, relay.metered().known.counted.get()), (None, 2));
    assert_eq!((relay.finish(End::Whole), push(&mut relay, DONE.as_bytes())), (Vec::new(), Vec::new()));
}

#[test]
fn a_stop_that_has_passed_already_ends_a_silent_stream_too() {
    for (held, end) in [("", End::Whole), ("", End::Cut), ("data: {\"cho", End::Whole), ("data: [DONE]", End::Cut)] {
        let mut relay = Relay::new(false);
        let mut client = push(&mut relay, (said(0, "one ") + &said(1, "uno ") + held).as_bytes());
        assert!(!relay.is_stopping());
        relay.stop_at(stop(1));
        assert!(relay.is_stopping());
        client.extend(relay.finish(end));
        let (choices, usages) = read_whole(&client);
        assert_eq!(texts(&choices), [(0, "one ", "length"), (1, "uno ", "length")], "{held}");
        assert!(usages.is_empty(), "the client did not ask for it");
    }
}

#[test]
fn a_stream_that_said_nothing_is_begun_and_ended() {
    let mut relay = Relay::new(true);
    relay.stop_at(stop(0));
    let client = relay.finish(End::Cut);
    let (choices, usages) = read_whole(&client);
    assert_eq!(texts(&choices), [(0, "", "length")]);
    assert_eq!(usages[0]["total_tokens"], 7);
    let first: Value =
        serde_json::from_slice(&client[6..client.iter().position(|byte| *byte == b'\n').unwrap()]).unwrap();
    assert_eq!(
        (&first["id"], &first["model"], &first["created"]),
        (&json!("chatcmpl-9"), &json!("asked-for"), &json!(17))
    );
}

#[test]
fn a_plain_completion_ends_in_its_own_form() {
    let heading = || Heading::new(Endpoint::Completions, "9", 17, "asked-for");
    let stop = |output| Some(Stop { output: Tokens::new(output), reckoning: RECKONING, heading: heading() });
    let text = |heading: &str, index: u32, text: &str, finish: &str| {
        format!(
            "data: {{{heading}\"choices\":[{{\"index\":{index},\"text\":\"{text}\",\"logprobs\":null,\"finish_reason\":{finish}}}]}}\n\n"
        )
    };
    // Its provider's chunks tell their form, or do not.
    for own in ["\"id\":\"x\",\"object\":\"text_completion\",", "\"id\":\"x\","] {
        let mut relay = Relay::new(false);
        let said = [text(own, 0, "one", "null"), text(own, 1, "two", "null"), text(own, 0, "three", "null")];
        relay.stop_at(stop(2));
        let client = push(&mut relay, said.concat().as_bytes());
        let ends = [text(own, 0, "", "\"length\""), text(own, 1, "", "\"length\"")].concat();
        let expected = format!("{}{}{ends}{DONE}", said[0], said[1]);
        assert_eq!(str::from_utf8(&client).unwrap(), expected);
        assert!(relay.metered().whole);
    }
    let mut relay = Relay::new(false);
    relay.stop_at(stop(0));
    let own = "\"id\":\"cmpl-9\",\"object\":\"text_completion\",\"created\":17,\"model\":\"asked-for\",";
    let expected = [text(own, 0, "", "null"), text(own, 0, "", "\"length\""), DONE.to_owned()].concat();
    assert_eq!(relay.finish(End::Cut), expected.as_bytes());
}

#[test]
fn a_stop_can_be_put_off_and_taken_back() {
    let mut relay = Relay::new(false);
    relay.stop_at(stop(3));
    let mut client = push(&mut relay, said(0, "one ").as_bytes());
    relay.stop_at(None);
    client.extend(push(&mut relay, [said(0, "two "), said(0, "three "), said(0, "four ")].concat().as_bytes()));
    assert!(!relay.is_over());
    relay.stop_at(stop(5));
    client.extend(push(&mut relay, [said(0, "five "), said(0, "six ")].concat().as_bytes()));
    assert_eq!(texts(&read_whole(&client).0), [(0, "one two three four five ", "length")]);
}

#[test]
fn a_stream_whose_choices_have_ended_is_let_be() {
    let mut relay = Relay::new(true);
    let mut client = push(&mut relay, (said(0, "one ") + &ended(0)).as_bytes());
    relay.stop_at(stop(0));
    assert!(!relay.is_stopping());
    client.extend(push(&mut relay, (USAGE.to_owned() + DONE).as_bytes()));
    let (choices, usages) = read_whole(&client);
    assert_eq!((texts(&choices), usages.len()), (vec![(0, "one ", "stop")], 1));
    assert!(relay.metered().known.usage.is_some());
}

#[test]
fn what_the_provider_tells_on_the_way_counts_for_the_stop() {
    let mut relay = Relay::new(true);
    relay.stop_at(stop(50));
    let told = said(0, "one ").replace("\"usage\":null", "\"usage\":{\"prompt_tokens\":19,\"completion_tokens\":50}");
    let (choices, usages) = read_whole(&push(&mut relay, (told + &said(0, "two ")).as_bytes()));
    assert_eq!(texts(&choices), [(0, "one ", "length")]);
    let counts = usages.iter().map(|usage| (usage["prompt_tokens"].as_u64(), usage["completion_tokens"].as_u64()));
    assert_eq!(counts.collect::<Vec<_>>(), [(Some(19), Some(50)); 2]);
}

/// A stream of some choices, their pieces in any order, perhaps with a usage on the way.
fn streams() -> impl Strategy<Value = String> {
    let piece =
        (0..3_u32, prop::sample::select(vec!["", "a ", "word ", "a much longer piece of text ", "\n\n", "é🦀"]));
    (prop::collection::vec(piece, 0..12), prop::sample::select(vec!["\n", "\r\n", "\r"]), any::<bool>()).prop_map(
        |(pieces, line_end, told)| {
            let mut frames: Vec<String> = pieces.iter().map(|(index, text)| said(*index, text)).collect();
            if told && frames.len() > 3 {
                frames.insert(3, USAGE.to_owned());
            }
            frames.push(": ping\n\n".to_owned());
            let begun: std::collections::BTreeSet<u32> = pieces.iter().map(|(index, _)| *index).collect();
            frames.extend(begun.iter().map(|index| ended(*index)));
            (frames.concat() + USAGE + DONE).replace('\n', line_end)
        },
    )
}

/// The ends of the frames of `stream`: after the CR of a blank line, a frame is whole.
fn frames_in(stream: &[u8]) -> usize {
    let (mut frames, mut rest, mut count) = (Frames::new(), stream, 0);
    while frames.next(&mut rest).unwrap().is_some() {
        count += 1;
    }
    count
}

/// What the client gets of `stream` in `chunks`, told to stop at `limit` once `after` of them have come.
fn stopped(show: bool, chunks: &[&[u8]], after: usize, limit: u64) -> Vec<u8> {
    let (mut relay, mut client) = (Relay::new(show), Vec::new());
    for (index, chunk) in chunks.iter().enumerate() {
        if index == after {
            relay.stop_at(stop(limit));
        }
        client.extend(push(&mut relay, chunk));
    }
    if after >= chunks.len() {
        relay.stop_at(stop(limit));
    }
    client.extend(relay.finish(End::Whole));
    assert!(relay.is_over() && relay.metered().whole);
    client
}

proptest! {
    #[test]
    fn however_a_stream_is_cut_and_whenever_it_is_stopped_it_is_whole_for_the_client(
        stream in streams(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        after in any::<prop::sample::Index>(),
        limit in 0..14_u64,
        show in any::<bool>(),
    ) {
        let bytes = stream.as_bytes();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        let after = after.index(chunks.len() + 1);
        let client = stopped(show, &chunks, after, limit);
        let (choices, _) = read_whole(&client);
        prop_assert!(!choices.is_empty() || stream.starts_with(": ping"));

        // The same where the frames come one by one, and the stop after as many of them.
        let position = frames_in(&bytes[..cuts[after]]);
        let ends: Vec<usize> = (0..=bytes.len()).filter(|end| {
            *end == 0 || *end == bytes.len() || frames_in(&bytes[..*end]) > frames_in(&bytes[..*end - 1])
        }).collect();
        let by_frame: Vec<&[u8]> = ends.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        prop_assert_eq!(String::from_utf8(stopped(show, &by_frame, position, limit)).unwrap(), String::from_utf8(client).unwrap());
    }
}
