#include "cli/supervisor.h"

#include "base/clock.h"
#include "base/log.h"
#include "cli/process.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  TICK_US = 5000000,       /* without a watchdog */
  TICKS_A_WATCHDOG = 4,    /* so that one may be late */
  EXTENSION_US = 30000000, /* more time at once; a tick is shorter */
};

struct supervisor {
  struct loop *loop;
  const struct store *store;
  const struct runner *runner;
  int64_t watchdog_us; /* 0 = nobody watches */
  int64_t tick_us;
  struct loop_timer *timer; /* loop thread */
  bool stuck;               /* it was said */
  char told[96];            /* the last status */
  atomic_bool draining, stopped;
};

static void ping(struct supervisor *s) {
  int64_t busy_us = store_writer_busy_us(s->store);
  bool stuck = busy_us > s->watchdog_us / 2;
  if (!stuck) process_notify("WATCHDOG=1");
  if (stuck && !s->stuck)
    log_error("server", NULL,
              "watchdog=stuck a commit has not returned for %lld ms; no more pings until it does",
              (long long)(busy_us / 1000));
  else if (!stuck && s->stuck)
    log_info("server", NULL, "watchdog=moving the commit has returned");
  s->stuck = stuck;
}

static void tell_status(struct supervisor *s) {
  char text[sizeof s->told];
  struct runner_stats stats = runner_stats(s->runner);
  bool draining = atomic_load(&s->draining);
  snprintf(text, sizeof text, "STATUS=%s, %lld debates running, %lld waiting",
           draining ? "Stopping" : "Serving", (long long)stats.running, (long long)stats.queued);
  if (draining && stats.running) {
    char more[64];
    snprintf(more, sizeof more, "EXTEND_TIMEOUT_USEC=%d", EXTENSION_US);
    process_notify(more);
  }
  if (strcmp(text, s->told) == 0) return;
  memcpy(s->told, text, sizeof text);
  process_notify(text);
}

static void tick(void *arg) {
  struct supervisor *s = arg;
  s->timer = NULL;
  if (atomic_load(&s->stopped)) return;
  if (s->watchdog_us) ping(s);
  tell_status(s);
  s->timer = loop_timer_start(s->loop, (uint64_t)(s->tick_us / 1000), tick, s);
}

enum status supervisor_start(struct loop *loop, const struct store *store,
                             const struct runner *runner, struct supervisor **ret_supervisor,
                             struct error *err) {
  struct supervisor *s = calloc(1, sizeof *s);
  if (!s) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  s->loop = loop;
  s->store = store;
  s->runner = runner;
  s->watchdog_us = process_watchdog_us();
  s->tick_us = s->watchdog_us ? s->watchdog_us / TICKS_A_WATCHDOG : TICK_US;
  if (s->tick_us > TICK_US) s->tick_us = TICK_US;
  *ret_supervisor = s;
  loop_post(loop, tick, s);
  return STATUS_OK;
}

/* At once, without waiting for the next tick. */
static void tell_now(void *arg) {
  struct supervisor *s = arg;
  if (!atomic_load(&s->stopped)) tell_status(s);
}

void supervisor_drain(struct supervisor *s) {
  atomic_store(&s->draining, true);
  loop_post(s->loop, tell_now, s);
}

static void end(void *arg) {
  struct supervisor *s = arg;
  loop_timer_cancel(s->timer);
  s->timer = NULL;
}

void supervisor_stop(struct supervisor *s) {
  if (!s || atomic_exchange(&s->stopped, true)) return;
  loop_post(s->loop, end, s);
}

void supervisor_destroy(struct supervisor *s) {
  free(s);
}
