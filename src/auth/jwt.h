/* Tokens of a session: RFC 7519 claims in a compact text (jws.h), as RFC 8725 wants them.
 *
 * Our own over libsodium: the libraries there are leave each of these checks to their caller, and
 * the checks are the whole of it. What a token grants is read from the user's row, not from the
 * token: `email`, `org_id` and `role` stand in it for its reader alone.
 *
 * Pure; any thread. Times are Unix seconds.
 */
#ifndef ARAGORA_AUTH_JWT_H
#define ARAGORA_AUTH_JWT_H

#include "auth/jws.h"

enum {
  JWT_ID_SIZE = 65,     /* of an id with its NUL */
  JWT_EMAIL_SIZE = 255, /* RFC 5321, section 4.5.3.1.3: 254 */
  JWT_ROLE_SIZE = 17,
  JWT_SECRET_MIN = 32, /* bytes; RFC 7518, section 3.2: no shorter than the hash */
};

#define JWT_PARTY "aragora" /* iss and aud: we make tokens for ourselves */

enum jwt_type { JWT_ACCESS, JWT_REFRESH };

struct jwt_claims {
  enum jwt_type type;
  char user_id[JWT_ID_SIZE];    /* sub */
  char session_id[JWT_ID_SIZE]; /* sid: the login that it comes from */
  char token_id[JWT_ID_SIZE];   /* jti */
  char email[JWT_EMAIL_SIZE];   /* "" = none, as in a refresh token; so the next two */
  char tenant_id[JWT_ID_SIZE];  /* org_id */
  char role[JWT_ROLE_SIZE];
  int64_t issued_s, expires_s; /* iat, exp */
  int64_t not_before_s;        /* nbf; 0 = none */
  int64_t token_version;       /* tv: the user's, when it was made */
};

struct jwt_keys {
  struct jws_key current, previous;
  int64_t previous_until_s; /* from then on `previous` is not accepted; 0 = there is none */
};

/* `previous` NULL = none. STATUS_INVALID, naming the variable, for a secret that is too short.
 * Copies; jwt_keys_done wipes. */
MUST_CHECK enum status jwt_keys_init(struct jwt_keys *keys, const char *secret,
                                     const char *previous, int64_t previous_until_s,
                                     struct error *err);
void jwt_keys_done(struct jwt_keys *keys);

/* Appends the token. STATUS_TOO_LARGE when it does not fit `out` or JWS_TEXT_MAX. */
MUST_CHECK enum status jwt_sign(const struct jwt_keys *keys, const struct jwt_claims *claims,
                                struct buffer *out);

/* STATUS_OK for a token of ours of that type at that time. Accepted from `nbf` and `iat` on and
 * before `exp`, to the second and without allowance for clocks. STATUS_DENIED for anything else;
 * STATUS_TIMEOUT for one that is in order and whose time is over, which its holder may know. */
MUST_CHECK enum status jwt_verify(const struct jwt_keys *keys, struct bytes text,
                                  enum jwt_type type, int64_t now_s, struct jwt_claims *ret_claims);

#endif
