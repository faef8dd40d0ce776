/* GET and PUT /api/auth/me, POST /api/auth/password, GET /api/auth/stats. */
#include "api/account_body.h"
#include "api/auth_work.h"
#include "api/handlers.h"
#include "api/key_body.h"
#include "api/reply.h"

/* False, having answered, for a caller behind whom there is no user: the API token's holder, or
 * anybody on a server that asks for no credential. */
static bool is_user(struct http_request *request, const struct identity *who) {
  static const char *const challenge[] = {"WWW-Authenticate: Bearer", NULL};
  if (who->kind == IDENTITY_SESSION || who->kind == IDENTITY_KEY) return true;
  if (who->kind == IDENTITY_API_TOKEN)
    reply_error(request, 404, "NOT_FOUND", "User not found", NULL);
  else
    reply_error(request, 401, "UNAUTHORIZED", "Not authenticated", challenge);
  return false;
}

static bool require_user(struct auth_work *w) {
  return is_user(w->request, &w->who);
}

static void answer_account(struct auth_work *w, enum account_answer answer,
                           const struct account *account, struct error *err) {
  struct key_default key;
  struct principal who = identity_principal(&w->who);
  if (!answer && key_find_default(w->api, &who, &key, err)) answer = ACCOUNT_FAILED;
  if (answer)
    auth_work_refuse(w, answer, err);
  else
    reply_json(w->request, 200, account_body(account, key.account.prefix ? &key.account : NULL),
               NULL);
}

static void show(struct auth_work *w) {
  struct error err = {0};
  struct account account;
  answer_account(w, accounts_get(w->accounts, w->who.user_id, &account, &err), &account, &err);
}

void handle_auth_me(struct http_request *request, void *app) {
  auth_work_begin(request, app, AUTH_POOL_GENERAL, AUTH_LIMITS, require_user, show);
}

/* The address stays: it is what an account is found by, and nobody has verified another one. */
static enum status check_email(const struct auth_work *w, const struct account *account,
                               struct error *err) {
  struct bytes email;
  enum status s = auth_work_text(w, "email", false, &email, err);
  if (s || !email.len || bytes_equal_nocase(email, bytes_of(account->user.email))) return s;
  return error_set(err, STATUS_INVALID, "email", "the address of an account cannot be changed");
}

static void change(struct auth_work *w) {
  struct error err = {0};
  struct account account;
  struct bytes name;
  enum account_answer answer = accounts_get(w->accounts, w->who.user_id, &account, &err);
  enum status s = answer ? STATUS_OK : check_email(w, &account, &err);
  if (!answer && !s) s = auth_work_text(w, "name", false, &name, &err);
  if (!answer && !s && json_object_get(w->body, "name"))
    answer = accounts_rename(w->accounts, &w->who, name, &w->from, &err);
  if (s) answer = ACCOUNT_FAILED;
  if (!answer) answer = accounts_get(w->accounts, w->who.user_id, &account, &err);
  answer_account(w, answer, &account, &err);
}

void handle_auth_me_update(struct http_request *request, void *app) {
  auth_work_begin(request, app, AUTH_POOL_GENERAL, AUTH_LIMITS, require_user, change);
}

static void change_password(struct auth_work *w) {
  struct error err = {0};
  struct bytes current = {0}, next = {0};
  enum account_answer answer = ACCOUNT_FAILED;
  enum status s = auth_work_text(w, "current_password", true, &current, &err);
  if (!s) s = auth_work_text(w, "new_password", true, &next, &err);
  if (!s) answer = accounts_change_password(w->accounts, &w->who, current, next, &w->from, &err);
  if (answer)
    auth_work_refuse(w, answer, &err);
  else
    reply_json(w->request, 200,
               json_pack("{s:s}", "message", "Password changed; other sessions were ended"), NULL);
}

void handle_auth_password(struct http_request *request, void *app) {
  auth_work_begin(request, app, AUTH_POOL_HASHING, AUTH_LIMIT_PASSWORD, require_user,
                  change_password);
}

static void show_stats(struct auth_work *w) {
  const struct options *o = w->api->parts.options;
  struct store_user_counts counts;
  struct error err = {0};
  enum status s =
      store_count_users(w->api->parts.store, clock_wall_ms(&clock_system), &counts, &err);
  if (s) {
    reply_failure(w->request, s, &err, NULL);
    return;
  }
  int64_t ttl_s = o->jwt_expiry_hours * 3600;
  int64_t per_minute = o->rate_limit_requests * 60 / o->rate_limit_window_s;
  reply_json(
      w->request, 200,
      json_pack("{s:b, s:I, s:I, s:I, s:{s:I, s:I, s:I}}", "enabled",
                auth_enabled(w->api->parts.auth), "rate_limit_per_minute", (json_int_t)per_minute,
                "ip_rate_limit_per_minute", (json_int_t)per_minute, "token_ttl_seconds",
                (json_int_t)ttl_s, "stats", "users", (json_int_t)counts.users, "admins",
                (json_int_t)counts.admins, "sessions", (json_int_t)counts.sessions),
      NULL);
}

void handle_auth_stats(struct http_request *request, void *app) {
  auth_work_begin(request, app, AUTH_POOL_GENERAL, AUTH_LIMITS, NULL, show_stats);
}
