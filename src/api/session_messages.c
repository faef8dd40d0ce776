/* What clients may say on a WebSocket (docs/api.md). What we cannot do is answered with a
 * `warning`, never with an `error`: existing clients take that for the end of the debate. */
#include "api/notices.h"
#include "api/params.h"
#include "api/session.h"

#include <stdlib.h>

enum { LOOPS_MAX = 100 };

/* ---- look-ups: to the pool and back ---- */

struct lookup {
  struct session *session;
  void (*finish)(struct lookup *l); /* loop thread, while the connection is there */
  enum status status;
  struct error err;
  char debate_id[ID_DEBATE_MAX + 1]; /* subscribe; "" = the list of what runs */
  char message_type[32];
  uint64_t since;
  struct store_debate row;
  struct store_debate *rows;
  size_t count;
};

static void lookup_free(struct lookup *l) {
  store_debate_done(&l->row);
  store_list_free(l->rows, l->count);
  session_unref(l->session);
  free(l);
}

/* Loop thread. */
static void lookup_finish(void *arg) {
  struct lookup *l = arg;
  l->session->pending--;
  if (l->session->ws) l->finish(l);
  lookup_free(l);
}

/* Pool thread. */
static void lookup_run(void *arg) {
  struct lookup *l = arg;
  struct session *s = l->session;
  struct store *store = s->api->parts.store;
  if (l->debate_id[0]) {
    l->status = store_get_debate(store, &s->who, l->debate_id, &l->row, &l->err);
  } else {
    struct store_list_query query = {
        .status = "running", .limit = LOOPS_MAX, .before_created_ms = -1};
    int64_t total;
    l->status = store_list_debates(store, &s->who, &query, &l->rows, &l->count, &total, &l->err);
  }
  loop_post(s->api->parts.loop, lookup_finish, l);
}

static void look_up(struct session *s, const char *message_type, const char *debate_id,
                    uint64_t since, void (*finish)(struct lookup *l)) {
  struct lookup *l = s->pending < SESSION_PENDING_MAX ? calloc(1, sizeof *l) : NULL;
  if (!l) {
    notice_warn(s->ws, debate_id, "RATE_LIMITED", "Too many requests at once; ask again");
    return;
  }
  l->session = session_ref(s);
  l->finish = finish;
  l->since = since;
  memcpy(l->message_type, message_type, strlen(message_type) + 1);
  if (debate_id) memcpy(l->debate_id, debate_id, strlen(debate_id) + 1);
  s->pending++;
  if (pool_submit(s->api->parts.pool, lookup_run, l) == STATUS_OK) return;
  s->pending--;
  lookup_free(l);
  notice_warn(s->ws, debate_id, "SERVICE_UNAVAILABLE", "The server is busy; ask again");
}

/* ---- answers ---- */

static void acknowledge(struct session *s, const char *message_type, const char *debate_id) {
  notice_send(
      s->ws, "ack", debate_id,
      json_pack("{s:s, s:s, s:s, s:o}", "message", "Message received", "msg_type", message_type,
                "message_type", message_type, "debate_id", json_text_or_null(debate_id)));
}

static void finish_subscribe(struct lookup *l) {
  struct session *s = l->session;
  if (l->status == STATUS_NOT_FOUND) {
    notice_warn(s->ws, l->debate_id, "DEBATE_NOT_FOUND", "No such debate");
  } else if (l->status) {
    notice_warn(s->ws, l->debate_id, "SERVICE_UNAVAILABLE", "The debate cannot be read now");
  } else {
    acknowledge(s, l->message_type, l->row.id);
    session_subscribe(s, &l->row, l->since);
  }
}

static void finish_loops(struct lookup *l) {
  if (l->status)
    notice_warn(l->session->ws, NULL, "SERVICE_UNAVAILABLE", "The list cannot be read now");
  else
    notice_send(l->session->ws, "loop_list", NULL, notice_loops_data(l->rows, l->count));
}

/* ---- messages ---- */

/* The id may stand under either name, beside the type or in `data` or `payload`. */
static const char *message_debate(const json_t *message) {
  const json_t *data = json_object_get(message, "data");
  if (!data) data = json_object_get(message, "payload");
  const json_t *places[] = {message, data};
  for (size_t i = 0; i < 2; i++) {
    const char *id = json_get_text(places[i], "debate_id", NULL);
    if (!id) id = json_get_text(places[i], "loop_id", NULL);
    if (id) return id;
  }
  return NULL;
}

static uint64_t message_since(const json_t *message) {
  const json_t *value = json_object_get(message, "since");
  if (!value) value = json_object_get(json_object_get(message, "data"), "since");
  uint64_t since = 0;
  if (json_is_integer(value) && json_integer_value(value) > 0)
    return (uint64_t)json_integer_value(value);
  if (json_is_string(value) && params_parse_u64(json_string_value(value), &since)) return since;
  return 0;
}

static void take_subscribe(struct session *s, const char *type, const json_t *message) {
  const char *id = message_debate(message);
  if (!id || !id_valid(bytes_of(id), ID_DEBATE_MAX))
    notice_warn(s->ws, NULL, "INVALID_MESSAGE", "subscribe needs a debate_id");
  else
    look_up(s, type, id, message_since(message), finish_subscribe);
}

static void take_unsubscribe(struct session *s, const char *type, const json_t *message) {
  const char *id = message_debate(message);
  if (!id) id = session_only_debate(s);
  char copy[ID_DEBATE_MAX + 1] = "";
  if (id && strlen(id) < sizeof copy) memcpy(copy, id, strlen(id) + 1);
  if (copy[0] && session_unsubscribe(s, copy))
    acknowledge(s, type, copy);
  else
    notice_warn(s->ws, NULL, "NOT_SUBSCRIBED", "This connection does not listen to that debate");
}

static void take_ping(struct session *s, const char *type, const json_t *message) {
  notice_send(s->ws, "pong", session_only_debate(s), json_object());
}

/* Who brought no credential has an empty list. */
static void take_get_loops(struct session *s, const char *type, const json_t *message) {
  if (s->identity.kind != IDENTITY_ANONYMOUS &&
      !permission_in(s->identity.allowed, PERMISSION_DEBATES_READ)) {
    notice_warn(s->ws, NULL, "FORBIDDEN", "Permission denied: requires 'debates:read'");
    return;
  }
  look_up(s, type, NULL, 0, finish_loops);
}

static void take_unavailable(struct session *s, const char *type, const json_t *message) {
  notice_warn(s->ws, session_only_debate(s), "FEATURE_UNAVAILABLE",
              "This server does not take votes or suggestions of the audience yet");
}

static const struct {
  const char *type;
  void (*take)(struct session *s, const char *type, const json_t *message);
} kinds[] = {
    {"subscribe", take_subscribe},
    {"unsubscribe", take_unsubscribe},
    {"ping", take_ping},
    {"get_loops", take_get_loops},
    {"user_vote", take_unavailable},
    {"vote", take_unavailable},
    {"user_suggestion", take_unavailable},
    {"suggestion", take_unavailable},
};

void session_take_message(struct session *s, struct bytes text) {
  JSON_LATER json_t *message = NULL;
  if (json_parse(text, &message, NULL)) {
    notice_warn(s->ws, session_only_debate(s), "INVALID_JSON", "The message is no JSON text");
    return;
  }
  const char *type = json_get_text(message, "type", "");
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    if (strcmp(kinds[i].type, type) != 0) continue;
    kinds[i].take(s, kinds[i].type, message);
    return;
  }
  notice_warn(s->ws, session_only_debate(s), "UNKNOWN_MESSAGE_TYPE",
              "Known types: subscribe, unsubscribe, ping, get_loops");
}
