/* Whether two unpacked databases are what their manifest says, and whole. Blocks; any thread. */
#ifndef ARAGORA_OPS_EXAMINE_H
#define ARAGORA_OPS_EXAMINE_H

#include "ops/manifest.h"
#include "ops/progress.h"

enum { EXAMINE_CHAINS = 100 }; /* of a check that is not deep */

struct examination {
  bool deep;     /* the chain of every debate, else of EXAMINE_CHAINS spread over all */
  bool audited;  /* the chain of the audit log too: a copy may be whole of a log that is not */
  bool replayed; /* changes were added: position and census are no longer the manifest's */
  const struct progress *progress;
};

/* integrity_check of both, schema, position, counts and heads as in the manifest, and the hash
 * chains of the debates, and of the audit log where it is asked for. *ret_chains is how many were
 * checked. STATUS_CORRUPT says what is wrong, and in which file. */
MUST_CHECK enum status examine(const char *const paths[MANIFEST_FILES],
                               const struct manifest *manifest, const struct examination *how,
                               int64_t *ret_chains, struct error *err);

#endif
