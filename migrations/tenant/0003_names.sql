-- Calls with an Idempotency-Key, for 24 hours.

-- One row for each name that a key has sent: the call that leads it, and the head of its answer; null while it runs.
-- Read by name when a call asks; `at` is the call's place in the ledger, so that the oldest are found without an index.
CREATE TABLE names (
  at INTEGER PRIMARY KEY,
  key TEXT NOT NULL,
  name TEXT NOT NULL,
  body_hash TEXT NOT NULL,
  call TEXT NOT NULL,
  head TEXT
);
CREATE UNIQUE INDEX names_by_name ON names (key, name);

-- The bodies of their answers, in parts of 512 KiB. How large each is is read when the object starts.
CREATE TABLE answers (at INTEGER NOT NULL, part INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (at, part)) WITHOUT ROWID;
