//! What a native call is billed that was answered.

use super::{Meter, hold};
use crate::chat::Usage;
use crate::price::{Bill, Price};
use crate::reckon::Bounds;
use crate::rows::Truth;
use crate::settle::bill_of;
use crate::units::{NanoUsd, Tokens};

/// How many times the tokens that a native answer tells of must have been counted for its word not to count, and how many may be
/// counted besides: all texts count, and events say theirs several times, with names and ids around each.
const CONTRADICTION: u64 = 128;
const FRAME: Tokens = Tokens::new(1_000);

/// The tokens of a call whose path has this `price`, what they cost, and what that rests on.
///
/// | the answer                              | is billed                                     | truth      |
/// |-----------------------------------------|-----------------------------------------------|------------|
/// | tells a usage                           | that                                          | `reported` |
/// | tells of hardly any of what came        | what it tells, and the output that came       | `counted`  |
/// | tells one that no call can have         | the most that it can ([`Bounds::unread`])     | `bounded`  |
/// | tells none, or one of nothing           | what was counted                              | `counted`  |
/// | tells none, and more than that was held | what was held                                 | `ceiling`  |
/// | only shows what there is (not `works`)  | what each such call costs, if its path has it | `reported` |
///
/// A path that costs nothing, or has no price, costs nothing here either. `sent`: the bytes of the request, where they are known.
pub fn bill(price: &Price, works: bool, meter: &Meter, sent: Option<u64>) -> (Bill, NanoUsd, Truth) {
    if !works {
        return (Bill::default(), price.cost(Bill::default()), Truth::Reported);
    }
    if let Some(usage) = meter.usage().filter(|usage| *usage != Usage::default()) {
        let counted = meter.counted();
        let is_short = meter.tells_output() && usage.output.times(CONTRADICTION).plus(FRAME) < counted;
        let believed = if is_short { Usage { output: counted, ..usage } } else { usage };
        let bounded = Bounds::unread(sent).bound(believed, counted);
        let truth = match bounded {
            Some(_) => Truth::Bounded,
            None if is_short => Truth::Counted,
            None => Truth::Reported,
        };
        let bill = bill_of(bounded.unwrap_or(believed));
        return (bill, price.cost(bill), truth);
    }
    let bill = bill_of(meter.reckoned());
    let (cost, held) = (price.cost(bill), hold(price));
    if *price == Price::default() || cost >= held { (bill, cost, Truth::Counted) } else { (bill, held, Truth::Ceiling) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Rate;

    const CENT: u64 = 10_000_000;

    /// Of a dollar for a million tokens of input, ten for output.
    fn priced(request: u64) -> Price {
        let rate = |dollars: u64| Rate::new(dollars * 1_000_000_000);
        Price { request: NanoUsd::new(request), ..Price::flat(rate(1), rate(10)) }
    }

    #[test]
    fn an_answer_that_tells_no_usage_is_billed_what_was_held_or_what_was_counted() {
        let long = format!(r#"{{"text":"{}"}}"#, "word".repeat(20_000));
        let told = r#"{"usage":{"input_tokens":1000,"output_tokens":1}}"#;
        let per_call = Price { request: NanoUsd::new(4 * CENT), ..Price::default() };
        let (reported, counted, ceiling) = (Truth::Reported, Truth::Counted, Truth::Ceiling);
        for (what, price, method, content_type, answer, cost, truth) in [
            ("a usage", priced(0), "POST", "application/json", told, CENT / 10 + 10_000, reported),
            (
                "a usage, and each call costs",
                priced(CENT),
                "POST",
                "application/json",
                told,
                CENT + CENT / 10 + 10_000,
                reported,
            ),
            ("sound", priced(0), "POST", "audio/wav", "RIFF", 10 * CENT, ceiling),
            ("text", priced(0), "POST", "text/plain", "hello", 10 * CENT, ceiling),
            ("nothing", priced(0), "PUT", "", "", 10 * CENT, ceiling),
            ("JSON without a usage", priced(0), "POST", "application/json", r#"{"text":"hi"}"#, 10 * CENT, ceiling),
            (
                "a usage of seconds",
                priced(0),
                "POST",
                "application/json",
                r#"{"usage":{"seconds":9}}"#,
                10 * CENT,
                ceiling,
            ),
            (
                "a stream without one",
                priced(0),
                "POST",
                "text/event-stream",
                "data: {\"a\":\"hi\"}\n\n",
                10 * CENT,
                ceiling,
            ),
            ("more than was held", priced(0), "POST", "application/json", &long, 20 * CENT, counted),
            ("each call costs", per_call.clone(), "POST", "audio/wav", "RIFF", 4 * CENT, counted),
            ("it is free", Price::default(), "POST", "audio/wav", "RIFF", 0, counted),
            ("it only shows", priced(0), "GET", "application/json", r#"{"data":[]}"#, 0, reported),
            ("it only shows a usage", priced(0), "GET", "application/json", told, 0, reported),
            ("it only shows, and each call costs", per_call, "HEAD", "audio/wav", "", 4 * CENT, reported),
        ] {
            let mut meter = Meter::new(content_type);
            meter.push(answer.as_bytes());
            meter.finish();
            let (_, billed, rests_on) = bill(&price, !matches!(method, "GET" | "HEAD"), &meter, None);
            assert_eq!((billed.get(), rests_on), (cost, truth), "{what}");
        }
    }

    #[test]
    fn a_usage_that_what_came_contradicts_is_not_believed() {
        let text = "word ".repeat(4_000);
        let (json, events) = ("application/json", "text/event-stream");
        let whole = |usage: &str| format!(r#"{{"text":"{text}","usage":{usage}}}"#);
        let told = r#"{"usage":{"input_tokens":1000,"output_tokens":9000}}"#;
        for (what, kind, answer, input, output, truth) in [
            ("as much as came", json, whole(r#"{"input_tokens":7,"output_tokens":4000}"#), 7, 4_000, Truth::Reported),
            ("no output", json, whole(r#"{"prompt_tokens":7,"completion_tokens":0}"#), 7, 5_000, Truth::Counted),
            ("one token", json, whole(r#"{"input_tokens":7,"output_tokens":1}"#), 7, 5_000, Truth::Counted),
            (
                "an embedding tells of none",
                json,
                whole(r#"{"prompt_tokens":7,"total_tokens":7}"#),
                7,
                0,
                Truth::Reported,
            ),
            (
                "a closing one of zero",
                events,
                format!("data: {told}\n\ndata: {{\"usage\":{{\"input_tokens\":0,\"output_tokens\":0}}}}\n\n"),
                1_000,
                9_000,
                Truth::Reported,
            ),
            (
                "the second of two",
                json,
                format!("{}{}", told.trim_end_matches('}'), r#"},"usage":{"input_tokens":0,"output_tokens":0}}"#),
                1_000,
                9_000,
                Truth::Reported,
            ),
        ] {
            let mut meter = Meter::new(kind);
            meter.push(answer.as_bytes());
            meter.finish();
            let (billed, _, rests_on) = bill(&priced(0), true, &meter, None);
            assert_eq!((billed, rests_on), (Bill::of(Tokens::new(input), Tokens::new(output)), truth), "{what}");
        }
        let mut meter = Meter::new(json);
        meter.push(whole(r#"{"prompt_tokens":0,"completion_tokens":0}"#).as_bytes());
        meter.finish();
        let (_, cost, truth) = bill(&priced(0), true, &meter, None);
        assert_eq!((cost.get(), truth), (10 * CENT, Truth::Ceiling), "a usage of nothing is none");
    }

    #[test]
    fn an_answer_that_is_cut_is_billed_by_what_it_told_only_if_that_was_its_last_word() {
        let begun = "data: {\"message\":{\"usage\":{\"input_tokens\":7,\"output_tokens\":1}}}\n\n";
        let (text, told) = ("data: {\"text\":\"abcd\"}\n\n", "data: {\"usage\":{\"output_tokens\":9}}\n\n");
        for (stream, output, truth) in [
            ([begun, "", ""], 1, Truth::Ceiling),
            ([begun, text, ""], 2, Truth::Ceiling),
            ([begun, text, told], 9, Truth::Reported),
        ] {
            let mut meter = Meter::new("text/event-stream");
            meter.push(stream.concat().as_bytes());
            let (billed, cost, rests_on) = bill(&priced(0), true, &meter, None);
            assert_eq!((billed, rests_on), (Bill::of(Tokens::new(7), Tokens::new(output)), truth), "{stream:?}");
            assert!(cost >= priced(0).cost(billed));
        }
    }

    #[test]
    fn no_usage_is_believed_that_no_call_can_have() {
        const MEBI: u64 = 1 << 20;
        let (reported, bounded) = (Truth::Reported, Truth::Bounded);
        for (what, input, output, sent, billed, truth) in [
            ("the most", 8 * MEBI, MEBI, None, (8 * MEBI, MEBI), reported),
            ("more output", 7, MEBI + 1, None, (7, MEBI), bounded),
            ("more input than can be read", 8 * MEBI + 1, 9, Some(60), (60, 9), bounded),
            ("the same, of a request of unknown length", 8 * MEBI + 1, 9, None, (MEBI, 9), bounded),
            ("a request that is longer", 9 * MEBI, 9, Some(9 * MEBI), (9 * MEBI, 9), reported),
            ("both", u64::MAX, u64::MAX, Some(1), (1, MEBI), bounded),
        ] {
            let mut meter = Meter::new("application/json");
            meter.push(format!(r#"{{"usage":{{"input_tokens":{input},"output_tokens":{output}}}}}"#).as_bytes());
            meter.finish();
            let (input, output) = billed;
            let expected = Bill::of(Tokens::new(input), Tokens::new(output));
            let (bill, cost, rests_on) = bill(&priced(0), true, &meter, sent);
            assert_eq!((bill, cost, rests_on), (expected, priced(0).cost(expected), truth), "{what}");
        }
    }
}
