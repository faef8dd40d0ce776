/* The end of the parts that run debates: whoever asked for something is answered, and what was
 * started is there at the next start. */
#include "cli/engine.h"

#include "base/json.h"
#include "base/options_load.h"

#include <dirent.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
// clang-format off
#include <cmocka.h>
// clang-format on

struct world {
  char dir[64];
  struct engine engine;
  struct pool *pool;
  char id[64];               /* of the debate that was started last */
  atomic_int started, ended; /* answers to runner_start and runner_cancel */
  atomic_int start_status, cancel_status;
};

static void open_engine(struct world *w) {
  struct options options;
  struct error err = {0};
  assert_int_equal(options_init(&options, &err), STATUS_OK);
  free(options.data_dir);
  options.data_dir = strdup(w->dir);
  options.demo_token_rate = 1; /* no debate ends within a test */
  if (engine_open(&w->engine, &options, &err)) fail_msg("%s", err.message);
  assert_int_equal(engine_start(&w->engine, &err), STATUS_OK);
  assert_int_equal(pool_create(1, 1, &w->pool, &err), STATUS_OK);
}

static int set_up(void **state) {
  struct world *w = calloc(1, sizeof *w);
  snprintf(w->dir, sizeof w->dir, "/tmp/aragora-engine-XXXXXX");
  if (!mkdtemp(w->dir)) return -1;
  open_engine(w);
  *state = w;
  return 0;
}

static void close_engine(struct world *w) {
  engine_stop(&w->engine, w->pool);
  pool_destroy(w->pool);
  engine_close(&w->engine);
}

static int tear_down(void **state) {
  struct world *w = *state;
  DIR *dir = opendir(w->dir);
  for (struct dirent *entry; dir && (entry = readdir(dir));) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", w->dir, entry->d_name);
    if (entry->d_name[0] != '.') unlink(path);
  }
  if (dir) closedir(dir);
  rmdir(w->dir);
  free(w);
  return 0;
}

static void on_started(void *ctx, enum status status, const struct error *err,
                       const struct runner_started *started) {
  struct world *w = ctx;
  (void)err;
  if (started) snprintf(w->id, sizeof w->id, "%s", started->id);
  atomic_store(&w->start_status, (int)status);
  atomic_fetch_add(&w->started, 1);
}

static void start(struct world *w) {
  struct debate_spec spec;
  struct error err = {0};
  struct debate_spec_limits limits = {1000, 1000};
  json_t *body = json_pack("{s:s, s:[s, s]}", "task", "Now or never?", "agents", "demo", "demo");
  assert_int_equal(debate_spec_parse(body, &limits, &spec, &err), STATUS_OK);
  json_decref(body);
  const struct principal who = PRINCIPAL_LOCAL;
  runner_start(w->engine.runner, &who, &spec, NULL, NULL, on_started, w);
}

static void on_cancelled(void *ctx, enum status status) {
  struct world *w = ctx;
  atomic_store(&w->cancel_status, (int)status);
  atomic_fetch_add(&w->ended, 1);
}

static void nothing(void *arg) {
  (void)arg;
}

/* A job of the pool that goes on until the pool is being stopped. */
static void outlast(struct world *w) {
  while (pool_submit(w->pool, nothing, NULL) != STATUS_UNAVAILABLE) sched_yield();
}

static void start_late(void *arg) {
  outlast(arg);
  start(arg);
}

static void cancel_late(void *arg) {
  struct world *w = arg;
  const struct principal who = PRINCIPAL_LOCAL;
  outlast(w);
  runner_cancel(w->engine.runner, &who, w->id, "late", on_cancelled, w);
}

/* The next start finds it unfinished. */
static void assert_resumable(struct world *w, size_t count) {
  size_t resumed = 0;
  struct error err = {0};
  open_engine(w);
  assert_int_equal(runner_resume(w->engine.runner, &resumed, &err), STATUS_OK);
  assert_int_equal(resumed, count);
  close_engine(w);
}

/* Whether it is still admitted depends on who is first, the loop or runner_stop. */
static void test_a_late_job_starts_a_debate(void **state) {
  struct world *w = *state;
  assert_int_equal(pool_submit(w->pool, start_late, w), STATUS_OK);
  engine_stop(&w->engine, w->pool);
  assert_int_equal(atomic_load(&w->started), 1);
  enum status status = (enum status)atomic_load(&w->start_status);
  assert_true(status == STATUS_OK || status == STATUS_UNAVAILABLE);
  close_engine(w);
  assert_resumable(w, status == STATUS_OK);
}

static void test_a_late_job_is_refused_after_a_drain(void **state) {
  struct world *w = *state;
  runner_drain(w->engine.runner, NULL, NULL);
  assert_int_equal(pool_submit(w->pool, start_late, w), STATUS_OK);
  engine_stop(&w->engine, w->pool);
  assert_int_equal(atomic_load(&w->started), 1);
  assert_int_equal(atomic_load(&w->start_status), STATUS_UNAVAILABLE);
  close_engine(w);
  assert_resumable(w, 0);
}

static void test_a_late_job_cancels_a_debate(void **state) {
  struct world *w = *state;
  start(w);
  while (!atomic_load(&w->started)) sched_yield();
  assert_int_equal(pool_submit(w->pool, cancel_late, w), STATUS_OK);
  engine_stop(&w->engine, w->pool);
  assert_int_equal(atomic_load(&w->ended), 1);
  assert_int_equal(atomic_load(&w->cancel_status), STATUS_OK);
  close_engine(w);
  assert_resumable(w, 0);
}

/* What was asked for last waits for the disk when the stop comes. */
static void test_who_waits_for_the_disk_is_answered(void **state) {
  enum { MANY = 50 };
  struct world *w = *state;
  for (int i = 0; i < MANY; i++) start(w);
  engine_stop(&w->engine, w->pool);
  assert_int_equal(atomic_load(&w->started), MANY);
  close_engine(w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_a_late_job_starts_a_debate, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_a_late_job_is_refused_after_a_drain, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_a_late_job_cancels_a_debate, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_who_waits_for_the_disk_is_answered, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
