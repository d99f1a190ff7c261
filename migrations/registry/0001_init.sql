-- The registry: what operators set. Only the admin API reads and writes it; a call never waits for it, because each
-- tenant's object holds its own copy. Every statement must work with the release before it. Times are milliseconds
-- since 1970 (UTC).

-- The tenants. `revision` counts the changes of the tenant and its keys; `held_revision` and `held_catalog` are what
-- the tenant's object has acknowledged (-1: no catalog yet). Read by id, as a list by id, and whole where a catalog was
-- replaced.
CREATE TABLE tenants (
  id TEXT PRIMARY KEY,
  name TEXT,
  enabled INTEGER NOT NULL,
  policy TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  revision INTEGER NOT NULL DEFAULT 1,
  held_revision INTEGER NOT NULL DEFAULT 0,
  held_catalog INTEGER NOT NULL DEFAULT -1
) WITHOUT ROWID;

-- The keys: never a key itself, only the SHA-256 of its secret. `revision` is the tenant's at the key's last change:
-- what the tenant's object does not hold yet is found by it. Read by tenant and id, and as a list of one tenant's.
CREATE TABLE keys (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  name TEXT,
  hash TEXT NOT NULL,
  policy TEXT,
  expires_at INTEGER,
  revoked_at INTEGER,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  PRIMARY KEY (tenant, id)
) WITHOUT ROWID;

-- The last thousand catalogs; the newest is the one that holds. Read by version.
CREATE TABLE catalogs (
  version INTEGER PRIMARY KEY,
  document TEXT NOT NULL,
  created_at INTEGER NOT NULL
);

-- Who changed what, and when, in the order it was done; it holds no secrets. Read by people:
-- npx wrangler d1 execute REGISTRY --remote --command "SELECT * FROM audit ORDER BY id DESC LIMIT 50"
CREATE TABLE audit (
  id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  tenant TEXT,
  key TEXT,
  detail TEXT NOT NULL
);
