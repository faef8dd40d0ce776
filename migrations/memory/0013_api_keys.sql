-- API keys, and which debate was started with which.
-- min_reader_version: 1

-- up

-- `id` is the key's prefix, which anybody may see; of the rest only the SHA-256 is kept, of 172
-- random bits. `scopes` are names of permissions with a blank between them, '' for all that the
-- owner may. What is replaced (`replaced_by`) is another row, that works until `expires_ms`.
CREATE TABLE api_keys (
  id TEXT NOT NULL PRIMARY KEY,
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  tenant_id TEXT NOT NULL,
  owner_id TEXT NOT NULL CHECK (owner_id <> ''),
  name TEXT NOT NULL,
  scopes TEXT NOT NULL,
  is_default INTEGER NOT NULL,
  requests_per_minute INTEGER NOT NULL CHECK (requests_per_minute >= 0),
  usd_micro_per_day INTEGER NOT NULL CHECK (usd_micro_per_day >= 0),
  created_ms INTEGER NOT NULL,
  expires_ms INTEGER,
  revoked_ms INTEGER,
  last_used_ms INTEGER,
  replaced_by TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX api_keys_by_owner ON api_keys (tenant_id, owner_id, created_ms, id);

ALTER TABLE debates ADD COLUMN key_id TEXT;
ALTER TABLE batches ADD COLUMN key_id TEXT;

-- What was spent with a key on a UTC day from 1970-01-01, reserves included: as in `spending`.
CREATE TABLE key_spending (
  day INTEGER NOT NULL,
  key_id TEXT NOT NULL,
  tokens INTEGER NOT NULL,
  usd_micro INTEGER NOT NULL,
  unpriced INTEGER NOT NULL,
  PRIMARY KEY (day, key_id)
) STRICT, WITHOUT ROWID;

-- down

DROP TABLE key_spending;
ALTER TABLE batches DROP COLUMN key_id;
ALTER TABLE debates DROP COLUMN key_id;
DROP TABLE api_keys;
