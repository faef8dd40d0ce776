-- Links by which whoever has one reads one debate.
-- min_reader_version: 1

-- up

-- One a debate at most; revoking it removes the row, and so does deleting the debate. Of the link's
-- token only the SHA-256 is kept, of 192 random bits. From here on a debate is public while it has a
-- link that has not expired; the column `is_public` of `debates` is not looked at any more.
CREATE TABLE shares (
  debate_id TEXT NOT NULL PRIMARY KEY,
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  created_ms INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  expires_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX shares_by_hash ON shares (hash);

-- down

DROP TABLE shares;
