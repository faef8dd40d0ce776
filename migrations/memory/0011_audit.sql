-- The audit log: rows in a hash chain, and where it begins and ends.
-- min_reader_version: 1

-- up

-- Written by the writer alone, never changed; the oldest rows go when there are too many, and a row
-- then says so. `hash` is over `previous` and all the rest (src/store/audit_chain.h).
CREATE TABLE audit (
  seq INTEGER PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  tenant_id TEXT NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  outcome TEXT NOT NULL,
  resource TEXT NOT NULL,
  address TEXT NOT NULL,
  request_id TEXT NOT NULL,
  detail TEXT NOT NULL,
  previous BLOB NOT NULL,
  hash BLOB NOT NULL
) STRICT;

-- The last row that was trimmed away (0 = none was) and the last one that was written: rows that are
-- missing at either end are noticed by it.
CREATE TABLE audit_head (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  trimmed_seq INTEGER NOT NULL,
  trimmed_hash BLOB NOT NULL,
  last_seq INTEGER NOT NULL,
  last_hash BLOB NOT NULL
) STRICT;
INSERT INTO audit_head (id, trimmed_seq, trimmed_hash, last_seq, last_hash)
  VALUES (1, 0, zeroblob(32), 0, zeroblob(32));

-- down

DROP TABLE audit_head;
DROP TABLE audit;
