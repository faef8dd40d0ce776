/* What existing clients may ask for and nothing here computes: answered 501 FEATURE_UNAVAILABLE,
 * which no client retries, and never with a made-up value. The table is in unavailable.c; a route
 * of api_routes goes before it. Any thread. */
#ifndef ARAGORA_API_UNAVAILABLE_H
#define ARAGORA_API_UNAVAILABLE_H

#include "http/server.h"

/* What the path would be for, or NULL when it is not in the table. */
const char *unavailable_feature(const char *method, const char *path);
/* For http_options.unrouted: true when it answered. */
bool unavailable_answer(struct http_request *request, void *app);

#endif
