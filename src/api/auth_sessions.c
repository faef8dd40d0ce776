/* POST /api/auth/refresh, /logout, /logout-all and /revoke. */
#include "api/account_body.h"
#include "api/auth_work.h"
#include "api/cookie.h"
#include "api/handlers.h"
#include "api/reply.h"

static void refresh(struct auth_work *w) {
  struct error err = {0};
  struct account_tokens tokens = {0};
  struct bytes token;
  enum account_answer answer = ACCOUNT_FAILED;
  if (!auth_work_text(w, "refresh_token", true, &token, &err))
    answer = accounts_refresh(w->accounts, token, &w->from, &tokens, &err);
  json_t *body = answer ? NULL : account_tokens_body(&tokens);
  if (body) json_object_set_new(body, "tokens", account_tokens_body(&tokens));
  struct cookie_headers headers;
  if (answer) {
    auth_work_refuse(w, answer, &err);
  } else {
    cookie_fill_headers(w->request, tokens.access, tokens.expires_s, &headers);
    reply_json(w->request, 200, body, headers.lines);
    explicit_bzero(&headers, sizeof headers);
  }
  explicit_bzero(&tokens, sizeof tokens);
}

void handle_auth_refresh(struct http_request *request, void *app) {
  auth_work_begin(request, app, AUTH_POOL_GENERAL, AUTH_LIMIT_REFRESH, NULL, refresh);
}

static void log_out(struct auth_work *w) {
  struct error err = {0};
  enum account_answer answer = accounts_logout(w->accounts, &w->who, &w->from, &err);
  struct cookie_headers headers;
  if (answer) {
    auth_work_refuse(w, answer, &err);
    return;
  }
  cookie_fill_headers(w->request, "", 0, &headers);
  reply_json(w->request, 200, json_pack("{s:s}", "message", "Logged out successfully"),
             headers.lines);
}

void handle_auth_logout(struct http_request *request, void *app) {
  auth_work_begin(request, app, AUTH_POOL_GENERAL, AUTH_LIMITS, NULL, log_out);
}

static void log_out_all(struct auth_work *w) {
  struct error err = {0};
  int64_t version = 0;
  enum account_answer answer = accounts_logout_all(w->accounts, &w->who, &w->from, &version, &err);
  if (answer)
    auth_work_refuse(w, answer, &err);
  else
    reply_json(w->request, 200,
               json_pack("{s:s, s:b, s:I}", "message", "Logged out everywhere",
                         "sessions_invalidated", 1, "token_version", (json_int_t)version),
               NULL);
}

void handle_auth_logout_all(struct http_request *request, void *app) {
  auth_work_begin(request, app, AUTH_POOL_GENERAL, AUTH_LIMIT_PASSWORD, NULL, log_out_all);
}

/* The token of the body, or, where it names none, the one that the caller shows. */
static enum status read_token(struct auth_work *w, struct bytes *ret_token, struct error *err) {
  const char *header = http_request_header(w->request, "Authorization");
  if (!json_object_get(w->body, "token") && auth_read_bearer(header, ret_token)) return STATUS_OK;
  return auth_work_text(w, "token", true, ret_token, err);
}

static void revoke_token(struct auth_work *w) {
  struct error err = {0};
  struct bytes token;
  int ended = 0;
  enum account_answer answer = ACCOUNT_FAILED;
  if (!read_token(w, &token, &err))
    answer = accounts_revoke(w->accounts, token, &w->from, &ended, &err);
  if (answer)
    auth_work_refuse(w, answer, &err);
  else
    reply_json(w->request, 200,
               json_pack("{s:b, s:s, s:i}", "success", 1, "message",
                         ended ? "Token revoked" : "Nothing to revoke", "revoked_count", ended),
               NULL);
}

void handle_auth_revoke(struct http_request *request, void *app) {
  auth_work_begin(request, app, AUTH_POOL_GENERAL, AUTH_LIMIT_REFRESH, NULL, revoke_token);
}
