#include "store/debate.h"
#include "store/handle.h"

#include <stdio.h>
#include <stdlib.h>

enum { LIST_LIMIT_MAX = 1000 };

/* The condition of a scope and the index whose order answers it, so that a page costs what it
 * shows. INDEXED BY keeps an ANALYZE, which the runbook has people run, from changing that. The
 * system has no such index: it sorts. */
static const char *const where[3][2] = {
    [SCOPE_OWNER] = {"INDEXED BY debates_by_owner WHERE tenant_id = ?1 AND owner_id = ?2",
                     "INDEXED BY debates_by_owner_status WHERE tenant_id = ?1 AND owner_id = ?2"
                     " AND status = ?4"},
    [SCOPE_TENANT] = {"INDEXED BY debates_by_tenant WHERE tenant_id = ?1",
                      "INDEXED BY debates_by_tenant_status WHERE tenant_id = ?1 AND status = ?4"},
    [SCOPE_SYSTEM] = {"WHERE true", "WHERE status = ?4"},
};

const char *list_scope_condition(const struct principal *who) {
  return where[scope_of(who)][0];
}

static const char *const where_total[3][2] = {
    [SCOPE_OWNER] = {"tenant_id = ?1 AND owner_id = ?2",
                     "tenant_id = ?1 AND owner_id = ?2 AND status = ?4"},
    [SCOPE_TENANT] = {"tenant_id = ?1 AND owner_id = ''",
                      "tenant_id = ?1 AND owner_id = '' AND status = ?4"},
    [SCOPE_SYSTEM] = {"owner_id = ''", "owner_id = '' AND status = ?4"},
};

void store_list_free(struct store_debate *rows, size_t count) {
  if (!rows) return;
  for (size_t i = 0; i < count; i++) free(rows[i].id);
  free(rows);
}

static enum status get_total(struct reader *reader, const struct principal *who,
                             const char *status_name, int64_t *ret_total, struct error *err) {
  enum scope scope = scope_of(who);
  int slot = READER_TOTALS + 2 * (int)scope + (status_name != NULL);
  char sql[256];
  if (!reader->statements[slot])
    snprintf(sql, sizeof sql, "SELECT coalesce(sum(total), 0) FROM debate_totals WHERE %s",
             where_total[scope][status_name != NULL]);
  sqlite3_stmt *s;
  enum status status = reader_prepare(reader, slot, sql, &s, err);
  if (status) return status;
  principal_bind(s, who);
  sqlite3_bind_text(s, 4, status_name, -1, SQLITE_STATIC);
  int rc = sqlite3_step(s);
  if (rc == SQLITE_ROW)
    *ret_total = sqlite3_column_int64(s, 0);
  else
    status = sqlite_error(reader->db, rc, err);
  sqlite3_reset(s);
  return status;
}

static enum status prepare_list(struct reader *reader, const struct principal *who,
                                const struct store_list_query *query, sqlite3_stmt **ret_statement,
                                struct error *err) {
  enum scope scope = scope_of(who);
  bool by_status = query->status != NULL, by_cursor = query->before_created_ms >= 0;
  int slot = READER_LISTS + 4 * (int)scope + 2 * by_status + by_cursor;
  char sql[1024];
  if (!reader->statements[slot])
    snprintf(sql, sizeof sql,
             "SELECT " DEBATE_COLUMNS("NULL", "0") " FROM debates %s%s"
             " ORDER BY created_ms DESC, id DESC LIMIT ?5 OFFSET ?6",
             where[scope][by_status], by_cursor ? " AND (created_ms, id) < (?7, ?8)" : "");
  sqlite3_stmt *s;
  enum status status = reader_prepare(reader, slot, sql, &s, err);
  if (status) return status;
  principal_bind(s, who);
  sqlite3_bind_text(s, 4, query->status, -1, SQLITE_STATIC);
  sqlite3_bind_int64(s, 5, (int64_t)query->limit);
  sqlite3_bind_int64(s, 6, by_cursor ? 0 : (int64_t)query->offset);
  sqlite3_bind_int64(s, 7, query->before_created_ms);
  sqlite3_bind_text(s, 8, query->before_id ? query->before_id : "", -1, SQLITE_STATIC);
  *ret_statement = s;
  return STATUS_OK;
}

static enum status get_rows(struct reader *reader, const struct principal *who,
                            const struct store_list_query *query, struct store_debate *rows,
                            size_t *ret_count, struct error *err) {
  sqlite3_stmt *s;
  enum status status = prepare_list(reader, who, query, &s, err);
  if (status) return status;
  size_t count = 0;
  int rc = SQLITE_ROW;
  while (!status && count < query->limit && (rc = sqlite3_step(s)) == SQLITE_ROW) {
    status = debate_from_row_packed(s, &rows[count]);
    if (!status) count++;
  }
  if (!status && rc != SQLITE_ROW && rc != SQLITE_DONE) status = sqlite_error(reader->db, rc, err);
  sqlite3_reset(s);
  *ret_count = count;
  return status;
}

enum status store_list_debates(struct store *store, const struct principal *who,
                               const struct store_list_query *query, struct store_debate **ret_rows,
                               size_t *ret_count, int64_t *ret_total, struct error *err) {
  if (query->limit < 1 || query->limit > LIST_LIMIT_MAX)
    return error_set(err, STATUS_INVALID, "limit", "must be 1 to %d", LIST_LIMIT_MAX);
  struct store_debate *rows = calloc(query->limit, sizeof *rows);
  if (!rows) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  size_t count = 0;
  int64_t total = 0;
  struct reader *reader;
  enum status status = reader_take(store->readers, &reader, err);
  if (!status) {
    status = reader_begin(reader, err); /* the total and the rows of one moment */
    if (!status) {
      status = get_total(reader, who, query->status, &total, err);
      if (!status) status = get_rows(reader, who, query, rows, &count, err);
      reader_end(reader);
    }
    reader_give(store->readers, reader);
  }
  if (status) {
    store_list_free(rows, count);
    return status;
  }
  *ret_rows = rows;
  *ret_count = count;
  *ret_total = total;
  return STATUS_OK;
}
