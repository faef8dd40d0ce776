/* Plans: how many debates a month a tenant may start. A table; any thread. */
#ifndef ARAGORA_BASE_PLAN_H
#define ARAGORA_BASE_PLAN_H

#include <stdint.h>

struct plan {
  const char *id; /* "free" */
  const char *name;
  int64_t debates_per_month;   /* 0 = as many as one likes */
  int64_t users;               /* people of one tenant; 0 = any number */
  int64_t price_monthly_cents; /* US cents */
};

/* In the order of their size; ended by one whose id is NULL. */
extern const struct plan plan_table[];

/* NULL when there is none of this name. */
const struct plan *plan_find(const char *id);
/* What a tenant has that nobody gave one: the operator's own, `local`, has no quota. */
const struct plan *plan_of_new_tenant(const char *tenant_id);

/* Months of UTC: 12 for each year since 1970, and 0 for January. */
int64_t plan_month(int64_t wall_ms);
/* When it began, Unix milliseconds. */
int64_t plan_month_start_ms(int64_t month);

#endif
