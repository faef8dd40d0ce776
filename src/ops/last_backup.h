/* When the last backup was made, by the manifests in the directory of backups. Blocks. */
#ifndef ARAGORA_OPS_LAST_BACKUP_H
#define ARAGORA_OPS_LAST_BACKUP_H

#include "base/bytes.h"

struct last_backup {
  int64_t created_ms; /* Unix; -1 = there is none */
  char name[256];     /* of its manifest */
};

/* Reads "created_ms" of every DIRECTORY/NAME.manifest.json. A directory that is not there has none;
 * a manifest that cannot be read is passed over. STATUS_IO when the directory cannot be read. */
MUST_CHECK enum status last_backup_find(const char *directory, struct last_backup *ret_last,
                                        struct error *err);

#endif
