//! Admin calls on a tenant's calls: what they were billed, and a credit for one.

use super::push::reason;
use super::{Answer, Deployment};
use crate::key::{KeyId, TenantId};
use crate::operator::calls::{CreditOrder, list as page, read_query};
use crate::operator::refuse;
use crate::refusal::Refusal;
use crate::rows::CallKey;
use crate::shell::object::{self, ObjectError};
use crate::units::NanoUsd;
use crate::wire::Credited;
use serde_json::Value;
use uuid::Uuid;

/// How many parts of the ledger are looked through for a call whose place is not said.
const PARTS_MAX: u32 = 50;

/// `GET /tenants/{id}/calls`
pub(super) async fn list<'a>(
    deployment: &Deployment<'_>,
    tenant: &TenantId,
    query: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<Answer, Refusal> {
    let ask = read_query(query).map_err(|invalid| refuse::invalid_parameter(&invalid))?;
    deployment.registry.tenant(tenant).await?.ok_or_else(|| refuse::no_tenant(tenant))?;
    let seen = object::calls(deployment.env, tenant, &ask).await.map_err(|error| unanswered(tenant, &error))?;
    Ok(Answer::new(200, page(seen)))
}

/// `POST /tenants/{id}/credits`: what would come of it is asked first, so that the audit tells of no credit that is refused.
pub(super) async fn credit(deployment: &Deployment<'_>, tenant: &TenantId, body: &Value) -> Result<Answer, Refusal> {
    let mut order = CreditOrder::read(body).map_err(|invalid| refuse::invalid(&invalid))?;
    deployment.registry.tenant(tenant).await?.ok_or_else(|| refuse::no_tenant(tenant))?;
    let id = Uuid::new_v4().to_string();
    let (place, key, amount, billed) = given(tenant, &order, find(deployment, tenant, &order, &id).await?)?;
    order.place = Some(place);
    let detail = order.detail(amount, billed);
    deployment.registry.note_credit(tenant, &key, &detail, deployment.now).await?;
    let credited = object::credit(deployment.env, tenant, &order.ask(id, false)).await;
    let (_, _, amount, billed) = given(tenant, &order, credited.map_err(|error| unanswered(tenant, &error))?)?;
    Ok(Answer::new(201, order.document(amount, billed)))
}

/// What would come of a credit; the call is looked for, part by part of the ledger.
async fn find(
    deployment: &Deployment<'_>,
    tenant: &TenantId,
    order: &CreditOrder,
    id: &str,
) -> Result<Credited, Refusal> {
    let mut ask = order.ask(id.to_owned(), true);
    for _ in 0..PARTS_MAX {
        let credited = object::credit(deployment.env, tenant, &ask).await;
        match credited.map_err(|error| unanswered(tenant, &error))? {
            Credited::Further(before) => ask.before = Some(before),
            credited => return Ok(credited),
        }
    }
    Err(refuse::call_too_old(&order.call))
}

/// The place of the call that is given a credit, its key, the credit, and what the call costs then.
fn given(
    tenant: &TenantId,
    order: &CreditOrder,
    credited: Credited,
) -> Result<(CallKey, KeyId, NanoUsd, NanoUsd), Refusal> {
    match order.refusal(tenant, &credited) {
        Some(refusal) => Err(refusal),
        None => match credited {
            Credited::Given { place, key, amount, billed } => Ok((place, key, amount, billed)),
            _ => Err(refuse::no_call(tenant, &order.call, order.place.is_some())),
        },
    }
}

fn unanswered(tenant: &TenantId, error: &ObjectError) -> Refusal {
    match error {
        ObjectError::Older => refuse::older_object(tenant),
        _ => refuse::no_answer(tenant, &reason(error)),
    }
}
