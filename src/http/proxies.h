/* The proxies whose word about the client's address is believed. Read-only after proxies_init; any
 * thread. */
#ifndef ARAGORA_HTTP_PROXIES_H
#define ARAGORA_HTTP_PROXIES_H

#include "http/address.h"

enum { PROXIES_MAX = 64, PROXIES_HOPS_MAX = 64 };

struct proxies {
  struct {
    struct address network;
    int bits;
  } list[PROXIES_MAX];
  size_t count;
};

/* A comma list of addresses, CIDR networks and "localhost" (127.0.0.0/8 and ::1); "none" is nobody,
 * NULL is localhost. STATUS_INVALID names the item and what is allowed. */
MUST_CHECK enum status proxies_init(struct proxies *p, const char *text, struct error *err);
bool proxies_trust(const struct proxies *p, const struct address *a);

/* Who sent the request that `peer` brought. A trusted peer's X-Forwarded-For is read from its
 * right end, where the nearest proxy wrote, up to the first address that is no trusted proxy;
 * without one, X-Real-IP. What a stranger says of itself is never believed. NULL = absent. */
struct address proxies_find_client(const struct proxies *p, const struct address *peer,
                                   const char *forwarded_for, const char *real_ip);

#endif
