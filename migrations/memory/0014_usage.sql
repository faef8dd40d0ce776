-- What everybody used, by day, and how many debates a plan still has.
-- min_reader_version: 1

-- up

-- `day` counts UTC days from 1970-01-01. Debates are counted in the row of provider '' and model ''.
-- Calls have ended, so that no reserve is in here; `unpriced` are those whose cost nobody knows.
CREATE TABLE usage (
  tenant_id TEXT NOT NULL,
  owner_id TEXT NOT NULL,
  day INTEGER NOT NULL,
  key_id TEXT NOT NULL,
  provider TEXT NOT NULL,
  model TEXT NOT NULL,
  debates INTEGER NOT NULL,
  turns INTEGER NOT NULL,
  calls INTEGER NOT NULL,
  tokens INTEGER NOT NULL,
  tokens_in INTEGER NOT NULL,
  tokens_out INTEGER NOT NULL,
  usd_micro INTEGER NOT NULL,
  unpriced INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, owner_id, day, key_id, provider, model)
) STRICT, WITHOUT ROWID;

-- Debates that were started in a month (12 * years since 1970 + month from 0), deleted ones too:
-- raised in the transaction that inserts the debate, or it is refused.
CREATE TABLE quotas (
  tenant_id TEXT NOT NULL,
  month INTEGER NOT NULL,
  debates INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, month)
) STRICT, WITHOUT ROWID;

-- down

DROP TABLE quotas;
DROP TABLE usage;
