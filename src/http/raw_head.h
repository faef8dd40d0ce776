/* How the lines of a head ended. libmicrohttpd 0.9.75 takes a bare LF or a bare CR for a line's end
 * and joins folded lines, which a proxy in front may read differently (RFC 9112 sections 2.2 and
 * 5.2): such a head is refused here. It parses in place, writing NULs over the line ends, so that
 * in a head whose lines all end with CRLF each part lies exactly two bytes behind the former.
 *
 * A libmicrohttpd that parsed otherwise would make every request malformed, which every test sees.
 */
#ifndef ARAGORA_HTTP_RAW_HEAD_H
#define ARAGORA_HTTP_RAW_HEAD_H

#include "base/bytes.h"

struct raw_head {
  const char *next; /* where the next line must begin */
  bool broken;
};

/* The texts where libmicrohttpd has them. */
void raw_head_begin(struct raw_head *h, const char *method, struct bytes target,
                    const char *version);
/* The next field, in the order of the head. */
void raw_head_field(struct raw_head *h, struct bytes name, struct bytes value);
/* After the last field: true when the head was as RFC 9112 wants it and `end` is where it ended. */
bool raw_head_end(const struct raw_head *h, const char *end);

#endif
