/* HTTP calls to providers: libcurl's multi interface on the loop.
 *
 * A queue of our own stands above curl: at most `max_per_host` transfers to one host are inside
 * curl at once, since what waits inside it costs as much as what runs (docs/internals/providers.md
 * has the measurement). Loop thread only.
 */
#ifndef ARAGORA_IO_HTTP_CLIENT_H
#define ARAGORA_IO_HTTP_CLIENT_H

#include "base/bytes.h"
#include "io/loop.h"

struct http_client;
struct http_call;

enum http_call_end {
  HTTP_CALL_COMPLETE, /* the response arrived whole (its status may still be an error) */
  HTTP_CALL_DNS,
  HTTP_CALL_CONNECT,   /* refused, unreachable, or the connect timeout */
  HTTP_CALL_TLS,       /* the handshake failed for another reason than the next: */
  HTTP_CALL_UNTRUSTED, /* the server's certificate, or our bundle: nothing was sent */
  HTTP_CALL_RESET,     /* the connection broke before the response was whole */
  HTTP_CALL_TIMEOUT,   /* total_timeout_ms passed */
  HTTP_CALL_TOO_LARGE, /* more body than max_body_bytes (after decompression) */
  HTTP_CALL_STOPPED,   /* the data callback returned false */
  HTTP_CALL_PROTOCOL,  /* not HTTP, or a redirect (never followed) */
};

struct http_call_ops {
  /* The head arrived. `header(name)` through http_call_header works from here on. */
  void (*head)(void *ctx, struct http_call *call, int status_code);
  /* A piece of the body; false stops the call with HTTP_CALL_STOPPED. */
  bool (*data)(void *ctx, struct bytes piece);
  /* The pieces of one read have been handed over, or NULL. Other calls may be started and any
   * cancelled here, this one too. */
  void (*read_end)(void *ctx);
  /* The last callback; the call is freed when it returns. `detail` says what curl said. */
  void (*done)(void *ctx, struct http_call *call, enum http_call_end end, const char *detail);
};

struct http_call_spec {
  const char *method;         /* "POST", "GET" */
  const char *url;            /* from configuration only, never from a request */
  const char *const *headers; /* "Name: value", NULL-terminated; copied */
  struct bytes body;          /* copied */
  int64_t connect_timeout_ms;
  int64_t total_timeout_ms; /* from the moment curl starts it */
  size_t max_body_bytes;
  const struct http_call_ops *ops;
  void *ctx;
};

struct http_client_limits {
  size_t max_per_host; /* transfers at once to one host */
  size_t max_queued;   /* waiting over all hosts */
};

MUST_CHECK enum status http_client_create(struct loop *loop, struct http_client_limits limits,
                                          struct http_client **ret_client, struct error *err);
/* Ends what runs without callbacks. NULL is fine. */
void http_client_destroy(struct http_client *client);

/* STATUS_FULL when the queue is. Callbacks begin in a later turn of the loop, never before this
 * returns. */
MUST_CHECK enum status http_call_start(struct http_client *client,
                                       const struct http_call_spec *spec,
                                       struct http_call **ret_call, struct error *err);
/* Closes the connection at once; no callback follows and the call is freed. */
void http_call_cancel(struct http_call *call);

/* A response header's value in any case of name, or NULL. Valid in head and done. */
const char *http_call_header(struct http_call *call, const char *name);
/* True while the call is in our queue: nothing of it has been sent. */
bool http_call_waiting(const struct http_call *call);
/* Microseconds the call waited in our queue. */
int64_t http_call_queued_us(const struct http_call *call);

#endif
