#include "api/memory.h"
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct memory_profile {
  const struct api *api;
  pthread_t thread;
  pthread_mutex_t lock; /* guards what follows */
  pthread_cond_t changed;
  bool stopping;
  struct memory_reading first;
  struct memory_reading last[MEMORY_READINGS_MAX]; /* a ring */
  uint64_t count;                                  /* taken so far, the first one included */
};

static void say(const char *what, const struct memory_reading *r,
                const struct memory_reading *since) {
  char line[1024];
  size_t len = 0;
  for (size_t i = 0; i < MEMORY_COUNT && len < sizeof line; i++) {
    int64_t n = r->bytes[i] - (since ? since->bytes[i] : 0);
    len += (size_t)snprintf(line + len, sizeof line - len, " %s=%" PRId64, memory_name(i), n);
  }
  log_info("memory", NULL,
           "memory=%s%s debates=%" PRId64 " subscribers=%" PRId64 " websockets=%" PRId64, what,
           line, r->debates, r->subscribers, r->websockets);
}

static struct memory_reading *take(struct memory_profile *p) {
  struct memory_reading now;
  memory_read(p->api, &now);
  pthread_mutex_lock(&p->lock);
  struct memory_reading *slot = &p->last[p->count % MEMORY_READINGS_MAX];
  *slot = now;
  if (!p->count++) p->first = now;
  pthread_mutex_unlock(&p->lock);
  return slot; /* written by this thread alone */
}

/* False when it is to stop. */
static bool wait_for_next(struct memory_profile *p) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += p->api->parts.options->profile_memory_s;
  pthread_mutex_lock(&p->lock);
  while (!p->stopping && pthread_cond_timedwait(&p->changed, &p->lock, &until) != ETIMEDOUT)
    continue;
  bool go_on = !p->stopping;
  pthread_mutex_unlock(&p->lock);
  return go_on;
}

static void *profile(void *arg) {
  struct memory_profile *p = arg;
  while (wait_for_next(p)) say("now", take(p), NULL);
  return NULL;
}

enum status memory_profile_start(const struct api *api, struct memory_profile **ret,
                                 struct error *err) {
  struct memory_profile *p = calloc(1, sizeof *p);
  if (!p) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  p->api = api;
  pthread_mutex_init(&p->lock, NULL);
  clock_cond_init(&p->changed);
  say("start", take(p), NULL);
  int e = pthread_create(&p->thread, NULL, profile, p);
  if (e) {
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    free(p);
    return error_set(err, STATUS_IO, NULL, "cannot start a thread: %s", strerror(e));
  }
  *ret = p;
  return STATUS_OK;
}

void memory_profile_stop(struct memory_profile *p) {
  if (!p) return;
  pthread_mutex_lock(&p->lock);
  p->stopping = true;
  pthread_cond_signal(&p->changed);
  pthread_mutex_unlock(&p->lock);
  pthread_join(p->thread, NULL);
  const struct memory_reading *last = take(p);
  say("end", last, NULL);
  say("grown", last, &p->first);
  pthread_cond_destroy(&p->changed);
  pthread_mutex_destroy(&p->lock);
  free(p);
}

size_t memory_profile_readings(struct memory_profile *p, struct memory_reading *ret_first,
                               struct memory_reading *out, size_t max) {
  pthread_mutex_lock(&p->lock);
  uint64_t held = p->count < MEMORY_READINGS_MAX ? p->count : MEMORY_READINGS_MAX;
  size_t n = max < held ? max : (size_t)held;
  for (size_t i = 0; i < n; i++) out[i] = p->last[(p->count - n + i) % MEMORY_READINGS_MAX];
  *ret_first = p->first;
  pthread_mutex_unlock(&p->lock);
  return n;
}
