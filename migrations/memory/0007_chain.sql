-- Where a database stands in the archive of its changes: in which chain, beside the number.
-- min_reader_version: 1

-- up

-- '' in a database that was restored, or never archived: a new chain begins then. The update writes
-- the row anew, with the column in it: a hook that sees it before sees no default.
ALTER TABLE commits ADD COLUMN chain TEXT NOT NULL DEFAULT '';
UPDATE commits SET chain = '';

-- down

ALTER TABLE commits DROP COLUMN chain;
