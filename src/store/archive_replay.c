#include "store/archive_replay.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>

/* A transaction takes at most this much more than one commit. */
enum { TRANSACTION_BYTES = 64 << 20, CACHE_KIB = 65536 };

/* --- where it cannot go --------------------------------------------------------------------- */

static void format_moment(int64_t ms, char out[CLOCK_ISO_SIZE]) {
  if (ms < 0)
    snprintf(out, CLOCK_ISO_SIZE, "(none known)");
  else
    clock_format_iso(ms, out);
}

static enum status refuse(const struct archive_reach *reach, int64_t until_ms, struct error *err) {
  char until[CLOCK_ISO_SIZE], before[CLOCK_ISO_SIZE], after[CLOCK_ISO_SIZE];
  format_moment(until_ms, until);
  format_moment(reach->before_ms, before);
  format_moment(reach->after_ms, after);
  if (reach->before_ms < 0 && reach->from_ms > until_ms)
    return error_set(err, STATUS_CONFLICT, NULL,
                     "%s is before this backup, which is of %s: take an earlier one", until, after);
  return error_set(err, STATUS_CONFLICT, NULL,
                   "%s cannot be reached from this backup: the nearest moments are %s and, from a "
                   "later backup, %s",
                   until, before, after);
}

/* --- applying ------------------------------------------------------------------------------- */

struct applier {
  sqlite3 *db;
  const char *problem; /* what did not fit */
  char table[64];
};

static int table_is_known(void *ctx, const char *table) {
  struct applier *a = ctx;
  if (sqlite3_table_column_metadata(a->db, "main", table, NULL, NULL, NULL, NULL, NULL, NULL) ==
      SQLITE_OK)
    return 1;
  a->problem = "there is no such table";
  snprintf(a->table, sizeof a->table, "%s", table);
  return 0;
}

static const char *conflict_text(int conflict) {
  switch (conflict) {
    case SQLITE_CHANGESET_NOTFOUND: return "a row is missing";
    case SQLITE_CHANGESET_CONFLICT: return "a row is already there";
    case SQLITE_CHANGESET_CONSTRAINT: return "a row breaks a rule";
    default: return "a row is another";
  }
}

static int on_conflict(void *ctx, int conflict, sqlite3_changeset_iter *iter) {
  struct applier *a = ctx;
  const char *table = "?";
  int columns, operation, indirect;
  sqlite3changeset_op(iter, &table, &columns, &operation, &indirect);
  a->problem = conflict_text(conflict);
  snprintf(a->table, sizeof a->table, "%s", table);
  return SQLITE_CHANGESET_ABORT;
}

static enum status apply(struct applier *a, const struct segment_record *record,
                         struct error *err) {
  int64_t number;
  int rc = sqlite3changeset_apply(a->db, (int)record->changes.len, (void *)record->changes.ptr,
                                  table_is_known, on_conflict, a);
  if (a->problem)
    return error_set(err, STATUS_CORRUPT, NULL,
                     "commit %" PRIu64 " does not fit this backup: in %s, %s", record->number,
                     a->table, a->problem);
  if (rc == SQLITE_CORRUPT)
    return error_set(err, STATUS_CORRUPT, NULL, "commit %" PRIu64 " of the archive is damaged",
                     record->number);
  if (rc != SQLITE_OK) return sqlite_error(a->db, rc, err);
  enum status status =
      sqlite_get_int(a->db, "SELECT number FROM commits WHERE id = 1", -1, &number, err);
  if (status || (uint64_t)number == record->number) return status;
  return error_set(err, STATUS_CORRUPT, NULL,
                   "commit %" PRIu64 " of the archive has brought the database to %" PRId64,
                   record->number, number);
}

/* Commits every now and then, so that the log of a long replay stays small. */
static enum status apply_all(struct applier *a, struct archive_walk *walk, uint64_t last,
                             struct error *err) {
  size_t bytes = 0;
  for (uint64_t at = (uint64_t)walk->from.number; at < last;) {
    struct segment_record record;
    enum status status = archive_walk_next(walk, &record, err);
    if (status == STATUS_NOT_FOUND)
      return error_set(err, STATUS_CORRUPT, NULL, "the archive changed while it was read");
    if (!status && bytes == 0) status = sqlite_run(a->db, "BEGIN IMMEDIATE", err);
    if (!status) status = apply(a, &record, err);
    if (status) return status;
    at = record.number;
    bytes += record.changes.len + 1;
    if (bytes < TRANSACTION_BYTES && at < last) continue;
    status = sqlite_run(a->db, "COMMIT", err);
    if (status) return status;
    bytes = 0;
  }
  return STATUS_OK;
}

/* The commits were checked when they were made, and what triggers did then is among their changes:
 * neither may happen again. */
static enum status prepare(sqlite3 *db, struct error *err) {
  char sql[64];
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, 0, NULL);
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
  snprintf(sql, sizeof sql, "PRAGMA cache_size = -%d", CACHE_KIB);
  return sqlite_run(db, sql, err);
}

static enum status replay(sqlite3 *db, const char *dir, const struct archive_reach *reach,
                          struct error *err) {
  struct applier applier = {.db = db};
  struct archive_walk walk;
  enum status status = prepare(db, err);
  if (!status) status = archive_walk_start(dir, &reach->from, &walk, err);
  if (status) return status;
  status = apply_all(&applier, &walk, reach->last_number, err);
  archive_walk_stop(&walk);
  if (!sqlite3_get_autocommit(db)) sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
  return status ? status : sqlite_run(db, "PRAGMA wal_checkpoint(TRUNCATE)", err);
}

enum status archive_replay(const char *dir, const char *db_path, int64_t until_ms,
                           struct archive_replayed *ret, struct error *err) {
  struct archive_reach reach;
  sqlite3 *db;
  enum status status = archive_find_reach(dir, db_path, until_ms, &reach, err);
  if (!status && !reach.reached) status = refuse(&reach, until_ms, err);
  if (!status) status = sqlite_open(db_path, SQLITE_OPEN_READWRITE, 0, &db, err);
  if (status) return status;
  status = replay(db, dir, &reach, err);
  sqlite_close(db);
  if (status) return status;
  *ret = (struct archive_replayed){
      .first = (uint64_t)reach.from.number + (reach.count > 0),
      .last = reach.last_number,
      .last_ms = reach.last_ms,
      .count = reach.count,
      .torn = reach.torn,
  };
  return STATUS_OK;
}
