/* Debates as JSON: {"exported_at", "format", "debates": [...], "count"}, each debate on a line of
 * its own, which is the object that view_debate makes with its `log` behind. Blocks where it takes
 * a store; any thread. */
#ifndef ARAGORA_OPS_EXPORT_JSON_H
#define ARAGORA_OPS_EXPORT_JSON_H

#include "base/json.h"
#include "store/store.h"

void export_json_begin(struct buffer *out, const char *exported_at);
/* In front of each debate of the list. */
void export_json_between(struct buffer *out, bool first);
void export_json_object(struct buffer *out, const json_t *object);
/* The object and its log up to `last_seq`, every event with salt, data_digest and hash. */
MUST_CHECK enum status export_json_debate(struct buffer *out, struct store *store,
                                          const struct principal *who, const json_t *object,
                                          uint64_t last_seq, struct error *err);
void export_json_end(struct buffer *out, uint64_t count);

/* Adds to `out`, which holds one debate and nothing else, its `format`, `filename` and, as one
 * text, itself (`data`): existing clients read that. */
MUST_CHECK enum status export_json_wrap(struct buffer *out, const char *file_name,
                                        struct error *err);

#endif
