-- What providers keep for this tenant under an account that it shares with others: responses, files, batches and the like. One row
-- for each id that came in an answer; none for a call that keeps nothing. Read by id when a call names one. `work`: the call whose
-- provider works on behind its answer, as JSON; read when a look at the thing tells of its end.
CREATE TABLE kept (id TEXT NOT NULL, provider TEXT NOT NULL, at INTEGER NOT NULL, work TEXT, PRIMARY KEY (id, provider)) WITHOUT ROWID;
