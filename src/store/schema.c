#include "store/schema.h"

#include "base/clock.h"
#include "base/sha256.h"

#include <inttypes.h>
#include <stdio.h>

/* "Amem" and "Aelo". */
const struct schema schema_memory = {
    "debate", 0x416d656d, migrations_memory, &migrations_memory_count, "memory", "--db-path", true};
const struct schema schema_elo = {"ratings",      0x41656c6f,
                                  migrations_elo, &migrations_elo_count,
                                  "elo",          "--database elo --elo-path",
                                  false};

const struct schema *schema_of(enum database database) {
  return database == DATABASE_ELO ? &schema_elo : &schema_memory;
}

const char *databases_name(enum database database) {
  return schema_of(database)->name;
}

/* ---- where it stands ---- */

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

static enum status take_applied(sqlite3_stmt *row, const struct schema *schema, const char *path,
                                struct schema_state *state, struct error *err) {
  int64_t version = sqlite3_column_int64(row, 0), min_reader = sqlite3_column_int64(row, 1);
  const char *checksum = (const char *)sqlite3_column_text(row, 2);
  int64_t ours = (int64_t)*schema->count;
  if (version < 1 || !checksum ||
      (version <= ours && strcmp(checksum, schema->migrations[version - 1].checksum) != 0))
    return error_set(err, STATUS_UNSUPPORTED, NULL,
                     "%s: migration %" PRId64 " of this %s database is not the one of this program",
                     path, version, schema->what);
  state->version = version;
  if (min_reader > state->needs) state->needs = min_reader;
  if (state->needs <= ours) state->back_to = version;
  return STATUS_OK;
}

enum status schema_read(sqlite3 *db, const struct schema *schema, const char *path,
                        struct schema_state *ret_state, struct error *err) {
  struct schema_state state = {0};
  int64_t migrated;
  enum status status = is_migrated(db, &migrated, err);
  if (!status) status = check_owner(db, schema, path, migrated, err);
  if (!status && !migrated) *ret_state = state;
  if (status || !migrated) return status;
  sqlite3_stmt *rows;
  status = sqlite_prepare(db,
                          "SELECT version, min_reader_version, checksum FROM _aragora_migrations"
                          " ORDER BY version",
                          &rows, err);
  if (status) return status;
  int rc;
  while (!status && (rc = sqlite3_step(rows)) != SQLITE_DONE)
    status = rc == SQLITE_ROW ? take_applied(rows, schema, path, &state, err)
                              : sqlite_error(db, rc, err);
  sqlite3_finalize(rows);
  if (!status) *ret_state = state;
  return status;
}

enum status schema_check(sqlite3 *db, const struct schema *schema, const char *path,
                         struct error *err) {
  struct schema_state state;
  int64_t ours = (int64_t)*schema->count;
  enum status status = schema_read(db, schema, path, &state, err);
  if (status || state.needs <= ours) return status;
  /* The first migration is the database: undoing it would leave nothing. */
  if (state.back_to < 1 || state.back_to == state.version)
    return error_set(err, STATUS_UNSUPPORTED, NULL,
                     "%s: was made by a newer version: it needs a program of schema %" PRId64
                     ", this one has %" PRId64 "; start the newer version again",
                     path, state.needs, ours);
  return error_set(err, STATUS_UNSUPPORTED, NULL,
                   "%s: was made by a newer version (schema %" PRId64 ", this one has %" PRId64
                   "): start that again, or run: aragora migrate rollback --to %" PRId64 " %s %s",
                   path, state.version, ours, state.back_to, schema->undo_flags, path);
}

/* ---- scripts ---- */

/* What a migration may not do: end its transaction, reach for other files, change how the database
 * is written. A script that a newer program left is as trustworthy as the file it lies in. */
static int allow(void *ctx, int action, const char *a, const char *b, const char *database,
                 const char *trigger) {
  switch (action) {
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
    case SQLITE_PRAGMA:
    case SQLITE_SAVEPOINT:
    case SQLITE_TRANSACTION: return SQLITE_DENY;
    default: return SQLITE_OK;
  }
}

static enum status run_script(sqlite3 *db, const char *script, int64_t version, struct error *err) {
  sqlite3_set_authorizer(db, allow, NULL);
  int rc = sqlite3_exec(db, script, NULL, NULL, NULL);
  sqlite3_set_authorizer(db, NULL, NULL);
  if (rc == SQLITE_OK) return STATUS_OK;
  const char *path = sqlite3_db_filename(db, "main");
  return error_set(err, sqlite_status(rc), NULL, "%s: migration %" PRId64 ": %s",
                   path ? path : "database", version, sqlite3_errmsg(db));
}

/* Foreign keys are not enforced while a script runs, since a table that is replaced by a new one
 * would take its rows' children along (sqlite.org/lang_altertable.html section 7). */
static enum status check_references(sqlite3 *db, int64_t version, struct error *err) {
  int64_t wrong;
  enum status status =
      sqlite_get_int(db, "SELECT count(*) FROM pragma_foreign_key_check", 0, &wrong, err);
  if (status || wrong == 0) return status;
  return error_set(err, STATUS_CONFLICT, NULL,
                   "migration %" PRId64 " would leave %" PRId64 " rows that refer to none", version,
                   wrong);
}

/* ---- up ---- */

static enum status make_table(sqlite3 *db, struct error *err) {
  int64_t columns = 0;
  enum status status =
      sqlite_run(db,
                 "CREATE TABLE IF NOT EXISTS _aragora_migrations ("
                 " version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL,"
                 " min_reader_version INTEGER NOT NULL, applied_ms INTEGER NOT NULL,"
                 " down TEXT, down_checksum TEXT) STRICT",
                 err);
  if (!status)
    status = sqlite_get_int(db,
                            "SELECT count(*) FROM pragma_table_info('_aragora_migrations')"
                            " WHERE name = 'down'",
                            0, &columns, err);
  if (status || columns) return status;
  return sqlite_run(db,
                    "ALTER TABLE _aragora_migrations ADD COLUMN down TEXT;"
                    "ALTER TABLE _aragora_migrations ADD COLUMN down_checksum TEXT",
                    err);
}

static void checksum_of(const char *text, char out[2 * SHA256_SIZE + 1]) {
  uint8_t hash[SHA256_SIZE];
  sha256_of(bytes_of(text), hash);
  bytes_to_hex(hash, sizeof hash, out);
}

static enum status insert_row(sqlite3 *db, const struct migration *m, struct error *err) {
  char down_checksum[2 * SHA256_SIZE + 1];
  sqlite3_stmt *s;
  enum status status = sqlite_prepare(db,
                                      "INSERT INTO _aragora_migrations (version, name, checksum,"
                                      " min_reader_version, applied_ms, down, down_checksum)"
                                      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                                      &s, err);
  if (status) return status;
  checksum_of(m->down, down_checksum);
  sqlite3_bind_int64(s, 1, m->version);
  sqlite3_bind_text(s, 2, m->name, -1, SQLITE_STATIC);
  sqlite3_bind_text(s, 3, m->checksum, -1, SQLITE_STATIC);
  sqlite3_bind_int64(s, 4, m->min_reader_version);
  sqlite3_bind_int64(s, 5, clock_wall_ms(&clock_system));
  sqlite3_bind_text(s, 6, m->down, -1, SQLITE_STATIC);
  sqlite3_bind_text(s, 7, down_checksum, -1, SQLITE_STATIC);
  int rc = sqlite3_step(s);
  if (rc != SQLITE_DONE) status = sqlite_error(db, rc, err);
  sqlite3_finalize(s);
  return status;
}

static enum status set_version(sqlite3 *db, const struct schema *schema, int64_t version,
                               struct error *err) {
  char sql[128];
  snprintf(sql, sizeof sql, "PRAGMA application_id = %" PRId64 "; PRAGMA user_version = %" PRId64,
           schema->application_id, version);
  return sqlite_run(db, sql, err);
}

static enum status move_up(sqlite3 *db, const struct schema *schema, int64_t version,
                           struct error *err) {
  const struct migration *m = &schema->migrations[version - 1];
  enum status status = run_script(db, m->up, version, err);
  if (!status) status = insert_row(db, m, err);
  return status ? status : set_version(db, schema, version, err);
}

/* ---- down ---- */

/* The script that the program which applied it has left, for free(). */
static enum status read_script(sqlite3 *db, int64_t version, char **ret_script, struct error *err) {
  char sql[128], checksum[2 * SHA256_SIZE + 1] = "";
  sqlite3_stmt *s;
  snprintf(sql, sizeof sql,
           "SELECT down, down_checksum FROM _aragora_migrations WHERE version = %" PRId64, version);
  *ret_script = NULL;
  /* A table that the first programs made has no such columns. */
  if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK) s = NULL;
  int rc = s ? sqlite3_step(s) : SQLITE_DONE;
  const char *script = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : NULL;
  const char *expected = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 1) : NULL;
  if (script) checksum_of(script, checksum);
  enum status status = STATUS_OK;
  if (!script)
    status = error_set(err, STATUS_UNSUPPORTED, NULL,
                       "migration %" PRId64
                       " left no way back in the database: undo it with the program that made it",
                       version);
  else if (!expected || strcmp(expected, checksum) != 0)
    status =
        error_set(err, STATUS_CORRUPT, NULL,
                  "the way back from migration %" PRId64 " is damaged in the database", version);
  else if (!(*ret_script = strdup(script)))
    status = error_set(err, STATUS_NOMEM, NULL, "out of memory");
  sqlite3_finalize(s);
  return status;
}

static enum status run_down(sqlite3 *db, const struct schema *schema, int64_t version,
                            struct error *err) {
  if (version <= (int64_t)*schema->count)
    return run_script(db, schema->migrations[version - 1].down, version, err);
  FREE_LATER char *script = NULL;
  enum status status = read_script(db, version, &script, err);
  return status ? status : run_script(db, script, version, err);
}

static enum status move_down(sqlite3 *db, const struct schema *schema, int64_t version,
                             struct error *err) {
  char sql[96];
  int64_t before;
  enum status status = run_down(db, schema, version, err);
  snprintf(sql, sizeof sql, "DELETE FROM _aragora_migrations WHERE version = %" PRId64, version);
  if (!status) status = sqlite_run(db, sql, err);
  if (!status)
    status = sqlite_get_int(db, "SELECT coalesce(max(version), 0) FROM _aragora_migrations", 0,
                            &before, err);
  return status ? status : set_version(db, schema, before, err);
}

/* ---- transactions ---- */

static enum status finish(sqlite3 *db, enum status status, struct error *err) {
  if (!status) status = sqlite_run(db, "COMMIT", err);
  if (status && !sqlite3_get_autocommit(db)) sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
  return status;
}

typedef enum status move_fn(sqlite3 *db, const struct schema *schema, int64_t version,
                            struct error *err);

static enum status move(sqlite3 *db, const struct schema *schema, int64_t version, move_fn *fn,
                        struct error *err) {
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, 0, NULL);
  enum status status = sqlite_run(db, "BEGIN IMMEDIATE", err);
  if (!status) status = make_table(db, err);
  if (!status) status = fn(db, schema, version, err);
  if (!status) status = check_references(db, version, err);
  status = finish(db, status, err);
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
  return status;
}

enum status schema_apply(sqlite3 *db, const struct schema *schema, int64_t version,
                         struct error *err) {
  return move(db, schema, version + 1, move_up, err);
}

enum status schema_undo(sqlite3 *db, const struct schema *schema, int64_t version,
                        struct error *err) {
  return move(db, schema, version, move_down, err);
}

enum status schema_create(sqlite3 *db, const struct schema *schema, int64_t to, struct error *err) {
  int64_t version = 0;
  enum status status = sqlite_run(db, "BEGIN IMMEDIATE", err);
  if (!status) status = make_table(db, err);
  if (!status)
    status = sqlite_get_int(db, "SELECT max(version) FROM _aragora_migrations", 0, &version, err);
  for (int64_t i = 1; !status && version == 0 && i <= to; i++) status = move_up(db, schema, i, err);
  return finish(db, status, err);
}
