/* How far long work is, and whether it shall go on. */
#ifndef ARAGORA_OPS_PROGRESS_H
#define ARAGORA_OPS_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
  /* Called on the working thread, often. `what` is a static text ("compressing aragora_memory.db"),
   * `total` 0 = not known. False = stop: the work ends with STATUS_CANCELLED. NULL is fine. */
  bool (*step)(void *ctx, const char *what, int64_t done, int64_t total);
  void *ctx;
};

static inline bool progress_step(const struct progress *p, const char *what, int64_t done,
                                 int64_t total) {
  return !p || !p->step || p->step(p->ctx, what, done, total);
}

#endif
