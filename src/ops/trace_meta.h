/* What is said of a replay beside its events (meta.json): made of the debate's row and of what its
 * log's first event and its decision hold; nothing is folded. Pure; any thread. */
#ifndef ARAGORA_OPS_TRACE_META_H
#define ARAGORA_OPS_TRACE_META_H

#include "base/json.h"
#include "store/store.h"

enum { TRACE_META_VERSION = 1 };

struct trace_meta {
  json_t *start, *consensus; /* data of these events, or NULL */
  uint64_t events;
  uint8_t head[32];
};

void trace_meta_init(struct trace_meta *meta);
void trace_meta_done(struct trace_meta *meta);
/* Each event of the log, in order. STATUS_CORRUPT where one of the two is no JSON. */
MUST_CHECK enum status trace_meta_take(struct trace_meta *meta, const struct store_event *event,
                                       struct error *err);
/* NULL when memory is short. */
json_t *trace_meta_object(const struct trace_meta *meta, const struct store_debate *row);

#endif
