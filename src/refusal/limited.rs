//! The refusal of a call that limits stand in the way of: 429, and what to do next by the cause.
//!
//! | cause | `type` | `code` | `x-should-retry` | `Retry-After` |
//! |---|---|---|---|---|
//! | busy | `concurrency` | `concurrency_limit_exceeded` | true | 1 s |
//! | reserved | `rate_limit_error` | `budget_reserved` | true | until the first lease ends, at most 60 s |
//! | rate | `requests`, `tokens` | `rate_limit_exceeded` | true up to 60 s | until the window has moved, up to 120 s |
//! | exhausted | `insufficient_quota` | `project_spend_limit_exceeded`, `insufficient_quota` | false | up to 120 s |
//! | never | `invalid_request_error` | `request_too_large_for_limit` | false | none |
//!
//! The codes of *rate* and *exhausted* are OpenAI's own, which clients match exactly; the others are ones that no client
//! takes for the end. Where several limits refuse, the cause that lasts longest is said, and the body lists all of them.

use super::{RETRY_WORTH, Refusal, duration};
use crate::limits::{Block, Cause};
use crate::policy::What;
use crate::units::{Amount, Millis, Tokens};
use serde_json::{Value, json};

/// A call under way may end at any moment.
const BUSY_WAIT: Millis = Millis::from_secs(1);

impl Refusal {
    /// Limits stand in the way. `asked` and `affordable`: the output that the call may have had, and that it could have.
    pub(super) fn limited(all: &[Block], affordable: Option<Tokens>, asked: Option<Tokens>) -> Self {
        let lasting = |block: &Block| (block.cause, block.wait.is_none(), block.wait);
        let Some(worst) = all.iter().max_by_key(|block| lasting(block)) else {
            return Self::no_decision();
        };
        // What is said is about the limits that last longest: the others do not matter until then.
        let same: Vec<&Block> = all.iter().filter(|block| block.cause == worst.cause).collect();
        let (kind, code) = kind_and_code(worst);
        let mut message = text(worst.cause, &same);
        if let (Some(asked), Some(affordable)) = (asked, affordable) {
            message.push_str(&format!(" You requested up to {asked} tokens, but can only afford {affordable}."));
        }
        let retry_after = match worst.cause {
            Cause::Never => None,
            Cause::Exhausted | Cause::Rate => worst.wait,
            // A call under way mostly ends long before its lease does.
            Cause::Reserved => Some(worst.wait.unwrap_or(RETRY_WORTH).min(RETRY_WORTH)),
            Cause::Busy => Some(BUSY_WAIT),
        };
        if let Some(wait) = retry_after.filter(|_| worst.cause != Cause::Busy) {
            message.push_str(&format!(" Try again in {}.", duration(wait)));
        }
        let worth = retry_after.is_some_and(|wait| wait <= RETRY_WORTH);
        let retry = worth && !matches!(worst.cause, Cause::Never | Cause::Exhausted);
        let mut refusal = Self::new(429, kind, Some(code), message);
        (refusal.retry, refusal.retry_after) = (Some(retry), retry_after);
        refusal.extra.insert("limits".to_owned(), all.iter().map(document).collect());
        if let Some(affordable) = affordable {
            refusal.extra.insert("affordable_output_tokens".to_owned(), json!(affordable));
        }
        refusal
    }

    /// A key, or all of its tenant's together, asked for usage or models too often.
    pub(super) fn looks_limited(wait: Millis) -> Self {
        let message = format!(
            "Usage and models were asked for too often; a key may ask 600 times a minute, a tenant 3,000 times. Try again in {}.",
            duration(wait)
        );
        let refusal = Self::new(429, "requests", Some("rate_limit_exceeded"), message);
        Self { retry: Some(true), retry_after: Some(wait), ..refusal }
    }
}

/// What SDKs and agents tell the causes apart by.
fn kind_and_code(block: &Block) -> (&'static str, &'static str) {
    match block.cause {
        Cause::Busy => ("concurrency", "concurrency_limit_exceeded"),
        Cause::Reserved => ("rate_limit_error", "budget_reserved"),
        Cause::Rate if block.what.ends_with("tokens") => ("tokens", "rate_limit_exceeded"),
        Cause::Rate => ("requests", "rate_limit_exceeded"),
        // A spent budget has the code that newer clients know as one; any other quota the older one.
        Cause::Exhausted if block.what == What::Cost.name() => ("insufficient_quota", "project_spend_limit_exceeded"),
        Cause::Exhausted => ("insufficient_quota", "insufficient_quota"),
        Cause::Never => ("invalid_request_error", "request_too_large_for_limit"),
    }
}

/// What is wrong, for people.
fn text(cause: Cause, blocks: &[&Block]) -> String {
    let names = blocks.iter().map(|block| format!("{:?}", block.name)).collect::<Vec<_>>().join(", ");
    match cause {
        Cause::Busy => format!("Too many calls are under way: {names}."),
        Cause::Reserved => format!("Calls under way hold what is left of {names}; what they do not use comes back."),
        Cause::Rate => format!("Rate limit reached: {names}."),
        Cause::Exhausted => format!("You have used up {names}."),
        Cause::Never => {
            let sizes = blocks.iter().map(|block| size(block)).collect::<Vec<_>>().join(", ");
            format!("Request too large: it may use {sizes}. Waiting does not help; ask for less.")
        }
    }
}

/// What a call asks of a limit that is too small for it.
fn size(block: &Block) -> String {
    let unit = if block.what == What::Cost.name() { "US dollars".to_owned() } else { block.what.replace('_', " ") };
    let amount = |amount: Amount| What::named(&block.what).map_or_else(|| amount.to_string(), |what| what.text(amount));
    format!("{} {unit} where {:?} allows {}", amount(block.asked), block.name, amount(block.max))
}

/// A limit as the body of a refusal shows it.
fn document(block: &Block) -> Value {
    let what = What::named(&block.what);
    let amount = |amount| what.map_or(json!(amount), |what| what.document(amount));
    json!({
        "name": block.name, "what": block.what, "per": block.per, "window": block.window, "cause": block.cause,
        "max": amount(block.max), "used": amount(block.settled), "held": amount(block.held), "asked": amount(block.asked),
        "retry_after_ms": block.wait,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gauge::Gauges;
    use crate::wire::Denial;

    fn block(cause: Cause, what: &str, wait: Option<u64>) -> Block {
        Block {
            name: format!("my-{what}"),
            what: what.to_owned(),
            per: "key".to_owned(),
            window: "60s".to_owned(),
            max: Amount::new(100),
            settled: Amount::new(90),
            held: Amount::new(10),
            asked: Amount::new(1),
            cause,
            wait: wait.map(Millis::from_secs),
        }
    }

    fn refused(blocks: Vec<Block>, affordable: Option<Tokens>, asked: Option<Tokens>) -> Refusal {
        Refusal::denied(Denial::Limited { blocks, affordable, asked, gauges: Gauges::default() }, "m")
    }

    /// Each row: what blocks, then type, code, x-should-retry, Retry-After.
    #[test]
    fn what_an_sdk_does_next_depends_on_the_cause() {
        for (blocks, kind, code, retry, after) in [
            (vec![block(Cause::Rate, "requests", Some(12))], "requests", "rate_limit_exceeded", "true", Some("12")),
            (vec![block(Cause::Rate, "tokens", Some(12))], "tokens", "rate_limit_exceeded", "true", Some("12")),
            (vec![block(Cause::Rate, "tokens", Some(90))], "tokens", "rate_limit_exceeded", "false", Some("90")),
            (vec![block(Cause::Rate, "tokens", Some(3_000))], "tokens", "rate_limit_exceeded", "false", None),
            (
                vec![block(Cause::Exhausted, "cost", Some(900_000))],
                "insufficient_quota",
                "project_spend_limit_exceeded",
                "false",
                None,
            ),
            (
                vec![block(Cause::Exhausted, "requests", Some(30))],
                "insufficient_quota",
                "insufficient_quota",
                "false",
                Some("30"),
            ),
            (
                vec![block(Cause::Reserved, "cost", Some(600))],
                "rate_limit_error",
                "budget_reserved",
                "true",
                Some("60"),
            ),
            (vec![block(Cause::Reserved, "tokens", Some(7))], "rate_limit_error", "budget_reserved", "true", Some("7")),
            (
                vec![block(Cause::Busy, "concurrency", Some(600))],
                "concurrency",
                "concurrency_limit_exceeded",
                "true",
                Some("1"),
            ),
            (
                vec![block(Cause::Never, "tokens", None)],
                "invalid_request_error",
                "request_too_large_for_limit",
                "false",
                None,
            ),
            (
                vec![block(Cause::Exhausted, "requests", Some(30)), block(Cause::Exhausted, "cost", None)],
                "insufficient_quota",
                "project_spend_limit_exceeded",
                "false",
                None,
            ),
            (
                vec![block(Cause::Rate, "requests", Some(1)), block(Cause::Exhausted, "cost", Some(900_000))],
                "insufficient_quota",
                "project_spend_limit_exceeded",
                "false",
                None,
            ),
        ] {
            let refusal = refused(blocks.clone(), None, None);
            let headers = refusal.headers();
            let header = |name: &str| headers.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str());
            let got = (refusal.status, refusal.kind, refusal.code, header("x-should-retry"), header("retry-after"));
            assert_eq!(got, (429, kind, Some(code), Some(retry), after), "{blocks:?}");
            assert_eq!(refusal.extra["limits"].as_array().map(Vec::len), Some(blocks.len()), "every limit is named");
        }
    }

    #[test]
    fn a_shortfall_is_told_in_the_words_that_clients_parse() {
        let blocks = vec![block(Cause::Exhausted, "cost", None)];
        let refusal = refused(blocks, Some(Tokens::new(27_342)), Some(Tokens::new(32_000)));
        assert!(
            refusal.message.contains("You requested up to 32000 tokens, but can only afford 27342."),
            "{}",
            refusal.message
        );
        assert_eq!(refusal.extra["affordable_output_tokens"], 27_342);
    }

    #[test]
    fn what_never_fits_is_told_with_its_size() {
        let tokens = Block { asked: Amount::new(610), ..block(Cause::Never, "output_tokens", None) };
        let money = Block { asked: Amount::new(1_500_000_000), ..block(Cause::Never, "cost", None) };
        let refusal = refused(vec![tokens, money, block(Cause::Rate, "requests", Some(1))], None, None);
        assert_eq!(
            refusal.message,
            "Request too large: it may use 610 output tokens where \"my-output_tokens\" allows 100, \
             1.5 US dollars where \"my-cost\" allows 0.0000001. Waiting does not help; ask for less."
        );
    }

    /// Of each two causes, something that a program reads is different.
    #[test]
    fn no_two_causes_look_alike() {
        let causes = [Cause::Busy, Cause::Reserved, Cause::Rate, Cause::Exhausted, Cause::Never];
        let told = causes.map(|cause| refused(vec![block(cause, "tokens", Some(7))], None, None));
        for (at, one) in told.iter().enumerate() {
            for other in &told[..at] {
                assert!(one.kind != other.kind && one.code != other.code, "{one:?} and {other:?}");
            }
        }
    }
}
