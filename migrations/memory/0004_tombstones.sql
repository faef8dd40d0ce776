-- What stays of a debate whose content was deleted: its chain without the words, and why it went.
-- min_reader_version: 1

-- up

-- `reason` and `deleted_by` are the caller's; nothing else here was said in the debate.
CREATE TABLE tombstones (
  debate_id TEXT NOT NULL PRIMARY KEY,
  tenant_id TEXT NOT NULL,
  owner_id TEXT NOT NULL,
  status TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  deleted_ms INTEGER NOT NULL,
  deleted_by TEXT NOT NULL,
  reason TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- As in `events`, without data and salt: a digest without its salt says nothing about the data.
CREATE TABLE tombstone_events (
  debate_id TEXT NOT NULL REFERENCES tombstones (debate_id) DEFERRABLE INITIALLY DEFERRED,
  seq INTEGER NOT NULL,
  type TEXT NOT NULL,
  ts_ms INTEGER NOT NULL,
  round INTEGER,
  agent TEXT,
  digest BLOB NOT NULL,
  hash BLOB NOT NULL,
  PRIMARY KEY (debate_id, seq)
) STRICT, WITHOUT ROWID;

-- down

DROP TABLE tombstone_events;
DROP TABLE tombstones;
