/* GET, POST and DELETE /api/debates/{id}/share: the link to a debate, one at most. */
#include "store/shares.h"
#include "api/audit_trail.h"
#include "api/deleted.h"
#include "api/handlers.h"
#include "api/live_callers.h"
#include "api/params.h"
#include "api/reply.h"
#include "api/share_link.h"
#include "base/id.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

static const int64_t SECONDS_MAX = 3650LL * 86400;

/* A link as it is shown. */
struct shown {
  bool exists; /* also one that has expired */
  char created_by[IDENTITY_TEXT_SIZE];
  int64_t created_ms, expires_ms;
};

/* One change under way; it owns the request until the answer. */
struct change {
  struct http_request *request;
  struct api *api;
  char debate_id[ID_DEBATE_MAX + 1];
  char token[SHARE_TOKEN_SIZE]; /* of a new link; "" = it is revoked */
  struct shown link;            /* the new one */
  bool replaced;
};

static void change_free(struct change *c) {
  sodium_memzero(c, sizeof *c);
  free(c);
}

/* ---- showing ---- */

static void copy(void *ctx, const struct store_share *share) {
  struct shown *shown = ctx;
  *shown = (struct shown){
      .exists = true, .created_ms = share->created_ms, .expires_ms = share->expires_ms};
  snprintf(shown->created_by, sizeof shown->created_by, "%s", share->created_by);
}

static json_t *share_object(const char *debate_id, const struct shown *link) {
  int64_t now_ms = clock_wall_ms(&clock_system);
  bool works = link->exists && (link->expires_ms < 0 || now_ms < link->expires_ms);
  return json_pack("{s:s, s:b, s:o, s:o, s:o}", "debate_id", debate_id, "shared", works,
                   "created_at", json_time_or_null(link->exists ? link->created_ms : -1),
                   "created_by", json_text_or_null(link->exists ? link->created_by : NULL),
                   "expires_at", json_time_or_null(link->exists ? link->expires_ms : -1));
}

/* The debate of the path, which the caller sees, and its link. False when it answered. */
static bool find(struct http_request *request, struct api *api, char ret_id[ID_DEBATE_MAX + 1],
                 struct shown *ret_link) {
  struct principal who = api_principal(request);
  struct store_debate row = {0};
  struct error err = {0};
  const char *id;
  *ret_link = (struct shown){0};
  enum status s = params_debate_id(request, &id, &err);
  if (!s) s = store_get_debate(api->parts.store, &who, id, &row, &err);
  if (s == STATUS_NOT_FOUND && deleted_reply(request, api, id)) return false;
  if (!s) snprintf(ret_id, ID_DEBATE_MAX + 1, "%s", row.id);
  store_debate_done(&row);
  if (!s) s = store_get_share(api->parts.store, &who, ret_id, copy, ret_link, &err);
  if (s == STATUS_NOT_FOUND && *ret_id) s = STATUS_OK;
  if (s) reply_failure(request, s, &err, NULL);
  return !s;
}

void handle_share_show(struct http_request *request, void *app) {
  char id[ID_DEBATE_MAX + 1] = "";
  struct shown link;
  if (find(request, app, id, &link)) reply_json(request, 200, share_object(id, &link), NULL);
}

/* ---- changing ---- */

static void refuse(struct http_request *request, enum status status) {
  struct error err = {0};
  error_set(&err, status, NULL, "%s",
            status == STATUS_CONFLICT ? "somebody else deleted the debate, or revoked its link"
                                      : "the change could not be stored");
  reply_failure(request, status, &err, NULL);
}

static void answer_made(struct change *c) {
  static const char *const headers[] = {"Cache-Control: no-store", NULL};
  char path[sizeof "/api/shared/" + SHARE_TOKEN_SIZE];
  snprintf(path, sizeof path, "/api/shared/%s", c->token);
  json_t *body = share_object(c->debate_id, &c->link);
  if (body) {
    json_object_set_new(body, "token", json_string(c->token));
    json_object_set_new(body, "path", json_string(path));
    json_object_set_new(body, "replaced", json_boolean(c->replaced));
    json_object_set_new(body, "message",
                        json_string(c->replaced ? "The former link works no more. Save this one - "
                                                  "it will not be shown again"
                                                : "Save this link - it will not be shown again"));
  }
  sodium_memzero(path, sizeof path);
  reply_json(c->request, 201, body, headers);
}

/* Writer's thread. Whoever reads by a link that is none any more is told before its owner. */
static void on_stored(void *ctx, enum status status) {
  struct change *c = ctx;
  if (!status) live_callers_end_link(c->api->live_callers, c->debate_id);
  if (status)
    refuse(c->request, status);
  else if (*c->token)
    answer_made(c);
  else
    reply_json(c->request, 200,
               json_pack("{s:b, s:s, s:b, s:s}", "success", 1, "debate_id", c->debate_id, "shared",
                         0, "message", "The link was revoked"),
               NULL);
  change_free(c);
}

static enum status read_expiry(const struct http_request *request, int64_t now_ms,
                               int64_t *ret_expires_ms, struct error *err) {
  JSON_LATER json_t *body = NULL;
  const char *name;
  json_t *value;
  *ret_expires_ms = -1;
  if (http_request_body(request).len && params_body(request, &body, err)) return err->status;
  if (body && !json_is_object(body))
    return error_set(err, STATUS_INVALID, "body", "body must be a JSON object");
  json_object_foreach(body, name, value) {
    if (strcmp(name, "expires_in_seconds") != 0)
      return error_set(err, STATUS_INVALID, "body", "unknown field \"%.64s\"", name);
    if (json_is_null(value)) continue;
    json_int_t seconds = json_integer_value(value);
    if (!json_is_integer(value) || seconds < 1 || seconds > SECONDS_MAX)
      return error_set(err, STATUS_INVALID, name,
                       "expires_in_seconds must be a whole number of 1 to %lld",
                       (long long)SECONDS_MAX);
    *ret_expires_ms = now_ms + seconds * 1000;
  }
  return STATUS_OK;
}

/* NULL when it answered. */
static struct change *begin(struct http_request *request, struct api *api, const char *debate_id) {
  struct change *c = calloc(1, sizeof *c);
  if (!c) {
    reply_failure(request, STATUS_NOMEM, NULL, NULL);
    return NULL;
  }
  c->request = request;
  c->api = api;
  snprintf(c->debate_id, sizeof c->debate_id, "%s", debate_id);
  return c;
}

/* What could not even be queued. */
static void give_up(struct change *c, enum status status) {
  reply_failure(c->request, status, NULL, NULL);
  change_free(c);
}

static void record_made(const struct change *c, struct audit_record *ret_record) {
  json_t *detail = json_pack("{s:o, s:b}", "expires_at", json_time_or_null(c->link.expires_ms),
                             "replaced", c->replaced);
  audit_trail_record(c->request, AUDIT_DEBATE_SHARE, AUDIT_OK, c->debate_id, detail, ret_record);
}

void handle_share_create(struct http_request *request, void *app) {
  struct api *api = app;
  struct error err = {0};
  struct audit_record record;
  char id[ID_DEBATE_MAX + 1] = "";
  uint8_t hash[SHA256_SIZE];
  struct shown former;
  struct principal who = api_principal(request);
  int64_t expires_ms, now_ms = clock_wall_ms(&clock_system);
  if (!find(request, api, id, &former)) return;
  enum status s = read_expiry(request, now_ms, &expires_ms, &err);
  if (s) {
    reply_failure(request, s, &err, NULL);
    return;
  }
  struct change *c = begin(request, api, id);
  if (!c) return;
  share_link_make(c->token, hash);
  const struct store_share share = {
      .debate_id = c->debate_id, .created_ms = now_ms, .expires_ms = expires_ms};
  c->link = (struct shown){.exists = true, .created_ms = now_ms, .expires_ms = expires_ms};
  snprintf(c->link.created_by, sizeof c->link.created_by, "%s", who.owner_id);
  c->replaced = former.exists && (former.expires_ms < 0 || now_ms < former.expires_ms);
  record_made(c, &record);
  s = store_put_share(api->parts.store, &who, &share, hash, &record.entry, on_stored, c);
  if (s) give_up(c, s);
}

void handle_share_revoke(struct http_request *request, void *app) {
  struct api *api = app;
  struct error err = {0};
  struct audit_record record;
  char id[ID_DEBATE_MAX + 1] = "";
  struct shown link;
  struct principal who = api_principal(request);
  if (!find(request, api, id, &link)) return;
  if (!link.exists) {
    error_set(&err, STATUS_NOT_FOUND, NULL, "The debate is not shared");
    reply_failure(request, STATUS_NOT_FOUND, &err, NULL);
    return;
  }
  struct change *c = begin(request, api, id);
  if (!c) return;
  audit_trail_record(request, AUDIT_DEBATE_UNSHARE, AUDIT_OK, c->debate_id, NULL, &record);
  enum status s =
      store_drop_share(api->parts.store, &who, c->debate_id, &record.entry, on_stored, c);
  if (s) give_up(c, s);
}
