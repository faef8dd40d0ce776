#include "store/debate.h"

#include "store/handle.h"

#include <stdlib.h>

void store_debate_done(struct store_debate *d) {
  char *texts[] = {d->id,       d->tenant_id, d->owner_id, d->slug,      d->task,  d->agents,
                   d->metadata, d->status,    d->outcome,  d->consensus, d->key_id};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) free(texts[i]);
  *d = (struct store_debate){0};
}

static int64_t known(sqlite3_stmt *row, int column) {
  return sqlite3_column_type(row, column) == SQLITE_NULL ? -1 : sqlite3_column_int64(row, column);
}

static void get_numbers(sqlite3_stmt *row, struct store_debate *d) {
  d->created_ms = sqlite3_column_int64(row, 10);
  d->completed_ms = known(row, 11);
  d->duration_ms = known(row, 12);
  d->rounds_used = sqlite3_column_int64(row, 13);
  d->confidence_ppm = known(row, 14);
  d->cost_usd_micro = known(row, 15);
  d->consensus_reached = sqlite3_column_int(row, 16);
  d->degraded = sqlite3_column_int(row, 17);
  d->demo = sqlite3_column_int(row, 18);
  d->is_public = sqlite3_column_int64(row, 19) > clock_wall_ms(&clock_system);
  d->last_seq = (uint64_t)sqlite3_column_int64(row, 20);
}

enum { TEXTS = 11, KEY_COLUMN = 21 };

/* The texts come first but for the last one. */
static int text_column(int text) {
  return text == TEXTS - 1 ? KEY_COLUMN : text;
}

static void get_texts(struct store_debate *d, char **texts[TEXTS]) {
  char **in_order[TEXTS] = {&d->id,      &d->tenant_id, &d->owner_id, &d->slug,
                            &d->task,    &d->agents,    &d->metadata, &d->status,
                            &d->outcome, &d->consensus, &d->key_id};
  memcpy(texts, in_order, sizeof in_order);
}

enum status debate_from_row(sqlite3_stmt *row, struct store_debate *ret_debate) {
  struct store_debate d = {0};
  char **texts[TEXTS];
  get_texts(&d, texts);
  for (int i = 0; i < TEXTS; i++) {
    int column = text_column(i);
    if (sqlite3_column_type(row, column) == SQLITE_NULL) continue;
    const char *text = (const char *)sqlite3_column_text(row, column);
    if (text)
      *texts[i] = bytes_dup((struct bytes){text, (size_t)sqlite3_column_bytes(row, column)});
    if (*texts[i]) continue;
    store_debate_done(&d);
    return STATUS_NOMEM;
  }
  get_numbers(row, &d);
  *ret_debate = d;
  return STATUS_OK;
}

enum status debate_from_row_packed(sqlite3_stmt *row, struct store_debate *ret_debate) {
  struct store_debate d = {0};
  char **texts[TEXTS];
  const char *from[TEXTS];
  size_t sizes[TEXTS], size = 0;
  get_texts(&d, texts);
  for (int i = 0; i < TEXTS; i++) {
    from[i] = (const char *)sqlite3_column_text(row, text_column(i));
    sizes[i] = from[i] ? (size_t)sqlite3_column_bytes(row, text_column(i)) + 1 : 0;
    size += sizes[i];
  }
  char *at = from[0] ? malloc(size) : NULL;
  if (!at) return STATUS_NOMEM;
  for (int i = 0; i < TEXTS; i++) {
    if (!from[i]) continue;
    *texts[i] = memcpy(at, from[i], sizes[i]);
    at += sizes[i];
  }
  get_numbers(row, &d);
  *ret_debate = d;
  return STATUS_OK;
}

static enum status look_up(struct reader *reader, int slot, const char *sql,
                           const struct principal *who, const char *name,
                           struct store_debate *ret_debate, struct error *err) {
  sqlite3_stmt *s;
  enum status status = reader_prepare(reader, slot, sql, &s, err);
  if (status) return status;
  principal_bind(s, who);
  sqlite3_bind_text(s, 4, name, -1, SQLITE_STATIC);
  int rc = sqlite3_step(s);
  if (rc == SQLITE_ROW)
    status = debate_from_row(s, ret_debate);
  else if (rc == SQLITE_DONE)
    status = error_set(err, STATUS_NOT_FOUND, NULL, "Debate not found: %.128s", name);
  else
    status = sqlite_error(reader->db, rc, err);
  sqlite3_reset(s);
  return status;
}

enum status store_get_debate(struct store *store, const struct principal *who,
                             const char *id_or_slug, struct store_debate *ret_debate,
                             struct error *err) {
  struct reader *reader;
  enum status status = reader_take(store->readers, &reader, err);
  if (status) return status;
  status = look_up(reader, READER_GET_BY_ID,
                   "SELECT " DEBATE_COLUMNS("metadata", DEBATE_LAST_SEQ) " FROM debates"
                   " WHERE id = ?4 AND " VISIBLE_TO_PRINCIPAL,
                   who, id_or_slug, ret_debate, err);
  if (status == STATUS_NOT_FOUND)
    status = look_up(reader, READER_GET_BY_SLUG,
                     "SELECT " DEBATE_COLUMNS("metadata", DEBATE_LAST_SEQ) " FROM debates"
                     " WHERE slug = ?4 AND " VISIBLE_TO_PRINCIPAL,
                     who, id_or_slug, ret_debate, err);
  reader_give(store->readers, reader);
  return status;
}

enum status store_unfinished(struct store *store, store_id_fn *each, void *ctx, struct error *err) {
  struct reader *reader;
  sqlite3_stmt *s;
  enum status status = reader_take(store->readers, &reader, err);
  if (status) return status;
  status = reader_prepare(reader, READER_UNFINISHED,
                          "SELECT id, tenant_id, owner_id FROM debates"
                          " INDEXED BY debates_unfinished WHERE status IN ('pending', 'running')"
                          " ORDER BY created_ms, id",
                          &s, err);
  if (!status) {
    int rc;
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
