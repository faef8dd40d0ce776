-- A column more in the ratings.
-- min_reader_version: 1

-- up

ALTER TABLE ratings ADD COLUMN next_peak_milli INTEGER;

-- down

ALTER TABLE ratings DROP COLUMN next_peak_milli;
