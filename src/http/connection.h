/* A TCP connection while libmicrohttpd has it: whose it is, and until when what is under way on it,
 * a request's head or its body, must be whole. libmicrohttpd's own timeout is for silence; a byte
 * now and then resets it.
 *
 * The head of a request has as long on a connection that was kept as on a new one. Where it begins
 * there libmicrohttpd does not say: once a second it is looked at what the kernel has received
 * (tcpi_bytes_received of tcp(7)'s TCP_INFO, since Linux 4.1). The first look at a connection that
 * awaits a head is what the later ones compare with, so that a request costs no system call for it;
 * a part of a head that came before it counts from its next byte on, or as silence.
 */
#ifndef ARAGORA_HTTP_CONNECTION_H
#define ARAGORA_HTTP_CONNECTION_H

#include "http/address.h"

#include <stdatomic.h>
#include <stdbool.h>

enum { CONNECTION_IDLE_TIMEOUT_S = 60 }; /* one on which nothing happens */

/* In a list of the server's, which its lock guards; the rest is set once or atomic. */
struct http_connection {
  struct http_connection *next, *prev;
  int fd;
  bool on_ws_port;
  struct address address;
  char peer[ADDRESS_SIZE]; /* the same as text */
  atomic_int deadline_s;   /* as connection_now_s; 0 = none */
  atomic_uint heads;       /* twice the heads awaited so far; plus 1 while no byte of the
                              next one is known */
  unsigned looked_at;      /* loop thread: `heads` at the look that set `received` */
  uint64_t received;       /* loop thread: bytes by then */
};

/* The monotonic clock in seconds, a few ms late but cheap. Any thread. */
int connection_now_s(void);

/* HTTP thread. A body has so long from now; 0 = what follows has no deadline: a request is whole.
 */
void connection_set_deadline(struct http_connection *connection, int seconds);
/* HTTP thread: it is answered, and the next may come. */
void connection_await_head(struct http_connection *connection, int head_timeout_s);
/* HTTP thread: the line of a request is there. */
void connection_begin_head(struct http_connection *connection, int head_timeout_s);

/* Loop thread, once a second, under the server's lock: ends it when its time is over. */
void connection_look(struct http_connection *connection, int now_s, int head_timeout_s);

#endif
