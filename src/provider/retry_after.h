/* How long a vendor asks us to wait, from its response headers. Pure; any thread. */
#ifndef ARAGORA_PROVIDER_RETRY_AFTER_H
#define ARAGORA_PROVIDER_RETRY_AFTER_H

#include <stdint.h>

/* Milliseconds, -1 = not said. `ms` is the value of retry-after-ms (milliseconds, may be a
 * fraction), `value` that of Retry-After (seconds, which vendors also send as fractions, or an HTTP
 * date, RFC 9110 section 10.2.3); either may be NULL. The first wins, as in the vendors' SDKs. */
int64_t retry_after_parse(const char *ms, const char *value, int64_t wall_ms);

#endif
