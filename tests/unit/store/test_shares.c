/* Links to debates: who may make and revoke one, which hash finds it, and until when. */
#include "base/clock.h"
#include "fixture.h"
#include "store/shares.h"

#include <stdio.h>

static const struct principal ann = {"acme", "ann", false, false, NULL};
static const struct principal bob = {"acme", "bob", false, false, NULL};
static const struct principal boss = {"acme", "boss", true, false, NULL};
static const struct principal stranger = {"other", "ann", true, false, NULL};
static const uint8_t ONE[32] = {1}, TWO[32] = {2}, THREE[32] = {3};
enum { NOW = 1000000 };

static void put_ended(struct fixture *f, const char *id) {
  struct store_debate row = make_debate("Shared?", NOW);
  row.tenant_id = (char *)"acme";
  row.owner_id = (char *)"ann";
  row.status = (char *)"completed";
  row.completed_ms = NOW;
  assert_int_equal(put_debate(f, id, &row), STATUS_OK);
}

static enum status wait_for(struct answers *a, enum status queued) {
  assert_int_equal(queued, STATUS_OK);
  answers_wait(a, 1);
  return a->statuses[0];
}

static enum status share(struct fixture *f, const struct principal *who, const char *id,
                         const uint8_t hash[32], int64_t expires_ms) {
  const struct store_share what = {.debate_id = id, .created_ms = NOW, .expires_ms = expires_ms};
  struct answers a;
  answers_init(&a);
  return wait_for(&a, store_put_share(f->store, who, &what, hash, NULL, answers_add, &a));
}

static enum status drop(struct fixture *f, const struct principal *who, const char *id) {
  struct answers a;
  answers_init(&a);
  return wait_for(&a, store_drop_share(f->store, who, id, NULL, answers_add, &a));
}

/* ---- what is stored ---- */

struct seen {
  size_t count;
  char debate_id[32], tenant_id[32], owner_id[32], created_by[32];
  int64_t created_ms, expires_ms;
};

static void see(void *ctx, const struct store_share *s) {
  struct seen *seen = ctx;
  seen->count++;
  snprintf(seen->debate_id, sizeof seen->debate_id, "%s", s->debate_id);
  snprintf(seen->tenant_id, sizeof seen->tenant_id, "%s", s->tenant_id);
  snprintf(seen->owner_id, sizeof seen->owner_id, "%s", s->owner_id);
  snprintf(seen->created_by, sizeof seen->created_by, "%s", s->created_by);
  seen->created_ms = s->created_ms;
  seen->expires_ms = s->expires_ms;
}

static struct seen get(struct fixture *f, const struct principal *who, const char *id) {
  struct seen seen = {0};
  struct error err;
  enum status s = store_get_share(f->store, who, id, see, &seen, &err);
  assert_int_equal(s, seen.count ? STATUS_OK : STATUS_NOT_FOUND);
  return seen;
}

static struct seen find(struct fixture *f, const uint8_t hash[32], int64_t now_ms) {
  struct seen seen = {0};
  struct error err;
  enum status s = store_find_share(f->store, &PRINCIPAL_SYSTEM, hash, now_ms, see, &seen, &err);
  assert_int_equal(s, seen.count ? STATUS_OK : STATUS_NOT_FOUND);
  return seen;
}

static bool is_public(struct fixture *f, const char *id) {
  struct store_debate row;
  struct store_list_query query = {.limit = 10, .before_created_ms = -1};
  struct store_debate *rows;
  size_t count;
  int64_t total;
  assert_int_equal(store_get_debate(f->store, &ann, id, &row, NULL), STATUS_OK);
  assert_int_equal(store_list_debates(f->store, &ann, &query, &rows, &count, &total, NULL),
                   STATUS_OK);
  bool answer = row.is_public;
  for (size_t i = 0; i < count; i++)
    if (strcmp(rows[i].id, id) == 0) assert_int_equal(rows[i].is_public, answer);
  store_debate_done(&row);
  store_list_free(rows, count);
  return answer;
}

static void test_a_link_is_found_by_its_hash_alone(void **state) {
  struct fixture *f = *state;
  put_ended(f, "d1");
  put_ended(f, "d2");
  assert_false(is_public(f, "d1"));
  assert_int_equal(get(f, &ann, "d1").count, 0);
  assert_int_equal(share(f, &ann, "d1", ONE, -1), STATUS_OK);
  struct seen seen = find(f, ONE, NOW);
  assert_string_equal(seen.debate_id, "d1");
  assert_string_equal(seen.tenant_id, "acme");
  assert_string_equal(seen.owner_id, "ann");
  assert_string_equal(seen.created_by, "ann");
  assert_int_equal(seen.created_ms, NOW);
  assert_int_equal(seen.expires_ms, -1);
  assert_int_equal(find(f, TWO, NOW).count, 0);
  assert_int_equal(find(f, ONE, INT64_MAX).count, 1);
  assert_true(is_public(f, "d1"));
  assert_false(is_public(f, "d2"));
}

/* A link opens no other door: whoever is not the owner finds a public debate by no id. */
static void test_public_is_not_visible(void **state) {
  struct fixture *f = *state;
  struct store_debate row;
  put_ended(f, "d1");
  assert_int_equal(share(f, &ann, "d1", ONE, -1), STATUS_OK);
  assert_int_equal(store_get_debate(f->store, &bob, "d1", &row, NULL), STATUS_NOT_FOUND);
  assert_int_equal(store_get_debate(f->store, &stranger, "d1", &row, NULL), STATUS_NOT_FOUND);
}

static void test_only_who_sees_the_debate_shares_it(void **state) {
  struct fixture *f = *state;
  put_ended(f, "d1");
  assert_int_equal(share(f, &bob, "d1", ONE, -1), STATUS_CONFLICT);
  assert_int_equal(share(f, &stranger, "d1", ONE, -1), STATUS_CONFLICT);
  assert_int_equal(share(f, &ann, "none", ONE, -1), STATUS_CONFLICT);
  assert_int_equal(find(f, ONE, NOW).count, 0);
  assert_int_equal(share(f, &boss, "d1", ONE, -1), STATUS_OK);
  assert_string_equal(get(f, &ann, "d1").created_by, "boss");
  assert_int_equal(get(f, &bob, "d1").count, 0);
  assert_int_equal(get(f, &stranger, "d1").count, 0);
  assert_int_equal(drop(f, &bob, "d1"), STATUS_CONFLICT);
  assert_int_equal(drop(f, &stranger, "d1"), STATUS_CONFLICT);
  assert_int_equal(find(f, ONE, NOW).count, 1);
  assert_int_equal(drop(f, &ann, "d1"), STATUS_OK);
  assert_int_equal(find(f, ONE, NOW).count, 0);
  assert_false(is_public(f, "d1"));
  assert_int_equal(drop(f, &ann, "d1"), STATUS_CONFLICT);
}

static void test_one_link_a_debate(void **state) {
  struct fixture *f = *state;
  put_ended(f, "d1");
  put_ended(f, "d2");
  assert_int_equal(share(f, &ann, "d1", ONE, 5 * NOW), STATUS_OK);
  assert_int_equal(share(f, &ann, "d2", TWO, -1), STATUS_OK);
  assert_int_equal(share(f, &boss, "d1", THREE, -1), STATUS_OK);
  assert_int_equal(find(f, ONE, NOW).count, 0);
  assert_string_equal(find(f, TWO, NOW).debate_id, "d2");
  assert_string_equal(find(f, THREE, NOW).debate_id, "d1");
  assert_string_equal(get(f, &ann, "d1").created_by, "boss");
  assert_int_equal(get(f, &ann, "d1").expires_ms, -1);
  /* No two links are one. */
  assert_int_equal(share(f, &ann, "d1", TWO, -1), STATUS_CONFLICT);
  assert_string_equal(find(f, THREE, NOW).debate_id, "d1");
}

static void test_a_link_expires(void **state) {
  struct fixture *f = *state;
  int64_t now_ms = clock_wall_ms(&clock_system);
  put_ended(f, "d1");
  assert_int_equal(share(f, &ann, "d1", ONE, now_ms + 60000), STATUS_OK);
  assert_int_equal(find(f, ONE, now_ms + 59999).count, 1);
  assert_int_equal(find(f, ONE, now_ms + 60000).count, 0);
  assert_true(is_public(f, "d1"));
  assert_int_equal(share(f, &ann, "d1", ONE, now_ms - 1), STATUS_OK);
  assert_false(is_public(f, "d1"));
  assert_int_equal(get(f, &ann, "d1").count, 1); /* its owner sees that there was one */
  assert_int_equal(drop(f, &ann, "d1"), STATUS_OK);
}

static void test_a_deleted_debate_takes_its_link_along(void **state) {
  struct fixture *f = *state;
  const struct store_deletion what = {"d1", "", "ann", NOW, false, NULL};
  struct answers a;
  put_ended(f, "d1");
  put_ended(f, "d2");
  assert_int_equal(share(f, &ann, "d1", ONE, -1), STATUS_OK);
  assert_int_equal(share(f, &ann, "d2", TWO, -1), STATUS_OK);
  answers_init(&a);
  assert_int_equal(wait_for(&a, store_delete_debate(f->store, &ann, &what, answers_add, &a)),
                   STATUS_OK);
  assert_int_equal(find(f, ONE, NOW).count, 0);
  assert_int_equal(find(f, TWO, NOW).count, 1);
  /* The row itself is gone: the hash is free. */
  assert_int_equal(share(f, &ann, "d2", ONE, -1), STATUS_OK);
}

static void test_nothing_is_shared_without_an_id(void **state) {
  struct fixture *f = *state;
  const struct store_share what = {.debate_id = "", .created_ms = NOW, .expires_ms = -1};
  assert_int_equal(store_put_share(f->store, &ann, &what, ONE, NULL, NULL, NULL), STATUS_INVALID);
  assert_int_equal(store_drop_share(f->store, &ann, NULL, NULL, NULL, NULL), STATUS_INVALID);
}

#define SHARES_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      SHARES_TEST(test_a_link_is_found_by_its_hash_alone),
      SHARES_TEST(test_public_is_not_visible),
      SHARES_TEST(test_only_who_sees_the_debate_shares_it),
      SHARES_TEST(test_one_link_a_debate),
      SHARES_TEST(test_a_link_expires),
      SHARES_TEST(test_a_deleted_debate_takes_its_link_along),
      SHARES_TEST(test_nothing_is_shared_without_an_id),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
