//! The registry's statements.
//!
//! An audit row stands before its change and under the same condition, so both are done or neither.

macro_rules! tenant_columns {
    () => {
        "id, name, enabled, policy, created_at, updated_at, revision, held_revision, held_catalog"
    };
}

macro_rules! key_columns {
    () => {
        "tenant, id, name, hash, policy, expires_at, revoked_at, created_at, updated_at"
    };
}

/// One tenant: id.
pub(super) const TENANT: &str = concat!("SELECT ", tenant_columns!(), " FROM tenants WHERE id = ?1");
/// The tenants behind an id, in order: id, how many.
pub(super) const TENANTS: &str =
    concat!("SELECT ", tenant_columns!(), " FROM tenants WHERE id > ?1 ORDER BY id LIMIT ?2");
/// Makes a tenant; fails if there is one of that id: id, name, policy, now.
pub(super) const TENANT_ADD: &str =
    "INSERT INTO tenants (id, name, enabled, policy, created_at, updated_at) VALUES (?1, ?2, 1, ?3, ?4, ?4)";
/// Changes what is named of a tenant: id, whether the name, name, policy, enabled, now.
pub(super) const TENANT_CHANGE: &str = concat!(
    "UPDATE tenants SET name = CASE WHEN ?2 THEN ?3 ELSE name END, policy = COALESCE(?4, policy), \
     enabled = COALESCE(?5, enabled), updated_at = ?6, revision = revision + 1 WHERE id = ?1 RETURNING ",
    tenant_columns!()
);

/// One key: tenant, id.
pub(super) const KEY: &str = concat!("SELECT ", key_columns!(), " FROM keys WHERE tenant = ?1 AND id = ?2");
/// A tenant's keys behind an id, in order: tenant, id, how many.
pub(super) const KEYS: &str =
    concat!("SELECT ", key_columns!(), " FROM keys WHERE tenant = ?1 AND id > ?2 ORDER BY id LIMIT ?3");
/// Counts a change of the tenant, for a key that is made: tenant.
pub(super) const REVISE: &str = "UPDATE tenants SET revision = revision + 1 WHERE id = ?1";
/// Counts a change of the tenant, for a key that is not revoked: tenant, key.
pub(super) const REVISE_FOR_KEY: &str = "UPDATE tenants SET revision = revision + 1 WHERE id = ?1 \
     AND EXISTS (SELECT 1 FROM keys WHERE tenant = ?1 AND id = ?2 AND revoked_at IS NULL)";
/// Makes a key of a tenant that is there: tenant, id, name, hash, policy, expiry, now.
pub(super) const KEY_ADD: &str = "INSERT INTO keys \
     (tenant, id, name, hash, policy, expires_at, created_at, updated_at, revision) \
     SELECT id, ?2, ?3, ?4, ?5, ?6, ?7, ?7, revision FROM tenants WHERE id = ?1 RETURNING id";
/// Changes what is named of a key that is not revoked: tenant, id, whether the name, name, whether the policy, policy,
/// whether the expiry, expiry, now.
pub(super) const KEY_CHANGE: &str = "UPDATE keys SET name = CASE WHEN ?3 THEN ?4 ELSE name END, \
     policy = CASE WHEN ?5 THEN ?6 ELSE policy END, expires_at = CASE WHEN ?7 THEN ?8 ELSE expires_at END, \
     updated_at = ?9, revision = (SELECT revision FROM tenants WHERE id = ?1) \
     WHERE tenant = ?1 AND id = ?2 AND revoked_at IS NULL";
/// Revokes a key that is not: tenant, id, now.
pub(super) const KEY_REVOKE: &str = "UPDATE keys SET revoked_at = ?3, updated_at = ?3, \
     revision = (SELECT revision FROM tenants WHERE id = ?1) WHERE tenant = ?1 AND id = ?2 AND revoked_at IS NULL";

/// The newest catalog.
pub(super) const CATALOG_NEWEST: &str = "SELECT version, document FROM catalogs ORDER BY version DESC LIMIT 1";
/// One catalog: version.
pub(super) const CATALOG: &str = "SELECT version, document FROM catalogs WHERE version = ?1";
/// Adds a catalog; fails if there is one of that version: version, document, now.
pub(super) const CATALOG_ADD: &str = "INSERT INTO catalogs (version, document, created_at) VALUES (?1, ?2, ?3)";
/// Drops the catalogs that a thousand newer ones have followed: version.
pub(super) const CATALOGS_DROP: &str = "DELETE FROM catalogs WHERE version <= ?1 - 1000";

/// The keys behind an id that the tenant's object does not hold: tenant, since which revision (null: since the one it
/// holds), a key that is sent in any case, id, how many.
pub(super) const KEYS_NOT_HELD: &str = concat!(
    "SELECT ",
    key_columns!(),
    " FROM keys WHERE tenant = ?1 AND id > ?4 \
     AND (id = ?3 OR revision > COALESCE(?2, (SELECT held_revision FROM tenants WHERE id = ?1))) ORDER BY id LIMIT ?5"
);
/// The newest catalog if the tenant's object does not hold it: tenant, since which version (null: the one it holds).
pub(super) const CATALOG_NOT_HELD: &str = "SELECT version, document FROM catalogs \
     WHERE version > COALESCE(?2, (SELECT held_catalog FROM tenants WHERE id = ?1)) ORDER BY version DESC LIMIT 1";
/// Notes what a tenant's object holds; gives the tenant's revision of now: id, revision, catalog.
pub(super) const HELD: &str = "UPDATE tenants SET held_revision = max(held_revision, ?2), \
     held_catalog = max(held_catalog, ?3) WHERE id = ?1 RETURNING revision";
/// Notes the catalog that tenants' objects hold: version, the ids as a JSON list.
pub(super) const CATALOG_HELD: &str =
    "UPDATE tenants SET held_catalog = max(held_catalog, ?1) WHERE id IN (SELECT value FROM json_each(?2))";
/// The tenants behind an id whose objects do not hold a catalog: version, id, how many.
pub(super) const BEHIND: &str = "SELECT id, revision = held_revision AND held_catalog >= 0 AS told FROM tenants \
     WHERE held_catalog < ?1 AND id > ?2 ORDER BY id LIMIT ?3";
/// How many tenants' objects do not hold a catalog: version.
pub(super) const BEHIND_COUNT: &str = "SELECT count(*) AS count FROM tenants WHERE held_catalog < ?1";

/// Notes a change: when, what, tenant, key, details.
pub(super) const AUDIT: &str =
    "INSERT INTO audit (at, actor, action, tenant, key, detail) VALUES (?1, 'admin_token', ?2, ?3, ?4, ?5)";
/// Notes a change of a tenant that is there: when, what, tenant, key, details.
pub(super) const AUDIT_OF_TENANT: &str = "INSERT INTO audit (at, actor, action, tenant, key, detail) \
     SELECT ?1, 'admin_token', ?2, id, ?4, ?5 FROM tenants WHERE id = ?3";
/// Notes a change of a key that is there and not revoked: when, what, tenant, key, details.
pub(super) const AUDIT_OF_KEY: &str = "INSERT INTO audit (at, actor, action, tenant, key, detail) \
     SELECT ?1, 'admin_token', ?2, tenant, id, ?5 FROM keys WHERE tenant = ?3 AND id = ?4 AND revoked_at IS NULL";
