/* POST /api/auth/register, /setup and /login. A body's other members are not looked at: a role, a
 * tenant or a plan cannot be brought along. */
#include "api/account_body.h"
#include "api/auth_work.h"
#include "api/cookie.h"
#include "api/handlers.h"
#include "api/key_body.h"
#include "api/reply.h"
#include "auth/account_rules.h"
#include "base/log.h"

/* The session is there by now: what cannot be read of the keys is no reason to keep it back. */
static json_t *entry_body(struct auth_work *w, const struct account *account,
                          const struct account_tokens *tokens, const char *message) {
  const struct principal who = {.tenant_id = account->user.tenant_id, .owner_id = account->user.id};
  struct key_default key = {0};
  struct error err = {0};
  if (key_find_default(w->api, &who, &key, &err))
    log_warning("auth", NULL, "event=default_key_unknown error=\"%s\"", err.message);
  return account_login_body(account, key.account.prefix ? &key.account : NULL, tokens, message);
}

static void answer_entry(struct auth_work *w, enum account_answer answer, int status_code,
                         const struct account *account, struct account_tokens *tokens,
                         const char *message, const struct error *err) {
  struct cookie_headers headers;
  if (answer) {
    auth_work_refuse(w, answer, err);
  } else {
    cookie_fill_headers(w->request, tokens->access, tokens->expires_s, &headers);
    reply_json(w->request, status_code, entry_body(w, account, tokens, message), headers.lines);
    explicit_bzero(&headers, sizeof headers);
  }
  explicit_bzero(tokens, sizeof *tokens);
}

static enum status read_form(const struct auth_work *w, struct account_form *form,
                             struct error *err) {
  enum status s = auth_work_text(w, "email", true, &form->email, err);
  if (!s) s = auth_work_text(w, "password", true, &form->password, err);
  if (!s) s = auth_work_text(w, "name", false, &form->name, err);
  if (!s) s = auth_work_text(w, "organization", false, &form->organization, err);
  return s;
}

static void register_user(struct auth_work *w) {
  struct error err = {0};
  struct account_form form;
  struct account account;
  struct account_tokens tokens = {0};
  enum account_answer answer = ACCOUNT_FAILED;
  if (!read_form(w, &form, &err))
    answer = accounts_register(w->accounts, &form, &w->from, &account, &tokens, &err);
  answer_entry(w, answer, 201, &account, &tokens, "Registered successfully", &err);
}

void handle_auth_register(struct http_request *request, void *app) {
  auth_work_begin(request, app, AUTH_POOL_HASHING, AUTH_LIMIT_REGISTER, NULL, register_user);
}

static void set_up(struct auth_work *w) {
  struct error err = {0};
  struct account_form form;
  struct account account;
  struct account_tokens tokens = {0};
  struct bytes token;
  enum account_answer answer = ACCOUNT_FAILED;
  enum status s = auth_work_text(w, "token", true, &token, &err);
  if (!s) s = read_form(w, &form, &err);
  form.organization = (struct bytes){"", 0};
  if (!s) answer = accounts_set_up(w->accounts, token, &form, &w->from, &account, &tokens, &err);
  answer_entry(w, answer, 201, &account, &tokens, "The first admin is set up", &err);
}

void handle_auth_setup(struct http_request *request, void *app) {
  auth_work_begin(request, app, AUTH_POOL_HASHING, AUTH_LIMIT_LOGIN, NULL, set_up);
}

/* ---- logging in ---- */

/* On the HTTP thread: an address that is closed costs neither a hash nor a place in the queue. */
static bool try_login(struct auth_work *w) {
  struct error err = {0};
  struct bytes text;
  enum account_answer answer = ACCOUNT_FAILED;
  enum status s = auth_work_text(w, "email", true, &text, &err);
  if (!s) s = auth_work_text(w, "password", true, &(struct bytes){0}, &err);
  if (!s) s = account_read_email(text, w->email, &err);
  if (!s) answer = accounts_try(w->accounts, w->email, &err);
  if (answer) auth_work_refuse(w, answer, &err);
  return answer == ACCOUNT_OK;
}

static void log_in(struct auth_work *w) {
  struct error err = {0};
  struct account account;
  struct account_tokens tokens = {0};
  struct bytes password = json_bytes(json_object_get(w->body, "password"));
  enum account_answer answer =
      accounts_login(w->accounts, w->email, password, &w->from, &account, &tokens, &err);
  answer_entry(w, answer, 200, &account, &tokens, "Logged in successfully", &err);
}

void handle_auth_login(struct http_request *request, void *app) {
  auth_work_begin(request, app, AUTH_POOL_HASHING, AUTH_LIMIT_LOGIN, try_login, log_in);
}
