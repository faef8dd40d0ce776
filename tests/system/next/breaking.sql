-- What a next release may bring that this one cannot live with: it would not find the table.
-- min_reader_version: @NUMBER@

-- up

ALTER TABLE debates RENAME TO next_debates;

-- down

ALTER TABLE next_debates RENAME TO debates;
