//! What it means that a provider failed: what its error says went wrong, be it the body of a failure or what came where an
//! answer should have begun.

use super::waits::Waits;
use crate::attempt::Ending;
use crate::chat::Fault;
use crate::dialect::Dialect;
use crate::health::Outcome;
use crate::refusal::{Failure, Refusal};
use crate::units::Millis;
use serde_json::Value;

/// How long a target rests whose account is empty: until an operator has filled it, calls of it are for nothing.
const EMPTY_REST: Millis = Millis::from_secs(60);
/// The words for an account without credit, in a `type` or a `code`.
const EMPTY: [&str; 9] = [
    "insufficient_quota",
    "insufficient_balance",
    "insufficient_credit",
    "credit_balance",
    "billing",
    "spend_limit",
    "usage_limit",
    "exceeded_current_quota",
    "arrear",
];
/// The code of Workers AI for the same.
const EMPTY_CODE: &str = "3036";
/// What providers call what went wrong, in small letters, and the HTTP status of that: the first that a `type` or a `code` has
/// in it counts.
const WORDS: [(&str, u16); 30] = [
    ("rate_limit", 429),
    ("ratelimit", 429),
    ("too_many", 429),
    ("too many", 429),
    ("toomany", 429),
    ("throttl", 429),
    ("resource_exhausted", 429),
    ("slow_down", 429),
    ("servicequota", 429),
    ("server_is_overloaded", 503),
    ("overloaded", 529),
    ("unavailable", 503),
    ("capacity", 503),
    ("not_ready", 503),
    ("notready", 503),
    ("3040", 503),
    ("timeout", 504),
    ("timed_out", 504),
    ("deadline_exceeded", 504),
    ("unauthenticated", 401),
    ("authentication", 401),
    ("invalid_api_key", 401),
    ("unauthorized", 401),
    ("permission", 403),
    ("accessdenied", 403),
    ("forbidden", 403),
    ("not_found", 404),
    ("context_length", 400),
    ("invalid_", 400),
    ("validation", 400),
];
/// An error that says nothing of what went wrong.
const UNKNOWN: u16 = 502;

/// A failure that is known by the head of the answer; its body may say more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failing {
    pub(super) status: u16,
    pub(super) waits: Waits,
}

impl Failing {
    /// The status that the provider answered.
    pub const fn status(self) -> u16 {
        self.status
    }

    /// What the failure is worth with what its body says, as far as that was read: what health learns, and what the client is
    /// told where no other target is left.
    pub fn explained(self, dialect: Dialect, body: &[u8], now: Millis) -> (Outcome, Refusal) {
        let value: Value = serde_json::from_slice(body).unwrap_or_default();
        if self.status == 429 && is_empty_account(&dialect.read_fault(&value)) {
            return empty_account(self.status);
        }
        failed(self.status, self.waits.and_body(body, now).wait())
    }
}

/// What an error is worth that came where an answer should have begun, although the head said that one comes. `name` is that
/// of its event.
///
/// The HTTP status that it should have had is told by its `code` or `status`, if that is a number, or by its words.
pub fn instead(dialect: Dialect, name: Option<&str>, body: &[u8], now: Millis) -> (Outcome, Refusal) {
    let mut value: Value = serde_json::from_slice(body).unwrap_or_default();
    // A response that failed has its error inside.
    if let Some(response) = value.get_mut("response").filter(|response| response.is_object()) {
        value = response.take();
    }
    let fault = dialect.read_fault(&value);
    if is_empty_account(&fault) {
        return empty_account(429);
    }
    let wait = Waits::default().and_body(body, now).wait();
    match status_of(&value, &fault, name) {
        status @ (401 | 403) => (Outcome::Failed, Refusal::provider_credentials(status)),
        402 | 408 => failed(UNKNOWN, wait),
        status @ (400..=428 | 430..=499) => (Outcome::Answered, Refusal::provider_refused(status, fault)),
        status => failed(status, wait),
    }
}

/// What a body is worth that is no answer, although the head said that it is one: an error, nothing, or half of an answer, for
/// which its provider has worked.
pub fn no_answer(dialect: Dialect, body: &[u8], now: Millis) -> (Outcome, Ending, Refusal) {
    let failure = match serde_json::from_slice::<Value>(body) {
        Ok(value) if says_error(&value) => {
            let (outcome, refusal) = instead(dialect, None, body, now);
            return (outcome, Ending::NeverBegan, refusal);
        }
        Err(_) if body.trim_ascii().first().is_some_and(|first| matches!(first, b'{' | b'[')) => Failure::Cut,
        Ok(_) | Err(_) => Failure::Empty,
    };
    // What says something that is neither an answer nor an error may have been worked for; a page comes of somebody in between.
    let says_nothing = matches!(body.trim_ascii(), b"" | b"{}" | b"[]" | b"null" | [b'<', ..]);
    let ending = if says_nothing { Ending::NeverBegan } else { Ending::Silent };
    (Outcome::Failed, ending, Refusal::no_answer(failure))
}

fn says_error(body: &Value) -> bool {
    let body = body.as_array().and_then(|all| all.first()).unwrap_or(body);
    let says = |name: &str| body.get(name).is_some_and(|value| !value.is_null());
    // The `message` of an answer is an object.
    let is_said = body.get("message").is_some_and(Value::is_string);
    is_said || ["error", "errors", "detail", "internalCode", "__type"].into_iter().any(says)
}

/// A failure with this HTTP status after which a target asks to be left alone for so long, if it does.
pub(super) fn failed(status: u16, wait: Option<Millis>) -> (Outcome, Refusal) {
    let outcome = if status == 429 || wait.is_some() { Outcome::Busy(wait) } else { Outcome::Failed };
    (outcome, Refusal::provider_failed(status, wait))
}

/// An account without credit, told with this status.
pub(super) fn empty_account(status: u16) -> (Outcome, Refusal) {
    (Outcome::Busy(Some(EMPTY_REST)), Refusal::provider_account(status))
}

fn is_empty_account(fault: &Fault) -> bool {
    let says = |word: &Option<String>| {
        let word = word.as_deref().unwrap_or_default().to_ascii_lowercase();
        EMPTY.iter().any(|empty| word.contains(empty)) || word == EMPTY_CODE
    };
    says(&fault.kind) || says(&fault.code)
}

fn status_of(body: &Value, fault: &Fault, name: Option<&str>) -> u16 {
    let said = || [fault.code.as_deref(), fault.kind.as_deref(), name].into_iter().flatten();
    let error = body.as_array().and_then(|all| all.first()).unwrap_or(body);
    let error = error.get("error").unwrap_or(error);
    let bare = ["code", "status", "status_code"].into_iter().filter_map(|name| error.get(name)?.as_u64());
    let numbers = bare.chain(said().filter_map(|word| word.parse().ok()));
    let number = numbers.filter_map(|number| u16::try_from(number).ok()).find(|status| (400..=599).contains(status));
    let word = || {
        let words = said().map(str::to_ascii_lowercase).collect::<Vec<_>>().join(" ");
        WORDS.iter().find(|(known, _)| words.contains(known)).map(|(_, status)| *status)
    };
    number.or_else(word).unwrap_or(UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::{Verdict, judge};

    /// The same, in whole seconds.
    fn whole(outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Busy(wait) => Outcome::Busy(wait.map(|wait| Millis::from_secs(wait.get() / 1_000))),
            other => other,
        }
    }

    #[test]
    fn the_body_of_a_failure_is_read_for_its_wait_and_for_an_empty_account() {
        let busy = |seconds| Outcome::Busy(Some(Millis::from_secs(seconds)));
        for (status, lines, dialect, body, outcome, told) in [
            (
                429,
                "",
                Dialect::OpenAi,
                r#"{"error":{"message":"Please try again in 9s.","code":"rate_limit_exceeded"}}"#,
                busy(9),
                Some(9),
            ),
            (
                429,
                "retry-after\n1",
                Dialect::OpenAi,
                r#"{"error":{"message":"Spent.","code":"insufficient_quota"}}"#,
                busy(60),
                None,
            ),
            (
                429,
                "",
                Dialect::OpenAi,
                r#"{"error":{"type":"exceeded_current_quota_error","message":"Spent."}}"#,
                busy(60),
                None,
            ),
            (
                429,
                "",
                Dialect::Anthropic,
                r#"{"type":"error","error":{"type":"rate_limit_error","message":"m","details":{"error_code":"enforced_spend_limit_reached"}}}"#,
                busy(60),
                None,
            ),
            (
                429,
                "",
                Dialect::WorkersAi,
                r#"{"internalCode":3036,"description":"Used up.","name":"E"}"#,
                busy(60),
                None,
            ),
            (
                429,
                "",
                Dialect::Gemini,
                r#"[{"error":{"code":429,"details":[{"retryDelay":"41.2s"}]}}]"#,
                busy(41),
                Some(42),
            ),
            (429, "", Dialect::Converse, r#"{"message":"Too many requests."}"#, Outcome::Busy(None), None),
            (429, "", Dialect::OpenAi, "<html>", Outcome::Busy(None), None),
            (503, "", Dialect::OpenAi, r#"{"error":"Loading","estimated_time":20}"#, busy(20), Some(20)),
            (
                529,
                "",
                Dialect::Anthropic,
                r#"{"type":"error","error":{"type":"overloaded_error","message":"m"}}"#,
                Outcome::Failed,
                None,
            ),
        ] {
            let Verdict::Failing(failing) = judge(status, "application/json", lines, true, Millis::ZERO) else {
                panic!("{body} is not read")
            };
            let (got, refusal) = failing.explained(dialect, body.as_bytes(), Millis::ZERO);
            assert_eq!((whole(got), refusal.status), (outcome, status), "{body}");
            assert_eq!(refusal.retry_after.map(Millis::as_secs_ceil), told, "{body}");
            assert_eq!(refusal.retry == Some(false), outcome == busy(60), "{body}");
        }
    }

    #[test]
    fn an_error_is_known_by_its_number_or_its_words() {
        for (dialect, name, body, status, retries) in [
            (Dialect::OpenAi, None, r#"{"error":{"message":"m","code":"429"}}"#, 429, true),
            (Dialect::OpenAi, None, r#"{"error":{"message":"m","code":"4290"}}"#, 502, true),
            (Dialect::OpenAi, None, r#"{"error":{"message":"m","type":"server_error"}}"#, 502, true),
            (Dialect::OpenAi, None, r#"{"error":{"message":"m","type":"Too Many Requests"}}"#, 429, true),
            (Dialect::OpenAi, None, r#"{"error":{"message":"m","type":"authentication_error"}}"#, 502, false),
            (Dialect::OpenAi, None, r#"{"error":{"message":"m","code":402}}"#, 502, true),
            (Dialect::OpenAi, None, r#"{"error":{"message":"m","code":"model_not_found"}}"#, 404, false),
            (Dialect::OpenAi, None, r#"{"error":{"message":"m","code":99999}}"#, 502, true),
            (Dialect::OpenAi, None, "no json at all", 502, true),
            (Dialect::Converse, Some("throttlingException"), r#"{"message":"m"}"#, 429, true),
            (Dialect::Converse, Some("modelNotReadyException"), r#"{"message":"m"}"#, 503, true),
            (Dialect::Gemini, None, r#"{"error":{"code":503,"message":"m"}}"#, 503, true),
        ] {
            let (_, refusal) = instead(dialect, name, body.as_bytes(), Millis::ZERO);
            assert_eq!((refusal.status, refusal.retry != Some(false)), (status, retries), "{body}");
        }
        let long = format!(
            r#"{{"error":{{"message":"{}","code":"context_length_exceeded","type":"invalid_request_error"}}}}"#,
            "é".repeat(9_000)
        );
        let (outcome, refusal) = instead(Dialect::OpenAi, None, long.as_bytes(), Millis::ZERO);
        assert_eq!((outcome, refusal.status, refusal.code), (Outcome::Answered, 400, Some("context_length_exceeded")));
        assert_eq!(refusal.message.chars().count(), 2_000);
    }

    #[test]
    fn a_whole_body_that_is_no_answer_is_an_error_or_nothing_or_half_of_one() {
        use Ending::{NeverBegan, Silent};
        for (body, status, code, ends) in [
            (r#"{"error":{"message":"m","code":503}}"#, 503, "server_is_overloaded", NeverBegan),
            (r#"{"choices":[{"index":0,"mess"#, 502, "upstream_cut", Silent),
            ("{}", 502, "upstream_no_answer", NeverBegan),
            ("null", 502, "upstream_no_answer", NeverBegan),
            ("", 502, "upstream_no_answer", NeverBegan),
            (" \n", 502, "upstream_no_answer", NeverBegan),
            ("<html>", 502, "upstream_no_answer", NeverBegan),
            (r#"{"message":{"role":"assistant","content":"hi"},"eval_count":2}"#, 502, "upstream_no_answer", Silent),
            (r#"{"message":"m"}"#, 502, "upstream_error", NeverBegan),
            (r#"{"result":{"response":"hi"}}"#, 502, "upstream_no_answer", Silent),
            ("data: {\"choices\":[]}\n\n", 502, "upstream_no_answer", Silent),
            ("hello", 502, "upstream_no_answer", Silent),
        ] {
            let (outcome, ending, refusal) = no_answer(Dialect::OpenAi, body.as_bytes(), Millis::ZERO);
            assert_eq!((outcome, refusal.status, refusal.code), (Outcome::Failed, status, Some(code)), "{body}");
            assert_eq!(ending, ends, "{body}");
        }
    }
}
