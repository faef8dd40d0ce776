#include "api/breaker_body.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

/* ---- values ---- */

/* Milliseconds as seconds, or null when negative ("unknown"). */
static json_t *seconds(int64_t ms) {
  return ms < 0 ? json_null() : json_real((double)ms / 1e3);
}

/* The Unix time in seconds of what was `ago_ms` ago; null when it never was. */
static json_t *unix_seconds(const struct breaker_list *list, int64_t ago_ms) {
  return ago_ms < 0 ? json_null() : seconds(list->wall_ms - ago_ms);
}

/* Adds the member unless it never was. */
static int set_iso(json_t *object, const char *name, const struct breaker_list *list,
                   int64_t ago_ms) {
  char text[CLOCK_ISO_SIZE];
  if (ago_ms < 0) return 0;
  clock_format_iso(list->wall_ms - ago_ms, text);
  return json_object_set_new(object, name, json_string(text));
}

/* "half-open" where existing clients want it; breaker_state_name has the other spelling. */
static const char *hyphened(enum breaker_state state) {
  return state == BREAKER_HALF_OPEN ? "half-open" : breaker_state_name(state);
}

/* The body, or NULL when something of it could not be made. */
static json_t *whole(json_t *body, int failed) {
  if (!failed) return body;
  json_decref(body);
  return NULL;
}

static int set_error(json_t *object, const struct provider_agent *a) {
  if (!a->last_error[0]) return 0;
  return json_object_set_new(object, "last_error", json_text(bytes_of(a->last_error))) |
         json_object_set_new(object, "last_error_seconds_ago", seconds(a->last_error_ago_ms));
}

static int set_misconfigured(json_t *object, const struct provider_agent *a) {
  if (!a->misconfigured[0]) return 0;
  return json_object_set_new(object, "misconfigured", json_text(bytes_of(a->misconfigured)));
}

json_t *breaker_body_reason(const struct agent_binding *agent) {
  char text[160];
  if (agent->available) return json_null();
  if (agent->key_variable)
    snprintf(text, sizeof text, "%s is not set", agent->key_variable);
  else
    snprintf(text, sizeof text, "its server is not configured");
  return json_string(text);
}

/* ---- the registry of breakers ---- */

static json_t *registry_entry(const struct provider_agent *a) {
  const struct breaker_view *b = &a->breaker;
  json_t *entry = json_pack(
      "{s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:b, s:b}", "status", hyphened(b->state),
      "failures", (json_int_t)b->failures, "failure_threshold", (json_int_t)b->threshold,
      "cooldown_seconds", seconds(b->cooldown_ms), "cooldown_remaining",
      seconds(b->cooldown_remaining_ms), "open_duration", seconds(b->open_for_ms),
      "last_accessed_seconds_ago", seconds(b->last_asked_ago_ms), "rate_limited_remaining",
      seconds(b->cooling_remaining_ms), "trial", b->trial, "available", breaker_list_admits(a));
  return whole(entry, !entry || set_misconfigured(entry, a) | set_error(entry, a));
}

static int add_high_failure(json_t *high, const struct provider_agent *a) {
  const struct breaker_view *b = &a->breaker;
  if (2 * (int64_t)b->failures < b->threshold) return 0;
  return json_array_append_new(
      high, json_pack("{s:s, s:I, s:I, s:I}", "name", a->binding->type, "failures",
                      (json_int_t)b->failures, "threshold", (json_int_t)b->threshold, "percentage",
                      (json_int_t)(100 * (int64_t)b->failures / b->threshold)));
}

static json_t *registry_health(const struct breaker_list *list, int64_t open) {
  json_t *names = json_array(), *high = json_array();
  int failed = 0;
  for (size_t i = 0; i < list->count; i++) {
    const struct provider_agent *a = &list->agents[i];
    if (!a->binding->available) continue;
    if (a->breaker.state == BREAKER_OPEN)
      failed |= json_array_append_new(names, json_string(a->binding->type));
    failed |= add_high_failure(high, a);
  }
  const char *status = open >= BREAKER_CRITICAL_OPEN ? "critical" : open ? "degraded" : "healthy";
  return whole(json_pack("{s:s, s:o, s:o}", "status", status, "open_circuits", names,
                         "high_failure_circuits", high),
               failed);
}

json_t *breaker_body_registry(const struct breaker_list *list) {
  struct breaker_counts counts = breaker_list_count(list);
  json_int_t failures = 0, with_failures = 0;
  json_t *breakers = json_object();
  int failed = 0;
  for (size_t i = 0; i < list->count; i++) {
    const struct provider_agent *a = &list->agents[i];
    if (!a->binding->available) continue;
    failures += a->breaker.failures;
    with_failures += a->breaker.failures > 0;
    failed |= json_object_set_new(breakers, a->binding->type, registry_entry(a));
  }
  json_int_t total = counts.closed + counts.half_open + counts.open;
  json_t *body = json_pack(
      "{s:o, s:I, s:{s:I, s:I, s:I, s:I, s:I, s:I}, s:o, s:o}", "timestamp", seconds(list->wall_ms),
      "registry_size", total, "summary", "total", total, "open", (json_int_t)counts.open, "closed",
      (json_int_t)counts.closed, "half_open", (json_int_t)counts.half_open, "total_failures",
      failures, "circuits_with_failures", with_failures, "circuit_breakers", breakers, "health",
      registry_health(list, counts.open));
  return whole(body, failed);
}

/* ---- for the administrator's page ---- */

json_t *breaker_body_system(const struct breaker_list *list) {
  json_t *rows = json_array();
  int failed = 0;
  for (size_t i = 0; i < list->count; i++) {
    const struct provider_agent *a = &list->agents[i];
    const struct breaker_view *b = &a->breaker;
    if (!a->binding->available) continue;
    json_t *row = json_pack("{s:s, s:s, s:I}", "agent", a->binding->type, "state",
                            breaker_state_name(b->state), "failures", (json_int_t)b->failures);
    failed |= !row || set_iso(row, "last_failure", list, b->last_failure_ago_ms) ||
              set_iso(row, "last_success", list, b->last_success_ago_ms);
    failed |= json_array_append_new(rows, row);
  }
  return whole(json_pack("{s:o}", "breakers", rows), failed);
}

/* ---- the agents' health ---- */

static const struct agent_binding *find(const struct breaker_list *list, const char *type) {
  for (size_t i = 0; i < list->count; i++)
    if (strcmp(list->agents[i].binding->type, type) == 0) return list->agents[i].binding;
  return NULL;
}

/* The model at OpenRouter that a rate limit of this agent's would move its questions to; NULL when
 * they stay. */
static const char *fallback_model(const struct agent_binding *via, const struct agent_binding *b) {
  bool moves = via && via->available && strcmp(via->provider, b->provider) != 0;
  return moves && b->available ? b->openrouter_model : NULL;
}

static json_t *agent_entry(const struct provider_agent *a, const char *fallback) {
  const struct agent_binding *b = a->binding;
  json_t *entry = json_pack(
      "{s:s, s:s, s:s, s:b, s:b, s:b, s:o, s:b, s:o, s:o, s:I, s:I}", "type", b->type, "provider",
      b->provider, "model", b->model, "requires_api_key", b->key_variable != NULL,
      "api_key_configured", b->key != NULL, "available", b->available, "reason",
      breaker_body_reason(b), "uses_openrouter_fallback", fallback != NULL, "fallback_model",
      json_text_or_null(fallback), "p95_seconds", seconds(a->p95_ms), "in_flight",
      (json_int_t)a->pacing.in_flight, "waiting", (json_int_t)a->pacing.waiting);
  int failed = !entry || set_misconfigured(entry, a) | set_error(entry, a);
  if (!failed && b->available && a->breaker.state == BREAKER_OPEN)
    failed = json_object_set_new(entry, "circuit_breaker_open", json_true());
  return whole(entry, failed);
}

static json_t *agent_breaker(const struct breaker_list *list, const struct provider_agent *a) {
  const struct breaker_view *b = &a->breaker;
  return json_pack("{s:s, s:I, s:o, s:b}", "state", hyphened(b->state), "failure_count",
                   (json_int_t)b->failures, "last_failure",
                   unix_seconds(list, b->last_failure_ago_ms), "available", breaker_list_admits(a));
}

static bool holds(const json_t *names, const char *name) {
  const json_t *known;
  size_t i;
  json_array_foreach(names, i, known) if (strcmp(json_string_value(known), name) == 0) return true;
  return false;
}

static json_t *fallback_of(const struct breaker_list *list, const struct agent_binding *via) {
  json_t *local = json_array();
  int failed = 0;
  for (size_t i = 0; i < list->count; i++) {
    const struct agent_binding *b = list->agents[i].binding;
    if (b->local && b->available && !holds(local, b->provider))
      failed |= json_array_append_new(local, json_string(b->provider));
  }
  return whole(
      json_pack("{s:b, s:b, s:o}", "openrouter_available", via && via->available,
                "local_llm_available", json_array_size(local) > 0, "local_providers", local),
      failed);
}

/* Something that a person may want to look at: no model can be asked, or one of those that can is
 * cut off, limited or refused. */
static bool degraded(const struct breaker_list *list) {
  bool real = false;
  for (size_t i = 0; i < list->count; i++) {
    const struct provider_agent *a = &list->agents[i];
    if (!a->binding->available) continue;
    real |= a->binding->wire != WIRE_DEMO;
    if (breaker_list_is_down(a)) return true;
  }
  return !real;
}

json_t *breaker_body_agents(const struct breaker_list *list) {
  const struct agent_binding *via = find(list, "openrouter");
  struct breaker_counts counts = breaker_list_count(list);
  json_t *agents = json_object(), *breakers = json_object();
  json_int_t available = 0;
  int failed = 0;
  for (size_t i = 0; i < list->count; i++) {
    const struct provider_agent *a = &list->agents[i];
    const char *type = a->binding->type;
    if (a->binding->available)
      failed |= json_object_set_new(breakers, type, agent_breaker(list, a));
    if (a->standin) continue;
    available += a->binding->available;
    failed |= json_object_set_new(agents, type, agent_entry(a, fallback_model(via, a->binding)));
  }
  json_int_t count = (json_int_t)json_object_size(agents);
  json_t *body = json_pack(
      "{s:o, s:s, s:o, s:o, s:o, s:{s:I, s:I, s:I, s:I, s:I}}", "timestamp", seconds(list->wall_ms),
      "overall_status", degraded(list) ? "degraded" : "healthy", "agents", agents,
      "circuit_breakers", breakers, "fallback", fallback_of(list, via), "counts", "agents", count,
      "available", available, "closed", (json_int_t)counts.closed, "half_open",
      (json_int_t)counts.half_open, "open", (json_int_t)counts.open);
  return whole(body, failed);
}
