/* A directory for what is being made, `.staging-XXXXXXXX` beside what it will become. It is locked
 * (flock) as long as its maker lives; what a killed process left is swept by the next one. */
#ifndef ARAGORA_OPS_STAGING_H
#define ARAGORA_OPS_STAGING_H

#include "ops/disk.h"

struct staging {
  char path[DISK_PATH_MAX];
  int fd;
};

/* Inside `dir`, which is made where it is missing; sweeps first. */
MUST_CHECK enum status staging_make(const char *dir, struct staging *ret_staging,
                                    struct error *err);
/* Removes it with all that is in it. One whose path is "" is fine. */
void staging_drop(struct staging *staging);

#endif
