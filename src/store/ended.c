/* The debates in the order in which they ended, and how far the ratings are. */
#include "store/handle.h"
#include "store/inspect.h"
#include "store/ratings.h"

#include "base/id.h"

static enum status walk(struct reader *reader, int64_t after, size_t limit, store_ended_fn *each,
                        void *ctx, struct error *err) {
  sqlite3_stmt *s;
  enum status status =
      reader_prepare(reader, READER_ENDED,
                     "SELECT number, debate_id FROM debates_ended WHERE number > ?1"
                     " ORDER BY number LIMIT ?2",
                     &s, err);
  if (status) return status;
  sqlite3_bind_int64(s, 1, after);
  sqlite3_bind_int64(s, 2, (int64_t)limit);
  int rc;
  while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
    const struct store_ended ended = {sqlite3_column_int64(s, 0),
                                      (const char *)sqlite3_column_text(s, 1)};
    if (ended.debate_id) each(ctx, &ended);
  }
  if (rc != SQLITE_DONE) status = sqlite_error(reader->db, rc, err);
  sqlite3_reset(s);
  return status;
}

enum status store_read_ended(struct store *store, int64_t after, size_t limit, store_ended_fn *each,
                             void *ctx, struct error *err) {
  struct reader *reader;
  enum status status = reader_take(store->readers, &reader, err);
  if (status) return status;
  status = walk(reader, after, limit, each, ctx, err);
  reader_give(store->readers, reader);
  return status;
}

/* ---- how far ---- */

struct last_match {
  int64_t number;
  char debate_id[ID_DEBATE_MAX + 1];
};

static void copy_id(char out[ID_DEBATE_MAX + 1], sqlite3_stmt *s, int column) {
  const char *id = (const char *)sqlite3_column_text(s, column);
  size_t len = id ? strlen(id) : 0;
  if (len > ID_DEBATE_MAX) len = ID_DEBATE_MAX;
  if (len) memcpy(out, id, len);
  out[len] = '\0';
}

static const char last_sql[] = "SELECT number, debate_id FROM matches ORDER BY number DESC LIMIT 1";
static const char ended_at_sql[] = "SELECT debate_id = ?2 FROM debates_ended WHERE number = ?1";

static enum status read_last(sqlite3 *db, sqlite3_stmt *s, struct last_match *last,
                             struct error *err) {
  enum status status = STATUS_OK;
  int rc = sqlite3_step(s);
  if (rc == SQLITE_ROW) {
    last->number = sqlite3_column_int64(s, 0);
    copy_id(last->debate_id, s, 1);
  } else if (rc != SQLITE_DONE) {
    status = sqlite_error(db, rc, err);
  }
  sqlite3_reset(s);
  return status;
}

static enum status check_last(sqlite3 *db, sqlite3_stmt *s, const struct last_match *last,
                              struct error *err) {
  enum status status = STATUS_OK;
  sqlite3_bind_int64(s, 1, last->number);
  sqlite3_bind_text(s, 2, last->debate_id, -1, SQLITE_STATIC);
  int rc = sqlite3_step(s);
  bool same = rc == SQLITE_ROW && sqlite3_column_int(s, 0);
  if (rc != SQLITE_ROW && rc != SQLITE_DONE)
    status = sqlite_error(db, rc, err);
  else if (!same)
    status = error_set(err, STATUS_CONFLICT, NULL,
                       "the ratings have debate %s as number %lld of those that ended, the "
                       "database of debates has not: they are not of one time",
                       last->debate_id, (long long)last->number);
  sqlite3_reset(s);
  return status;
}

enum status store_rated_through(struct store *store, int64_t *ret_number, struct error *err) {
  struct last_match last = {0};
  struct reader *reader;
  sqlite3_stmt *s;
  enum status status = reader_take(store->elo_readers, &reader, err);
  if (status) return status;
  status = reader_prepare(reader, READER_RATED_THROUGH, last_sql, &s, err);
  if (!status) status = read_last(reader->db, s, &last, err);
  reader_give(store->elo_readers, reader);
  if (status || !last.number) {
    if (!status) *ret_number = 0;
    return status;
  }
  status = reader_take(store->readers, &reader, err);
  if (status) return status;
  status = reader_prepare(reader, READER_ENDED_AT, ended_at_sql, &s, err);
  if (!status) status = check_last(reader->db, s, &last, err);
  reader_give(store->readers, reader);
  if (!status) *ret_number = last.number;
  return status;
}

enum status inspect_ratings(struct inspect *memory, struct inspect *elo, struct error *err) {
  struct last_match last = {0};
  sqlite3_stmt *s;
  sqlite3 *db = inspect_connection(elo);
  enum status status = sqlite_prepare(db, last_sql, &s, err);
  if (status) return status;
  status = read_last(db, s, &last, err);
  sqlite3_finalize(s);
  if (status || !last.number) return status;
  db = inspect_connection(memory);
  status = sqlite_prepare(db, ended_at_sql, &s, err);
  if (status) return status;
  status = check_last(db, s, &last, err);
  sqlite3_finalize(s);
  return status;
}

void store_on_end(struct store *store, store_wake_fn *wake, void *ctx) {
  writer_listen(store->writer, WRITER_RATER, wake, ctx);
}
