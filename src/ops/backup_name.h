/* The names of backups: 20261129T142314Z-hot-0a1b2c3d. They sort by time, say what the backup is,
 * and are safe as file names and object keys. Any thread. */
#ifndef ARAGORA_OPS_BACKUP_NAME_H
#define ARAGORA_OPS_BACKUP_NAME_H

#include "base/bytes.h"

enum backup_kind {
  BACKUP_HOT,    /* the daily one */
  BACKUP_FULL,   /* the weekly one, kept longer, in a cheaper storage class if set */
  BACKUP_MANUAL, /* somebody asked for it; no schedule removes it */
  BACKUP_KINDS
};

enum { BACKUP_NAME_SIZE = 64 };

const char *backup_kind_name(enum backup_kind kind); /* "manual" */
bool backup_kind_parse(struct bytes text, enum backup_kind *ret_kind);

/* A new name, its end at random. */
void backup_name_make(int64_t created_ms, enum backup_kind kind, char out[BACKUP_NAME_SIZE]);

/* False for what is no name of a backup. *ret_created_ms has whole seconds. */
bool backup_name_parse(struct bytes name, enum backup_kind *ret_kind, int64_t *ret_created_ms);

#endif
