/* Posting keeps its order from any thread; timers fire once, in order, and not when cancelled. */
#include "io/loop.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static struct loop *loop;
static int order[16];
static int order_count;

static void note(void *arg) {
  order[order_count++] = (int)(intptr_t)arg;
}

static void note_and_stop(void *arg) {
  note(arg);
  loop_stop(loop);
}

static int setup(void **state) {
  (void)state;
  order_count = 0;
  return loop_create(&loop, NULL) == STATUS_OK ? 0 : -1;
}

static int teardown(void **state) {
  (void)state;
  loop_destroy(loop);
  return 0;
}

static void test_posts_run_in_order(void **state) {
  (void)state;
  for (intptr_t i = 0; i < 4; i++) loop_post(loop, note, (void *)i);
  loop_stop(loop);
  assert_false(loop_is_current(loop));
  loop_run(loop);
  assert_int_equal(order_count, 4);
  for (int i = 0; i < 4; i++) assert_int_equal(order[i], i);
}

static void check_current(void *arg) {
  *(bool *)arg = loop_is_current(loop);
}

enum { POSTERS = 4, POSTS = 500 };
static atomic_int posted_total;
static int seen[POSTERS];
static bool in_order = true;

static void count_post(void *arg) {
  int value = (int)(intptr_t)arg;
  int poster = value / POSTS;
  if (seen[poster] != value % POSTS) in_order = false;
  seen[poster]++;
  if (atomic_fetch_add(&posted_total, 1) + 1 == POSTERS * POSTS) loop_stop(loop);
}

static void *post_many(void *arg) {
  intptr_t poster = (intptr_t)arg;
  for (intptr_t i = 0; i < POSTS; i++) loop_post(loop, count_post, (void *)(poster * POSTS + i));
  return NULL;
}

static void test_posts_from_threads_are_not_lost(void **state) {
  (void)state;
  bool current = false;
  loop_post(loop, check_current, &current);
  pthread_t threads[POSTERS];
  for (intptr_t i = 0; i < POSTERS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, post_many, (void *)i), 0);
  loop_run(loop);
  for (int i = 0; i < POSTERS; i++) pthread_join(threads[i], NULL);
  assert_true(current);
  assert_true(in_order);
  assert_int_equal(atomic_load(&posted_total), POSTERS * POSTS);
}

static void test_timers_fire_once_in_order(void **state) {
  (void)state;
  loop_timer_start(loop, 9, note_and_stop, (void *)3);
  uint64_t before = loop_now_ms(loop); /* each start reads the clock */
  loop_timer_start(loop, 1, note, (void *)1);
  struct loop_timer *cancelled = loop_timer_start(loop, 2, note, (void *)9);
  loop_timer_start(loop, 5, note, (void *)2);
  loop_timer_cancel(cancelled);
  loop_timer_cancel(NULL);
  loop_run(loop);
  assert_true(loop_now_ms(loop) >= before + 9);
  assert_int_equal(order_count, 3);
  for (int i = 0; i < 3; i++) assert_int_equal(order[i], i + 1);
}

static void restart(void *arg) {
  note(arg);
  if (order_count < 10)
    loop_timer_start(loop, 0, restart, arg);
  else
    loop_stop(loop);
}

static void test_a_timer_may_start_another(void **state) {
  (void)state;
  loop_timer_start(loop, 0, restart, (void *)5);
  loop_run(loop);
  assert_int_equal(order_count, 10);
}

static struct loop_task tasks[3];

static void note_and_stop_next(void *arg) {
  note(arg);
  loop_timer_start(loop, 0, note_and_stop, (void *)6);
}

static void defer_first(void *arg) {
  loop_timer_start(loop, 0, note, (void *)3);
  loop_defer(loop, &tasks[0], note, (void *)4);
  loop_defer(loop, &tasks[1], note, (void *)9);
  loop_defer(loop, &tasks[2], note_and_stop_next, (void *)5);
  loop_defer(loop, &tasks[0], note, (void *)9); /* due already: stays as it is */
  loop_defer_cancel(loop, &tasks[1]);
  loop_defer_cancel(loop, &tasks[1]);
  note(arg);
}

/* Posts and timers of the turn come first, in whatever order they were asked for. */
static void test_deferred_comes_last_in_the_turn(void **state) {
  (void)state;
  loop_post(loop, defer_first, (void *)1);
  loop_post(loop, note, (void *)2);
  loop_run(loop);
  assert_int_equal(order_count, 6);
  for (int i = 0; i < 6; i++) assert_int_equal(order[i], i + 1);
}

static void defer_another(void *arg) {
  note(arg);
  loop_defer(loop, &tasks[1], note, (void *)2);
}

static void defer_and_stop(void *arg) {
  loop_defer(loop, &tasks[0], defer_another, arg);
  loop_stop(loop);
}

static void test_deferred_in_the_last_turn_still_runs(void **state) {
  (void)state;
  loop_post(loop, defer_and_stop, (void *)1);
  loop_run(loop);
  assert_int_equal(order_count, 2);
  for (int i = 0; i < 2; i++) assert_int_equal(order[i], i + 1);
}

static void test_destroy_with_things_left(void **state) {
  (void)state;
  loop_post(loop, note, NULL);
  loop_timer_start(loop, 100000, note, NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_posts_run_in_order, setup, teardown),
      cmocka_unit_test_setup_teardown(test_posts_from_threads_are_not_lost, setup, teardown),
      cmocka_unit_test_setup_teardown(test_timers_fire_once_in_order, setup, teardown),
      cmocka_unit_test_setup_teardown(test_a_timer_may_start_another, setup, teardown),
      cmocka_unit_test_setup_teardown(test_deferred_comes_last_in_the_turn, setup, teardown),
      cmocka_unit_test_setup_teardown(test_deferred_in_the_last_turn_still_runs, setup, teardown),
      cmocka_unit_test_setup_teardown(test_destroy_with_things_left, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
