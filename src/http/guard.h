/* Who may talk to us at all, by Host and Origin. Read-only after guard_init; any thread.
 *
 * While no credential is configured, only pages and programs of this machine may use the server:
 * the Host must be a loopback name, which a rebound DNS name never is, and an Origin loopback.
 */
#ifndef ARAGORA_HTTP_GUARD_H
#define ARAGORA_HTTP_GUARD_H

#include "base/bytes.h"

struct guard {
  bool local_only;
  bool any_origin; /* "*" */
  char **origins;  /* the list otherwise */
  size_t origin_count;
};

MUST_CHECK enum status guard_init(struct guard *g, const char *allowed_origins, bool local_only,
                                  struct error *err);
void guard_done(struct guard *g);

/* "localhost", "127.0.0.1", "[::1]", each with or without a port. */
bool guard_host_is_local(const char *host);
/* http or https on one of those, or on none other. */
bool guard_origin_is_local(const char *origin);

/* True when a request with these headers (NULL = absent) may be served. */
bool guard_admits(const struct guard *g, const char *host, const char *origin);
/* The value of Access-Control-Allow-Origin, or NULL for none: "*" or the listed origin. */
const char *guard_cors_origin(const struct guard *g, const char *origin);
/* A browser's page may open a WebSocket: its origin is allowed, or it is our own host. */
bool guard_admits_websocket(const struct guard *g, const char *host, const char *origin);

#endif
