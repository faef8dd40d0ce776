-- Signed forms of the API token that were revoked before they expire.
-- min_reader_version: 1

-- up

-- `hash` is the SHA-256 of the whole text.
CREATE TABLE revoked_tokens (
  hash BLOB NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
  expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX revoked_tokens_by_expiry ON revoked_tokens (expires_ms);

-- down

DROP TABLE revoked_tokens;
