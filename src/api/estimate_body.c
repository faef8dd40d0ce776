#include "api/estimate_body.h"

#include "debate/outward.h"

static json_t *agent_object(const struct debate_agent *a, bool judge) {
  json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:b}", "name", a->name, "type", a->type,
                             "provider", a->provider, "model", a->model, "demo", a->demo);
  if (!judge && a->role && json_object_set_new(object, "role", json_string(a->role))) {
    json_decref(object);
    return NULL;
  }
  return object;
}

static json_t *agents_array(const struct debate_agent *agents, int count, bool judges) {
  json_t *array = json_array();
  for (int i = 0; i < count; i++)
    if (json_array_append_new(array, agent_object(&agents[i], judges))) {
      json_decref(array);
      return NULL;
    }
  return array;
}

static json_t *range(json_t *low, json_t *expected, json_t *high) {
  return json_pack("{s:o, s:o, s:o}", "low", low, "expected", expected, "high", high);
}

static json_t *count_range(int64_t low, int64_t expected, int64_t high) {
  return range(json_integer(low), json_integer(expected), json_integer(high));
}

/* Kinds that no course of the debate has are left out. */
static json_t *calls_object(const struct estimate *e) {
  json_t *calls = json_object();
  int64_t total[3] = {0};
  int failed = 0;
  for (int i = 0; i < TURN_KIND_COUNT; i++) {
    int64_t low = e->low.calls[i], expected = e->expected.calls[i], high = e->high.calls[i];
    total[0] += low;
    total[1] += expected;
    total[2] += high;
    if (low || expected || high)
      failed |= json_object_set_new(calls, turn_kind_names[i], count_range(low, expected, high));
  }
  failed |= json_object_set_new(calls, "total", count_range(total[0], total[1], total[2]));
  if (!failed) return calls;
  json_decref(calls);
  return NULL;
}

json_t *estimate_body(const struct debate_config *c, const struct estimate *e,
                      int64_t attempts_max) {
  return json_pack(
      "{s:b, s:b, s:s, s:i, s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:I, s:I, s:I}",
      "success", 1, "dry_run", 1, "mode", mode_names[c->mode], "rounds", c->rounds, "consensus",
      rule_names[c->rule], "topology", topology_names[c->topology], "demo", c->demo, "panel",
      agents_array(c->members, c->member_count, false), "judges",
      agents_array(c->judges, c->judge_count, true), "calls", calls_object(e), "tokens_in",
      count_range(e->low.tokens_in, e->expected.tokens_in, e->high.tokens_in), "tokens_out",
      count_range(e->low.tokens_out, e->expected.tokens_out, e->high.tokens_out), "cost_usd",
      range(outward_millionths(e->low.cost_usd_micro),
            outward_millionths(e->expected.cost_usd_micro),
            outward_millionths(e->high.cost_usd_micro)),
      "basis", e->past_turns ? "history" : "table", "past_turns", (json_int_t)e->past_turns,
      "past_debates", (json_int_t)e->past_debates, "attempts_per_call_max",
      (json_int_t)attempts_max);
}
