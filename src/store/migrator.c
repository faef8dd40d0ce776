#include "store/migrator.h"

#include "store/copy.h"
#include "store/database.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct migrator {
  const struct schema *schema;
  sqlite3 *db;
  struct schema_state state;
  char path[];
};

/* ---- looking ---- */

static void add_known(struct migrator_state *state, const struct schema *schema) {
  for (size_t i = 0; i < *schema->count; i++) {
    const struct migration *m = &schema->migrations[i];
    struct migrator_entry *e = &state->entries[state->count++];
    *e = (struct migrator_entry){m->version, m->min_reader_version, -1, true, ""};
    snprintf(e->name, sizeof e->name, "%s", m->name);
  }
}

static void add_applied(struct migrator_state *state, sqlite3_stmt *row) {
  int64_t version = sqlite3_column_int64(row, 0);
  bool known = version <= state->latest;
  const char *name = (const char *)sqlite3_column_text(row, 1);
  struct migrator_entry *e = &state->entries[known ? version - 1 : (int64_t)state->count++];
  e->version = version;
  e->min_reader_version = sqlite3_column_int64(row, 2);
  e->applied_ms = sqlite3_column_int64(row, 3);
  e->known = known;
  snprintf(e->name, sizeof e->name, "%s", name ? name : "?");
}

static enum status read_applied(sqlite3 *db, struct migrator_state *state, struct error *err) {
  sqlite3_stmt *rows;
  enum status status = sqlite_prepare(db,
                                      "SELECT version, name, min_reader_version, applied_ms"
                                      " FROM _aragora_migrations ORDER BY version",
                                      &rows, err);
  if (status) return status;
  int rc;
  while ((rc = sqlite3_step(rows)) == SQLITE_ROW) add_applied(state, rows);
  if (rc != SQLITE_DONE) status = sqlite_error(db, rc, err);
  sqlite3_finalize(rows);
  return status;
}

static enum status make_entries(sqlite3 *db, const struct schema *schema,
                                struct migrator_state *state, struct error *err) {
  int64_t applied = 0;
  enum status status = STATUS_OK;
  if (state->version)
    status = sqlite_get_int(db, "SELECT count(*) FROM _aragora_migrations", 0, &applied, err);
  if (status) return status;
  state->entries = calloc((size_t)(state->latest + applied) + 1, sizeof *state->entries);
  if (!state->entries) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  add_known(state, schema);
  return state->version ? read_applied(db, state, err) : STATUS_OK;
}

static enum status look(sqlite3 *db, const struct schema *schema, const char *path,
                        struct migrator_state *state, struct error *err) {
  struct schema_state s = {0};
  enum status status = db ? sqlite_run(db, "BEGIN", err) : STATUS_OK; /* one view for all */
  if (!status && db) status = schema_read(db, schema, path, &s, err);
  state->version = s.version;
  state->needs = s.needs;
  state->back_to = s.back_to;
  return status ? status : make_entries(db, schema, state, err);
}

enum status migrator_look(enum database database, const char *path, int64_t timeout_ms,
                          struct migrator_state *ret_state, struct error *err) {
  const struct schema *schema = schema_of(database);
  struct migrator_state state = {.latest = (int64_t)*schema->count};
  sqlite3 *db = NULL;
  enum status status = database_open_any(path, schema, SQLITE_OPEN_READONLY, timeout_ms, &db, err);
  state.exists = status != STATUS_NOT_FOUND;
  if (!status || !state.exists) status = look(db, schema, path, &state, err);
  sqlite_close(db);
  if (status)
    migrator_state_done(&state);
  else
    *ret_state = state;
  return status;
}

void migrator_state_done(struct migrator_state *state) {
  free(state->entries);
  *state = (struct migrator_state){0};
}

/* ---- changing ---- */

/* In exclusive mode the first write takes the file's lock and keeps it until the connection is
 * closed (sqlite.org/pragma.html#pragma_locking_mode): every other connection holds a shared one
 * for as long as it is open (write-ahead log). */
static enum status lock(struct migrator *m, struct error *err) {
  enum status status =
      sqlite_run(m->db, "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT", err);
  if (status != STATUS_TIMEOUT) return status;
  return error_set(err, status, NULL,
                   "%s: another program has it open (aragora, sqlite3, a backup); end that first",
                   m->path);
}

static enum status open_file(struct migrator *m, int64_t timeout_ms, struct error *err) {
  const struct schema *schema = m->schema;
  enum status status =
      database_open_any(m->path, schema, SQLITE_OPEN_READWRITE, timeout_ms, &m->db, err);
  if (status == STATUS_NOT_FOUND) status = database_open(m->path, schema, timeout_ms, &m->db, err);
  /* Whatever may refuse it comes before what changes it. */
  if (!status) status = schema_read(m->db, schema, m->path, &m->state, err);
  if (!status) status = database_configure(m->db, m->path, err);
  if (!status) status = lock(m, err);
  return status ? status : schema_read(m->db, schema, m->path, &m->state, err);
}

enum status migrator_open(enum database database, const char *path, int64_t timeout_ms,
                          struct migrator **ret_migrator, struct error *err) {
  struct migrator *m = calloc(1, sizeof *m + strlen(path) + 1);
  if (!m) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  m->schema = schema_of(database);
  memcpy(m->path, path, strlen(path) + 1);
  enum status status = open_file(m, timeout_ms, err);
  if (status)
    migrator_close(m);
  else
    *ret_migrator = m;
  return status;
}

void migrator_close(struct migrator *m) {
  if (!m) return;
  sqlite_close(m->db);
  free(m);
}

int64_t migrator_version(const struct migrator *m) {
  return m->state.version;
}

enum status migrator_copy(struct migrator *m, const char *path, int64_t *ret_bytes,
                          struct error *err) {
  return copy_make(m->db, path, ret_bytes, err);
}

static enum status refresh(struct migrator *m, enum status status, struct error *err) {
  return status ? status : schema_read(m->db, m->schema, m->path, &m->state, err);
}

enum status migrator_apply(struct migrator *m, int64_t to, struct error *err) {
  enum status status = m->state.version ? schema_apply(m->db, m->schema, m->state.version, err)
                                        : schema_create(m->db, m->schema, to, err);
  return refresh(m, status, err);
}

enum status migrator_undo(struct migrator *m, struct error *err) {
  return refresh(m, schema_undo(m->db, m->schema, m->state.version, err), err);
}
