#include "provider/provider.h"

#include "provider/handle.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

static void init_services(struct provider *provider) {
  const struct provider_options *o = &provider->options;
  const struct services_options services = {
      .breaker = {.threshold = o->breaker_threshold ? o->breaker_threshold : BREAKER_THRESHOLD,
                  .cooldown_ms =
                      o->breaker_cooldown_ms ? o->breaker_cooldown_ms : BREAKER_COOLDOWN_MS,
                  .cooldown_max_ms = o->breaker_cooldown_max_ms},
      .pacing = {.concurrency = (int)o->connections_per_host, .max_waiting = o->max_queued},
      .clock = o->clock,
      .keep = o->breaker_changed,
      .keep_ctx = o->breaker_ctx,
  };
  services_init(&provider->services, provider->loop, &services);
}

enum status provider_use_agents(struct provider *provider, const struct agent_table *agents) {
  struct roster *roster = calloc(1, sizeof *roster);
  if (!roster || standins_make(agents, &roster->standins)) {
    free(roster);
    return STATUS_NOMEM;
  }
  roster->agents = agents;
  roster->former = provider->roster;
  provider->roster = roster;
  return STATUS_OK;
}

static void free_rosters(struct roster *roster) {
  while (roster) {
    struct roster *former = roster->former;
    standins_done(&roster->standins);
    free(roster);
    roster = former;
  }
}

enum status provider_create(struct loop *loop, const struct provider_options *options,
                            struct provider **ret_provider, struct error *err) {
  struct provider *provider = calloc(1, sizeof *provider);
  if (!provider) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  provider->loop = loop;
  provider->options = *options;
  provider->limits = (struct attempt_limits){options->connect_timeout_ms, options->idle_timeout_ms,
                                             options->max_answer_bytes, options->demo_token_rate};
  struct http_client_limits limits = {options->connections_per_host, options->max_queued};
  enum status status = provider_use_agents(provider, options->agents);
  if (status) error_set(err, status, NULL, "out of memory");
  if (!status) status = budgets_create(loop, &options->budgets, &provider->budgets, err);
  if (!status) status = http_client_create(loop, limits, &provider->http, err);
  if (status) {
    budgets_destroy(provider->budgets);
    free_rosters(provider->roster);
    free(provider);
    return status;
  }
  uint64_t seed;
  randombytes_buf(&seed, sizeof seed);
  provider->chance = prng_for(seed, 0, 0, 0);
  init_services(provider);
  *ret_provider = provider;
  return STATUS_OK;
}

void provider_destroy(struct provider *provider) {
  if (!provider) return;
  services_done(&provider->services);
  http_client_destroy(provider->http);
  budgets_destroy(provider->budgets);
  free_rosters(provider->roster);
  free(provider);
}

struct budgets *provider_budgets(struct provider *provider) {
  return provider->budgets;
}

void provider_restore_breaker(struct provider *provider, const char *service,
                              const struct breaker_snapshot *snapshot) {
  services_restore(&provider->services, service, snapshot);
}

/* ---- for people and programs ---- */

/* The lock is held. */
static void look_at(struct provider *provider, const struct agent_binding *binding,
                    struct provider_agent *agent) {
  const struct service *s = services_find(&provider->services, binding);
  const struct breaker *breaker = s ? &s->breaker : services_past(&provider->services, binding);
  int64_t now_ms = (int64_t)(uv_hrtime() / 1000000);
  struct breaker fresh;
  *agent = (struct provider_agent){.binding = binding,
                                   .asked = s,
                                   .restored = !s && breaker,
                                   .p95_ms = -1,
                                   .last_error_ago_ms = -1};
  if (!breaker) {
    breaker_init(&fresh, provider->services.options.breaker);
    breaker = &fresh;
  }
  breaker_look(breaker, now_ms, &agent->breaker);
  snprintf(agent->misconfigured, sizeof agent->misconfigured, "%s", agent->breaker.misconfigured);
  agent->breaker.misconfigured = agent->misconfigured;
  if (!s) {
    agent->pacing.configured = agent->pacing.allowed = (int)provider->options.connections_per_host;
    agent->pacing.not_before_ms = -1;
    return;
  }
  agent->pacing = pacing_stats_of(s->gate, now_ms);
  agent->p95_ms = latency_p95_ms(&s->latency);
  snprintf(agent->last_error, sizeof agent->last_error, "%s", s->last_error);
  if (s->last_error[0]) agent->last_error_ago_ms = now_ms - s->last_error_ms;
}

static void look_locked(struct provider *provider, const struct agent_binding *binding,
                        struct provider_agent *agent) {
  pthread_mutex_lock(&provider->services.lock);
  look_at(provider, binding, agent);
  pthread_mutex_unlock(&provider->services.lock);
}

void provider_each_agent(struct provider *provider, provider_agent_fn *each, void *ctx) {
  const struct roster *roster = provider->roster;
  const struct agent_table *table = roster->agents;
  struct provider_agent agent;
  for (size_t i = 0; table && i < table->count; i++) {
    look_locked(provider, &table->agents[i], &agent);
    each(ctx, &agent);
  }
  for (size_t i = 0; i < roster->standins.count; i++) {
    look_locked(provider, &roster->standins.list[i].binding, &agent);
    agent.standin = true;
    if (agent.asked || agent.restored) each(ctx, &agent);
  }
}

struct reset {
  struct provider *provider;
  const struct agent_binding *binding;
};

static void reset_on_loop(void *arg) {
  struct reset *reset = arg;
  service_reset(services_of(&reset->provider->services, reset->binding));
  free(reset);
}

enum status provider_reset_breaker(struct provider *provider, const char *name,
                                   const char **ret_name) {
  const struct roster *roster = provider->roster;
  const struct agent_table *table = roster->agents;
  const struct agent_binding *binding = table ? agents_find(table, bytes_of(name)) : NULL;
  if (!binding) binding = standins_find(&roster->standins, name);
  if (!binding) return STATUS_NOT_FOUND;
  struct reset *reset = malloc(sizeof *reset);
  if (!reset) return STATUS_NOMEM;
  *reset = (struct reset){provider, binding};
  loop_post(provider->loop, reset_on_loop, reset);
  *ret_name = binding->type;
  return STATUS_OK;
}
