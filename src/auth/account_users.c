/* What changes of a user that is there. */
#include "auth/accounts_state.h"
#include "store/plans.h"

#include <stdio.h>

static enum account_answer wrong_password(struct error *err) {
  error_set(err, STATUS_DENIED, "current_password", "Current password is incorrect");
  return ACCOUNT_WRONG;
}

/* It is not there, unless an admin was to be kept. */
static enum status why_not_changed(struct accounts *a, const struct store_user_change *change,
                                   struct error *err) {
  struct store_user user;
  enum status s = store_get_user(a->store, change->user_id, &user, err);
  return s ? s : error_set(err, STATUS_CONFLICT, NULL, "there would be no admin left");
}

/* One change with its row of the audit log; then the user is read anew, and streams are asked
 * whether they may go on. */
static enum account_answer change_user(struct accounts *a, const struct store_user_change *change,
                                       const struct audit_act *act, struct error *err) {
  struct audit_record record;
  struct account_write w;
  audit_record_make(act, &record);
  account_write_begin(&w);
  enum status s = account_write_end(
      &w, store_change_user(a->store, change, &record.entry, account_write_done, &w));
  if (s == STATUS_CONFLICT && change->was_password) return wrong_password(err);
  if (s == STATUS_CONFLICT) s = why_not_changed(a, change, err);
  if (s) return accounts_fail(s, err);
  if (a->cache) session_cache_forget_user(a->cache, change->user_id);
  if (a->parts.auth) auth_tell_revoked(a->parts.auth);
  return ACCOUNT_OK;
}

static struct audit_origin origin_of(const struct identity *who, const struct account_from *from) {
  return (struct audit_origin){who->tenant_id, who->user_id, from->address, from->request_id};
}

enum account_answer accounts_get(struct accounts *a, const char *user_id, struct account *ret,
                                 struct error *err) {
  enum status s = store_get_user(a->store, user_id, &ret->user, err);
  if (!s) s = store_get_tenant(a->store, ret->user.tenant_id, &ret->tenant, err);
  return s ? accounts_fail(s, err) : ACCOUNT_OK;
}

enum account_answer accounts_rename(struct accounts *a, const struct identity *who,
                                    struct bytes name, const struct account_from *from,
                                    struct error *err) {
  char text[STORE_NAME_SIZE];
  enum status s = account_read_name("name", name, text, err);
  if (s) return accounts_fail(s, err);
  const struct store_user_change change = {
      .user_id = who->user_id, .name = text, .active = -1, .now_ms = accounts_now_ms(a)};
  const struct audit_act act = {AUDIT_USER_CHANGE, AUDIT_OK, origin_of(who, from), who->user_id,
                                NULL};
  return change_user(a, &change, &act, err);
}

/* ---- passwords ---- */

/* `kept_session` "" = an admin does it, whatever the password was. */
static enum account_answer put_password(struct accounts *a, const struct store_user *user,
                                        struct bytes password, const char *kept_session,
                                        const struct audit_origin *origin, struct error *err) {
  char hash[PASSWORD_SIZE];
  enum status s = password_check("new_password", password, user->email, err);
  if (!s && password_hash(&a->cost, password, hash))
    s = error_set(err, STATUS_NOMEM, NULL, "out of memory");
  if (s) return accounts_fail(s, err);
  const struct store_user_change change = {.user_id = user->id,
                                           .password = hash,
                                           .was_password = *kept_session ? user->password : NULL,
                                           .active = -1,
                                           .end_but_for = kept_session,
                                           .now_ms = accounts_now_ms(a)};
  const struct audit_act act = {AUDIT_PASSWORD, AUDIT_OK, *origin, user->id, NULL};
  return change_user(a, &change, &act, err);
}

enum account_answer accounts_change_password(struct accounts *a, const struct identity *who,
                                             struct bytes current, struct bytes next,
                                             const struct account_from *from, struct error *err) {
  struct account account;
  const struct audit_origin origin = origin_of(who, from);
  const struct audit_act refused = {AUDIT_PASSWORD, AUDIT_REFUSED, origin, who->user_id, NULL};
  enum account_answer answer = accounts_get(a, who->user_id, &account, err);
  /* A key of its own: strangers who try the address close the login, not this. */
  char tries[STORE_ID_SIZE + sizeof "password:"];
  snprintf(tries, sizeof tries, "password:%s", who->user_id);
  if (!answer) answer = accounts_try(a, tries, err);
  if (answer) return answer;
  if (current.len > 4 * PASSWORD_MAX ||
      !password_verify(&a->cost, account.user.password, current)) {
    audit_note(a->parts.audit, &refused);
    return wrong_password(err);
  }
  lockout_clear(a->lockout, tries);
  return put_password(a, &account.user, next, who->credential_id, &origin, err);
}

enum account_answer accounts_set_password(struct accounts *a, const char *user_id,
                                          struct bytes password, const struct audit_origin *origin,
                                          struct error *err) {
  struct account account;
  enum account_answer answer = accounts_get(a, user_id, &account, err);
  return answer ? answer : put_password(a, &account.user, password, "", origin, err);
}

/* ---- by an admin ---- */

enum account_answer accounts_set_role(struct accounts *a, const char *user_id, enum role role,
                                      bool last_too, const struct audit_origin *origin,
                                      struct error *err) {
  const struct store_user_change change = {.user_id = user_id,
                                           .role = role_name(role),
                                           .active = -1,
                                           .keep_admin = !last_too,
                                           .now_ms = accounts_now_ms(a)};
  JSON_LATER json_t *detail = json_pack("{s:s}", "role", role_name(role));
  const struct audit_act act = {AUDIT_ROLE, AUDIT_OK, *origin, user_id, detail};
  return change_user(a, &change, &act, err);
}

enum account_answer accounts_set_plan(struct accounts *a, const struct store_user *user,
                                      const char *plan, const struct audit_origin *origin,
                                      struct error *err) {
  JSON_LATER json_t *detail = json_pack("{s:s}", "plan", plan);
  const struct audit_act act = {AUDIT_PLAN, AUDIT_OK, *origin, user->tenant_id, detail};
  struct audit_record record;
  struct account_write w;
  audit_record_make(&act, &record);
  account_write_begin(&w);
  enum status s =
      account_write_end(&w, store_put_plan(a->store, user->tenant_id, plan, accounts_now_ms(a),
                                           &record.entry, account_write_done, &w));
  if (s == STATUS_INVALID) s = error_set(err, s, "plan", "no plan is called \"%.32s\"", plan);
  if (s == STATUS_CONFLICT) s = error_set(err, STATUS_NOT_FOUND, NULL, "Tenant not found");
  return s ? accounts_fail(s, err) : ACCOUNT_OK;
}

enum account_answer accounts_set_active(struct accounts *a, const char *user_id, bool active,
                                        bool last_too, const struct audit_origin *origin,
                                        struct error *err) {
  const struct store_user_change change = {.user_id = user_id,
                                           .active = active,
                                           .end_but_for = active ? NULL : "",
                                           .keep_admin = !last_too,
                                           .now_ms = accounts_now_ms(a)};
  const struct audit_act act = {active ? AUDIT_USER_ENABLE : AUDIT_USER_DISABLE, AUDIT_OK, *origin,
                                user_id, NULL};
  return change_user(a, &change, &act, err);
}

enum account_answer accounts_end_sessions(struct accounts *a, const char *user_id,
                                          const struct audit_origin *origin, struct error *err) {
  const struct store_user_change change = {
      .user_id = user_id, .active = -1, .end_tokens = true, .now_ms = accounts_now_ms(a)};
  const struct audit_act act = {AUDIT_LOGOUT_ALL, AUDIT_OK, *origin, user_id, NULL};
  return change_user(a, &change, &act, err);
}
