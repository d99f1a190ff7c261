//! One attempt at one target: the request goes out, and what came back is classified.

use super::glue;
use crate::dialect::openai::usage::{Usage, read_answer};
use crate::health::Outcome;
use crate::refusal::{Failure, Refusal};
use crate::units::Millis;
use crate::wire::Hop;
use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, JsValue};
use worker::Env;

/// The most of a provider's own "not now" that is believed.
const RETRY_AFTER_MAX: Millis = Millis::from_secs(3_600);

/// What came of an attempt.
pub(super) enum Attempt {
    /// A stream has begun.
    Streaming(web_sys::Response),
    /// A whole answer, and what it says it used.
    Answered { status: u16, content_type: String, body: Uint8Array, usage: Option<Usage> },
    /// The client's request is at fault: the provider's words.
    Refused { status: u16, content_type: String, body: Uint8Array },
    /// The target failed: the next is tried, or else the client is told so.
    Failed(Outcome, Refusal),
}

/// What goes out: `headers` are lines that alternate names and values.
pub(super) struct Outgoing<'a> {
    pub(super) url: &'a str,
    pub(super) headers: &'a str,
    pub(super) body: &'a [u8],
    pub(super) stream: bool,
}

/// The secret that a target needs; an error if the deployment lacks it.
pub(super) fn secret(env: &Env, hop: &Hop) -> Result<Option<String>, Refusal> {
    let Some(name) = &hop.secret else {
        return Ok(None);
    };
    let missing =
        |_| Refusal::not_set_up(&format!("the secret {name}"), &format!("Set it: wrangler secret put {name}"));
    env.secret(name).map(|secret| Some(secret.to_string())).map_err(missing)
}

/// Sends a request to a target, and waits for its head; for its body too where it does not stream.
pub(super) async fn attempt(hop: &Hop, outgoing: &Outgoing<'_>, secret: Option<&str>) -> Attempt {
    let timeout = u32::try_from(hop.timeout.get()).unwrap_or(u32::MAX);
    let content = Uint8Array::from(outgoing.body);
    let response = match glue::call_provider(outgoing.url, outgoing.headers, &content, timeout).await {
        Ok(response) => response.unchecked_into::<web_sys::Response>(),
        Err(error) => return failed(failure(&error)),
    };
    let status = response.status();
    let head = glue::answer_head(&response);
    let mut lines = head.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (content_type, retry_after, retry_after_ms) = (line().to_owned(), line(), line());
    let ok = (200..300).contains(&status);
    if ok && outgoing.stream && content_type.starts_with("text/event-stream") {
        return Attempt::Streaming(response);
    }
    let wait = retry_wait(retry_after, retry_after_ms);
    let failing = |outcome, refusal| {
        glue::drop(&response);
        Attempt::Failed(outcome, refusal)
    };
    match status {
        429 => return failing(Outcome::Busy(wait), Refusal::provider_failed(status, wait)),
        401 | 403 => return failing(Outcome::Failed, Refusal::provider_credentials(status)),
        500.. => return failing(Outcome::Failed, Refusal::provider_failed(status, wait)),
        300..=399 => return failing(Outcome::Failed, Refusal::provider_failed(502, None)),
        _ => {}
    }
    let body = match glue::answer_body(&response, timeout).await {
        Ok(body) => body.unchecked_into::<Uint8Array>(),
        Err(error) if failure(&error) == Failure::Slow => return failed(Failure::Slow),
        Err(_) => return failed(Failure::Cut),
    };
    let bytes = body.to_vec();
    if !ok {
        let leaks = secret.is_some_and(|secret| memchr::memmem::find(&bytes, secret.as_bytes()).is_some());
        return if leaks {
            failing(Outcome::Failed, Refusal::provider_credentials(status))
        } else {
            Attempt::Refused { status, content_type, body }
        };
    }
    match read_answer(&bytes) {
        Ok(usage) => Attempt::Answered { status, content_type, body, usage },
        Err(_) => failed(Failure::Cut),
    }
}

fn failed(failure: Failure) -> Attempt {
    Attempt::Failed(Outcome::Failed, Refusal::no_answer(failure))
}

fn failure(error: &JsValue) -> Failure {
    let message = js_sys::Reflect::get(error, &JsValue::from_str("message")).ok().and_then(|text| text.as_string());
    if message.as_deref() == Some("timeout") { Failure::Slow } else { Failure::Unreachable }
}

/// How long a provider asks to be left alone. A date is not read: no provider sends one.
fn retry_wait(seconds: &str, millis: &str) -> Option<Millis> {
    let millis = millis.trim().parse().ok().map(Millis::new);
    let seconds = || seconds.trim().parse().ok().map(Millis::from_secs);
    millis.or_else(seconds).map(|wait| wait.min(RETRY_AFTER_MAX))
}
