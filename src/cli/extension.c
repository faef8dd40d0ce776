#include "cli/extension.h"

#include "base/clock.h"
#include "cli/process.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { EXTENSION_S = 30, EVERY_S = 5 };

struct extension {
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool stopping; /* guarded by the lock */
};

static void *ask(void *arg) {
  struct extension *e = arg;
  char more[64];
  snprintf(more, sizeof more, "EXTEND_TIMEOUT_USEC=%d000000", EXTENSION_S);
  pthread_mutex_lock(&e->lock);
  while (!e->stopping) {
    struct timespec until;
    process_notify(more);
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += EVERY_S;
    while (!e->stopping && pthread_cond_timedwait(&e->changed, &e->lock, &until) == 0) continue;
  }
  pthread_mutex_unlock(&e->lock);
  return NULL;
}

enum status extension_start(const char *words, struct extension **ret_extension,
                            struct error *err) {
  char status[128];
  struct extension *e = calloc(1, sizeof *e);
  if (!e) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  snprintf(status, sizeof status, "STATUS=%s", words);
  process_notify(status);
  pthread_mutex_init(&e->lock, NULL);
  clock_cond_init(&e->changed);
  if (pthread_create(&e->thread, NULL, ask, e)) {
    pthread_cond_destroy(&e->changed);
    pthread_mutex_destroy(&e->lock);
    free(e);
    return error_set(err, STATUS_IO, NULL, "cannot start a thread");
  }
  *ret_extension = e;
  return STATUS_OK;
}

void extension_stop(struct extension *e) {
  if (!e) return;
  pthread_mutex_lock(&e->lock);
  e->stopping = true;
  pthread_cond_signal(&e->changed);
  pthread_mutex_unlock(&e->lock);
  pthread_join(e->thread, NULL);
  pthread_cond_destroy(&e->changed);
  pthread_mutex_destroy(&e->lock);
  free(e);
}
