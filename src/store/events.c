#include "store/handle.h"
#include "store/tombstone.h"

static enum status get_digest(sqlite3_stmt *row, int column, uint8_t out[32]) {
  const void *blob = sqlite3_column_blob(row, column);
  if (!blob || sqlite3_column_bytes(row, column) != 32) return STATUS_CORRUPT;
  memcpy(out, blob, 32);
  return STATUS_OK;
}

enum status event_from_row(sqlite3_stmt *row, struct store_event *e) {
  *e = (struct store_event){
      .seq = (uint64_t)sqlite3_column_int64(row, 0),
      .type = (const char *)sqlite3_column_text(row, 1),
      .ts_ms = sqlite3_column_int64(row, 2),
      .round = sqlite3_column_type(row, 3) == SQLITE_NULL ? -1 : sqlite3_column_int(row, 3),
      .agent = (const char *)sqlite3_column_text(row, 4),
  };
  if (!e->type) return STATUS_NOMEM;
  enum status status = get_digest(row, 5, e->digest);
  if (!status) status = get_digest(row, 6, e->hash);
  if (!status && sqlite3_column_type(row, 8) != SQLITE_NULL) {
    status = get_digest(row, 7, e->salt);
    e->data.ptr = (const char *)sqlite3_column_text(row, 8);
    e->data.len = (size_t)sqlite3_column_bytes(row, 8);
    if (!e->data.ptr) return STATUS_NOMEM;
  }
  return status;
}

/* The number of a debate that the principal may see. */
static enum status find(struct reader *reader, const struct principal *who, const char *debate_id,
                        int64_t *ret_num, struct error *err) {
  sqlite3_stmt *s;
  enum status status =
      reader_prepare(reader, READER_FIND,
                     "SELECT num FROM debates WHERE id = ?4 AND " VISIBLE_TO_PRINCIPAL, &s, err);
  if (status) return status;
  principal_bind(s, who);
  sqlite3_bind_text(s, 4, debate_id, -1, SQLITE_STATIC);
  int rc = sqlite3_step(s);
  if (rc == SQLITE_ROW)
    *ret_num = sqlite3_column_int64(s, 0);
  else if (rc == SQLITE_DONE)
    status = error_set(err, STATUS_NOT_FOUND, NULL, "Debate not found: %.128s", debate_id);
  else
    status = sqlite_error(reader->db, rc, err);
  sqlite3_reset(s);
  return status;
}

/* `s` has its ?1. */
static enum status walk(struct reader *reader, sqlite3_stmt *s, uint64_t after, size_t limit,
                        store_event_fn *each, void *ctx, struct error *err) {
  enum status status = STATUS_OK;
  sqlite3_bind_int64(s, 2, after > INT64_MAX ? INT64_MAX : (int64_t)after);
  sqlite3_bind_int64(s, 3, limit ? (int64_t)limit : -1);
  int rc = SQLITE_DONE;
  struct store_event event;
  for (bool more = true; more && !status && (rc = sqlite3_step(s)) == SQLITE_ROW;) {
    status = event_from_row(s, &event);
    if (!status) more = each(ctx, &event);
  }
  if (status)
    error_set(err, status, NULL, "event %llu of a log cannot be read",
              (unsigned long long)event.seq);
  else if (rc != SQLITE_ROW && rc != SQLITE_DONE)
    status = sqlite_error(reader->db, rc, err);
  sqlite3_reset(s);
  return status;
}

static enum status walk_debate(struct reader *reader, int64_t num, uint64_t after, size_t limit,
                               store_event_fn *each, void *ctx, struct error *err) {
  sqlite3_stmt *s;
  enum status status = reader_prepare(reader, READER_EVENTS,
                                      "SELECT " EVENT_ROW_COLUMNS
                                      " FROM events"
                                      " WHERE debate = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
                                      &s, err);
  if (status) return status;
  sqlite3_bind_int64(s, 1, num);
  return walk(reader, s, after, limit, each, ctx, err);
}

/* The chain of a deleted debate. STATUS_NOT_FOUND, with the words of `err` as they are, when the
 * principal may see none. */
static enum status walk_tombstone(struct reader *reader, const struct principal *who,
                                  const char *debate_id, uint64_t after, size_t limit,
                                  store_event_fn *each, void *ctx, struct error *err) {
  sqlite3_stmt *s;
  enum status status = tombstone_find(reader, who, debate_id, &s, err);
  if (status) return status;
  int rc = sqlite3_step(s);
  sqlite3_reset(s);
  if (rc == SQLITE_DONE) return STATUS_NOT_FOUND;
  if (rc != SQLITE_ROW) return sqlite_error(reader->db, rc, err);
  status = reader_prepare(reader, READER_TOMBSTONE_EVENTS,
                          "SELECT seq, type, ts_ms, round, agent, digest, hash, NULL, NULL"
                          " FROM tombstone_events WHERE debate_id = ?1 AND seq > ?2"
                          " ORDER BY seq LIMIT ?3",
                          &s, err);
  if (status) return status;
  sqlite3_bind_text(s, 1, debate_id, -1, SQLITE_STATIC);
  return walk(reader, s, after, limit, each, ctx, err);
}

enum status store_read_events(struct store *store, const struct principal *who,
                              const char *debate_id, uint64_t after, size_t limit,
                              store_event_fn *each, void *ctx, struct error *err) {
  struct reader *reader;
  enum status status = reader_take(store->readers, &reader, err);
  if (status) return status;
  status = reader_begin(reader, err);
  if (!status) {
    int64_t num = 0;
    status = find(reader, who, debate_id, &num, err);
    if (!status)
      status = walk_debate(reader, num, after, limit, each, ctx, err);
    else if (status == STATUS_NOT_FOUND)
      status = walk_tombstone(reader, who, debate_id, after, limit, each, ctx, err);
    reader_end(reader);
  }
  reader_give(store->readers, reader);
  return status;
}
