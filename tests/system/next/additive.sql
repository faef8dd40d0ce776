-- What a next release may bring that this one can live with.
-- min_reader_version: 1

-- up

CREATE TABLE next_notes (
  debate INTEGER NOT NULL PRIMARY KEY,
  note TEXT NOT NULL
) STRICT;
INSERT INTO next_notes (debate, note) SELECT num, 'was ' || status FROM debates;
CREATE INDEX next_events ON events (type, debate, seq);

-- down

DROP INDEX next_events;
DROP TABLE next_notes;
