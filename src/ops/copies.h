/* The copies that stand beside a database from before it was migrated:
 * aragora_memory.before-4-20261123T223712345Z.db was aragora_memory.db before it went to schema 4.
 * Blocks; any thread.
 */
#ifndef ARAGORA_OPS_COPIES_H
#define ARAGORA_OPS_COPIES_H

#include "base/bytes.h"

/* The name of a copy that is made at `wall_ms`, before `database` goes to schema `version`, into
 * `out` of `size` bytes; false when it does not fit. */
bool copies_name(const char *database, int64_t version, int64_t wall_ms, char *out, size_t size);

/* Removes the oldest copies of the database but `keep`, and what a killed copy left half done. */
MUST_CHECK enum status copies_trim(const char *database, size_t keep, struct error *err);

#endif
