#include "runner/jobs.h"

#include "base/log.h"
#include "debate/spec.h"
#include "store/jobs.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* A table that cannot grow refuses the entry instead of ending the process. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

enum {
  JOBS_LOOKED_AT = 100, /* unfinished batches in one pass, oldest first */
  PAUSE_MS = 200,       /* between two passes while there is something to start */
  LEFT_OUT_MS = 60000,  /* a batch that no budget pays for */
};

enum start_state { START_NONE, START_UNDER_WAY, START_DONE };

struct left_out { /* a batch of which nothing is tried for a while */
  char id[64];
  int64_t until_us; /* monotonic */
  UT_hash_handle hh;
};

struct jobs {
  struct runner *runner;
  struct store *store;
  const struct options *options;
  pthread_t thread;
  bool started;              /* the owner's */
  struct left_out *left_out; /* the thread's */
  pthread_mutex_t lock;      /* of what follows */
  pthread_cond_t changed;
  bool stopping, woken;
  enum start_state start;
  enum status status; /* of START_DONE */
  struct error err;
};

struct job_copy { /* of the pass under way */
  char id[64];
  char tenant_id[128], owner_id[128];
  char key_id[64]; /* "" = it came with no API key */
  int64_t free;    /* debates that may still be started */
};

struct pass {
  struct jobs *owner;
  struct job_copy jobs[JOBS_LOOKED_AT];
  size_t count;
  bool work_left; /* in any batch, those that are left out too */
};

struct item_copy {
  int64_t item;
  char *request; /* NULL = nothing waits */
};

/* ---- waiting ---- */

static struct timespec in_ms(int64_t ms) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  t.tv_sec += (time_t)(ms / 1000);
  t.tv_nsec += (long)(ms % 1000) * 1000000;
  if (t.tv_nsec >= 1000000000) {
    t.tv_sec++;
    t.tv_nsec -= 1000000000;
  }
  return t;
}

/* For a wake, and with work left for the pause at most; a wake means work. False when it is to end.
 */
static bool rest(struct jobs *j, bool *work_left) {
  struct timespec until = in_ms(PAUSE_MS);
  pthread_mutex_lock(&j->lock);
  int rc = 0;
  while (!j->stopping && !j->woken && rc == 0)
    rc = *work_left ? pthread_cond_timedwait(&j->changed, &j->lock, &until)
                    : pthread_cond_wait(&j->changed, &j->lock);
  if (j->woken) *work_left = true;
  j->woken = false;
  bool go_on = !j->stopping;
  pthread_mutex_unlock(&j->lock);
  return go_on;
}

static void tell(struct jobs *j, enum status status, const struct error *err) {
  pthread_mutex_lock(&j->lock);
  j->start = START_DONE;
  j->status = status;
  j->err = err ? *err : (struct error){0};
  pthread_cond_broadcast(&j->changed);
  pthread_mutex_unlock(&j->lock);
}

static void on_started(void *ctx, enum status status, const struct error *err,
                       const struct runner_started *started) {
  (void)started;
  tell(ctx, status, err);
}

static void on_stored(void *ctx, enum status status) {
  tell(ctx, status, NULL);
}

static enum status await(struct jobs *j) {
  pthread_mutex_lock(&j->lock);
  while (j->start != START_DONE) pthread_cond_wait(&j->changed, &j->lock);
  j->start = START_NONE;
  enum status s = j->status;
  pthread_mutex_unlock(&j->lock);
  return s;
}

/* ---- starting ---- */

static void copy_item(void *ctx, const struct store_item *item) {
  struct item_copy *copy = ctx;
  copy->item = item->item;
  if (item->request) copy->request = bytes_dup(bytes_of(item->request));
}

static enum status read_spec(const struct jobs *j, const char *request,
                             struct debate_spec *ret_spec, struct error *err) {
  const struct debate_spec_limits limits = {j->options->max_question_chars,
                                            j->options->max_context_bytes};
  JSON_LATER json_t *body = NULL;
  enum status s = json_parse(bytes_of(request), &body, err);
  return s ? s : debate_spec_parse(body, &limits, ret_spec, err);
}

static enum status start_item(struct jobs *j, const struct job_copy *job,
                              const struct item_copy *item) {
  const struct principal who = {.tenant_id = job->tenant_id,
                                .owner_id = job->owner_id,
                                .key_id = *job->key_id ? job->key_id : NULL};
  const struct store_origin origin = {
      .branch_point = -1, .batch_id = job->id, .batch_item = item->item};
  struct debate_spec spec;
  j->start = START_UNDER_WAY;
  enum status s = read_spec(j, item->request, &spec, &j->err);
  if (s) return s;
  runner_start(j->runner, &who, &spec, NULL, &origin, on_started, j);
  return await(j);
}

/* It will never be startable: that is what its batch says of it. False: not stored, so that it is
 * tried, and refused, again after a pause. */
static bool fail_item(struct jobs *j, const struct job_copy *job, const struct item_copy *item) {
  char why[sizeof j->err.message];
  snprintf(why, sizeof why, "%s", j->err.message);
  j->start = START_UNDER_WAY;
  enum status s = store_fail_item(j->store, job->id, item->item, why, on_stored, j);
  if (!s) s = await(j);
  if (s && s != STATUS_CONFLICT)
    log_warning("jobs", NULL, "batch=%s item=%lld error=\"%s\"", job->id, (long long)item->item,
                status_name(s));
  return !s;
}

/* Without memory it is looked at again in the next pass. */
static void leave_out(struct jobs *j, const char *id) {
  struct left_out *out = calloc(1, sizeof *out);
  if (!out) return;
  snprintf(out->id, sizeof out->id, "%s", id);
  out->until_us = clock_mono_us(&clock_system) + (int64_t)LEFT_OUT_MS * 1000;
  HASH_ADD_STR(j->left_out, id, out);
  if (!out->hh.tbl) free(out);
}

static void take_back(struct jobs *j, struct left_out *out) {
  HASH_DEL(j->left_out, out);
  free(out);
}

/* Those whose time has come, the oldest first; also when their batch is gone. */
static void take_back_due(struct jobs *j) {
  int64_t now_us = clock_mono_us(&clock_system);
  while (j->left_out && j->left_out->until_us <= now_us) take_back(j, j->left_out);
}

static bool is_left_out(const struct jobs *j, const char *id) {
  struct left_out *out;
  HASH_FIND_STR(j->left_out, id, out);
  return out != NULL;
}

/* True when an item was dealt with, so that the next may follow. One that was not is the next
 * again, whatever kept it from being started: the pass then leaves its batch, and those that follow
 * do too where a cap that is used up kept it, which is its key's or its owner's alone. */
static bool take_item(struct jobs *j, struct job_copy *job) {
  struct item_copy item = {0};
  struct error err = {0};
  enum status s = store_read_items(j->store, job->id, true, copy_item, &item, &err);
  if (s || !item.request) return false;
  s = start_item(j, job, &item);
  bool dealt_with = s == STATUS_INVALID || s == STATUS_QUOTA ? fail_item(j, job, &item) : !s;
  free(item.request);
  if (s == STATUS_EXHAUSTED) leave_out(j, job->id);
  if (!s) job->free--;
  return dealt_with;
}

static bool may_start(struct jobs *j) {
  struct runner_stats stats = runner_stats(j->runner);
  pthread_mutex_lock(&j->lock);
  bool stopping = j->stopping;
  pthread_mutex_unlock(&j->lock);
  return !stopping && stats.accepting && stats.queued == 0 &&
         stats.running < j->options->max_concurrent_debates;
}

static void collect(void *ctx, const struct store_job *job, const struct store_job_counts *counts) {
  struct pass *pass = ctx;
  pass->work_left = true;
  if (pass->count == JOBS_LOOKED_AT || is_left_out(pass->owner, job->id)) return;
  struct job_copy *copy = &pass->jobs[pass->count++];
  snprintf(copy->id, sizeof copy->id, "%s", job->id);
  snprintf(copy->key_id, sizeof copy->key_id, "%s", job->key_id ? job->key_id : "");
  snprintf(copy->tenant_id, sizeof copy->tenant_id, "%s", job->tenant_id);
  snprintf(copy->owner_id, sizeof copy->owner_id, "%s", job->owner_id);
  copy->free = job->max_parallel - counts->active;
}

/* True when items are left to start. */
static bool run_pass(struct jobs *j) {
  const struct principal system = PRINCIPAL_SYSTEM;
  struct pass pass = {.owner = j};
  struct error err = {0};
  take_back_due(j);
  size_t most = JOBS_LOOKED_AT + HASH_COUNT(j->left_out);
  enum status s = store_list_jobs(j->store, &system, true, most, collect, &pass, &err);
  if (s) {
    log_warning("jobs", NULL, "batches=unread error=\"%s\"", err.message);
    return true;
  }
  for (size_t i = 0; i < pass.count; i++)
    while (pass.jobs[i].free > 0 && may_start(j) && take_item(j, &pass.jobs[i])) {
    }
  return pass.work_left;
}

static void *run(void *arg) {
  struct jobs *j = arg;
  bool work_left = true;
  do
    if (work_left && may_start(j)) work_left = run_pass(j); /* it counts all items that wait */
  while (rest(j, &work_left));
  return NULL;
}

/* ---- life ---- */

struct jobs *jobs_create(struct runner *runner, struct store *store,
                         const struct options *options) {
  struct jobs *j = calloc(1, sizeof *j);
  if (!j) return NULL;
  j->runner = runner;
  j->store = store;
  j->options = options;
  pthread_mutex_init(&j->lock, NULL);
  clock_cond_init(&j->changed);
  return j;
}

enum status jobs_start(struct jobs *j, struct error *err) {
  if (pthread_create(&j->thread, NULL, run, j) != 0)
    return error_set(err, STATUS_INTERNAL, NULL, "no thread for batches");
  j->started = true;
  return STATUS_OK;
}

void jobs_wake(struct jobs *j) {
  pthread_mutex_lock(&j->lock);
  j->woken = true;
  pthread_cond_broadcast(&j->changed);
  pthread_mutex_unlock(&j->lock);
}

void jobs_stop(struct jobs *j) {
  if (!j || !j->started) return;
  pthread_mutex_lock(&j->lock);
  j->stopping = true;
  pthread_cond_broadcast(&j->changed);
  pthread_mutex_unlock(&j->lock);
  pthread_join(j->thread, NULL);
  j->started = false;
}

void jobs_destroy(struct jobs *j) {
  if (!j) return;
  while (j->left_out) take_back(j, j->left_out);
  pthread_cond_destroy(&j->changed);
  pthread_mutex_destroy(&j->lock);
  free(j);
}
