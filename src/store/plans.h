/* Which plan a tenant has, what is left of it, and what everybody used. */
#ifndef ARAGORA_STORE_PLANS_H
#define ARAGORA_STORE_PLANS_H

#include "base/plan.h"
#include "store/store.h"

/* Queues a tenant's plan, in the place of the one that it has, with its row of the audit log.
 * STATUS_INVALID for one that is not in plan_table; else as store_append, `done` with
 * STATUS_CONFLICT when there is no such tenant. */
MUST_CHECK enum status store_put_plan(struct store *store, const char *tenant_id, const char *plan,
                                      int64_t now_ms, const struct audit_entry *entry,
                                      store_done_fn *done, void *ctx);

/* --- reads, as those of store.h --- */

struct store_plan {
  const struct plan *plan;
  int64_t month;        /* the one of `now_ms` */
  int64_t debates_used; /* in it, by the whole tenant */
};
/* The principal's tenant's. */
MUST_CHECK enum status store_get_plan(struct store *store, const struct principal *who,
                                      int64_t now_ms, struct store_plan *ret_plan,
                                      struct error *err);

struct store_used {
  const char *owner_id, *key_id; /* key_id "" = no API key */
  int64_t day;
  struct store_usage usage;
};
typedef bool store_used_fn(void *ctx, const struct store_used *used);
/* Rows of the days [first_day, last_day] of whom the principal may see, by day; until each(...)
 * returns false. `own`: of the principal itself alone. What each is given and must not do are as in
 * store_read_events. */
MUST_CHECK enum status store_read_usage(struct store *store, const struct principal *who, bool own,
                                        int64_t first_day, int64_t last_day, store_used_fn *each,
                                        void *ctx, struct error *err);

#endif
