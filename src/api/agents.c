/* GET /api/agents: the table of agents, which of them can be asked now, and why not. */
#include "api/breaker_body.h"
#include "api/handlers.h"
#include "api/reply.h"
#include "api/state.h"
#include "debate/outward.h"

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

void handle_agents_list(struct http_request *request, void *app) {
  enum { PANEL_MAX = 16 };
  const struct api *api = app;
  const struct agent_table *table = api_agents(api);
  const struct agent_binding *panel[PANEL_MAX];
  bool demo = false;
  size_t seats = agents_default_panel(table, panel, PANEL_MAX, &demo);
  json_t *names = json_array();
  json_t *agents = json_array();
  bool failed = false;
  for (size_t i = 0; i < table->count; i++)
    failed |=
        json_array_append_new(
            agents, agent_object(&table->agents[i], holds(panel, seats, &table->agents[i]))) != 0;
  for (size_t i = 0; i < seats; i++)
    failed |= json_array_append_new(names, json_string(panel[i]->type)) != 0;
  json_t *body = json_pack("{s:o, s:I, s:o, s:b}", "agents", agents, "total",
                           (json_int_t)table->count, "default_panel", names, "demo", demo);
  if (failed) {
    json_decref(body);
    body = NULL;
  }
  reply_json(request, 200, body, NULL);
}
