/* Circuit breakers: how they stand, and closing one by a person's wish. */
#include "api/breaker_body.h"
#include "api/handlers.h"
#include "api/reply.h"
#include "api/state.h"

#include <stdlib.h>

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
  show(request, app, breaker_body_agents);
}

struct resetting { /* from the request to the answer */
  struct http_request *request;
  const char *type; /* the table's */
};

/* On the loop, after the reset that was posted before. */
static void on_reset(void *arg) {
  struct resetting *r = arg;
  reply_json(r->request, 200,
             json_pack("{s:b, s:s, s:s}", "success", 1, "agent", r->type, "state",
                       breaker_state_name(BREAKER_CLOSED)),
             NULL);
  free(r);
}

/* POST /api/system/circuit-breakers/{agent}/reset: answers when it is closed. */
void handle_breaker_reset(struct http_request *request, void *app) {
  struct api *api = app;
  const char *name = http_request_param(request, "agent");
  const struct agent_binding *agent = agents_find(api->parts.agents, bytes_of(name ? name : ""));
  if (!agent) {
    struct error err = {0};
    error_set(&err, STATUS_NOT_FOUND, NULL, "there is no agent \"%.64s\"", name ? name : "");
    reply_failure(request, STATUS_NOT_FOUND, &err, NULL);
    return;
  }
  struct resetting *r = malloc(sizeof *r);
  enum status s = r ? provider_reset_breaker(api->parts.provider, agent->type) : STATUS_NOMEM;
  if (s) {
    free(r);
    reply_failure(request, s, NULL, NULL);
    return;
  }
  *r = (struct resetting){request, agent->type};
  loop_post(api->parts.loop, on_reset, r);
}
