-- Batches of debates that wait to be started.
-- min_reader_version: 1

-- up

CREATE TABLE batches (
  id TEXT NOT NULL PRIMARY KEY,
  tenant_id TEXT NOT NULL,
  owner_id TEXT NOT NULL CHECK (owner_id <> ''),
  max_parallel INTEGER NOT NULL CHECK (max_parallel > 0),
  items INTEGER NOT NULL CHECK (items > 0),
  created_ms INTEGER NOT NULL,
  cancelled_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX batches_by_owner ON batches (tenant_id, owner_id, created_ms, id);

-- `request` is the body of a start, and '' from then on: the transaction that inserts the debate puts
-- its id here, or fails when there is one already, so that no item is ever started twice. `error` is
-- why an item could not be started.
CREATE TABLE batch_items (
  batch_id TEXT NOT NULL,
  item INTEGER NOT NULL,
  request TEXT NOT NULL,
  debate_id TEXT,
  error TEXT,
  PRIMARY KEY (batch_id, item)
) STRICT, WITHOUT ROWID;
CREATE INDEX batch_items_waiting ON batch_items (batch_id, item)
  WHERE debate_id IS NULL AND error IS NULL;

-- down

DROP TABLE batch_items;
DROP TABLE batches;
