#include "store/shares.h"

#include "store/handle.h"
#include "store/share_change.h"

/* ---- writing; rare, so that no statement is kept ---- */

static int write_one(sqlite3 *db, const char *sql, const struct share_change *c) {
  sqlite3_stmt *s;
  int rc = sqlite3_prepare_v2(db, sql, -1, &s, NULL);
  if (rc != SQLITE_OK) return rc;
  /* Not every statement has every parameter: what it lacks is not bound. */
  principal_bind(s, &c->who);
  sqlite_bind_text(s, 4, c->debate_id);
  sqlite3_bind_blob(s, 5, c->hash, sizeof c->hash, SQLITE_STATIC);
  sqlite3_bind_int64(s, 6, c->created_ms);
  sqlite_bind_known(s, 7, c->expires_ms);
  return sqlite_finish_one(db, s);
}

int share_change_write(sqlite3 *db, const struct share_change *c) {
  if (c->kind == SHARE_DROP)
    return write_one(db,
                     "DELETE FROM shares WHERE debate_id ="
                     " (SELECT id FROM debates WHERE id = ?4 AND " VISIBLE_TO_PRINCIPAL ")",
                     c);
  return write_one(db,
                   "INSERT INTO shares (debate_id, hash, created_ms, created_by, expires_ms)"
                   " SELECT id, ?5, ?6, ?2, ?7 FROM debates WHERE id = ?4 AND " VISIBLE_TO_PRINCIPAL
                   " ON CONFLICT (debate_id) DO UPDATE SET hash = excluded.hash,"
                   " created_ms = excluded.created_ms, created_by = excluded.created_by,"
                   " expires_ms = excluded.expires_ms",
                   c);
}

static enum status queue(struct store *store, const struct share_change *change,
                         const struct audit_entry *entry, store_done_fn *done, void *ctx) {
  struct batch *batch;
  enum status status = batch_make_share(change, &batch);
  return status ? status : store_queue(store, batch, entry, done, ctx);
}

enum status store_put_share(struct store *store, const struct principal *who,
                            const struct store_share *share, const uint8_t hash[32],
                            const struct audit_entry *entry, store_done_fn *done, void *ctx) {
  struct share_change change = {.kind = SHARE_PUT,
                                .who = *who,
                                .debate_id = share->debate_id,
                                .created_ms = share->created_ms,
                                .expires_ms = share->expires_ms};
  memcpy(change.hash, hash, sizeof change.hash);
  return queue(store, &change, entry, done, ctx);
}

enum status store_drop_share(struct store *store, const struct principal *who,
                             const char *debate_id, const struct audit_entry *entry,
                             store_done_fn *done, void *ctx) {
  const struct share_change change = {.kind = SHARE_DROP, .who = *who, .debate_id = debate_id};
  return queue(store, &change, entry, done, ctx);
}

/* ---- reading ---- */

#define SHARE_SELECT                                                              \
  "SELECT debate_id, tenant_id, owner_id, created_by, s.created_ms, s.expires_ms" \
  " FROM shares s JOIN debates d ON d.id = s.debate_id WHERE " VISIBLE_TO_PRINCIPAL

static void give_share(sqlite3_stmt *s, store_share_fn *each, void *ctx) {
  const struct store_share share = {
      .debate_id = sqlite_text(s, 0),
      .tenant_id = sqlite_text(s, 1),
      .owner_id = sqlite_text(s, 2),
      .created_by = sqlite_text(s, 3),
      .created_ms = sqlite3_column_int64(s, 4),
      .expires_ms = sqlite3_column_type(s, 5) == SQLITE_NULL ? -1 : sqlite3_column_int64(s, 5),
  };
  each(ctx, &share);
}

/* `s` has its own parameters. */
static enum status read_share(struct reader *reader, const struct principal *who, sqlite3_stmt *s,
                              store_share_fn *each, void *ctx, struct error *err) {
  enum status status = STATUS_OK;
  principal_bind(s, who);
  int rc = sqlite3_step(s);
  if (rc == SQLITE_ROW)
    give_share(s, each, ctx);
  else if (rc == SQLITE_DONE)
    status = error_set(err, STATUS_NOT_FOUND, NULL, "The debate is not shared");
  else
    status = sqlite_error(reader->db, rc, err);
  sqlite3_reset(s);
  return status;
}

enum status store_get_share(struct store *store, const struct principal *who, const char *debate_id,
                            store_share_fn *each, void *ctx, struct error *err) {
  struct reader *reader;
  sqlite3_stmt *s;
  enum status status = reader_take(store->readers, &reader, err);
  if (status) return status;
  status = reader_prepare(reader, READER_SHARE, SHARE_SELECT " AND s.debate_id = ?4", &s, err);
  if (!status) {
    sqlite_bind_text(s, 4, debate_id);
    status = read_share(reader, who, s, each, ctx, err);
  }
  reader_give(store->readers, reader);
  return status;
}

enum status store_find_share(struct store *store, const struct principal *who,
                             const uint8_t hash[32], int64_t now_ms, store_share_fn *each,
                             void *ctx, struct error *err) {
  struct reader *reader;
  sqlite3_stmt *s;
  enum status status = reader_take(store->readers, &reader, err);
  if (status) return status;
  status = reader_prepare(reader, READER_SHARE_BY_HASH,
                          SHARE_SELECT
                          " AND s.hash = ?4"
                          " AND (s.expires_ms IS NULL OR s.expires_ms > ?5)",
                          &s, err);
  if (!status) {
    sqlite3_bind_blob(s, 4, hash, 32, SQLITE_STATIC);
    sqlite3_bind_int64(s, 5, now_ms);
    status = read_share(reader, who, s, each, ctx, err);
  }
  reader_give(store->readers, reader);
  return status;
}
