/* API keys, plans and usage: what the writer keeps, and whom it shows to. */
#include "fixture.h"
#include "store/jobs.h"
#include "store/keys.h"
#include "store/plans.h"
#include "store/users.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

static const struct principal ann = {"acme", "ann", false, false, NULL};
static const struct principal bob = {"acme", "bob", false, false, NULL};
static const struct principal boss = {"acme", "boss", true, false, NULL};
static const struct principal stranger = {"other", "ann", true, false, NULL};
enum { NOW = 1000000, LATER = 2000000, MAX = 3 };

static struct store_key make_key(const char *id, const struct principal *owner) {
  struct store_key key = {.id = id,
                          .tenant_id = owner->tenant_id,
                          .owner_id = owner->owner_id,
                          .name = "ci",
                          .scopes = "debates:read",
                          .requests_per_minute = 60,
                          .usd_micro_per_day = 5000000,
                          .expires_ms = -1};
  memset(key.hash, id[4], sizeof key.hash);
  return key;
}

/* ---- waiting for one answer ---- */

static enum status wait_for(struct answers *a, enum status queued) {
  assert_int_equal(queued, STATUS_OK);
  answers_wait(a, 1);
  return a->statuses[0];
}

static enum status put(struct fixture *f, const struct store_key *key) {
  struct answers a;
  answers_init(&a);
  return wait_for(&a, store_put_key(f->store, key, MAX, NOW, NULL, answers_add, &a));
}

static enum status revoke_key(struct fixture *f, const struct principal *who, const char *id) {
  struct answers a;
  answers_init(&a);
  return wait_for(&a, store_revoke_key(f->store, who, id, LATER, NULL, answers_add, &a));
}

static enum status rotate(struct fixture *f, const struct principal *who, const char *id,
                          const struct store_key *key, int64_t ends_ms) {
  struct answers a;
  answers_init(&a);
  return wait_for(
      &a, store_rotate_key(f->store, who, id, key, ends_ms, 2 * MAX, NOW, NULL, answers_add, &a));
}

/* ---- what is stored ---- */

struct seen {
  size_t count;
  char ids[8][16];
  char name[32], scopes[64], replaced_by[16], role[16];
  struct store_key last; /* its texts are gone */
};

static void see(void *ctx, const struct store_key *key) {
  struct seen *seen = ctx;
  snprintf(seen->ids[seen->count++], sizeof *seen->ids, "%s", key->id);
  snprintf(seen->name, sizeof seen->name, "%s", key->name);
  snprintf(seen->scopes, sizeof seen->scopes, "%s", key->scopes);
  snprintf(seen->role, sizeof seen->role, "%s", key->role);
  snprintf(seen->replaced_by, sizeof seen->replaced_by, "%s",
           key->replaced_by ? key->replaced_by : "");
  seen->last = *key;
}

static struct seen get(struct fixture *f, const struct principal *who, const char *id) {
  struct seen seen = {0};
  struct error err;
  enum status s = store_get_key(f->store, who, id, see, &seen, &err);
  assert_int_equal(s, seen.count ? STATUS_OK : STATUS_NOT_FOUND);
  return seen;
}

static struct seen list(struct fixture *f, const struct principal *who, bool own) {
  struct seen seen = {0};
  struct error err;
  assert_int_equal(store_list_keys(f->store, who, own, 8, see, &seen, &err), STATUS_OK);
  return seen;
}

static void test_a_key_is_its_owners(void **state) {
  struct fixture *f = *state;
  struct store_key key = make_key("ara_aaaaaaaa", &ann);
  assert_int_equal(put(f, &key), STATUS_OK);
  struct seen seen = get(f, &ann, key.id);
  assert_int_equal(seen.count, 1);
  assert_string_equal(seen.name, "ci");
  assert_string_equal(seen.scopes, "debates:read");
  assert_memory_equal(seen.last.hash, key.hash, sizeof key.hash);
  assert_int_equal(seen.last.usd_micro_per_day, 5000000);
  assert_int_equal(seen.last.requests_per_minute, 60);
  assert_int_equal(seen.last.created_ms, NOW);
  assert_int_equal(seen.last.expires_ms, -1);
  assert_int_equal(seen.last.last_used_ms, -1);
  assert_true(seen.last.is_owner_active);
  assert_int_equal(get(f, &boss, key.id).count, 1);
  assert_int_equal(get(f, &bob, key.id).count, 0);
  assert_int_equal(get(f, &stranger, key.id).count, 0);
  assert_int_equal(list(f, &boss, false).count, 1);
  assert_int_equal(list(f, &boss, true).count, 0);
  assert_int_equal(list(f, &bob, false).count, 0);
  assert_int_equal(list(f, &stranger, false).count, 0);
  assert_int_equal(list(f, &PRINCIPAL_SYSTEM, false).count, 1);
  assert_int_equal(revoke_key(f, &bob, key.id), STATUS_CONFLICT);
  assert_int_equal(revoke_key(f, &stranger, key.id), STATUS_CONFLICT);
  assert_true(store_key_works(&seen.last, LATER));
}

static void test_a_revoked_key_stays_revoked(void **state) {
  struct fixture *f = *state;
  struct store_key key = make_key("ara_aaaaaaaa", &ann), other = make_key("ara_bbbbbbbb", &ann);
  assert_int_equal(put(f, &key), STATUS_OK);
  assert_int_equal(put(f, &key), STATUS_CONFLICT); /* the id is taken */
  uint64_t before = store_keys_generation(f->store);
  assert_int_equal(revoke_key(f, &ann, key.id), STATUS_OK);
  assert_true(store_keys_generation(f->store) > before);
  struct seen seen = get(f, &ann, key.id);
  assert_int_equal(seen.last.revoked_ms, LATER);
  assert_false(store_key_works(&seen.last, NOW));
  assert_int_equal(revoke_key(f, &ann, key.id), STATUS_CONFLICT);
  assert_int_equal(rotate(f, &ann, key.id, &other, LATER), STATUS_CONFLICT);
  assert_int_equal(get(f, &ann, other.id).count, 0);
  struct answers a;
  answers_init(&a);
  key.expires_ms = LATER;
  assert_int_equal(wait_for(&a, store_edit_key(f->store, &ann, key.id, &key, STORE_KEY_EXPIRY, NOW,
                                               NULL, answers_add, &a)),
                   STATUS_CONFLICT);
}

static void test_a_rotated_key_ends_later(void **state) {
  struct fixture *f = *state;
  struct store_key key = make_key("ara_aaaaaaaa", &ann), next = make_key("ara_bbbbbbbb", &ann);
  key.is_default = next.is_default = true;
  assert_int_equal(put(f, &key), STATUS_OK);
  assert_int_equal(rotate(f, &ann, key.id, &next, LATER), STATUS_OK);
  struct seen old = get(f, &ann, key.id);
  assert_true(store_key_works(&old.last, LATER - 1));
  assert_false(store_key_works(&old.last, LATER));
  assert_false(old.last.is_default);
  assert_string_equal(old.replaced_by, next.id);
  struct seen new = get(f, &ann, next.id);
  assert_true(store_key_works(&new.last, LATER));
  assert_true(new.last.is_default);
  struct store_key third = make_key("ara_cccccccc", &ann);
  assert_int_equal(rotate(f, &ann, key.id, &third, LATER), STATUS_CONFLICT); /* it was already */
}

static void test_keys_of_one_owner_have_a_limit(void **state) {
  struct fixture *f = *state;
  struct store_key keys[] = {make_key("ara_aaaaaaaa", &ann), make_key("ara_bbbbbbbb", &ann),
                             make_key("ara_cccccccc", &ann), make_key("ara_dddddddd", &ann),
                             make_key("ara_eeeeeeee", &bob)};
  for (int i = 0; i < MAX; i++) assert_int_equal(put(f, &keys[i]), STATUS_OK);
  assert_int_equal(put(f, &keys[3]), STATUS_CONFLICT);
  assert_int_equal(put(f, &keys[4]), STATUS_OK); /* somebody else's */
  assert_int_equal(revoke_key(f, &ann, keys[0].id), STATUS_OK);
  assert_int_equal(put(f, &keys[3]), STATUS_OK);
}

static void test_a_default_key_replaces_the_former(void **state) {
  struct fixture *f = *state;
  struct store_key first = make_key("ara_aaaaaaaa", &ann), second = make_key("ara_bbbbbbbb", &ann);
  struct store_key named = make_key("ara_cccccccc", &ann);
  first.is_default = second.is_default = true;
  assert_int_equal(put(f, &first), STATUS_OK);
  assert_int_equal(put(f, &named), STATUS_OK);
  assert_int_equal(put(f, &second), STATUS_OK);
  assert_int_equal(get(f, &ann, first.id).last.revoked_ms, NOW);
  assert_int_equal(get(f, &ann, named.id).last.revoked_ms, -1);
  struct answers a;
  answers_init(&a);
  assert_int_equal(
      wait_for(&a, store_revoke_default_key(f->store, &ann, LATER, NULL, answers_add, &a)),
      STATUS_OK);
  assert_int_equal(get(f, &ann, second.id).last.revoked_ms, LATER);
  assert_int_equal(get(f, &ann, named.id).last.revoked_ms, -1);
}

static void test_an_edit_changes_what_it_names(void **state) {
  struct fixture *f = *state;
  struct store_key key = make_key("ara_aaaaaaaa", &ann);
  struct answers a;
  assert_int_equal(put(f, &key), STATUS_OK);
  struct store_key change = {.name = "laptop", .expires_ms = LATER, .usd_micro_per_day = 7};
  answers_init(&a);
  assert_int_equal(wait_for(&a, store_edit_key(f->store, &ann, key.id, &change,
                                               STORE_KEY_NAME | STORE_KEY_EXPIRY | STORE_KEY_MONEY,
                                               NOW, NULL, answers_add, &a)),
                   STATUS_OK);
  struct seen seen = get(f, &ann, key.id);
  assert_string_equal(seen.name, "laptop");
  assert_string_equal(seen.scopes, "debates:read");
  assert_int_equal(seen.last.expires_ms, LATER);
  assert_int_equal(seen.last.requests_per_minute, 60);
  assert_int_equal(seen.last.usd_micro_per_day, 7);
}

/* A use is no change: whoever read the key before is still right. */
static void test_a_use_is_noted_alone(void **state) {
  struct fixture *f = *state;
  struct store_key key = make_key("ara_aaaaaaaa", &ann), other = make_key("ara_bbbbbbbb", &ann);
  assert_int_equal(put(f, &key), STATUS_OK);
  uint64_t before = store_keys_generation(f->store);
  assert_int_equal(store_use_key(f->store, key.id, LATER), STATUS_OK);
  assert_int_equal(store_use_key(f->store, key.id, NOW), STATUS_OK); /* out of order */
  assert_int_equal(put(f, &other), STATUS_OK);                       /* behind both */
  assert_int_equal(get(f, &ann, key.id).last.last_used_ms, LATER);
  assert_int_equal(store_keys_generation(f->store), before + 1);
}

/* The key is its owner's: with him it works, and with his role. */
static void test_the_owner_is_read_with_the_key(void **state) {
  struct fixture *f = *state;
  struct answers a;
  struct store_user user = {.id = "ann",
                            .tenant_id = "acme",
                            .email = "ann@example.org",
                            .role = "owner",
                            .active = true,
                            .token_version = 1,
                            .last_login_ms = -1};
  answers_init(&a);
  struct store_tenant tenant = {.id = "acme", .name = "acme", .slug = "acme", .plan = "starter"};
  assert_int_equal(
      wait_for(&a, store_put_user(f->store, &user, &tenant, 10, NULL, answers_add, &a)), STATUS_OK);
  struct store_key key = make_key("ara_aaaaaaaa", &ann);
  assert_int_equal(put(f, &key), STATUS_OK);
  assert_string_equal(get(f, &ann, key.id).role, "owner");
  uint64_t before = store_keys_generation(f->store);
  const struct store_user_change off = {.user_id = "ann", .active = 0, .now_ms = NOW};
  answers_init(&a);
  assert_int_equal(wait_for(&a, store_change_user(f->store, &off, NULL, answers_add, &a)),
                   STATUS_OK);
  assert_true(store_keys_generation(f->store) > before);
  assert_false(get(f, &ann, key.id).last.is_owner_active);
}

/* ---- batches that came with a key ---- */

static void put_job(struct fixture *f, const char *id, const struct principal *owner,
                    const char *key_id) {
  static const char *const requests[] = {"{}", "{}"};
  struct answers a;
  const struct store_job job = {.id = id,
                                .tenant_id = owner->tenant_id,
                                .owner_id = owner->owner_id,
                                .key_id = key_id,
                                .max_parallel = 1,
                                .items = 2,
                                .created_ms = NOW,
                                .cancelled_ms = -1};
  answers_init(&a);
  assert_int_equal(wait_for(&a, store_put_job(f->store, &job, requests, answers_add, &a)),
                   STATUS_OK);
}

static void fail_items(struct fixture *f, const char *id) {
  for (int i = 0; i < 2; i++) {
    struct answers a;
    answers_init(&a);
    assert_int_equal(wait_for(&a, store_fail_item(f->store, id, i, "no", answers_add, &a)),
                     STATUS_OK);
  }
}

static void see_job(void *ctx, const struct store_job *job, const struct store_job_counts *counts) {
  (void)counts;
  *(int64_t *)ctx = job->cancelled_ms;
}

static void add_request(void *ctx, const struct store_item *item) {
  *(size_t *)ctx += strlen(item->request);
}

/* Cancelled at that time, -1 = it was not, and what was asked for is gone or still there. */
static void expect_job(struct fixture *f, const char *id, int64_t cancelled_ms) {
  int64_t have = -2;
  size_t requests = 0;
  struct error err;
  assert_int_equal(store_get_job(f->store, &PRINCIPAL_SYSTEM, id, see_job, &have, &err), STATUS_OK);
  assert_int_equal(have, cancelled_ms);
  assert_int_equal(store_read_items(f->store, id, false, add_request, &requests, &err), STATUS_OK);
  assert_int_equal(requests, cancelled_ms < 0 ? 4 : 0);
}

static void test_a_revoked_keys_batches_are_cancelled(void **state) {
  struct fixture *f = *state;
  struct store_key key = make_key("ara_aaaaaaaa", &ann), other = make_key("ara_bbbbbbbb", &ann);
  assert_int_equal(put(f, &key), STATUS_OK);
  assert_int_equal(put(f, &other), STATUS_OK);
  put_job(f, "done", &ann, key.id);
  fail_items(f, "done");
  put_job(f, "its", &ann, key.id);
  put_job(f, "others", &ann, other.id);
  put_job(f, "none", &ann, NULL);
  assert_int_equal(revoke_key(f, &bob, key.id), STATUS_CONFLICT);
  expect_job(f, "its", -1);
  assert_int_equal(revoke_key(f, &boss, key.id), STATUS_OK);
  expect_job(f, "its", LATER);
  expect_job(f, "done", -1);
  expect_job(f, "others", -1);
  expect_job(f, "none", -1);
}

static void test_a_replaced_default_keys_batches_are_cancelled(void **state) {
  struct fixture *f = *state;
  struct store_key first = make_key("ara_aaaaaaaa", &ann), second = make_key("ara_bbbbbbbb", &ann);
  struct answers a;
  first.is_default = second.is_default = true;
  assert_int_equal(put(f, &first), STATUS_OK);
  put_job(f, "first", &ann, first.id);
  assert_int_equal(put(f, &second), STATUS_OK);
  expect_job(f, "first", NOW);
  put_job(f, "second", &ann, second.id);
  answers_init(&a);
  assert_int_equal(
      wait_for(&a, store_revoke_default_key(f->store, &ann, LATER, NULL, answers_add, &a)),
      STATUS_OK);
  expect_job(f, "second", LATER);
}

static void test_a_disabled_owners_batches_are_cancelled(void **state) {
  struct fixture *f = *state;
  struct store_user user = {.id = "ann",
                            .tenant_id = "acme",
                            .email = "ann@example.org",
                            .role = "member",
                            .active = true,
                            .last_login_ms = -1};
  struct answers a;
  answers_init(&a);
  assert_int_equal(wait_for(&a, store_put_user(f->store, &user, NULL, 9, NULL, answers_add, &a)),
                   STATUS_OK);
  put_job(f, "hers", &ann, NULL);
  put_job(f, "his", &bob, NULL);
  const struct store_user_change lower = {
      .user_id = "ann", .role = "owner", .active = -1, .now_ms = LATER};
  answers_init(&a);
  assert_int_equal(wait_for(&a, store_change_user(f->store, &lower, NULL, answers_add, &a)),
                   STATUS_OK);
  expect_job(f, "hers", -1);
  const struct store_user_change off = {.user_id = "ann", .active = 0, .now_ms = LATER};
  answers_init(&a);
  assert_int_equal(wait_for(&a, store_change_user(f->store, &off, NULL, answers_add, &a)),
                   STATUS_OK);
  expect_job(f, "hers", LATER);
  expect_job(f, "his", -1);
}

/* Rotated keys work for a while beside the new ones, but not any number of them. */
static void test_rotated_keys_have_a_limit(void **state) {
  struct fixture *f = *state;
  char id[] = "ara_aaaaaaaa", next[] = "ara_aaaaaaaa";
  struct store_key key = make_key(id, &ann);
  assert_int_equal(put(f, &key), STATUS_OK);
  for (int i = 1; i < 2 * MAX; i++) {
    next[11]++;
    struct store_key new = make_key(next, &ann);
    assert_int_equal(rotate(f, &ann, id, &new, LATER), STATUS_OK);
    memcpy(id, next, sizeof id);
  }
  next[11]++;
  struct store_key new = make_key(next, &ann);
  assert_int_equal(rotate(f, &ann, id, &new, LATER), STATUS_CONFLICT);
  assert_string_equal(get(f, &ann, id).replaced_by, "");
  assert_int_equal(rotate(f, &ann, id, &new, NOW),
                   STATUS_OK); /* without an overlap none is added */
}

/* ---- a disk that refuses ---- */

static void limit_files(rlim_t bytes) {
  struct rlimit limit;
  signal(SIGXFSZ, SIG_IGN);
  getrlimit(RLIMIT_FSIZE, &limit);
  limit.rlim_cur = bytes && bytes < limit.rlim_max ? bytes : limit.rlim_max;
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* It would be made good behind the back of whoever was told nothing. */
static void test_a_change_is_refused_rather_than_held(void **state) {
  struct fixture *f = *state;
  struct store_key key = make_key("ara_aaaaaaaa", &ann);
  char wal[128];
  struct stat log;
  struct answers a;
  assert_int_equal(put(f, &key), STATUS_OK);
  snprintf(wal, sizeof wal, "%s-wal", f->memory_path);
  assert_int_equal(stat(wal, &log), 0);
  limit_files((rlim_t)log.st_size);
  answers_init(&a);
  assert_int_equal(store_revoke_key(f->store, &ann, key.id, LATER, NULL, answers_add, &a),
                   STATUS_OK);
  wait_writable(f, false);
  limit_files(0);
  answers_wait(&a, 1);
  assert_int_not_equal(a.statuses[0], STATUS_OK);
  wait_writable(f, true);
  assert_int_equal(get(f, &ann, key.id).last.revoked_ms, -1);
}

/* ---- plans ---- */

static enum status start(struct fixture *f, const char *tenant, const char *id, int64_t now_ms) {
  struct store_debate row = make_debate("task", now_ms);
  row.tenant_id = (char *)tenant;
  row.owner_id = (char *)"ann";
  row.key_id = (char *)"ara_aaaaaaaa";
  return put_debate(f, id, &row);
}

static int64_t used(struct fixture *f, const struct principal *who, int64_t now_ms) {
  struct store_plan plan;
  struct error err;
  assert_int_equal(store_get_plan(f->store, who, now_ms, &plan, &err), STATUS_OK);
  return plan.debates_used;
}

enum { DAY_MS = 86400000 };

/* All of one transaction and of several: exactly ten, whatever stands between them. */
static void test_a_quota_admits_exactly_its_number(void **state) {
  struct fixture *f = *state;
  enum { STARTS = 1000 };
  struct answers a;
  struct gate g;
  answers_init(&a);
  gate_init(&g);
  struct store_debate first = make_debate("task", NOW);
  struct store_event e = make_event(1, "{}");
  assert_int_equal(
      store_append(f->store, "local", &e, 1, STORE_ROW_INSERT, &first, NULL, 0, gate_hold, &g),
      STATUS_OK);
  gate_wait_entered(&g);
  for (int i = 0; i < STARTS; i++) {
    char id[32];
    struct store_debate row = make_debate("task", NOW);
    row.tenant_id = (char *)"acme";
    snprintf(id, sizeof id, i == 7 ? "local" : "d%d", i); /* one that fails alone */
    assert_int_equal(
        store_append(f->store, id, &e, 1, STORE_ROW_INSERT, &row, NULL, 0, answers_add, &a),
        STATUS_OK);
  }
  gate_release(&g);
  answers_wait(&a, STARTS);
  int counts[3] = {0};
  for (int i = 0; i < STARTS; i++) {
    if (a.statuses[i] == STATUS_OK) counts[0]++;
    if (a.statuses[i] == STATUS_QUOTA) counts[1]++;
    if (a.statuses[i] == STATUS_CONFLICT) counts[2]++;
  }
  assert_int_equal(counts[0], 10);
  assert_int_equal(counts[2], 1);
  assert_int_equal(counts[1], STARTS - 11);
  assert_int_equal(used(f, &ann, NOW), 10);
  struct store_list_query all = {.limit = 1, .before_created_ms = -1};
  struct store_debate *rows;
  size_t count;
  int64_t total;
  struct error err;
  assert_int_equal(store_list_debates(f->store, &boss, &all, &rows, &count, &total, &err),
                   STATUS_OK);
  assert_int_equal(total, 10);
  store_list_free(rows, count);
}

static void test_a_quota_begins_anew_each_month(void **state) {
  struct fixture *f = *state;
  char id[32];
  for (int i = 0; i < 10; i++) {
    snprintf(id, sizeof id, "d%d", i);
    assert_int_equal(start(f, "acme", id, NOW), STATUS_OK);
  }
  assert_int_equal(start(f, "acme", "over", NOW), STATUS_QUOTA);
  assert_int_equal(start(f, "acme", "over", 31LL * DAY_MS - 1), STATUS_QUOTA);
  assert_int_equal(start(f, "acme", "next", 31LL * DAY_MS), STATUS_OK); /* 1970-02-01 */
  assert_int_equal(used(f, &ann, 31LL * DAY_MS), 1);
  assert_int_equal(start(f, "other", "theirs", NOW), STATUS_OK);
  for (int i = 0; i < 20; i++) {
    snprintf(id, sizeof id, "l%d", i);
    assert_int_equal(start(f, "local", id, NOW), STATUS_OK);
  }
}

/* ---- usage ---- */

struct total {
  int rows;
  struct store_usage sum;
  char keys[64];
};

static bool add_up(void *ctx, const struct store_used *row) {
  struct total *t = ctx;
  t->rows++;
  t->sum.debates += row->usage.debates;
  t->sum.turns += row->usage.turns;
  t->sum.calls += row->usage.calls;
  t->sum.tokens += row->usage.tokens;
  t->sum.tokens_in += row->usage.tokens_in;
  t->sum.usd_micro += row->usage.usd_micro;
  snprintf(t->keys, sizeof t->keys, "%s", row->key_id);
  return true;
}

static struct total usage(struct fixture *f, const struct principal *who, bool own, int64_t from,
                          int64_t to) {
  struct total t = {0};
  struct error err;
  assert_int_equal(store_read_usage(f->store, who, own, from, to, add_up, &t, &err), STATUS_OK);
  return t;
}

/* Two debates of two owners in a hundred batches: sums, not rows. */
static void test_usage_is_summed_by_whose_and_what(void **state) {
  struct fixture *f = *state;
  struct answers a;
  answers_init(&a);
  assert_int_equal(start(f, "acme", "d", NOW), STATUS_OK);
  for (uint64_t i = 0; i < 100; i++) {
    const struct store_usage parts[] = {
        {.provider = "openai",
         .model = "m",
         .turns = 1,
         .calls = 1,
         .tokens = 10,
         .tokens_in = 7,
         .usd_micro = 3},
        {.provider = "openai", .model = i % 50 ? "m" : "n", .calls = 1, .tokens = 1}};
    const struct store_spending spent = {.tenant_id = "acme",
                                         .owner_id = i % 2 ? "bob" : "ann",
                                         .key_id = i % 2 ? NULL : "ara_aaaaaaaa",
                                         .day = i < 90 ? 5 : 6,
                                         .tokens = 11,
                                         .usd_micro = 3,
                                         .usage = parts,
                                         .usage_count = 2};
    struct store_event e = make_event(i + 2, "{}");
    assert_int_equal(
        store_append(f->store, "d", &e, 1, STORE_ROW_NONE, NULL, &spent, 1, answers_add, &a),
        STATUS_OK);
  }
  answers_wait(&a, 100);
  struct total mine = usage(f, &ann, false, 5, 6);
  assert_int_equal(mine.sum.turns, 50);
  assert_int_equal(mine.sum.calls, 100);
  assert_int_equal(mine.sum.tokens, 550);
  assert_int_equal(mine.sum.tokens_in, 350);
  assert_int_equal(mine.sum.usd_micro, 150);
  assert_int_equal(mine.rows, 3); /* m and n on day 5, m on day 6 */
  assert_string_equal(mine.keys, "ara_aaaaaaaa");
  assert_int_equal(usage(f, &ann, false, 6, 6).sum.turns, 5);
  assert_int_equal(usage(f, &boss, false, 5, 6).sum.turns, 100);
  assert_int_equal(usage(f, &boss, true, 5, 6).sum.turns, 0);
  assert_int_equal(usage(f, &stranger, false, 0, 9).rows, 0);
}

static void add_key_day(void *ctx, const struct store_spending *spent) {
  struct store_spending *sum = ctx;
  assert_string_equal(spent->key_id, "ara_aaaaaaaa");
  sum->tokens += spent->tokens;
  sum->usd_micro += spent->usd_micro;
  sum->unpriced++; /* rows */
}

static void test_a_keys_spending_outlives_a_restart(void **state) {
  struct fixture *f = *state;
  assert_int_equal(start(f, "acme", "d", NOW), STATUS_OK);
  for (int i = 0; i < 40; i++) { /* more rows than are put off at once */
    char owner[16];
    struct answers a;
    struct store_event e = make_event((uint64_t)i + 2, "{}");
    snprintf(owner, sizeof owner, "user%d", i);
    const struct store_spending spent = {.tenant_id = "acme",
                                         .owner_id = owner,
                                         .key_id = "ara_aaaaaaaa",
                                         .day = 7,
                                         .tokens = 2,
                                         .usd_micro = 1};
    answers_init(&a);
    assert_int_equal(wait_for(&a, store_append(f->store, "d", &e, 1, STORE_ROW_NONE, NULL, &spent,
                                               1, answers_add, &a)),
                     STATUS_OK);
  }
  fixture_close(f);
  fixture_open(f);
  struct store_spending sum = {0};
  struct error err;
  assert_int_equal(store_read_key_spending(f->store, 7, add_key_day, &sum, &err), STATUS_OK);
  assert_int_equal(sum.tokens, 80);
  assert_int_equal(sum.usd_micro, 40);
  assert_int_equal(sum.unpriced, 1);
}

static void test_a_debate_knows_its_key(void **state) {
  struct fixture *f = *state;
  struct store_debate row;
  struct error err;
  assert_int_equal(start(f, "acme", "d", NOW), STATUS_OK);
  assert_int_equal(store_get_debate(f->store, &ann, "d", &row, &err), STATUS_OK);
  assert_string_equal(row.key_id, "ara_aaaaaaaa");
  store_debate_done(&row);
}

#define STORE_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      STORE_TEST(test_a_key_is_its_owners),
      STORE_TEST(test_a_revoked_key_stays_revoked),
      STORE_TEST(test_a_rotated_key_ends_later),
      STORE_TEST(test_keys_of_one_owner_have_a_limit),
      STORE_TEST(test_a_default_key_replaces_the_former),
      STORE_TEST(test_an_edit_changes_what_it_names),
      STORE_TEST(test_a_use_is_noted_alone),
      STORE_TEST(test_the_owner_is_read_with_the_key),
      STORE_TEST(test_a_revoked_keys_batches_are_cancelled),
      STORE_TEST(test_a_replaced_default_keys_batches_are_cancelled),
      STORE_TEST(test_a_disabled_owners_batches_are_cancelled),
      STORE_TEST(test_rotated_keys_have_a_limit),
      STORE_TEST(test_a_change_is_refused_rather_than_held),
      STORE_TEST(test_a_quota_admits_exactly_its_number),
      STORE_TEST(test_a_quota_begins_anew_each_month),
      STORE_TEST(test_usage_is_summed_by_whose_and_what),
      STORE_TEST(test_a_keys_spending_outlives_a_restart),
      STORE_TEST(test_a_debate_knows_its_key),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
