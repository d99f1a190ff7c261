-- What providers keep for this tenant under an account that it shares with others: responses, files, batches and the like. One row
-- for each id that came in an answer; none for a call that keeps nothing. Read by id when a call names one.
CREATE TABLE kept (id TEXT NOT NULL, provider TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (id, provider)) WITHOUT ROWID;
