/* What /api/health/deep and /api/health/detailed say: every part looked at. 503 only when the
 * databases cannot be used; what is not well otherwise is a warning, as the server does serve.
 * Block; pool threads. NULL when memory is short. */
#ifndef ARAGORA_API_HEALTH_DEEP_H
#define ARAGORA_API_HEALTH_DEEP_H

#include "api/state.h"

struct http_shared *health_deep_make(struct api *api, int *ret_http_status);
struct http_shared *health_deep_make_detailed(struct api *api, int *ret_http_status);

#endif
