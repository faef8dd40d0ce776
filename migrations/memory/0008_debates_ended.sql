-- The order in which debates ended: what is made of them one after the other is made in this order.
-- min_reader_version: 1

-- up

-- A row is written in the transaction that ends the debate, and stays when the debate is deleted.
-- Numbers grow by one.
CREATE TABLE debates_ended (
  number INTEGER PRIMARY KEY,
  debate_id TEXT NOT NULL
) STRICT;

INSERT INTO debates_ended (debate_id)
  SELECT id FROM debates WHERE status NOT IN ('pending', 'running') ORDER BY completed_ms, id;

CREATE TRIGGER debates_ended_note AFTER UPDATE OF status ON debates
  WHEN old.status IN ('pending', 'running') AND new.status NOT IN ('pending', 'running')
BEGIN
  INSERT INTO debates_ended (debate_id) VALUES (new.id);
END;

-- down

DROP TRIGGER debates_ended_note;
DROP TABLE debates_ended;
