#include "provider/service.h"

#include "base/log.h"
#include "base/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

static int64_t now_ms(const struct services *services) {
  return (int64_t)loop_now_ms(services->loop);
}

/* ---- the registry ---- */

void services_init(struct services *services, struct loop *loop,
                   const struct services_options *options) {
  *services = (struct services){.loop = loop, .options = *options};
  if (!services->options.clock) services->options.clock = &clock_system;
  pthread_mutex_init(&services->lock, NULL);
}

static void service_free(struct service *service) {
  loop_timer_cancel(service->wake);
  loop_defer_cancel(service->services->loop, &service->look);
  pacing_destroy(service->gate);
  free(service);
}

void services_done(struct services *services) {
  struct service *s, *next;
  HASH_ITER(hh, services->table, s, next) {
    HASH_DEL(services->table, s);
    service_free(s);
  }
  struct service_past *past, *next_past;
  HASH_ITER(hh, services->past, past, next_past) {
    HASH_DEL(services->past, past);
    free(past);
  }
  pthread_mutex_destroy(&services->lock);
}

void services_restore(struct services *services, const char *name,
                      const struct breaker_snapshot *snapshot) {
  struct service_past *past = NULL;
  HASH_FIND_STR(services->past, name, past);
  bool fits = strlen(name) < SERVICE_NAME_SIZE && HASH_COUNT(services->past) < SERVICES_MAX;
  if (past || !fits || !(past = calloc(1, sizeof *past))) return;
  snprintf(past->name, sizeof past->name, "%s", name);
  /* Not the loop's clock, which stands still until the loop runs. */
  breaker_restore(&past->breaker, services->options.breaker, (int64_t)(uv_hrtime() / 1000000),
                  clock_wall_ms(services->options.clock), snapshot);
  HASH_ADD_STR(services->past, name, past);
  if (!past->hh.tbl) free(past);
}

static void begin(struct service *s) {
  struct service_past *past = NULL;
  HASH_FIND_STR(s->services->past, s->name, past);
  if (!past) {
    breaker_init(&s->breaker, s->services->options.breaker);
    return;
  }
  s->breaker = past->breaker;
  if (s->breaker.state != BREAKER_CLOSED)
    log_info("provider", NULL, "breaker=%s service=\"%s\" from=restart",
             breaker_state_name(s->breaker.state), s->name);
}

static struct service *service_create(struct services *services, const char *name) {
  struct service *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  s->services = services;
  snprintf(s->name, sizeof s->name, "%s", name);
  begin(s);
  if (pacing_create(&services->options.pacing, &s->gate) == STATUS_OK) return s;
  free(s);
  return NULL;
}

/* By hand, since each ask makes one: printf would be a tenth of all that asking costs. */
static void make_name(const struct agent_binding *b, char name[SERVICE_NAME_SIZE]) {
  const char *key = b->key_variable;
  const char *const parts[] = {b->provider, "/", b->model, key ? " " : "", key ? key : ""};
  size_t at = 0;
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    size_t len = strnlen(parts[i], SERVICE_NAME_SIZE - 1 - at);
    memcpy(name + at, parts[i], len);
    at += len;
  }
  name[at] = '\0';
}

const struct service *services_find(struct services *services,
                                    const struct agent_binding *binding) {
  char name[SERVICE_NAME_SIZE];
  struct service *found = NULL;
  make_name(binding, name);
  HASH_FIND_STR(services->table, name, found);
  return found;
}

const struct breaker *services_past(struct services *services,
                                    const struct agent_binding *binding) {
  char name[SERVICE_NAME_SIZE];
  struct service_past *past = NULL;
  make_name(binding, name);
  HASH_FIND_STR(services->past, name, past);
  return past ? &past->breaker : NULL;
}

/* Only the loop's thread changes the table, so that it may look without the lock. */
struct service *services_of(struct services *services, const struct agent_binding *binding) {
  if (binding->wire == WIRE_DEMO) return NULL;
  char name[SERVICE_NAME_SIZE];
  struct service *found = NULL;
  make_name(binding, name);
  HASH_FIND_STR(services->table, name, found);
  if (found || HASH_COUNT(services->table) >= SERVICES_MAX) return found;
  found = service_create(services, name);
  if (!found) return NULL;
  pthread_mutex_lock(&services->lock);
  HASH_ADD_STR(services->table, name, found);
  bool added = found->hh.tbl;
  pthread_mutex_unlock(&services->lock);
  if (added) return found;
  service_free(found);
  return NULL;
}

/* ---- changes of the breaker ---- */

static void keep(const struct service *s) {
  const struct services_options *o = &s->services->options;
  struct breaker_snapshot snapshot;
  if (!o->keep) return;
  breaker_save(&s->breaker, now_ms(s->services), clock_wall_ms(o->clock), &snapshot);
  o->keep(o->keep_ctx, s->name, &snapshot);
}

static void log_change(const struct service *s, const struct log_context *log,
                       enum breaker_change change) {
  const struct breaker *b = &s->breaker;
  struct log_quoted reason;
  switch (change) {
    case BREAKER_SAME: return;
    case BREAKER_OPENED:
      metric_add(METRIC_BREAKER_OPENINGS, NULL, 1);
      log_warning("provider", log, "breaker=open service=\"%s\" failures=%d cooldown_ms=%lld",
                  s->name, b->failures, (long long)b->cooldown_ms);
      return;
    case BREAKER_HALF_OPENED:
      log_info("provider", log, "breaker=half_open service=\"%s\"", s->name);
      return;
    case BREAKER_RECLOSED:
      log_info("provider", log, "breaker=closed service=\"%s\"", s->name);
      return;
    case BREAKER_COOLING:
      log_warning("provider", log, "breaker=cooling service=\"%s\" rate_limit=429", s->name);
      return;
    case BREAKER_MARKED:
      log_error("provider", log, "breaker=misconfigured service=\"%s\" reason=%s", s->name,
                log_quote(&reason, b->misconfigured));
      return;
    case BREAKER_UNMARKED:
      log_info("provider", log, "breaker=configured service=\"%s\"", s->name);
      return;
  }
}

static void tell_change(const struct service *s, const struct log_context *log,
                        enum breaker_change change) {
  if (change == BREAKER_SAME) return;
  log_change(s, log, change);
  keep(s);
}

/* ---- those who wait for a trial ---- */

void service_await_trial(struct service *s, struct service_wait *wait) {
  wait->service = s;
  DL_APPEND(s->waits, wait);
}

void service_wait_cancel(struct service_wait *wait) {
  if (!wait->service) return;
  DL_DELETE(wait->service->waits, wait);
  wait->service = NULL;
}

/* A trial that said nothing leaves the next one to whoever comes first: calling all of them each
 * time would cost the square of their number. */
static void call_waits(struct service *s) {
  bool one = s->breaker.state == BREAKER_HALF_OPEN;
  for (struct service_wait *wait; !s->breaker.trial && (wait = s->waits);) {
    service_wait_cancel(wait);
    wait->go(wait->ctx);
    if (one) return;
  }
}

/* ---- the gate ---- */

static void on_wake(void *arg);

static struct service_call *next_call(struct service *s, int64_t *ret_wake_ms) {
  pthread_mutex_lock(&s->services->lock);
  struct pacing_waiter *w = pacing_next(s->gate, now_ms(s->services), ret_wake_ms);
  pthread_mutex_unlock(&s->services->lock);
  return (struct service_call *)w;
}

static void set_wake(struct service *s, int64_t wake_ms) {
  loop_timer_cancel(s->wake);
  int64_t left = wake_ms - now_ms(s->services);
  s->wake = wake_ms < 0
                ? NULL
                : loop_timer_start(s->services->loop, left > 0 ? (uint64_t)left : 0, on_wake, s);
}

/* Lets go whoever may. */
static void look(void *arg) {
  struct service *s = arg;
  int64_t wake_ms = -1;
  for (struct service_call *call; (call = next_call(s, &wake_ms));) call->go(call->ctx);
  call_waits(s);
  set_wake(s, wake_ms);
}

static void on_wake(void *arg) {
  struct service *s = arg;
  s->wake = NULL;
  look(s);
}

/* Something has changed at the gate. In the middle of a callback is no place to call others. */
static void look_later(struct service *s) {
  loop_defer(s->services->loop, &s->look, look, s);
}

void service_reset(struct service *s) {
  if (!s) return;
  pthread_mutex_lock(&s->services->lock);
  enum breaker_change change = breaker_reset(&s->breaker);
  pthread_mutex_unlock(&s->services->lock);
  log_info("provider", NULL, "breaker=reset service=\"%s\"", s->name);
  log_change(s, NULL, change);
  keep(s); /* also where the breaker says that nothing changed: a person's wish holds */
  look_later(s);
}

enum status service_enter(struct service *s, struct service_call *call, uint64_t debate_key,
                          int64_t estimated_tokens) {
  pthread_mutex_lock(&s->services->lock);
  enum status status =
      pacing_enter(s->gate, debate_key, &call->waiter, estimated_tokens, now_ms(s->services));
  pthread_mutex_unlock(&s->services->lock);
  if (status) return status;
  call->service = s;
  call->permit = (struct breaker_permit){0};
  if (call->waiter.state == PACING_GOING)
    call->go(call->ctx);
  else
    look_later(s);
  return STATUS_OK;
}

struct breaker_admission service_admit(struct service_call *call) {
  struct service *s = call->service;
  pthread_mutex_lock(&s->services->lock);
  struct breaker_admission a = breaker_admit(&s->breaker, now_ms(s->services), &call->permit);
  pthread_mutex_unlock(&s->services->lock);
  tell_change(s, call->log, a.change);
  return a;
}

void service_leave(struct service_call *call, const struct breaker_report *report,
                   const struct pacing_result *result) {
  struct service *s = call->service;
  if (!s) return;
  call->service = NULL;
  int64_t now = now_ms(s->services);
  pthread_mutex_lock(&s->services->lock);
  enum breaker_change change = breaker_report(&s->breaker, now, &call->permit, report);
  if (call->waiter.state == PACING_WAITING)
    pacing_cancel(s->gate, &call->waiter);
  else
    pacing_leave(s->gate, &call->waiter, result, now);
  pthread_mutex_unlock(&s->services->lock);
  tell_change(s, call->log, change);
  look_later(s);
}

void service_withdraw(struct service_call *call) {
  static const struct breaker_report nothing = {.verdict = BREAKER_NEUTRAL};
  static const struct pacing_result other = {PACING_OTHER, -1};
  service_leave(call, &nothing, &other);
}

void service_note_rates(struct service_call *call, const struct pacing_rates *rates) {
  struct service *s = call->service;
  if (!s) return;
  pthread_mutex_lock(&s->services->lock);
  pacing_rates_note(s->gate, &call->waiter, rates, now_ms(s->services));
  pthread_mutex_unlock(&s->services->lock);
  look_later(s);
}

/* ---- what is remembered for those who look ---- */

void service_note_answer(struct service *s, int64_t latency_ms) {
  pthread_mutex_lock(&s->services->lock);
  latency_note(&s->latency, latency_ms);
  pthread_mutex_unlock(&s->services->lock);
}

void service_note_error(struct service *s, const char *outcome, const char *detail) {
  pthread_mutex_lock(&s->services->lock);
  snprintf(s->last_error, sizeof s->last_error, "%s%s%s", outcome, *detail ? ": " : "", detail);
  s->last_error_ms = now_ms(s->services);
  pthread_mutex_unlock(&s->services->lock);
}
