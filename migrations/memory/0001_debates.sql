-- Debates, their logs, and the totals that a list shows.
-- min_reader_version: 1

-- up

-- Incremented in every transaction of the writer, so that a copy of the changes made beside the
-- database can name the commit it reaches.
CREATE TABLE commits (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  number INTEGER NOT NULL
) STRICT;
INSERT INTO commits (id, number) VALUES (1, 0);

-- `num` stands for the debate inside this file only: it keeps the log's index at a few bytes an
-- event. What may be long comes last, so that reading the rest does not walk overflow pages.
CREATE TABLE debates (
  num INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  slug TEXT NOT NULL UNIQUE,
  tenant_id TEXT NOT NULL DEFAULT 'local',
  owner_id TEXT NOT NULL DEFAULT 'local' CHECK (owner_id <> ''),
  lease_owner TEXT,
  lease_epoch INTEGER NOT NULL DEFAULT 0,
  status TEXT NOT NULL
    CHECK (status IN ('pending', 'running', 'completed', 'failed', 'cancelled')),
  outcome TEXT,
  consensus TEXT,
  created_ms INTEGER NOT NULL,
  completed_ms INTEGER,
  duration_ms INTEGER,
  rounds_used INTEGER NOT NULL DEFAULT 0,
  confidence_ppm INTEGER,
  cost_usd_micro INTEGER,
  consensus_reached INTEGER NOT NULL DEFAULT 0,
  degraded INTEGER NOT NULL DEFAULT 0,
  demo INTEGER NOT NULL DEFAULT 0,
  is_public INTEGER NOT NULL DEFAULT 0,
  agents TEXT NOT NULL DEFAULT '[]',
  task TEXT NOT NULL,
  metadata TEXT
) STRICT;

-- One index for each way a list is asked for: a page is a walk along one of them.
CREATE INDEX debates_by_tenant ON debates (tenant_id, created_ms, id);
CREATE INDEX debates_by_tenant_status ON debates (tenant_id, status, created_ms, id);
CREATE INDEX debates_by_owner ON debates (tenant_id, owner_id, created_ms, id);
CREATE INDEX debates_by_owner_status ON debates (tenant_id, owner_id, status, created_ms, id);
CREATE INDEX debates_unfinished ON debates (created_ms, id)
  WHERE status IN ('pending', 'running');

-- A table with rowids on purpose: the events of all running debates are appended to the same few
-- pages, and only the small index is written in a hundred places.
CREATE TABLE events (
  debate INTEGER NOT NULL REFERENCES debates (num) ON DELETE CASCADE
    DEFERRABLE INITIALLY DEFERRED,
  seq INTEGER NOT NULL CHECK (seq > 0),
  type TEXT NOT NULL,
  ts_ms INTEGER NOT NULL,
  round INTEGER,
  agent TEXT,
  salt BLOB,
  digest BLOB NOT NULL,
  hash BLOB NOT NULL,
  data TEXT,
  PRIMARY KEY (debate, seq)
) STRICT;

-- How many debates there are of each status: for one owner, and under the owner '' for all of a
-- tenant's.
CREATE TABLE debate_totals (
  tenant_id TEXT NOT NULL,
  owner_id TEXT NOT NULL,
  status TEXT NOT NULL,
  total INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, owner_id, status)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER debates_count_insert AFTER INSERT ON debates BEGIN
  INSERT INTO debate_totals (tenant_id, owner_id, status, total)
    VALUES (new.tenant_id, new.owner_id, new.status, 1), (new.tenant_id, '', new.status, 1)
    ON CONFLICT (tenant_id, owner_id, status) DO UPDATE SET total = total + excluded.total;
END;

CREATE TRIGGER debates_count_update AFTER UPDATE OF tenant_id, owner_id, status ON debates
  WHEN (new.tenant_id, new.owner_id, new.status) IS NOT (old.tenant_id, old.owner_id, old.status)
BEGIN
  INSERT INTO debate_totals (tenant_id, owner_id, status, total)
    VALUES (old.tenant_id, old.owner_id, old.status, -1), (old.tenant_id, '', old.status, -1),
           (new.tenant_id, new.owner_id, new.status, 1), (new.tenant_id, '', new.status, 1)
    ON CONFLICT (tenant_id, owner_id, status) DO UPDATE SET total = total + excluded.total;
END;

CREATE TRIGGER debates_count_delete AFTER DELETE ON debates BEGIN
  INSERT INTO debate_totals (tenant_id, owner_id, status, total)
    VALUES (old.tenant_id, old.owner_id, old.status, -1), (old.tenant_id, '', old.status, -1)
    ON CONFLICT (tenant_id, owner_id, status) DO UPDATE SET total = total + excluded.total;
END;

-- down

DROP TABLE events;
DROP TABLE debates;
DROP TABLE debate_totals;
DROP TABLE commits;
