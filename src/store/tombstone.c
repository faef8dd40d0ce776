#include "store/tombstone.h"

#include "store/handle.h"

#include <stdlib.h>

enum status tombstone_find(struct reader *reader, const struct principal *who,
                           const char *debate_id, sqlite3_stmt **ret_statement, struct error *err) {
  sqlite3_stmt *s;
  enum status status = reader_prepare(
      reader, READER_FIND_TOMBSTONE,
      "SELECT debate_id, tenant_id, owner_id, status, deleted_by, reason, created_ms, deleted_ms,"
      " (SELECT max(seq) FROM tombstone_events e WHERE e.debate_id = t.debate_id)"
      " FROM tombstones t WHERE debate_id = ?4 AND " VISIBLE_TO_PRINCIPAL,
      &s, err);
  if (status) return status;
  principal_bind(s, who);
  sqlite3_bind_text(s, 4, debate_id, -1, SQLITE_STATIC);
  *ret_statement = s;
  return STATUS_OK;
}

enum { TEXTS = 6 };

static void get_texts(struct store_tombstone *t, char **texts[TEXTS]) {
  char **in_order[TEXTS] = {&t->debate_id, &t->tenant_id,  &t->owner_id,
                            &t->status,    &t->deleted_by, &t->reason};
  memcpy(texts, in_order, sizeof in_order);
}

void store_tombstone_done(struct store_tombstone *t) {
  char **texts[TEXTS];
  get_texts(t, texts);
  for (int i = 0; i < TEXTS; i++) free(*texts[i]);
  *t = (struct store_tombstone){0};
}

static enum status from_row(sqlite3_stmt *row, struct store_tombstone *ret_tombstone) {
  struct store_tombstone t = {.created_ms = sqlite3_column_int64(row, 6),
                              .deleted_ms = sqlite3_column_int64(row, 7),
                              .last_seq = (uint64_t)sqlite3_column_int64(row, 8)};
  char **texts[TEXTS];
  get_texts(&t, texts);
  for (int i = 0; i < TEXTS; i++) {
    const char *text = (const char *)sqlite3_column_text(row, i);
    *texts[i] = text ? bytes_dup(bytes_of(text)) : NULL;
    if (*texts[i]) continue;
    store_tombstone_done(&t);
    return STATUS_NOMEM;
  }
  *ret_tombstone = t;
  return STATUS_OK;
}

enum status store_get_tombstone(struct store *store, const struct principal *who,
                                const char *debate_id, struct store_tombstone *ret_tombstone,
                                struct error *err) {
  struct reader *reader;
  sqlite3_stmt *s;
  enum status status = reader_take(store->readers, &reader, err);
  if (status) return status;
  status = tombstone_find(reader, who, debate_id, &s, err);
  if (!status) {
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
      status = from_row(s, ret_tombstone);
    else if (rc == SQLITE_DONE)
      status = error_set(err, STATUS_NOT_FOUND, NULL, "Debate not found: %.128s", debate_id);
    else
      status = sqlite_error(reader->db, rc, err);
    sqlite3_reset(s);
  }
  reader_give(store->readers, reader);
  return status;
}

/* No index has this order, on purpose: it would cost every debate, and this is asked once an hour.
 */
enum status store_expired(struct store *store, const char *status_name, bool demo,
                          int64_t before_ms, size_t limit, store_id_fn *each, void *ctx,
                          struct error *err) {
  struct reader *reader;
  sqlite3_stmt *s;
  enum status status = reader_take(store->readers, &reader, err);
  if (status) return status;
  status = reader_prepare(reader, READER_EXPIRED,
                          "SELECT id, tenant_id, owner_id FROM debates"
                          " WHERE status = ?1 AND demo = ?2 AND created_ms < ?3"
                          " ORDER BY created_ms, id LIMIT ?4",
                          &s, err);
  if (!status) {
    int rc;
    sqlite3_bind_text(s, 1, status_name, -1, SQLITE_STATIC);
    sqlite3_bind_int(s, 2, demo);
    sqlite3_bind_int64(s, 3, before_ms);
    sqlite3_bind_int64(s, 4, (int64_t)limit);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
      struct principal owner = {(const char *)sqlite3_column_text(s, 1),
                                (const char *)sqlite3_column_text(s, 2), false, false, NULL};
      each(ctx, (const char *)sqlite3_column_text(s, 0), &owner);
    }
    if (rc != SQLITE_DONE) status = sqlite_error(reader->db, rc, err);
    sqlite3_reset(s);
  }
  reader_give(store->readers, reader);
  return status;
}
