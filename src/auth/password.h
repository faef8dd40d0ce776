/* Passwords: argon2id (RFC 9106) by libsodium, with its own salt and the parameters in the text.
 *
 * A hash takes memory and tens of milliseconds of a core: whoever calls these bounds how many run
 * at once. Any thread.
 */
#ifndef ARAGORA_AUTH_PASSWORD_H
#define ARAGORA_AUTH_PASSWORD_H

#include "base/bytes.h"

#include <sodium.h>

enum {
  PASSWORD_SIZE = crypto_pwhash_STRBYTES, /* of a hash as text, with its NUL */
  PASSWORD_MIN = 8,                       /* characters, as the next */
  PASSWORD_MAX = 128,
};

struct password_cost {
  uint64_t passes;
  size_t memory_bytes;
  char dummy[PASSWORD_SIZE]; /* of no password: what a try at an unknown account is compared with */
};
/* Two passes over `memory_mib`. */
void password_cost_init(struct password_cost *cost, int64_t memory_mib);

/* STATUS_INVALID, naming `field`, for one that is too short or too long, or is the address. */
MUST_CHECK enum status password_check(const char *field, struct bytes password, const char *email,
                                      struct error *err);

/* STATUS_NOMEM. */
MUST_CHECK enum status password_hash(const struct password_cost *cost, struct bytes password,
                                     char ret_hash[PASSWORD_SIZE]);
/* `hash` "" = there is none: false, after the same work. */
bool password_verify(const struct password_cost *cost, const char *hash, struct bytes password);
/* True for a hash of another cost, to be made anew when the password is at hand. */
bool password_is_outdated(const struct password_cost *cost, const char *hash);

#endif
