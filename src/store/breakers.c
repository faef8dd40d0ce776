#include "store/handle.h"

enum status store_put_breaker(struct store *store, const struct store_breaker *breaker) {
  struct batch *batch;
  enum status status = batch_make_breaker(breaker, &batch);
  if (status) return status;
  status = writer_append(store->writer, batch);
  if (status) batch_free(batch);
  return status;
}

/* Borrows from the row. */
static enum status breaker_from_row(sqlite3_stmt *row, struct store_breaker *b) {
  *b = (struct store_breaker){
      .name = (const char *)sqlite3_column_text(row, 0),
      .state = sqlite3_column_int64(row, 1),
      .failures = sqlite3_column_int64(row, 2),
      .cooldown_ms = sqlite3_column_int64(row, 3),
      .opened_ms = sqlite3_column_int64(row, 4),
      .cooling_until_ms = sqlite3_column_int64(row, 5),
      .last_failure_ms = sqlite3_column_int64(row, 6),
      .last_success_ms = sqlite3_column_int64(row, 7),
      .misconfigured = (const char *)sqlite3_column_text(row, 8),
  };
  return b->name && b->misconfigured ? STATUS_OK : STATUS_NOMEM;
}

static enum status walk(struct reader *reader, store_breaker_fn *each, void *ctx,
                        struct error *err) {
  sqlite3_stmt *s;
  enum status status =
      reader_prepare(reader, READER_BREAKERS,
                     "SELECT name, state, failures, cooldown_ms, opened_ms, cooling_until_ms,"
                     " last_failure_ms, last_success_ms, misconfigured FROM circuit_breakers"
                     " ORDER BY changed_in DESC, name",
                     &s, err);
  if (status) return status;
  int rc = SQLITE_DONE;
  struct store_breaker breaker;
  while (!status && (rc = sqlite3_step(s)) == SQLITE_ROW) {
    status = breaker_from_row(s, &breaker);
    if (!status) each(ctx, &breaker);
  }
  if (status)
    error_set(err, status, NULL, "out of memory");
  else if (rc != SQLITE_DONE)
    status = sqlite_error(reader->db, rc, err);
  sqlite3_reset(s);
  return status;
}

enum status store_read_breakers(struct store *store, store_breaker_fn *each, void *ctx,
                                struct error *err) {
  struct reader *reader;
  enum status status = reader_take(store->readers, &reader, err);
  if (status) return status;
  status = walk(reader, each, ctx, err);
  reader_give(store->readers, reader);
  return status;
}
