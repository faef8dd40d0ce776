-- The agents' ratings: a projection of the debates that can be thrown away and made again.
-- min_reader_version: 1

-- up

CREATE TABLE commits (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  number INTEGER NOT NULL
) STRICT;
INSERT INTO commits (id, number) VALUES (1, 0);

-- Ratings are in thousandths of a point: nothing here is a floating-point number.
CREATE TABLE ratings (
  tenant_id TEXT NOT NULL DEFAULT 'local',
  owner_id TEXT NOT NULL DEFAULT 'local',
  agent TEXT NOT NULL,
  elo_milli INTEGER NOT NULL DEFAULT 1500000,
  wins INTEGER NOT NULL DEFAULT 0,
  losses INTEGER NOT NULL DEFAULT 0,
  draws INTEGER NOT NULL DEFAULT 0,
  debates INTEGER NOT NULL DEFAULT 0,
  updated_ms INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, owner_id, agent)
) STRICT, WITHOUT ROWID;

CREATE INDEX ratings_by_elo ON ratings (tenant_id, owner_id, elo_milli, agent);

-- What each debate did to each agent; also what tells that a debate was already counted.
CREATE TABLE rating_changes (
  tenant_id TEXT NOT NULL DEFAULT 'local',
  owner_id TEXT NOT NULL DEFAULT 'local',
  debate_id TEXT NOT NULL,
  agent TEXT NOT NULL,
  elo_milli INTEGER NOT NULL,
  change_milli INTEGER NOT NULL,
  created_ms INTEGER NOT NULL,
  PRIMARY KEY (debate_id, agent)
) STRICT, WITHOUT ROWID;

CREATE INDEX rating_changes_by_agent
  ON rating_changes (tenant_id, owner_id, agent, created_ms, debate_id);

-- down

DROP TABLE rating_changes;
DROP TABLE ratings;
DROP TABLE commits;
