/* When the last backup was made, by the manifests in a place of backups. Blocks. */
#ifndef ARAGORA_OPS_LAST_BACKUP_H
#define ARAGORA_OPS_LAST_BACKUP_H

#include "ops/backup_name.h"
#include "ops/place.h"

struct last_backup {
  int64_t created_ms; /* Unix; -1 = there is none */
  char name[BACKUP_NAME_SIZE];
};

/* Of the place that `where` names; damaged and unfinished ones do not count, and a place that is
 * not there has none. As place_open and catalogue_read. */
MUST_CHECK enum status last_backup_find(const char *where, const struct place_settings *settings,
                                        struct last_backup *ret_last, struct error *err);

#endif
