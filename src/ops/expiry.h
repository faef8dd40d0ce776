/* How long debates are kept, by class; what is past its term is deleted, as its owner would.
 *
 * The janitor's thread. Terms in days, 0 = for ever.
 */
#ifndef ARAGORA_OPS_EXPIRY_H
#define ARAGORA_OPS_EXPIRY_H

#include "base/options.h"
#include "store/store.h"

struct expiry_terms {
  int64_t completed_days; /* cancelled ones too: they have their best answer */
  int64_t failed_days;
  int64_t demo_days; /* however they ended */
};

struct expiry_terms expiry_terms_of(const struct options *options);

/* Deletes at most `limit` debates that were created more than their term before `now_ms`, oldest
 * first. Blocks for each deletion until it is on disk. What fails is an error, and what was deleted
 * until then is counted. */
MUST_CHECK enum status expiry_enforce(struct store *store, const struct expiry_terms *terms,
                                      int64_t now_ms, size_t limit, size_t *ret_deleted,
                                      struct error *err);

#endif
