/* Events of the store as the engine and the live streams know them. Pool threads. */
#ifndef ARAGORA_OPS_STORED_EVENT_H
#define ARAGORA_OPS_STORED_EVENT_H

#include "debate/event.h"
#include "io/frame.h"
#include "store/store.h"

/* Borrows from `stored`; *ret_event's data is the caller's to decref: an empty object when the
 * content was deleted. STATUS_CORRUPT, STATUS_NOMEM. */
MUST_CHECK enum status stored_event_read(const struct store_event *stored, struct event *ret_event,
                                         struct error *err);

/* One event of a log; anything but STATUS_OK ends the reading, STATUS_CANCELLED as it is enough. */
typedef enum status stored_event_fn(void *ctx, const struct event *event,
                                    const struct store_event *stored, struct error *err);
/* Calls each(ctx, ...) for the events of a log, in their order. As store_read_events,
 * stored_event_read and `each`. Blocks. */
MUST_CHECK enum status stored_event_each(struct store *store, const struct principal *who,
                                         const char *debate_id, stored_event_fn *each, void *ctx,
                                         struct error *err);

/* Its frame, as the runner published it. `scratch` is the caller's, reused. */
MUST_CHECK enum status stored_event_frame(const struct store_event *stored, const char *debate_id,
                                          uint64_t agent_seq, struct buffer *scratch,
                                          struct frame **ret_frame, struct error *err);

#endif
