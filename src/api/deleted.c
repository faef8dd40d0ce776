#include "api/deleted.h"

#include "api/reply.h"
#include "base/clock.h"

json_t *deleted_object(const struct store_tombstone *t) {
  char created[CLOCK_ISO_SIZE], deleted[CLOCK_ISO_SIZE];
  clock_format_iso(t->created_ms, created);
  clock_format_iso(t->deleted_ms, deleted);
  return json_pack(
      "{s:s, s:s, s:s, s:s, s:s, s:o, s:I}", "debate_id", t->debate_id, "status", t->status,
      "created_at", created, "deleted_at", deleted, "deleted_by", t->deleted_by, "reason",
      *t->reason ? json_text(bytes_of(t->reason)) : json_null(), "events", (json_int_t)t->last_seq);
}

/* *ret_object is the tombstone, NULL when memory is short. False when there is none for `who`. */
static bool find(struct http_request *request, struct api *api, const struct principal *who,
                 const char *id, json_t **ret_object) {
  struct store_tombstone tombstone;
  struct error err;
  if (api_identity(request)->kind == IDENTITY_LINK) return false; /* it went with the debate */
  if (store_get_tombstone(api->parts.store, who, id, &tombstone, &err)) return false;
  *ret_object = deleted_object(&tombstone);
  store_tombstone_done(&tombstone);
  return true;
}

bool deleted_reply_to(struct http_request *request, struct api *api, const struct principal *who,
                      const char *id) {
  json_t *object;
  if (!find(request, api, who, id, &object)) return false;
  json_t *body =
      json_pack("{s:s, s:s, s:s, s:o}", "error", "The debate was deleted", "code", "DEBATE_DELETED",
                "request_id", http_request_id(request), "tombstone", object);
  reply_json(request, 410, body, NULL);
  return true;
}

bool deleted_reply(struct http_request *request, struct api *api, const char *id) {
  struct principal who = api_principal(request);
  return deleted_reply_to(request, api, &who, id);
}

bool deleted_reply_again(struct http_request *request, struct api *api, const char *id) {
  struct principal who = api_principal(request);
  json_t *object;
  if (!find(request, api, &who, id, &object)) return false;
  json_t *body = json_pack("{s:b, s:b, s:s, s:s, s:o}", "success", 1, "deleted", 1, "id", id,
                           "debate_id", id, "tombstone", object);
  reply_json(request, 200, body, NULL);
  return true;
}
