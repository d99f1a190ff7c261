//! When a client leaves a stream, or it is stopped: whether the provider is still to tell what was used, and what stands in for it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "tests")]

use std::fs;
use tollgate::chat::Usage;
use tollgate::dialect::openai::ending::Heading;
use tollgate::dialect::{Dialect, Endpoint, Stamp};
use tollgate::reckon::{Known, Reckoning};
use tollgate::relay::{End, Relay, Stop};
use tollgate::units::Tokens;

const PROVIDERS: [Dialect; 4] = [Dialect::OpenAi, Dialect::Responses, Dialect::Anthropic, Dialect::Gemini];

fn frames(dialect: Dialect, case: &str) -> Vec<String> {
    let text = fs::read_to_string(format!("tests/fixtures/chat/{}/{case}.sse", dialect.name())).unwrap();
    text.split_inclusive("\n\n").map(str::to_owned).collect()
}

/// Those frames that come before the end of the answer.
fn begun(dialect: Dialect, case: &str) -> Vec<String> {
    let ends = ["finish_reason\":\"", "stop_reason\":\"", "finishReason", "response.completed"];
    frames(dialect, case).into_iter().take_while(|frame| !ends.iter().any(|end| frame.contains(end))).collect()
}

fn relay(from: Dialect, to: Endpoint) -> Relay {
    Relay::between(from, to, &Stamp { id: "1-2", created: 17, model: "m" }, true)
}

/// Whether the usage is still owed before each frame and after the last, unasked and asked, one letter each: `o` it is, `-` not.
fn owed(dialect: Dialect, case: &str) -> [String; 2] {
    let mut relay = relay(dialect, Endpoint::Chat);
    let (mut plain, mut asked) = (String::new(), String::new());
    let mut note = |relay: &Relay| {
        plain.push(if relay.owes_usage(false) { 'o' } else { '-' });
        asked.push(if relay.owes_usage(true) { 'o' } else { '-' });
    };
    note(&relay);
    for frame in frames(dialect, case) {
        relay.push(frame.as_bytes());
        note(&relay);
    }
    [plain, asked]
}

#[test]
fn the_usage_is_owed_before_anything_is_said_and_once_all_is_said_and_while_there_are_thoughts() {
    for dialect in PROVIDERS {
        let [plain, asked] = owed(dialect, "text");
        let said = plain.trim_start_matches('o');
        let ended = said.trim_start_matches('-');
        assert!(plain.starts_with('o') && said.starts_with('-'), "{dialect:?}: {plain}");
        // Where the end and the usage are told in one frame nothing is owed any more.
        assert!(ended.trim_matches(['o', '-']).is_empty() && plain.ends_with('-'), "{dialect:?}: {plain}");
        assert!(!asked.trim_end_matches('-').contains('-') && asked.ends_with('-'), "{dialect:?}: {asked}");
        let [thinks, _] = owed(dialect, "reasoning");
        assert!(!thinks.trim_end_matches('-').contains('-') && thinks.ends_with('-'), "{dialect:?}: {thinks}");
    }
    assert_eq!(owed(Dialect::OpenAi, "text")[0], "oo---o--");
}

#[test]
fn thoughts_that_nobody_tells_of_are_reckoned_at_their_most() {
    let (most, budget) = (Tokens::new(1_000), Some(Tokens::new(300)));
    let known = Known { usage: None, counted: Tokens::new(10), since: Tokens::new(10) };
    let counted = |known: Known| (known.counted.get(), known.since.get());
    for dialect in PROVIDERS {
        let [text, reasoning] = ["text", "reasoning"].map(|case| begun(dialect, case));
        for (what, sent, asked, budget, expected) in [
            ("plain text", &text, false, None, (10, 10)),
            ("it was asked to think", &text, true, None, (1_000, 1_000)),
            ("so much at the most", &text, true, budget, (310, 310)),
            ("the last usage came", &frames(dialect, "text"), true, None, (10, 10)),
            ("thoughts were shown", &reasoning, false, None, (1_000, 1_000)),
        ] {
            let mut relay = relay(dialect, Endpoint::Chat);
            sent.iter().for_each(|frame| drop(relay.push(frame.as_bytes())));
            assert_eq!(counted(relay.with_thoughts(known, asked, budget, most)), expected, "{dialect:?}: {what}");
        }
    }
}

#[test]
fn a_stop_of_ours_is_no_word_of_the_providers() {
    for dialect in PROVIDERS {
        for to in [Endpoint::Chat, Endpoint::Responses, Endpoint::Messages, Endpoint::Generate] {
            let mut relay = relay(dialect, to);
            let reckoning = Reckoning { input: Tokens::new(7), output_max: None, bounds: None };
            let heading = Heading::new(to, "9", 17, "m");
            relay.stop_at(Some(Stop { output: Tokens::new(1), reckoning, heading }));
            frames(dialect, "reasoning").iter().for_each(|frame| drop(relay.push(frame.as_bytes())));
            relay.finish(End::Cut);
            assert!(relay.is_stopped() && relay.metered().whole, "{dialect:?} to {to:?}");
            let known = relay.metered().over();
            assert!(known.usage.is_none_or(|usage: Usage| usage.input != Tokens::new(7)), "{dialect:?} to {to:?}");
            let more = relay.with_thoughts(known, true, Some(Tokens::new(50)), Tokens::new(1_000));
            assert_eq!(more.counted.minus(known.counted).get(), 50, "{dialect:?} to {to:?}");
        }
    }
}
