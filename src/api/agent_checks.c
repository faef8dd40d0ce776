#include "api/agent_checks.h"

#include "base/clock.h"
#include "base/log.h"
#include "provider/fallback.h"
#include "runner/panel.h"

#include <pthread.h>
#include <stdlib.h>

/* A table of agents and what the last check of it said. */
struct checked {
  struct checked *former; /* kept to the end: a check of it may be under way */
  const struct agent_table *table;
  const struct agent_binding **agents; /* every row of the table, in its order */
  size_t count;
  struct probe_result *results; /* guarded by the lock, like the rest */
  int64_t made_us;              /* monotonic; of the last that ended */
  bool made;
};

struct agent_checks {
  struct api_parts parts;
  struct probe *probe;    /* loop thread: the one under way, or NULL */
  struct checked *probed; /* loop thread: of what */
  pthread_mutex_t lock;   /* guards what follows */
  struct checked *now;
  bool making;
};

static void checked_free(struct checked *k) {
  while (k) {
    struct checked *former = k->former;
    free(k->agents);
    free(k->results);
    free(k);
    k = former;
  }
}

static struct checked *checked_make(const struct agent_table *table) {
  struct checked *k = calloc(1, sizeof *k);
  if (!k) return NULL;
  k->table = table;
  k->count = table->count;
  k->agents = calloc(k->count + 1, sizeof *k->agents);
  k->results = calloc(k->count + 1, sizeof *k->results);
  if (!k->agents || !k->results) {
    checked_free(k);
    return NULL;
  }
  for (size_t i = 0; i < k->count; i++) k->agents[i] = &table->agents[i];
  return k;
}

struct agent_checks *agent_checks_create(const struct api_parts *parts) {
  struct agent_checks *c = calloc(1, sizeof *c);
  if (!c) return NULL;
  pthread_mutex_init(&c->lock, NULL);
  c->parts = *parts;
  if (!agent_checks_use(c, parts->agents)) return c;
  agent_checks_destroy(c);
  return NULL;
}

void agent_checks_destroy(struct agent_checks *c) {
  if (!c) return;
  probe_cancel(c->probe);
  pthread_mutex_destroy(&c->lock);
  checked_free(c->now);
  free(c);
}

enum status agent_checks_use(struct agent_checks *c, const struct agent_table *agents) {
  struct checked *k = checked_make(agents);
  if (!k) return STATUS_NOMEM;
  pthread_mutex_lock(&c->lock);
  k->former = c->now;
  c->now = k;
  pthread_mutex_unlock(&c->lock);
  return STATUS_OK;
}

/* ---- making one ---- */

static void tell_log(const struct checked *k, const struct probe_result *results) {
  for (size_t i = 0; i < k->count; i++) {
    const struct probe_result *r = &results[i];
    if (!k->agents[i]->available || r->verdict == PROBE_OK || r->verdict == PROBE_NOT_CHECKED)
      continue;
    log_warning("api", NULL, "agent=%s check=%s detail=\"%s\"", k->agents[i]->type,
                probe_verdict_name(r->verdict), r->detail);
  }
}

/* Loop thread. */
static void on_checked(void *ctx, const struct probe_result *results, size_t count) {
  struct agent_checks *c = ctx;
  struct checked *k = c->probed;
  c->probe = NULL;
  tell_log(k, results);
  pthread_mutex_lock(&c->lock);
  memcpy(k->results, results, count * sizeof *results);
  k->made = true;
  k->made_us = clock_mono_us(&clock_system);
  c->making = false;
  pthread_mutex_unlock(&c->lock);
}

/* Loop thread. */
static void start(void *arg) {
  enum { TOTAL_TIMEOUT_MS = 15000 };
  struct agent_checks *c = arg;
  struct error err = {0};
  struct probe_limits limits = {c->parts.options->provider_connect_timeout_ms, TOTAL_TIMEOUT_MS};
  pthread_mutex_lock(&c->lock);
  struct checked *k = c->probed = c->now;
  pthread_mutex_unlock(&c->lock);
  if (!probe_start(c->parts.loop, &limits, k->agents, k->count, on_checked, c, &c->probe, &err))
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
  int64_t age_us = clock_mono_us(&clock_system) - c->now->made_us;
  bool due = !c->making && (!c->now->made || age_us >= minutes * 60 * 1000000);
  if (due) c->making = true;
  pthread_mutex_unlock(&c->lock);
  if (due) loop_post(c->parts.loop, start, c);
}

/* ---- what it says ---- */

static bool row_refused(const struct checked *k, const struct agent_binding *row) {
  return k->results[row - k->table->agents].refused;
}

/* The agent and its whole chain. OpenRouter stands in for a limit and never for a refusal
 * (provider/retry.c), so that only the chain can save the debates. */
static bool is_refused(const struct checked *k, const struct agent_binding *agent) {
  struct fallback fallback = fallback_of(k->table, agent);
  bool refused = row_refused(k, agent);
  while (refused && fallback_has_next(&fallback, false)) {
    struct agent_binding next = fallback_take_next(&fallback, false);
    refused = row_refused(k, agents_find(k->table, bytes_of(next.type)));
  }
  return refused;
}

bool agent_checks_hopeless(struct agent_checks *c) {
  const struct agent_binding *panel[DEBATE_AGENTS_MAX];
  struct error err;
  int count = 0;
  pthread_mutex_lock(&c->lock);
  const struct checked *k = c->now;
  /* A panel that cannot be made is told to whoever starts a debate. */
  bool hopeless = k->made && !panel_default(k->table, c->parts.options, panel, &count, &err);
  hopeless = hopeless && count > 0;
  for (int i = 0; i < count; i++) hopeless = hopeless && is_refused(k, panel[i]);
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
  const struct checked *k = c->now;
  json_int_t age_s = (clock_mono_us(&clock_system) - k->made_us) / 1000000;
  for (size_t i = 0; i < k->count; i++) {
    json_t *entry = json_object_get(agents, k->agents[i]->type);
    if (!entry) continue; /* the body was made of the table before */
    json_t *check = k->made ? agent_check_object(&k->results[i]) : json_null();
    if (k->made) failed |= json_object_set_new(check, "seconds_ago", json_integer(age_s));
    failed |= json_object_set_new(entry, "check", check);
  }
  pthread_mutex_unlock(&c->lock);
  return !failed;
}
