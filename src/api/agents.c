/* GET /api/agents: the table of agents, which of them can be asked now, and why not. */
#include "api/breaker_body.h"
#include "api/handlers.h"
#include "api/ratings.h"
#include "api/reply.h"
#include "debate/outward.h"

#include <stdlib.h>

static json_t *price_of(const struct agent_binding *a) {
  if (a->price_input_usd_micro < 0 || a->price_output_usd_micro < 0) return json_null();
  return json_pack("{s:o, s:o}", "input_usd_per_million_tokens",
                   outward_millionths(a->price_input_usd_micro), "output_usd_per_million_tokens",
                   outward_millionths(a->price_output_usd_micro));
}

static json_t *agent_object(const struct agent_binding *a, bool in_default_panel) {
  return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:o, s:b, s:b, s:b, s:I, s:o}", "agent_id",
                   a->type, "name", a->type, "type", a->type, "provider", a->provider, "model",
                   a->model, "wire_format", wire_name(a->wire), "available", a->available, "reason",
                   breaker_body_reason(a), "requires_api_key", a->key_variable != NULL, "demo",
                   a->wire == WIRE_DEMO, "default", in_default_panel, "context_tokens",
                   (json_int_t)a->context_tokens, "price", price_of(a));
}

static bool holds(const struct agent_binding *const *panel, size_t count,
                  const struct agent_binding *a) {
  for (size_t i = 0; i < count; i++)
    if (panel[i] == a) return true;
  return false;
}

/* The ratings of an agent's model, beside what else is said of it. */
static bool add_stats(json_t *agent, const struct agent_binding *a,
                      const struct rating_list *list) {
  static const char *const names[] = {"elo",      "elo_rating",  "rank",  "wins",
                                      "losses",   "draws",       "games", "matches",
                                      "win_rate", "provisional", "league"};
  struct table_row none = {.provider = a->provider,
                           .model = a->model,
                           .agent = a->type,
                           .demo = a->wire == WIRE_DEMO,
                           .elo_milli = STORE_ELO_START_MILLI,
                           .updated_ms = -1};
  const struct table_row *row = &none;
  for (size_t i = 0; i < list->count; i++)
    if (strcmp(list->rows[i].provider, a->provider) == 0 &&
        strcmp(list->rows[i].model, a->model) == 0)
      row = &list->rows[i];
  JSON_LATER json_t *stats = rating_list_row(row);
  bool failed = !stats;
  if (stats && !row->rank) json_object_set_new(stats, "rank", json_null());
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    failed |= json_object_set(agent, names[i], json_object_get(stats, names[i])) != 0;
  return !failed;
}

/* `list` NULL = without ratings. */
static json_t *agents_body(const struct api *api, const struct rating_list *list) {
  enum { PANEL_MAX = 16 };
  const struct agent_table *table = api_agents(api);
  const struct agent_binding *panel[PANEL_MAX];
  bool demo = false;
  size_t seats = agents_default_panel(table, panel, PANEL_MAX, &demo);
  json_t *names = json_array();
  json_t *agents = json_array();
  bool failed = false;
  for (size_t i = 0; i < table->count; i++) {
    const struct agent_binding *a = &table->agents[i];
    json_t *agent = agent_object(a, holds(panel, seats, a));
    if (agent && list) failed |= !add_stats(agent, a, list);
    failed |= json_array_append_new(agents, agent) != 0;
  }
  for (size_t i = 0; i < seats; i++)
    failed |= json_array_append_new(names, json_string(panel[i]->type)) != 0;
  json_t *body = json_pack("{s:o, s:I, s:o, s:b}", "agents", agents, "total",
                           (json_int_t)table->count, "default_panel", names, "demo", demo);
  if (!failed) return body;
  json_decref(body);
  return NULL;
}

struct agents_question {
  struct api *api;
  struct http_request *request;
};

/* Pool thread. */
static void answer_with_stats(void *arg) {
  struct agents_question *q = arg;
  struct rating_list list;
  struct error err = {0};
  struct principal who = api_principal(q->request);
  enum status s = ratings_list(q->api, &who, "", &list, &err);
  if (s) {
    reply_failure(q->request, s, &err, NULL);
  } else {
    reply_json(q->request, 200, agents_body(q->api, &list), NULL);
    rating_list_done(&list);
  }
  free(q);
}

/* GET /api/agents?include_stats: with ratings it reads the database. */
void handle_agents_list(struct http_request *request, void *app) {
  struct api *api = app;
  const char *stats = http_request_query(request, "include_stats");
  if (!stats || (strcmp(stats, "true") != 0 && strcmp(stats, "1") != 0)) {
    reply_json(request, 200, agents_body(api, NULL), NULL);
    return;
  }
  struct agents_question *q = malloc(sizeof *q);
  if (q) *q = (struct agents_question){api, request};
  if (q && !pool_submit(api->parts.pool, answer_with_stats, q)) return;
  free(q);
  reply_failure(request, STATUS_UNAVAILABLE, NULL, NULL);
}
