//! What the paths of the admin API name, and which methods each takes.

use crate::key::{KeyId, TenantId};

/// Where the admin API begins.
pub const ROOT: &str = "/admin/v1";

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Providers, models and prices.
    Catalog,
    /// All tenants.
    Tenants,
    /// One tenant.
    Tenant(TenantId),
    /// All of a tenant's keys.
    Keys(TenantId),
    /// One key.
    Key(TenantId, KeyId),
    /// A tenant's calls.
    Calls(TenantId),
    /// The credits that a tenant is given.
    Credits(TenantId),
    /// What a tenant's object has done.
    Metrics(TenantId),
}

/// Why a path names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoResource {
    /// There is no such path.
    Path,
    /// No tenant can be called that.
    Tenant,
    /// No key can be called that.
    Key,
}

impl Resource {
    /// What `path` names.
    ///
    /// # Errors
    /// It names nothing.
    pub fn at(path: &str) -> Result<Self, NoResource> {
        let rest = path.strip_prefix(ROOT).and_then(|rest| rest.strip_prefix('/')).ok_or(NoResource::Path)?;
        let parts: Vec<_> = rest.split('/').collect();
        let tenant = |text: &str| TenantId::parse(text).ok_or(NoResource::Tenant);
        let key = |text: &str| KeyId::parse(text).ok_or(NoResource::Key);
        match *parts.as_slice() {
            ["catalog"] => Ok(Self::Catalog),
            ["tenants"] => Ok(Self::Tenants),
            ["tenants", id] => Ok(Self::Tenant(tenant(id)?)),
            ["tenants", id, "keys"] => Ok(Self::Keys(tenant(id)?)),
            ["tenants", id, "keys", name] => Ok(Self::Key(tenant(id)?, key(name)?)),
            ["tenants", id, "calls"] => Ok(Self::Calls(tenant(id)?)),
            ["tenants", id, "credits"] => Ok(Self::Credits(tenant(id)?)),
            ["tenants", id, "metrics"] => Ok(Self::Metrics(tenant(id)?)),
            _ => Err(NoResource::Path),
        }
    }

    /// The methods it takes, as the `Allow` header lists them.
    pub const fn methods(&self) -> &'static str {
        match self {
            Self::Catalog => "GET, PUT",
            Self::Tenants | Self::Keys(_) => "GET, POST",
            Self::Tenant(_) => "GET, PATCH",
            Self::Key(..) => "GET, PATCH, DELETE",
            Self::Metrics(_) | Self::Calls(_) => "GET",
            Self::Credits(_) => "POST",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_is_told_from_every_other() {
        for (path, methods) in [
            ("/admin/v1/catalog", Ok("GET, PUT")),
            ("/admin/v1/tenants", Ok("GET, POST")),
            ("/admin/v1/tenants/acme", Ok("GET, PATCH")),
            ("/admin/v1/tenants/acme/keys", Ok("GET, POST")),
            ("/admin/v1/tenants/acme/keys/5cQ", Ok("GET, PATCH, DELETE")),
            ("/admin/v1/tenants/acme/metrics", Ok("GET")),
            ("/admin/v1/tenants/acme/calls", Ok("GET")),
            ("/admin/v1/tenants/acme/credits", Ok("POST")),
            ("/admin/v1/tenants/ACME", Err(NoResource::Tenant)),
            ("/admin/v1/tenants/", Err(NoResource::Tenant)),
            ("/admin/v1/tenants/%2e%2e/keys", Err(NoResource::Tenant)),
            ("/admin/v1/tenants/acme/keys/a_b", Err(NoResource::Key)),
            ("/admin/v1/tenants/acme/keys/5cQ/", Err(NoResource::Path)),
            ("/admin/v1/catalog/", Err(NoResource::Path)),
            ("/admin/v1", Err(NoResource::Path)),
            ("/admin/v1catalog", Err(NoResource::Path)),
            ("/v1/models", Err(NoResource::Path)),
        ] {
            assert_eq!(Resource::at(path).map(|resource| resource.methods()), methods, "{path}");
        }
    }
}
