#include "ops/retention.h"

enum { DAY_MS = 24 * 3600 * 1000 };

/* The newest that is good, or good and verified; `count` when there is none. */
static size_t newest(const struct retention_item *items, size_t count, bool verified) {
  size_t found = count;
  for (size_t i = 0; i < count; i++) {
    if (!items[i].good || (verified && !items[i].verified)) continue;
    if (found == count || items[i].created_ms > items[found].created_ms) found = i;
  }
  return found;
}

/* -1 = for ever. */
static int64_t days_of(enum backup_kind kind, const struct retention_policy *policy) {
  switch (kind) {
    case BACKUP_HOT: return policy->hot_days;
    case BACKUP_FULL: return policy->full_days;
    case BACKUP_MANUAL:
    case BACKUP_KINDS: break;
  }
  return -1;
}

void retention_decide(const struct retention_item *items, size_t count,
                      const struct retention_policy *policy, int64_t now_ms, bool *ret_remove) {
  size_t last = newest(items, count, false), last_verified = newest(items, count, true);
  for (size_t i = 0; i < count; i++) {
    int64_t days = days_of(items[i].kind, policy);
    bool old = days >= 0 && now_ms - items[i].created_ms > days * DAY_MS;
    ret_remove[i] = old && i != last && i != last_verified;
  }
}
