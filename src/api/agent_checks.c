#include "api/agent_checks.h"

#include "base/clock.h"
#include "base/log.h"
#include "provider/fallback.h"
#include "runner/panel.h"

#include <pthread.h>
#include <stdlib.h>

struct agent_checks {
  struct api_parts parts;
  const struct agent_binding **agents; /* every row of the table, in its order */
  size_t count;
  struct probe *probe;  /* loop thread: the one under way, or NULL */
  pthread_mutex_t lock; /* guards what follows */
  struct probe_result *results;
  int64_t made_us; /* monotonic; of the last that ended */
  bool made, making;
};

struct agent_checks *agent_checks_create(const struct api_parts *parts) {
  struct agent_checks *c = calloc(1, sizeof *c);
  if (!c) return NULL;
  pthread_mutex_init(&c->lock, NULL);
  c->parts = *parts;
  c->count = parts->agents->count;
  c->agents = calloc(c->count + 1, sizeof *c->agents);
  c->results = calloc(c->count + 1, sizeof *c->results);
  if (!c->agents || !c->results) {
    agent_checks_destroy(c);
    return NULL;
  }
  for (size_t i = 0; i < c->count; i++) c->agents[i] = &parts->agents->agents[i];
  return c;
}

void agent_checks_destroy(struct agent_checks *c) {
  if (!c) return;
  probe_cancel(c->probe);
  pthread_mutex_destroy(&c->lock);
  free(c->agents);
  free(c->results);
  free(c);
}

/* ---- making one ---- */

static void tell_log(const struct agent_checks *c, const struct probe_result *results) {
  for (size_t i = 0; i < c->count; i++) {
    const struct probe_result *r = &results[i];
    if (!c->agents[i]->available || r->verdict == PROBE_OK || r->verdict == PROBE_NOT_CHECKED)
      continue;
    log_warning("api", NULL, "agent=%s check=%s detail=\"%s\"", c->agents[i]->type,
                probe_verdict_name(r->verdict), r->detail);
  }
}

/* Loop thread. */
static void on_checked(void *ctx, const struct probe_result *results, size_t count) {
  struct agent_checks *c = ctx;
  c->probe = NULL;
  tell_log(c, results);
  pthread_mutex_lock(&c->lock);
  memcpy(c->results, results, count * sizeof *results);
  c->made = true;
  c->making = false;
  c->made_us = clock_mono_us(&clock_system);
  pthread_mutex_unlock(&c->lock);
}

/* Loop thread. */
static void start(void *arg) {
  enum { TOTAL_TIMEOUT_MS = 15000 };
  struct agent_checks *c = arg;
  struct error err = {0};
  struct probe_limits limits = {c->parts.options->provider_connect_timeout_ms, TOTAL_TIMEOUT_MS};
  if (!probe_start(c->parts.loop, &limits, c->agents, c->count, on_checked, c, &c->probe, &err))
    return;
  log_error("api", NULL, "agent_checks=failed error=\"%s\"", err.message);
  pthread_mutex_lock(&c->lock);
  c->making = false;
  pthread_mutex_unlock(&c->lock);
}

/* Minutes for which the last check is good. One that takes the server out of service is doubted
 * sooner. */
static int64_t good_for(struct agent_checks *c) {
  int64_t minutes = c->parts.options->agent_check_minutes;
  return minutes > 1 && agent_checks_hopeless(c) ? 1 : minutes;
}

void agent_checks_refresh(struct agent_checks *c) {
  int64_t minutes = good_for(c);
  if (!minutes) return;
  pthread_mutex_lock(&c->lock);
  int64_t age_us = clock_mono_us(&clock_system) - c->made_us;
  bool due = !c->making && (!c->made || age_us >= minutes * 60 * 1000000);
  if (due) c->making = true;
  pthread_mutex_unlock(&c->lock);
  if (due) loop_post(c->parts.loop, start, c);
}

/* ---- what it says ---- */

static bool row_refused(const struct agent_checks *c, const struct agent_binding *row) {
  return c->results[row - c->parts.agents->agents].refused;
}

/* The agent and its whole chain. OpenRouter stands in for a limit and never for a refusal
 * (provider/retry.c), so that only the chain can save the debates. */
static bool is_refused(const struct agent_checks *c, const struct agent_binding *agent) {
  struct fallback fallback = fallback_of(c->parts.agents, agent);
  bool refused = row_refused(c, agent);
  while (refused && fallback_has_next(&fallback, false)) {
    struct agent_binding next = fallback_take_next(&fallback, false);
    refused = row_refused(c, agents_find(c->parts.agents, bytes_of(next.type)));
  }
  return refused;
}

bool agent_checks_hopeless(struct agent_checks *c) {
  const struct agent_binding *panel[DEBATE_AGENTS_MAX];
  struct error err;
  int count = 0;
  /* A panel that cannot be made is told to whoever starts a debate. */
  if (panel_default(c->parts.agents, c->parts.options, panel, &count, &err)) return false;
  pthread_mutex_lock(&c->lock);
  bool hopeless = c->made && count > 0;
  for (int i = 0; i < count; i++) hopeless = hopeless && is_refused(c, panel[i]);
  pthread_mutex_unlock(&c->lock);
  return hopeless;
}

json_t *agent_check_object(const struct probe_result *r) {
  return json_pack("{s:s, s:o, s:s, s:o, s:o}", "result", probe_verdict_name(r->verdict), "detail",
                   json_text(bytes_of(r->detail)), "how", r->how ? r->how : "", "latency_ms",
                   json_int_or_null(r->latency_ms), "context_tokens",
                   json_int_or_null(r->context_tokens));
}

bool agent_checks_add(struct agent_checks *c, json_t *body) {
  json_t *agents = json_object_get(body, "agents");
  int failed = 0;
  pthread_mutex_lock(&c->lock);
  json_int_t age_s = (clock_mono_us(&clock_system) - c->made_us) / 1000000;
  for (size_t i = 0; i < c->count; i++) {
    json_t *entry = json_object_get(agents, c->agents[i]->type);
    json_t *check = c->made ? agent_check_object(&c->results[i]) : json_null();
    if (c->made) failed |= json_object_set_new(check, "seconds_ago", json_integer(age_s));
    failed |= json_object_set_new(entry, "check", check);
  }
  pthread_mutex_unlock(&c->lock);
  return !failed;
}
