/* Deleting a debate: what goes, what stays, and who may. */
#include "base/bytes.h"
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>

static const struct principal alice = {"acme", "alice", false, false, NULL};
static const struct principal bob = {"acme", "bob", false, false, NULL};

/* A debate of alice's with `count` events; ended unless `status` says otherwise. */
static void put_ended(struct fixture *f, const char *id, const char *task, const char *status,
                      size_t count) {
  struct store_debate row = make_debate(task, 1000);
  struct store_event *events = calloc(count, sizeof *events);
  struct answers a;
  answers_init(&a);
  row.tenant_id = (char *)"acme";
  row.owner_id = (char *)"alice";
  row.status = (char *)status;
  for (size_t i = 0; i < count; i++) events[i] = make_event(i + 1, "{\"text\":\"secretword\"}");
  assert_int_equal(
      store_append(f->store, id, events, count, STORE_ROW_INSERT, &row, NULL, 0, answers_add, &a),
      STATUS_OK);
  answers_wait(&a, 1);
  assert_int_equal(a.statuses[0], STATUS_OK);
  free(events);
}

static enum status delete_it(struct fixture *f, const struct principal *who, const char *id) {
  const struct store_deletion what = {id, "asked by its owner", "root", 2000, false, NULL};
  struct answers a;
  answers_init(&a);
  assert_int_equal(store_delete_debate(f->store, who, &what, answers_add, &a), STATUS_OK);
  answers_wait(&a, 1);
  return a.statuses[0];
}

struct chain {
  size_t count, with_content;
  uint8_t last_hash[32];
};

static bool note(void *ctx, const struct store_event *event) {
  struct chain *chain = ctx;
  assert_int_equal(event->seq, ++chain->count);
  if (event->data.ptr) chain->with_content++;
  memcpy(chain->last_hash, event->hash, 32);
  return true;
}

static struct chain read_chain(struct fixture *f, const struct principal *who, const char *id) {
  struct chain chain = {0};
  assert_int_equal(store_read_events(f->store, who, id, 0, 0, note, &chain, NULL), STATUS_OK);
  return chain;
}

static void the_content_goes_and_the_chain_stays(void **state) {
  struct fixture *f = *state;
  struct store_debate row;
  struct store_tombstone t;
  put_ended(f, "d1", "a secretword in the question", "completed", 12);
  put_ended(f, "d2", "another", "completed", 3);
  struct chain before = read_chain(f, &alice, "d1");
  assert_int_equal(before.with_content, 12);
  assert_int_equal(delete_it(f, &alice, "d1"), STATUS_OK);

  assert_int_equal(store_get_debate(f->store, &alice, "d1", &row, NULL), STATUS_NOT_FOUND);
  struct chain left = read_chain(f, &alice, "d1");
  assert_int_equal(left.count, 12);
  assert_int_equal(left.with_content, 0);
  assert_memory_equal(left.last_hash, before.last_hash, 32);
  assert_int_equal(store_get_tombstone(f->store, &alice, "d1", &t, NULL), STATUS_OK);
  assert_string_equal(t.status, "completed");
  assert_string_equal(t.reason, "asked by its owner");
  assert_string_equal(t.deleted_by, "root");
  assert_int_equal(t.created_ms, 1000);
  assert_int_equal(t.deleted_ms, 2000);
  assert_int_equal(t.last_seq, 12);
  store_tombstone_done(&t);

  struct store_list_query query = {.limit = 10, .before_created_ms = -1};
  struct store_debate *rows;
  size_t count;
  int64_t total;
  assert_int_equal(store_list_debates(f->store, &alice, &query, &rows, &count, &total, NULL),
                   STATUS_OK);
  assert_int_equal(count, 1);
  assert_int_equal(total, 1);
  assert_string_equal(rows[0].id, "d2");
  store_list_free(rows, count);
  assert_int_equal(read_chain(f, &alice, "d2").with_content, 3);
}

/* In no page of the file either, free ones included. */
static void no_byte_of_it_is_left_in_the_file(void **state) {
  struct fixture *f = *state;
  static char file[1 << 20];
  put_ended(f, "d1", "a secretword in the question", "failed", 200);
  assert_int_equal(delete_it(f, &alice, "d1"), STATUS_OK);
  fixture_close(f); /* checkpoints */
  FILE *in = fopen(f->memory_path, "re");
  assert_non_null(in);
  size_t len = fread(file, 1, sizeof file, in);
  assert_true(len > 4096 && len < sizeof file);
  fclose(in);
  assert_null(memmem(file, len, "secretword", 10));
  assert_non_null(memmem(file, len, "asked by its owner", 18));
  fixture_open(f);
}

static void who_may_not_see_it_may_not_delete_it(void **state) {
  struct fixture *f = *state;
  struct store_tombstone t;
  put_ended(f, "d1", "task", "completed", 2);
  assert_int_equal(delete_it(f, &bob, "d1"), STATUS_CONFLICT);
  assert_int_equal(read_chain(f, &alice, "d1").with_content, 2);
  assert_int_equal(delete_it(f, &alice, "d1"), STATUS_OK);
  assert_int_equal(store_get_tombstone(f->store, &bob, "d1", &t, NULL), STATUS_NOT_FOUND);
  struct chain chain = {0};
  assert_int_equal(store_read_events(f->store, &bob, "d1", 0, 0, note, &chain, NULL),
                   STATUS_NOT_FOUND);
}

static void what_runs_or_is_gone_is_not_deleted(void **state) {
  struct fixture *f = *state;
  put_ended(f, "d1", "task", "running", 2);
  put_ended(f, "d2", "task", "completed", 2);
  assert_int_equal(delete_it(f, &alice, "d1"), STATUS_CONFLICT);
  assert_int_equal(delete_it(f, &alice, "d2"), STATUS_OK);
  assert_int_equal(delete_it(f, &alice, "d2"), STATUS_CONFLICT);
  assert_int_equal(delete_it(f, &alice, "nobody"), STATUS_CONFLICT);
  /* And nobody can go on writing to it. */
  assert_int_equal(put_event(f, "d2", 3), STATUS_CONFLICT);
}

/* Everything in one transaction: what was queued before and behind it, in order. */
static void it_keeps_its_place_in_the_queue(void **state) {
  struct fixture *f = *state;
  struct answers a;
  struct gate g;
  answers_init(&a);
  gate_init(&g);
  put_ended(f, "d1", "task", "completed", 2);
  put_ended(f, "d2", "task", "completed", 1);
  struct store_event one = make_event(2, "{}"), three = make_event(3, "{}"),
                     late = make_event(4, "{}");
  struct store_event start = make_event(1, "{}");
  struct store_debate row = make_debate("task", 1);
  const struct store_deletion what = {"d1", "", "root", 2000, false, NULL};
  assert_int_equal(
      store_append(f->store, "held", &start, 1, STORE_ROW_INSERT, &row, NULL, 0, gate_hold, &g),
      STATUS_OK);
  gate_wait_entered(&g);
  assert_int_equal(
      store_append(f->store, "d1", &three, 1, STORE_ROW_NONE, NULL, NULL, 0, answers_add, &a),
      STATUS_OK);
  assert_int_equal(store_delete_debate(f->store, &alice, &what, answers_add, &a), STATUS_OK);
  assert_int_equal(
      store_append(f->store, "d1", &late, 1, STORE_ROW_NONE, NULL, NULL, 0, answers_add, &a),
      STATUS_OK);
  assert_int_equal(
      store_append(f->store, "d2", &one, 1, STORE_ROW_NONE, NULL, NULL, 0, answers_add, &a),
      STATUS_OK);
  gate_release(&g);
  answers_wait(&a, 4);
  assert_int_equal(a.statuses[0], STATUS_OK);
  assert_int_equal(a.statuses[1], STATUS_OK);
  assert_int_equal(a.statuses[2], STATUS_CONFLICT);
  assert_int_equal(a.statuses[3], STATUS_OK);
  assert_int_equal(read_chain(f, &alice, "d1").count, 3);
  assert_int_equal(read_chain(f, &alice, "d2").count, 2);
}

static void collect(void *ctx, const char *id, const struct principal *owner) {
  char *ids = ctx;
  strcat(ids, id);
  strcat(ids, owner->owner_id);
}

static void what_is_past_its_term_is_found(void **state) {
  struct fixture *f = *state;
  char ids[64] = "";
  put_ended(f, "a", "task", "completed", 1);
  put_ended(f, "b", "task", "failed", 1);
  put_ended(f, "c", "task", "completed", 1);
  assert_int_equal(store_expired(f->store, "completed", false, 1000, 9, collect, ids, NULL),
                   STATUS_OK);
  assert_string_equal(ids, "");
  assert_int_equal(store_expired(f->store, "completed", false, 1001, 9, collect, ids, NULL),
                   STATUS_OK);
  assert_string_equal(ids, "aalicecalice");
  ids[0] = 0;
  assert_int_equal(store_expired(f->store, "completed", false, 1001, 1, collect, ids, NULL),
                   STATUS_OK);
  assert_string_equal(ids, "aalice");
  ids[0] = 0;
  assert_int_equal(store_expired(f->store, "completed", true, 1001, 9, collect, ids, NULL),
                   STATUS_OK);
  assert_string_equal(ids, "");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
  const struct CMUnitTest tests[] = {
      TEST(the_content_goes_and_the_chain_stays), TEST(no_byte_of_it_is_left_in_the_file),
      TEST(who_may_not_see_it_may_not_delete_it), TEST(what_runs_or_is_gone_is_not_deleted),
      TEST(it_keeps_its_place_in_the_queue),      TEST(what_is_past_its_term_is_found),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
