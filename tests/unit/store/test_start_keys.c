/* Keys of starts: stored with their debate, kept for a time, never two of one name. */
#include "fixture.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

enum { DAY_MS = 86400 * 1000 };

static const struct principal local = {"local", "local", true, false, NULL};

static struct store_start_key make_key(const char *text, uint8_t digest, int64_t now_ms) {
  struct store_start_key key = {.text = text, .created_ms = now_ms, .expired_ms = now_ms - DAY_MS};
  memset(key.digest, digest, sizeof key.digest);
  return key;
}

static enum status start_as(struct fixture *f, const struct principal *who, const char *id,
                            const struct store_start_key *key) {
  struct answers a;
  answers_init(&a);
  struct store_event e = make_event(1, "{}");
  struct store_debate row = make_debate("task", 1);
  row.tenant_id = (char *)who->tenant_id;
  row.owner_id = (char *)who->owner_id;
  assert_int_equal(
      store_append_start(f->store, id, &e, 1, &row, key, NULL, NULL, 0, answers_add, &a),
      STATUS_OK);
  answers_wait(&a, 1);
  return a.statuses[0];
}

static enum status start(struct fixture *f, const char *id, const char *text, uint8_t digest,
                         int64_t now_ms) {
  struct store_start_key key = make_key(text, digest, now_ms);
  return start_as(f, &local, id, &key);
}

/* "" when the key is free, else the id, with an exclamation mark for another request. */
static const char *found_as(struct fixture *f, const struct principal *who, const char *text,
                            uint8_t digest, int64_t now_ms) {
  static char out[64];
  struct store_start_key key = make_key(text, digest, now_ms);
  char *id = NULL;
  bool same = false;
  struct error err;
  enum status s = store_find_start_key(f->store, who, &key, &id, &same, &err);
  if (s == STATUS_NOT_FOUND) return "";
  assert_int_equal(s, STATUS_OK);
  snprintf(out, sizeof out, "%s%s", id, same ? "" : "!");
  free(id);
  return out;
}

static const char *found(struct fixture *f, const char *text, uint8_t digest, int64_t now_ms) {
  return found_as(f, &local, text, digest, now_ms);
}

static int64_t count(struct fixture *f, const char *sql) {
  sqlite3 *db;
  sqlite3_stmt *s;
  assert_int_equal(sqlite3_open(f->memory_path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_step(s), SQLITE_ROW);
  int64_t rows = sqlite3_column_int64(s, 0);
  sqlite3_finalize(s);
  sqlite3_close(db);
  return rows;
}

static int64_t count_keys(struct fixture *f) {
  return count(f, "SELECT count(*) FROM idempotency_keys");
}

static int64_t count_digests(struct fixture *f) {
  return count(f, "SELECT count(*) FROM idempotency_keys WHERE length(digest) > 0");
}

static void a_key_stands_for_its_debate(void **state) {
  struct fixture *f = *state;
  assert_string_equal(found(f, "k", 1, 1000), "");
  assert_int_equal(start(f, "d1", "k", 1, 1000), STATUS_OK);
  assert_string_equal(found(f, "k", 1, 2000), "d1");
  assert_string_equal(found(f, "k", 2, 2000), "d1!");
  assert_string_equal(found(f, "K", 1, 2000), "");
  fixture_close(f);
  fixture_open(f);
  assert_string_equal(found(f, "k", 1, 2000), "d1");
}

static void others_have_keys_of_their_own(void **state) {
  struct fixture *f = *state;
  /* Even who may see everything of the tenant does not repeat another owner's start. */
  const struct principal owner = {"local", "bob", false, false, NULL},
                         all = {"local", "amy", true, false, NULL},
                         tenant = {"acme", "local", true, false, NULL};
  struct store_start_key key = make_key("k", 1, 1000);
  assert_int_equal(start(f, "d1", "k", 1, 1000), STATUS_OK);
  assert_string_equal(found_as(f, &owner, "k", 1, 1000), "");
  assert_string_equal(found_as(f, &all, "k", 1, 1000), "");
  assert_int_equal(start_as(f, &owner, "d2", &key), STATUS_OK);
  assert_int_equal(start_as(f, &tenant, "d3", &key), STATUS_OK);
  assert_string_equal(found(f, "k", 1, 1000), "d1");
  assert_string_equal(found_as(f, &owner, "k", 1, 1000), "d2");
  assert_string_equal(found_as(f, &tenant, "k", 1, 1000), "d3");
}

/* Somebody else writes the same file: the second start fails whole. */
static void a_key_that_is_taken_fails_the_start(void **state) {
  struct fixture *f = *state;
  struct store_debate row;
  struct error err;
  assert_int_equal(start(f, "d1", "k", 1, 1000), STATUS_OK);
  assert_int_equal(start(f, "d2", "k", 1, 2000), STATUS_CONFLICT);
  assert_int_equal(store_get_debate(f->store, &local, "d2", &row, &err), STATUS_NOT_FOUND);
  assert_string_equal(found(f, "k", 1, 2000), "d1");
}

static void a_start_that_fails_leaves_its_key_free(void **state) {
  struct fixture *f = *state;
  assert_int_equal(start(f, "d1", "a", 1, 1000), STATUS_OK);
  assert_int_equal(start(f, "d1", "b", 1, 1000), STATUS_CONFLICT); /* the id is taken */
  assert_string_equal(found(f, "b", 1, 1000), "");
  assert_int_equal(start(f, "d2", "b", 1, 1000), STATUS_OK);
}

static void a_key_expires(void **state) {
  struct fixture *f = *state;
  assert_int_equal(start(f, "d1", "k", 1, 1000), STATUS_OK);
  assert_string_equal(found(f, "k", 1, 1000 + DAY_MS), "d1");
  assert_string_equal(found(f, "k", 1, 1001 + DAY_MS), "");
  assert_int_equal(start(f, "d2", "k", 2, 1001 + DAY_MS), STATUS_OK);
  assert_string_equal(found(f, "k", 2, 1001 + DAY_MS), "d2");
  assert_int_equal(count_keys(f), 1);
}

/* A few at a time, the oldest first, and those that count stay. */
static void expired_keys_are_removed(void **state) {
  struct fixture *f = *state;
  char id[16];
  for (int i = 0; i < 20; i++) {
    snprintf(id, sizeof id, "old%d", i);
    assert_int_equal(start(f, id, id, 1, 1000 + i), STATUS_OK);
  }
  assert_int_equal(count_keys(f), 20);
  assert_int_equal(start(f, "n1", "n1", 1, 1010 + DAY_MS), STATUS_OK); /* ten have expired */
  assert_int_equal(count_keys(f), 20 - 8 + 1);
  assert_int_equal(start(f, "n2", "n2", 1, 1010 + DAY_MS), STATUS_OK);
  assert_int_equal(count_keys(f), 20 - 10 + 2);
  assert_string_equal(found(f, "old10", 1, 1010 + DAY_MS), "old10");
}

/* The digest could confirm a guess at the words; the key must not start the debate anew. */
static void a_deleted_debate_keeps_its_key(void **state) {
  struct fixture *f = *state;
  const struct store_deletion what = {"d1", "", "root", 2000, false, NULL};
  struct answers a;
  assert_int_equal(start(f, "d1", "k", 1, 1000), STATUS_OK);
  answers_init(&a);
  struct store_debate row = make_debate("task", 1);
  row.status = (char *)"completed";
  assert_int_equal(
      store_append(f->store, "d1", NULL, 0, STORE_ROW_UPDATE, &row, NULL, 0, answers_add, &a),
      STATUS_OK);
  assert_int_equal(store_delete_debate(f->store, &local, &what, answers_add, &a), STATUS_OK);
  answers_wait(&a, 2);
  assert_int_equal(a.statuses[1], STATUS_OK);
  assert_int_equal(count_digests(f), 0);
  assert_string_equal(found(f, "k", 1, 2000), "d1");
  assert_string_equal(found(f, "k", 2, 2000), "d1");
  assert_int_equal(start(f, "d2", "k", 1, 2000), STATUS_CONFLICT);
}

static void a_key_needs_a_text_and_a_start(void **state) {
  struct fixture *f = *state;
  struct store_event e = make_event(1, "{}");
  struct store_debate row = make_debate("task", 1);
  struct store_start_key key = make_key("", 1, 1000);
  assert_int_equal(store_append_start(f->store, "d1", &e, 1, &row, &key, NULL, NULL, 0, NULL, NULL),
                   STATUS_INVALID);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(a_key_stands_for_its_debate),
      TEST(others_have_keys_of_their_own),
      TEST(a_key_that_is_taken_fails_the_start),
      TEST(a_start_that_fails_leaves_its_key_free),
      TEST(a_key_expires),
      TEST(expired_keys_are_removed),
      TEST(a_deleted_debate_keeps_its_key),
      TEST(a_key_needs_a_text_and_a_start),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
