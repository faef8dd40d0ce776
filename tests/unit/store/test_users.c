/* Accounts: addresses are taken once, refresh tokens count once, and sessions end. */
#include "fixture.h"

#include "store/users.h"

#include <stdio.h>

enum { MANY = 100 };

static struct store_user make_user(const char *id, const char *email) {
  struct store_user u = {.role = "owner", .active = true, .token_version = 1, .created_ms = 1000};
  snprintf(u.id, sizeof u.id, "%s", id);
  snprintf(u.tenant_id, sizeof u.tenant_id, "t-%s", id);
  snprintf(u.email, sizeof u.email, "%s", email);
  snprintf(u.password, sizeof u.password, "hash of %s", id);
  return u;
}

static struct store_tenant make_tenant(const char *user_id) {
  struct store_tenant t = {.name = "Ours", .plan = "free", .created_ms = 1000};
  snprintf(t.id, sizeof t.id, "t-%s", user_id);
  snprintf(t.slug, sizeof t.slug, "ours-%s", user_id);
  snprintf(t.owner_id, sizeof t.owner_id, "%s", user_id);
  return t;
}

static enum status put_user(struct fixture *f, const char *id, const char *email, int64_t most) {
  const struct store_user user = make_user(id, email);
  const struct store_tenant tenant = make_tenant(id);
  struct answers a;
  answers_init(&a);
  assert_int_equal(store_put_user(f->store, &user, &tenant, most, NULL, answers_add, &a),
                   STATUS_OK);
  answers_wait(&a, 1);
  return a.statuses[0];
}

static enum status change(struct fixture *f, const struct store_user_change *c) {
  struct answers a;
  answers_init(&a);
  assert_int_equal(store_change_user(f->store, c, NULL, answers_add, &a), STATUS_OK);
  answers_wait(&a, 1);
  return a.statuses[0];
}

/* A login of the user as it was when its password was looked at. */
static enum status put_session_of(struct fixture *f, const char *id, const struct store_user *user,
                                  int64_t created_ms, int64_t most) {
  struct store_session n = {.created_ms = created_ms, .expires_ms = created_ms + 1000};
  struct answers a;
  snprintf(n.id, sizeof n.id, "%s", id);
  snprintf(n.user_id, sizeof n.user_id, "%s", user->id);
  memset(n.refresh_hash, id[0], sizeof n.refresh_hash);
  answers_init(&a);
  assert_int_equal(store_put_session(f->store, &n, user, most, NULL, answers_add, &a), STATUS_OK);
  answers_wait(&a, 1);
  return a.statuses[0];
}

static enum status put_session(struct fixture *f, const char *id, const char *user_id,
                               int64_t created_ms, int64_t most) {
  struct store_user user = make_user(user_id, "");
  enum status s = store_get_user(f->store, user_id, &user, NULL);
  assert_true(s == STATUS_OK || s == STATUS_NOT_FOUND);
  return put_session_of(f, id, &user, created_ms, most);
}

static enum status renew(struct fixture *f, const char *id, char from, char to, int64_t now_ms) {
  uint8_t old[STORE_HASH_SIZE], new[STORE_HASH_SIZE];
  struct answers a;
  memset(old, from, sizeof old);
  memset(new, to, sizeof new);
  answers_init(&a);
  assert_int_equal(
      store_renew_session(f->store, id, old, new, now_ms, now_ms + 1000, NULL, answers_add, &a),
      STATUS_OK);
  answers_wait(&a, 1);
  return a.statuses[0];
}

static bool has_session(struct fixture *f, const char *id) {
  struct store_session n;
  enum status s = store_get_session(f->store, id, &n, NULL);
  assert_true(s == STATUS_OK || s == STATUS_NOT_FOUND);
  return s == STATUS_OK;
}

static void an_address_is_taken_once(void **state) {
  struct fixture *f = *state;
  struct store_user u;
  struct store_tenant t;
  assert_int_equal(put_user(f, "one", "a@example.org", MANY), STATUS_OK);
  assert_int_equal(put_user(f, "two", "a@example.org", MANY), STATUS_CONFLICT);
  assert_int_equal(store_get_tenant(f->store, "t-two", &t, NULL), STATUS_NOT_FOUND);
  assert_int_equal(store_find_user(f->store, "a@example.org", &u, NULL), STATUS_OK);
  assert_string_equal(u.id, "one");
  assert_string_equal(u.password, "hash of one");
  assert_true(u.active && u.token_version == 1 && u.last_login_ms == -1);
  assert_int_equal(store_get_tenant(f->store, u.tenant_id, &t, NULL), STATUS_OK);
  assert_string_equal(t.plan, "free");
  assert_int_equal(put_user(f, "two", "b@example.org", MANY), STATUS_OK);
  const struct store_user_change taken = {
      .user_id = "two", .email = "a@example.org", .active = -1, .now_ms = 5};
  assert_int_equal(change(f, &taken), STATUS_CONFLICT);
}

static void there_are_only_so_many(void **state) {
  struct fixture *f = *state;
  struct store_tenant t;
  assert_int_equal(put_user(f, "one", "a@example.org", 2), STATUS_OK);
  assert_int_equal(put_user(f, "two", "b@example.org", 2), STATUS_OK);
  assert_int_equal(put_user(f, "three", "c@example.org", 2), STATUS_CONFLICT);
  assert_int_equal(store_get_tenant(f->store, "t-three", &t, NULL), STATUS_NOT_FOUND);
}

static void only_what_is_named_changes(void **state) {
  struct fixture *f = *state;
  struct store_user u;
  assert_int_equal(put_user(f, "one", "a@example.org", MANY), STATUS_OK);
  const struct store_user_change c = {
      .user_id = "one", .name = "Ann", .role = "admin", .active = 0, .now_ms = 5};
  assert_int_equal(change(f, &c), STATUS_OK);
  assert_int_equal(store_get_user(f->store, "one", &u, NULL), STATUS_OK);
  assert_string_equal(u.name, "Ann");
  assert_string_equal(u.role, "admin");
  assert_string_equal(u.email, "a@example.org");
  assert_string_equal(u.password, "hash of one");
  assert_false(u.active);
  assert_int_equal(u.updated_ms, 5);
  assert_int_equal(u.token_version, 1);
  const struct store_user_change nobody = {.user_id = "none", .name = "x", .active = -1};
  assert_int_equal(change(f, &nobody), STATUS_CONFLICT);
  const struct store_user_change god = {.user_id = "one", .role = "god", .active = -1};
  assert_int_equal(change(f, &god), STATUS_CONFLICT);
}

static void a_refresh_token_counts_once(void **state) {
  struct fixture *f = *state;
  struct store_user u;
  assert_int_equal(put_user(f, "one", "a@example.org", MANY), STATUS_OK);
  assert_int_equal(put_session(f, "s", "nobody", 2000, MANY), STATUS_CONFLICT);
  assert_int_equal(put_session(f, "s", "one", 2000, MANY), STATUS_OK);
  assert_int_equal(store_get_user(f->store, "one", &u, NULL), STATUS_OK);
  assert_int_equal(u.last_login_ms, 2000);
  assert_int_equal(renew(f, "s", 's', 'B', 2999), STATUS_OK);
  assert_int_equal(renew(f, "s", 's', 'C', 2999), STATUS_CONFLICT);
  assert_int_equal(renew(f, "s", 'B', 'C', 3999), STATUS_CONFLICT); /* expired at 3999 */
  assert_int_equal(renew(f, "s", 'B', 'C', 3998), STATUS_OK);
}

/* What came between the look at the password and the login. */
static void a_login_is_of_the_user_that_was_checked(void **state) {
  struct fixture *f = *state;
  assert_int_equal(put_user(f, "one", "a@example.org", MANY), STATUS_OK);
  struct store_user u = make_user("one", "a@example.org");
  const struct store_user_change renewed = {
      .user_id = "one", .password = "new hash", .was_password = u.password, .active = -1};
  assert_int_equal(change(f, &renewed), STATUS_OK);
  assert_int_equal(change(f, &renewed), STATUS_CONFLICT); /* the hash is another by now */
  assert_int_equal(put_session_of(f, "s", &u, 2000, MANY), STATUS_CONFLICT);
  assert_int_equal(store_get_user(f->store, "one", &u, NULL), STATUS_OK);
  assert_int_equal(u.last_login_ms, -1);
  assert_int_equal(put_session_of(f, "s", &u, 2000, MANY), STATUS_OK);
  const struct store_user_change ended = {.user_id = "one", .active = -1, .end_tokens = true};
  assert_int_equal(change(f, &ended), STATUS_OK);
  assert_int_equal(put_session_of(f, "s", &u, 2000, MANY), STATUS_CONFLICT);
  u.token_version++;
  const struct store_user_change off = {.user_id = "one", .active = 0};
  assert_int_equal(change(f, &off), STATUS_OK);
  assert_int_equal(put_session_of(f, "s", &u, 2000, MANY), STATUS_CONFLICT);
  assert_false(has_session(f, "s"));
}

static void sessions_end(void **state) {
  struct fixture *f = *state;
  struct store_user u;
  struct answers a;
  assert_int_equal(put_user(f, "one", "a@example.org", MANY), STATUS_OK);
  for (int i = 0; i < 3; i++) {
    const char id[] = {(char)('a' + i), '\0'};
    assert_int_equal(put_session(f, id, "one", 2000 + i, MANY), STATUS_OK);
  }
  answers_init(&a);
  assert_int_equal(store_end_session(f->store, "a", NULL, answers_add, &a), STATUS_OK);
  assert_int_equal(store_end_session(f->store, "a", NULL, answers_add, &a), STATUS_OK);
  answers_wait(&a, 2);
  assert_int_equal(a.statuses[0], STATUS_OK);
  assert_int_equal(a.statuses[1], STATUS_CONFLICT);
  const struct store_user_change others = {
      .user_id = "one", .password = "new", .active = -1, .end_but_for = "c", .now_ms = 5};
  assert_int_equal(change(f, &others), STATUS_OK);
  assert_true(!has_session(f, "a") && !has_session(f, "b") && has_session(f, "c"));
  const struct store_user_change all = {
      .user_id = "one", .active = -1, .end_tokens = true, .now_ms = 6};
  assert_int_equal(change(f, &all), STATUS_OK);
  assert_false(has_session(f, "c"));
  assert_int_equal(store_get_user(f->store, "one", &u, NULL), STATUS_OK);
  assert_int_equal(u.token_version, 2);
}

static void the_oldest_sessions_make_room(void **state) {
  struct fixture *f = *state;
  struct store_user_counts counts;
  assert_int_equal(put_user(f, "one", "a@example.org", MANY), STATUS_OK);
  assert_int_equal(put_user(f, "two", "b@example.org", MANY), STATUS_OK);
  assert_int_equal(put_session(f, "z", "two", 2000, 2), STATUS_OK);
  assert_int_equal(put_session(f, "a", "one", 2001, 2), STATUS_OK);
  assert_int_equal(put_session(f, "b", "one", 2002, 2), STATUS_OK);
  assert_int_equal(renew(f, "a", 'a', 'A', 2500), STATUS_OK);
  assert_int_equal(put_session(f, "c", "one", 2600, 2), STATUS_OK);
  assert_true(has_session(f, "a") && !has_session(f, "b") && has_session(f, "c"));
  assert_int_equal(store_count_users(f->store, 3000, &counts, NULL), STATUS_OK);
  assert_true(counts.users == 2 && counts.admins == 0 && counts.sessions == 2);
  assert_int_equal(put_session(f, "d", "one", 3001, 9), STATUS_OK); /* another's has expired */
  assert_false(has_session(f, "z"));
}

static void note_id(void *ctx, const struct store_user *user) {
  char *out = ctx;
  size_t len = strlen(out);
  snprintf(out + len, 64 - len, "%s ", user->id);
}

static void they_are_listed_page_by_page(void **state) {
  struct fixture *f = *state;
  char ids[64] = "";
  assert_int_equal(put_user(f, "one", "a@example.org", MANY), STATUS_OK);
  assert_int_equal(put_user(f, "two", "b@example.org", MANY), STATUS_OK);
  assert_int_equal(put_user(f, "zed", "c@example.org", MANY), STATUS_OK);
  struct store_user_query query = {.before_ms = -1, .limit = 2, .active = -1};
  assert_int_equal(store_list_users(f->store, &query, note_id, ids, NULL), STATUS_OK);
  assert_string_equal(ids, "zed two ");
  *ids = '\0';
  query.before_ms = 1000;
  query.before_id = "two";
  assert_int_equal(store_list_users(f->store, &query, note_id, ids, NULL), STATUS_OK);
  assert_string_equal(ids, "one ");
}

static const char *listed(struct fixture *f, const struct store_user_query *query, char ids[64]) {
  *ids = '\0';
  assert_int_equal(store_list_users(f->store, query, note_id, ids, NULL), STATUS_OK);
  return ids;
}

static void a_list_can_be_of_some(void **state) {
  struct fixture *f = *state;
  char ids[64];
  assert_int_equal(put_user(f, "one", "a@example.org", MANY), STATUS_OK);
  assert_int_equal(put_user(f, "two", "b_%@example.org", MANY), STATUS_OK);
  struct store_user_change c = {.user_id = "one", .role = "admin", .active = -1, .now_ms = 2000};
  assert_int_equal(change(f, &c), STATUS_OK);
  c = (struct store_user_change){.user_id = "two", .active = 0, .now_ms = 2000};
  assert_int_equal(change(f, &c), STATUS_OK);
  struct store_user_query query = {.before_ms = -1, .limit = 9, .active = -1, .email = "_%"};
  assert_string_equal(listed(f, &query, ids), "two ");
  query.email = NULL;
  query.role = "admin";
  assert_string_equal(listed(f, &query, ids), "one ");
  query.role = NULL;
  query.active = 0;
  assert_string_equal(listed(f, &query, ids), "two ");
}

static void the_last_admin_can_be_kept(void **state) {
  struct fixture *f = *state;
  assert_int_equal(put_user(f, "one", "a@example.org", MANY), STATUS_OK);
  assert_int_equal(put_user(f, "two", "b@example.org", MANY), STATUS_OK);
  struct store_user_change raise = {
      .user_id = "one", .role = "admin", .active = -1, .keep_admin = true, .now_ms = 2000};
  assert_int_equal(change(f, &raise), STATUS_OK);
  assert_int_equal(change(f, &raise), STATUS_OK);
  struct store_user_change lower = {
      .user_id = "one", .role = "owner", .active = -1, .keep_admin = true, .now_ms = 2000};
  struct store_user_change close = {
      .user_id = "one", .active = 0, .keep_admin = true, .now_ms = 2000};
  assert_int_equal(change(f, &lower), STATUS_CONFLICT);
  assert_int_equal(change(f, &close), STATUS_CONFLICT);
  raise.user_id = "two";
  assert_int_equal(change(f, &raise), STATUS_OK);
  assert_int_equal(change(f, &close), STATUS_OK);
  lower.user_id = "two"; /* one is an admin, but closed */
  assert_int_equal(change(f, &lower), STATUS_CONFLICT);
  lower.keep_admin = false;
  assert_int_equal(change(f, &lower), STATUS_OK);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
  const struct CMUnitTest tests[] = {
      TEST(an_address_is_taken_once),
      TEST(there_are_only_so_many),
      TEST(only_what_is_named_changes),
      TEST(a_refresh_token_counts_once),
      TEST(a_login_is_of_the_user_that_was_checked),
      TEST(sessions_end),
      TEST(the_oldest_sessions_make_room),
      TEST(they_are_listed_page_by_page),
      TEST(a_list_can_be_of_some),
      TEST(the_last_admin_can_be_kept),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
