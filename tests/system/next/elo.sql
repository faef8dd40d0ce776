-- A column more in the ratings.
-- min_reader_version: 1

-- up

ALTER TABLE standings ADD COLUMN next_peak_milli INTEGER;

-- down

ALTER TABLE standings DROP COLUMN next_peak_milli;
