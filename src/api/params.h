/* Values of a request's query and path. Any thread. */
#ifndef ARAGORA_API_PARAMS_H
#define ARAGORA_API_PARAMS_H

#include "http/server.h"

/* A number of the query, clamped silently; the fallback when it is absent or no number. */
int64_t params_int(const struct http_request *request, const char *name, int64_t fallback,
                   int64_t min, int64_t max);

/* A whole decimal number; false for anything else. */
bool params_parse_u64(const char *text, uint64_t *ret_value);

/* The {id} of the path, checked, or the debate that a link is to. STATUS_INVALID. */
MUST_CHECK enum status params_debate_id(const struct http_request *request, const char **ret_id,
                                        struct error *err);

/* Where a client asks a stream to resume: the header Last-Event-ID, else ?since=, else 0; what is
 * no number counts as absent. *ret_given tells whether it asked. */
uint64_t params_since(const struct http_request *request, bool *ret_given);

/* The request's body as JSON; STATUS_NOT_JSON for one that is none, as an empty one is. */
MUST_CHECK enum status params_body(const struct http_request *request, json_t **ret_body,
                                   struct error *err);

/* The caller's reason out of the body {"reason": "..."}, NULL when there is no body or none in it;
 * it lives as long as *ret_body, which is the caller's. STATUS_NOT_JSON; STATUS_INVALID for what is
 * no object, no text or longer than `max` bytes. */
MUST_CHECK enum status params_reason(const struct http_request *request, size_t max,
                                     json_t **ret_body, const char **ret_reason, struct error *err);

/* True when Accept asks for JSON and for nothing else. */
bool params_only_json(const struct http_request *request);

#endif
