/* Subscriptions that begin in the store: the pages of a log that the hub no longer holds, read on
 * the pool and turned into frames. */
#ifndef ARAGORA_API_HISTORY_H
#define ARAGORA_API_HISTORY_H

#include "api/state.h"

/* Events of `debate_id` (which exists and which `who` may read) with seq > since, then live ones.
 * As hub_subscribe. Copies the identity. Any thread. */
MUST_CHECK enum status history_subscribe(struct api *api, const struct identity *who,
                                         const char *debate_id, uint64_t since,
                                         bool end_with_debate, struct frame_source *ret_source);

#endif
