/* The metrics as the earlier server gave them, in JSON, with what it did not know beside. */
#ifndef ARAGORA_API_METRICS_JSON_H
#define ARAGORA_API_METRICS_JSON_H

#include "api/state.h"

#include <jansson.h>

/* NULL when memory is short. Any thread. */
json_t *metrics_json(const struct api *api);

#endif
