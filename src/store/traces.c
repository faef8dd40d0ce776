#include "store/handle.h"

static enum status walk(struct reader *reader, const char *after_id, size_t limit,
                        store_trace_fn *each, void *ctx, struct error *err) {
  sqlite3_stmt *s;
  enum status status =
      reader_prepare(reader, READER_TRACES,
                     "SELECT debate_id, changed_in FROM traces_due WHERE debate_id > ?1"
                     " ORDER BY debate_id LIMIT ?2",
                     &s, err);
  if (status) return status;
  sqlite3_bind_text(s, 1, after_id, -1, SQLITE_STATIC);
  sqlite3_bind_int64(s, 2, (int64_t)limit);
  int rc;
  while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
    const struct store_trace due = {.debate_id = (const char *)sqlite3_column_text(s, 0),
                                    .changed_in = sqlite3_column_int64(s, 1)};
    if (due.debate_id) each(ctx, &due);
  }
  if (rc != SQLITE_DONE) status = sqlite_error(reader->db, rc, err);
  sqlite3_reset(s);
  return status;
}

enum status store_read_traces(struct store *store, const char *after_id, size_t limit,
                              store_trace_fn *each, void *ctx, struct error *err) {
  struct reader *reader;
  enum status status = reader_take(store->readers, &reader, err);
  if (status) return status;
  status = walk(reader, after_id, limit, each, ctx, err);
  reader_give(store->readers, reader);
  return status;
}

enum status store_drop_traces(struct store *store, const struct store_trace *traces, size_t count,
                              store_done_fn *done, void *ctx) {
  struct batch *batch;
  enum status status = batch_make_traces(traces, count, &batch);
  return status ? status : store_queue(store, batch, NULL, done, ctx);
}

void store_on_trace(struct store *store, store_wake_fn *wake, void *ctx) {
  writer_listen(store->writer, WRITER_TRACER, wake, ctx);
}
