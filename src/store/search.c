/* Search by a part of the question or slug: a scan of the newest debates, bounded by the caller. */
#include "store/debate.h"
#include "store/handle.h"

#include <stdio.h>
#include <stdlib.h>

enum { SEARCH_LIMIT_MAX = 1000, SEARCH_TEXT_MAX = 1000 };

/* Creation of the oldest debate within the bound; INT64_MIN when all are. It walks the index alone,
 * so that it costs little beside the scan. */
static enum status get_floor(struct reader *reader, const struct principal *who, size_t newest,
                             int64_t *ret_floor_ms, struct error *err) {
  char sql[512];
  snprintf(sql, sizeof sql,
           "SELECT created_ms FROM debates %s ORDER BY created_ms DESC, id DESC LIMIT 1 OFFSET ?4",
           list_scope_condition(who));
  sqlite3_stmt *s;
  enum status status =
      reader_prepare(reader, READER_SEARCH_FLOOR + (int)scope_of(who), sql, &s, err);
  if (status) return status;
  principal_bind(s, who);
  sqlite3_bind_int64(s, 4, (int64_t)newest);
  int rc = sqlite3_step(s);
  /* The one just beyond the bound: what is as old as it stays out, too. */
  if (rc == SQLITE_ROW)
    *ret_floor_ms = sqlite3_column_int64(s, 0) + 1;
  else if (rc == SQLITE_DONE)
    *ret_floor_ms = INT64_MIN;
  else
    status = sqlite_error(reader->db, rc, err);
  sqlite3_reset(s);
  return status;
}

/* The text as a pattern for LIKE, whose own signs stand for themselves. */
static void make_pattern(const char *text, char out[2 * SEARCH_TEXT_MAX + 3]) {
  char *at = out;
  *at++ = '%';
  for (; *text; text++) {
    if (strchr("%_\\", *text)) *at++ = '\\';
    *at++ = *text;
  }
  *at++ = '%';
  *at = '\0';
}

static enum status scan(struct reader *reader, const struct principal *who,
                        const struct store_search_query *query, int64_t floor_ms,
                        struct store_search_result *result, struct error *err) {
  char sql[1024];
  char pattern[2 * SEARCH_TEXT_MAX + 3];
  snprintf(sql, sizeof sql,
           "SELECT " DEBATE_COLUMNS("NULL", "0") " FROM debates %s AND created_ms >= ?4"
           " AND (task LIKE ?5 ESCAPE '\\' OR slug LIKE ?5 ESCAPE '\\')"
           " ORDER BY created_ms DESC, id DESC",
           list_scope_condition(who));
  sqlite3_stmt *s;
  enum status status = reader_prepare(reader, READER_SEARCH + (int)scope_of(who), sql, &s, err);
  if (status) return status;
  make_pattern(query->text, pattern);
  principal_bind(s, who);
  sqlite3_bind_int64(s, 4, floor_ms);
  sqlite3_bind_text(s, 5, pattern, -1, SQLITE_STATIC);
  int rc = SQLITE_ROW;
  while (!status && (rc = sqlite3_step(s)) == SQLITE_ROW) {
    size_t at = (size_t)result->total++;
    if (at < query->offset || result->count == query->limit) continue;
    status = debate_from_row_packed(s, &result->rows[result->count]);
    if (!status) result->count++;
  }
  if (!status && rc != SQLITE_DONE) status = sqlite_error(reader->db, rc, err);
  sqlite3_reset(s);
  return status;
}

enum status store_search_debates(struct store *store, const struct principal *who,
                                 const struct store_search_query *query,
                                 struct store_search_result *ret_result, struct error *err) {
  if (query->limit < 1 || query->limit > SEARCH_LIMIT_MAX)
    return error_set(err, STATUS_INVALID, "limit", "must be 1 to %d", SEARCH_LIMIT_MAX);
  if (!*query->text || strlen(query->text) > SEARCH_TEXT_MAX)
    return error_set(err, STATUS_INVALID, "q", "must be 1 to %d bytes", SEARCH_TEXT_MAX);
  struct store_search_result result = {.rows = calloc(query->limit, sizeof *result.rows)};
  if (!result.rows) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  int64_t floor_ms = INT64_MIN;
  struct reader *reader;
  enum status status = reader_take(store->readers, &reader, err);
  if (!status) {
    status = reader_begin(reader, err);
    if (!status) {
      status = get_floor(reader, who, query->newest, &floor_ms, err);
      if (!status) status = scan(reader, who, query, floor_ms, &result, err);
      reader_end(reader);
    }
    reader_give(store->readers, reader);
  }
  result.complete = floor_ms == INT64_MIN;
  if (status)
    store_list_free(result.rows, result.count);
  else
    *ret_result = result;
  return status;
}
