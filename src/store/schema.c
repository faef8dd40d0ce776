#include "store/schema.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>

/* "Amem" and "Aelo". */
const struct schema schema_memory = {"debate", 0x416d656d, migrations_memory,
                                     &migrations_memory_count};
const struct schema schema_elo = {"ratings", 0x41656c6f, migrations_elo, &migrations_elo_count};

/* 0 where there is no table of migrations; otherwise 1. */
static enum status is_migrated(sqlite3 *db, int64_t *ret_yes, struct error *err) {
  return sqlite_get_int(db,
                        "SELECT count(*) FROM sqlite_schema WHERE type = 'table'"
                        " AND name = '_aragora_migrations'",
                        0, ret_yes, err);
}

/* A dump that was read back has lost its application id; the table of migrations is proof enough.
 */
static enum status check_owner(sqlite3 *db, const struct schema *schema, const char *path,
                               int64_t migrated, struct error *err) {
  int64_t id, tables;
  enum status status = sqlite_get_int(db, "PRAGMA application_id", 0, &id, err);
  if (!status) status = sqlite_get_int(db, "SELECT count(*) FROM sqlite_schema", 0, &tables, err);
  if (status) return status;
  if (id == schema->application_id) return STATUS_OK;
  if (id == 0 && (migrated || tables == 0)) return STATUS_OK;
  return error_set(err, STATUS_CORRUPT, NULL,
                   "%s: is not an Aragora %s database (application id %" PRId64 ")", path,
                   schema->what, id);
}

static enum status check_applied(sqlite3_stmt *row, const struct schema *schema, const char *path,
                                 struct error *err) {
  int64_t version = sqlite3_column_int64(row, 0), min_reader = sqlite3_column_int64(row, 1);
  const char *checksum = (const char *)sqlite3_column_text(row, 2);
  int64_t ours = (int64_t)*schema->count;
  if (min_reader > ours)
    return error_set(err, STATUS_UNSUPPORTED, NULL,
                     "%s: was made by a newer version: its schema %" PRId64
                     " needs a program of schema %" PRId64 ", this one has %" PRId64
                     "; start the newer version again",
                     path, version, min_reader, ours);
  if (version < 1 || !checksum ||
      (version <= ours && strcmp(checksum, schema->migrations[version - 1].checksum) != 0))
    return error_set(err, STATUS_UNSUPPORTED, NULL,
                     "%s: migration %" PRId64 " of this %s database is not the one of this program",
                     path, version, schema->what);
  return STATUS_OK;
}

enum status schema_check(sqlite3 *db, const struct schema *schema, const char *path,
                         struct error *err) {
  int64_t migrated;
  enum status status = is_migrated(db, &migrated, err);
  if (!status) status = check_owner(db, schema, path, migrated, err);
  if (status || !migrated) return status;
  sqlite3_stmt *rows;
  status = sqlite_prepare(db,
                          "SELECT version, min_reader_version, checksum FROM _aragora_migrations"
                          " ORDER BY version",
                          &rows, err);
  if (status) return status;
  int rc;
  while (!status && (rc = sqlite3_step(rows)) != SQLITE_DONE)
    status = rc == SQLITE_ROW ? check_applied(rows, schema, path, err) : sqlite_error(db, rc, err);
  sqlite3_finalize(rows);
  return status;
}

/* What every transaction of schema_migrate leaves besides the migration itself. */
static enum status record(sqlite3 *db, const struct schema *schema, const struct migration *m,
                          struct error *err) {
  char sql[768];
  snprintf(sql, sizeof sql,
           "INSERT INTO _aragora_migrations"
           " (version, name, checksum, min_reader_version, applied_ms)"
           " VALUES (%" PRId64 ", '%s', '%s', %" PRId64 ", %" PRId64
           ");"
           "PRAGMA application_id = %" PRId64 "; PRAGMA user_version = %" PRId64,
           m->version, m->name, m->checksum, m->min_reader_version, clock_wall_ms(&clock_system),
           schema->application_id, m->version);
  return sqlite_run(db, sql, err);
}

static enum status apply(sqlite3 *db, const struct schema *schema, const struct migration *m,
                         struct error *err) {
  enum status status =
      sqlite_run(db,
                 "BEGIN IMMEDIATE;"
                 "CREATE TABLE IF NOT EXISTS _aragora_migrations ("
                 " version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL,"
                 " min_reader_version INTEGER NOT NULL, applied_ms INTEGER NOT NULL) STRICT",
                 err);
  if (!status) status = sqlite_run(db, m->up, err);
  if (!status) status = record(db, schema, m, err);
  if (!status) status = sqlite_run(db, "COMMIT", err);
  if (status && !sqlite3_get_autocommit(db)) sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
  return status;
}

enum status schema_migrate(sqlite3 *db, const struct schema *schema, struct error *err) {
  int64_t migrated, version = 0;
  enum status status = is_migrated(db, &migrated, err);
  if (!status && migrated)
    status = sqlite_get_int(db, "SELECT max(version) FROM _aragora_migrations", 0, &version, err);
  for (size_t i = (size_t)version; !status && i < *schema->count; i++)
    status = apply(db, schema, &schema->migrations[i], err);
  return status;
}
