/* The address of a client or proxy. IPv4 is kept as IPv6 writes it (::ffff:a.b.c.d), so that both
 * spellings of one address are the same. */
#ifndef ARAGORA_HTTP_ADDRESS_H
#define ARAGORA_HTTP_ADDRESS_H

#include "base/bytes.h"

enum { ADDRESS_SIZE = 46 /* INET6_ADDRSTRLEN */, ADDRESS_BITS = 128, ADDRESS_V4_BITS = 96 };

struct address {
  unsigned char bytes[16];
};

/* An IPv4 or IPv6 address and nothing else. */
bool address_parse(struct bytes text, struct address *ret_address);
/* IPv4 in its own form; with its NUL. */
void address_format(const struct address *a, char out[ADDRESS_SIZE]);
bool address_is_v4(const struct address *a);
/* True when the first `bits` are those of `network`. */
bool address_is_in(const struct address *a, const struct address *network, int bits);

#endif
