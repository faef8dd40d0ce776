#include "ops/background.h"

#include <pthread.h>
#include <string.h>
#include <sys/resource.h>

enum { LEAST = 19 };

struct work {
  enum status (*fn)(void *arg, struct error *err);
  void *arg;
  struct error *err;
  enum status status;
};

/* setpriority(2): on Linux a nice value is a thread's own. */
static void *run(void *ctx) {
  struct work *w = ctx;
  setpriority(PRIO_PROCESS, 0, LEAST);
  w->status = w->fn(w->arg, w->err);
  return NULL;
}

enum status background_run(enum status (*fn)(void *arg, struct error *err), void *arg,
                           struct error *err) {
  struct work w = {fn, arg, err, STATUS_OK};
  pthread_t thread;
  int failed = pthread_create(&thread, NULL, run, &w);
  if (failed) return error_set(err, STATUS_IO, NULL, "cannot start a thread: %s", strerror(failed));
  pthread_setname_np(thread, "backup");
  pthread_join(thread, NULL);
  return w.status;
}
