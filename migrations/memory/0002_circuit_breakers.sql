-- How the circuit breakers stand, so that a restart does not forget that one is open.
-- min_reader_version: 1

-- up

-- One row a service: provider, model and the name of the key's variable, never a key. Times are
-- Unix milliseconds, -1 = never. `changed_in` is the number that `commits` had before the
-- transaction that wrote the row: it tells which rows are the oldest, whatever clocks do.
CREATE TABLE circuit_breakers (
  name TEXT NOT NULL PRIMARY KEY,
  state INTEGER NOT NULL,
  failures INTEGER NOT NULL,
  cooldown_ms INTEGER NOT NULL,
  opened_ms INTEGER NOT NULL,
  cooling_until_ms INTEGER NOT NULL,
  last_failure_ms INTEGER NOT NULL,
  last_success_ms INTEGER NOT NULL,
  misconfigured TEXT NOT NULL,
  changed_in INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- down

DROP TABLE circuit_breakers;
