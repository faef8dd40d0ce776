/* The gate of the HTTP server (api_gate): who calls, and may they do that. The only place where a
 * credential meets HTTP. Any thread. */
#ifndef ARAGORA_API_GATE_H
#define ARAGORA_API_GATE_H

#include "http/server.h"

/* True when nobody without a credential may learn that there is no such thing: whether a debate is
 * private or not there, the answer is 401. */
bool gate_hides(const struct http_request *request, enum status status);
/* 401, for who brought no credential. */
void gate_refuse_anonymous(struct http_request *request);

#endif
