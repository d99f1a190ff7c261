//! A tenant's calls as an operator sees them, and the credit that one may be given.

use super::{instant, read_number, unknown_parameter};
use crate::fields::{Field, Invalid};
use crate::key::TenantId;
use crate::refusal::Refusal;
use crate::rows::{CallKey, CallRow, State, Truth};
use crate::units::{CEILING, NanoUsd};
use crate::wire::{CallsAsk, CallsSeen, Credit, Credited};
use serde_json::{Value, json};

const LIMIT_DEFAULT: u64 = 100;
const LIMIT_MAX: u64 = 1_000;
const CALL_BYTES_MAX: usize = 200;
const REASON_CHARS_MAX: usize = 1_000;

/// The calls that the query's parameters ask for.
///
/// # Errors
/// The parameter that is wrong.
pub fn read_query<'a>(query: impl Iterator<Item = (&'a str, &'a str)>) -> Result<CallsAsk, Invalid> {
    let mut ask = CallsAsk { limit: LIMIT_DEFAULT, ..CallsAsk::default() };
    for (name, value) in query {
        match name {
            "truth" => ask.truths = value.split(',').map(read_truth).collect::<Result<_, _>>()?,
            "limit" => ask.limit = read_number(name, value, 1, LIMIT_MAX)?,
            "before" => ask.before = Some(CallKey::new(read_number(name, value, 0, CEILING)?)),
            _ => return Err(unknown_parameter(name, "truth, limit, before")),
        }
    }
    Ok(ask)
}

fn read_truth(name: &str) -> Result<Truth, Invalid> {
    Truth::named(name).ok_or_else(|| {
        let known: Vec<_> = Truth::names().collect();
        let shown: String = name.chars().take(64).collect();
        let problem = format!("must be some of {}, parted by commas; got {shown:?}", known.join(", "));
        Invalid { path: "truth".to_owned(), problem }
    })
}

/// A page of a tenant's calls. The list goes on before `last_id`, a place in the ledger, also where none of those that were looked at
/// is shown.
pub fn list(seen: CallsSeen) -> Value {
    let place = |call: Option<&Value>| call.and_then(|call| call.get("place")).cloned();
    let last = seen.further.map(|further| Value::from(further.get().to_string()));
    json!({
        "object": "list",
        "first_id": place(seen.calls.first()),
        "last_id": last.or_else(|| place(seen.calls.last())),
        "has_more": seen.further.is_some(),
        "data": seen.calls,
    })
}

/// A call as it is shown. What is not known while it is under way is `null`.
pub fn document(row: &CallRow) -> Value {
    let end = row.end.as_ref();
    let said = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    json!({
        "object": "call",
        "id": row.call,
        "place": row.at.get().to_string(),
        "at": instant(row.at.millis()),
        "key": row.key,
        "model": row.model,
        "endpoint": row.endpoint,
        "target": end.and_then(|end| said(&end.target)),
        "state": row.state,
        "status": end.map(|end| end.status).filter(|status| *status > 0),
        "truth": end.map(|end| end.truth.name()),
        "priced_by": end.and_then(|end| said(&end.priced_by)),
        "input_tokens": end.map(|end| end.bill.input),
        "cached_input_tokens": end.map(|end| end.bill.cached_input),
        "output_tokens": end.map(|end| end.bill.output),
        "held": row.held.cost.to_usd(),
        "billed": end.filter(|_| row.state != State::Open).map(|end| end.cost.to_usd()),
    })
}

/// A credit as an operator asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreditOrder {
    /// The call's name.
    pub call: String,
    /// Its place, where that was said.
    pub place: Option<CallKey>,
    /// By how much its bill is lowered; `None`: by all of it.
    pub amount: Option<NanoUsd>,
    /// Why.
    pub reason: String,
}

impl CreditOrder {
    /// The credit that the body of `POST /tenants/{id}/credits` describes.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn read(body: &Value) -> Result<Self, Invalid> {
        let mut fields = Field::root("", body).fields()?;
        let call = fields.required("call")?.text(CALL_BYTES_MAX)?.to_owned();
        let place = fields.optional("place").map(|place| read_place(&place)).transpose()?;
        let amount = fields.optional("amount").map(|amount| read_amount(&amount)).transpose()?;
        let field = fields.required("reason")?;
        let reason = field.text(REASON_CHARS_MAX.saturating_mul(4))?.trim();
        let count = reason.chars().count();
        if count == 0 || count > REASON_CHARS_MAX {
            return Err(field.invalid(format!("must have 1 to {REASON_CHARS_MAX} characters; it has {count}")));
        }
        let reason = reason.to_owned();
        fields.finish()?;
        Ok(Self { call, place, amount, reason })
    }

    /// What the tenant's object is told, as the credit `id`.
    pub fn ask(&self, id: String, check: bool) -> Credit {
        Credit { id, call: self.call.clone(), place: self.place, before: None, amount: self.amount, check }
    }

    /// What the audit keeps of it.
    pub fn detail(&self, amount: NanoUsd, billed: NanoUsd) -> Value {
        json!({"call": self.call, "amount": amount.to_usd(), "billed": billed.to_usd(), "reason": self.reason})
    }

    /// The credit as it is shown.
    pub fn document(&self, amount: NanoUsd, billed: NanoUsd) -> Value {
        json!({
            "object": "credit",
            "call": self.call,
            "amount": amount.to_usd(),
            "billed": billed.to_usd(),
            "reason": self.reason,
        })
    }

    /// Why it is not given; `None`: it is, or the call is to be looked for further.
    pub fn refusal(&self, tenant: &TenantId, credited: &Credited) -> Option<Refusal> {
        let call = self.call.as_str();
        match credited {
            Credited::Given { .. } | Credited::Further(_) => None,
            Credited::Unknown => Some(super::refuse::no_call(tenant, call, self.place.is_some())),
            Credited::UnderWay => Some(super::refuse::call_under_way(call)),
            Credited::TooMuch { billed } => Some(super::refuse::credit_too_large(call, *billed)),
            Credited::Before { billed } => Some(super::refuse::credited_before(call, *billed)),
        }
    }
}

fn read_place(field: &Field<'_>) -> Result<CallKey, Invalid> {
    let text =
        field.value().as_str().map(str::to_owned).or_else(|| field.value().as_u64().map(|place| place.to_string()));
    let place = text.and_then(|text| text.parse().ok()).filter(|place| *place <= CEILING);
    let wrong = || field.invalid("must be the \"place\" that the list of calls shows");
    place.map(CallKey::new).ok_or_else(wrong)
}

fn read_amount(field: &Field<'_>) -> Result<NanoUsd, Invalid> {
    let amount = field.dollars()?;
    if amount == NanoUsd::ZERO {
        return Err(field.invalid("must be more than 0; leave it out for all that the call was billed"));
    }
    Ok(amount)
}

#[cfg(test)]
#[path = "calls/tests.rs"]
mod tests;
