/* Who calls: from what a request brought to an identity.
 *
 * The kinds of credentials are tried in one place, auth_identify: the token of ARAGORA_API_TOKEN,
 * raw and signed, here; API keys and sessions by the verifiers that their own files plug in. Any
 * thread, once everything is plugged.
 */
#ifndef ARAGORA_AUTH_AUTH_H
#define ARAGORA_AUTH_AUTH_H

#include "auth/identity.h"
#include "base/clock.h"

struct auth;

/* What came of a credential. */
enum credential {
  CREDENTIAL_GOOD,
  CREDENTIAL_NONE,    /* nothing was brought */
  CREDENTIAL_BAD,     /* not one of ours, expired, revoked: *err says which only for the log */
  CREDENTIAL_LATER,   /* the database has to be asked: again where that may block */
  CREDENTIAL_LIMITED, /* a good one over a limit of its own; err->retry_after_s is when to come back
                       */
  CREDENTIAL_FAILED,  /* it cannot be known now: the database fails */
};

/* A kind of credential. `verify` is asked for a text of its form only, and fills *ret whole but for
 * from_cookie; without may_block it must not touch the database, and answers CREDENTIAL_LATER for
 * what is not in its cache. `stands` never blocks: false once what the identity came by was revoked
 * (expiry is looked at elsewhere); for streams that outlive their request. */
struct auth_verifier {
  enum credential (*verify)(void *ctx, struct bytes text, bool may_block, struct identity *ret,
                            struct error *err);
  bool (*stands)(void *ctx, const struct identity *identity);
  void *ctx;
};

/* Which signed forms of the API token were revoked, by their SHA-256. `check`: CREDENTIAL_GOOD
 * where none was, or as `verify` above; `stands` never blocks. */
struct auth_revocations {
  enum credential (*check)(void *ctx, const uint8_t hash[32], bool may_block);
  bool (*stands)(void *ctx, const uint8_t hash[32]);
  void *ctx;
};

struct auth_options {
  const char *api_token;     /* ARAGORA_API_TOKEN; NULL = none */
  const struct clock *clock; /* NULL = the system's */
};

/* STATUS_NOMEM. */
MUST_CHECK enum status auth_create(const struct auth_options *options, struct auth **ret_auth,
                                   struct error *err);
void auth_destroy(struct auth *auth); /* NULL is fine */

/* Before the first request. */
void auth_plug_keys(struct auth *auth, const struct auth_verifier *verifier);     /* "ara_..." */
void auth_plug_sessions(struct auth *auth, const struct auth_verifier *verifier); /* a.b.c */

void auth_plug_tokens(struct auth *auth, const struct auth_revocations *revocations);

/* True for a signed form of the API token that has not expired, whether or not it was revoked. */
bool auth_is_signed_token(const struct auth *auth, struct bytes text, int64_t *ret_expires_s);

/* Whether a credential is wanted of everybody, for all that is not public. It is with a token. */
bool auth_enabled(const struct auth *auth);
/* From here on it is: a secret of sessions is configured, or there is a user. Who came without one
 * stands no more (auth_tell_revoked). Any thread. */
void auth_require(struct auth *auth);

/* The bearer of RFC 6750 section 2.1, in the header's text. False for NULL and another scheme. */
bool auth_read_bearer(const char *authorization, struct bytes *ret_text);

/* Of an Authorization header, and of the session cookie; NULL = absent; a scheme other than Bearer
 * counts as absent (a proxy in front may have one of its own). The header wins. *ret is written for
 * CREDENTIAL_GOOD alone. */
enum credential auth_identify(struct auth *auth, const char *authorization, const char *cookie,
                              bool may_block, struct identity *ret, struct error *err);

/* Whether a credential that was good still is, neither expired nor revoked. Never blocks. */
bool auth_stands(struct auth *auth, const struct identity *identity);

/* `wake` is called on any thread whenever credentials were revoked, and must not wait; whoever
 * serves streams asks auth_stands for each of them then. Before the first request. */
typedef void auth_wake_fn(void *ctx);
void auth_on_revoked(struct auth *auth, auth_wake_fn *wake, void *ctx);
/* Something was revoked: who revokes says so, once `stands` would answer false. Any thread. */
void auth_tell_revoked(struct auth *auth);

#endif
