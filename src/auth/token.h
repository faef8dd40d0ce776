/* ARAGORA_API_TOKEN as a credential: raw, or as the secret of a signed token. Any thread. */
#ifndef ARAGORA_AUTH_TOKEN_H
#define ARAGORA_AUTH_TOKEN_H

#include "base/bytes.h"

struct api_token {
  bool set;
  uint8_t hash[32]; /* SHA-256 of the raw token */
  char *secret;     /* of the signed form; owned */
};

/* NULL = none is configured. STATUS_NOMEM. */
MUST_CHECK enum status api_token_init(struct api_token *t, const char *token);
void api_token_done(struct api_token *t); /* overwrites it */

/* The token itself, compared in constant time whatever was brought. */
bool api_token_is_raw(const struct api_token *t, struct bytes text);

/* "<loop_id>:<expiry>:<hex hmac-sha256>", the MAC being of all before the second colon, keyed with
 * the token, and the expiry in seconds of Unix time, canonical decimal; loop_id may be empty, and
 * has the characters of an id. It is one more way to bring the token, for a time: what it names is
 * not looked at. True when it holds at `now_s`. */
bool api_token_is_signed(const struct api_token *t, struct bytes text, int64_t now_s,
                         int64_t *ret_expires_s);

enum { API_TOKEN_SIGNED_SIZE = 256, API_TOKEN_LOOP_MAX = 128 };
/* Makes one. STATUS_INVALID for a loop id that cannot stand in one. */
MUST_CHECK enum status api_token_sign(const struct api_token *t, const char *loop_id,
                                      int64_t expires_s, char out[API_TOKEN_SIGNED_SIZE]);

#endif
