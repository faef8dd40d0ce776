#include "api/starting.h"

#include "api/deleted.h"
#include "api/quota_reply.h"
#include "api/reply.h"
#include "ops/debate_row.h"

#include <stdio.h>
#include <stdlib.h>

#define KEY_HEADER "Idempotency-Key"

enum { HEADERS_MAX = 4 }; /* of every answer */

static void starting_free(struct starting *s) {
  json_decref(s->body);
  free((char *)s->key.text);
  free(s->task);
  free(s->parent_id);
  free(s);
}

/* What the key stands for: the body alone for a start, as it has no debate in its path. */
static bool digest_request(struct starting *s) {
  if (!s->of) return start_key_digest(s->body, s->key.digest);
  JSON_LATER json_t *whole = json_pack("[s, O]", http_request_path(s->request), s->body);
  return whole && start_key_digest(whole, s->key.digest);
}

/* NULL when memory is short; the body's reference is taken in every case. */
static struct starting *starting_make(struct http_request *request, struct api *api, json_t *body,
                                      const char *of, const char *key) {
  struct starting *s = calloc(1, sizeof *s);
  if (!s) {
    json_decref(body);
    return NULL;
  }
  s->request = request;
  s->api = api;
  s->body = body;
  s->of = of;
  s->key.text = key ? bytes_dup(bytes_of(key)) : NULL;
  if (!key || (s->key.text && digest_request(s))) return s;
  starting_free(s);
  return NULL;
}

/* ---- answers ---- */

/* What came of one start, for everybody who brought its key. */
struct starting_end {
  enum status status;
  const struct error *err;
  const char *id;     /* of a debate that was there before and is not any more, or NULL */
  json_t *body;       /* STATUS_OK; NULL = memory was short */
  bool other_request; /* the key stands for another one's debate */
  bool replayed;      /* of an earlier start, also for the first of those who ask */
};

static void answer_other_request(struct http_request *request) {
  http_respond_error(request, 422, "IDEMPOTENCY_KEY_REUSED", KEY_HEADER,
                     KEY_HEADER
                     " was used before with another request: use a new key for a new "
                     "debate");
}

static void answer(struct starting *s, const struct starting_end *o, bool replayed) {
  const char *all[HEADERS_MAX + 2];
  size_t count = 0;
  for (const char *const *h = s->headers; h && *h && count < HEADERS_MAX; h++) all[count++] = *h;
  if (replayed) all[count++] = "Idempotent-Replayed: true";
  all[count] = NULL;
  if (o->status == STATUS_NOT_FOUND && o->id && deleted_reply(s->request, s->api, o->id)) {
    starting_free(s);
    return;
  }
  if (o->other_request)
    answer_other_request(s->request);
  else if (o->status == STATUS_QUOTA)
    quota_reply(s->request, s->api, o->err, s->headers);
  else if (o->status)
    reply_failure(s->request, o->status, o->err, s->headers);
  else
    reply_json(s->request, 200, json_incref(o->body), all);
  starting_free(s);
}

static void start_keyed(struct starting *s);

/* One that waited for a start with its key: of the same request it was that one's too; of another,
 * it is refused where a debate has the key now, and else begins anew. */
static void answer_waiter(struct starting *s, const struct starting_end *o, bool same) {
  static const struct starting_end refused = {.other_request = true};
  bool has_debate = !o->status && !o->other_request;
  if (same)
    answer(s, o, has_debate);
  else if (has_debate)
    answer(s, &refused, false);
  else
    start_keyed(s);
}

/* Whoever asks again from here on finds the debate in the store, or the key free. */
static void answer_all(struct starting *s, const struct starting_end *o) {
  struct start_waiter *w = s->entry ? start_keys_leave(s->api->start_keys, s->entry) : NULL;
  uint8_t digest[sizeof s->key.digest];
  memcpy(digest, s->key.digest, sizeof digest);
  answer(s, o, o->replayed);
  while (w) {
    struct starting *waited = (struct starting *)w;
    w = w->next;
    bool same = memcmp(waited->key.digest, digest, sizeof digest) == 0; /* public */
    answer_waiter(waited, o, same);
  }
}

void starting_fail(struct starting *s, enum status status, const struct error *err) {
  struct starting_end o = {.status = status, .err = err, .id = s->of};
  answer_all(s, &o);
}

/* Takes the reference of `agents`. NULL when memory is short. */
static json_t *answer_body(const struct starting *s, const struct runner_started *d,
                           const char *task, json_t *agents) {
  char websocket[192];
  char events[192];
  snprintf(websocket, sizeof websocket, "/ws/debates/%s", d->id);
  snprintf(events, sizeof events, "/api/debates/%s/events", d->id);
  json_t *body = json_pack("{s:b, s:s, s:s, s:s, s:s, s:o, s:o, s:i, s:b, s:s, s:s}", "success", 1,
                           "id", d->id, "debate_id", d->id, "slug", d->slug, "status", d->status,
                           "task", json_text(bytes_of(task)), "agents", agents, "rounds", d->rounds,
                           "demo", d->demo, "websocket_url", websocket, "events_url", events);
  if (!body || !s->kind->more) return body;
  JSON_LATER json_t *more = s->kind->more(s, d->id);
  if (more && !json_object_update(body, more)) return body;
  json_decref(body);
  return NULL;
}

/* The loop's thread. */
void starting_done(void *ctx, enum status status, const struct error *err,
                   const struct runner_started *started) {
  struct starting *s = ctx;
  if (status) {
    starting_fail(s, status, err);
    return;
  }
  JSON_LATER json_t *body = answer_body(s, started, s->task, json_deep_copy(started->agents));
  struct starting_end o = {.body = body};
  answer_all(s, &o);
}

/* ---- with a key ---- */

const struct store_start_key *starting_key(const struct starting *s) {
  return s->key.text ? &s->key : NULL;
}

static enum status recall(struct starting *s, const struct loaded_debate *loaded,
                          struct error *err) {
  const char *parent_id = loaded->debate->config.parent_id;
  s->parent_id = parent_id ? bytes_dup(bytes_of(parent_id)) : NULL;
  if (parent_id && !s->parent_id) return STATUS_NOMEM;
  return s->kind->recall ? s->kind->recall(s, loaded, err) : STATUS_OK;
}

/* Pool thread: a debate that was started before. */
static void replay(struct starting *s, const struct principal *who, const char *id) {
  struct loaded_debate loaded;
  struct error err = {0};
  enum status status = loaded_debate_read(s->api->parts.store, who, id, &loaded, &err);
  bool is_there = !status;
  if (is_there) status = recall(s, &loaded, &err);
  if (status) {
    struct starting_end failed = {.status = status, .err = &err, .id = id};
    answer_all(s, &failed);
  } else {
    const struct store_debate *row = &loaded.row;
    const struct runner_started started = {.id = row->id,
                                           .slug = row->slug,
                                           .status = row->status,
                                           .rounds = loaded.debate->config.rounds,
                                           .demo = row->demo};
    JSON_LATER json_t *body = answer_body(s, &started, row->task, debate_row_agents(row));
    struct starting_end o = {.body = body, .replayed = true};
    answer_all(s, &o);
  }
  if (is_there) loaded_debate_done(&loaded);
}

/* Pool thread. */
static void look_up(void *arg) {
  struct starting *s = arg;
  struct error err = {0};
  FREE_LATER char *id = NULL;
  bool same = false;
  struct principal who = api_principal(s->request);
  int64_t ttl_ms = s->api->parts.options->idempotency_ttl_s * 1000;
  s->key.expired_ms = clock_wall_ms(&clock_system) - ttl_ms;
  enum status status = store_find_start_key(s->api->parts.store, &who, &s->key, &id, &same, &err);
  if (status == STATUS_NOT_FOUND) {
    s->kind->begin(s);
  } else if (status) {
    starting_fail(s, status, &err);
  } else if (!same) {
    struct starting_end o = {.other_request = true};
    answer_all(s, &o);
  } else {
    replay(s, &who, id);
  }
}

static void start_keyed(struct starting *s) {
  struct principal who = api_principal(s->request);
  switch (start_keys_enter(s->api->start_keys, &who, s->key.text, &s->waiter, &s->entry)) {
    case START_KEYS_WAITS: return; /* and may be answered and gone by now */
    case START_KEYS_NO_MEMORY: starting_fail(s, STATUS_NOMEM, NULL); return;
    case START_KEYS_FIRST: break;
  }
  enum status status = pool_submit(s->api->parts.pool, look_up, s);
  if (status) starting_fail(s, status, NULL);
}

void starting_run(struct http_request *request, struct api *api, const struct starting_kind *kind,
                  const char *of, json_t *body, const char *const *headers) {
  const char *key = http_request_header(request, KEY_HEADER);
  if (key && !start_key_valid(key)) {
    struct error err = {0};
    error_set(&err, STATUS_INVALID, KEY_HEADER,
              KEY_HEADER " must be 1 to %d visible ASCII characters", START_KEY_MAX);
    json_decref(body);
    reply_failure(request, STATUS_INVALID, &err, headers);
    return;
  }
  struct starting *s = starting_make(request, api, body, of, key);
  if (!s) {
    reply_failure(request, STATUS_NOMEM, NULL, headers);
    return;
  }
  s->kind = kind;
  s->headers = headers;
  if (key)
    start_keyed(s);
  else
    kind->begin(s);
}
