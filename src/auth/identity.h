/* Who calls, as far as a credential proved it. A value without pointers: whoever outlives a request
 * (a stream, a WebSocket) copies it. */
#ifndef ARAGORA_AUTH_IDENTITY_H
#define ARAGORA_AUTH_IDENTITY_H

#include "auth/permission.h"
#include "base/principal.h"

enum identity_kind {
  IDENTITY_ANONYMOUS, /* no credential, where one is wanted: public things */
  IDENTITY_LOCAL,     /* no credential, and none is configured: everything */
  IDENTITY_API_TOKEN, /* ARAGORA_API_TOKEN, raw or signed with it: everything */
  IDENTITY_SESSION,   /* a user's access token (JWT) */
  IDENTITY_KEY,       /* a user's API key */
  IDENTITY_LINK, /* a link to one debate, whose id is credential_id: its owner, for reading that */
};

enum { IDENTITY_TEXT_SIZE = 65 }; /* an id of 64 characters with its NUL */

struct identity {
  enum identity_kind kind;
  enum role role;
  permission_set allowed; /* the role's, cut by a key's scopes */
  char tenant_id[IDENTITY_TEXT_SIZE];
  char user_id[IDENTITY_TEXT_SIZE];
  char key_id[IDENTITY_TEXT_SIZE];        /* "" = by no key */
  char credential_id[IDENTITY_TEXT_SIZE]; /* what a revocation names: a session's id, a key's id,
                                             the hash of a signed token in hex, "token" */
  int64_t expires_us;                     /* Unix; 0 = never */
  bool from_cookie;                       /* a browser sent it by itself */
};

/* Both live as long as the process. */
extern const struct identity identity_local, identity_anonymous;

/* On whose behalf whoever holds the identity acts. Its texts are the identity's. */
struct principal identity_principal(const struct identity *identity);

/* Fills a text of an identity, which must fit (STATUS_TOO_LARGE): a cut id would be another's. */
MUST_CHECK enum status identity_set(char text[IDENTITY_TEXT_SIZE], const char *value);

#endif
