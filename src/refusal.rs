//! Every "no": its status, type, code, headers and text, in the client's dialect.
//!
//! Only this module knows statuses. What a client should do next is always said: `x-should-retry`
//! is what the official SDKs obey first, and `Retry-After` is sent only where waiting that long is
//! sensible; no SDK may be put to sleep for days.

use crate::chat::{Event, Fault};
use crate::dialect::{BadRequest, Dialect, Endpoint, Stamp, Writer};
use crate::translate::Unable;
use crate::units::Millis;
use crate::wire::Denial;
use serde_json::{Map, Value};

mod front;
mod held;
mod limited;
mod named;
mod reaches;
mod through;

/// The longest `Retry-After` that is ever sent: Python's SDK gives up beyond it, Node's would sleep.
const RETRY_AFTER_MAX: Millis = Millis::from_secs(120);
/// A wait up to this is worth an SDK's automatic retry.
const RETRY_WORTH: Millis = Millis::from_secs(60);
/// The most letters of a provider's words that are told.
const MESSAGE_LETTERS_MAX: usize = 2_000;
/// The codes of providers that clients act on.
const PROVIDER_CODES: [&str; 5] =
    ["context_length_exceeded", "content_filter", "invalid_prompt", "model_not_found", "unsupported_parameter"];

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

    /// The body, as clients of `dialect` read it; `id` is the request's.
    pub fn body(&self, dialect: Dialect, id: &str) -> String {
        dialect.write_fault(self.status, &self.fault(), self.extra.clone(), id).to_string()
    }

    /// The last frame of a stream that has begun.
    pub fn event(&self, endpoint: Endpoint) -> Vec<u8> {
        event(endpoint, self.fault())
    }

    fn fault(&self) -> Fault {
        Fault {
            message: self.message.clone(),
            kind: Some(self.kind.to_owned()),
            code: self.code.map(str::to_owned),
            param: self.param.clone(),
        }
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
            "The API key is not valid here. Check that it was copied whole: it begins with \"tg_\". One that ended some hours ago \
             is not known any more."
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
            "There is no {method} {shown} here. Served are POST /v1/chat/completions, /v1/completions, /v1/responses, \
             /v1/messages, /v1/embeddings and /v1beta/models/{{model}}:generateContent, GET /v1/models, GET /v1/usage and \
             /providers/{{provider}}/{{path}}."
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
        let shown: String = model.chars().take(128).collect();
        let message = format!(
            "The model {shown:?} does not exist, or this key may not call it. GET /v1/models lists those it may."
        );
        let refusal = Self::new(404, "invalid_request_error", Some("model_not_found"), message);
        Self { param: Some("model".to_owned()), ..refusal }
    }

    /// No target can be sent the request; `target` is the last that was asked.
    pub fn unable(unable: Unable, target: &str) -> Self {
        let (path, message) = match unable {
            Unable::Bad(bad) => return Self::bad_request(bad),
            Unable::NoEndpoint => (None, format!("{target} answers no calls of this kind. Name another model.")),
            Unable::Lacks { feature, path } => {
                let message = format!(
                    "`{path}` cannot be passed on to {target} (\"{}\"): leave it out or name another model, or have your \
                     operator set \"drop_unsupported\" for this one.",
                    feature.name()
                );
                (Some(path), message)
            }
        };
        let refusal = Self::new(400, "invalid_request_error", Some("unsupported_parameter"), message);
        Self { param: path, ..refusal }
    }

    /// A budget covers a call that `target` may answer, and nobody knows what that costs.
    fn no_price(target: &str, no_default: bool) -> Self {
        let remedy =
            if no_default { format!("prices[{target:?}] or default_price") } else { format!("prices[{target:?}]") };
        let message = format!(
            "A budget covers this call, and {target} has no price. The operator sets it in the catalog: {remedy}."
        );
        Self::new(503, "service_unavailable_error", Some("price_unknown"), message)
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
            Failure::Empty => (502, "upstream_no_answer", "gave no answer"),
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
            Denial::OriginNotAllowed(origin) => Self::origin_not_allowed(&origin),
            Denial::ModelUnknown => Self::no_model(model),
            Denial::PriceUnknown { target, no_default } => Self::no_price(&target, no_default),
            Denial::ProviderUnknown(provider) => Self::no_provider(provider.as_deref()),
            Denial::ProviderSigns(provider) => Self::provider_signs(&provider),
            Denial::ProviderBound(provider) => Self::provider_bound(&provider),
            Denial::NotPassed { field, name } => Self::not_passed(&field, &name),
            Denial::Reaches(barrier) => Self::reaches(&barrier),
            Denial::LooksLimited { wait } => Self::looks_limited(wait),
            Denial::CallEnded => Self::no_decision(),
            Denial::NameTaken => Self::name_taken(),
            Denial::AnswerNotKept => Self::answer_not_kept(),
            Denial::Limited { blocks, affordable, asked, .. } => Self::limited(&blocks, affordable, asked),
        }
    }
}

impl Refusal {
    /// The provider refused the gateway's own credentials, or quoted them in an answer; its words are not told.
    pub fn provider_credentials(provider_status: u16) -> Self {
        let (what, remedy) = match provider_status {
            200..300 => ("put the gateway's own credentials into its answer, which is not passed on", "changes"),
            _ => ("refused the gateway's own credentials", "checks"),
        };
        let message = format!(
            "The provider {what} (HTTP {provider_status}). \
             The operator {remedy} the secret that the catalog names for it."
        );
        Self::new(502, "server_error", Some("upstream_credentials"), message)
    }

    /// A provider's answer that is packed in a way that was not asked for.
    pub fn answer_packed(encoding: &str) -> Self {
        let shown: String = encoding.chars().take(32).collect();
        let message = format!(
            "The provider packed its answer with content-encoding {shown:?}, which was not asked for, and there is no other left to try."
        );
        let refusal = Self::new(502, "server_error", Some("upstream_encoding"), message);
        Self { retry: None, ..refusal }
    }

    /// A provider's failure that the client is told of in our words: `status` is the provider's.
    pub fn provider_failed(status: u16, wait: Option<Millis>) -> Self {
        let (kind, code, what) = match status {
            429 => ("rate_limit_error", "upstream_rate_limited", "limits our rate"),
            503 | 529 => ("service_unavailable_error", "server_is_overloaded", "is overloaded"),
            _ => ("server_error", "upstream_error", "failed"),
        };
        let message = format!("The provider {what} (HTTP {status}), and there is no other left to try.");
        let refusal = Self::new(status, kind, Some(code), message);
        Self { retry: None, retry_after: wait.map(|wait| wait.min(RETRY_WORTH)), ..refusal }
    }

    /// The provider has no credit left for the gateway: to try again is for nothing.
    pub fn provider_account(status: u16) -> Self {
        let message = "The provider has no credit or quota left for this gateway, and there is no other left to try. The \
                       operator sees to that at the provider.";
        Self::new(status, "server_error", Some("upstream_quota_exhausted"), message)
    }

    /// The provider refused the request itself, in its own words, where an answer should have begun.
    pub fn provider_refused(status: u16, fault: Fault) -> Self {
        let code = PROVIDER_CODES.into_iter().find(|code| fault.code.as_deref() == Some(code));
        let message: String = fault.message.chars().take(MESSAGE_LETTERS_MAX).collect();
        let refusal = Self::new(status, "invalid_request_error", code, message);
        Self { param: fault.param, ..refusal }
    }
}

/// An error as the last frame of a stream that has begun.
pub fn event(endpoint: Endpoint, fault: Fault) -> Vec<u8> {
    let mut bytes = Vec::new();
    let stamp = Stamp { id: "", created: 0, model: "" };
    Writer::new(endpoint, &stamp, false).write(&Event::Fault(fault), &mut bytes);
    bytes
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
    /// What it sent was none.
    Empty,
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

    #[test]
    fn spans_are_written_as_openai_does() {
        for (ms, text) in
            [(0, "0ms"), (12, "12ms"), (1_000, "1s"), (1_500, "1.5s"), (360_000, "6m0s"), (93_780_005, "26h3m0.005s")]
        {
            assert_eq!(duration(Millis::new(ms)), text);
        }
    }
}
