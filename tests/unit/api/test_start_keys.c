/* Which of several starts with one key goes first, and what a key and a body are. */
#include "api/start_keys.h"

#include "base/json.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct principal local = {"local", "local", true, false, NULL};
static const struct principal other = {"local", "bob", false, false, NULL};
static const struct principal elsewhere = {"acme", "local", false, false, NULL};

static void those_behind_the_first_wait(void **state) {
  (void)state;
  struct start_keys *keys = start_keys_create();
  struct start_waiter w[3];
  struct start_entry *first = NULL, *unused = NULL;
  assert_int_equal(start_keys_enter(keys, &local, "k", &w[0], &first), START_KEYS_FIRST);
  assert_int_equal(start_keys_enter(keys, &local, "k", &w[1], &unused), START_KEYS_WAITS);
  assert_int_equal(start_keys_enter(keys, &local, "k", &w[2], &unused), START_KEYS_WAITS);
  assert_null(unused);
  struct start_waiter *waiting = start_keys_leave(keys, first);
  assert_ptr_equal(waiting, &w[1]);
  assert_ptr_equal(waiting->next, &w[2]);
  assert_null(w[2].next);
  assert_int_equal(start_keys_enter(keys, &local, "k", &w[0], &first), START_KEYS_FIRST);
  assert_null(start_keys_leave(keys, first));
  start_keys_destroy(keys);
}

static void others_do_not_collide(void **state) {
  (void)state;
  struct start_keys *keys = start_keys_create();
  const struct principal *who[] = {&local, &other, &elsewhere};
  struct start_waiter w[4];
  struct start_entry *first[4];
  for (int i = 0; i < 3; i++)
    assert_int_equal(start_keys_enter(keys, who[i], "k", &w[i], &first[i]), START_KEYS_FIRST);
  assert_int_equal(start_keys_enter(keys, &local, "K", &w[3], &first[3]), START_KEYS_FIRST);
  for (int i = 0; i < 4; i++) assert_null(start_keys_leave(keys, first[i]));
  start_keys_destroy(keys);
}

/* ---- many threads, one key: one at a time is the first ---- */

enum { THREADS = 8, TURNS = 2000 };

struct crowd {
  struct start_keys *keys;
  atomic_int inside, firsts, served;
};

static void *push(void *arg) {
  struct crowd *crowd = arg;
  for (int i = 0; i < TURNS; i++) {
    struct start_waiter *w = malloc(sizeof *w); /* whoever leaves frees it */
    struct start_entry *entry;
    if (start_keys_enter(crowd->keys, &local, "k", w, &entry) != START_KEYS_FIRST) continue;
    if (atomic_fetch_add(&crowd->inside, 1) != 0) abort();
    atomic_fetch_add(&crowd->firsts, 1);
    atomic_fetch_add(&crowd->served, 1);
    free(w);
    atomic_fetch_sub(&crowd->inside, 1);
    for (struct start_waiter *waiting = start_keys_leave(crowd->keys, entry), *next; waiting;
         waiting = next) {
      next = waiting->next;
      free(waiting);
      atomic_fetch_add(&crowd->served, 1);
    }
  }
  return NULL;
}

static void a_crowd_has_one_first_and_loses_nobody(void **state) {
  (void)state;
  struct crowd crowd = {.keys = start_keys_create()};
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, push, &crowd);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  assert_int_equal(atomic_load(&crowd.served), THREADS * TURNS);
  assert_true(atomic_load(&crowd.firsts) > 0);
  start_keys_destroy(crowd.keys);
}

/* ---- keys and bodies ---- */

static void a_key_is_visible_ascii(void **state) {
  (void)state;
  char longest[START_KEY_MAX + 2];
  memset(longest, 'x', sizeof longest);
  longest[START_KEY_MAX + 1] = '\0';
  assert_false(start_key_valid(longest));
  assert_true(start_key_valid(longest + 1));
  assert_true(start_key_valid("\"8e03978e-40d5-43dd-bc93-6894a57f9324\""));
  assert_true(start_key_valid("~!"));
  assert_false(start_key_valid(""));
  assert_false(start_key_valid("a b"));
  assert_false(start_key_valid("a\tb"));
  assert_false(start_key_valid("a\x7f"));
  assert_false(start_key_valid("caf\xc3\xa9"));
}

static bool same(const char *a, const char *b) {
  uint8_t digests[2][32];
  const char *texts[] = {a, b};
  for (int i = 0; i < 2; i++) {
    JSON_LATER json_t *body = NULL;
    struct error err;
    assert_int_equal(json_parse(bytes_of(texts[i]), &body, &err), STATUS_OK);
    assert_true(start_key_digest(body, digests[i]));
  }
  return memcmp(digests[0], digests[1], sizeof digests[0]) == 0;
}

static void a_body_is_its_meaning(void **state) {
  (void)state;
  assert_true(
      same("{\"task\":\"a\",\"rounds\":2}", " { \"rounds\" : 2, \"task\" : \"\\u0061\" } "));
  assert_true(same("{\"m\":{\"x\":1,\"y\":[1,2]}}", "{\"m\":{\"y\":[1,2],\"x\":1}}"));
  assert_true(same("{\"t\":0.6}", "{\"t\":0.60}"));
  assert_false(same("{\"m\":[1,2]}", "{\"m\":[2,1]}"));
  assert_false(same("{\"task\":\"a\"}", "{\"task\":\"a \"}"));
  assert_false(same("{\"task\":\"a\"}", "{\"task\":\"a\",\"rounds\":2}"));
  assert_false(same("{\"t\":0.6}", "{\"t\":0.6000000000000001}"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(those_behind_the_first_wait),
      cmocka_unit_test(others_do_not_collide),
      cmocka_unit_test(a_crowd_has_one_first_and_loses_nobody),
      cmocka_unit_test(a_key_is_visible_ascii),
      cmocka_unit_test(a_body_is_its_meaning),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
