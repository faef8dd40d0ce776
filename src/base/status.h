/* What a fallible function answers.
 *
 * Every function that can fail returns `enum status` and, where a reader can act on it, fills a
 * `struct error` with the words a person needs. Outputs are named `ret_...` and are written on
 * success only. Only the API layer turns a status into an HTTP code. Any thread.
 */
#ifndef ARAGORA_BASE_STATUS_H
#define ARAGORA_BASE_STATUS_H

#include <stddef.h>

enum status {
  STATUS_OK = 0,
  STATUS_NOMEM,       /* an allocation failed on a request path */
  STATUS_INVALID,     /* the caller's input is wrong; error.field names it */
  STATUS_NOT_JSON,    /* the caller's text is no JSON */
  STATUS_NOT_FOUND,   /* no such thing, or not for this principal */
  STATUS_CONFLICT,    /* the thing is in a state that does not allow it */
  STATUS_TOO_LARGE,   /* over a limit of the option table */
  STATUS_FULL,        /* a queue is full: try later */
  STATUS_NO_SPACE,    /* the disk is full */
  STATUS_IO,          /* the operating system refused */
  STATUS_CORRUPT,     /* stored or received bytes are not what they must be */
  STATUS_UNSUPPORTED, /* a newer version, or a feature that this build lacks */
  STATUS_TIMEOUT,     /* a deadline passed */
  STATUS_CANCELLED,   /* somebody asked for it to stop */
  STATUS_DENIED,      /* not allowed */
  STATUS_EXHAUSTED,   /* a budget is used up; error.retry_after_s may say until when */
  STATUS_LIMITED,     /* the caller has its part; error.retry_after_s says when to try again */
  STATUS_QUOTA,       /* a plan has none left; error.retry_after_s says until when */
  STATUS_UNAVAILABLE, /* shutting down, or a part that is needed does not answer */
  STATUS_INTERNAL,    /* a fault of ours */
};

#define MUST_CHECK             __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

struct error {
  enum status status;
  char field[96];     /* path of the offending field, "agents[2]", or "" */
  char message[320];  /* one line, no secret, no trailing newline */
  long retry_after_s; /* 0 = not known */
};

/* The status in capitals ("NOT_FOUND"); never NULL. */
const char *status_name(enum status status);

/* Fills *err (which may be NULL) and returns `status`, so that a caller writes
 * `return error_set(err, STATUS_INVALID, "rounds", "must be 0 to 10, not %d", n);`.
 * `field` may be NULL. Control characters of the formatted text become spaces. */
enum status error_set(struct error *err, enum status status, const char *field, const char *format,
                      ...) PRINTF_LIKE(4, 5);

#endif
