/* What /api/health says: the fields that the runbook, existing clients and the pages read, each
 * with a value that was looked up. Blocks; pool threads. */
#ifndef ARAGORA_API_HEALTH_BODY_H
#define ARAGORA_API_HEALTH_BODY_H

#include "api/state.h"
#include "base/json.h"

/* NULL when memory is short. *ret_http_status is 200 while the process can serve, 503 when the
 * database cannot be used. */
struct http_shared *health_body_make(struct api *api, int *ret_http_status);

/* Takes the reference of the body; NULL when memory is short, as when it is NULL. */
struct http_shared *health_body_share(json_t *body);

#endif
