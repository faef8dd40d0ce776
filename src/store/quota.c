#include "store/quota.h"

static const char *const quota_sql[QUOTA_STATEMENTS] = {
    [QUOTA_PLAN] = "SELECT plan FROM tenants WHERE id = ?1",
    [QUOTA_TAKE] =
        "INSERT INTO quotas (tenant_id, month, debates) VALUES (?1, ?2, 1)"
        " ON CONFLICT (tenant_id, month) DO UPDATE SET debates = debates + 1"
        " WHERE ?3 = 0 OR debates < ?3",
};

enum status quota_init(struct quota *quota, sqlite3 *db, struct error *err) {
  quota->db = db;
  for (int i = 0; i < QUOTA_STATEMENTS; i++) {
    enum status status = sqlite_prepare(db, quota_sql[i], &quota->statements[i], err);
    if (status) return status;
  }
  return STATUS_OK;
}

void quota_done(struct quota *quota) {
  for (int i = 0; i < QUOTA_STATEMENTS; i++) sqlite3_finalize(quota->statements[i]);
  *quota = (struct quota){0};
}

static int find_plan(struct quota *quota, const char *tenant_id, const struct plan **ret_plan) {
  sqlite3_stmt *s = quota->statements[QUOTA_PLAN];
  const struct plan *plan = NULL;
  sqlite3_bind_text(s, 1, tenant_id, -1, SQLITE_STATIC);
  int rc = sqlite3_step(s);
  if (rc == SQLITE_ROW) plan = plan_find(sqlite_text(s, 0));
  sqlite3_reset(s);
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) return rc;
  *ret_plan = plan ? plan : plan_of_new_tenant(tenant_id);
  return SQLITE_OK;
}

int quota_take(struct quota *quota, const char *tenant_id, int64_t now_ms, bool *ret_taken) {
  const struct plan *plan = plan_table;
  int rc = find_plan(quota, tenant_id, &plan);
  if (rc != SQLITE_OK) return rc;
  sqlite3_stmt *s = quota->statements[QUOTA_TAKE];
  sqlite3_bind_text(s, 1, tenant_id, -1, SQLITE_STATIC);
  sqlite3_bind_int64(s, 2, plan_month(now_ms));
  sqlite3_bind_int64(s, 3, plan->debates_per_month);
  rc = sqlite3_step(s);
  sqlite3_reset(s);
  if (rc != SQLITE_DONE) return rc;
  *ret_taken = sqlite3_changes(quota->db) > 0;
  return SQLITE_OK;
}

int quota_put_plan(sqlite3 *db, const char *tenant_id, const char *plan, int64_t now_ms) {
  sqlite3_stmt *s;
  int rc = sqlite3_prepare_v2(db, "UPDATE tenants SET plan = ?2, updated_ms = ?3 WHERE id = ?1", -1,
                              &s, NULL);
  if (rc != SQLITE_OK) return rc;
  sqlite3_bind_text(s, 1, tenant_id, -1, SQLITE_STATIC);
  sqlite3_bind_text(s, 2, plan, -1, SQLITE_STATIC);
  sqlite3_bind_int64(s, 3, now_ms);
  rc = sqlite3_step(s);
  sqlite3_finalize(s);
  if (rc != SQLITE_DONE) return rc;
  return sqlite3_changes(db) == 1 ? SQLITE_OK : SQLITE_CONSTRAINT;
}
