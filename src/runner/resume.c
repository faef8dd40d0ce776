/* What the last process left unfinished: read by a few threads, taken up by the loop.
 *
 *   (runner_resume's thread and helpers)  each log refolded, in any order
 *   (loop, some a turn)                   each resumed in its log, oldest first; then each goes on
 *
 * Prompts and connections cost more than resuming, so nobody asks before everybody is resumed; and
 * the loop serves others between two turns.
 */
#include "base/id.h"
#include "base/log.h"
#include "base/processors.h"
#include "runner/internal.h"
#include "runner/panel.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS_MAX = 4, TAKE_UP_A_TURN = 32, GO_ON_A_TURN = 8 };

struct resume {
  struct runner *runner;
  char (*ids)[ID_DEBATE_MAX + 1];
  size_t count, cap;
  bool failed;
  struct live **lives;      /* as ids; NULL = it cannot be resumed */
  atomic_size_t reading;    /* the next log to read */
  size_t taken_up, went_on; /* loop thread: how many of the lives are through */
};

static void resume_free(struct resume *resume) {
  for (size_t i = 0; resume->lives && i < resume->count; i++) live_unref(resume->lives[i]);
  free(resume->lives);
  free(resume->ids);
  free(resume);
}

void resume_abandon(struct runner *r) {
  if (r->resume) resume_free(r->resume);
  r->resume = NULL;
}

/* ---- reading ---- */

/* Ids are collected first: no read within a read. */
static void collect(void *ctx, const char *id, const struct principal *owner) {
  struct resume *u = ctx;
  (void)owner;
  if (u->count == u->cap) {
    size_t cap = u->cap ? u->cap * 2 : 16;
    void *grown = realloc(u->ids, cap * sizeof *u->ids);
    u->failed = u->failed || !grown;
    if (!grown) return;
    u->ids = grown;
    u->cap = cap;
  }
  snprintf(u->ids[u->count++], sizeof *u->ids, "%s", id);
}

struct restoring {
  struct live *live;
  struct error err;
  enum status status;
};

static bool restore_event(void *ctx, const struct store_event *event) {
  struct restoring *restoring = ctx;
  restoring->status = live_restore(restoring->live, event, &restoring->err);
  return restoring->status == STATUS_OK;
}

/* Asked without its keys it would lose its agents for good, by a slip that the next start mends. */
static void hold_without_keys(struct live *live) {
  const struct agent_binding *agent =
      panel_unavailable(live->runner->agents, &live_debate(live)->config);
  if (!agent) return;
  live->held = true;
  struct log_context context = live_log_context(live);
  log_warning("runner", &context,
              "debate=held agent=%s %s is not set: it goes on after a start with it, or can be "
              "cancelled",
              agent->type, agent->key_variable ? agent->key_variable : "its server's address");
}

/* The debate as its log left it. */
static enum status restore(struct runner *r, const char *id, struct live **ret_live,
                           struct error *err) {
  struct store_debate row;
  const struct principal system = PRINCIPAL_SYSTEM;
  struct restoring restoring = {0};
  enum status s = store_get_debate(r->store, &system, id, &row, err);
  if (s) return s;
  s = live_create(r, &row, &restoring.live);
  store_debate_done(&row);
  if (s) return error_set(err, s, NULL, "out of memory");
  s = store_read_events(r->store, &system, id, 0, 0, restore_event, &restoring, err);
  if (!s && restoring.status) {
    *err = restoring.err;
    s = restoring.status;
  }
  if (!s && live_debate(restoring.live)->last_seq == 0)
    s = error_set(err, STATUS_CORRUPT, NULL, "its log is empty");
  if (s) {
    live_unref(restoring.live);
    return s;
  }
  hold_without_keys(restoring.live);
  *ret_live = restoring.live;
  return STATUS_OK;
}

static void say_not_resumed(const char *id, const char *why) {
  struct log_context context = {NULL, id};
  log_error("runner", &context, "debate=not_resumed error=\"%s\"", why);
}

static void *read_logs(void *arg) {
  struct resume *resume = arg;
  for (size_t i; (i = resume->reading++) < resume->count;) {
    struct error why = {0};
    struct live *live = NULL;
    if (restore(resume->runner, resume->ids[i], &live, &why))
      say_not_resumed(resume->ids[i], why.message);
    resume->lives[i] = live;
  }
  return NULL;
}

/* With as many threads as there are cores, this one among them. */
static void read_all(struct resume *resume) {
  pthread_t threads[THREADS_MAX];
  size_t count = 0;
  size_t cores = processors_online();
  while (count + 1 < THREADS_MAX && count + 1 < cores && count + 1 < resume->count &&
         pthread_create(&threads[count], NULL, read_logs, resume) == 0)
    count++;
  read_logs(resume);
  while (count) pthread_join(threads[--count], NULL);
}

/* ---- taking up; loop thread ---- */

static void take_up(struct runner *r, struct live **live) {
  bool queued = false;
  enum status s = runner_take_up(r, *live, &queued);
  if (s) {
    say_not_resumed(live_id(*live), s == STATUS_NOMEM ? "out of memory" : "the process ends");
    live_unref(*live);
    *live = NULL;
    return;
  }
  live_ref(*live); /* it may end before it is its turn to go on */
  live_take_up(*live, queued);
}

static void go_on(struct live **live) {
  live_go_on(*live);
  live_unref(*live);
  *live = NULL;
}

static void take_turn(void *arg) {
  struct runner *r = arg;
  struct resume *resume = r->resume;
  if (resume->taken_up < resume->count) {
    for (int i = 0; i < TAKE_UP_A_TURN && resume->taken_up < resume->count; i++) {
      struct live **live = &resume->lives[resume->taken_up++];
      if (*live) take_up(r, live);
    }
    if (resume->taken_up == resume->count) runner_taken_up(r);
  } else {
    for (int i = 0; i < GO_ON_A_TURN && resume->went_on < resume->count; i++) {
      struct live **live = &resume->lives[resume->went_on++];
      if (*live) go_on(live);
    }
  }
  if (resume->went_on < resume->count)
    loop_post(r->loop, take_turn, r);
  else
    resume_abandon(r);
}

static void begin_on_loop(void *arg) {
  struct resume *resume = arg;
  struct runner *r = resume->runner;
  r->resume = resume;
  if (!resume->count) runner_taken_up(r);
  take_turn(r);
}

enum status runner_resume(struct runner *r, size_t *ret_count, struct error *err) {
  struct resume *resume = calloc(1, sizeof *resume);
  if (!resume) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  resume->runner = r;
  r->resuming = true;
  enum status s = store_unfinished(r->store, collect, resume, err);
  if (!s) resume->lives = calloc(resume->count + 1, sizeof(struct live *));
  if (!resume->lives || resume->failed) {
    resume_free(resume);
    r->resuming = false;
    return s ? s : error_set(err, STATUS_NOMEM, NULL, "out of memory");
  }
  read_all(resume);
  size_t restored = 0;
  for (size_t i = 0; i < resume->count; i++)
    restored += resume->lives[i] && !resume->lives[i]->held;
  loop_post(r->loop, begin_on_loop, resume);
  *ret_count = restored;
  return STATUS_OK;
}
