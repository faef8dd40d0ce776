/* The answer of a start that the plan's quota refuses: 429 QUOTA_EXCEEDED with `plan`, `limit`,
 * `used` and `resets_at`. */
#ifndef ARAGORA_API_QUOTA_REPLY_H
#define ARAGORA_API_QUOTA_REPLY_H

#include "api/state.h"

/* Answers from the pool, where the count is read; at once and with nulls in its place when nobody
 * is there to read it. Any thread; `err` is copied, `headers` (as for http_respond) live on. */
void quota_reply(struct http_request *request, struct api *api, const struct error *err,
                 const char *const *headers);

#endif
