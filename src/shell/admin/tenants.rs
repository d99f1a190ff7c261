//! Admin calls on tenants.

use super::push::push;
use super::{Answer, Deployment};
use crate::key::TenantId;
use crate::operator::edit::TenantEdit;
use crate::operator::list::{Listing, Page};
use crate::operator::{TenantRecord, refuse};
use crate::refusal::Refusal;
use crate::shell::registry::RegistryError;
use crate::shell::registry::held::From as Since;
use serde_json::Value;

/// `GET /tenants`
pub(super) async fn list<'a>(
    deployment: &Deployment<'_>,
    query: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<Answer, Refusal> {
    let page = Page::read(query).map_err(|invalid| refuse::invalid_parameter(&invalid))?;
    let mut listing = Listing::new(page);
    while let Some(part) = listing.part() {
        let rows = deployment.registry.tenants(&part).await?;
        listing.add(&part, rows.iter().map(|tenant| (tenant.id.as_str(), tenant.document())));
    }
    Ok(Answer::new(200, listing.document()))
}

/// `POST /tenants`: the same content again succeeds, and tells the object everything anew.
pub(super) async fn create(deployment: &Deployment<'_>, body: &Value) -> Result<Answer, Refusal> {
    let record = TenantRecord::read(body, deployment.now).map_err(|invalid| refuse::invalid(&invalid))?;
    let id = record.id.clone();
    let (status, record) = match deployment.registry.add_tenant(&record).await {
        Ok(()) => (201, record),
        Err(RegistryError::Exists) => {
            let existing = deployment.registry.tenant(&id).await?.ok_or_else(refuse::busy)?;
            if !existing.same(&record) {
                return Err(refuse::tenant_exists(&id));
            }
            (200, existing)
        }
        Err(error) => return Err(error.into()),
    };
    push(deployment, &id, Since::Start, None).await.map_err(|why| why.refusal(&id))?;
    Ok(Answer::new(status, record.document()))
}

/// `GET /tenants/{id}`
pub(super) async fn show(deployment: &Deployment<'_>, id: &TenantId) -> Result<Answer, Refusal> {
    let record = deployment.registry.tenant(id).await?.ok_or_else(|| refuse::no_tenant(id))?;
    Ok(Answer::new(200, record.document()))
}

/// `PATCH /tenants/{id}`
pub(super) async fn change(deployment: &Deployment<'_>, id: &TenantId, body: &Value) -> Result<Answer, Refusal> {
    let edit = TenantEdit::read(body).map_err(|invalid| refuse::invalid(&invalid))?;
    let record = deployment.registry.change_tenant(id, &edit, deployment.now).await?;
    let record = record.ok_or_else(|| refuse::no_tenant(id))?;
    push(deployment, id, Since::Held, None).await.map_err(|why| why.refusal(id))?;
    Ok(Answer::new(200, record.document()))
}
