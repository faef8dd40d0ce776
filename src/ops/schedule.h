/* What the janitor does next, and when. Pure: everything it depends on is given, times in Unix
 * milliseconds, so that a restart decides the same from the manifests of the backups. */
#ifndef ARAGORA_OPS_SCHEDULE_H
#define ARAGORA_OPS_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

enum schedule_act {
  SCHEDULE_NOTHING,
  SCHEDULE_CHECKPOINT,
  SCHEDULE_HOT,
  SCHEDULE_FULL,
  SCHEDULE_BASE,   /* a hot backup that the archive of changes waits for */
  SCHEDULE_EXPIRY, /* of debates past their term */
};

struct schedule_policy { /* 0 = never, except for the delay */
  int64_t hot_ms, full_ms, checkpoint_ms, expiry_ms;
  int64_t delay_ms; /* from the start to the first backup */
};

struct schedule_past { /* -1 = never */
  int64_t started_ms;
  int64_t last_backup_ms; /* hot or full */
  int64_t last_full_ms;
  int64_t last_checkpoint_ms;
  int64_t last_expiry_ms;
  int64_t last_failure_ms;
  int64_t failures; /* in a row */
  int64_t base_wanted_ms;
  int64_t last_base_ms; /* made for that reason */
};

struct schedule_next {
  enum schedule_act act; /* SCHEDULE_NOTHING: nothing ever */
  int64_t at_ms;         /* now or before: it is due */
};

/* The earliest; of several that are due the one that counts for most. A full backup counts as a hot
 * one, and the first of all is full. Times in the future (a clock that was set back) count as now.
 */
struct schedule_next schedule_decide(const struct schedule_policy *policy,
                                     const struct schedule_past *past, int64_t now_ms);

#endif
