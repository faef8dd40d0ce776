/* WebSocket connections an address may open a minute and hold at once. Any thread.
 * An IPv6 address counts as its /64: one host has all of it.
 */
#ifndef ARAGORA_HTTP_ADDRESS_LIMITS_H
#define ARAGORA_HTTP_ADDRESS_LIMITS_H

#include "base/bytes.h"

struct address_limits;

enum {
  ADDRESS_LIMITS_KEPT = 16384, /* addresses remembered; further ones are refused until some leave */
};

/* Limits of 0 are off. */
MUST_CHECK enum status address_limits_create(int64_t per_minute, int64_t at_once,
                                             struct address_limits **ret_limits);
void address_limits_destroy(struct address_limits *limits);

/* One more connection of `peer`. STATUS_FULL with the seconds to wait when it is one too many. */
MUST_CHECK enum status address_limits_enter(struct address_limits *limits, const char *peer,
                                            int64_t now_ms, int *ret_retry_after_s);
void address_limits_leave(struct address_limits *limits, const char *peer);

#endif
