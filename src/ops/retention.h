/* Which backups are kept for how long. Pure. */
#ifndef ARAGORA_OPS_RETENTION_H
#define ARAGORA_OPS_RETENTION_H

#include "ops/backup_name.h"

struct retention_policy {
  int64_t hot_days;
  int64_t full_days;
};

struct retention_item {
  enum backup_kind kind;
  int64_t created_ms;
  bool good;     /* its manifest can be read */
  bool verified; /* it was read back and found good */
};

/* Sets ret_remove[i] for what is older than its kind's days; manual ones have none. The newest good
 * one stays, and so does the newest verified one: no schedule leaves nobody with nothing. */
void retention_decide(const struct retention_item *items, size_t count,
                      const struct retention_policy *policy, int64_t now_ms, bool *ret_remove);

#endif
