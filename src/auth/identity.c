#include "auth/identity.h"

#define EVERYTHING (((permission_set)1 << PERMISSION_COUNT) - 1)
#define ANONYMOUS \
  ((permission_set)1 << PERMISSION_PUBLIC | (permission_set)1 << PERMISSION_DEBATES_VIEW)

const struct identity identity_local = {
    .kind = IDENTITY_LOCAL,
    .role = ROLE_ADMIN,
    .allowed = EVERYTHING,
    .tenant_id = "local",
    .user_id = "local",
    .credential_id = "none",
};

/* No owner has an empty id: it owns nothing, and sees of the operator's tenant what belongs to
 * nobody, the ratings of agents. */
const struct identity identity_anonymous = {
    .kind = IDENTITY_ANONYMOUS,
    .role = ROLE_ANONYMOUS,
    .allowed = ANONYMOUS,
    .tenant_id = "local",
    .credential_id = "none",
};

struct principal identity_principal(const struct identity *identity) {
  return (struct principal){
      .tenant_id = identity->tenant_id,
      .owner_id = identity->user_id,
      .all_owners = identity->role == ROLE_OWNER || identity->role == ROLE_ADMIN,
      .key_id = identity->key_id[0] ? identity->key_id : NULL,
  };
}

enum status identity_set(char text[IDENTITY_TEXT_SIZE], const char *value) {
  size_t len = strlen(value);
  if (len >= IDENTITY_TEXT_SIZE) return STATUS_TOO_LARGE;
  memcpy(text, value, len + 1);
  return STATUS_OK;
}
