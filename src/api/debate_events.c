/* GET /api/debates/{id}/events (alias /stream; by a link /api/shared/{token}/events): the log as an
 * event stream, resumable at any seq, or as a page with the chain's fields for a client that
 * accepts JSON only. */
#include "api/deleted.h"
#include "api/handlers.h"
#include "api/history.h"
#include "api/live_callers.h"
#include "api/params.h"
#include "api/reply.h"
#include "api/share_link.h"
#include "debate/view.h"
#include "ops/stored_event.h"

enum { PAGE_EVENTS = 100, PAGE_EVENTS_MAX = 1000, PAGE_BYTES_MAX = 4 << 20 };

struct page {
  json_t *events;
  size_t limit, bytes;
  uint64_t last;
  bool more;
  enum status status;
  struct error *err;
};

static enum status append_event(struct page *page, const struct store_event *stored) {
  struct event event;
  enum status s = stored_event_read(stored, &event, page->err);
  if (s) return s;
  bool deleted = !stored->data.ptr;
  json_t *object =
      view_event(&event, stored->type, deleted ? NULL : stored->salt, stored->digest, stored->hash);
  json_decref(event.data);
  if (json_array_append_new(page->events, object))
    return error_set(page->err, STATUS_NOMEM, NULL, "out of memory");
  page->bytes += stored->data.len;
  page->last = stored->seq;
  return STATUS_OK;
}

static bool add_event(void *ctx, const struct store_event *stored) {
  struct page *page = ctx;
  if (json_array_size(page->events) == page->limit || page->bytes >= PAGE_BYTES_MAX) {
    page->more = true;
    return false;
  }
  page->status = append_event(page, stored);
  return page->status == STATUS_OK;
}

/* `tombstone` NULL = the debate was not deleted. */
static void reply_page(struct http_request *request, struct api *api, const char *debate_id,
                       const char *status, const struct store_tombstone *tombstone,
                       uint64_t since) {
  struct error err = {0};
  struct principal who = api_principal(request);
  int64_t limit = params_int(request, "limit", PAGE_EVENTS, 1, PAGE_EVENTS_MAX);
  struct page page = {json_array(), (size_t)limit, 0, since, false, STATUS_OK, &err};
  enum status s = store_read_events(api->parts.store, &who, debate_id, since, (size_t)limit + 1,
                                    add_event, &page, &err);
  if (!s) s = page.status;
  if (s) {
    json_decref(page.events);
    reply_failure(request, s, &err, NULL);
    return;
  }
  json_int_t count = (json_int_t)json_array_size(page.events);
  json_t *body = json_pack("{s:s, s:s, s:o, s:I, s:b, s:I}", "debate_id", debate_id, "status",
                           status, "events", page.events, "count", count, "has_more", page.more,
                           "next_since", (json_int_t)page.last);
  if (body && tombstone) json_object_set_new(body, "tombstone", deleted_object(tombstone));
  reply_json(request, 200, body, NULL);
}

/* A link that was revoked before its stream was one that ends with it. */
static void refuse_ended(struct http_request *request, struct frame_source source) {
  source.ops->close(source.source);
  share_link_refuse(request);
}

static void reply_stream(struct http_request *request, struct api *api,
                         const struct store_debate *row, uint64_t since) {
  struct frame_source source;
  enum status s = history_subscribe(api, api_identity(request), row->id, since, true, &source);
  if (!s) s = live_callers_guard(api->live_callers, api_identity(request), &source);
  if (s)
    reply_failure(request, s, NULL, NULL);
  else if (share_link_stands(request, api))
    http_respond_events(request, source);
  else
    refuse_ended(request, source);
}

/* Of a deleted debate the chain can still be had, for whoever verifies it; there is no stream. */
static bool reply_deleted(struct http_request *request, struct api *api, const char *id,
                          uint64_t since) {
  struct principal who = api_principal(request);
  struct store_tombstone tombstone;
  struct error err;
  if (api_identity(request)->kind == IDENTITY_LINK) return false;
  if (!params_only_json(request)) return deleted_reply(request, api, id);
  if (store_get_tombstone(api->parts.store, &who, id, &tombstone, &err)) return false;
  reply_page(request, api, id, tombstone.status, &tombstone, since);
  store_tombstone_done(&tombstone);
  return true;
}

void handle_debate_events(struct http_request *request, void *app) {
  struct api *api = app;
  struct error err = {0};
  struct store_debate row;
  struct principal who = api_principal(request);
  const char *id;
  bool given;
  uint64_t since = params_since(request, &given);
  enum status s = params_debate_id(request, &id, &err);
  if (!s) s = store_get_debate(api->parts.store, &who, id, &row, &err);
  if (s == STATUS_NOT_FOUND && reply_deleted(request, api, id, since)) return;
  if (s) {
    reply_failure(request, s, &err, NULL);
    return;
  }
  if (since > row.last_seq) since = row.last_seq; /* nobody can have seen what is not there yet */
  if (params_only_json(request))
    reply_page(request, api, row.id, row.status, NULL, since);
  else if (given && row.completed_ms >= 0 && since == row.last_seq)
    /* 204 makes an EventSource stop reconnecting; any other answer would make it ask for ever. */
    http_respond(request, 204, NULL, (struct bytes){NULL, 0}, NULL);
  else
    reply_stream(request, api, &row, since);
  store_debate_done(&row);
}
