/* Time, as something a test can replace.
 *
 * Wall time is for what people and the log read; monotonic time for waiting and measuring. Code
 * that decides by time takes a `const struct clock *`. The system clock is safe on any thread.
 */
#ifndef ARAGORA_BASE_CLOCK_H
#define ARAGORA_BASE_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clock {
  int64_t (*wall_ms)(void *ctx); /* Unix time in milliseconds */
  int64_t (*mono_us)(void *ctx); /* microseconds since an arbitrary start, never decreasing */
  void *ctx;
};

extern const struct clock clock_system;

static inline int64_t clock_wall_ms(const struct clock *c) {
  return c->wall_ms(c->ctx);
}

static inline int64_t clock_mono_us(const struct clock *c) {
  return c->mono_us(c->ctx);
}

/* A condition whose timed waits end by the monotonic clock, which nobody sets. */
void clock_cond_init(pthread_cond_t *ret_condition);

enum { CLOCK_ISO_SIZE = 25 };
/* "2026-11-23T22:37:12.345Z" of a Unix time in milliseconds (RFC 3339, UTC) into `out`, which
 * holds CLOCK_ISO_SIZE bytes. */
void clock_format_iso(int64_t wall_ms, char out[CLOCK_ISO_SIZE]);

/* The inverse, as people write times: a date (its first moment; *ret_date_only is true), or date
 * and time of RFC 3339 with 'T' or a blank between, seconds and fraction optional, and Z, an offset
 * or nothing (UTC) behind. False for anything else. */
bool clock_parse_iso(const char *text, int64_t *ret_wall_ms, bool *ret_date_only);

#endif
