//! Every "no": its status, type, code, headers and text, in the client's dialect.
//!
//! Only this module knows statuses. What a client should do next is always said: `x-should-retry`
//! is what the official SDKs obey first, and `Retry-After` is sent only where waiting that long is
//! sensible; no SDK may be put to sleep for days.

use crate::dialect::openai::envelope::BadRequest;
use crate::dialect::openai::write::error_body;
use crate::limits::{Block, Cause};
use crate::units::{Millis, Tokens};
use crate::wire::Denial;
use serde_json::{Map, Value, json};

/// The longest `Retry-After` that is ever sent: Python's SDK gives up beyond it, Node's would sleep.
const RETRY_AFTER_MAX: Millis = Millis::from_secs(120);
/// A wait up to this is worth an SDK's automatic retry.
const RETRY_WORTH: Millis = Millis::from_secs(60);

/// A refusal, ready to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// OpenAI's `type`.
    pub kind: &'static str,
    /// OpenAI's `code`.
    pub code: Option<&'static str>,
    /// The request's field that is at fault.
    pub param: Option<String>,
    /// What is wrong and what to do, for people.
    pub message: String,
    /// Whether an SDK should try again by itself; `None`: as it would anyway.
    pub retry: Option<bool>,
    /// How long to wait before that.
    pub retry_after: Option<Millis>,
    /// The method that would have been right.
    pub allow: Option<&'static str>,
    /// What the body says besides.
    pub extra: Map<String, Value>,
}

impl Refusal {
    fn new(status: u16, kind: &'static str, code: Option<&'static str>, message: impl Into<String>) -> Self {
        let (param, message, extra) = (None, message.into(), Map::new());
        Self { status, kind, code, param, message, retry: Some(false), retry_after: None, allow: None, extra }
    }

    /// The body, as OpenAI's clients read it.
    pub fn body(&self) -> String {
        error_body(&self.message, self.kind, self.code, self.param.as_deref(), Some(self.extra.clone()))
    }

    /// `retry-after`, `retry-after-ms` and `x-should-retry`, as far as they apply.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = Vec::new();
        if let Some(wait) = self.retry_after.filter(|wait| *wait <= RETRY_AFTER_MAX) {
            headers.push(("retry-after", wait.as_secs_ceil().max(1).to_string()));
            headers.push(("retry-after-ms", wait.get().max(1).to_string()));
        }
        if self.status == 401 {
            headers.push(("www-authenticate", "Bearer".to_owned()));
        }
        if let Some(allow) = self.allow {
            headers.push(("allow", allow.to_owned()));
        }
        if let Some(retry) = self.retry {
            headers.push(("x-should-retry", retry.to_string()));
        }
        headers
    }

    /// No key, or one that we did not make.
    pub fn bad_key(presented: bool) -> Self {
        let message = if presented {
            "The API key is not valid here. Check that it was copied whole: it begins with \"tg_\"."
        } else {
            "There is no API key. Send it as \"Authorization: Bearer tg_...\", \"x-api-key\" or \"api-key\"."
        };
        Self::new(401, "invalid_request_error", Some("invalid_api_key"), message)
    }

    /// A request that cannot be passed on.
    pub fn bad_request(bad: BadRequest) -> Self {
        let refusal = Self::new(400, "invalid_request_error", None, bad.message);
        Self { param: bad.param, ..refusal }
    }

    /// A body larger than `bytes_max`.
    pub fn too_large(bytes_max: u32) -> Self {
        let message = format!("The body is larger than {bytes_max} bytes; send less, or send files by their address.");
        Self::new(413, "invalid_request_error", Some("request_too_large"), message)
    }

    /// A body that is packed: it would have to be unpacked to be read.
    pub fn packed(encoding: &str) -> Self {
        let shown: String = encoding.chars().take(32).collect();
        let message = format!("The body is sent with content-encoding {shown:?}; send it unpacked.");
        Self::new(415, "invalid_request_error", Some("unsupported_content_encoding"), message)
    }

    /// A path that is not served.
    pub fn no_path(method: &str, path: &str) -> Self {
        let shown: String = path.chars().take(128).collect();
        let message = format!(
            "There is no {method} {shown} here. Served are POST /v1/chat/completions, POST /v1/embeddings, \
             GET /v1/models and GET /v1/usage."
        );
        Self::new(404, "invalid_request_error", Some("unknown_url"), message)
    }

    /// A path that is served by another method.
    pub fn wrong_method(method: &str, path: &str, allowed: &'static str) -> Self {
        let message = format!("{path} takes {allowed}, not {method}.");
        let refusal = Self::new(405, "invalid_request_error", Some("method_not_allowed"), message);
        Self { allow: Some(allowed), ..refusal }
    }

    /// A model that is not in the catalog, or not for this key.
    pub fn no_model(model: &str) -> Self {
        let message = format!(
            "The model {model:?} does not exist, or this key may not call it. GET /v1/models lists those it may."
        );
        let refusal = Self::new(404, "invalid_request_error", Some("model_not_found"), message);
        Self { param: Some("model".to_owned()), ..refusal }
    }

    /// The deployment lacks `name`, a secret or a binding.
    pub fn not_set_up(name: &str, remedy: &str) -> Self {
        let message = format!("This gateway is not set up: {name} is missing. {remedy}");
        Self::new(503, "service_unavailable_error", Some("gateway_not_set_up"), message)
    }

    /// The tenant's object did not answer.
    pub fn no_decision() -> Self {
        let refusal = Self::new(
            503,
            "service_unavailable_error",
            Some("server_is_overloaded"),
            "The limits of this tenant could not be checked just now, so the call was not made. Try again.",
        );
        Self { retry: Some(true), retry_after: Some(Millis::from_secs(1)), ..refusal }
    }

    /// The gateway itself failed.
    pub fn crashed() -> Self {
        let refusal = Self::new(
            500,
            "server_error",
            None,
            "The gateway failed to answer this call. Its operator finds it in the log by the request id.",
        );
        Self { retry: None, ..refusal }
    }

    /// No provider could be reached, or none answered in time, or its answer was cut.
    pub fn no_answer(failure: Failure) -> Self {
        let (status, code, what) = match failure {
            Failure::Unreachable => (502, "upstream_unreachable", "could not be reached"),
            Failure::Slow => (504, "upstream_timeout", "did not answer in time"),
            Failure::Cut => (502, "upstream_cut", "broke off its answer"),
        };
        let message = format!("The provider {what}, and there is no other left to try.");
        let refusal = Self::new(status, "server_error", Some(code), message);
        Self { retry: None, ..refusal }
    }

    /// What a denial by the tenant's object says to the client.
    pub fn denied(denial: Denial, model: &str) -> Self {
        let key = |code: &'static str, message: &str| Self::new(401, "invalid_request_error", Some(code), message);
        match denial {
            Denial::KeyUnknown => Self::bad_key(true),
            Denial::KeyRevoked => key("invalid_api_key", "This API key was revoked. Ask your operator for another."),
            Denial::KeyExpired => key("invalid_api_key", "This API key has expired. Ask your operator for another."),
            Denial::TenantDisabled => {
                Self::new(403, "permission_error", Some("tenant_disabled"), "This tenant was disabled by its operator.")
            }
            Denial::ModelUnknown => Self::no_model(model),
            Denial::PriceUnknown { target } => Self::new(
                503,
                "service_unavailable_error",
                Some("price_unknown"),
                format!(
                    "A budget covers this call, and {target} has no price. The operator sets it in the catalog: prices[{target:?}]."
                ),
            ),
            Denial::CallEnded => Self::no_decision(),
            Denial::Limited { blocks, affordable, asked } => Self::limited(&blocks, affordable, asked),
        }
    }

    /// Limits stand in the way: the one that lasts longest decides what is said.
    fn limited(all: &[Block], affordable: Option<Tokens>, asked: Option<Tokens>) -> Self {
        let Some(worst) = all.iter().max_by_key(|block| (block.cause, block.wait)) else {
            return Self::no_decision();
        };
        // What is said is about the limits that last longest: the others do not matter until then.
        let blocks: Vec<&Block> = all.iter().filter(|block| block.cause == worst.cause).collect();
        let dimension = if worst.what.ends_with("tokens") { "tokens" } else { "requests" };
        let names: Vec<_> = blocks.iter().map(|block| format!("{:?}", block.name)).collect();
        let names = names.join(", ");
        // One that is never over makes the others' waits idle.
        let endless = worst.cause >= Cause::Exhausted && blocks.iter().any(|block| block.wait.is_none());
        let wait = blocks.iter().filter_map(|block| block.wait).max().filter(|_| !endless);
        let (kind, code, text) = match worst.cause {
            Cause::Never => {
                (dimension, "request_exceeds_limit", format!("This request is larger than {names} could ever hold."))
            }
            Cause::Exhausted => ("insufficient_quota", exhausted_code(worst), format!("You have used up {names}.")),
            Cause::Rate => (dimension, "rate_limit_exceeded", format!("Rate limit reached: {names}.")),
            Cause::Reserved => (
                "requests",
                "rate_limit_exceeded",
                format!("Calls under way hold what is left of {names}; what they do not use comes back."),
            ),
            Cause::Busy => ("requests", "rate_limit_exceeded", format!("Too many calls are under way: {names}.")),
        };
        let mut message = text;
        if let (Some(asked), Some(affordable)) = (asked, affordable) {
            message.push_str(&format!(" You requested up to {asked} tokens, but can only afford {affordable}."));
        }
        let retry_after = match worst.cause {
            Cause::Never => None,
            Cause::Exhausted => wait.filter(|wait| *wait <= RETRY_AFTER_MAX),
            Cause::Rate => wait,
            // A call under way mostly ends long before its lease does.
            Cause::Reserved => Some(wait.unwrap_or(RETRY_WORTH).min(RETRY_WORTH)),
            Cause::Busy => Some(Millis::from_secs(1)),
        };
        if let Some(wait) = retry_after.or(wait).filter(|_| worst.cause != Cause::Busy) {
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
}

impl Refusal {
    /// The provider refused the gateway's own credentials; the provider's words may quote them.
    pub fn provider_credentials(provider_status: u16) -> Self {
        let message = format!(
            "The provider refused the gateway's own credentials (HTTP {provider_status}). \
             The operator checks the secret that the catalog names for it."
        );
        Self::new(502, "server_error", Some("upstream_credentials"), message)
    }

    /// A provider's failure that the client is told of in our words: `status` is the provider's.
    pub fn provider_failed(status: u16, wait: Option<Millis>) -> Self {
        let (kind, code, what) = match status {
            429 => ("rate_limit_error", "upstream_rate_limited", "limits our rate"),
            503 => ("service_unavailable_error", "server_is_overloaded", "is overloaded"),
            _ => ("server_error", "upstream_error", "failed"),
        };
        let message = format!("The provider {what} (HTTP {status}), and there is no other left to try.");
        let refusal = Self::new(status, kind, Some(code), message);
        Self { retry: None, retry_after: wait.map(|wait| wait.min(RETRY_WORTH)), ..refusal }
    }
}

/// Why no provider gave an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There was no connection, or it broke before the answer.
    Unreachable,
    /// Its time ran out.
    Slow,
    /// Its answer was not whole.
    Cut,
}

/// A spent budget has the code that newer clients know as one; any other quota the older one.
fn exhausted_code(block: &Block) -> &'static str {
    if block.what == "cost" { "project_spend_limit_exceeded" } else { "insufficient_quota" }
}

/// A limit as the body of a refusal shows it.
fn document(block: &Block) -> Value {
    let what = crate::policy::What::ALL.iter().find(|(name, _)| *name == block.what).map(|&(_, what)| what);
    let amount = |amount| what.map_or(json!(amount), |what| what.document(amount));
    json!({
        "name": block.name, "what": block.what, "per": block.per, "window": block.window, "cause": block.cause,
        "max": amount(block.max), "used": amount(block.settled), "held": amount(block.held), "asked": amount(block.asked),
        "retry_after_ms": block.wait,
    })
}

/// A span as OpenAI's rate headers write it: `12ms`, `1.5s`, `6m0s`, `26h3m0s`.
pub fn duration(span: Millis) -> String {
    let ms = span.get();
    let (seconds, rest) = (ms / 1_000, ms % 1_000);
    let (hours, minutes, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let fraction = if rest == 0 { String::new() } else { format!(".{rest:03}").trim_end_matches('0').to_owned() };
    match (hours, minutes, seconds) {
        (0, 0, 0) => format!("{ms}ms"),
        (0, 0, _) => format!("{second}{fraction}s"),
        (0, _, _) => format!("{minutes}m{second}{fraction}s"),
        _ => format!("{hours}h{minutes}m{second}{fraction}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Amount;

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
            (vec![block(Cause::Reserved, "cost", Some(600))], "requests", "rate_limit_exceeded", "true", Some("60")),
            (vec![block(Cause::Busy, "concurrency", Some(600))], "requests", "rate_limit_exceeded", "true", Some("1")),
            (vec![block(Cause::Never, "tokens", None)], "tokens", "request_exceeds_limit", "false", None),
            (
                vec![block(Cause::Rate, "requests", Some(1)), block(Cause::Exhausted, "cost", Some(900_000))],
                "insufficient_quota",
                "project_spend_limit_exceeded",
                "false",
                None,
            ),
        ] {
            let refusal =
                Refusal::denied(Denial::Limited { blocks: blocks.clone(), affordable: None, asked: None }, "m");
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
        let denial =
            Denial::Limited { blocks, affordable: Some(Tokens::new(27_342)), asked: Some(Tokens::new(32_000)) };
        let refusal = Refusal::denied(denial, "m");
        assert!(
            refusal.message.contains("You requested up to 32000 tokens, but can only afford 27342."),
            "{}",
            refusal.message
        );
        assert_eq!(refusal.extra["affordable_output_tokens"], 27_342);
    }

    #[test]
    fn spans_are_written_as_openai_does() {
        for (ms, text) in
            [(0, "0ms"), (12, "12ms"), (1_000, "1s"), (1_500, "1.5s"), (360_000, "6m0s"), (93_780_005, "26h3m0.005s")]
        {
            assert_eq!(duration(Millis::new(ms)), text);
        }
    }
}
