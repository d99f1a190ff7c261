-- What a tenant's object keeps. Every statement must work with the release before it.

-- What the tenant is: its record, its catalog, and how far usage is summed up. Read when the object starts.
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- The tenant's keys, each a JSON record with the hash of its secret. Read when the object starts.
CREATE TABLE keys (id TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID;

-- The ledger: one row for each admitted call. `at` is its admission in microseconds, made unique, so
-- time order needs no index. Amounts are tokens and nano-USD. Read from a place on when the object
-- starts, and by `at` when a call settles late.
CREATE TABLE calls (
  at INTEGER PRIMARY KEY,
  call TEXT NOT NULL,
  key TEXT NOT NULL,
  model TEXT NOT NULL,
  state TEXT NOT NULL,
  lease_ends INTEGER NOT NULL,
  held_input INTEGER NOT NULL,
  held_output INTEGER NOT NULL,
  held_cost INTEGER NOT NULL,
  catalog INTEGER NOT NULL,
  ended_at INTEGER,
  input INTEGER,
  cached_input INTEGER,
  output INTEGER,
  cost INTEGER,
  truth TEXT,
  target TEXT,
  status INTEGER,
  attempts INTEGER
);

-- Sums over ended calls by period, key and model: grain 0 hour, 1 day, 2 month, 3 lifetime. Read when
-- the object starts and when a tenant asks for its usage.
CREATE TABLE usage (
  grain INTEGER NOT NULL,
  start INTEGER NOT NULL,
  key TEXT NOT NULL,
  model TEXT NOT NULL,
  calls INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  input INTEGER NOT NULL,
  cached_input INTEGER NOT NULL,
  output INTEGER NOT NULL,
  cost INTEGER NOT NULL,
  PRIMARY KEY (grain, start, key, model)
) WITHOUT ROWID;

-- The targets that are not well. Read when the object starts.
CREATE TABLE health (target TEXT PRIMARY KEY, rests_until INTEGER NOT NULL, rests INTEGER NOT NULL) WITHOUT ROWID;
