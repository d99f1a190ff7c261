//! One call's life: admitted by the tenant's object, answered by a provider, settled once.

use super::gateway::{BODY_BYTES_MAX, Visit, no_object, refuse};
use super::stream::Stream;
use super::upstream::{Attempt, Outgoing};
use super::{glue, object, upstream};
use crate::dialect::Endpoint;
use crate::dialect::openai::envelope::Envelope;
use crate::dialect::openai::splice::{Edit, OutputCap};
use crate::dialect::openai::usage::Usage;
use crate::health::Outcome;
use crate::key::{Presented, TenantId};
use crate::price::{Bill, Price};
use crate::refusal::{Refusal, duration};
use crate::rows::{End, Truth};
use crate::units::Tokens;
use crate::wire::{Admission, Ask, Denial, Hop, Rate, Reply, Request, Settlement};
use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use worker::Env;

/// A stream from which nothing comes for so long is taken for cut.
const IDLE_MS: u32 = 120_000;

/// A call that was admitted: what is needed to answer and to settle it.
struct Admitted<'a> {
    visit: &'a Visit<'a>,
    tenant: TenantId,
    envelope: Envelope,
    body: Vec<u8>,
    admission: Admission,
    attempts: Vec<(String, Outcome)>,
}

/// Answers a call.
pub(super) async fn call(
    visit: &Visit<'_>,
    presented: Presented,
    endpoint: Endpoint,
) -> Result<web_sys::Response, Refusal> {
    let body = read_body(visit).await?;
    let envelope = Envelope::read(endpoint, &body).map_err(Refusal::bad_request)?;
    let Presented { tenant, key, hash } = presented;
    let ask = Ask {
        call: visit.call.to_owned(),
        key,
        hash,
        model: envelope.model.clone(),
        input_bytes: u64::try_from(body.len()).unwrap_or(u64::MAX),
        output: endpoint == Endpoint::Chat,
        output_cap: [envelope.max_tokens, envelope.max_completion_tokens].into_iter().flatten().min(),
        choices: envelope.n,
    };
    let admission = admit(visit.env, &tenant, ask).await?;
    let mut call = Admitted { visit, tenant, envelope, body, admission, attempts: Vec::new() };
    Ok(call.answer(endpoint).await)
}

async fn read_body(visit: &Visit<'_>) -> Result<Vec<u8>, Refusal> {
    let encoding = visit.head.content_encoding.as_str();
    if !encoding.is_empty() && encoding != "identity" {
        return Err(Refusal::packed(encoding));
    }
    let max = u32::try_from(BODY_BYTES_MAX).unwrap_or(u32::MAX);
    let body = glue::body(visit.request, max).await.unwrap_or(JsValue::NULL);
    let bytes = body.dyn_into::<Uint8Array>().map_err(|_| Refusal::too_large(BODY_BYTES_MAX))?;
    Ok(bytes.to_vec())
}

async fn admit(env: &Env, tenant: &TenantId, ask: Ask) -> Result<Admission, Refusal> {
    let model = ask.model.clone();
    let call = ask.call.clone();
    let text = object::to_json(&Request { ask: Some(ask), settle: Vec::new() });
    let reply = match object::call(env, tenant, "call", &text).await {
        Ok(reply) => reply,
        Err(error) => {
            // It may have been admitted all the same: then it used nothing.
            settle(env, tenant, Settlement { at: None, call, end: End::default(), attempts: Vec::new() }).await;
            return Err(no_object(error));
        }
    };
    match serde_json::from_str(&reply) {
        Ok(Reply::Admitted(admission)) => Ok(admission),
        Ok(Reply::Denied(denial)) => Err(Refusal::denied(denial, &model)),
        Ok(Reply::Settled) | Err(_) => Err(Refusal::denied(Denial::CallEnded, &model)),
    }
}

/// Tells the object how a call ended. Should it not hear of it, the call's lease ends it.
async fn settle(env: &Env, tenant: &TenantId, settlement: Settlement) {
    let text = object::to_json(&Request { ask: None, settle: vec![settlement] });
    if let Err(error) = object::call(env, tenant, "call", &text).await {
        worker::console_error!("a call was not settled and is left to its lease: {error}");
    }
}

impl Admitted<'_> {
    /// Tries the targets in their order, and answers with what the first that works gives.
    async fn answer(&mut self, endpoint: Endpoint) -> web_sys::Response {
        let mut last = Refusal::no_decision();
        for hop in std::mem::take(&mut self.admission.hops) {
            let secret = match upstream::secret(self.visit.env, &hop) {
                Ok(secret) => secret,
                Err(refusal) => return self.refuse(refusal),
            };
            let body = self.splice(&hop);
            let url = format!("{}{}", hop.base_url, endpoint.path());
            let headers = self.outgoing_headers(secret.as_deref());
            let outgoing = Outgoing { url: &url, headers: &headers, body: &body, stream: self.envelope.stream };
            let attempt = upstream::attempt(&hop, &outgoing, secret.as_deref()).await;
            match attempt {
                Attempt::Streaming(response) => return self.stream(&hop, &response),
                Attempt::Answered { status, content_type, body, usage } => {
                    let bill = self.bill(usage, || Tokens::new(u64::from(body.length()).div_ceil(4)));
                    return self.relay_whole(&hop, status, &content_type, &body, bill);
                }
                Attempt::Refused { status, content_type, body } => {
                    return self.relay_whole(&hop, status, &content_type, &body, (Bill::default(), Truth::Reported));
                }
                Attempt::Failed(outcome, refusal) => {
                    self.attempts.push((hop.target, outcome));
                    last = refusal;
                }
            }
        }
        self.refuse(last)
    }

    fn splice(&self, hop: &Hop) -> Vec<u8> {
        let output_cap = self.admission.output_cap.map(|tokens| OutputCap { tokens, field: hop.cap_field });
        self.envelope.splice(&self.body, &Edit { model: &hop.model, output_cap, usage: true })
    }

    /// Only what is named here goes to a provider: nothing of the client's own head.
    fn outgoing_headers(&self, secret: Option<&str>) -> String {
        let accept = if self.envelope.stream { "text/event-stream" } else { "application/json" };
        let call = self.visit.call;
        let mut headers = format!(
            "content-type\napplication/json\naccept\n{accept}\nuser-agent\ntollgate\nx-client-request-id\n{call}"
        );
        if let Some(secret) = secret {
            headers.push_str("\nauthorization\nBearer ");
            headers.push_str(secret);
        }
        headers
    }

    /// The tokens to be billed, and what that rests on.
    fn bill(&self, usage: Option<Usage>, counted: impl FnOnce() -> Tokens) -> (Bill, Truth) {
        match usage {
            Some(Usage { input, cached_input, output }) => (Bill { input, cached_input, output }, Truth::Reported),
            None => {
                let bill = Bill { input: self.admission.input_estimate, output: counted(), ..Bill::default() };
                (bill, Truth::Counted)
            }
        }
    }

    /// A whole answer, passed on; the call is settled beside it.
    fn relay_whole(
        &mut self,
        hop: &Hop,
        status: u16,
        content_type: &str,
        body: &Uint8Array,
        bill: (Bill, Truth),
    ) -> web_sys::Response {
        self.attempts.push((hop.target.clone(), Outcome::Answered));
        let headers = self.answer_headers(content_type, Some(hop));
        self.settle_later(self.end(status, Some(hop), bill));
        glue::answer(status, &headers, body)
    }

    /// A stream, passed on as it comes; the call is settled when it has ended.
    fn stream(&mut self, hop: &Hop, response: &web_sys::Response) -> web_sys::Response {
        let relay = Stream::new(self.envelope.show_usage);
        let headers = self.answer_headers("text/event-stream; charset=utf-8", Some(hop)) + "\ncache-control\nno-cache";
        let pair = glue::relay_stream(response, relay.clone(), 200, &headers, IDLE_MS);
        let (answer, ended) = (pair.get(0), pair.get(1).unchecked_into::<js_sys::Promise>());
        let env = self.visit.env.clone();
        let tenant = self.tenant.clone();
        let input = self.admission.input_estimate;
        let mut settlement = self.settlement(self.end(200, Some(hop), (Bill::default(), Truth::Counted)));
        let (target, price) = (hop.target.clone(), hop.price);
        self.visit.context.wait_until(async move {
            let ended = JsFuture::from(ended).await.ok().and_then(|ended| ended.as_f64());
            let metered = relay.metered();
            let (bill, truth) = match metered.usage {
                Some(Usage { input, cached_input, output }) => (Bill { input, cached_input, output }, Truth::Reported),
                None => (Bill { input, output: metered.counted, ..Bill::default() }, Truth::Counted),
            };
            settlement.end = End { bill, truth, cost: price.cost(bill), ..settlement.end };
            let cut = ended != Some(2.0) && !metered.whole;
            settlement.attempts.push((target, if cut { Outcome::Failed } else { Outcome::Answered }));
            settle(&env, &tenant, settlement).await;
        });
        answer.unchecked_into()
    }

    /// No answer: the call is settled with what it used, which is nothing.
    fn refuse(&mut self, refusal: Refusal) -> web_sys::Response {
        self.settle_later(self.end(refusal.status, None, (Bill::default(), Truth::Reported)));
        refuse(self.visit.call, &refusal)
    }

    fn end(&self, status: u16, hop: Option<&Hop>, (bill, truth): (Bill, Truth)) -> End {
        let price = hop.map_or(Price::default(), |hop| hop.price);
        let target = hop.map(|hop| hop.target.clone()).unwrap_or_default();
        let attempts = u32::try_from(self.attempts.len()).unwrap_or(u32::MAX);
        End { bill, cost: price.cost(bill), truth, target, status, attempts, ..End::default() }
    }

    fn settlement(&mut self, end: End) -> Settlement {
        let attempts = std::mem::take(&mut self.attempts);
        Settlement { at: Some(self.admission.at), call: self.visit.call.to_owned(), end, attempts }
    }

    fn settle_later(&mut self, end: End) {
        let settlement = self.settlement(end);
        let (env, tenant) = (self.visit.env.clone(), self.tenant.clone());
        self.visit.context.wait_until(async move { settle(&env, &tenant, settlement).await });
    }

    /// The headers of an answer, as lines.
    fn answer_headers(&self, content_type: &str, hop: Option<&Hop>) -> String {
        let mut headers = format!("content-type\n{content_type}\nx-request-id\n{}", self.visit.call);
        let mut header = |name: &str, value: &str| {
            headers.push('\n');
            headers.push_str(name);
            headers.push('\n');
            headers.push_str(value);
        };
        if let Some(hop) = hop {
            header("x-tollgate-target", &hop.target);
        }
        if let Some(cap) = self.admission.output_cap {
            header("x-tollgate-output-cap", &cap.to_string());
        }
        let rates = self.admission.rates;
        for (kind, rate) in [("requests", rates.requests), ("tokens", rates.tokens)] {
            if let Some(Rate { limit, remaining, reset }) = rate {
                header(&format!("x-ratelimit-limit-{kind}"), &limit.to_string());
                header(&format!("x-ratelimit-remaining-{kind}"), &remaining.to_string());
                header(&format!("x-ratelimit-reset-{kind}"), &duration(reset));
            }
        }
        headers
    }
}
