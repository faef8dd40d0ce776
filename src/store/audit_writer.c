#include "store/audit_writer.h"

#include "base/log.h"
#include "base/metrics.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { TEXTS = 8, TRIM_AT_LEAST = 8, TRIM_AT_ONCE = 1000, HEX_SIZE = 2 * SHA256_SIZE + 1 };

/* ---- a row that waits ---- */

static void list_texts(struct audit_entry *e, struct bytes *texts[TEXTS]) {
  struct bytes *in_order[TEXTS] = {&e->tenant,   &e->actor,   &e->action,     &e->outcome,
                                   &e->resource, &e->address, &e->request_id, &e->detail};
  memcpy(texts, in_order, sizeof in_order);
}

/* As far as it is UTF-8, which files of the log must be. */
static struct bytes cut(struct bytes text) {
  size_t len = 0, more;
  while (len < text.len && (more = utf8_char_length(text.ptr + len, text.len - len)) > 0 &&
         len + more <= STORE_AUDIT_TEXT_MAX)
    len += more;
  return (struct bytes){text.ptr, len};
}

enum status audit_pending_make(const struct audit_entry *entry,
                               struct audit_pending **ret_pending) {
  struct audit_entry copy = *entry;
  struct bytes *texts[TEXTS];
  if (entry->detail.len > STORE_AUDIT_DETAIL_MAX) return STATUS_TOO_LARGE;
  list_texts(&copy, texts);
  size_t size = sizeof(struct audit_pending);
  for (int i = 0; i < TEXTS; i++) {
    if (texts[i] != &copy.detail) *texts[i] = cut(*texts[i]);
    size += texts[i]->len;
  }
  struct audit_pending *p = malloc(size);
  if (!p) return STATUS_NOMEM;
  *p = (struct audit_pending){.size = size, .entry = copy};
  list_texts(&p->entry, texts);
  char *at = p->texts;
  for (int i = 0; i < TEXTS; i++) {
    if (texts[i]->len) memcpy(at, texts[i]->ptr, texts[i]->len);
    texts[i]->ptr = at;
    at += texts[i]->len;
  }
  *ret_pending = p;
  return STATUS_OK;
}

/* A NUL-terminated piece of a text, for the log. */
static const char *quote(struct log_quoted *quoted, struct bytes text) {
  char piece[STORE_AUDIT_TEXT_MAX + 1];
  size_t len = text.len < sizeof piece ? text.len : sizeof piece - 1;
  if (len) memcpy(piece, text.ptr, len);
  piece[len] = '\0';
  return log_quote(quoted, piece);
}

static void log_row(const struct audit_mark *mark, const char *action, const char *rest) {
  char hash[HEX_SIZE];
  bytes_to_hex(mark->hash, SHA256_SIZE, hash);
  log_info("audit", NULL, "event=audit seq=%" PRId64 " hash=%s action=%s%s", mark->seq, hash,
           action, rest);
}

void audit_pending_tell(const struct audit_pending *p) {
  struct log_quoted actor, resource, tenant;
  char action[64], outcome[16], rest[3 * LOG_QUOTED_SIZE + 64];
  snprintf(action, sizeof action, "%.*s", (int)p->entry.action.len, p->entry.action.ptr);
  snprintf(outcome, sizeof outcome, "%.*s", (int)p->entry.outcome.len, p->entry.outcome.ptr);
  snprintf(rest, sizeof rest, " outcome=%s tenant=%s actor=%s resource=%s", outcome,
           quote(&tenant, p->entry.tenant), quote(&actor, p->entry.actor),
           quote(&resource, p->entry.resource));
  const char *labels[] = {action, outcome};
  metric_add(METRIC_AUDIT_ROWS, labels, 1);
  metric_set(METRIC_AUDIT_HEAD, NULL, p->trim_row.seq ? p->trim_row.seq : p->written.seq);
  log_row(&p->written, action, rest);
  if (p->trim_row.seq) log_row(&p->trim_row, AUDIT_TRIM_ACTION, "");
}

/* ---- the statements ---- */

static const char *const sql[AUDIT_STATEMENTS] = {
    [AUDIT_READ_HEAD] =
        "SELECT h.trimmed_seq, h.trimmed_hash, h.last_seq, h.last_hash, a.seq, a.hash"
        " FROM (SELECT 1) LEFT JOIN audit_head h ON h.id = 1"
        " LEFT JOIN audit a ON a.seq = (SELECT max(seq) FROM audit)",
    [AUDIT_INSERT] =
        "INSERT INTO audit (seq, at_ms, tenant_id, actor, action, outcome, resource, address,"
        " request_id, detail, previous, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,"
        " ?12)",
    [AUDIT_WRITE_HEAD] =
        "INSERT INTO audit_head (id, trimmed_seq, trimmed_hash, last_seq, last_hash)"
        " VALUES (1, ?1, ?2, ?3, ?4) ON CONFLICT (id) DO UPDATE SET"
        " trimmed_seq = excluded.trimmed_seq, trimmed_hash = excluded.trimmed_hash,"
        " last_seq = excluded.last_seq, last_hash = excluded.last_hash",
    [AUDIT_HASH_OF] = "SELECT hash FROM audit WHERE seq = ?1",
    [AUDIT_TRIM] = "DELETE FROM audit WHERE seq <= ?1",
};

void audit_writer_init(struct audit_writer *w, sqlite3 *db, int64_t rows_max) {
  *w = (struct audit_writer){.db = db, .rows_max = rows_max, .kept = {.seq = -1}};
  w->now = w->kept;
}

void audit_writer_done(struct audit_writer *w) {
  for (int i = 0; i < AUDIT_STATEMENTS; i++) sqlite3_finalize(w->statements[i]);
  *w = (struct audit_writer){0};
}

void audit_writer_begin(struct audit_writer *w) {
  w->now = w->kept;
}

void audit_writer_commit(struct audit_writer *w) {
  w->kept = w->now;
}

static int prepare(struct audit_writer *w) {
  int rc = SQLITE_OK;
  for (int i = 0; rc == SQLITE_OK && i < AUDIT_STATEMENTS; i++)
    if (!w->statements[i])
      rc =
          sqlite3_prepare_v3(w->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &w->statements[i], NULL);
  return rc;
}

static int run(sqlite3_stmt *s) {
  int rc = sqlite3_step(s);
  sqlite3_reset(s);
  return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static void bind_text(sqlite3_stmt *s, int at, struct bytes text) {
  sqlite3_bind_text64(s, at, text.len ? text.ptr : "", text.len, SQLITE_STATIC, SQLITE_UTF8);
}

static void bind_hash(sqlite3_stmt *s, int at, const uint8_t hash[SHA256_SIZE]) {
  sqlite3_bind_blob(s, at, hash, SHA256_SIZE, SQLITE_STATIC);
}

/* ---- where the chain stands ---- */

struct standing {
  struct audit_head head;
  struct audit_mark last; /* the last row that is there; seq 0 = there is none */
};

static struct audit_mark mark_of(sqlite3_stmt *row, int column) {
  struct audit_mark mark = {.seq = sqlite3_column_int64(row, column)};
  const void *hash = sqlite3_column_blob(row, column + 1);
  if (sqlite3_column_bytes(row, column + 1) == SHA256_SIZE && hash)
    memcpy(mark.hash, hash, SHA256_SIZE);
  return mark;
}

static int read_standing(struct audit_writer *w, struct standing *ret) {
  sqlite3_stmt *s = w->statements[AUDIT_READ_HEAD];
  int rc = sqlite3_step(s);
  if (rc == SQLITE_ROW) *ret = (struct standing){{mark_of(s, 0), mark_of(s, 2)}, mark_of(s, 4)};
  sqlite3_reset(s);
  return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static bool same(const struct audit_mark *a, const struct audit_mark *b) {
  return a->seq == b->seq && memcmp(a->hash, b->hash, SHA256_SIZE) == 0;
}

static void warn(const struct audit_mark *found, const struct audit_mark *wanted) {
  char hash[HEX_SIZE];
  bytes_to_hex(wanted->hash, SHA256_SIZE, hash);
  metric_add(METRIC_AUDIT_BREAKS, NULL, 1);
  log_error("audit", NULL,
            "event=audit_tampered found_seq=%" PRId64 " wanted_seq=%" PRId64
            " wanted_hash=%s"
            " fix=\"aragora audit verify\"",
            found->seq, wanted->seq, hash);
}

/* What the next row is built on: what was written last, whatever the database says of it. Another
 * process may have written rows of its own since. */
static struct audit_mark base_of(const struct audit_writer *w, const struct standing *at) {
  const struct audit_mark *there = at->last.seq > 0 ? &at->last : &at->head.trimmed;
  const struct audit_mark *base = &at->head.last;
  if (base->seq < w->now.seq || (base->seq == w->now.seq && !same(base, &w->now)))
    base = &w->now;
  else if (base->seq == 0 && there->seq > 0)
    base = there; /* a head that is gone says nothing of the rows */
  if (base != &at->head.last || !same(there, base)) warn(there, base);
  return *base;
}

/* ---- one row ---- */

static int insert(struct audit_writer *w, const struct audit_row *row) {
  sqlite3_stmt *s = w->statements[AUDIT_INSERT];
  const struct audit_entry *e = &row->entry;
  sqlite3_bind_int64(s, 1, row->seq);
  sqlite3_bind_int64(s, 2, e->at_ms);
  bind_text(s, 3, e->tenant);
  bind_text(s, 4, e->actor);
  bind_text(s, 5, e->action);
  bind_text(s, 6, e->outcome);
  bind_text(s, 7, e->resource);
  bind_text(s, 8, e->address);
  bind_text(s, 9, e->request_id);
  bind_text(s, 10, e->detail);
  bind_hash(s, 11, row->previous);
  bind_hash(s, 12, row->hash);
  return run(s);
}

static int append(struct audit_writer *w, int64_t seq, const struct audit_entry *entry) {
  struct audit_row row = {.seq = seq, .entry = *entry};
  memcpy(row.previous, w->now.hash, SHA256_SIZE);
  audit_chain_hash(&row, row.hash);
  int rc = insert(w, &row);
  if (rc != SQLITE_OK) return rc;
  w->now.seq = seq;
  memcpy(w->now.hash, row.hash, SHA256_SIZE);
  return SQLITE_OK;
}

static int write_head(struct audit_writer *w, const struct audit_mark *trimmed) {
  sqlite3_stmt *s = w->statements[AUDIT_WRITE_HEAD];
  sqlite3_bind_int64(s, 1, trimmed->seq);
  bind_hash(s, 2, trimmed->hash);
  sqlite3_bind_int64(s, 3, w->now.seq);
  bind_hash(s, 4, w->now.hash);
  return run(s);
}

/* ---- the oldest go ---- */

static int hash_of(struct audit_writer *w, struct audit_mark *mark) {
  sqlite3_stmt *s = w->statements[AUDIT_HASH_OF];
  sqlite3_bind_int64(s, 1, mark->seq);
  int rc = sqlite3_step(s);
  if (rc == SQLITE_ROW && sqlite3_column_bytes(s, 0) == SHA256_SIZE)
    memcpy(mark->hash, sqlite3_column_blob(s, 0), SHA256_SIZE);
  else
    mark->seq = 0; /* a hole: nothing is trimmed until somebody has looked at it */
  sqlite3_reset(s);
  return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* A hundredth of them at a time, so that not every row is followed by one that says what went, and
 * always more than that one adds. */
static int trim(struct audit_writer *w, struct audit_mark *trimmed, int64_t at_ms,
                struct audit_pending *pending) {
  if (w->rows_max <= 0 || w->now.seq - trimmed->seq <= w->rows_max) return SQLITE_OK;
  int64_t step = w->rows_max / 100 + TRIM_AT_LEAST;
  struct audit_mark through = {.seq = trimmed->seq + (step < TRIM_AT_ONCE ? step : TRIM_AT_ONCE)};
  int rc = hash_of(w, &through);
  if (rc != SQLITE_OK || !through.seq) return rc;
  sqlite3_bind_int64(w->statements[AUDIT_TRIM], 1, through.seq);
  rc = run(w->statements[AUDIT_TRIM]);
  char hash[HEX_SIZE], detail[128];
  bytes_to_hex(through.hash, SHA256_SIZE, hash);
  snprintf(detail, sizeof detail, "{\"hash\":\"%s\",\"through\":%" PRId64 "}", hash, through.seq);
  const struct audit_entry entry = {.at_ms = at_ms,
                                    .tenant = BYTES_LITERAL("local"),
                                    .actor = BYTES_LITERAL("system"),
                                    .action = BYTES_LITERAL(AUDIT_TRIM_ACTION),
                                    .outcome = BYTES_LITERAL("ok"),
                                    .detail = bytes_of(detail)};
  if (rc == SQLITE_OK) rc = append(w, w->now.seq + 1, &entry);
  *trimmed = through;
  pending->trim_row = w->now;
  return rc;
}

int audit_writer_write(struct audit_writer *w, struct audit_pending *pending) {
  struct standing at = {0};
  int rc = prepare(w);
  if (rc == SQLITE_OK) rc = read_standing(w, &at);
  if (rc != SQLITE_OK) return rc;
  w->now = base_of(w, &at);
  int64_t seq = (w->now.seq > at.last.seq ? w->now.seq : at.last.seq) + 1;
  rc = append(w, seq, &pending->entry);
  pending->written = w->now;
  pending->trim_row.seq = 0;
  if (rc == SQLITE_OK) rc = trim(w, &at.head.trimmed, pending->entry.at_ms, pending);
  return rc == SQLITE_OK ? write_head(w, &at.head.trimmed) : rc;
}
