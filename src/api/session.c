#include "api/session.h"

#include "api/gate.h"
#include "api/history.h"
#include "api/notices.h"
#include "api/params.h"
#include "api/reply.h"

#include <stdio.h>
#include <stdlib.h>

struct session *session_create(struct api *api, const struct identity *who) {
  struct session *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  s->api = api;
  s->identity = *who;
  s->who = identity_principal(&s->identity);
  atomic_init(&s->refs, 1);
  id_generate(s->client_id);
  return s;
}

struct session *session_ref(struct session *s) {
  atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
  return s;
}

void session_unref(struct session *s) {
  if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1) return;
  store_debate_done(&s->first);
  free(s->debates);
  free(s);
}

const char *session_only_debate(const struct session *s) {
  return s->debate_count == 1 ? s->debates[0].id : NULL;
}

/* ---- subscriptions ---- */

static size_t find(const struct session *s, const char *id) {
  size_t i = 0;
  while (i < s->debate_count && strcmp(s->debates[i].id, id) != 0) i++;
  return i;
}

static bool note(struct session *s, const char *id, uint64_t since) {
  size_t len = strlen(id);
  if (s->debate_count == SESSION_DEBATES_MAX || len >= sizeof s->debates->id) return false;
  struct session_debate *grown = realloc(s->debates, (s->debate_count + 1) * sizeof *grown);
  if (!grown) return false;
  s->debates = grown;
  grown[s->debate_count].since = since;
  memcpy(grown[s->debate_count++].id, id, len + 1);
  return true;
}

bool session_unsubscribe(struct session *s, const char *debate_id) {
  size_t i = find(s, debate_id);
  if (i == s->debate_count) return false;
  http_ws_detach(s->ws, s->debates[i].id);
  s->debates[i] = s->debates[--s->debate_count];
  return true;
}

void session_subscribe(struct session *s, const struct store_debate *row, uint64_t since) {
  struct frame_source source;
  session_unsubscribe(s, row->id);
  if (since > row->last_seq) since = row->last_seq; /* nobody can have seen what is not there yet */
  if (!note(s, row->id, since)) {
    notice_warn(s->ws, row->id, "TOO_MANY_SUBSCRIPTIONS",
                "This connection listens to as many debates as it may");
    return;
  }
  if (history_subscribe(s->api, &s->identity, row->id, since, false, &source)) {
    s->debate_count--;
    notice_warn(s->ws, row->id, "SERVICE_UNAVAILABLE", "out of memory");
    return;
  }
  notice_send(s->ws, "sync", row->id, notice_sync_data(row));
  http_ws_attach(s->ws, source, row->id);
}

/* ---- the connection ---- */

/* The debate that the URL names: /ws/debates/{id} or ?debate=; NULL = none. */
static const char *named_debate(const struct http_request *request) {
  const char *id = http_request_param(request, "id");
  if (!id) id = http_request_query(request, "debate");
  return id && *id ? id : NULL;
}

/* Pool thread. */
static int session_admit(struct http_request *request, void *app, void **ret_ctx,
                         struct error *err) {
  struct api *api = app;
  const char *code;
  const char *id = named_debate(request);
  bool given;
  struct session *s = session_create(api, api_identity(request));
  enum status status = s ? STATUS_OK : error_set(err, STATUS_NOMEM, NULL, "out of memory");
  if (!status && id && !id_valid(bytes_of(id), ID_DEBATE_MAX))
    status = error_set(err, STATUS_INVALID, "id", "no valid debate id");
  if (!status && id) status = store_get_debate(api->parts.store, &s->who, id, &s->first, err);
  if (status) {
    if (s) session_unref(s);
    if (gate_hides(request, status)) {
      error_set(err, status, NULL, "Authentication required");
      return 401;
    }
    return reply_status_code(status, &code);
  }
  s->first_since = params_since(request, &given);
  *ret_ctx = s;
  return 101;
}

/* Loop thread, once what the connection was opened with has ended. */
static void session_revoke(void *arg) {
  struct session *s = arg;
  if (s->ws) {
    struct frame *notice = live_callers_notice();
    if (notice && !http_ws_send(s->ws, (struct bytes){notice->json, notice->len})) {
      /* It reads too slowly to be told: the close code says it too. */
    }
    frame_unref(notice);
    http_ws_close(s->ws, 1008, "the credential was revoked or has expired");
  }
  session_unref(s);
}

static void session_ended(void *ctx) {
  struct session *s = ctx;
  loop_post(s->api->parts.loop, session_revoke, session_ref(s));
}

static void session_open(struct http_websocket *ws, void *ctx) {
  struct session *s = ctx;
  s->ws = ws;
  live_callers_enter(s->api->live_callers, &s->live, &s->identity, session_ended, s);
  notice_greet(ws, s->client_id, s->identity.kind > IDENTITY_LOCAL);
  if (s->first.id) session_subscribe(s, &s->first, s->first_since);
  store_debate_done(&s->first);
}

static void session_message(struct http_websocket *ws, void *ctx, struct bytes text) {
  session_take_message(ctx, text);
}

static void session_binary(struct http_websocket *ws, void *ctx) {
  notice_warn(ws, session_only_debate(ctx), "BINARY_NOT_SUPPORTED", "Messages must be text");
}

static void session_close(struct http_websocket *ws, void *ctx) {
  struct session *s = ctx;
  s->ws = NULL;
  live_callers_leave(s->api->live_callers, &s->live);
  session_unref(s);
}

/* Where to go on with each debate that has not ended: [{"debate_id", "since"}]. */
static json_t *resume_points(const struct session *s, uint64_t *ret_since) {
  json_t *points = json_array();
  for (size_t i = 0; points && i < s->debate_count; i++) {
    const struct session_debate *d = &s->debates[i];
    uint64_t seq;
    if (!http_ws_progress(s->ws, d->id, &seq)) continue;
    if (seq < d->since) seq = d->since;
    *ret_since = seq;
    json_array_append_new(points,
                          json_pack("{s:s, s:I}", "debate_id", d->id, "since", (json_int_t)seq));
  }
  return points;
}

static struct frame *session_farewell(struct http_websocket *ws, void *ctx, char *reason,
                                      size_t size) {
  const struct session *s = ctx;
  uint64_t since = 0;
  json_t *points = resume_points(s, &since);
  size_t count = json_array_size(points);
  if (count == 1)
    snprintf(reason, size, "server is shutting down; resume since=%llu", (unsigned long long)since);
  else if (count)
    snprintf(reason, size, "server is shutting down; resume as server_stopping says");
  if (count) return notice_stopping(points);
  json_decref(points);
  return NULL;
}

const struct http_ws_ops api_ws_ops = {session_admit,  session_open,  session_message,
                                       session_binary, session_close, session_farewell};
