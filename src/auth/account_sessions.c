/* How one stays in, and how one leaves: refreshing, logging out, revoking. */
#include "auth/accounts_state.h"
#include "auth/revoked.h"

#include <stdio.h>

/* After the commit. */
static void forget_session(struct accounts *a, const char *session_id) {
  session_cache_end(a->cache, session_id);
  auth_tell_revoked(a->parts.auth);
}

static enum account_answer wrong(struct error *err) {
  error_set(err, STATUS_DENIED, NULL, "Invalid or expired token");
  return ACCOUNT_WRONG;
}

/* STATUS_CONFLICT where it had ended already. */
static enum status end_session(struct accounts *a, const char *session_id,
                               const struct audit_act *act) {
  struct audit_record record;
  struct account_write w;
  audit_record_make(act, &record);
  account_write_begin(&w);
  enum status s = account_write_end(
      &w, store_end_session(a->store, session_id, &record.entry, account_write_done, &w));
  if (!s) forget_session(a, session_id);
  return s;
}

/* ---- refreshing ---- */

/* The session and its user, both good for this token; anything else is STATUS_DENIED. */
static enum status find_session(struct accounts *a, const struct jwt_claims *claims,
                                struct account *ret, struct error *err) {
  struct store_session session;
  enum status s = store_get_session(a->store, claims->session_id, &session, err);
  if (!s) s = store_get_user(a->store, session.user_id, &ret->user, err);
  if (!s) s = store_get_tenant(a->store, ret->user.tenant_id, &ret->tenant, err);
  if (s) return s == STATUS_NOT_FOUND ? STATUS_DENIED : s;
  bool good = strcmp(session.user_id, claims->user_id) == 0 && ret->user.active &&
              session.expires_ms > accounts_now_ms(a) &&
              ret->user.token_version == claims->token_version;
  return good ? STATUS_OK : STATUS_DENIED;
}

/* Somebody else has it too: neither goes on with it. */
static enum account_answer end_for_reuse(struct accounts *a, const char *session_id,
                                         const struct store_user *user,
                                         const struct account_from *from, struct error *err) {
  const struct audit_act act = {AUDIT_REFRESH_REUSE, AUDIT_REFUSED, accounts_origin(user, from),
                                session_id, NULL};
  enum status s = end_session(a, session_id, &act);
  if (s && s != STATUS_CONFLICT) return accounts_fail(s, err);
  return wrong(err);
}

static enum account_answer renew(struct accounts *a, const char *session_id, struct bytes old,
                                 const struct account *account, const struct account_from *from,
                                 struct account_tokens *ret_tokens, struct error *err) {
  uint8_t old_hash[SHA256_SIZE], new_hash[SHA256_SIZE];
  int64_t now_ms = accounts_now_ms(a);
  struct account_write w;
  enum status s = accounts_make_tokens(a, account, session_id, ret_tokens, err);
  if (s) return accounts_fail(s, err);
  sha256_of(old, old_hash);
  sha256_of(bytes_of(ret_tokens->refresh), new_hash);
  account_write_begin(&w);
  s = account_write_end(&w, store_renew_session(a->store, session_id, old_hash, new_hash, now_ms,
                                                now_ms + a->options->refresh_expiry_days * 86400000,
                                                NULL, account_write_done, &w));
  if (s == STATUS_CONFLICT) return end_for_reuse(a, session_id, &account->user, from, err);
  return s ? accounts_fail(s, err) : ACCOUNT_OK;
}

static bool read_token(struct accounts *a, struct bytes text, enum jwt_type type,
                       struct jwt_claims *ret) {
  return atomic_load(&a->has_keys) &&
         jwt_verify(&a->keys, text, type, accounts_now_ms(a) / 1000, ret) == STATUS_OK;
}

enum account_answer accounts_refresh(struct accounts *a, struct bytes refresh_token,
                                     const struct account_from *from,
                                     struct account_tokens *ret_tokens, struct error *err) {
  struct jwt_claims claims;
  struct account account;
  if (!read_token(a, refresh_token, JWT_REFRESH, &claims)) return wrong(err);
  enum status s = find_session(a, &claims, &account, err);
  if (s == STATUS_DENIED) return wrong(err);
  if (s) return accounts_fail(s, err);
  return renew(a, claims.session_id, refresh_token, &account, from, ret_tokens, err);
}

/* ---- leaving ---- */

static struct audit_origin origin_of(const struct identity *who, const struct account_from *from) {
  return (struct audit_origin){who->tenant_id, who->user_id, from->address, from->request_id};
}

enum account_answer accounts_logout(struct accounts *a, const struct identity *who,
                                    const struct account_from *from, struct error *err) {
  const struct audit_act act = {AUDIT_LOGOUT, AUDIT_OK, origin_of(who, from), who->credential_id,
                                NULL};
  if (who->kind != IDENTITY_SESSION) {
    error_set(err, STATUS_DENIED, NULL, "Only a session can be logged out");
    return ACCOUNT_REFUSED;
  }
  enum status s = end_session(a, who->credential_id, &act);
  return s && s != STATUS_CONFLICT ? accounts_fail(s, err) : ACCOUNT_OK;
}

enum account_answer accounts_logout_all(struct accounts *a, const struct identity *who,
                                        const struct account_from *from, int64_t *ret_version,
                                        struct error *err) {
  struct store_user user = {0};
  const struct audit_origin origin = origin_of(who, from);
  enum account_answer answer = accounts_end_sessions(a, who->user_id, &origin, err);
  if (answer) return answer;
  enum status s = store_get_user(a->store, who->user_id, &user, err);
  if (s) return accounts_fail(s, err);
  *ret_version = user.token_version;
  return ACCOUNT_OK;
}

/* By whoever holds it, who is the operator for as long as it counts. */
static enum account_answer revoke_signed(struct accounts *a, struct bytes token, int64_t expires_s,
                                         const struct account_from *from, int *ret_ended,
                                         struct error *err) {
  uint8_t hash[SHA256_SIZE];
  char id[2 * SHA256_SIZE + 1];
  struct audit_record record;
  sha256_of(token, hash);
  bytes_to_hex(hash, sizeof hash, id);
  const struct audit_act act = {
      AUDIT_TOKEN_REVOKE, AUDIT_OK, {"local", "token", from->address, from->request_id}, id, NULL};
  audit_record_make(&act, &record);
  enum status s = revoked_add(a->revoked, hash, expires_s, &record.entry);
  if (s == STATUS_FULL) error_set(err, s, NULL, "too many tokens were revoked that live on");
  if (s && s != STATUS_CONFLICT) return accounts_fail(s, err);
  *ret_ended = s ? 0 : 1;
  auth_tell_revoked(a->parts.auth);
  return ACCOUNT_OK;
}

enum account_answer accounts_revoke(struct accounts *a, struct bytes token,
                                    const struct account_from *from, int *ret_ended,
                                    struct error *err) {
  struct jwt_claims claims;
  int64_t expires_s;
  *ret_ended = 0;
  if (auth_is_signed_token(a->parts.auth, token, &expires_s))
    return revoke_signed(a, token, expires_s, from, ret_ended, err);
  if (!read_token(a, token, JWT_ACCESS, &claims) && !read_token(a, token, JWT_REFRESH, &claims))
    return ACCOUNT_OK;
  /* A session that is not this user's, or has ended, is not this token's to end. */
  struct account account;
  enum status s = find_session(a, &claims, &account, err);
  if (s) return s == STATUS_DENIED ? ACCOUNT_OK : accounts_fail(s, err);
  const struct audit_act act = {AUDIT_TOKEN_REVOKE, AUDIT_OK, accounts_origin(&account.user, from),
                                claims.session_id, NULL};
  s = end_session(a, claims.session_id, &act);
  if (s && s != STATUS_CONFLICT) return accounts_fail(s, err);
  *ret_ended = s ? 0 : 1;
  return ACCOUNT_OK;
}
