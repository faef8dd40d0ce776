/* A pool runs all it took, refuses what does not fit, and finishes before it goes. */
#include "io/pool.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static atomic_int ran;
static pthread_barrier_t started, release_worker;

static void count(void *arg) {
  (void)arg;
  atomic_fetch_add(&ran, 1);
}

static void hold(void *arg) {
  (void)arg;
  pthread_barrier_wait(&started);
  pthread_barrier_wait(&release_worker);
}

static void test_runs_everything(void **state) {
  (void)state;
  struct pool *pool;
  atomic_store(&ran, 0);
  assert_int_equal(pool_create(3, 200, &pool, NULL), STATUS_OK);
  for (int i = 0; i < 200; i++) assert_int_equal(pool_submit(pool, count, NULL), STATUS_OK);
  pool_destroy(pool);
  assert_int_equal(atomic_load(&ran), 200);
}

static void test_refuses_when_full(void **state) {
  (void)state;
  struct pool *pool;
  atomic_store(&ran, 0);
  pthread_barrier_init(&started, NULL, 2);
  pthread_barrier_init(&release_worker, NULL, 2);
  assert_int_equal(pool_create(1, 2, &pool, NULL), STATUS_OK);
  assert_int_equal(pool_submit(pool, hold, NULL), STATUS_OK);
  pthread_barrier_wait(&started); /* the worker is busy, the queue empty */
  assert_int_equal(pool_submit(pool, count, NULL), STATUS_OK);
  assert_int_equal(pool_submit(pool, count, NULL), STATUS_OK);
  assert_int_equal(pool_submit(pool, count, NULL), STATUS_FULL);
  pthread_barrier_wait(&release_worker);
  pool_destroy(pool);
  assert_int_equal(atomic_load(&ran), 2);
  pthread_barrier_destroy(&started);
  pthread_barrier_destroy(&release_worker);
}

static void submit_until_stopped(void *pool) {
  hold(NULL);
  while (pool_submit(pool, count, NULL) == STATUS_FULL) sched_yield();
}

/* What is queued still runs; what comes while it stops, and later, is refused. */
static void test_stop(void **state) {
  (void)state;
  struct pool *pool;
  atomic_store(&ran, 0);
  pthread_barrier_init(&started, NULL, 2);
  pthread_barrier_init(&release_worker, NULL, 2);
  assert_int_equal(pool_create(1, 1, &pool, NULL), STATUS_OK);
  assert_int_equal(pool_submit(pool, submit_until_stopped, pool), STATUS_OK);
  pthread_barrier_wait(&started);
  assert_int_equal(pool_submit(pool, count, NULL), STATUS_OK);
  pthread_barrier_wait(&release_worker);
  pool_stop(pool);
  assert_int_equal(atomic_load(&ran), 1);
  assert_int_equal(pool_submit(pool, count, NULL), STATUS_UNAVAILABLE);
  pool_stop(pool);
  pool_destroy(pool);
  assert_int_equal(atomic_load(&ran), 1);
  pthread_barrier_destroy(&started);
  pthread_barrier_destroy(&release_worker);
}

static void hold_three(void *arg) {
  (void)arg;
  pthread_barrier_wait(&started);
}

/* A worker more for each job that finds none waiting, up to the most; none is started for a job
 * that one waits for. */
static void test_grows_with_its_work(void **state) {
  (void)state;
  struct pool *pool;
  assert_int_equal(pool_create(3, 16, &pool, NULL), STATUS_OK);
  assert_int_equal(pool_stats(pool).max_threads, 3);
  assert_int_equal(pool_stats(pool).threads, 1);
  pthread_barrier_init(&started, NULL, 3);
  /* They end together: with fewer than three workers, never. */
  for (int i = 0; i < 3; i++) assert_int_equal(pool_submit(pool, hold_three, NULL), STATUS_OK);
  while (pool_stats(pool).busy > 0) sched_yield();
  assert_int_equal(pool_stats(pool).threads, 3);
  pool_destroy(pool);

  atomic_store(&ran, 0);
  assert_int_equal(pool_create(3, 16, &pool, NULL), STATUS_OK);
  while (pool_stats(pool).busy > 0) sched_yield();
  assert_int_equal(pool_submit(pool, count, NULL), STATUS_OK);
  assert_int_equal(pool_stats(pool).threads, 1);
  pool_destroy(pool);
  assert_int_equal(atomic_load(&ran), 1);
  pthread_barrier_destroy(&started);
}

static void test_refuses_nonsense(void **state) {
  (void)state;
  struct pool *pool = NULL;
  assert_int_equal(pool_create(0, 2, &pool, NULL), STATUS_INVALID);
  assert_null(pool);
  pool_destroy(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_runs_everything),
      cmocka_unit_test(test_refuses_when_full),
      cmocka_unit_test(test_stop),
      cmocka_unit_test(test_grows_with_its_work),
      cmocka_unit_test(test_refuses_nonsense),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
