/* API keys of the caller: /api/auth/api-keys, and /api/auth/api-key for clients that know one.
 *
 * A key is shown once, in the answer that makes it. Every change is answered from the pool, when it
 * is on disk and the verifier knows it, and ends the streams of what it revoked. */
#include "api/audit_trail.h"
#include "api/handlers.h"
#include "api/key_body.h"
#include "api/params.h"
#include "api/reply.h"
#include "api/state.h"
#include "auth/api_key.h"
#include "auth/key_ring.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

/* How long a default key lives, as ever; for how long both keys of a rotation work, unless the body
 * or the option says less. */
enum { DEFAULT_KEY_DAYS = 365, OVERLAP_S = 86400 };
static const int64_t DAY_MS = 86400000;

enum change_kind {
  CHANGE_CREATE,
  CHANGE_DEFAULT,
  CHANGE_ROTATE,
  CHANGE_EDIT,
  CHANGE_REVOKE,
  CHANGE_REVOKE_DEFAULT
};

/* One change under way; it owns the request until the answer. */
struct change {
  struct http_request *request;
  struct api *api;
  enum change_kind kind;
  enum status status;
  char text[API_KEY_SIZE];      /* of a new key; "" = none */
  char id[API_KEY_PREFIX_SIZE]; /* the new key's, else the one that was changed */
  char tenant_id[IDENTITY_TEXT_SIZE], owner_id[IDENTITY_TEXT_SIZE]; /* whose it is */
  struct principal who; /* on whose behalf; its texts are the request's */
};

static void change_free(struct change *c) {
  sodium_memzero(c, sizeof *c);
  free(c);
}

/* ---- answers ---- */

static size_t keys_max(const struct api *api) {
  return (size_t)api->parts.options->max_keys;
}

/* With those that were rotated and work for a while yet. */
static size_t keys_work_max(const struct api *api) {
  return 2 * keys_max(api);
}

struct shown {
  json_t *object;
  int64_t now_ms;
};

static void show(void *ctx, const struct store_key *key) {
  struct shown *shown = ctx;
  shown->object = key_object(key, shown->now_ms);
}

/* The row as it stands now, or an error for the caller. */
static enum status read_key(const struct http_request *request, struct api *api, const char *id,
                            json_t **ret_object, struct error *err) {
  struct principal who = api_principal(request);
  struct shown shown = {.now_ms = clock_wall_ms(&clock_system)};
  enum status s = store_get_key(api->parts.store, &who, id, show, &shown, err);
  if (!s && !shown.object) s = error_set(err, STATUS_NOMEM, NULL, "out of memory");
  if (!s) *ret_object = shown.object;
  return s;
}

static void refuse(struct change *c) {
  struct error err = {0};
  bool makes = c->kind == CHANGE_CREATE || c->kind == CHANGE_DEFAULT;
  if (c->status == STATUS_CONFLICT && makes)
    error_set(&err, c->status, NULL, "%zu keys work already, which is the limit: revoke one first",
              keys_max(c->api));
  else if (c->status == STATUS_CONFLICT && c->kind == CHANGE_ROTATE)
    error_set(&err, c->status, NULL,
              "the key was revoked, has expired or was rotated before, or %zu keys work already, "
              "rotated ones among them: revoke one first",
              keys_work_max(c->api));
  else if (c->status == STATUS_CONFLICT)
    error_set(&err, c->status, NULL, "the key was revoked, has expired or was rotated before");
  else
    error_set(&err, c->status, NULL, "the change could not be stored");
  reply_failure(c->request, c->status, &err, NULL);
}

static void answer_revoked(struct change *c) {
  json_t *body = json_pack("{s:s, s:b}", "message", "API key revoked", "success", 1);
  if (body && *c->id) json_object_set_new(body, "key_id", json_string(c->id));
  reply_json(c->request, 200, body, NULL);
}

static void answer_key(struct change *c) {
  static const char *const headers[] = {"Cache-Control: no-store", NULL};
  struct error err = {0};
  json_t *body = NULL;
  enum status s = read_key(c->request, c->api, c->id, &body, &err);
  if (s) {
    reply_failure(c->request, s, &err, NULL);
    return;
  }
  if (*c->text) {
    json_object_set_new(body, "api_key", json_string(c->text));
    json_object_set_new(body, "message", json_string("Save this key - it will not be shown again"));
  }
  bool created = c->kind == CHANGE_CREATE || c->kind == CHANGE_ROTATE;
  reply_json(c->request, created ? 201 : 200, body, headers);
}

static bool revokes(const struct change *c) {
  return c->kind == CHANGE_REVOKE || c->kind == CHANGE_REVOKE_DEFAULT;
}

/* Pool thread: the verifier is told before the caller. */
static void finish(void *arg) {
  struct change *c = arg;
  if (c->status) {
    refuse(c);
    change_free(c);
    return;
  }
  struct error err = {0};
  /* Without memory the next call of each key reads it all the same. */
  enum status s = key_ring_refresh(c->api->parts.keys, c->tenant_id, c->owner_id, &err);
  (void)s;
  auth_tell_revoked(c->api->parts.auth);
  if (revokes(c))
    answer_revoked(c);
  else
    answer_key(c);
  change_free(c);
}

/* Nobody is there to read the keys anew. What was revoked ends all the same: the key that is named
 * here, another one when the ring has read it for its streams. */
static void finish_without_pool(struct change *c) {
  bool stored = c->status == STATUS_OK;
  if (stored && c->kind == CHANGE_REVOKE) key_ring_end(c->api->parts.keys, c->id);
  if (stored) auth_tell_revoked(c->api->parts.auth);
  if (stored && revokes(c)) {
    answer_revoked(c);
  } else {
    c->status = STATUS_UNAVAILABLE;
    refuse(c);
  }
  change_free(c);
}

/* Writer's thread. */
static void on_stored(void *ctx, enum status status) {
  struct change *c = ctx;
  c->status = status;
  if (pool_submit(c->api->parts.pool, finish, c)) finish_without_pool(c);
}

/* ---- changing ---- */

static void make_text(struct change *c, struct store_key *key) {
  api_key_make(c->text);
  bool parsed = api_key_parse(bytes_of(c->text), c->id, key->hash);
  key->id = parsed ? c->id : "";
}

/* False when it answered. `*ret_body` NULL = there is none. */
static bool read_body(struct http_request *request, json_t **ret_body) {
  struct error err = {0};
  enum status s = http_request_body(request).len ? params_body(request, ret_body, &err) : STATUS_OK;
  if (s) reply_failure(request, s, &err, NULL);
  return !s;
}

static void own(struct change *c, const char *tenant_id, const char *owner_id) {
  snprintf(c->tenant_id, sizeof c->tenant_id, "%s", tenant_id);
  snprintf(c->owner_id, sizeof c->owner_id, "%s", owner_id);
}

static struct change *begin(struct http_request *request, struct api *api, enum change_kind kind) {
  struct change *c = calloc(1, sizeof *c);
  if (!c) {
    reply_failure(request, STATUS_NOMEM, NULL, NULL);
    return NULL;
  }
  c->request = request;
  c->api = api;
  c->kind = kind;
  c->who = api_principal(request);
  own(c, c->who.tenant_id, c->who.owner_id);
  return c;
}

/* What could not even be queued. */
static void give_up(struct change *c, enum status status, const struct error *err) {
  reply_failure(c->request, status, err, NULL);
  change_free(c);
}

static void create(struct http_request *request, struct api *api, bool is_default) {
  JSON_LATER json_t *body = NULL;
  struct error err = {0};
  struct key_form form;
  struct audit_record record;
  struct principal who = api_principal(request);
  int64_t now_ms = clock_wall_ms(&clock_system);
  if (!read_body(request, &body)) return;
  enum status s = key_form_read(body, now_ms, &form, &err);
  if (s) {
    reply_failure(request, s, &err, NULL);
    return;
  }
  struct change *c = begin(request, api, is_default ? CHANGE_DEFAULT : CHANGE_CREATE);
  if (!c) return;
  make_text(c, &form.key);
  form.key.tenant_id = who.tenant_id;
  form.key.owner_id = who.owner_id;
  form.key.name = form.name;
  form.key.scopes = form.scopes;
  form.key.is_default = is_default;
  if (is_default && !(form.fields & STORE_KEY_EXPIRY))
    form.key.expires_ms = now_ms + DEFAULT_KEY_DAYS * DAY_MS;
  audit_trail_record(request, AUDIT_KEY_CREATE, AUDIT_OK, c->id, NULL, &record);
  s = store_put_key(api->parts.store, &form.key, keys_max(api), now_ms, &record.entry, on_stored,
                    c);
  if (s) give_up(c, s, NULL);
}

static void take(void *ctx, const struct store_key *key) {
  struct change *c = ctx;
  snprintf(c->id, sizeof c->id, "%s", key->id);
  own(c, key->tenant_id, key->owner_id);
}

/* The id of the path, of a key that the caller sees, and whose it is; "" when it answered that
 * there is none. */
static void find(struct change *c) {
  struct error err = {0};
  enum status s = store_get_key(c->api->parts.store, &c->who, http_request_param(c->request, "id"),
                                take, c, &err);
  if (s) reply_failure(c->request, s, &err, NULL);
}

/* Who sees the key of another may end it, but not have one that acts as him, nor make his do more.
 */
static bool may_change(const struct change *c) {
  if (c->kind == CHANGE_REVOKE) return true;
  return strcmp(c->who.tenant_id, c->tenant_id) == 0 && strcmp(c->who.owner_id, c->owner_id) == 0;
}

/* NULL when it answered. */
static struct change *begin_with(struct http_request *request, struct api *api,
                                 enum change_kind kind) {
  struct error err = {0};
  struct change *c = begin(request, api, kind);
  if (!c) return NULL;
  find(c);
  if (*c->id && may_change(c)) return c;
  if (*c->id) {
    error_set(&err, STATUS_DENIED, NULL, "the key is another user's: it can only be revoked");
    reply_failure(request, STATUS_DENIED, &err, NULL);
  }
  change_free(c);
  return NULL;
}

static void copy_key(void *ctx, const struct store_key *key) {
  struct key_form *form = ctx;
  form->key = *key;
  snprintf(form->name, sizeof form->name, "%s", key->name);
  snprintf(form->scopes, sizeof form->scopes, "%s", key->scopes);
  form->key.name = form->name;
  form->key.scopes = form->scopes;
}

static enum status read_overlap(const json_t *body, int64_t max_s, int64_t *ret_s,
                                struct error *err) {
  const json_t *value = json_object_get(body, "overlap_seconds");
  int64_t usual_s = OVERLAP_S < max_s ? OVERLAP_S : max_s;
  *ret_s = value ? json_integer_value(value) : usual_s;
  if (body && !json_is_object(body))
    return error_set(err, STATUS_INVALID, "body", "body must be a JSON object");
  if ((value && !json_is_integer(value)) || *ret_s < 0 || *ret_s > max_s)
    return error_set(err, STATUS_INVALID, "overlap_seconds",
                     "overlap_seconds must be a whole number of 0 to %lld", (long long)max_s);
  return STATUS_OK;
}

/* The new key is what the old one is: of the same owner, with the same life ahead of it as that one
 * had when it was made. */
static enum status rotate(struct change *c, int64_t overlap_s, struct error *err) {
  struct principal who = api_principal(c->request);
  struct key_form form;
  struct audit_record record;
  char old[API_KEY_PREFIX_SIZE];
  int64_t now_ms = clock_wall_ms(&clock_system);
  memcpy(old, c->id, sizeof old);
  enum status s = store_get_key(c->api->parts.store, &who, old, copy_key, &form, err);
  if (s) return s;
  form.key.tenant_id = c->tenant_id;
  form.key.owner_id = c->owner_id;
  if (form.key.expires_ms >= 0)
    form.key.expires_ms = now_ms + (form.key.expires_ms - form.key.created_ms);
  make_text(c, &form.key);
  json_t *detail = json_pack("{s:s}", "new_key", c->id);
  audit_trail_record(c->request, AUDIT_KEY_ROTATE, AUDIT_OK, old, detail, &record);
  json_decref(detail);
  return store_rotate_key(c->api->parts.store, &who, old, &form.key, now_ms + overlap_s * 1000,
                          keys_work_max(c->api), now_ms, &record.entry, on_stored, c);
}

/* ---- the handlers; all on the pool ---- */

void handle_key_create(struct http_request *request, void *app) {
  create(request, app, false);
}

void handle_key_create_default(struct http_request *request, void *app) {
  create(request, app, true);
}

struct listing {
  json_t *keys;
  int64_t now_ms;
};

static void list_key(void *ctx, const struct store_key *key) {
  struct listing *l = ctx;
  json_array_append_new(l->keys, key_object(key, l->now_ms));
}

void handle_keys_list(struct http_request *request, void *app) {
  struct api *api = app;
  struct error err = {0};
  struct principal who = api_principal(request);
  struct listing l = {json_array(), clock_wall_ms(&clock_system)};
  enum status s = store_list_keys(api->parts.store, &who, true, KEY_LISTED_MAX, list_key, &l, &err);
  if (s) {
    json_decref(l.keys);
    reply_failure(request, s, &err, NULL);
    return;
  }
  size_t count = json_array_size(l.keys);
  reply_json(request, 200,
             json_pack("{s:o, s:I, s:I}", "api_keys", l.keys, "count", (json_int_t)count, "limit",
                       (json_int_t)keys_max(api)),
             NULL);
}

void handle_key_show(struct http_request *request, void *app) {
  struct api *api = app;
  struct error err = {0};
  json_t *object = NULL;
  enum status s = read_key(request, api, http_request_param(request, "id"), &object, &err);
  if (s)
    reply_failure(request, s, &err, NULL);
  else
    reply_json(request, 200, object, NULL);
}

void handle_key_edit(struct http_request *request, void *app) {
  struct api *api = app;
  JSON_LATER json_t *body = NULL;
  struct error err = {0};
  struct key_form form;
  struct audit_record record;
  int64_t now_ms = clock_wall_ms(&clock_system);
  if (!read_body(request, &body)) return;
  enum status s = key_form_read(body, now_ms, &form, &err);
  if (!s && !form.fields)
    s = error_set(&err, STATUS_INVALID, "body", "nothing of the key is named");
  if (s) {
    reply_failure(request, s, &err, NULL);
    return;
  }
  struct change *c = begin_with(request, api, CHANGE_EDIT);
  if (!c) return;
  struct principal who = api_principal(request);
  form.key.name = form.name;
  form.key.scopes = form.scopes;
  audit_trail_record(request, AUDIT_KEY_CHANGE, AUDIT_OK, c->id, NULL, &record);
  s = store_edit_key(api->parts.store, &who, c->id, &form.key, form.fields, now_ms, &record.entry,
                     on_stored, c);
  if (s) give_up(c, s, NULL);
}

static void revoke_key(struct change *c) {
  struct audit_record record;
  audit_trail_record(c->request, AUDIT_KEY_REVOKE, AUDIT_OK, c->id, NULL, &record);
  enum status s = store_revoke_key(c->api->parts.store, &c->who, c->id,
                                   clock_wall_ms(&clock_system), &record.entry, on_stored, c);
  if (s) give_up(c, s, NULL);
}

void handle_key_revoke(struct http_request *request, void *app) {
  struct change *c = begin_with(request, app, CHANGE_REVOKE);
  if (c) revoke_key(c);
}

/* An admin's: of whichever tenant. */
void handle_key_revoke_any(struct http_request *request, void *app) {
  struct change *c = begin(request, app, CHANGE_REVOKE);
  if (!c) return;
  c->who = PRINCIPAL_SYSTEM;
  find(c);
  if (*c->id)
    revoke_key(c);
  else
    change_free(c);
}

void handle_key_revoke_default(struct http_request *request, void *app) {
  struct api *api = app;
  struct audit_record record;
  struct change *c = begin(request, api, CHANGE_REVOKE_DEFAULT);
  if (!c) return;
  struct principal who = api_principal(request);
  audit_trail_record(request, AUDIT_KEY_REVOKE, AUDIT_OK, "default", NULL, &record);
  enum status s = store_revoke_default_key(api->parts.store, &who, clock_wall_ms(&clock_system),
                                           &record.entry, on_stored, c);
  if (s) give_up(c, s, NULL);
}

void handle_key_rotate(struct http_request *request, void *app) {
  struct api *api = app;
  JSON_LATER json_t *body = NULL;
  struct error err = {0};
  int64_t overlap_s = 0;
  if (!read_body(request, &body)) return;
  enum status s = read_overlap(body, api->parts.options->max_key_overlap_s, &overlap_s, &err);
  if (s) {
    reply_failure(request, s, &err, NULL);
    return;
  }
  struct change *c = begin_with(request, api, CHANGE_ROTATE);
  if (!c) return;
  s = rotate(c, overlap_s, &err);
  if (s) give_up(c, s, &err);
}
