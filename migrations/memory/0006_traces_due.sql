-- Debates whose replay files are not what the database says: they have ended, or were deleted.
-- min_reader_version: 1

-- up

-- A row is written in the transaction that makes the files stale, and goes when they are on disk.
-- `changed_in` is the number that `commits` had before the transaction that wrote the row: files made
-- of what stood there before a second change do not take its row away.
CREATE TABLE traces_due (
  debate_id TEXT NOT NULL PRIMARY KEY,
  changed_in INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER debates_trace_ended AFTER UPDATE OF status ON debates
  WHEN old.status IN ('pending', 'running') AND new.status NOT IN ('pending', 'running')
BEGIN
  INSERT INTO traces_due (debate_id, changed_in) VALUES (new.id, (SELECT number FROM commits))
    ON CONFLICT (debate_id) DO UPDATE SET changed_in = excluded.changed_in;
END;

CREATE TRIGGER debates_trace_deleted AFTER DELETE ON debates BEGIN
  INSERT INTO traces_due (debate_id, changed_in) VALUES (old.id, (SELECT number FROM commits))
    ON CONFLICT (debate_id) DO UPDATE SET changed_in = excluded.changed_in;
END;

-- down

DROP TRIGGER debates_trace_deleted;
DROP TRIGGER debates_trace_ended;
DROP TABLE traces_due;
