/* POST /api/debates: answers once debate_start is on disk, or with what it would cost. */
#include "api/dry_run.h"
#include "api/handlers.h"
#include "api/params.h"
#include "api/reply.h"
#include "api/starting.h"
#include "debate/spec.h"

/* What the older path, POST /api/debate, says of itself (Sunset: RFC 8594). */
static const char *const deprecation[] = {
    "Deprecation: true",
    "Sunset: Sat, 01 Aug 2026 00:00:00 GMT",
    "Link: </api/debates>; rel=\"successor-version\"",
    NULL,
};

static enum status read_spec(const struct api *api, const json_t *body, struct debate_spec *spec,
                             struct error *err) {
  struct debate_spec_limits limits = {api->parts.options->max_question_chars,
                                      api->parts.options->max_context_bytes};
  return debate_spec_parse(body, &limits, spec, err);
}

static void begin(struct starting *s) {
  struct debate_spec spec;
  struct error err = {0};
  enum status status = read_spec(s->api, s->body, &spec, &err);
  if (status) {
    starting_fail(s, status, &err);
    return;
  }
  s->task = bytes_dup(bytes_of(spec.task));
  spec.request_id = bytes_dup(bytes_of(http_request_id(s->request)));
  if (!s->task || !spec.request_id) {
    debate_spec_done(&spec);
    starting_fail(s, STATUS_NOMEM, NULL);
    return;
  }
  struct principal who = api_principal(s->request);
  runner_start(s->api->parts.runner, &who, &spec, starting_key(s), NULL, starting_done, s);
}

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
  static const struct starting_kind kind = {.begin = begin};
  json_t *body = NULL;
  struct error err = {0};
  enum status s = params_body(request, &body, &err);
  if (s) {
    reply_failure(request, s, &err, headers);
    return;
  }
  if (json_is_true(json_object_get(body, "dry_run"))) { /* starts nothing, so that a key is idle */
    estimate(request, api, body, headers);
    json_decref(body);
  } else {
    starting_run(request, api, &kind, NULL, body, headers);
  }
}

void handle_debate_create(struct http_request *request, void *app) {
  create(request, app, NULL);
}

void handle_debate_create_deprecated(struct http_request *request, void *app) {
  create(request, app, deprecation);
}
