/* A tenant's plan counted down, in the transaction that inserts its debate. The writer's thread;
 * inside this room only. */
#ifndef ARAGORA_STORE_QUOTA_H
#define ARAGORA_STORE_QUOTA_H

#include "store/plans.h"
#include "store/sqlite.h"

enum quota_statement { QUOTA_PLAN, QUOTA_TAKE, QUOTA_STATEMENTS };

struct quota {
  sqlite3 *db;
  sqlite3_stmt *statements[QUOTA_STATEMENTS];
};

MUST_CHECK enum status quota_init(struct quota *quota, sqlite3 *db, struct error *err);
void quota_done(struct quota *quota);

/* One debate more of the tenant's month. An SQLite result code; *ret_taken is false when none is
 * left: then nothing was written. */
int quota_take(struct quota *quota, const char *tenant_id, int64_t now_ms, bool *ret_taken);

/* The row of a plan (store_put_plan). */
int quota_put_plan(sqlite3 *db, const char *tenant_id, const char *plan, int64_t now_ms);

#endif
