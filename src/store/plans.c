#include "store/plans.h"

#include "store/handle.h"

#include <stdio.h>

static enum status read_plan(struct reader *reader, const struct principal *who, int64_t now_ms,
                             struct store_plan *ret_plan, struct error *err) {
  sqlite3_stmt *s;
  struct store_plan plan = {.plan = plan_of_new_tenant(who->tenant_id),
                            .month = plan_month(now_ms)};
  enum status status =
      reader_prepare(reader, READER_PLAN,
                     "SELECT (SELECT plan FROM tenants WHERE id = ?1),"
                     " (SELECT debates FROM quotas WHERE tenant_id = ?1 AND month = ?2)",
                     &s, err);
  if (status) return status;
  sqlite3_bind_text(s, 1, who->tenant_id, -1, SQLITE_STATIC);
  sqlite3_bind_int64(s, 2, plan.month);
  int rc = sqlite3_step(s);
  if (rc == SQLITE_ROW) {
    const struct plan *found = plan_find(sqlite_text(s, 0));
    if (found) plan.plan = found;
    plan.debates_used = sqlite3_column_int64(s, 1);
    *ret_plan = plan;
  } else {
    status = sqlite_error(reader->db, rc, err);
  }
  sqlite3_reset(s);
  return status;
}

enum status store_get_plan(struct store *store, const struct principal *who, int64_t now_ms,
                           struct store_plan *ret_plan, struct error *err) {
  struct reader *reader;
  enum status status = reader_take(store->readers, &reader, err);
  if (status) return status;
  status = read_plan(reader, who, now_ms, ret_plan, err);
  reader_give(store->readers, reader);
  return status;
}

static bool give_used(sqlite3_stmt *s, store_used_fn *each, void *ctx) {
  const struct store_used used = {.owner_id = sqlite_text(s, 0),
                                  .key_id = sqlite_text(s, 2),
                                  .day = sqlite3_column_int64(s, 1),
                                  .usage = {.provider = sqlite_text(s, 3),
                                            .model = sqlite_text(s, 4),
                                            .debates = sqlite3_column_int64(s, 5),
                                            .turns = sqlite3_column_int64(s, 6),
                                            .calls = sqlite3_column_int64(s, 7),
                                            .tokens = sqlite3_column_int64(s, 8),
                                            .tokens_in = sqlite3_column_int64(s, 9),
                                            .tokens_out = sqlite3_column_int64(s, 10),
                                            .usd_micro = sqlite3_column_int64(s, 11),
                                            .unpriced = sqlite3_column_int64(s, 12)}};
  return each(ctx, &used);
}

static enum status walk(struct reader *reader, const struct principal *who, int64_t first_day,
                        int64_t last_day, store_used_fn *each, void *ctx, struct error *err) {
  sqlite3_stmt *s;
  char sql[512];
  enum scope scope = scope_of(who);
  snprintf(sql, sizeof sql,
           "SELECT owner_id, day, key_id, provider, model, debates, turns, calls, tokens,"
           " tokens_in, tokens_out, usd_micro, unpriced FROM usage WHERE %s"
           " AND day BETWEEN ?4 AND ?5 ORDER BY day, owner_id, key_id, provider, model",
           scope_condition(scope));
  enum status status = reader_prepare(reader, READER_USAGE + (int)scope, sql, &s, err);
  if (status) return status;
  principal_bind(s, who);
  sqlite3_bind_int64(s, 4, first_day);
  sqlite3_bind_int64(s, 5, last_day);
  int rc;
  while ((rc = sqlite3_step(s)) == SQLITE_ROW && give_used(s, each, ctx)) {
  }
  if (rc != SQLITE_DONE && rc != SQLITE_ROW) status = sqlite_error(reader->db, rc, err);
  sqlite3_reset(s);
  return status;
}

enum status store_read_usage(struct store *store, const struct principal *who, bool own,
                             int64_t first_day, int64_t last_day, store_used_fn *each, void *ctx,
                             struct error *err) {
  struct reader *reader;
  struct principal as = *who;
  if (own) as.all_owners = as.system = false;
  enum status status = reader_take(store->readers, &reader, err);
  if (status) return status;
  status = walk(reader, &as, first_day, last_day, each, ctx, err);
  reader_give(store->readers, reader);
  return status;
}
