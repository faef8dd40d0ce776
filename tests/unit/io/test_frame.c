/* A frame keeps its bytes until its last holder lets go. */
#include "io/frame.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static void test_holds_its_bytes(void **state) {
  (void)state;
  struct frame *f = frame_create(BYTES_LITERAL("{\"a\":1}"), 7, true, false);
  assert_non_null(f);
  assert_int_equal(f->len, 7);
  assert_string_equal(f->json, "{\"a\":1}");
  assert_int_equal(f->seq, 7);
  assert_true(f->alone);
  assert_false(f->last);
  struct frame *again = frame_ref(f);
  frame_unref(f);
  assert_string_equal(again->json, "{\"a\":1}");
  frame_unref(again);
  frame_unref(NULL);
}

static void *ref_and_unref(void *arg) {
  for (int i = 0; i < 1000; i++) frame_unref(frame_ref(arg));
  frame_unref(arg);
  return NULL;
}

static void test_threads_share_it(void **state) {
  (void)state;
  struct frame *f = frame_create(BYTES_LITERAL("{}"), 0, false, true);
  assert_non_null(f);
  pthread_t threads[3];
  for (int i = 0; i < 3; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, ref_and_unref, frame_ref(f)), 0);
  for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  assert_int_equal(atomic_load(&f->refs), 1);
  frame_unref(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_holds_its_bytes),
      cmocka_unit_test(test_threads_share_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
