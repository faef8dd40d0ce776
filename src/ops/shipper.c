#include "ops/shipper.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "ops/archive_ship.h"
#include "ops/backup_site.h"
#include "ops/pace.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { RETRY_FIRST_MS = 1000, RETRY_MAX_MS = 300000, LAST_MS = 5000, LEAST_PRIORITY = 19 };

struct shipper {
  const struct options *options;
  struct progress progress;
  pthread_t thread;
  /* of the thread */
  struct shipped known;
  bool listed; /* `known` is what is in the place */
  int64_t retry_ms;
  pthread_mutex_t lock; /* guards what follows */
  pthread_cond_t changed;
  bool due, stopping;
  bool failing;
  int64_t retry_at_ms; /* monotonic, like the next */
  int64_t until_ms;    /* of its work while it stops */
};

static int64_t now_ms(void) {
  return clock_mono_us(&clock_system) / 1000;
}

/* ---- waiting ---- */

static bool step(void *ctx, const char *what, int64_t done, int64_t total) {
  struct shipper *s = ctx;
  (void)what;
  (void)done;
  (void)total;
  pthread_mutex_lock(&s->lock);
  bool go_on = !s->stopping || now_ms() < s->until_ms;
  pthread_mutex_unlock(&s->lock);
  return go_on;
}

static void wake(void *ctx) {
  struct shipper *s = ctx;
  pthread_mutex_lock(&s->lock);
  s->due = true;
  pthread_cond_signal(&s->changed);
  pthread_mutex_unlock(&s->lock);
}

/* Until there is something to do. False when this is the last time. */
static bool wait_until_due(struct shipper *s) {
  pthread_mutex_lock(&s->lock);
  while (!s->stopping && (!s->due || now_ms() < s->retry_at_ms)) {
    struct timespec until = {s->retry_at_ms / 1000, s->retry_at_ms % 1000 * 1000000};
    if (s->due)
      pthread_cond_timedwait(&s->changed, &s->lock, &until);
    else
      pthread_cond_wait(&s->changed, &s->lock);
  }
  s->due = false;
  bool go_on = !s->stopping;
  pthread_mutex_unlock(&s->lock);
  return go_on;
}

/* ---- a round ---- */

/* The credentials in files may have changed: a connection of its own each time. */
static enum status send(struct shipper *s, struct error *err) {
  struct backup_site site = {0};
  struct pace pace;
  enum status status = backup_site_open(s->options, &s->progress, &site, err);
  if (!status && !s->listed) {
    status = shipped_read(site.place, &s->known, err);
    s->listed = !status;
  }
  pace_start(&pace, site.load_percent, &s->progress);
  if (!status)
    status = archive_ship(s->options->archive_dir, site.place, &s->known, &pace.progress, err);
  backup_site_close(&site);
  return status;
}

/* Logged once each way. */
static void set_failing(struct shipper *s, const struct error *reason) {
  pthread_mutex_lock(&s->lock);
  bool before = s->failing;
  s->failing = reason != NULL;
  s->due |= s->failing;
  s->retry_ms = !before                          ? RETRY_FIRST_MS
                : 2 * s->retry_ms < RETRY_MAX_MS ? 2 * s->retry_ms
                                                 : RETRY_MAX_MS;
  s->retry_at_ms = reason ? now_ms() + s->retry_ms : 0;
  pthread_mutex_unlock(&s->lock);
  metric_set(METRIC_ARCHIVE_SHIP_FAILING, NULL, reason != NULL);
  if (reason) metric_add(METRIC_ARCHIVE_SHIP_FAILURES, NULL, 1);
  if (reason && !before)
    log_error("archive", NULL,
              "event=archive_ship_failing reason=\"%s\" it is tried again; this is said once",
              reason->message);
  if (!reason && before) log_warning("archive", NULL, "event=archive_ship_resumed");
}

static void ship(struct shipper *s) {
  struct error err = {0};
  size_t waiting = 0;
  enum status status = archive_count_unshipped(s->options->archive_dir, &s->known, &waiting, &err);
  if (!status) metric_set(METRIC_ARCHIVE_WAITING, NULL, (int64_t)waiting);
  if (!status && !waiting) return;
  if (!status) status = send(s, &err);
  if (status == STATUS_CANCELLED) return;
  if (!status) metric_set(METRIC_ARCHIVE_WAITING, NULL, 0);
  set_failing(s, status ? &err : NULL);
}

static void *run(void *ctx) {
  struct shipper *s = ctx;
  bool go_on = true;
  setpriority(PRIO_PROCESS, 0, LEAST_PRIORITY); /* on Linux a thread's own */
  while (go_on) {
    go_on = wait_until_due(s);
    if (step(s, NULL, 0, 0)) ship(s);
  }
  return NULL;
}

/* ---- its life ---- */

bool shipper_is_wanted(const struct options *o) {
  return o->archive && o->archive_ship_s > 0 && o->backup_to && *o->backup_to;
}

static void init_lock(struct shipper *s) {
  pthread_mutex_init(&s->lock, NULL);
  clock_cond_init(&s->changed);
}

static void shipper_free(struct shipper *s) {
  pthread_cond_destroy(&s->changed);
  pthread_mutex_destroy(&s->lock);
  shipped_done(&s->known);
  free(s);
}

enum status shipper_start(const struct options *options, struct store *store,
                          struct shipper **ret_shipper, struct error *err) {
  *ret_shipper = NULL;
  if (!shipper_is_wanted(options)) return STATUS_OK;
  struct shipper *s = calloc(1, sizeof *s);
  if (!s) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  s->options = options;
  s->progress = (struct progress){step, s};
  s->due = true; /* what an earlier run has left */
  init_lock(s);
  int failure = pthread_create(&s->thread, NULL, run, s);
  if (failure) {
    shipper_free(s);
    return error_set(err, STATUS_IO, NULL, "cannot start a thread: %s", strerror(failure));
  }
  pthread_setname_np(s->thread, "shipper");
  store_on_seal(store, wake, s);
  *ret_shipper = s;
  return STATUS_OK;
}

void shipper_stop(struct shipper *s, bool finish) {
  if (!s) return;
  pthread_mutex_lock(&s->lock);
  s->stopping = true;
  s->until_ms = finish && !s->failing ? now_ms() + LAST_MS : 0;
  pthread_cond_signal(&s->changed);
  pthread_mutex_unlock(&s->lock);
  pthread_join(s->thread, NULL);
  shipper_free(s);
}
