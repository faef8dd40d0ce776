/* What a vendor says about its rate limits, from the headers of a response. Pure; any thread.
 *
 * OpenAI and those who copy it: x-ratelimit-{limit,remaining,reset}-{requests,tokens}, where a
 * reset is a duration as Go prints it ("1s", "6m0s", "120ms"); Azure sends -1 and 0 where it means
 * nothing. Anthropic: anthropic-ratelimit-{requests,tokens}-{limit,remaining,reset}, where a reset
 * is an RFC 3339 moment, and input-tokens in place of tokens where only that is sent. What is not
 * of its form, or makes no sense, is as if it had not been sent.
 */
#ifndef ARAGORA_PROVIDER_RATE_HEADERS_H
#define ARAGORA_PROVIDER_RATE_HEADERS_H

#include <stdint.h>

/* Each -1 = not said. */
struct rate_window {
  int64_t limit;     /* within the vendor's window, >= 1 */
  int64_t remaining; /* of it */
  int64_t reset_ms;  /* from now until it is full again, at most RATE_RESET_MAX_MS */
};

struct rate_headers {
  struct rate_window requests, tokens;
};

/* A month: spending limits reset that late; what is later is nonsense. */
#define RATE_RESET_MAX_MS (INT64_C(31) * 24 * 3600 * 1000)

/* `find` answers a header's value, NUL-terminated and without spaces around it, in any case of
 * name, or NULL. `wall_ms` is Unix time. */
void rate_headers_read(const char *(*find)(void *ctx, const char *name), void *ctx, int64_t wall_ms,
                       struct rate_headers *ret_headers);

/* Milliseconds, rounded up, of a duration: numbers with a unit each (d, h, m, s, ms, us, ns), the
 * larger unit first, the last number perhaps with a fraction; or "0". -1 = not one, or beyond
 * RATE_RESET_MAX_MS. */
int64_t rate_duration_parse(const char *text);

/* Milliseconds from `wall_ms` to a moment of RFC 3339 ("2026-11-23T22:37:12.5Z", or with an
 * offset), rounded up, 0 when it is past; -1 = not one, or beyond RATE_RESET_MAX_MS. */
int64_t rate_moment_parse(const char *text, int64_t wall_ms);

#endif
