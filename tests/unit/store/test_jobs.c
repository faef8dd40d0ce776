/* Batches: who sees them, in which order, and that a cancelled one has nothing to start. */
#include "fixture.h"

#include "store/jobs.h"

#include <stdio.h>

static const struct principal local = {"local", "local", true, false, NULL};
static const struct principal stranger = {"other", "other", true, false, NULL};

static enum status put_job(struct fixture *f, const char *id, int64_t created_ms) {
  static const char *const requests[] = {"{\"question\":\"a\"}", "{\"question\":\"b\"}"};
  const struct store_job job = {.id = id,
                                .tenant_id = "local",
                                .owner_id = "local",
                                .max_parallel = 1,
                                .items = 2,
                                .created_ms = created_ms,
                                .cancelled_ms = -1};
  struct answers a;
  answers_init(&a);
  assert_int_equal(store_put_job(f->store, &job, requests, answers_add, &a), STATUS_OK);
  answers_wait(&a, 1);
  return a.statuses[0];
}

static enum status cancel(struct fixture *f, const struct principal *who, const char *id) {
  struct answers a;
  answers_init(&a);
  assert_int_equal(store_cancel_job(f->store, who, id, 9, answers_add, &a), STATUS_OK);
  answers_wait(&a, 1);
  return a.statuses[0];
}

static void note_job(void *ctx, const struct store_job *job,
                     const struct store_job_counts *counts) {
  char *out = ctx;
  size_t len = strlen(out);
  snprintf(out + len, 64 - len, "%s:%d ", job->id, (int)counts->waiting);
}

static const char *listed(struct fixture *f, const struct principal *who, bool unfinished,
                          size_t limit) {
  static char out[64];
  struct error err;
  *out = '\0';
  assert_int_equal(store_list_jobs(f->store, who, unfinished, limit, note_job, out, &err),
                   STATUS_OK);
  return out;
}

static void note_item(void *ctx, const struct store_item *item) {
  *(int64_t *)ctx = item->item;
}

/* -1 = none. */
static int64_t next_item(struct fixture *f, const char *id) {
  int64_t item = -1;
  struct error err;
  assert_int_equal(store_read_items(f->store, id, true, note_item, &item, &err), STATUS_OK);
  return item;
}

static void note_request(void *ctx, const struct store_item *item) {
  char *out = ctx;
  size_t len = strlen(out);
  snprintf(out + len, 128 - len, "%s;", item->request);
}

static const char *requests_of(struct fixture *f, const char *id) {
  static char out[128];
  struct error err;
  *out = '\0';
  assert_int_equal(store_read_items(f->store, id, false, note_request, out, &err), STATUS_OK);
  return out;
}

static void the_newest_are_listed(void **state) {
  struct fixture *f = *state;
  assert_int_equal(put_job(f, "one", 1), STATUS_OK);
  assert_int_equal(put_job(f, "two", 2), STATUS_OK);
  assert_int_equal(put_job(f, "three", 3), STATUS_OK);
  assert_string_equal(listed(f, &local, false, 2), "three:2 two:2 ");
  assert_string_equal(listed(f, &local, true, 2), "one:2 two:2 ");
}

static void a_cancelled_one_has_nothing_to_start(void **state) {
  struct fixture *f = *state;
  assert_int_equal(put_job(f, "one", 1), STATUS_OK);
  assert_int_equal(put_job(f, "two", 2), STATUS_OK);
  assert_int_equal(next_item(f, "one"), 0);
  assert_int_equal(cancel(f, &stranger, "one"), STATUS_CONFLICT);
  assert_string_equal(requests_of(f, "one"), "{\"question\":\"a\"};{\"question\":\"b\"};");
  assert_int_equal(cancel(f, &local, "one"), STATUS_OK);
  assert_int_equal(next_item(f, "one"), -1);
  assert_string_equal(requests_of(f, "one"), ";;");
  assert_string_equal(requests_of(f, "two"), "{\"question\":\"a\"};{\"question\":\"b\"};");
  assert_int_equal(cancel(f, &local, "two"), STATUS_OK);
  assert_string_equal(listed(f, &local, true, 9), "");
  assert_int_equal(cancel(f, &local, "one"), STATUS_CONFLICT);
}

static void a_stranger_sees_none(void **state) {
  struct fixture *f = *state;
  struct error err;
  char out[64] = "";
  assert_int_equal(put_job(f, "one", 1), STATUS_OK);
  assert_string_equal(listed(f, &stranger, false, 9), "");
  assert_string_equal(listed(f, &stranger, true, 9), "");
  assert_int_equal(store_get_job(f->store, &stranger, "one", note_job, out, &err),
                   STATUS_NOT_FOUND);
  assert_int_equal(cancel(f, &stranger, "one"), STATUS_CONFLICT);
  assert_int_equal(next_item(f, "one"), 0);
}

/* Both in one transaction; neither has to do with the other. */
static void one_that_fails_takes_none_along(void **state) {
  struct fixture *f = *state;
  static const char *const requests[] = {"{}"};
  const struct store_job job = {.id = "one",
                                .tenant_id = "local",
                                .owner_id = "local",
                                .max_parallel = 1,
                                .items = 1,
                                .created_ms = 1,
                                .cancelled_ms = -1};
  const struct store_debate row = make_debate("task", 1);
  const struct store_event e = make_event(1, "{}");
  struct gate gate;
  struct answers a;
  gate_init(&gate);
  answers_init(&a);
  assert_int_equal(
      store_append(f->store, "d", &e, 1, STORE_ROW_INSERT, &row, NULL, 0, gate_hold, &gate),
      STATUS_OK);
  gate_wait_entered(&gate);
  assert_int_equal(store_cancel_job(f->store, &local, "none", 9, answers_add, &a), STATUS_OK);
  assert_int_equal(store_put_job(f->store, &job, requests, answers_add, &a), STATUS_OK);
  gate_release(&gate);
  answers_wait(&a, 2);
  assert_int_equal(a.statuses[0], STATUS_CONFLICT);
  assert_int_equal(a.statuses[1], STATUS_OK);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(the_newest_are_listed, fixture_setup, fixture_teardown),
      cmocka_unit_test_setup_teardown(a_cancelled_one_has_nothing_to_start, fixture_setup,
                                      fixture_teardown),
      cmocka_unit_test_setup_teardown(a_stranger_sees_none, fixture_setup, fixture_teardown),
      cmocka_unit_test_setup_teardown(one_that_fails_takes_none_along, fixture_setup,
                                      fixture_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
