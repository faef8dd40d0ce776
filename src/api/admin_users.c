/* Users, for the operator: GET /api/system/users and /{id}, PATCH /{id}, POST /{id}/logout, and GET
 * /{id}/api-keys. What `aragora user` does by hand. */
#include "api/audit_trail.h"
#include "api/auth_work.h"
#include "api/cursor.h"
#include "api/handlers.h"
#include "api/key_body.h"
#include "api/params.h"
#include "api/reply.h"
#include "auth/key_ring.h"
#include "store/plans.h"

#include <ctype.h>
#include <stdlib.h>

enum { LIMIT_DEFAULT = 50, LIMIT_MAX = 200 };

/* ---- showing ---- */

static json_t *user_object(const struct account *account) {
  const struct store_user *u = &account->user;
  return json_pack("{s:s, s:s, s:s, s:o, s:s, s:s, s:s, s:b, s:o, s:o, s:o}", "id", u->id,
                   "user_id", u->id, "email", u->email, "name",
                   json_text_or_null(*u->name ? u->name : NULL), "tenant_id", u->tenant_id, "role",
                   u->role, "plan", account->tenant.plan, "disabled", !u->active, "created_at",
                   json_time_or_null(u->created_ms), "updated_at", json_time_or_null(u->updated_ms),
                   "last_login_at", json_time_or_null(u->last_login_ms));
}

static void answer_user(struct auth_work *w, const char *id) {
  struct error err = {0};
  struct account account;
  enum account_answer answer = accounts_get(w->accounts, id, &account, &err);
  if (answer)
    auth_work_refuse(w, answer, &err);
  else
    reply_json(w->request, 200, user_object(&account), NULL);
}

static void show_user(struct auth_work *w) {
  answer_user(w, http_request_param(w->request, "id"));
}

void handle_admin_user_show(struct http_request *request, void *app) {
  auth_work_begin(request, app, AUTH_POOL_GENERAL, AUTH_LIMITS, NULL, show_user);
}

/* ---- the list ---- */

struct listing {
  struct store_user_query query;
  struct cursor cursor;
  char email[STORE_EMAIL_SIZE];
  struct store_user *users;
  size_t count, limit;
};

static void take(void *ctx, const struct store_user *user) {
  struct listing *l = ctx;
  l->users[l->count++] = *user;
}

/* In lower case, as addresses are stored. */
static enum status read_email(const char *text, struct listing *l, struct error *err) {
  if (!text) return STATUS_OK;
  if (strlen(text) >= sizeof l->email)
    return error_set(err, STATUS_INVALID, "email", "is longer than any address");
  for (size_t i = 0; text[i]; i++) l->email[i] = (char)tolower((unsigned char)text[i]);
  l->query.email = l->email;
  return STATUS_OK;
}

static enum status read_status(const char *text, struct listing *l, struct error *err) {
  l->query.active = -1;
  if (!text) return STATUS_OK;
  l->query.active = strcmp(text, "active") == 0;
  if (l->query.active || strcmp(text, "disabled") == 0) return STATUS_OK;
  return error_set(err, STATUS_INVALID, "status", "is active or disabled");
}

static enum status read_query(const struct http_request *request, struct listing *l,
                              struct error *err) {
  const char *cursor = http_request_query(request, "cursor");
  enum role role;
  *l = (struct listing){.query = {.before_ms = -1},
                        .limit = (size_t)params_int(request, "limit", LIMIT_DEFAULT, 1, LIMIT_MAX)};
  l->query.limit = l->limit + 1; /* one more tells that there are more */
  l->query.role = http_request_query(request, "role");
  if (l->query.role && !role_parse(bytes_of(l->query.role), &role))
    return error_set(err, STATUS_INVALID, "role", "a role is member, owner or admin");
  enum status s = read_email(http_request_query(request, "email"), l, err);
  if (!s) s = read_status(http_request_query(request, "status"), l, err);
  if (!s && cursor) s = cursor_read(cursor, &l->cursor, err);
  if (!s && cursor) {
    l->query.before_ms = l->cursor.created_ms;
    l->query.before_id = l->cursor.id;
  }
  return s;
}

static enum status read_users(struct api *api, struct listing *l, json_t *list, struct error *err) {
  l->users = calloc(l->query.limit, sizeof *l->users);
  if (!l->users || !list) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  enum status s = store_list_users(api->parts.store, &l->query, take, l, err);
  for (size_t i = 0; !s && i < l->count && i < l->limit; i++) {
    struct account account = {.user = l->users[i]};
    s = store_get_tenant(api->parts.store, account.user.tenant_id, &account.tenant, err);
    if (!s) json_array_append_new(list, user_object(&account));
  }
  return s;
}

static json_t *next_cursor(const struct listing *l) {
  char text[CURSOR_SIZE];
  if (l->count <= l->limit) return json_null();
  const struct store_user *last = &l->users[l->limit - 1];
  return cursor_write(last->created_ms, last->id, text) ? json_string(text) : json_null();
}

static void list_users(struct auth_work *w) {
  struct error err = {0};
  struct listing l;
  JSON_LATER json_t *list = json_array();
  enum status s = read_query(w->request, &l, &err);
  if (!s) s = read_users(w->api, &l, list, &err);
  if (s)
    reply_failure(w->request, s, &err, NULL);
  else
    reply_json(
        w->request, 200,
        json_pack("{s:O, s:I, s:o, s:b}", "users", list, "count", (json_int_t)json_array_size(list),
                  "next_cursor", next_cursor(&l), "has_more", l.count > l.limit),
        NULL);
  free(l.users);
}

void handle_admin_users_list(struct http_request *request, void *app) {
  auth_work_begin(request, app, AUTH_POOL_GENERAL, AUTH_LIMITS, NULL, list_users);
}

/* ---- a user's keys ---- */

struct keys {
  json_t *list;
  int64_t now_ms;
};

static void add_key(void *ctx, const struct store_key *key) {
  struct keys *keys = ctx;
  json_array_append_new(keys->list, key_object(key, keys->now_ms));
}

static void list_keys(struct auth_work *w) {
  struct error err = {0};
  struct store_user user;
  struct keys keys = {json_array(), clock_wall_ms(&clock_system)};
  enum status s =
      store_get_user(w->api->parts.store, http_request_param(w->request, "id"), &user, &err);
  if (!s) {
    const struct principal owner = {.tenant_id = user.tenant_id, .owner_id = user.id};
    s = store_list_keys(w->api->parts.store, &owner, true, KEY_LISTED_MAX, add_key, &keys, &err);
  }
  if (s)
    reply_failure(w->request, s, &err, NULL);
  else
    reply_json(w->request, 200,
               json_pack("{s:O, s:I}", "api_keys", keys.list, "count",
                         (json_int_t)json_array_size(keys.list)),
               NULL);
  json_decref(keys.list);
}

void handle_admin_user_keys(struct http_request *request, void *app) {
  auth_work_begin(request, app, AUTH_POOL_GENERAL, AUTH_LIMITS, NULL, list_keys);
}

/* ---- changing ---- */

/* What a body asks for. */
struct user_form {
  enum role role;   /* ROLE_ANONYMOUS = it stays */
  const char *plan; /* of the body; NULL = it stays */
  int disabled;     /* -1 = it stays */
};

static enum status read_form(const json_t *body, struct user_form *ret_form, struct error *err) {
  const char *name;
  json_t *value;
  struct user_form form = {.role = ROLE_ANONYMOUS, .disabled = -1};
  json_object_foreach((json_t *)body, name, value) {
    if (strcmp(name, "role") == 0) {
      if (!json_is_string(value) || !role_parse(json_bytes(value), &form.role))
        return error_set(err, STATUS_INVALID, name, "a role is member, owner or admin");
    } else if (strcmp(name, "plan") == 0) {
      form.plan = json_string_value(value);
      if (!form.plan || strlen(form.plan) != json_string_length(value) || !plan_find(form.plan))
        return error_set(err, STATUS_INVALID, name, "no plan is called so");
    } else if (strcmp(name, "disabled") == 0) {
      if (!json_is_boolean(value))
        return error_set(err, STATUS_INVALID, name, "must be true or false");
      form.disabled = json_is_true(value);
    } else {
      return error_set(err, STATUS_INVALID, name, "of a user role, plan and disabled can change");
    }
  }
  if (!form.role && !form.plan && form.disabled < 0)
    return error_set(err, STATUS_INVALID, "body", "nothing of the user is named");
  *ret_form = form;
  return STATUS_OK;
}

/* Each by itself, with its row of the audit log, and only what is another: what may be refused
 * comes first. An admin is not to lock all of them out; whoever holds the server's own token, or is
 * on its machine, does not depend on them. */
static enum account_answer change(struct auth_work *w, const struct account *account,
                                  const struct user_form *form, struct error *err) {
  const struct store_user *u = &account->user;
  const struct audit_origin origin = audit_trail_origin(w->request);
  bool last_too = w->who.kind != IDENTITY_SESSION;
  enum account_answer answer = ACCOUNT_OK;
  if (form->role && strcmp(role_name(form->role), u->role) != 0)
    answer = accounts_set_role(w->accounts, u->id, form->role, last_too, &origin, err);
  if (!answer && form->disabled >= 0 && u->active == form->disabled)
    answer = accounts_set_active(w->accounts, u->id, !form->disabled, last_too, &origin, err);
  if (!answer && form->plan && strcmp(form->plan, account->tenant.plan) != 0)
    answer = accounts_set_plan(w->accounts, u, form->plan, &origin, err);
  return answer;
}

/* Streams that are open with a key of the user ask what it may now. Without memory they find out
 * within seconds. */
static void tell_keys(struct api *api, const struct store_user *user) {
  struct error err = {0};
  enum status s = key_ring_refresh(api->parts.keys, user->tenant_id, user->id, &err);
  (void)s;
  auth_tell_revoked(api->parts.auth);
}

static void change_user(struct auth_work *w) {
  struct error err = {0};
  struct user_form form = {0};
  struct account account;
  const char *id = http_request_param(w->request, "id");
  enum account_answer answer = read_form(w->body, &form, &err) ? ACCOUNT_FAILED : ACCOUNT_OK;
  if (!answer) answer = accounts_get(w->accounts, id, &account, &err);
  if (!answer) {
    answer = change(w, &account, &form, &err);
    tell_keys(w->api, &account.user);
  }
  if (answer)
    auth_work_refuse(w, answer, &err);
  else
    answer_user(w, id);
}

void handle_admin_user_change(struct http_request *request, void *app) {
  auth_work_begin(request, app, AUTH_POOL_GENERAL, AUTH_LIMITS, NULL, change_user);
}

static void log_user_out(struct auth_work *w) {
  struct error err = {0};
  const struct audit_origin origin = audit_trail_origin(w->request);
  enum account_answer answer =
      accounts_end_sessions(w->accounts, http_request_param(w->request, "id"), &origin, &err);
  if (answer)
    auth_work_refuse(w, answer, &err);
  else
    reply_json(
        w->request, 200,
        json_pack("{s:s, s:b}", "message", "Logged out everywhere", "sessions_invalidated", 1),
        NULL);
}

void handle_admin_user_logout(struct http_request *request, void *app) {
  auth_work_begin(request, app, AUTH_POOL_GENERAL, AUTH_LIMITS, NULL, log_user_out);
}
