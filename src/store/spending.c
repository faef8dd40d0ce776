#include "store/handle.h"

static enum status walk(struct reader *reader, int64_t since_day, store_spending_fn *each,
                        void *ctx, struct error *err) {
  sqlite3_stmt *s;
  enum status status =
      reader_prepare(reader, READER_SPENDING,
                     "SELECT day, tenant_id, owner_id, tokens, usd_micro, unpriced FROM spending"
                     " WHERE day >= ?1",
                     &s, err);
  if (status) return status;
  sqlite3_bind_int64(s, 1, since_day);
  int rc;
  while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
    const struct store_spending spent = {
        .day = sqlite3_column_int64(s, 0),
        .tenant_id = (const char *)sqlite3_column_text(s, 1),
        .owner_id = (const char *)sqlite3_column_text(s, 2),
        .tokens = sqlite3_column_int64(s, 3),
        .usd_micro = sqlite3_column_int64(s, 4),
        .unpriced = sqlite3_column_int64(s, 5),
    };
    if (spent.tenant_id && spent.owner_id) each(ctx, &spent);
  }
  if (rc != SQLITE_DONE) status = sqlite_error(reader->db, rc, err);
  sqlite3_reset(s);
  return status;
}

enum status store_read_spending(struct store *store, int64_t since_day, store_spending_fn *each,
                                void *ctx, struct error *err) {
  struct reader *reader;
  enum status status = reader_take(store->readers, &reader, err);
  if (status) return status;
  status = walk(reader, since_day, each, ctx, err);
  reader_give(store->readers, reader);
  return status;
}
