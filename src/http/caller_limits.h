/* How many requests or connections a caller may begin in a window of time, and hold at once. Any
 * thread; constant time; bounded memory.
 *
 * A window begins with a caller's first request and ends `window_ms` later, whatever came in it.
 * When the table is full the caller whose window is the oldest, and who holds nothing, is
 * forgotten: so strangers can make it forget, but never turn anybody away.
 */
#ifndef ARAGORA_HTTP_CALLER_LIMITS_H
#define ARAGORA_HTTP_CALLER_LIMITS_H

#include "http/address.h"

struct caller_limits;

/* A client's address, or the credential that it brought. */
struct caller {
  unsigned char key[16];
  bool by_token;
};
enum { CALLER_NAME_SIZE = ADDRESS_SIZE + 4 };

/* An IPv6 address counts as its /64: one host has all of it. */
struct caller caller_of_address(const struct address *address);
struct caller caller_of_credential(const uint8_t key[16]);
/* "192.0.2.1", "2001:db8::/64", "token": nothing secret. */
void caller_format(const struct caller *caller, char out[CALLER_NAME_SIZE]);

struct caller_limits_options {
  int64_t per_window, at_once; /* 0 = no limit */
  int64_t window_ms;
  int64_t kept; /* callers remembered; those who hold something come on top */
};

struct caller_standing {
  int64_t remaining; /* in this window; meaningless without a limit */
  int64_t reset_ms;  /* until the window ends */
  int64_t open;
  bool over_window; /* refused because of the window, not of what is held at once */
  bool first;       /* the first refusal of this window: worth a line in the log */
};

MUST_CHECK enum status caller_limits_create(const struct caller_limits_options *options,
                                            struct caller_limits **ret_limits);
void caller_limits_destroy(struct caller_limits *limits);

/* One more of the caller's. STATUS_FULL when it is one too many. *ret is written either way. */
MUST_CHECK enum status caller_limits_take(struct caller_limits *limits, const struct caller *caller,
                                          int64_t now_ms, struct caller_standing *ret);
/* The same, and it is held until caller_limits_leave. */
MUST_CHECK enum status caller_limits_enter(struct caller_limits *limits,
                                           const struct caller *caller, int64_t now_ms,
                                           struct caller_standing *ret);
void caller_limits_leave(struct caller_limits *limits, const struct caller *caller);

/* How a caller stands; takes nothing. */
struct caller_standing caller_limits_look(struct caller_limits *limits, const struct caller *caller,
                                          int64_t now_ms);
struct caller_limits_totals {
  int64_t callers; /* remembered now */
  int64_t refused; /* since the start */
};
struct caller_limits_totals caller_limits_total(struct caller_limits *limits);

struct caller_refused {
  struct caller caller;
  int64_t refused, reset_ms;
};
/* Up to `max` callers that were refused in the window they are in, the newest window first. Walks
 * the table: for an operator's question, not for each request. */
size_t caller_limits_refused(struct caller_limits *limits, int64_t now_ms,
                             struct caller_refused *out, size_t max);

#endif
