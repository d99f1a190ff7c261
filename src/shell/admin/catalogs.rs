//! Admin calls on the catalog: a new one is a new version, and every tenant's object is told of it.

use super::push::{push, reason};
use super::{Answer, Deployment, body, secret};
use crate::catalog::{Catalog, DOCUMENT_BYTES_MAX};
use crate::key::TenantId;
use crate::operator::{SentCatalog, catalog_document, read_version, refuse};
use crate::refusal::Refusal;
use crate::secret::Secret;
use crate::shell::object;
use crate::shell::registry::RegistryError;
use crate::shell::registry::held::{Behind, From as Since};
use crate::wire::{CatalogUpdate, Configure};
use futures::StreamExt;
use serde_json::{Value, json};

/// How many objects are told at a time.
const PUSHES_AT_ONCE: usize = 16;
/// How many objects are told by one call: the platform bounds what a call may do.
const PUSHES_MAX: u64 = 2_000;
const PAGE: u64 = 200;
/// How many of those that are behind an answer names.
const SHOWN_MAX: u64 = 100;
/// How often a version is tried that another call took first.
const TRIES_MAX: u32 = 8;

/// `GET /catalog`
pub(super) async fn show<'a>(
    deployment: &Deployment<'_>,
    query: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<Answer, Refusal> {
    let version = read_version(query).map_err(|invalid| refuse::invalid_parameter(&invalid))?;
    let found = deployment.registry.catalog(version).await?;
    let (version, document) = found.ok_or_else(|| refuse::no_catalog(version.unwrap_or_default()))?;
    Ok(Answer::new(200, catalog_document(version, document)))
}

/// `PUT /catalog`: the same document again is the same version, and tells those objects that are behind.
pub(super) async fn replace(deployment: &Deployment<'_>, sent: Value) -> Result<Answer, Refusal> {
    let sent = SentCatalog::read(sent).map_err(|invalid| refuse::invalid(&invalid))?;
    let bytes = sent.document.to_string().len();
    if bytes > DOCUMENT_BYTES_MAX {
        return Err(refuse::too_large(DOCUMENT_BYTES_MAX));
    }
    let catalog = Catalog::read_new(&sent.document).map_err(|invalid| refuse::invalid(&invalid))?;
    let version = store(deployment, &sent).await?;
    let change =
        Configure { catalog: Some(CatalogUpdate { version, document: sent.document }), ..Configure::default() };
    let updated = tell_all(deployment, version, &change).await?;
    let behind = deployment.registry.behind(version, "", SHOWN_MAX).await?;
    let behind: Vec<_> = behind.iter().map(|tenant| tenant.id.as_str()).collect();
    let unfit = |name: &str| match secret(deployment.env, name) {
        None => Some("is not set in this deployment".to_owned()),
        Some(secret) => Secret::read_document(&secret).err().map(|unfit| unfit.to_string()),
    };
    let warning = |(provider, name): (&str, &str)| {
        Some(format!("providers[{provider:?}].auth.bearer: the secret {name} {}", unfit(name)?))
    };
    let warnings: Vec<_> = catalog.secrets().filter_map(warning).collect();
    let mut document =
        json!({"version": version, "tenants": {"updated": updated, "behind": behind}, "warnings": warnings});
    if behind.is_empty() {
        return Ok(Answer::new(200, document));
    }
    let refusal = refuse::tenants_behind(version, deployment.registry.behind_count(version).await?);
    worker::console_error!("{}", refusal.message);
    let mut answer = Answer::from(&refusal);
    if let (Some(document), Value::Object(error)) = (document.as_object_mut(), body(&refusal)) {
        document.extend(error);
    }
    answer.document = document;
    Ok(answer)
}

/// Stores a catalog unless it is the newest already; its version.
async fn store(deployment: &Deployment<'_>, sent: &SentCatalog) -> Result<u64, Refusal> {
    for _ in 0..TRIES_MAX {
        let (newest, document) = deployment.registry.catalog(None).await?.ok_or_else(refuse::busy)?;
        if document == sent.document {
            return Ok(newest);
        }
        if let Some(edited_from) = sent.edited_from.filter(|version| *version != newest) {
            return Err(refuse::catalog_changed(edited_from, newest));
        }
        let version = newest.saturating_add(1);
        match deployment.registry.add_catalog(version, &sent.document, deployment.now).await {
            Ok(()) => return Ok(version),
            Err(RegistryError::Exists) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(refuse::busy())
}

/// Tells the objects that are behind, a page at a time; how many hold it now.
async fn tell_all(deployment: &Deployment<'_>, version: u64, change: &Configure) -> Result<u64, Refusal> {
    let (mut told, mut updated, mut after) = (0_u64, 0_u64, String::new());
    while told < PUSHES_MAX {
        let page = deployment.registry.behind(version, &after, PAGE).await?;
        let Some(last) = page.last() else { break };
        last.id.as_str().clone_into(&mut after);
        told = told.saturating_add(PAGE);
        let pushes = page.iter().map(|tenant| tell(deployment, tenant, change));
        let hold: Vec<Option<&TenantId>> =
            futures::stream::iter(pushes).buffer_unordered(PUSHES_AT_ONCE).collect().await;
        let hold: Vec<&TenantId> = hold.into_iter().flatten().collect();
        if hold.is_empty() {
            break;
        }
        deployment.registry.note_catalog_held(&hold, version).await?;
        updated = updated.saturating_add(u64::try_from(hold.len()).unwrap_or(0));
    }
    Ok(updated)
}

/// Tells one object of the catalog, and of all else if it lacks that too; its tenant if it holds it now.
async fn tell<'a>(deployment: &Deployment<'_>, tenant: &'a Behind, change: &Configure) -> Option<&'a TenantId> {
    let told = if tenant.lacks_only_catalog() {
        object::configure(deployment.env, &tenant.id, change).await.map_err(|error| reason(&error))
    } else {
        push(deployment, &tenant.id, Since::Held, None).await.map_err(|error| error.why())
    };
    match told {
        Ok(()) => Some(&tenant.id),
        Err(why) => {
            worker::console_error!("the catalog did not reach tenant {}: {why}", tenant.id.as_str());
            None
        }
    }
}
