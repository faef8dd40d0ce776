/* Answers: JSON bodies, and the one place where a status becomes an HTTP code. Any thread. */
#ifndef ARAGORA_API_REPLY_H
#define ARAGORA_API_REPLY_H

#include "base/json.h"
#include "http/server.h"

/* Takes the reference of `body`; NULL (memory was short) answers 503. Numbers are written as short
 * as they were meant (0.6, not 0.59999999999999998). `headers` as for http_respond. */
void reply_json(struct http_request *request, int status_code, json_t *body,
                const char *const *headers);

/* The same error body for what is decided here. */
void reply_error(struct http_request *request, int status_code, const char *code,
                 const char *message, const char *const *headers);

/* The error body for a failed status; `err` may be NULL. Words that speak of a field without naming
 * it get its name in front, as many clients show nothing else. Faults of ours keep their words for
 * the log, where they are noted with the request's id, and say only that an error occurred. */
void reply_failure(struct http_request *request, enum status status, const struct error *err,
                   const char *const *headers);
/* The same with the members of `more`, which is taken and may be NULL, beside those of every error.
 */
void reply_failure_with(struct http_request *request, enum status status, const struct error *err,
                        const char *const *headers, json_t *more);

/* The HTTP code of a status and, in *ret_code, its word. */
int reply_status_code(enum status status, const char **ret_code);

#endif
