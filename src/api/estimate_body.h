/* An estimate as JSON: what POST /api/debates answers to a dry run, and what `aragora ask
 * --dry-run` shows. Any thread. */
#ifndef ARAGORA_API_ESTIMATE_BODY_H
#define ARAGORA_API_ESTIMATE_BODY_H

#include "runner/estimate.h"

/* `attempts_max`: how often one call may be made at most, failures included. NULL when memory is
 * short. */
json_t *estimate_body(const struct debate_config *config, const struct estimate *estimate,
                      int64_t attempts_max);

#endif
