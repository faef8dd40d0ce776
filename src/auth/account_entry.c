/* How one comes in: registering, the first admin, logging in. */
#include "auth/accounts_state.h"
#include "base/id.h"
#include "base/log.h"
#include "base/secret.h"

#include <stdio.h>

enum { TRIED_BYTES_MAX = 4 * PASSWORD_MAX };

static void fill(char *out, size_t size, const char *text) {
  snprintf(out, size, "%s", text);
}

/* ---- a new user ---- */

/* What was typed, checked; the hash is made here, so that an address that is taken costs the same
 * as one that is free. */
static enum status read_form(struct accounts *a, const struct account_form *form,
                             struct account *ret, struct error *err) {
  struct store_user *u = &ret->user;
  *ret = (struct account){.user = {.active = true, .token_version = 1, .last_login_ms = -1}};
  enum status s = account_read_email(form->email, u->email, err);
  if (!s) s = account_read_name("name", form->name, u->name, err);
  if (!s) s = account_read_name("organization", form->organization, ret->tenant.name, err);
  if (!s) s = password_check("password", form->password, u->email, err);
  if (s) return s;
  s = password_hash(&a->cost, form->password, u->password);
  return s ? error_set(err, s, NULL, "out of memory") : STATUS_OK;
}

static enum status place_in_local(struct accounts *a, struct account *account, struct error *err) {
  struct store_user *u = &account->user;
  fill(u->tenant_id, sizeof u->tenant_id, "local");
  return store_get_tenant(a->store, "local", &account->tenant, err);
}

/* Of its own, which nobody else is in. */
static void make_tenant(struct account *account) {
  struct store_tenant *t = &account->tenant;
  id_generate(t->id);
  account_make_slug(t->name, t->id, t->slug, sizeof t->slug);
  fill(t->plan, sizeof t->plan, "free");
  fill(t->owner_id, sizeof t->owner_id, account->user.id);
  t->created_ms = t->updated_ms = account->user.created_ms;
  fill(account->user.tenant_id, sizeof account->user.tenant_id, t->id);
}

/* A taken address and too many users are one status of the store's. */
static enum account_answer say_why_not(struct accounts *a, const char *email, enum status status,
                                       struct error *err) {
  struct store_user other;
  if (status != STATUS_CONFLICT) return accounts_fail(status, err);
  if (!store_find_user(a->store, email, &other, NULL))
    error_set(err, STATUS_CONFLICT, "email", "Email already registered");
  else
    error_set(err, STATUS_FULL, NULL, "no more users are taken on this server");
  return ACCOUNT_FAILED;
}

struct entry {
  enum audit_action action;
  enum role role;
  struct audit_origin origin; /* actor NULL = the user */
};

static enum account_answer put_account(struct accounts *a, struct account *account,
                                       const struct entry *entry, struct error *err) {
  struct store_user *u = &account->user;
  struct audit_origin origin = entry->origin;
  id_generate(u->id);
  u->created_ms = u->updated_ms = accounts_now_ms(a);
  fill(u->role, sizeof u->role, role_name(entry->role));
  bool local = entry->role == ROLE_ADMIN;
  enum status s = local ? place_in_local(a, account, err) : STATUS_OK;
  if (s) return accounts_fail(s, err);
  if (!local) make_tenant(account);
  if (!origin.actor) origin.actor = u->id;
  if (!origin.tenant_id) origin.tenant_id = u->tenant_id;
  JSON_LATER json_t *detail = json_pack("{s:s}", "role", u->role);
  struct audit_record record;
  const struct audit_act act = {entry->action, AUDIT_OK, origin, u->id, detail};
  audit_record_make(&act, &record);
  struct account_write w;
  account_write_begin(&w);
  s = account_write_end(
      &w, store_put_user(a->store, u, local ? NULL : &account->tenant, a->options->max_users,
                         &record.entry, account_write_done, &w));
  return s ? say_why_not(a, u->email, s, err) : ACCOUNT_OK;
}

static enum account_answer enter(struct accounts *a, struct account *account,
                                 const struct entry *entry, struct account_tokens *ret_tokens,
                                 struct error *err) {
  enum account_answer answer = put_account(a, account, entry, err);
  if (answer) return answer;
  accounts_began(a);
  account->user.last_login_ms = accounts_now_ms(a);
  return accounts_open_session(a, account, NULL, ret_tokens, err);
}

enum account_answer accounts_register(struct accounts *a, const struct account_form *form,
                                      const struct account_from *from, struct account *ret,
                                      struct account_tokens *ret_tokens, struct error *err) {
  if (strcmp(a->options->registration, "open") != 0) {
    error_set(err, STATUS_DENIED, NULL, "Registration is closed on this server");
    return ACCOUNT_REFUSED;
  }
  enum status s = read_form(a, form, ret, err);
  if (s) return accounts_fail(s, err);
  bool listed = account_is_listed(a->options->admin_emails, ret->user.email);
  bool owner = *ret->tenant.name != '\0';
  const struct entry entry = {AUDIT_REGISTER,
                              listed  ? ROLE_ADMIN
                              : owner ? ROLE_OWNER
                                      : ROLE_MEMBER,
                              {NULL, NULL, from->address, from->request_id}};
  return enter(a, ret, &entry, ret_tokens, err);
}

enum account_answer accounts_add_user(struct accounts *a, const struct account_form *form,
                                      enum role role, const struct audit_origin *origin,
                                      struct account *ret, struct error *err) {
  enum status s = read_form(a, form, ret, err);
  if (s) return accounts_fail(s, err);
  const struct entry entry = {AUDIT_USER_CREATE, role, *origin};
  enum account_answer answer = put_account(a, ret, &entry, err);
  if (!answer) accounts_began(a);
  return answer;
}

/* Takes the one token; it is given back where the rest fails. */
static bool take_setup(struct accounts *a, struct bytes token) {
  uint8_t hash[SHA256_SIZE];
  sha256_of(token, hash);
  pthread_mutex_lock(&a->lock);
  bool good = a->setup_open && secret_equal(hash, a->setup_hash, sizeof hash);
  if (good) a->setup_open = false;
  pthread_mutex_unlock(&a->lock);
  return good;
}

static void give_back_setup(struct accounts *a) {
  pthread_mutex_lock(&a->lock);
  a->setup_open = true;
  pthread_mutex_unlock(&a->lock);
}

static bool has_admin(struct accounts *a) {
  struct store_user_counts counts;
  return !store_count_users(a->store, accounts_now_ms(a), &counts, NULL) && counts.admins > 0;
}

enum account_answer accounts_set_up(struct accounts *a, struct bytes token,
                                    const struct account_form *form,
                                    const struct account_from *from, struct account *ret,
                                    struct account_tokens *ret_tokens, struct error *err) {
  const struct audit_origin origin = {"local", "anonymous", from->address, from->request_id};
  const struct audit_act refused = {AUDIT_SETUP, AUDIT_REFUSED, origin, NULL, NULL};
  enum status s = read_form(a, form, ret, err);
  if (s) return accounts_fail(s, err);
  if (has_admin(a) || !take_setup(a, token)) {
    audit_note(a->parts.audit, &refused);
    error_set(err, STATUS_DENIED, "token", "The setup token is not right, or was used");
    return ACCOUNT_REFUSED;
  }
  const struct entry entry = {
      AUDIT_SETUP, ROLE_ADMIN, {NULL, NULL, from->address, from->request_id}};
  enum account_answer answer = put_account(a, ret, &entry, err);
  if (answer) {
    give_back_setup(a);
    return answer;
  }
  ret->user.last_login_ms = accounts_now_ms(a);
  return accounts_open_session(a, ret, NULL, ret_tokens, err);
}

/* ---- logging in ---- */

static void say_locked(int64_t wait_ms, struct error *err) {
  long minutes = (long)((wait_ms + 59999) / 60000);
  error_set(err, STATUS_EXHAUSTED, NULL, "Account temporarily locked. Try again in %ld minute%s.",
            minutes, minutes == 1 ? "" : "s");
  if (err) err->retry_after_s = (long)((wait_ms + 999) / 1000);
}

enum account_answer accounts_try(struct accounts *a, const char *email, struct error *err) {
  int64_t wait_ms = 0;
  if (!lockout_take(a->lockout, email, accounts_now_ms(a), &wait_ms)) return ACCOUNT_OK;
  say_locked(wait_ms, err);
  return ACCOUNT_LOCKED;
}

void accounts_untry(struct accounts *a, const char *email) {
  lockout_give_back(a->lockout, email);
}

static void note_refusal(struct accounts *a, const struct store_user *user, const char *reason,
                         const struct account_from *from) {
  JSON_LATER json_t *detail = json_pack("{s:s}", "reason", reason);
  const struct audit_origin origin = {*user->tenant_id ? user->tenant_id : "local", "anonymous",
                                      from->address, from->request_id};
  const struct audit_act act = {AUDIT_LOGIN, AUDIT_REFUSED, origin, user->id, detail};
  audit_note(a->parts.audit, &act);
}

/* The account is closed now; who has none is not in the log by what was typed. */
static void note_lockout(struct accounts *a, const struct store_user *user,
                         const struct account_from *from) {
  const struct audit_origin origin = {*user->tenant_id ? user->tenant_id : "local", "anonymous",
                                      from->address, from->request_id};
  const struct audit_act act = {AUDIT_LOCKOUT, AUDIT_OK, origin, user->id, NULL};
  audit_note(a->parts.audit, &act);
}

/* A failed rewrite keeps the older hash, which is as good as it was; a password that was changed
 * meanwhile stays changed. */
static void renew_hash(struct accounts *a, struct store_user *user, struct bytes password) {
  char hash[PASSWORD_SIZE];
  if (!password_is_outdated(&a->cost, user->password)) return;
  if (password_hash(&a->cost, password, hash)) return;
  const struct store_user_change change = {.user_id = user->id,
                                           .password = hash,
                                           .was_password = user->password,
                                           .active = -1,
                                           .now_ms = user->updated_ms};
  struct account_write w;
  account_write_begin(&w);
  enum status s =
      account_write_end(&w, store_change_user(a->store, &change, NULL, account_write_done, &w));
  if (!s) fill(user->password, sizeof user->password, hash);
  if (s) log_warning("accounts", NULL, "event=hash_not_renewed status=%s", status_name(s));
}

/* The same work whether there is such an account or not. */
static enum status check_password(struct accounts *a, const char *email, struct bytes password,
                                  struct store_user *ret_user, bool *ret_right, struct error *err) {
  *ret_user = (struct store_user){0};
  enum status s = store_find_user(a->store, email, ret_user, err);
  if (s && s != STATUS_NOT_FOUND) return s;
  bool fits = password.len <= TRIED_BYTES_MAX;
  struct bytes tried = fits ? password : (struct bytes){password.ptr, TRIED_BYTES_MAX};
  *ret_right = password_verify(&a->cost, ret_user->password, tried) && fits;
  return STATUS_OK;
}

static enum account_answer refuse_login(struct accounts *a, const struct store_user *user,
                                        const char *email, const struct account_from *from,
                                        struct error *err) {
  note_refusal(a, user, *user->id ? "password" : "account", from);
  if (lockout_tell(a->lockout, email, accounts_now_ms(a))) note_lockout(a, user, from);
  return accounts_wrong(err);
}

enum account_answer accounts_login(struct accounts *a, const char *email, struct bytes password,
                                   const struct account_from *from, struct account *ret,
                                   struct account_tokens *ret_tokens, struct error *err) {
  bool right = false;
  enum status s = check_password(a, email, password, &ret->user, &right, err);
  if (s) lockout_give_back(a->lockout, email);
  if (s) return accounts_fail(s, err);
  if (!right) return refuse_login(a, &ret->user, email, from, err);
  lockout_clear(a->lockout, email);
  if (!ret->user.active) {
    note_refusal(a, &ret->user, "disabled", from);
    error_set(err, STATUS_DENIED, NULL, "Account is disabled");
    return ACCOUNT_DISABLED;
  }
  s = store_get_tenant(a->store, ret->user.tenant_id, &ret->tenant, err);
  if (s) return accounts_fail(s, err);
  renew_hash(a, &ret->user, password);
  struct audit_record record;
  const struct audit_act act = {AUDIT_LOGIN, AUDIT_OK, accounts_origin(&ret->user, from),
                                ret->user.id, NULL};
  audit_record_make(&act, &record);
  ret->user.last_login_ms = accounts_now_ms(a);
  enum account_answer answer = accounts_open_session(a, ret, &record, ret_tokens, err);
  if (answer == ACCOUNT_WRONG) note_refusal(a, &ret->user, "changed", from);
  /* The first user may have been made by another process. */
  if (!answer && a->parts.auth && !auth_enabled(a->parts.auth)) accounts_began(a);
  return answer;
}
