/* What the files of this room share: the server and its parts. Not for other rooms. */
#ifndef ARAGORA_HTTP_SERVER_STATE_H
#define ARAGORA_HTTP_SERVER_STATE_H

#include "http/caller_limits.h"
#include "http/connection.h"
#include "http/guard.h"
#include "http/listener.h"
#include "http/proxies.h"
#include "http/router.h"
#include "http/server.h"
#include "http/ws_sink.h"

#include <microhttpd.h>
#include <pthread.h>

enum {
  SERVER_CONNECTION_MEMORY_BYTES = 16 << 10, /* a request's head must fit */
  SERVER_HEAD_TIMEOUT_S = 30,                /* a head that drips */
  SERVER_BODY_TIMEOUT_S = 120,               /* a body that drips */
  THROTTLE_CALLERS = 16384,                  /* remembered where the options name no number */
};

struct sse_sink;

struct http_server {
  struct loop *loop;
  struct pool *pool;
  struct http_options options;
  struct guard guard;
  struct proxies proxies;
  struct router *routes;    /* rows: struct http_route */
  struct router *ws_routes; /* rows: struct http_ws_route */
  const struct http_ws_route *ws_any;
  const struct http_ws_ops *ws_ops;
  void *app;
  struct MHD_Daemon *daemon;
  struct caller_limits *request_limits; /* NULL = none */
  struct caller_limits *ws_limits;
  char rate_policy[64]; /* the RateLimit-Policy header */
  atomic_bool stopping;
  atomic_bool cutting; /* bodies of stream_sink that have not ended are cut */

  /* Guards what follows; never held while a source, the daemon or a handler is called. */
  pthread_mutex_t lock;
  pthread_cond_t changed;
  struct http_connection *connections;
  struct http_request *suspended; /* requests whose handler answers later */
  struct sse_sink *streams;       /* oldest heartbeat first */
  size_t pauses;                  /* timers of sse_sink under way on the loop */
  size_t bodies_waiting;          /* connections that wait for a piece of stream_sink */
  atomic_int open;                /* connections given to libmicrohttpd and not closed */
  atomic_int in_flight; /* requests begun and not completed; `changed` tells when stopping */
  bool loop_done;       /* an answer of the loop for http_server_stop */
  bool ticking;         /* a tick is posted or its timer runs */

  /* loop thread */
  struct listener listeners[PORTS_MAX];
  size_t listener_count;
  struct loop_timer *tick;
  struct ws_table ws;
};

/* Any thread: deadlines, heartbeats and the like are looked at once a second while there is a
 * connection; an idle server has no timer. With server->lock held. */
void server_start_ticking(struct http_server *server);

/* From the whole millisecond in which one write had left to the one from which a frame may go
 * alone: both are cut, so that one more is needed for FRAME_ALONE_DELAY_MS to have passed. */
enum { SERVER_ALONE_WAIT_MS = FRAME_ALONE_DELAY_MS + 1 };

/* The monotonic clock. */
int64_t server_now_ms(void);
/* How many connections may be open at once. */
size_t server_most_connections(const struct http_server *server);

#endif
