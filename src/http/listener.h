/* A listening socket on the loop. We accept ourselves, so that several sockets share one daemon
 * and its threads, and so that running out of descriptors makes us wait instead of spin.
 */
#ifndef ARAGORA_HTTP_LISTENER_H
#define ARAGORA_HTTP_LISTENER_H

#include "io/loop.h"

#include <sys/socket.h>

struct http_server;

struct listener {
  int fd; /* -1 = none */
  int port;
  bool is_ws;
  struct http_server *server;
  uv_poll_t poll;          /* loop thread */
  struct loop_timer *rest; /* while descriptors are short */
  uint64_t complained_ms;  /* of the loop; 0 = never */
  bool polling;            /* the handle is open */
};

/* Loop thread. */
void listener_start(struct listener *l);
/* Loop thread: stops accepting and closes the socket. */
void listener_stop(struct listener *l);

#endif
