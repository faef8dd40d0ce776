/* One request, from its target to its answer.
 *
 * Two hold it: libmicrohttpd's side (until it is completed) and the handler (until it answers). A
 * handler that answers after the connection was given up at shutdown finds REQUEST_ABANDONED, and
 * its answer is dropped; nothing it may still read belongs to the connection by then.
 */
#ifndef ARAGORA_HTTP_REQUEST_H
#define ARAGORA_HTTP_REQUEST_H

#include "http/server_state.h"

enum {
  REQUEST_ID_MAX = 128,
  REQUEST_METHOD_SIZE = 16,
  REQUEST_HEADERS_MAX = 100,
  REQUEST_DRAIN_MAX = 1 << 20, /* of a body over the limit read and dropped, so that the client
                                  sees the answer and not a reset */
};

enum request_state {
  REQUEST_RUNNING,   /* the handler has it; the HTTP thread has not parked the connection */
  REQUEST_SUSPENDED, /* the handler has it; the connection is parked until it answers */
  REQUEST_ANSWERED,  /* `response` is set; the HTTP thread sends it */
  REQUEST_ABANDONED, /* given up at shutdown; the HTTP thread answers 503 itself */
};

enum request_phase { REQUEST_HEAD, REQUEST_BODY, REQUEST_DISPATCHED, REQUEST_SENT };

struct request_header {
  const char *name, *value;
};

struct request_text {
  struct request_text *next;
  char *text;
};

struct http_request {
  struct http_request *next, *prev; /* server->suspended */
  struct http_server *server;
  struct MHD_Connection *mhd; /* HTTP thread, or while SUSPENDED */
  atomic_int refs;
  atomic_int state;
  enum request_phase phase;
  int64_t started_us;
  char method[REQUEST_METHOD_SIZE];
  char id[REQUEST_ID_MAX + 1];
  char *path;         /* decoded */
  struct bytes query; /* raw */
  int version;        /* of the API: 1 or 2 */
  const char *target; /* as libmicrohttpd has it, until the head was read */
  bool on_ws_port;
  bool close;         /* the connection must not be used again */
  bool wants_upgrade; /* Upgrade: websocket and Connection: upgrade */
  bool streams;       /* its body is made while it is sent, under a timeout of its own */
  bool rated;         /* counted against the limit: `rate` goes into the headers */
  struct caller_standing rate;
  struct address address;    /* the client's, the forwarded one behind a trusted proxy */
  char peer[ADDRESS_SIZE];   /* the same as text */
  struct http_caller caller; /* OPEN until the gate was asked */
  struct router_match match;
  const struct http_route *route;
  char *params[ROUTER_PARAMS_MAX];
  const char *cors_origin; /* Access-Control-Allow-Origin; the guard's memory, or NULL */

  struct buffer body;
  size_t drained;
  int early_status; /* refused before a handler saw it; 0 = fine */
  const char *early_code, *early_message;

  struct request_header *headers; /* a copy, once it may be answered later; else NULL */
  size_t header_count;
  struct request_text *texts; /* decoded query values handed out */

  int status;
  struct MHD_Response *response;
  struct http_shared *shared;       /* the response is one of its own */
  struct shared_response *lent;     /* " */
  struct http_websocket *websocket; /* admitted and not yet handed to the loop */
  const struct http_ws_route *ws_route;
  char raw[]; /* the target as it came, then the decoded path, then its segments */
};

/* NULL when memory is short. */
struct http_request *request_create(struct http_server *server, struct http_connection *connection,
                                    struct MHD_Connection *mhd, const char *target);
struct http_request *request_ref(struct http_request *r);
void request_unref(struct http_request *r);

/* Reads the head: headers' rules, guard, route. What is refused is in early_*. HTTP thread. */
void request_read_head(struct http_request *r, const char *method, const char *version);
/* A copy of every header. False when memory is short. HTTP thread. */
bool request_copy_headers(struct http_request *r);
/* Its path holds a secret: secret_after of struct http_options. */
bool request_is_secret(const struct http_request *r);
void request_refuse(struct http_request *r, int status, const char *code, const char *message);

#endif
