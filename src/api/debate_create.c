/* POST /api/debates: answers once debate_start is on disk, or with what it would cost. */
#include "api/dry_run.h"
#include "api/handlers.h"
#include "api/reply.h"
#include "api/state.h"
#include "debate/spec.h"

#include <stdio.h>
#include <stdlib.h>

/* What the older path, POST /api/debate, says of itself (Sunset: RFC 8594). */
static const char *const deprecation[] = {
    "Deprecation: true",
    "Sunset: Sat, 01 Aug 2026 00:00:00 GMT",
    "Link: </api/debates>; rel=\"successor-version\"",
    NULL,
};

struct creation { /* from the request to the answer */
  struct http_request *request;
  const char *const *headers;
  char *task;
};

static void creation_free(struct creation *c) {
  free(c->task);
  free(c);
}

static json_t *answer_body(const struct creation *c, const struct runner_started *started) {
  char websocket[192];
  char events[192];
  snprintf(websocket, sizeof websocket, "/ws/debates/%s", started->id);
  snprintf(events, sizeof events, "/api/debates/%s/events", started->id);
  return json_pack("{s:b, s:s, s:s, s:s, s:s, s:o, s:O, s:b, s:s, s:s}", "success", 1, "id",
                   started->id, "debate_id", started->id, "slug", started->slug, "status",
                   started->status, "task", json_text(bytes_of(c->task)), "agents", started->agents,
                   "demo", started->demo, "websocket_url", websocket, "events_url", events);
}

/* The writer's thread, or the loop's. */
static void on_started(void *ctx, enum status status, const struct error *err,
                       const struct runner_started *started) {
  struct creation *c = ctx;
  if (status)
    reply_failure(c->request, status, err, c->headers);
  else
    reply_json(c->request, 200, answer_body(c, started), c->headers);
  creation_free(c);
}

static enum status read_spec(const struct api *api, const json_t *body, struct debate_spec *spec,
                             struct error *err) {
  struct debate_spec_limits limits = {api->parts.options->max_question_chars,
                                      api->parts.options->max_context_bytes};
  return debate_spec_parse(body, &limits, spec, err);
}

static void create(struct http_request *request, struct api *api, const char *const *headers) {
  JSON_LATER json_t *body = NULL;
  struct error err = {0};
  if (json_parse(http_request_body(request), &body, &err)) {
    http_respond_error(request, 400, "INVALID_JSON", NULL, err.message);
    return;
  }
  struct debate_spec spec;
  enum status s = read_spec(api, body, &spec, &err);
  if (s) {
    reply_failure(request, s, &err, headers);
    return;
  }
  if (spec.dry_run) {
    dry_run_answer(request, api, &spec, headers);
    return;
  }
  struct creation *c = calloc(1, sizeof *c);
  if (c) c->task = bytes_dup(bytes_of(spec.task));
  if (!c || !c->task) {
    free(c);
    debate_spec_done(&spec);
    reply_failure(request, STATUS_NOMEM, NULL, headers);
    return;
  }
  c->request = request;
  c->headers = headers;
  struct principal who = api_principal(request);
  runner_start(api->parts.runner, &who, &spec, on_started, c);
}

void handle_debate_create(struct http_request *request, void *app) {
  create(request, app, NULL);
}

void handle_debate_create_deprecated(struct http_request *request, void *app) {
  create(request, app, deprecation);
}
