/* API keys as credentials, with a real store beneath and a clock that the test sets: who is let in,
 * as whom, and that a key that was rotated, revoked or orphaned is refused on its next call. */
#include "../store/fixture.h"
#include "auth/api_key.h"
#include "auth/key_ring.h"
#include "store/users.h"

#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

enum { HOUR_MS = 3600000, MAX = 50 };
static const int64_t NOW = 1800000000000;

static int64_t now_ms;
static int reads; /* rows that the ring was given */
static int64_t cap;

static int64_t read_wall(void *ctx) {
  (void)ctx;
  return now_ms;
}
static int64_t read_mono(void *ctx) {
  (void)ctx;
  return now_ms * 1000;
}
static const struct clock fake_clock = {read_wall, read_mono, NULL};

static void on_read(void *ctx, const struct store_key *key) {
  (void)ctx;
  reads++;
  cap = key->usd_micro_per_day;
}

struct world {
  struct fixture *store;
  struct key_ring *ring;
  struct auth *auth;
  struct pool *pool;
};

static struct world open_world(void **state, size_t max_keys) {
  struct world w = {.store = *state};
  struct key_ring_options options = {
      .store = w.store->store, .max_keys = max_keys, .clock = &fake_clock, .on_read = on_read};
  const struct auth_options auth_options = {.api_token = "token", .clock = &fake_clock};
  now_ms = NOW;
  reads = 0;
  assert_int_equal(pool_create(1, 10, &w.pool, NULL), STATUS_OK);
  assert_int_equal(auth_create(&auth_options, &w.auth, NULL), STATUS_OK);
  options.pool = w.pool;
  options.auth = w.auth;
  assert_int_equal(key_ring_create(&options, &w.ring, NULL), STATUS_OK);
  const struct auth_verifier verifier = key_ring_verifier(w.ring);
  auth_plug_keys(w.auth, &verifier);
  return w;
}

static void close_world(struct world *w) {
  pool_stop(w->pool);
  auth_destroy(w->auth);
  key_ring_destroy(w->ring);
  pool_destroy(w->pool);
}

/* What another process writes: this one's store hears nothing of it. */
static void write_behind(struct world *w, const char *sql) {
  sqlite3 *db;
  assert_int_equal(sqlite3_open(w->store->memory_path, &db), SQLITE_OK);
  sqlite3_busy_timeout(db, 5000);
  assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(db);
}

/* Woken when something that was let in stands no more. */
static void on_revoked(void *answers) {
  answers_add(answers, STATUS_OK);
}

/* ---- keys ---- */

struct made {
  char text[API_KEY_SIZE], id[API_KEY_PREFIX_SIZE];
  struct store_key key;
};

static struct made *make(const char *tenant, const char *owner, const char *scopes) {
  struct made *m = calloc(1, sizeof *m);
  api_key_make(m->text);
  assert_true(api_key_parse(bytes_of(m->text), m->id, m->key.hash));
  m->key.id = m->id;
  m->key.tenant_id = tenant;
  m->key.owner_id = owner;
  m->key.name = "";
  m->key.scopes = scopes;
  m->key.expires_ms = -1;
  return m;
}

static void wait_ok(struct answers *a, enum status queued) {
  assert_int_equal(queued, STATUS_OK);
  answers_wait(a, 1);
  assert_int_equal(a->statuses[0], STATUS_OK);
}

static void put(struct world *w, struct made *m) {
  struct answers a;
  answers_init(&a);
  wait_ok(&a, store_put_key(w->store->store, &m->key, MAX, now_ms, NULL, answers_add, &a));
}

static void revoke(struct world *w, const struct made *m) {
  const struct principal who = {m->key.tenant_id, m->key.owner_id, false, false, NULL};
  struct answers a;
  answers_init(&a);
  wait_ok(&a, store_revoke_key(w->store->store, &who, m->id, now_ms, NULL, answers_add, &a));
}

static void rotate(struct world *w, const struct made *old, struct made *new, int64_t ends_ms) {
  const struct principal who = {old->key.tenant_id, old->key.owner_id, false, false, NULL};
  struct answers a;
  answers_init(&a);
  wait_ok(&a, store_rotate_key(w->store->store, &who, old->id, &new->key, ends_ms, 2 * MAX, now_ms,
                               NULL, answers_add, &a));
}

static enum credential ask_as(struct world *w, const char *text, bool may_block,
                              struct identity *ret, struct error *err) {
  char header[128];
  snprintf(header, sizeof header, "Bearer %s", text);
  return auth_identify(w->auth, header, NULL, may_block, ret, err);
}

static enum credential ask(struct world *w, const struct made *m) {
  struct identity identity;
  struct error err = {0};
  return ask_as(w, m->text, true, &identity, &err);
}

static void add_user(struct world *w, const char *id, const char *tenant, const char *role) {
  struct store_user user = {.active = true, .token_version = 1, .last_login_ms = -1};
  struct answers a;
  snprintf(user.id, sizeof user.id, "%s", id);
  snprintf(user.tenant_id, sizeof user.tenant_id, "%s", tenant);
  snprintf(user.email, sizeof user.email, "%s@example.org", id);
  snprintf(user.role, sizeof user.role, "%s", role);
  answers_init(&a);
  wait_ok(&a, store_put_user(w->store->store, &user, NULL, 100, NULL, answers_add, &a));
}

/* ---- who is let in, and as whom ---- */

static void test_a_key_acts_as_its_owner(void **state) {
  struct world w = open_world(state, 100);
  struct identity identity;
  struct error err = {0};
  add_user(&w, "ann", "acme", "owner");
  struct made *m = make("acme", "ann", "debates:read billing:read");
  m->key.usd_micro_per_day = 77;
  put(&w, m);
  assert_int_equal(ask_as(&w, m->text, true, &identity, &err), CREDENTIAL_GOOD);
  assert_int_equal(identity.kind, IDENTITY_KEY);
  assert_int_equal(identity.role, ROLE_OWNER);
  assert_string_equal(identity.tenant_id, "acme");
  assert_string_equal(identity.user_id, "ann");
  assert_string_equal(identity.key_id, m->id);
  assert_string_equal(identity.credential_id, m->id);
  assert_true(permission_in(identity.allowed, PERMISSION_DEBATES_READ));
  assert_true(permission_in(identity.allowed, PERMISSION_BILLING_READ));
  assert_false(permission_in(identity.allowed, PERMISSION_DEBATES_CREATE));
  assert_int_equal(cap, 77);
  free(m);
  close_world(&w);
}

/* Nobody gets more than his role by a key, nor what no key may carry. */
static void test_scopes_only_take_away(void **state) {
  struct world w = open_world(state, 100);
  struct identity identity;
  struct error err = {0};
  add_user(&w, "ann", "acme", "member");
  struct made *all = make("acme", "ann", ""), *more = make("acme", "ann", "admin:system");
  put(&w, all);
  put(&w, more);
  assert_int_equal(ask_as(&w, all->text, true, &identity, &err), CREDENTIAL_GOOD);
  assert_true(permission_in(identity.allowed, PERMISSION_DEBATES_CREATE));
  assert_false(permission_in(identity.allowed, PERMISSION_APIKEYS_CREATE));
  assert_false(permission_in(identity.allowed, PERMISSION_ADMIN_SYSTEM));
  assert_int_equal(ask_as(&w, more->text, true, &identity, &err), CREDENTIAL_GOOD);
  assert_false(permission_in(identity.allowed, PERMISSION_ADMIN_SYSTEM));
  assert_false(permission_in(identity.allowed, PERMISSION_DEBATES_CREATE));
  free(all);
  free(more);
  close_world(&w);
}

static void test_what_is_no_key_is_refused(void **state) {
  struct world w = open_world(state, 100);
  struct made *m = make("local", "local", ""), *never = make("local", "local", "");
  struct made *orphan = make("acme", "nobody", "");
  put(&w, m);
  put(&w, orphan);
  assert_int_equal(ask(&w, m), CREDENTIAL_GOOD); /* the operator has no account */
  assert_int_equal(ask(&w, never), CREDENTIAL_BAD);
  assert_int_equal(ask(&w, orphan), CREDENTIAL_BAD);
  free(m);
  free(never);
  free(orphan);
  close_world(&w);
}

/* The table alone is asked where nobody may wait, and a key is read once. */
static void test_a_known_key_costs_no_read(void **state) {
  struct world w = open_world(state, 2);
  struct identity identity;
  struct error err = {0};
  struct made *keys[3];
  for (int i = 0; i < 3; i++) put(&w, keys[i] = make("local", "local", ""));
  assert_int_equal(ask_as(&w, keys[0]->text, false, &identity, &err), CREDENTIAL_LATER);
  assert_int_equal(reads, 0);
  for (int i = 0; i < 10; i++) assert_int_equal(ask(&w, keys[0]), CREDENTIAL_GOOD);
  assert_int_equal(reads, 1);
  assert_int_equal(ask_as(&w, keys[0]->text, false, &identity, &err), CREDENTIAL_GOOD);
  assert_int_equal(ask(&w, keys[1]), CREDENTIAL_GOOD);
  assert_int_equal(ask(&w, keys[2]), CREDENTIAL_GOOD); /* crowds out the first */
  assert_int_equal(ask_as(&w, keys[0]->text, false, &identity, &err), CREDENTIAL_LATER);
  for (int i = 0; i < 3; i++) free(keys[i]);
  close_world(&w);
}

/* ---- the end of a key ---- */

static void test_both_keys_work_in_the_overlap(void **state) {
  struct world w = open_world(state, 100);
  struct made *old = make("local", "local", ""), *new = make("local", "local", "");
  put(&w, old);
  assert_int_equal(ask(&w, old), CREDENTIAL_GOOD);
  rotate(&w, old, new, NOW + HOUR_MS);
  assert_int_equal(ask(&w, old), CREDENTIAL_GOOD);
  assert_int_equal(ask(&w, new), CREDENTIAL_GOOD);
  now_ms = NOW + HOUR_MS - 1;
  assert_int_equal(ask(&w, old), CREDENTIAL_GOOD);
  assert_int_equal(ask(&w, new), CREDENTIAL_GOOD);
  now_ms = NOW + HOUR_MS; /* nothing was written, nothing read: the time alone */
  assert_int_equal(ask(&w, old), CREDENTIAL_BAD);
  assert_int_equal(ask(&w, new), CREDENTIAL_GOOD);
  free(old);
  free(new);
  close_world(&w);
}

static void test_a_revoked_key_is_refused_on_its_next_call(void **state) {
  struct world w = open_world(state, 100);
  struct made *m = make("local", "local", ""), *other = make("local", "local", "");
  struct identity identity;
  struct error err = {0};
  put(&w, m);
  put(&w, other);
  assert_int_equal(ask_as(&w, m->text, true, &identity, &err), CREDENTIAL_GOOD);
  assert_true(auth_stands(w.auth, &identity));
  revoke(&w, m);
  assert_int_equal(ask_as(&w, m->text, false, &identity, &err), CREDENTIAL_LATER);
  assert_int_equal(ask(&w, m), CREDENTIAL_BAD);
  assert_int_equal(ask(&w, other), CREDENTIAL_GOOD);
  free(m);
  free(other);
  close_world(&w);
}

/* For streams, which bring their credential once: after the owner's keys were read anew, without
 * another call of the key. */
static void test_a_stream_of_a_revoked_key_does_not_stand(void **state) {
  struct world w = open_world(state, 100);
  struct made *m = make("local", "local", "");
  struct identity identity;
  struct error err = {0};
  put(&w, m);
  assert_int_equal(ask_as(&w, m->text, true, &identity, &err), CREDENTIAL_GOOD);
  revoke(&w, m);
  assert_int_equal(key_ring_refresh(w.ring, "local", "local", &err), STATUS_OK);
  assert_false(auth_stands(w.auth, &identity));
  free(m);
  close_world(&w);
}

static void test_a_disabled_owner_takes_the_keys_along(void **state) {
  struct world w = open_world(state, 100);
  struct answers a;
  add_user(&w, "ann", "acme", "admin");
  struct made *m = make("acme", "ann", "");
  put(&w, m);
  assert_int_equal(ask(&w, m), CREDENTIAL_GOOD);
  const struct store_user_change demoted = {
      .user_id = "ann", .role = "member", .active = -1, .now_ms = NOW};
  answers_init(&a);
  wait_ok(&a, store_change_user(w.store->store, &demoted, NULL, answers_add, &a));
  struct identity identity;
  struct error err = {0};
  assert_int_equal(ask_as(&w, m->text, true, &identity, &err), CREDENTIAL_GOOD);
  assert_int_equal(identity.role, ROLE_MEMBER);
  assert_false(permission_in(identity.allowed, PERMISSION_ADMIN_SYSTEM));
  const struct store_user_change off = {.user_id = "ann", .active = 0, .now_ms = NOW};
  answers_init(&a);
  wait_ok(&a, store_change_user(w.store->store, &off, NULL, answers_add, &a));
  assert_int_equal(ask(&w, m), CREDENTIAL_BAD);
  free(m);
  close_world(&w);
}

/* ---- what another process does ---- */

static void test_what_another_process_revokes_ends_soon(void **state) {
  struct world w = open_world(state, 100);
  struct made *m = make("local", "local", "");
  put(&w, m);
  assert_int_equal(ask(&w, m), CREDENTIAL_GOOD);
  write_behind(&w, "UPDATE api_keys SET revoked_ms = 1");
  now_ms += KEY_FRESH_MS - 1;
  assert_int_equal(ask(&w, m), CREDENTIAL_GOOD);
  assert_int_equal(reads, 1);
  now_ms += 1;
  assert_int_equal(ask(&w, m), CREDENTIAL_BAD);
  free(m);
  close_world(&w);
}

static void test_a_key_whose_row_is_gone_is_none(void **state) {
  struct world w = open_world(state, 100);
  struct made *m = make("local", "local", "");
  struct identity identity;
  struct error err = {0};
  put(&w, m);
  assert_int_equal(ask_as(&w, m->text, true, &identity, &err), CREDENTIAL_GOOD);
  write_behind(&w, "DELETE FROM api_keys");
  now_ms += KEY_FRESH_MS;
  assert_int_equal(ask(&w, m), CREDENTIAL_BAD);
  now_ms -= KEY_FRESH_MS; /* what was read before would count again */
  assert_int_equal(ask_as(&w, m->text, false, &identity, &err), CREDENTIAL_LATER);
  free(m);
  close_world(&w);
}

/* The stream asks, is let go on, and is told when the read behind has shown otherwise. */
static void expect_stream_ends(void **state, const char *sql) {
  struct world w = open_world(state, 100);
  struct identity identity;
  struct error err = {0};
  struct answers told;
  answers_init(&told);
  add_user(&w, "ann", "acme", "owner");
  struct made *m = make("acme", "ann", "debates:read debates:create");
  put(&w, m);
  auth_on_revoked(w.auth, on_revoked, &told);
  assert_int_equal(ask_as(&w, m->text, true, &identity, &err), CREDENTIAL_GOOD);
  write_behind(&w, sql);
  assert_true(auth_stands(w.auth, &identity));
  now_ms += KEY_FRESH_MS;
  assert_true(auth_stands(w.auth, &identity));
  answers_wait(&told, 1);
  assert_false(auth_stands(w.auth, &identity));
  free(m);
  close_world(&w);
}

static void test_a_stream_ends_with_a_key_revoked_elsewhere(void **state) {
  expect_stream_ends(state, "UPDATE api_keys SET revoked_ms = 1");
}

static void test_a_stream_ends_with_a_row_that_is_gone(void **state) {
  expect_stream_ends(state, "DELETE FROM api_keys");
}

static void test_a_stream_ends_with_a_disabled_owner(void **state) {
  expect_stream_ends(state, "UPDATE users SET active = 0");
}

static void test_a_stream_ends_with_a_lower_role(void **state) {
  expect_stream_ends(state, "UPDATE users SET role = 'member'");
}

static void test_a_stream_ends_with_narrower_scopes(void **state) {
  expect_stream_ends(state, "UPDATE api_keys SET scopes = 'debates:read'");
}

/* One whom others crowded out: unknown is not ended, until it is looked up. */
static void test_a_stream_of_an_unknown_key_is_looked_up(void **state) {
  struct world w = open_world(state, 1);
  struct identity identity;
  struct error err = {0};
  struct answers told;
  answers_init(&told);
  struct made *m = make("local", "local", ""), *other = make("local", "local", "");
  put(&w, m);
  put(&w, other);
  auth_on_revoked(w.auth, on_revoked, &told);
  assert_int_equal(ask_as(&w, m->text, true, &identity, &err), CREDENTIAL_GOOD);
  assert_int_equal(ask(&w, other), CREDENTIAL_GOOD);
  revoke(&w, m);
  assert_true(auth_stands(w.auth, &identity));
  answers_wait(&told, 1);
  assert_false(auth_stands(w.auth, &identity));
  free(m);
  free(other);
  close_world(&w);
}

/* A crowd of streams of one key costs one read. */
static void test_many_ask_and_one_is_read(void **state) {
  struct world w = open_world(state, 100);
  struct made *m = make("local", "local", "");
  struct identity identity;
  struct error err = {0};
  put(&w, m);
  assert_int_equal(ask_as(&w, m->text, true, &identity, &err), CREDENTIAL_GOOD);
  now_ms += KEY_FRESH_MS;
  for (int i = 0; i < 1000; i++) assert_true(auth_stands(w.auth, &identity));
  pool_stop(w.pool); /* finishes what was asked */
  assert_in_range(reads, 2, 3);
  assert_true(auth_stands(w.auth, &identity));
  free(m);
  close_world(&w);
}

static void test_an_ended_key_ends_at_once(void **state) {
  struct world w = open_world(state, 100);
  struct made *m = make("local", "local", "");
  struct identity identity;
  struct error err = {0};
  put(&w, m);
  assert_int_equal(ask_as(&w, m->text, true, &identity, &err), CREDENTIAL_GOOD);
  revoke(&w, m);
  key_ring_end(w.ring, m->id);
  assert_false(auth_stands(w.auth, &identity));
  assert_int_equal(ask_as(&w, m->text, false, &identity, &err), CREDENTIAL_BAD);
  free(m);
  close_world(&w);
}

/* The clock of the read alone is set back: a slow read that began before the last one. */
static void test_an_older_read_does_not_count(void **state) {
  struct world w = open_world(state, 100);
  struct made *m = make("local", "local", "");
  struct error err = {0};
  put(&w, m);
  assert_int_equal(ask(&w, m), CREDENTIAL_GOOD);
  write_behind(&w, "UPDATE api_keys SET revoked_ms = 1");
  now_ms -= 1;
  assert_int_equal(key_ring_refresh(w.ring, "local", "local", &err), STATUS_OK);
  assert_int_equal(ask(&w, m), CREDENTIAL_GOOD);
  now_ms += 2;
  assert_int_equal(key_ring_refresh(w.ring, "local", "local", &err), STATUS_OK);
  assert_int_equal(ask(&w, m), CREDENTIAL_BAD);
  free(m);
  close_world(&w);
}

/* ---- rates ---- */

static void test_a_rate_of_its_own(void **state) {
  struct world w = open_world(state, 100);
  struct made *m = make("local", "local", ""), *other = make("local", "local", "");
  m->key.requests_per_minute = 6;
  put(&w, m);
  put(&w, other);
  for (int i = 0; i < 6; i++) assert_int_equal(ask(&w, m), CREDENTIAL_GOOD);
  struct identity identity;
  struct error err = {0};
  assert_int_equal(ask_as(&w, m->text, true, &identity, &err), CREDENTIAL_LIMITED);
  assert_int_equal(err.retry_after_s, 11); /* one in ten seconds, rounded up */
  for (int i = 0; i < 20; i++) assert_int_equal(ask(&w, other), CREDENTIAL_GOOD);
  now_ms += 10000;
  assert_int_equal(ask(&w, m), CREDENTIAL_GOOD);
  assert_int_equal(ask(&w, m), CREDENTIAL_LIMITED);
  revoke(&w, other); /* all are read anew: no rate begins again by it */
  assert_int_equal(ask(&w, m), CREDENTIAL_LIMITED);
  free(m);
  free(other);
  close_world(&w);
}

static void test_scopes_are_names_of_permissions(void **state) {
  (void)state;
  permission_set set;
  struct bytes wrong;
  assert_true(key_scopes_read("", &set, &wrong));
  assert_int_equal(set, permission_of_keys());
  assert_true(key_scopes_read("debates:read  debates:create", &set, &wrong));
  assert_true(permission_in(set, PERMISSION_DEBATES_VIEW));
  assert_false(key_scopes_read("debates:read nonsense", &set, &wrong));
  assert_true(bytes_equal(wrong, BYTES_LITERAL("nonsense")));
  assert_false(key_scopes_read("apikeys:create", &set, &wrong));
}

#define RING_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void) {
  if (sodium_init() < 0) return 1;
  const struct CMUnitTest tests[] = {
      RING_TEST(test_a_key_acts_as_its_owner),
      RING_TEST(test_scopes_only_take_away),
      RING_TEST(test_what_is_no_key_is_refused),
      RING_TEST(test_a_known_key_costs_no_read),
      RING_TEST(test_both_keys_work_in_the_overlap),
      RING_TEST(test_a_revoked_key_is_refused_on_its_next_call),
      RING_TEST(test_a_stream_of_a_revoked_key_does_not_stand),
      RING_TEST(test_a_disabled_owner_takes_the_keys_along),
      RING_TEST(test_what_another_process_revokes_ends_soon),
      RING_TEST(test_a_key_whose_row_is_gone_is_none),
      RING_TEST(test_a_stream_ends_with_a_key_revoked_elsewhere),
      RING_TEST(test_a_stream_ends_with_a_row_that_is_gone),
      RING_TEST(test_a_stream_ends_with_a_disabled_owner),
      RING_TEST(test_a_stream_ends_with_a_lower_role),
      RING_TEST(test_a_stream_ends_with_narrower_scopes),
      RING_TEST(test_a_stream_of_an_unknown_key_is_looked_up),
      RING_TEST(test_many_ask_and_one_is_read),
      RING_TEST(test_an_ended_key_ends_at_once),
      RING_TEST(test_an_older_read_does_not_count),
      RING_TEST(test_a_rate_of_its_own),
      cmocka_unit_test(test_scopes_are_names_of_permissions),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
