-- Which start of a debate a caller's Idempotency-Key stands for.
-- min_reader_version: 1

-- up

-- Written in the transaction that inserts the debate. `digest` is the SHA-256 of the request's
-- canonical body, empty once the debate's content was deleted. A row counts for the time of --idempotency-ttl; starts with a key remove those that
-- do not any more, a few at a time.
CREATE TABLE idempotency_keys (
  tenant_id TEXT NOT NULL,
  owner_id TEXT NOT NULL,
  key TEXT NOT NULL,
  digest BLOB NOT NULL,
  debate_id TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, owner_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_ms);
CREATE INDEX idempotency_keys_by_debate ON idempotency_keys (debate_id);

-- down

DROP TABLE idempotency_keys;
