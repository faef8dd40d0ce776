/* A loopback HTTP server for tests, on the same loop as what it tests: it reads whole requests and
 * lets the test answer with whatever bytes it likes, whenever it likes. */
#ifndef ARAGORA_TESTS_TINY_SERVER_H
#define ARAGORA_TESTS_TINY_SERVER_H

#include "base/bytes.h"
#include "io/loop.h"

struct tiny_server;
struct tiny_peer; /* one connection; valid until it closed */

/* `request` is head and body; `number` counts the server's requests from 1. */
typedef void tiny_answer_fn(void *ctx, struct tiny_peer *peer, struct bytes request, int number);

struct tiny_server *tiny_server_start(struct loop *loop, tiny_answer_fn *answer, void *ctx);
void tiny_server_stop(struct tiny_server *server);
int tiny_server_port(const struct tiny_server *server);
int tiny_server_connections(const struct tiny_server *server); /* ever accepted */
int tiny_server_open(const struct tiny_server *server);        /* open now */
/* Called when a peer's connection has gone. */
void tiny_server_on_close(struct tiny_server *server, void (*closed)(void *ctx));

void tiny_send(struct tiny_peer *peer, struct bytes data);
/* A whole 200 response with a length. */
void tiny_send_body(struct tiny_peer *peer, int status, const char *extra_head, struct bytes body);
void tiny_close(struct tiny_peer *peer); /* after what was sent */
void tiny_reset(struct tiny_peer *peer); /* RST */

#endif
