/* Circuit breakers: how they stand, and closing one by a person's wish. */
#include "api/agent_checks.h"
#include "api/audit_trail.h"
#include "api/breaker_body.h"
#include "api/handlers.h"
#include "api/reply.h"
#include "api/state.h"

#include <stdlib.h>
#include <strings.h>

typedef json_t *body_fn(const struct breaker_list *list);

static void show(struct http_request *request, const struct api *api, body_fn *body_of) {
  struct breaker_list list;
  enum status s = breaker_list_take(api->parts.provider, &list);
  if (s) {
    reply_failure(request, s, NULL, NULL);
    return;
  }
  reply_json(request, 200, body_of(&list), NULL);
  breaker_list_done(&list);
}

/* GET /api/circuit-breakers */
void handle_breakers_list(struct http_request *request, void *app) {
  show(request, app, breaker_body_registry);
}

/* GET /api/system/circuit-breakers */
void handle_breakers_system(struct http_request *request, void *app) {
  show(request, app, breaker_body_system);
}

/* GET /api/agents/health */
void handle_agents_health(struct http_request *request, void *app) {
  struct api *api = app;
  struct breaker_list list;
  agent_checks_refresh(api->checks);
  enum status s = breaker_list_take(api->parts.provider, &list);
  if (s) {
    reply_failure(request, s, NULL, NULL);
    return;
  }
  json_t *body = breaker_body_agents(&list);
  breaker_list_done(&list);
  if (body && !agent_checks_add(api->checks, body)) {
    json_decref(body);
    body = NULL;
  }
  reply_json(request, 200, body, NULL);
}

struct resetting { /* from the request to the answer */
  struct http_request *request;
  const struct api *api;
  const char *name; /* the provider room's */
};

/* On the loop, after the reset that was posted before. */
static void on_reset(void *arg) {
  struct resetting *r = arg;
  audit_trail_note(r->request, r->api, AUDIT_BREAKER_RESET, AUDIT_OK, r->name, NULL);
  reply_json(r->request, 200,
             json_pack("{s:b, s:s, s:s}", "success", 1, "agent", r->name, "state",
                       breaker_state_name(BREAKER_CLOSED)),
             NULL);
  free(r);
}

/* A name may have slashes, which a path's segment only holds encoded. The name is for free(). */
static char *name_of(const char *segment) {
  char *name = calloc(strlen(segment) + 1, 1), *to = name;
  for (const char *from = segment; name && *from; from++) {
    bool slash = strncasecmp(from, "%2f", 3) == 0;
    *to++ = slash ? '/' : *from;
    if (slash) from += 2;
  }
  return name;
}

static enum status begin_reset(struct api *api, struct http_request *request,
                               struct resetting **ret_resetting) {
  const char *segment = http_request_param(request, "agent");
  FREE_LATER char *name = name_of(segment ? segment : "");
  struct resetting *r = name ? malloc(sizeof *r) : NULL;
  if (!r) return STATUS_NOMEM;
  r->request = request;
  r->api = api;
  enum status s = provider_reset_breaker(api->parts.provider, name, &r->name);
  if (s)
    free(r);
  else
    *ret_resetting = r;
  return s;
}

/* POST /api/system/circuit-breakers/{agent}/reset: answers when it is closed. */
void handle_breaker_reset(struct http_request *request, void *app) {
  struct api *api = app;
  struct resetting *r;
  struct error err = {0};
  enum status s = begin_reset(api, request, &r);
  if (s == STATUS_NOT_FOUND) {
    const char *name = http_request_param(request, "agent");
    error_set(&err, s, NULL, "there is no agent \"%.64s\"", name ? name : "");
    reply_failure(request, s, &err, NULL);
  } else if (s) {
    reply_failure(request, s, NULL, NULL);
  } else {
    loop_post(api->parts.loop, on_reset, r);
  }
}
