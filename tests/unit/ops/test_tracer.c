/* Replay files: written when a debate has ended, removed when it was deleted or its term is over,
 * whatever fails between. The place is a directory behind a watchman. */
#include "../store/fixture.h"
#include "ops/proof.h"
#include "ops/tracer.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct watched {
  struct trace_place place;
  struct trace_place *inner;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  int puts, failures, removes, sweeps; /* so far */
  bool failing;
  void (*before_put)(void *ctx); /* once */
  void *ctx;
  bool closed;
};

static struct watched *watched_of(struct trace_place *place) {
  return (struct watched *)place;
}

static void count(struct watched *w, int *counter) {
  pthread_mutex_lock(&w->lock);
  ++*counter;
  pthread_cond_broadcast(&w->changed);
  pthread_mutex_unlock(&w->lock);
}

static void wait_for(struct watched *w, const int *counter, int at_least) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += 20;
  pthread_mutex_lock(&w->lock);
  while (*counter < at_least)
    assert_int_equal(pthread_cond_timedwait(&w->changed, &w->lock, &until), 0);
  pthread_mutex_unlock(&w->lock);
}

static enum status put(struct trace_place *place, const char *name, struct bytes content,
                       int64_t of_ms, struct error *err) {
  struct watched *w = watched_of(place);
  void (*before)(void *) = w->before_put;
  w->before_put = NULL;
  if (before) before(w->ctx);
  pthread_mutex_lock(&w->lock);
  bool failing = w->failing;
  pthread_mutex_unlock(&w->lock);
  if (failing) {
    count(w, &w->failures);
    return error_set(err, STATUS_FULL, NULL, "the disk is full");
  }
  enum status s = w->inner->ops->put(w->inner, name, content, of_ms, err);
  count(w, &w->puts);
  return s;
}

static enum status settle(struct trace_place *place, struct error *err) {
  return watched_of(place)->inner->ops->settle(watched_of(place)->inner, err);
}

static bool has(struct trace_place *place, const char *id) {
  return watched_of(place)->inner->ops->has(watched_of(place)->inner, id);
}

static enum status remove_replay(struct trace_place *place, const char *id, struct error *err) {
  struct watched *w = watched_of(place);
  enum status s = w->inner->ops->remove(w->inner, id, err);
  count(w, &w->removes);
  return s;
}

static enum status sweep(struct trace_place *place, int64_t before_ms, bool *ret_more,
                         size_t *ret_removed, struct error *err) {
  struct watched *w = watched_of(place);
  enum status s = w->inner->ops->sweep(w->inner, before_ms, ret_more, ret_removed, err);
  count(w, &w->sweeps);
  return s;
}

static void close_place(struct trace_place *place) {
  struct watched *w = watched_of(place);
  w->inner->ops->close(w->inner);
  w->closed = true;
}

static const struct trace_place_ops watched_ops = {.put = put,
                                                   .settle = settle,
                                                   .has = has,
                                                   .remove = remove_replay,
                                                   .sweep = sweep,
                                                   .close = close_place};

static struct watched watched;
static char directory[128];
static struct tracer *tracer;

static void start(struct fixture *f, bool write, int64_t days) {
  struct tracer_options options = {write, days};
  watched = (struct watched){.place = {&watched_ops}};
  pthread_mutex_init(&watched.lock, NULL);
  pthread_cond_init(&watched.changed, NULL);
  snprintf(directory, sizeof directory, "%s/data/replays", f->dir);
  assert_int_equal(trace_directory_open(directory, &watched.inner, NULL), STATUS_OK);
  assert_int_equal(tracer_start(f->store, &watched.place, &options, &tracer, NULL), STATUS_OK);
}

static void stop(void) {
  tracer_stop(tracer);
  tracer_destroy(tracer);
  assert_true(watched.closed);
}

/* ---- debates ---- */

static void end_debate(struct fixture *f, const char *id, int64_t ended_ms) {
  struct store_debate row = make_debate("What is it?", ended_ms - 1000);
  struct answers answers;
  answers_init(&answers);
  assert_int_equal(put_debate(f, id, &row), STATUS_OK);
  row.status = "completed";
  row.outcome = "consensus";
  row.completed_ms = ended_ms;
  row.duration_ms = 1000;
  assert_int_equal(
      store_append(f->store, id, NULL, 0, STORE_ROW_UPDATE, &row, NULL, 0, answers_add, &answers),
      STATUS_OK);
  answers_wait(&answers, 1);
  assert_int_equal(answers.statuses[0], STATUS_OK);
}

static void delete_debate(struct fixture *f, const char *id) {
  struct store_deletion what = {id, "", "somebody", 1700000000000, false, NULL};
  struct answers answers;
  answers_init(&answers);
  assert_int_equal(store_delete_debate(f->store, &PRINCIPAL_LOCAL, &what, answers_add, &answers),
                   STATUS_OK);
  answers_wait(&answers, 1);
  assert_int_equal(answers.statuses[0], STATUS_OK);
}

static void count_note(void *ctx, const struct store_trace *trace) {
  (void)trace;
  ++*(int *)ctx;
}

static int notes(struct fixture *f) {
  int n = 0;
  assert_int_equal(store_read_traces(f->store, "", 1000, count_note, &n, NULL), STATUS_OK);
  return n;
}

static bool is_there(const char *id, const char *file) {
  char path[256];
  struct stat st;
  snprintf(path, sizeof path, "%s/%s%s%s", directory, id, *file ? "/" : "", file);
  return stat(path, &st) == 0;
}

static int64_t now_ms(void) {
  return (int64_t)time(NULL) * 1000;
}

/* ---- the tests ---- */

static void test_writes_what_ends(void **state) {
  struct fixture *f = *state;
  char path[256];
  struct stat st;
  int64_t ended = now_ms() - 5000;
  start(f, true, 90);
  end_debate(f, "one", ended);
  wait_for(&watched, &watched.puts, 2);
  stop();
  assert_true(is_there("one", "events.jsonl") && is_there("one", "meta.json"));
  assert_false(is_there("one", "meta.json.part"));
  assert_int_equal(notes(f), 0);
  snprintf(path, sizeof path, "%s/one/meta.json", directory);
  json_t *meta = json_load_file(path, 0, NULL);
  assert_string_equal(json_get_text(meta, "debate_id", ""), "one");
  assert_string_equal(json_get_text(meta, "topic", ""), "What is it?");
  assert_string_equal(json_get_text(meta, "status", ""), "completed");
  assert_int_equal(json_get_int(meta, "event_count", 0), 1);
  assert_int_equal(json_get_int(meta, "duration_ms", 0), 1000);
  assert_int_equal(strlen(json_get_text(meta, "head_hash", "")), 64);
  json_decref(meta);
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mtime, ended / 1000);
}

static void test_nothing_is_due_while_it_runs(void **state) {
  struct fixture *f = *state;
  struct store_debate row = make_debate("task", 1);
  assert_int_equal(put_debate(f, "running", &row), STATUS_OK);
  assert_int_equal(notes(f), 0);
}

/* The note is in the transaction that ended the debate: the next process finds it. */
static void test_writes_what_a_crash_left(void **state) {
  struct fixture *f = *state;
  for (int i = 0; i < 70; i++) { /* more than a page */
    char id[16];
    snprintf(id, sizeof id, "d%d", i);
    end_debate(f, id, now_ms());
  }
  assert_int_equal(notes(f), 70);
  fixture_close(f);
  fixture_open(f);
  start(f, true, 0);
  wait_for(&watched, &watched.puts, 140);
  stop();
  assert_int_equal(notes(f), 0);
  assert_true(is_there("d69", "meta.json"));
}

static void test_what_fails_is_tried_again(void **state) {
  struct fixture *f = *state;
  start(f, true, 0);
  watched.failing = true;
  end_debate(f, "one", now_ms());
  wait_for(&watched, &watched.failures, 2);
  assert_int_equal(notes(f), 1);
  assert_false(is_there("one", ""));
  pthread_mutex_lock(&watched.lock);
  watched.failing = false;
  pthread_mutex_unlock(&watched.lock);
  wait_for(&watched, &watched.puts, 2);
  stop();
  assert_int_equal(notes(f), 0);
}

/* A real directory that cannot be made. */
static void test_no_directory(void **state) {
  struct fixture *f = *state;
  char file[128];
  snprintf(file, sizeof file, "%s/data", f->dir);
  close(open(file, O_CREAT | O_WRONLY, 0600));
  start(f, true, 0);
  end_debate(f, "one", now_ms());
  wait_for(&watched, &watched.puts, 1);
  assert_int_equal(notes(f), 1);
  unlink(file);
  wait_for(&watched, &watched.puts, 3);
  stop();
  assert_true(is_there("one", "meta.json"));
}

static void test_removes_what_is_deleted(void **state) {
  struct fixture *f = *state;
  start(f, true, 0);
  end_debate(f, "one", now_ms());
  wait_for(&watched, &watched.puts, 2);
  delete_debate(f, "one");
  wait_for(&watched, &watched.removes, 1);
  stop();
  assert_false(is_there("one", ""));
  assert_int_equal(notes(f), 0);
}

static int removes_so_far(void) {
  pthread_mutex_lock(&watched.lock);
  int removes = watched.removes;
  pthread_mutex_unlock(&watched.lock);
  return removes;
}

/* What cannot be looked at is not gone. */
static void test_removes_what_comes_back(void **state) {
  struct fixture *f = *state;
  char data[128], away[128];
  snprintf(data, sizeof data, "%s/data", f->dir);
  snprintf(away, sizeof away, "%s/away", f->dir);
  start(f, true, 0);
  end_debate(f, "one", now_ms());
  wait_for(&watched, &watched.puts, 2);
  stop();
  assert_int_equal(rename(data, away), 0);
  close(open(data, O_CREAT | O_WRONLY, 0600));
  delete_debate(f, "one");
  start(f, true, 0);
  wait_for(&watched, &watched.removes, 1);
  assert_int_equal(notes(f), 1);
  assert_int_equal(rename(away, data), -1);
  assert_int_equal(unlink(data), 0);
  assert_int_equal(rename(away, data), 0);
  for (int n = removes_so_far(); is_there("one", ""); n++)
    wait_for(&watched, &watched.removes, n + 1);
  stop();
  assert_false(is_there("one", ""));
}

/* A log that nobody can read delays no other. */
static void test_a_damaged_log(void **state) {
  struct fixture *f = *state;
  sqlite3 *db;
  end_debate(f, "bad", now_ms());
  assert_int_equal(sqlite3_open(f->memory_path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_exec(db, "UPDATE events SET hash = x'00'", NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(db);
  start(f, true, 0);
  for (int i = 0; i < 5; i++) { /* tried again each second at first, then ever more slowly */
    char id[16];
    snprintf(id, sizeof id, "d%d", i);
    end_debate(f, id, now_ms());
    wait_for(&watched, &watched.puts, 2 * (i + 1));
  }
  stop();
  assert_false(is_there("bad", "meta.json"));
  assert_int_equal(notes(f), 1);
}

static void delete_one(void *ctx) {
  delete_debate(ctx, "one");
}

/* What was written of a state that is gone does not take the later note away. */
static void test_change_while_it_writes(void **state) {
  struct fixture *f = *state;
  end_debate(f, "one", now_ms());
  start(f, true, 0);
  stop(); /* so that it is written again below */
  delete_debate(f, "one");
  end_debate(f, "two", now_ms());
  assert_int_equal(notes(f), 2);
  start(f, true, 0);
  stop();
  assert_int_equal(notes(f), 0);
}

static void test_deleted_while_it_writes(void **state) {
  struct fixture *f = *state;
  end_debate(f, "one", now_ms());
  struct tracer_options options = {true, 0};
  watched = (struct watched){.place = {&watched_ops}, .before_put = delete_one, .ctx = f};
  pthread_mutex_init(&watched.lock, NULL);
  pthread_cond_init(&watched.changed, NULL);
  snprintf(directory, sizeof directory, "%s/data/replays", f->dir);
  assert_int_equal(trace_directory_open(directory, &watched.inner, NULL), STATUS_OK);
  assert_int_equal(tracer_start(f->store, &watched.place, &options, &tracer, NULL), STATUS_OK);
  wait_for(&watched, &watched.removes, 1);
  stop();
  assert_false(is_there("one", ""));
  assert_int_equal(notes(f), 0);
}

static void test_off_writes_nothing_new(void **state) {
  struct fixture *f = *state;
  start(f, true, 0);
  end_debate(f, "old", now_ms());
  wait_for(&watched, &watched.puts, 2);
  stop();
  start(f, false, 0);
  end_debate(f, "new", now_ms());
  delete_debate(f, "old");
  wait_for(&watched, &watched.removes, 1);
  stop();
  assert_int_equal(notes(f), 0);
  assert_false(is_there("new", ""));
  assert_false(is_there("old", ""));
  assert_int_equal(watched.puts, 0);
}

static void test_removes_what_is_past_its_term(void **state) {
  struct fixture *f = *state;
  const int64_t day = 86400000;
  start(f, true, 0);
  for (int i = 0; i < 80; i++) { /* more than a step of a sweep */
    char id[16];
    snprintf(id, sizeof id, "d%d", i);
    end_debate(f, id, now_ms() - (i % 2 ? 3 : 1) * day);
  }
  wait_for(&watched, &watched.puts, 160);
  stop();
  char stranger[256];
  snprintf(stranger, sizeof stranger, "%s/d1/notes.txt", directory);
  close(open(stranger, O_CREAT | O_WRONLY, 0600));
  start(f, true, 2);
  wait_for(&watched, &watched.sweeps, 2);
  stop();
  for (int i = 0; i < 80; i++) {
    char id[16];
    snprintf(id, sizeof id, "d%d", i);
    assert_int_equal(is_there(id, "meta.json"), i % 2 == 0);
  }
  assert_true(is_there("d1", "notes.txt")); /* not ours */
}

static void test_names_stay_in_the_directory(void **state) {
  struct fixture *f = *state;
  struct trace_place *place;
  char dir[128];
  snprintf(dir, sizeof dir, "%s/replays", f->dir);
  assert_int_equal(trace_directory_open(dir, &place, NULL), STATUS_OK);
  static const char *const names[] = {"../meta.json", "meta.json", "/etc/meta.json",
                                      "a.b/meta.json", ""};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    assert_int_equal(place->ops->put(place, names[i], BYTES_LITERAL("x"), 0, NULL), STATUS_INVALID);
  place->ops->close(place);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_writes_what_ends),
      TEST(test_nothing_is_due_while_it_runs),
      TEST(test_writes_what_a_crash_left),
      TEST(test_what_fails_is_tried_again),
      TEST(test_no_directory),
      TEST(test_removes_what_is_deleted),
      TEST(test_removes_what_comes_back),
      TEST(test_a_damaged_log),
      TEST(test_change_while_it_writes),
      TEST(test_deleted_while_it_writes),
      TEST(test_off_writes_nothing_new),
      TEST(test_removes_what_is_past_its_term),
      TEST(test_names_stay_in_the_directory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
