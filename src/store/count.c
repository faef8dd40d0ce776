/* Counts over the debates of some days. */
#include "store/handle.h"

#include <stdio.h>

static enum status prepare(struct reader *reader, const struct principal *who, int slot,
                           const char *head, const char *tail, int64_t since_ms,
                           sqlite3_stmt **ret_statement, struct error *err) {
  char sql[1024];
  snprintf(sql, sizeof sql, "%s FROM debates %s AND created_ms >= ?4 %s", head,
           list_scope_condition(who), tail);
  enum status status = reader_prepare(reader, slot + (int)scope_of(who), sql, ret_statement, err);
  if (status) return status;
  principal_bind(*ret_statement, who);
  sqlite3_bind_int64(*ret_statement, 4, since_ms);
  return STATUS_OK;
}

static enum status count_days(struct reader *reader, const struct principal *who, int64_t since_ms,
                              store_day_fn *each, void *ctx, struct error *err) {
  sqlite3_stmt *s;
  enum status status =
      prepare(reader, who, READER_DAYS,
              "SELECT created_ms / 86400000, status, count(*), sum(consensus_reached),"
              " count(duration_ms), total(duration_ms)",
              "GROUP BY 1, 2 ORDER BY 1, 2", since_ms, &s, err);
  if (status) return status;
  int rc;
  while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
    struct store_day_count count = {.day = sqlite3_column_int64(s, 0),
                                    .status = (const char *)sqlite3_column_text(s, 1),
                                    .debates = sqlite3_column_int64(s, 2),
                                    .consensus_reached = sqlite3_column_int64(s, 3),
                                    .timed = sqlite3_column_int64(s, 4),
                                    .duration_ms = sqlite3_column_int64(s, 5)};
    if (count.status) each(ctx, &count);
  }
  if (rc != SQLITE_DONE) status = sqlite_error(reader->db, rc, err);
  sqlite3_reset(s);
  return status;
}

enum status store_count_days(struct store *store, const struct principal *who, int64_t since_ms,
                             store_day_fn *each, void *ctx, struct error *err) {
  struct reader *reader;
  enum status status = reader_take(store->readers, &reader, err);
  if (status) return status;
  status = count_days(reader, who, since_ms, each, ctx, err);
  reader_give(store->readers, reader);
  return status;
}

/* The panel is grouped first: a few kinds of it in many debates, so that few lists are parsed. */
static enum status count_panels(struct reader *reader, const struct principal *who,
                                int64_t since_ms, size_t limit, store_panel_fn *each, void *ctx,
                                struct error *err) {
  sqlite3_stmt *s;
  enum status status =
      prepare(reader, who, READER_PANELS, "SELECT value, sum(n) FROM (SELECT agents, count(*) AS n",
              "GROUP BY agents), json_each(agents)"
              " GROUP BY value ORDER BY 2 DESC, 1 LIMIT ?5",
              since_ms, &s, err);
  if (status) return status;
  sqlite3_bind_int64(s, 5, (int64_t)limit);
  int rc;
  while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
    const char *agent = (const char *)sqlite3_column_text(s, 0);
    if (agent) each(ctx, agent, sqlite3_column_int64(s, 1));
  }
  if (rc != SQLITE_DONE) status = sqlite_error(reader->db, rc, err);
  sqlite3_reset(s);
  return status;
}

enum status store_count_panels(struct store *store, const struct principal *who, int64_t since_ms,
                               size_t limit, store_panel_fn *each, void *ctx, struct error *err) {
  struct reader *reader;
  enum status status = reader_take(store->readers, &reader, err);
  if (status) return status;
  status = count_panels(reader, who, since_ms, limit, each, ctx, err);
  reader_give(store->readers, reader);
  return status;
}
