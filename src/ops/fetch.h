/* Getting a backup out of its place again, checked against its manifest byte by byte. Blocks; one
 * thread at a time. Every error names the file of the backup. */
#ifndef ARAGORA_OPS_FETCH_H
#define ARAGORA_OPS_FETCH_H

#include "ops/manifest.h"
#include "ops/place.h"
#include "ops/progress.h"

/* STATUS_NOT_FOUND when there is no backup of that name; else as manifest_parse. */
MUST_CHECK enum status fetch_manifest(struct place *place, const char *name,
                                      struct manifest *ret_manifest, struct error *err);

/* Unpacks one database into the file `to` (NULL = only reads it and compares), which is then on
 * disk where it is to be `durable`. STATUS_CORRUPT when a length or a hash is not the manifest's;
 * nothing is left of the file then. */
MUST_CHECK enum status fetch_database(struct place *place, const struct manifest *manifest,
                                      enum database kind, const char *to, bool durable,
                                      const struct progress *progress, struct error *err);

#endif
