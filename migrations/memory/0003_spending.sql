-- What each principal spent on each day, reservations of attempts that have not ended included.
-- min_reader_version: 1

-- up

-- `day` counts UTC days from 1970-01-01. Changed in the transaction that appends the attempt's start
-- or end. Attempts whose cost nobody knows are counted in `unpriced` and are in no sum of money.
CREATE TABLE spending (
  day INTEGER NOT NULL,
  tenant_id TEXT NOT NULL,
  owner_id TEXT NOT NULL,
  tokens INTEGER NOT NULL,
  usd_micro INTEGER NOT NULL,
  unpriced INTEGER NOT NULL,
  PRIMARY KEY (day, tenant_id, owner_id)
) STRICT, WITHOUT ROWID;

-- down

DROP TABLE spending;
