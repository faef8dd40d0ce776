#include "store/audit.h"

#include "store/handle.h"
#include "store/inspect.h"

enum status store_put_audit(struct store *store, const struct audit_entry *entry,
                            store_done_fn *done, void *ctx) {
  struct batch *batch;
  enum status status = batch_make_audit(entry, &batch);
  return status ? status : store_queue(store, batch, NULL, done, ctx);
}

/* ---- a row ---- */

#define AUDIT_COLUMNS                                                              \
  "seq, at_ms, tenant_id, actor, action, outcome, resource, address, request_id, " \
  "detail, previous, hash"

static struct bytes text_of(sqlite3_stmt *row, int column) {
  const char *text = (const char *)sqlite3_column_text(row, column);
  return (struct bytes){text, text ? (size_t)sqlite3_column_bytes(row, column) : 0};
}

/* One of another size is none of ours: zeros, which fit nothing but the first row's. */
static void take_hash(sqlite3_stmt *row, int column, uint8_t ret_hash[SHA256_SIZE]) {
  const void *hash = sqlite3_column_blob(row, column);
  memset(ret_hash, 0, SHA256_SIZE);
  if (hash && sqlite3_column_bytes(row, column) == SHA256_SIZE) memcpy(ret_hash, hash, SHA256_SIZE);
}

static void take_row(sqlite3_stmt *s, struct audit_row *ret_row) {
  *ret_row = (struct audit_row){.seq = sqlite3_column_int64(s, 0),
                                .entry = {.at_ms = sqlite3_column_int64(s, 1),
                                          .tenant = text_of(s, 2),
                                          .actor = text_of(s, 3),
                                          .action = text_of(s, 4),
                                          .outcome = text_of(s, 5),
                                          .resource = text_of(s, 6),
                                          .address = text_of(s, 7),
                                          .request_id = text_of(s, 8),
                                          .detail = text_of(s, 9)}};
  take_hash(s, 10, ret_row->previous);
  take_hash(s, 11, ret_row->hash);
}

/* ---- a page ---- */

/* ?4 before, ?5 after; both orders walk the primary key. */
#define AUDIT_PAGE "SELECT " AUDIT_COLUMNS " FROM audit WHERE seq < ?4 AND seq > ?5 ORDER BY seq "

static bool is(const char *wanted, struct bytes text) {
  return !wanted || bytes_equal(bytes_of(wanted), text);
}

/* "key.*" is every action of keys. */
static bool is_action(const char *wanted, struct bytes action) {
  size_t len = wanted ? strlen(wanted) : 0;
  if (len < 2 || strcmp(wanted + len - 2, ".*") != 0) return is(wanted, action);
  return action.len >= len - 1 && memcmp(action.ptr, wanted, len - 1) == 0;
}

static bool may_see(const struct principal *who, const struct audit_entry *e) {
  switch (scope_of(who)) {
    case SCOPE_SYSTEM: return true;
    case SCOPE_TENANT: return is(who->tenant_id, e->tenant);
    case SCOPE_OWNER:
    default: return is(who->tenant_id, e->tenant) && is(who->owner_id, e->actor);
  }
}

static bool matches(const struct store_audit_query *q, const struct audit_entry *e) {
  if (q->since_ms >= 0 && e->at_ms < q->since_ms) return false;
  if (q->until_ms >= 0 && e->at_ms > q->until_ms) return false;
  return is_action(q->action, e->action) && is(q->outcome, e->outcome) && is(q->actor, e->actor) &&
         is(q->tenant, e->tenant) && is(q->resource, e->resource);
}

struct page {
  const struct principal *who;
  const struct store_audit_query *query;
  store_audit_fn *each;
  void *ctx;
  int64_t next;
};

static int walk_page(sqlite3_stmt *s, struct page *p) {
  size_t given = 0, looked_at = 0;
  int rc;
  while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
    struct audit_row row;
    take_row(s, &row);
    p->next = row.seq;
    if (may_see(p->who, &row.entry) && matches(p->query, &row.entry)) {
      p->each(p->ctx, &row);
      given++;
    }
    if (given == p->query->limit || ++looked_at == STORE_AUDIT_SCAN_MAX) return SQLITE_OK;
  }
  p->next = 0;
  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

enum status store_read_audit(struct store *store, const struct principal *who,
                             const struct store_audit_query *query, store_audit_fn *each, void *ctx,
                             int64_t *ret_next, struct error *err) {
  struct page page = {who, query, each, ctx, 0};
  struct reader *reader;
  sqlite3_stmt *s;
  enum status status = reader_take(store->readers, &reader, err);
  if (status) return status;
  status =
      reader_prepare(reader, query->newest_first ? READER_AUDIT_BACKWARD : READER_AUDIT_FORWARD,
                     query->newest_first ? AUDIT_PAGE "DESC" : AUDIT_PAGE "ASC", &s, err);
  if (!status) {
    sqlite3_bind_int64(s, 4, query->before > 0 ? query->before : INT64_MAX);
    sqlite3_bind_int64(s, 5, query->after > 0 ? query->after : 0);
    int rc = walk_page(s, &page);
    if (rc != SQLITE_OK) status = sqlite_error(reader->db, rc, err);
    sqlite3_reset(s);
  }
  reader_give(store->readers, reader);
  if (!status) *ret_next = page.next;
  return status;
}

/* ---- the whole chain ---- */

static enum status read_head(sqlite3 *db, struct audit_head *ret_head, struct error *err) {
  sqlite3_stmt *s;
  enum status status = sqlite_prepare(
      db, "SELECT trimmed_seq, trimmed_hash, last_seq, last_hash FROM audit_head WHERE id = 1", &s,
      err);
  if (status) return status;
  int rc = sqlite3_step(s);
  *ret_head = (struct audit_head){0};
  if (rc == SQLITE_ROW) {
    ret_head->trimmed.seq = sqlite3_column_int64(s, 0);
    ret_head->last.seq = sqlite3_column_int64(s, 2);
    take_hash(s, 1, ret_head->trimmed.hash);
    take_hash(s, 3, ret_head->last.hash);
  } else if (rc != SQLITE_DONE) {
    status = sqlite_error(db, rc, err);
  }
  sqlite3_finalize(s);
  return status;
}

enum status store_read_audit_head(struct store *store, struct audit_head *ret_head,
                                  struct error *err) {
  struct reader *reader;
  enum status status = reader_take(store->readers, &reader, err);
  if (status) return status;
  status = read_head(reader->db, ret_head, err);
  reader_give(store->readers, reader);
  return status;
}

static enum status walk_rows(sqlite3 *db, struct audit_walk *walk, struct error *err) {
  sqlite3_stmt *s;
  enum status status = read_head(db, &walk->head, err);
  if (!status)
    status = sqlite_prepare(db, "SELECT " AUDIT_COLUMNS " FROM audit ORDER BY seq", &s, err);
  if (status) return status;
  int rc;
  while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
    struct audit_row row;
    take_row(s, &row);
    audit_walk_take(walk, &row);
  }
  if (rc != SQLITE_DONE) status = sqlite_error(db, rc, err);
  sqlite3_finalize(s);
  return status;
}

enum status store_walk_audit(struct store *store, struct audit_walk *walk, struct error *err) {
  struct reader *reader;
  enum status status = reader_take(store->readers, &reader, err);
  if (status) return status;
  status = reader_begin(reader, err);
  if (!status) {
    status = walk_rows(reader->db, walk, err);
    reader_end(reader);
  }
  reader_give(store->readers, reader);
  return status;
}

static enum status knows_audit(sqlite3 *db, bool *ret_known, struct error *err) {
  int64_t tables = 0;
  enum status status = sqlite_get_int(db,
                                      "SELECT count(*) FROM sqlite_schema WHERE type = 'table'"
                                      " AND name IN ('audit', 'audit_head')",
                                      0, &tables, err);
  *ret_known = tables == 2;
  return status;
}

enum status inspect_audit_head(struct inspect *inspect, struct audit_head *ret_head,
                               bool *ret_known, struct error *err) {
  sqlite3 *db = inspect_connection(inspect);
  enum status status = knows_audit(db, ret_known, err);
  return status || !*ret_known ? status : read_head(db, ret_head, err);
}

enum status inspect_has_audit_row(struct inspect *inspect, const struct audit_mark *mark,
                                  bool *ret_there, struct error *err) {
  sqlite3 *db = inspect_connection(inspect);
  sqlite3_stmt *s;
  enum status status =
      sqlite_prepare(db, "SELECT 1 FROM audit WHERE seq = ?1 AND hash = ?2", &s, err);
  if (status) return status;
  sqlite3_bind_int64(s, 1, mark->seq);
  sqlite3_bind_blob(s, 2, mark->hash, SHA256_SIZE, SQLITE_STATIC);
  int rc = sqlite3_step(s);
  *ret_there = rc == SQLITE_ROW;
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) status = sqlite_error(db, rc, err);
  sqlite3_finalize(s);
  return status;
}

enum status inspect_walk_audit(struct inspect *inspect, struct audit_walk *walk, bool *ret_known,
                               struct error *err) {
  sqlite3 *db = inspect_connection(inspect);
  enum status status = knows_audit(db, ret_known, err);
  if (status || !*ret_known) return status;
  status = sqlite_run(db, "BEGIN", err);
  if (status) return status;
  status = walk_rows(db, walk, err);
  enum status ended = sqlite_run(db, "COMMIT", status ? NULL : err);
  return status ? status : ended;
}
