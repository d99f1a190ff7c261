-- What a call was made of, and where its price is written.

-- What was called, and the bytes of its text: estimates are learnt from them.
ALTER TABLE calls ADD COLUMN endpoint TEXT NOT NULL DEFAULT 'chat';
ALTER TABLE calls ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
-- The output that rolling windows hold; null: all of held_output.
ALTER TABLE calls ADD COLUMN held_likely_output INTEGER;
-- Where the price is written: 'catalog:3'.
ALTER TABLE calls ADD COLUMN priced_by TEXT;
-- The tokens of special kinds, as a JSON list: cache_write, cache_write_hour, audio_input, reasoning, audio_output; null: none.
ALTER TABLE calls ADD COLUMN parts TEXT;
