/* POST /api/debates: answers once debate_start is on disk, or with what it would cost.
 *
 * With an Idempotency-Key the same request may be sent again: it gets the debate that the first one
 * started. The key is looked up on the pool, with the start_keys holding off everybody else who
 * brings it until the debate, and the key with it, is on disk.
 */
#include "api/deleted.h"
#include "api/dry_run.h"
#include "api/handlers.h"
#include "api/quota_reply.h"
#include "api/reply.h"
#include "api/start_keys.h"
#include "api/state.h"
#include "debate/spec.h"
#include "ops/debate_row.h"

#include <stdio.h>
#include <stdlib.h>

#define KEY_HEADER "Idempotency-Key"

/* What the older path, POST /api/debate, says of itself (Sunset: RFC 8594). */
static const char *const deprecation[] = {
    "Deprecation: true",
    "Sunset: Sat, 01 Aug 2026 00:00:00 GMT",
    "Link: </api/debates>; rel=\"successor-version\"",
    NULL,
};

struct creation {             /* from the request to the answer */
  struct start_waiter waiter; /* first: what waits is found again by it */
  struct http_request *request;
  struct api *api;
  const char *const *headers;
  json_t *body;
  char *task;
  struct store_start_key key; /* text owned; NULL = none was sent */
  struct start_entry *entry;  /* of the first one with this key */
};

static void creation_free(struct creation *c) {
  json_decref(c->body);
  free((char *)c->key.text);
  free(c->task);
  free(c);
}

/* Takes the reference of the body. NULL when memory is short. */
static struct creation *creation_make(struct http_request *request, struct api *api, json_t *body,
                                      const char *key, const char *const *headers) {
  struct creation *c = calloc(1, sizeof *c);
  if (!c) {
    json_decref(body);
    return NULL;
  }
  c->request = request;
  c->api = api;
  c->headers = headers;
  c->body = body;
  c->key.text = key ? bytes_dup(bytes_of(key)) : NULL;
  if (!key || (c->key.text && start_key_digest(body, c->key.digest))) return c;
  creation_free(c);
  return NULL;
}

/* ---- answers ---- */

/* What came of one start, for everybody who brought its key. */
struct creation_end {
  enum status status;
  const struct error *err;
  const char *id;     /* of a debate that was started before and is not there any more, or NULL */
  json_t *body;       /* STATUS_OK; NULL = memory was short */
  bool other_request; /* the key stands for another one's debate */
  bool replayed;      /* of an earlier start, also for the first of those who ask */
};

static void answer_other_request(struct http_request *request) {
  http_respond_error(request, 422, "IDEMPOTENCY_KEY_REUSED", KEY_HEADER,
                     KEY_HEADER
                     " was used before with another request body: use a new key for a "
                     "new debate");
}

static void answer(struct creation *c, const struct creation_end *o, bool replayed) {
  const char *all[sizeof deprecation / sizeof *deprecation + 1];
  size_t count = 0;
  for (const char *const *h = c->headers; h && *h; h++) all[count++] = *h;
  if (replayed) all[count++] = "Idempotent-Replayed: true";
  all[count] = NULL;
  if (o->status == STATUS_NOT_FOUND && o->id && deleted_reply(c->request, c->api, o->id)) {
    creation_free(c);
    return;
  }
  if (o->other_request)
    answer_other_request(c->request);
  else if (o->status == STATUS_QUOTA)
    quota_reply(c->request, c->api, o->err, c->headers);
  else if (o->status)
    reply_failure(c->request, o->status, o->err, c->headers);
  else
    reply_json(c->request, 200, json_incref(o->body), all);
  creation_free(c);
}

static void start_keyed(struct creation *c);

/* One that waited for a start with its key: of the same request it was that one's too; of another,
 * it is refused where a debate has the key now, and else begins anew. */
static void answer_waiter(struct creation *c, const struct creation_end *o, bool same) {
  static const struct creation_end refused = {.other_request = true};
  bool has_debate = !o->status && !o->other_request;
  if (same)
    answer(c, o, has_debate);
  else if (has_debate)
    answer(c, &refused, false);
  else
    start_keyed(c);
}

/* Whoever asks again from here on finds the debate in the store, or the key free. */
static void answer_all(struct creation *c, const struct creation_end *o) {
  struct start_waiter *w = c->entry ? start_keys_leave(c->api->start_keys, c->entry) : NULL;
  uint8_t digest[sizeof c->key.digest];
  memcpy(digest, c->key.digest, sizeof digest);
  answer(c, o, o->replayed);
  while (w) {
    struct creation *waited = (struct creation *)w;
    w = w->next;
    bool same = memcmp(waited->key.digest, digest, sizeof digest) == 0; /* public */
    answer_waiter(waited, o, same);
  }
}

static void fail(struct creation *c, enum status status, const struct error *err) {
  struct creation_end o = {.status = status, .err = err};
  answer_all(c, &o);
}

/* Takes the reference of `agents`. */
static json_t *answer_body(const char *id, const char *slug, const char *status, const char *task,
                           json_t *agents, bool demo) {
  char websocket[192];
  char events[192];
  snprintf(websocket, sizeof websocket, "/ws/debates/%s", id);
  snprintf(events, sizeof events, "/api/debates/%s/events", id);
  return json_pack("{s:b, s:s, s:s, s:s, s:s, s:o, s:o, s:b, s:s, s:s}", "success", 1, "id", id,
                   "debate_id", id, "slug", slug, "status", status, "task",
                   json_text(bytes_of(task)), "agents", agents, "demo", demo, "websocket_url",
                   websocket, "events_url", events);
}

/* ---- starting ---- */

/* The loop's thread. */
static void on_started(void *ctx, enum status status, const struct error *err,
                       const struct runner_started *started) {
  struct creation *c = ctx;
  if (status) {
    fail(c, status, err);
    return;
  }
  JSON_LATER json_t *body = answer_body(started->id, started->slug, started->status, c->task,
                                        json_deep_copy(started->agents), started->demo);
  struct creation_end o = {.body = body};
  answer_all(c, &o);
}

static enum status read_spec(const struct api *api, const json_t *body, struct debate_spec *spec,
                             struct error *err) {
  struct debate_spec_limits limits = {api->parts.options->max_question_chars,
                                      api->parts.options->max_context_bytes};
  return debate_spec_parse(body, &limits, spec, err);
}

static void start(struct creation *c) {
  struct debate_spec spec;
  struct error err = {0};
  enum status s = read_spec(c->api, c->body, &spec, &err);
  if (s) {
    fail(c, s, &err);
    return;
  }
  c->task = bytes_dup(bytes_of(spec.task));
  spec.request_id = bytes_dup(bytes_of(http_request_id(c->request)));
  if (!c->task || !spec.request_id) {
    debate_spec_done(&spec);
    fail(c, STATUS_NOMEM, NULL);
    return;
  }
  struct principal who = api_principal(c->request);
  runner_start(c->api->parts.runner, &who, &spec, c->key.text ? &c->key : NULL, NULL, on_started,
               c);
}

/* ---- with a key ---- */

/* Pool thread: a debate that was started before. */
static void replay(struct creation *c, const struct principal *who, const char *id) {
  struct store_debate row;
  struct error err = {0};
  enum status s = store_get_debate(c->api->parts.store, who, id, &row, &err);
  if (s) {
    struct creation_end failed = {.status = s, .err = &err, .id = id};
    answer_all(c, &failed);
    return;
  }
  JSON_LATER json_t *body =
      answer_body(row.id, row.slug, row.status, row.task, debate_row_agents(&row), row.demo);
  store_debate_done(&row);
  struct creation_end o = {.body = body, .replayed = true};
  answer_all(c, &o);
}

/* Pool thread. */
static void look_up(void *arg) {
  struct creation *c = arg;
  struct error err = {0};
  FREE_LATER char *id = NULL;
  bool same = false;
  struct principal who = api_principal(c->request);
  int64_t ttl_ms = c->api->parts.options->idempotency_ttl_s * 1000;
  c->key.expired_ms = clock_wall_ms(&clock_system) - ttl_ms;
  enum status s = store_find_start_key(c->api->parts.store, &who, &c->key, &id, &same, &err);
  if (s == STATUS_NOT_FOUND) {
    start(c);
  } else if (s) {
    fail(c, s, &err);
  } else if (!same) {
    struct creation_end o = {.other_request = true};
    answer_all(c, &o);
  } else {
    replay(c, &who, id);
  }
}

static void start_keyed(struct creation *c) {
  struct principal who = api_principal(c->request);
  switch (start_keys_enter(c->api->start_keys, &who, c->key.text, &c->waiter, &c->entry)) {
    case START_KEYS_WAITS: return; /* and may be answered and gone by now */
    case START_KEYS_NO_MEMORY: fail(c, STATUS_NOMEM, NULL); return;
    case START_KEYS_FIRST: break;
  }
  enum status s = pool_submit(c->api->parts.pool, look_up, c);
  if (s) fail(c, s, NULL);
}

/* ---- the request ---- */

static void estimate(struct http_request *request, struct api *api, const json_t *body,
                     const char *const *headers) {
  struct debate_spec spec;
  struct error err = {0};
  enum status s = read_spec(api, body, &spec, &err);
  if (s)
    reply_failure(request, s, &err, headers);
  else
    dry_run_answer(request, api, &spec, headers);
}

static void create(struct http_request *request, struct api *api, const char *const *headers) {
  json_t *body = NULL;
  struct error err = {0};
  const char *key = http_request_header(request, KEY_HEADER);
  if (key && !start_key_valid(key)) {
    error_set(&err, STATUS_INVALID, KEY_HEADER,
              KEY_HEADER " must be 1 to %d visible ASCII characters", START_KEY_MAX);
    reply_failure(request, STATUS_INVALID, &err, headers);
    return;
  }
  if (json_parse(http_request_body(request), &body, &err)) {
    http_respond_error(request, 400, "INVALID_JSON", NULL, err.message);
    return;
  }
  if (json_is_true(json_object_get(body, "dry_run"))) { /* starts nothing, so that a key is idle */
    estimate(request, api, body, headers);
    json_decref(body);
    return;
  }
  struct creation *c = creation_make(request, api, body, key, headers);
  if (!c)
    reply_failure(request, STATUS_NOMEM, NULL, headers);
  else if (key)
    start_keyed(c);
  else
    start(c);
}

void handle_debate_create(struct http_request *request, void *app) {
  create(request, app, NULL);
}

void handle_debate_create_deprecated(struct http_request *request, void *app) {
  create(request, app, deprecation);
}
