/* A body that is made while it is sent: pieces from a producer that may block, on the pool, sent by
 * the HTTP thread, one at a time.
 *
 * The piece belongs to one side at a time: to the pool while it is made, when the connection is
 * parked, and to the HTTP thread until it has left. So a client that stops reading holds the
 * producer back with one piece in memory, and one that has left ends it. */
#ifndef ARAGORA_HTTP_STREAM_SINK_H
#define ARAGORA_HTTP_STREAM_SINK_H

#include "http/server_state.h"

/* Any thread: streams are cut from now on, each where its next piece would begin. */
void stream_cut_all(struct http_server *server);
/* True when no connection waits for a piece. With server->lock held. */
bool stream_none_waits(struct http_server *server);

#endif
