/* The backups of a place. Blocks; one thread at a time. */
#ifndef ARAGORA_OPS_CATALOGUE_H
#define ARAGORA_OPS_CATALOGUE_H

#include "ops/manifest.h"
#include "ops/place.h"

enum { CATALOGUE_MAX = 10000 }; /* backups; more are an error */

struct catalogue_entry {
  char name[BACKUP_NAME_SIZE];
  enum backup_kind kind;
  int64_t created_ms; /* the manifest's, else the name's */
  bool complete;      /* it has a manifest; what has none was cut off, or is being made */
  bool readable;      /* and `manifest` is it; else `problem` says why not */
  struct manifest manifest;
  char problem[200];
  int64_t verified_ms; /* when it was last read back and found good; -1 = never */
};

struct catalogue {
  struct catalogue_entry *entries; /* newest first */
  size_t count;
};

MUST_CHECK enum status catalogue_read(struct place *place, struct catalogue *ret_catalogue,
                                      struct error *err);
void catalogue_done(struct catalogue *catalogue);

/* The newest readable one made at or before the moment; NULL = there is none. */
const struct catalogue_entry *catalogue_at(const struct catalogue *catalogue, int64_t at_ms);
const struct catalogue_entry *catalogue_find(const struct catalogue *catalogue, const char *name);

/* Notes that the backup was read back and found good. */
MUST_CHECK enum status catalogue_mark_verified(struct place *place, const char *name,
                                               int64_t verified_ms, struct error *err);

/* Removes a backup: first what makes it one. */
MUST_CHECK enum status catalogue_remove(struct place *place, const char *name, struct error *err);

#endif
