/* Who may do what: the one table of permissions and roles. Constant; any thread. */
#ifndef ARAGORA_AUTH_PERMISSION_H
#define ARAGORA_AUTH_PERMISSION_H

#include "base/bytes.h"

enum role {
  ROLE_ANONYMOUS, /* brought no credential while one is wanted */
  ROLE_MEMBER,    /* its own things */
  ROLE_OWNER,     /* all things of its tenant */
  ROLE_ADMIN, /* the operator of this server: of other tenants what there is, never its content */
};

enum permission {
  PERMISSION_PUBLIC,
  PERMISSION_DEBATES_VIEW, /* one debate by its id; without a credential none is found */
  PERMISSION_DEBATES_READ,
  PERMISSION_DEBATES_CREATE,
  PERMISSION_DEBATES_UPDATE,
  PERMISSION_DEBATES_DELETE,
  PERMISSION_DEBATES_EXPORT,
  PERMISSION_DEBATES_SHARE, /* make and revoke links to them */
  PERMISSION_ACCOUNT_READ,
  PERMISSION_ACCOUNT_UPDATE,
  PERMISSION_APIKEYS_READ,
  PERMISSION_APIKEYS_CREATE,
  PERMISSION_APIKEYS_DELETE,
  PERMISSION_BILLING_READ,
  PERMISSION_ADMIN_SYSTEM,
  PERMISSION_ADMIN_DEBATES,
  PERMISSION_ADMIN_AUDIT,
  PERMISSION_ADMIN_USERS,
  PERMISSION_COUNT
};

/* One bit a permission. */
typedef uint64_t permission_set;

/* "debates:read"; the route table and the scopes of keys name permissions so. */
const char *permission_name(enum permission permission);
/* False for a name that there is not. */
bool permission_find(struct bytes name, enum permission *ret_permission);

permission_set permission_of_role(enum role role);
/* What an API key may carry at most: nothing with which whoever found one could make more of it
 * (accounts, other keys, other users). */
permission_set permission_of_keys(void);
/* A set with this permission added, and what goes with it: who may read a list may read its items.
 */
permission_set permission_add(permission_set set, enum permission permission);

static inline bool permission_in(permission_set set, enum permission permission) {
  return (set >> permission & 1) != 0;
}

/* "member", "owner", "admin", "anonymous". */
const char *role_name(enum role role);
/* Of those that a user can have: not "anonymous". False for any other text. */
bool role_parse(struct bytes name, enum role *ret_role);

#endif
