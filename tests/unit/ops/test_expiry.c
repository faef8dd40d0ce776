/* Which debates are deleted when their term is over, and that no others are. */
#include "../store/fixture.h"
#include "base/bytes.h"
#include "ops/expiry.h"

#include <stdio.h>

enum { DAY_MS = 24 * 60 * 60 * 1000 };

static void put(struct fixture *f, const char *id, const char *status, bool demo, int64_t created) {
  struct store_debate row = make_debate("task", created);
  row.status = (char *)status;
  row.demo = demo;
  assert_int_equal(put_debate(f, id, &row), STATUS_OK);
}

/* Ten days old, one of each class, and a second completed one of yesterday. */
static void put_one_of_each(struct fixture *f, int64_t now) {
  put(f, "completed", "completed", false, now - 10 * (int64_t)DAY_MS);
  put(f, "cancelled", "cancelled", false, now - 10 * (int64_t)DAY_MS);
  put(f, "failed", "failed", false, now - 10 * (int64_t)DAY_MS);
  put(f, "demo", "completed", true, now - 10 * (int64_t)DAY_MS);
  put(f, "running", "running", false, now - 10 * (int64_t)DAY_MS);
  put(f, "young", "completed", false, now - DAY_MS);
}

static bool is_there(struct fixture *f, const char *id) {
  struct store_debate row;
  if (store_get_debate(f->store, &PRINCIPAL_LOCAL, id, &row, NULL)) return false;
  store_debate_done(&row);
  return true;
}

static void each_class_has_its_term(void **state) {
  struct fixture *f = *state;
  int64_t now = 1700000000000;
  size_t deleted;
  put_one_of_each(f, now);
  const struct expiry_terms none = {0, 0, 0};
  assert_int_equal(expiry_enforce(f->store, &none, now, 100, &deleted, NULL), STATUS_OK);
  assert_int_equal(deleted, 0);
  const struct expiry_terms failed = {0, 7, 0};
  assert_int_equal(expiry_enforce(f->store, &failed, now, 100, &deleted, NULL), STATUS_OK);
  assert_int_equal(deleted, 1);
  assert_false(is_there(f, "failed"));
  const struct expiry_terms demo = {11, 11, 7};
  assert_int_equal(expiry_enforce(f->store, &demo, now, 100, &deleted, NULL), STATUS_OK);
  assert_int_equal(deleted, 1);
  assert_false(is_there(f, "demo"));
  const struct expiry_terms all = {7, 7, 7};
  assert_int_equal(expiry_enforce(f->store, &all, now, 100, &deleted, NULL), STATUS_OK);
  assert_int_equal(deleted, 2);
  assert_true(is_there(f, "running") && is_there(f, "young"));
  struct store_tombstone t;
  assert_int_equal(store_get_tombstone(f->store, &PRINCIPAL_LOCAL, "cancelled", &t, NULL),
                   STATUS_OK);
  assert_string_equal(t.deleted_by, "retention");
  assert_string_equal(t.reason, "older than 7 days");
  store_tombstone_done(&t);
}

static void a_run_is_bounded(void **state) {
  struct fixture *f = *state;
  int64_t now = 1700000000000;
  size_t deleted;
  for (int i = 0; i < 150; i++) {
    char id[16];
    snprintf(id, sizeof id, "d%03d", i);
    put(f, id, "completed", false, now - (300 - i) * (int64_t)DAY_MS);
  }
  const struct expiry_terms terms = {7, 0, 0};
  assert_int_equal(expiry_enforce(f->store, &terms, now, 100, &deleted, NULL), STATUS_OK);
  assert_int_equal(deleted, 100);
  assert_false(is_there(f, "d099")); /* the oldest go first */
  assert_true(is_there(f, "d100"));
  assert_int_equal(expiry_enforce(f->store, &terms, now, 100, &deleted, NULL), STATUS_OK);
  assert_int_equal(deleted, 50);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(each_class_has_its_term, fixture_setup, fixture_teardown),
      cmocka_unit_test_setup_teardown(a_run_is_bounded, fixture_setup, fixture_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
