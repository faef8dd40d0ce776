-- Which debate another one came from: a fork, or a follow-up of what it left open.
-- min_reader_version: 1

-- up

-- Written in the transaction that inserts the debate, and removed with it. The parent may have been
-- deleted. `branch_point` is the last round that a fork took over, NULL for a follow-up.
CREATE TABLE lineage (
  debate_id TEXT NOT NULL PRIMARY KEY,
  parent_id TEXT NOT NULL,
  branch_point INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX lineage_by_parent ON lineage (parent_id, debate_id);

-- down

DROP TABLE lineage;
