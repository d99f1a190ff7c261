//! Admin calls on a tenant's keys.

use super::push::{push, reason};
use super::{Answer, Deployment};
use crate::key::{self, KeyId, TenantId};
use crate::operator::edit::{Edit, KeyEdit};
use crate::operator::list::{Listing, Page};
use crate::operator::{KeyRecord, refuse};
use crate::refusal::Refusal;
use crate::shell::object;
use crate::shell::registry::held::From as Since;
use crate::tenant::{KEYS_MAX, POLICY_BYTES_MAX};
use crate::units::Millis;
use serde_json::Value;
use uuid::{Timestamp, Uuid};

/// `GET /tenants/{id}/keys`
pub(super) async fn list<'a>(
    deployment: &Deployment<'_>,
    tenant: &TenantId,
    query: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<Answer, Refusal> {
    let page = Page::read(query).map_err(|invalid| refuse::invalid_parameter(&invalid))?;
    deployment.registry.tenant(tenant).await?.ok_or_else(|| refuse::no_tenant(tenant))?;
    let mut listing = Listing::new(page);
    while let Some(part) = listing.part() {
        let rows = deployment.registry.keys(tenant, &part).await?;
        listing.add(&part, rows.iter().map(|key| (key.id.as_str(), key.document(deployment.now))));
    }
    Ok(Answer::new(200, listing.document()))
}

/// `POST /tenants/{id}/keys`: the only answer that ever shows the key.
pub(super) async fn create(deployment: &Deployment<'_>, tenant: &TenantId, body: &Value) -> Result<Answer, Refusal> {
    let now = deployment.now;
    let edit = KeyEdit::read_new(body, now).map_err(|invalid| refuse::invalid(&invalid))?;
    let detail = edit.detail();
    let id = KeyId::from_bytes(dated_bytes(now));
    let (plain, hash) = key::issue(tenant, &id, random_bytes(), &deployment.signing);
    let record = KeyRecord {
        tenant: tenant.clone(),
        id,
        hash,
        name: edit.name.apply(None),
        policy: edit.policy.apply(None),
        expires_at: edit.expires_at.apply(None),
        revoked_at: None,
        created_at: now,
        updated_at: now,
    };
    deployment.registry.tenant(tenant).await?.ok_or_else(|| refuse::no_tenant(tenant))?;
    check_room(deployment, &record).await?;
    if !deployment.registry.add_key(&record, &detail).await? {
        return Err(refuse::no_tenant(tenant));
    }
    if let Err(why) = push(deployment, tenant, Since::Held, Some(&record.id)).await {
        // Nobody will ever hold this key: it must not look as if somebody did.
        let revoked = deployment.registry.revoke_key(tenant, &record.id, now).await.is_ok();
        return Err(refuse::key_not_handed_out(tenant, &record.id, &why.why(), revoked));
    }
    let mut document = record.document(now);
    if let Some(document) = document.as_object_mut() {
        document.insert("key".to_owned(), plain.reveal().into());
    }
    Ok(Answer::new(201, document))
}

/// `GET /tenants/{id}/keys/{key}`
pub(super) async fn show(deployment: &Deployment<'_>, tenant: &TenantId, id: &KeyId) -> Result<Answer, Refusal> {
    let record = deployment.registry.key(tenant, id).await?.ok_or_else(|| refuse::no_key(tenant, id))?;
    Ok(Answer::new(200, record.document(deployment.now)))
}

/// `PATCH /tenants/{id}/keys/{key}`
pub(super) async fn change(
    deployment: &Deployment<'_>,
    tenant: &TenantId,
    id: &KeyId,
    body: &Value,
) -> Result<Answer, Refusal> {
    let edit = KeyEdit::read(body, deployment.now).map_err(|invalid| refuse::invalid(&invalid))?;
    if let Edit::Set(policy) = &edit.policy {
        let record = deployment.registry.key(tenant, id).await?.ok_or_else(|| refuse::no_key(tenant, id))?;
        check_room(deployment, &KeyRecord { policy: Some(policy.clone()), ..record }).await?;
    }
    let record = deployment.registry.change_key((tenant, id), &edit, deployment.now).await?;
    let record = record.ok_or_else(|| refuse::no_key(tenant, id))?;
    if record.revoked_at.is_some() {
        return Err(refuse::key_revoked(id));
    }
    push(deployment, tenant, Since::Held, Some(id)).await.map_err(|why| why.refusal(tenant))?;
    Ok(Answer::new(200, record.document(deployment.now)))
}

/// `DELETE /tenants/{id}/keys/{key}`: revokes it; once more changes nothing, and tells the object again.
pub(super) async fn revoke(deployment: &Deployment<'_>, tenant: &TenantId, id: &KeyId) -> Result<Answer, Refusal> {
    let record = deployment.registry.revoke_key(tenant, id, deployment.now).await?;
    let record = record.ok_or_else(|| refuse::no_key(tenant, id))?;
    push(deployment, tenant, Since::Held, Some(id)).await.map_err(|why| why.refusal(tenant))?;
    Ok(Answer::new(200, record.document(deployment.now)))
}

/// Whether the tenant's object has room for a key as it would be: nothing is stored before.
async fn check_room(deployment: &Deployment<'_>, key: &KeyRecord) -> Result<(), Refusal> {
    let room = object::room(deployment.env, &key.tenant, &key.update()).await;
    let room = room.map_err(|error| refuse::no_answer(&key.tenant, &reason(&error)))?;
    if room.keys > KEYS_MAX {
        return Err(refuse::too_many_keys(&key.tenant, room.keys, KEYS_MAX));
    }
    if key.policy.is_some() && room.policy_bytes > POLICY_BYTES_MAX {
        return Err(refuse::policies_too_large(&key.tenant, room.policy_bytes, POLICY_BYTES_MAX));
    }
    Ok(())
}

/// 16 bytes that begin with the time, so that names are in the order of their making.
fn dated_bytes(now: Millis) -> [u8; 16] {
    let (seconds, rest) = (now.get() / 1_000, now.get() % 1_000);
    let nanos = u32::try_from(rest.saturating_mul(1_000_000)).unwrap_or(0);
    Uuid::new_v7(Timestamp::from_unix_time(seconds, nanos, 0, 0)).into_bytes()
}

/// 32 bytes, of which 244 bits are random.
fn random_bytes() -> [u8; 32] {
    let (left, right) = (Uuid::new_v4().as_u128(), Uuid::new_v4().as_u128());
    let mut bytes = [0; 32];
    let parts = left.to_be_bytes().into_iter().chain(right.to_be_bytes());
    bytes.iter_mut().zip(parts).for_each(|(byte, part)| *byte = part);
    bytes
}
