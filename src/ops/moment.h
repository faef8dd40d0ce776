/* Moments as people and file names write them. Any thread. */
#ifndef ARAGORA_OPS_MOMENT_H
#define ARAGORA_OPS_MOMENT_H

#include "base/bytes.h"

/* Unix milliseconds of
 *   2026-11-29T14:23:14Z, 2026-11-29T15:23:14.5+01:00   RFC 3339 section 5.6; ' ' and 't' as 'T'
 *   2026-11-29 14:23:14, 2026-11-29T14:23:14            the same in UTC, like every log of ours
 *   1796048594                                          Unix seconds
 * STATUS_INVALID, with these forms in the message, for anything else. */
MUST_CHECK enum status moment_parse(const char *text, int64_t *ret_ms, struct error *err);

enum { MOMENT_STAMP_SIZE = 17 };
/* "20261129T142314Z", to the second, rounded down; and back. */
void moment_stamp(int64_t wall_ms, char out[MOMENT_STAMP_SIZE]);
bool moment_parse_stamp(struct bytes text, int64_t *ret_ms);

#endif
