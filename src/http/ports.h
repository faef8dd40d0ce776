/* The ports of a server, held before anything else is touched and listened on once it can answer.
 */
#ifndef ARAGORA_HTTP_PORTS_H
#define ARAGORA_HTTP_PORTS_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

enum { PORTS_MAX = 4 }; /* two ports, each on both loopbacks */

struct port {
  int fd;
  int number; /* as bound */
  bool is_ws;
};

struct ports {
  struct port all[PORTS_MAX];
  size_t count;
};

/* Binds, and does not listen: who connects is still refused by the kernel. `host`: an address,
 * "localhost", or NULL = 127.0.0.1 and, where it exists, ::1. `port`: 0 = any free one. `ws_port`:
 * 0 = none, -1 = any free one. STATUS_IO "port 8080 is in use" and the like, STATUS_DENIED for one
 * that needs privileges, STATUS_INVALID for a host that is no address, STATUS_UNSUPPORTED where
 * this machine has no such address; then nothing is held. */
MUST_CHECK enum status ports_bind(struct ports *ports, const char *host, int port, int ws_port,
                                  struct error *err);
/* STATUS_IO where another process bound the same port and listened first (socket(7), SO_REUSEADDR);
 * the sockets stay the caller's either way. */
MUST_CHECK enum status ports_listen(const struct ports *ports, struct error *err);
/* Those that were not given to a server; for a zeroed struct too. */
void ports_close(struct ports *ports);

#endif
