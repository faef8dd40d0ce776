/* The request target as it came over the wire: its path and its query. Pure; any thread. */
#ifndef ARAGORA_HTTP_QUERY_H
#define ARAGORA_HTTP_QUERY_H

#include "base/bytes.h"

/* Splits an origin-form, absolute-form or "*" target (RFC 9112 section 3.2) into the raw path and
 * the raw query, which is empty when there is none. False when it is none of the three. */
bool query_split_target(struct bytes target, struct bytes *ret_path, struct bytes *ret_query);

/* The authority of an absolute-form target, which may be empty; its ptr is NULL for the other
 * forms. */
struct bytes query_target_authority(struct bytes target);

/* Decodes a path into `out`, which holds path.len + 1, with a NUL after it. An encoded slash stays
 * encoded, so that it never makes a segment. False on a broken escape, a control character or
 * invalid UTF-8. */
bool query_decode_path(struct bytes path, char *out);

/* The decoded value of the first `name` in a raw query (application/x-www-form-urlencoded), an
 * allocated text for free(). NULL when it is absent, is broken or memory is short. */
char *query_find(struct bytes query, const char *name);

#endif
