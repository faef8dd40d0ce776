/* Answers: from a status and a body to a response of libmicrohttpd with the headers that every
 * response of ours carries, and on to the HTTP thread. */
#ifndef ARAGORA_HTTP_RESPOND_H
#define ARAGORA_HTTP_RESPOND_H

#include "http/request.h"

/* A prepared response of a http_shared; see shared.c. */
struct shared_response;

/* Adds our headers; `extra` ("Name: value", NULL-terminated, or NULL) replaces those of the same
 * name. False when memory is short. */
bool respond_add_headers(const struct http_request *r, struct MHD_Response *response,
                         const char *content_type, const char *const *extra);

/* Hands the answer to the HTTP thread; takes `response`, which may be NULL (memory was short: the
 * connection is closed), and the handler's reference of the request. Any thread, once. */
void respond_send(struct http_request *r, int status, struct MHD_Response *response);

/* Gives up an answer that will not be sent, or was: what it borrowed goes back. */
void respond_drop(struct http_request *r);

/* {"error":..,"code":..,"request_id":..}; headers as above. */
void respond_error(struct http_request *r, int status, const char *code, const char *field,
                   const char *message, const char *const *extra);

/* 429, with what a client needs to come back in time. */
void respond_rate_limited(struct http_request *r, const char *message, int retry_after_s,
                          int64_t limit);

/* Gives a borrowed response back, when the request is completed. */
void shared_give_back(struct http_shared *shared, struct shared_response *lent);

/* The `code` of an error status, as docs/api.md describes errors. */
const char *respond_code_of(int status);

#endif
