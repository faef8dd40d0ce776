/* Copies of both databases while others write, and what can be seen in them. */
#include "store/snapshot.h"

#include "base/clock.h"
#include "fixture.h"
#include "store/sqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void path_of(const struct fixture *f, const char *name, char out[256]) {
  snprintf(out, 256, "%s/%s", f->dir, name);
}

static struct snapshot *begin(const struct fixture *f, struct snapshot_point *point) {
  struct snapshot *s = NULL;
  struct error err = {0};
  if (snapshot_begin(f->memory_path, f->elo_path, 5000, &s, point, &err))
    fail_msg("%s", err.message);
  return s;
}

static void copy(struct snapshot *s, enum database kind, const char *to) {
  struct snapshot_copying copying = {.check = true};
  struct error err = {0};
  if (snapshot_copy(s, kind, to, &copying, &err)) fail_msg("%s", err.message);
}

static struct inspect *look(const char *path, enum database kind) {
  struct inspect *i = NULL;
  struct error err = {0};
  if (inspect_open(path, kind, &i, &err)) fail_msg("%s", err.message);
  return i;
}

static void assert_alone(const char *path) {
  char beside[300];
  snprintf(beside, sizeof beside, "%s-wal", path);
  assert_int_equal(access(beside, F_OK), -1);
  snprintf(beside, sizeof beside, "%s-shm", path);
  assert_int_equal(access(beside, F_OK), -1);
}

static void test_holds_what_was_committed_before(void **state) {
  struct fixture *f = *state;
  char to[256], elo[256];
  struct snapshot_point point;
  struct store_debate row = make_debate("first", 1);
  path_of(f, "copy.db", to);
  path_of(f, "copy-elo.db", elo);
  assert_int_equal(put_debate(f, "first", &row), STATUS_OK);
  assert_int_equal(put_event(f, "first", 2), STATUS_OK);
  struct snapshot *s = begin(f, &point);
  row = make_debate("second", 2);
  assert_int_equal(put_debate(f, "second", &row), STATUS_OK);
  assert_int_equal(put_event(f, "first", 3), STATUS_OK);
  copy(s, DATABASE_MEMORY, to);
  copy(s, DATABASE_ELO, elo);
  snapshot_end(s);
  assert_alone(to);
  assert_alone(elo);

  struct inspect *i = look(to, DATABASE_MEMORY);
  struct inspect_census census;
  struct inspect_position position;
  struct error err = {0};
  assert_int_equal(inspect_census(i, &census, &err), STATUS_OK);
  assert_int_equal(census.debates, 1);
  assert_int_equal(census.events, 2);
  assert_int_equal(inspect_position(i, &position, &err), STATUS_OK);
  assert_int_equal(position.number, 2);
  assert_int_equal(position.number, point.position[DATABASE_MEMORY].number);
  assert_true(position.schema > 0);
  inspect_close(i);
  inspect_close(look(elo, DATABASE_ELO));
}

/* Four threads append; the copy is made in the middle, in pieces. */
enum { WRITERS = 4, EVENTS = 300 };

struct writer_thread {
  struct fixture *f;
  char id[16];
  uint64_t acknowledged; /* atomic */
};

static void *write_events(void *ctx) {
  struct writer_thread *w = ctx;
  struct store_debate row = make_debate(w->id, 1);
  if (put_debate(w->f, w->id, &row)) return NULL;
  __atomic_store_n(&w->acknowledged, 1, __ATOMIC_SEQ_CST);
  for (uint64_t seq = 2; seq <= EVENTS; seq++) {
    if (put_event(w->f, w->id, seq)) break;
    __atomic_store_n(&w->acknowledged, seq, __ATOMIC_SEQ_CST);
  }
  return NULL;
}

struct expected_heads {
  const uint64_t *at_least;
  size_t count;
};

static bool check_head(void *ctx, const char *id, uint64_t seq, const uint8_t hash[32]) {
  struct expected_heads *e = ctx;
  (void)hash;
  assert_in_range(id[0] - '0', 0, WRITERS - 1);
  assert_true(seq >= e->at_least[id[0] - '0']);
  e->count++;
  return true;
}

static void test_copies_under_writers(void **state) {
  struct fixture *f = *state;
  struct writer_thread writers[WRITERS];
  pthread_t threads[WRITERS];
  uint64_t before[WRITERS];
  struct snapshot_point point;
  char to[256];
  for (int i = 0; i < WRITERS; i++) {
    writers[i] = (struct writer_thread){.f = f};
    snprintf(writers[i].id, sizeof writers[i].id, "%d-debate", i);
    assert_int_equal(pthread_create(&threads[i], NULL, write_events, &writers[i]), 0);
  }
  for (int round = 0; round < 5; round++) {
    for (int i = 0; i < WRITERS; i++)
      while (__atomic_load_n(&writers[i].acknowledged, __ATOMIC_SEQ_CST) < (uint64_t)round * 20 + 1)
        sched_yield();
    for (int i = 0; i < WRITERS; i++)
      before[i] = __atomic_load_n(&writers[i].acknowledged, __ATOMIC_SEQ_CST);
    struct snapshot *s = begin(f, &point);
    snprintf(to, sizeof to, "%s/copy%d.db", f->dir, round);
    copy(s, DATABASE_MEMORY, to);
    snapshot_end(s);
    struct inspect *i = look(to, DATABASE_MEMORY);
    struct expected_heads e = {before, 0};
    struct error err = {0};
    assert_int_equal(inspect_heads(i, check_head, &e, &err), STATUS_OK);
    assert_int_equal(e.count, WRITERS);
    inspect_close(i);
  }
  for (int i = 0; i < WRITERS; i++) pthread_join(threads[i], NULL);
}

static bool stop(void *ctx, int64_t done, int64_t total) {
  (void)ctx;
  (void)done;
  (void)total;
  return false;
}

static void test_a_stopped_copy_leaves_nothing(void **state) {
  struct fixture *f = *state;
  struct snapshot_point point;
  char to[256];
  struct error err = {0};
  path_of(f, "copy.db", to);
  struct snapshot *s = begin(f, &point);
  struct snapshot_copying copying = {.step = stop};
  assert_int_equal(snapshot_copy(s, DATABASE_MEMORY, to, &copying, &err), STATUS_CANCELLED);
  assert_int_equal(access(to, F_OK), -1);
  copy(s, DATABASE_MEMORY, to); /* and it can be made again */
  assert_int_equal(snapshot_copy(s, DATABASE_MEMORY, to, &copying, &err),
                   STATUS_IO); /* not over it */
  snapshot_end(s);
}

static void test_refuses_what_is_not_ours(void **state) {
  struct fixture *f = *state;
  struct snapshot *s = NULL;
  struct snapshot_point point;
  struct error err = {0};
  char other[256];
  path_of(f, "none.db", other);
  assert_int_equal(snapshot_begin(other, f->elo_path, 100, &s, &point, &err), STATUS_NOT_FOUND);
  assert_non_null(strstr(err.message, other));
  assert_int_equal(access(other, F_OK), -1);
  assert_int_equal(snapshot_begin(f->elo_path, f->memory_path, 100, &s, &point, &err),
                   STATUS_CORRUPT);
  assert_non_null(strstr(err.message, f->elo_path));
}

/* A foreign write lock is waited for, and the writer's own is not kept. */
static void test_waits_for_a_lock(void **state) {
  struct fixture *f = *state;
  struct snapshot *s = NULL;
  struct snapshot_point point;
  struct error err = {0};
  sqlite3 *other;
  assert_int_equal(sqlite3_open(f->memory_path, &other), SQLITE_OK);
  assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
  assert_int_equal(snapshot_begin(f->memory_path, f->elo_path, 50, &s, &point, &err),
                   STATUS_TIMEOUT);
  assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
  s = begin(f, &point);
  assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE; COMMIT", NULL, NULL, NULL), SQLITE_OK);
  snapshot_end(s);
  sqlite3_close(other);
}

static void flip(const char *path, long at) {
  FILE *file = fopen(path, "r+");
  assert_non_null(file);
  fseek(file, at, SEEK_SET);
  int c = fgetc(file);
  fseek(file, at, SEEK_SET);
  fputc(c ^ 0xff, file);
  fclose(file);
}

static long root_page(const char *path, const char *table) {
  sqlite3 *db;
  char sql[128];
  int64_t page = 0;
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  snprintf(sql, sizeof sql, "SELECT rootpage FROM sqlite_schema WHERE name = '%s'", table);
  assert_int_equal(sqlite_get_int(db, sql, 0, &page, NULL), STATUS_OK);
  sqlite3_close(db);
  return (long)page;
}

static void test_integrity_names_the_file(void **state) {
  struct fixture *f = *state;
  struct snapshot_point point;
  struct store_debate row = make_debate("first", 1);
  struct error err = {0};
  char to[256];
  path_of(f, "copy.db", to);
  assert_int_equal(put_debate(f, "first", &row), STATUS_OK);
  struct snapshot *s = begin(f, &point);
  copy(s, DATABASE_MEMORY, to);
  snapshot_end(s);
  flip(to, (root_page(to, "events") - 1) * 4096); /* the kind of the page */
  struct inspect *i = look(to, DATABASE_MEMORY);
  assert_int_equal(inspect_integrity(i, &err), STATUS_CORRUPT);
  assert_non_null(strstr(err.message, to));
  inspect_close(i);
}

static void test_heads_of_two_states(void **state) {
  struct fixture *f = *state;
  struct error err = {0};
  struct inspect *live = NULL;
  struct store_debate row = make_debate("first", 1);
  bool found = false, same = false;
  assert_int_equal(put_debate(f, "first", &row), STATUS_OK);
  assert_int_equal(inspect_open_live(f->memory_path, DATABASE_MEMORY, 100, &live, &err), STATUS_OK);
  struct store_event e = make_event(1, "{}");
  assert_int_equal(inspect_has_head(live, "first", 1, e.hash, &found, &same, &err), STATUS_OK);
  assert_true(found && same);
  e.hash[31] ^= 1;
  assert_int_equal(inspect_has_head(live, "first", 1, e.hash, &found, &same, &err), STATUS_OK);
  assert_true(found && !same);
  assert_int_equal(inspect_has_head(live, "first", 2, e.hash, &found, &same, &err), STATUS_OK);
  assert_true(found && !same);
  assert_int_equal(inspect_has_head(live, "other", 1, e.hash, &found, &same, &err), STATUS_OK);
  assert_true(!found && !same);
  inspect_close(live);
}

static void test_the_chain_of_a_schema_that_has_one(void **state) {
  struct fixture *f = *state;
  struct inspect_position position;
  struct error err = {0};
  fixture_close(f);
  assert_int_equal(inspect_forget_chain(f->memory_path, &err), STATUS_OK); /* nothing to forget */
  sqlite3 *db;
  assert_int_equal(sqlite3_open(f->memory_path, &db), SQLITE_OK);
  /* The column may be there already. */
  sqlite3_exec(db, "ALTER TABLE commits ADD COLUMN chain TEXT NOT NULL DEFAULT ''", NULL, NULL,
               NULL);
  assert_int_equal(sqlite3_exec(db, "UPDATE commits SET chain = 'abc'", NULL, NULL, NULL),
                   SQLITE_OK);
  sqlite3_close(db);
  struct inspect *i = look(f->memory_path, DATABASE_MEMORY);
  assert_int_equal(inspect_position(i, &position, &err), STATUS_OK);
  assert_string_equal(position.chain, "abc");
  inspect_close(i);
  assert_int_equal(inspect_forget_chain(f->memory_path, &err), STATUS_OK);
  assert_alone(f->memory_path);
  i = look(f->memory_path, DATABASE_MEMORY);
  assert_int_equal(inspect_position(i, &position, &err), STATUS_OK);
  assert_string_equal(position.chain, "");
  inspect_close(i);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
      TEST(test_holds_what_was_committed_before),
      TEST(test_copies_under_writers),
      TEST(test_a_stopped_copy_leaves_nothing),
      TEST(test_refuses_what_is_not_ours),
      TEST(test_waits_for_a_lock),
      TEST(test_integrity_names_the_file),
      TEST(test_heads_of_two_states),
      TEST(test_the_chain_of_a_schema_that_has_one),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
