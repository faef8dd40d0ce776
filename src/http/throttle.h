/* The limits on callers at work: counts what they begin, says in the log and in the metrics whom it
 * turned away, and answers for it. */
#ifndef ARAGORA_HTTP_THROTTLE_H
#define ARAGORA_HTTP_THROTTLE_H

#include "http/request.h"

/* Where the server has limits; STATUS_NOMEM. */
MUST_CHECK enum status throttle_init(struct http_server *server, struct error *err);
void throttle_done(struct http_server *server);

/* HTTP thread. False when the request is one too many: it has been answered with 429. What is no
 * call of the API, and every probe, passes uncounted. */
bool throttle_admit(struct http_request *r);
/* The same for a WebSocket; one that passed is held until throttle_leave_websocket. */
bool throttle_admit_websocket(struct http_request *r);
void throttle_leave_websocket(struct http_server *server, const struct caller *caller);

#endif
