/* WebSocket connections on the loop: sockets, queues, heartbeats, and the sources that stream into
 * them. A source is polled only while the socket takes what it gives, so that the hub's ring is the
 * buffer of a slow reader and not this. Loop thread, except where it says otherwise.
 */
#ifndef ARAGORA_HTTP_WS_SINK_H
#define ARAGORA_HTTP_WS_SINK_H

#include "http/server.h"

#include <pthread.h>

struct http_request;

/* A server's connections. */
struct ws_table {
  struct http_websocket *open;     /* every one whose handle is not closed */
  struct http_websocket *to_ping;  /* by time of the next ping, soonest first */
  struct http_websocket *to_judge; /* pinged, no pong yet, by deadline, soonest first */
  atomic_size_t count;             /* written on the loop, read by http_server_stop */
  pthread_mutex_t lock;            /* guards what follows; taken by wakes from any thread */
  struct http_websocket *ready;    /* a source of theirs may have frames */
  size_t ready_count;
  bool ready_posted;
  atomic_llong active, total, messages_in, messages_out, errors; /* any thread */
};

void ws_table_init(struct ws_table *t);
void ws_table_done(struct ws_table *t);

/* --- on the way in, HTTP thread or pool --- */

/* A connection to be, of the request's peer; NULL when memory is short. */
struct http_websocket *ws_create(struct http_request *r);
/* Admitted with this context: from here on its end is told to the application. */
void ws_set_context(struct http_websocket *ws, void *ctx);
/* It will not be: told to the application on the loop where it was admitted. */
void ws_abandon(struct http_websocket *ws);
/* Takes over `fd` and the bytes that came after the handshake. */
void ws_hand_over(struct http_websocket *ws, int fd, struct bytes early);

/* --- loop --- */

void ws_tick(struct http_server *server, int64_t now_ms);
/* Closes every one with 1001 after what it has, the frame that waits for its own write included;
 * `force` does not wait for the peers. */
void ws_close_all(struct http_server *server, bool force);

#endif
