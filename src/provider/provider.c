#include "provider/provider.h"

#include "provider/handle.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

enum status provider_create(struct loop *loop, const struct provider_options *options,
                            struct provider **ret_provider, struct error *err) {
  struct provider *provider = calloc(1, sizeof *provider);
  if (!provider) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  provider->loop = loop;
  provider->options = *options;
  provider->limits = (struct attempt_limits){options->connect_timeout_ms, options->idle_timeout_ms,
                                             options->max_answer_bytes, options->demo_token_rate};
  struct http_client_limits limits = {options->connections_per_host, options->max_queued};
  enum status status = http_client_create(loop, limits, &provider->http, err);
  if (status) {
    free(provider);
    return status;
  }
  uint64_t seed;
  randombytes_buf(&seed, sizeof seed);
  provider->chance = prng_for(seed, 0, 0, 0);
  const struct services_options services = {
      .breaker = {.threshold =
                      options->breaker_threshold ? options->breaker_threshold : BREAKER_THRESHOLD,
                  .cooldown_ms = options->breaker_cooldown_ms ? options->breaker_cooldown_ms
                                                              : BREAKER_COOLDOWN_MS,
                  .cooldown_max_ms = options->breaker_cooldown_max_ms},
      .pacing = {.concurrency = (int)options->connections_per_host,
                 .max_waiting = options->max_queued},
  };
  services_init(&provider->services, loop, &services);
  *ret_provider = provider;
  return STATUS_OK;
}

void provider_destroy(struct provider *provider) {
  if (!provider) return;
  services_done(&provider->services);
  http_client_destroy(provider->http);
  free(provider);
}

/* ---- for people and programs ---- */

static void look_at(struct provider *provider, const struct agent_binding *binding,
                    struct provider_agent *agent) {
  const struct service *s = services_find(&provider->services, binding);
  int64_t now_ms = (int64_t)(uv_hrtime() / 1000000);
  struct breaker fresh;
  *agent = (struct provider_agent){
      .binding = binding, .asked = s, .p95_ms = -1, .last_error_ago_ms = -1};
  if (!s) {
    breaker_init(&fresh, provider->services.options.breaker);
    breaker_look(&fresh, now_ms, &agent->breaker);
    agent->pacing.configured = agent->pacing.allowed = (int)provider->options.connections_per_host;
    agent->pacing.not_before_ms = -1;
  } else {
    breaker_look(&s->breaker, now_ms, &agent->breaker);
    agent->pacing = pacing_stats_of(s->gate, now_ms);
    agent->p95_ms = latency_p95_ms(&s->latency);
    snprintf(agent->last_error, sizeof agent->last_error, "%s", s->last_error);
    if (s->last_error[0]) agent->last_error_ago_ms = now_ms - s->last_error_ms;
  }
  snprintf(agent->misconfigured, sizeof agent->misconfigured, "%s", agent->breaker.misconfigured);
  agent->breaker.misconfigured = agent->misconfigured;
}

void provider_each_agent(struct provider *provider, provider_agent_fn *each, void *ctx) {
  const struct agent_table *table = provider->options.agents;
  for (size_t i = 0; table && i < table->count; i++) {
    struct provider_agent agent;
    pthread_mutex_lock(&provider->services.lock);
    look_at(provider, &table->agents[i], &agent);
    pthread_mutex_unlock(&provider->services.lock);
    each(ctx, &agent);
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

enum status provider_reset_breaker(struct provider *provider, const char *type) {
  const struct agent_table *table = provider->options.agents;
  const struct agent_binding *binding = table ? agents_find(table, bytes_of(type)) : NULL;
  if (!binding) return STATUS_NOT_FOUND;
  struct reset *reset = malloc(sizeof *reset);
  if (!reset) return STATUS_NOMEM;
  *reset = (struct reset){provider, binding};
  loop_post(provider->loop, reset_on_loop, reset);
  return STATUS_OK;
}
