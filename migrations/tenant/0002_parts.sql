-- What a call was made of, and where its price is written.

-- What was called, and the bytes of its text: estimates are learnt from them.
ALTER TABLE calls ADD COLUMN endpoint TEXT NOT NULL DEFAULT 'chat';
ALTER TABLE calls ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
-- What rolling windows hold; null: all of held_input and held_output.
ALTER TABLE calls ADD COLUMN held_likely_input INTEGER;
ALTER TABLE calls ADD COLUMN held_likely_output INTEGER;
-- Where the price is written: 'catalog:3'.
ALTER TABLE calls ADD COLUMN priced_by TEXT;
-- The tokens of special kinds, as a JSON list: cache_write, cache_write_hour, audio_input, reasoning, audio_output; null: none.
ALTER TABLE calls ADD COLUMN parts TEXT;
-- 1: the hold is not reckoned anew while the call runs.
ALTER TABLE calls ADD COLUMN special INTEGER NOT NULL DEFAULT 0;

-- What calls mostly use, each a JSON histogram, by 'key endpoint model'. Read when the object starts.
CREATE TABLE habits (name TEXT PRIMARY KEY, habit TEXT NOT NULL) WITHOUT ROWID;

-- What bills have gone beyond a limit on money, by the window that repays it (nano-USD). `limit_name` is the
-- tenant's limit, or 'key/limit' for one of a key's own; `key` is the key whose calls it counts, or ''. Read when
-- the object starts.
CREATE TABLE debts (
  limit_name TEXT NOT NULL,
  key TEXT NOT NULL,
  start INTEGER NOT NULL,
  amount INTEGER NOT NULL,
  PRIMARY KEY (limit_name, key, start)
) WITHOUT ROWID;

-- The output, counted, at which a call under way is to be stopped.
ALTER TABLE calls ADD COLUMN stop_at INTEGER;
