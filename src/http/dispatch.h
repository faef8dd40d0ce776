/* From a whole request to whoever answers it: the handler, inline or on the pool, the WebSocket
 * admission, or an error of ours. */
#ifndef ARAGORA_HTTP_DISPATCH_H
#define ARAGORA_HTTP_DISPATCH_H

#include "http/request.h"

/* HTTP thread. Takes the handler's reference itself; one of the answers of respond.h is given, now
 * or later, exactly once. */
void dispatch(struct http_request *r);

#endif
