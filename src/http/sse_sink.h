/* An event stream: a source's frames as text/event-stream, pulled by the HTTP thread while the
 * socket takes them and parked while there are none. */
#ifndef ARAGORA_HTTP_SSE_SINK_H
#define ARAGORA_HTTP_SSE_SINK_H

#include "http/server_state.h"

/* Loop thread: makes the streams whose time has come send a comment. */
void sse_tick(struct http_server *server, int64_t now_ms);
/* Any thread: every stream ends. */
void sse_end_all(struct http_server *server);

#endif
