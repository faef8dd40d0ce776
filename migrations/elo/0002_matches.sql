-- Ratings by provider and model, with all that a rebuild needs of a debate whose log was deleted.
-- min_reader_version: 1

-- up

-- Nothing ever wrote these.
DROP TABLE rating_changes;
DROP TABLE ratings;

-- What is rated. `agent` is the type under which it took part last.
CREATE TABLE contenders (
  id INTEGER PRIMARY KEY,
  tenant_id TEXT NOT NULL,
  provider TEXT NOT NULL,
  model TEXT NOT NULL,
  agent TEXT NOT NULL,
  demo INTEGER NOT NULL,
  UNIQUE (tenant_id, provider, model)
) STRICT;

CREATE INDEX contenders_by_agent ON contenders (tenant_id, agent);

-- How each stands: overall in the domain '', and in each of its domains. Ratings are in thousandths
-- of a point: nothing here is a floating-point number.
CREATE TABLE standings (
  contender INTEGER NOT NULL REFERENCES contenders (id),
  domain TEXT NOT NULL,
  elo_milli INTEGER NOT NULL,
  wins INTEGER NOT NULL,
  losses INTEGER NOT NULL,
  draws INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL,
  PRIMARY KEY (contender, domain)
) STRICT, WITHOUT ROWID;

CREATE INDEX standings_by_elo ON standings (domain, elo_milli);

-- Every debate that has ended, once, by its number in debates_ended; `reason` is '' when it was
-- rated, else why it was not.
CREATE TABLE matches (
  number INTEGER PRIMARY KEY,
  debate_id TEXT NOT NULL UNIQUE,
  tenant_id TEXT NOT NULL,
  owner_id TEXT NOT NULL,
  domain TEXT NOT NULL,
  reason TEXT NOT NULL,
  ended_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX matches_rated ON matches (tenant_id, number) WHERE reason = '';

-- What it did to each: the history of the ratings.
CREATE TABLE match_players (
  contender INTEGER NOT NULL REFERENCES contenders (id),
  domain TEXT NOT NULL,
  match INTEGER NOT NULL REFERENCES matches (number),
  elo_milli INTEGER NOT NULL,
  change_milli INTEGER NOT NULL,
  result INTEGER NOT NULL,
  place INTEGER NOT NULL,
  PRIMARY KEY (contender, domain, match)
) STRICT, WITHOUT ROWID;

CREATE INDEX match_players_by_match ON match_players (match, domain, place);

-- Who was ranked above whom, in parts of 144403552893600 of a ballot, and who held one position.
CREATE TABLE match_pairs (
  match INTEGER NOT NULL REFERENCES matches (number),
  a INTEGER NOT NULL REFERENCES contenders (id),
  b INTEGER NOT NULL REFERENCES contenders (id),
  won_a INTEGER NOT NULL,
  won_b INTEGER NOT NULL,
  agreed INTEGER NOT NULL,
  PRIMARY KEY (match, a, b)
) STRICT, WITHOUT ROWID;

-- The same over all debates, each pair once from either side: in how many debates `contender` was
-- ranked above `opponent` more than below, and in how many both held one position at the end.
CREATE TABLE head_to_head (
  contender INTEGER NOT NULL REFERENCES contenders (id),
  opponent INTEGER NOT NULL REFERENCES contenders (id),
  wins INTEGER NOT NULL,
  losses INTEGER NOT NULL,
  draws INTEGER NOT NULL,
  agreed INTEGER NOT NULL,
  debates INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL,
  PRIMARY KEY (contender, opponent)
) STRICT, WITHOUT ROWID;

-- How many debates were rated ('') and how many were not, by reason.
CREATE TABLE match_totals (
  tenant_id TEXT NOT NULL,
  reason TEXT NOT NULL,
  debates INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, reason)
) STRICT, WITHOUT ROWID;

-- down

DROP TABLE match_totals;
DROP TABLE head_to_head;
DROP TABLE match_pairs;
DROP TABLE match_players;
DROP TABLE matches;
DROP TABLE standings;
DROP TABLE contenders;

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
