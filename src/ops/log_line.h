/* An event of a stored log as one line of JSON, as debate/view.h's view_event shows it: {seq, type,
 * ts, timestamp, round, agent, data, salt, data_digest, hash}. `data` is copied as it is stored, in
 * canonical form, and not parsed. Without the line's end. Pure; any thread. */
#ifndef ARAGORA_OPS_LOG_LINE_H
#define ARAGORA_OPS_LOG_LINE_H

#include "store/store.h"

void log_line_append(struct buffer *out, const struct store_event *event);

#endif
