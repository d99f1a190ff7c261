//! Brings what the registry holds to a tenant's object, and notes what the object has acknowledged.

use super::Deployment;
use crate::key::{KeyId, TenantId};
use crate::operator::KeyRecord;
use crate::operator::refuse;
use crate::refusal::Refusal;
use crate::shell::object::{self, ObjectError};
use crate::shell::registry::RegistryError;
use crate::shell::registry::held::{From as Since, KEYS_PAGE, News};
use crate::wire::Configure;

/// How often a push begins again because others changed the tenant meanwhile.
const ROUNDS_MAX: u32 = 8;

/// Why a tenant's object may not hold what the registry holds.
pub(super) enum NotPushed {
    /// The registry failed.
    Registry(RegistryError),
    /// The object failed.
    Object(ObjectError),
    /// There is no such tenant.
    NoTenant,
    /// Others changed the tenant all the time.
    Busy,
}

impl From<RegistryError> for NotPushed {
    fn from(error: RegistryError) -> Self {
        Self::Registry(error)
    }
}

impl NotPushed {
    /// Why, as a phrase.
    pub(super) fn why(&self) -> String {
        match self {
            Self::Registry(error) => error.to_string(),
            Self::Object(error) => reason(error),
            Self::NoTenant => "there is no such tenant".to_owned(),
            Self::Busy => "others are changing the same just now".to_owned(),
        }
    }

    /// What the operator is told, whose change is stored.
    pub(super) fn refusal(&self, tenant: &TenantId) -> Refusal {
        match self {
            Self::NoTenant => refuse::no_tenant(tenant),
            _ => refuse::not_reached(tenant, &self.why()),
        }
    }
}

/// Why an object gave no answer, as a phrase.
pub(super) fn reason(error: &ObjectError) -> String {
    match error {
        ObjectError::NotReached(why) => why.clone(),
        ObjectError::NotBound | ObjectError::Older => error.to_string(),
    }
}

/// Makes a tenant's object hold what the registry holds; `key` is told in any case.
///
/// Two calls that change one tenant may reach its object in the wrong order. So each looks again
/// when it is done, and begins again where there is more: whoever comes last has told the newest.
pub(super) async fn push(
    deployment: &Deployment<'_>,
    tenant: &TenantId,
    since: Since,
    key: Option<&KeyId>,
) -> Result<(), NotPushed> {
    let mut from = since;
    for _ in 0..ROUNDS_MAX {
        let news = deployment.registry.news(tenant, from, key).await?.ok_or(NotPushed::NoTenant)?;
        if from == Since::Held {
            from = Since::Revision(news.held);
        }
        let (revision, catalog) = (news.revision, news.catalog.as_ref().map(|catalog| catalog.version));
        tell(deployment, tenant, from, news).await?;
        if deployment.registry.note_held(tenant, revision, catalog).await? == Some(revision) {
            return Ok(());
        }
    }
    Err(NotPushed::Busy)
}

/// Tells the object all the news, in as many messages as its keys need; the first brings the tenant.
async fn tell(deployment: &Deployment<'_>, tenant: &TenantId, from: Since, news: News) -> Result<(), NotPushed> {
    let mut page = news.keys;
    let (revision, keys) = (news.revision, Vec::new());
    let mut change = Configure { revision, tenant: Some(news.tenant.update()), catalog: news.catalog, keys };
    loop {
        change.keys = page.iter().map(KeyRecord::update).collect();
        object::configure(deployment.env, tenant, &change).await.map_err(NotPushed::Object)?;
        let full = u64::try_from(page.len()).is_ok_and(|count| count >= KEYS_PAGE);
        let Some(last) = page.last().filter(|_| full) else {
            return Ok(());
        };
        page = deployment.registry.more_keys(tenant, from, &last.id).await?;
        if page.is_empty() {
            return Ok(());
        }
        change = Configure { revision, ..Configure::default() };
    }
}
