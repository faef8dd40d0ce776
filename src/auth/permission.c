#include "auth/permission.h"

/* Columns: anonymous, member, owner, admin, API keys. What a member may do is limited further by
 * the store, to things of its own; an owner's to its tenant. */
static const struct row {
  const char *name;
  bool roles[4];
  bool keys;
} rows[PERMISSION_COUNT] = {
    [PERMISSION_PUBLIC] = {"public", {1, 1, 1, 1}, 1},
    [PERMISSION_DEBATES_VIEW] = {"debates:view", {1, 1, 1, 1}, 1},
    [PERMISSION_DEBATES_READ] = {"debates:read", {0, 1, 1, 1}, 1},
    [PERMISSION_DEBATES_CREATE] = {"debates:create", {0, 1, 1, 1}, 1},
    [PERMISSION_DEBATES_UPDATE] = {"debates:update", {0, 1, 1, 1}, 1},
    [PERMISSION_DEBATES_DELETE] = {"debates:delete", {0, 1, 1, 1}, 1},
    [PERMISSION_DEBATES_EXPORT] = {"debates:export", {0, 1, 1, 1}, 1},
    [PERMISSION_DEBATES_SHARE] = {"debates:share", {0, 1, 1, 1}, 1},
    [PERMISSION_ACCOUNT_READ] = {"account:read", {0, 1, 1, 1}, 1},
    [PERMISSION_ACCOUNT_UPDATE] = {"account:update", {0, 1, 1, 1}, 0},
    [PERMISSION_APIKEYS_READ] = {"apikeys:read", {0, 1, 1, 1}, 1},
    [PERMISSION_APIKEYS_CREATE] = {"apikeys:create", {0, 1, 1, 1}, 0},
    [PERMISSION_APIKEYS_DELETE] = {"apikeys:delete", {0, 1, 1, 1}, 0},
    [PERMISSION_BILLING_READ] = {"billing:read", {0, 1, 1, 1}, 1},
    [PERMISSION_ADMIN_SYSTEM] = {"admin:system", {0, 0, 0, 1}, 1},
    [PERMISSION_ADMIN_DEBATES] = {"admin:debates", {0, 0, 0, 1}, 1},
    [PERMISSION_ADMIN_AUDIT] = {"admin:audit", {0, 0, 0, 1}, 1},
    [PERMISSION_ADMIN_USERS] = {"admin:users", {0, 0, 0, 1}, 0},
};

static const char *const roles[] = {
    [ROLE_ANONYMOUS] = "anonymous",
    [ROLE_MEMBER] = "member",
    [ROLE_OWNER] = "owner",
    [ROLE_ADMIN] = "admin",
};

const char *permission_name(enum permission permission) {
  return rows[permission].name;
}

bool permission_find(struct bytes name, enum permission *ret_permission) {
  for (size_t i = 0; i < PERMISSION_COUNT; i++) {
    if (!bytes_equal(name, bytes_of(rows[i].name))) continue;
    *ret_permission = (enum permission)i;
    return true;
  }
  return false;
}

permission_set permission_of_role(enum role role) {
  permission_set set = 0;
  for (size_t i = 0; i < PERMISSION_COUNT; i++) {
    if (rows[i].roles[role]) set |= (permission_set)1 << i;
  }
  return set;
}

permission_set permission_of_keys(void) {
  permission_set set = 0;
  for (size_t i = 0; i < PERMISSION_COUNT; i++) {
    if (rows[i].keys) set |= (permission_set)1 << i;
  }
  return set;
}

permission_set permission_add(permission_set set, enum permission permission) {
  set |= (permission_set)1 << PERMISSION_PUBLIC | (permission_set)1 << permission;
  if (permission == PERMISSION_DEBATES_READ) set |= (permission_set)1 << PERMISSION_DEBATES_VIEW;
  return set;
}

const char *role_name(enum role role) {
  return roles[role];
}

bool role_parse(struct bytes name, enum role *ret_role) {
  for (enum role role = ROLE_MEMBER; role <= ROLE_ADMIN; role++) {
    if (!bytes_equal(name, bytes_of(roles[role]))) continue;
    *ret_role = role;
    return true;
  }
  return false;
}
