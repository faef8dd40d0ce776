#include "fixture.h"

#include "base/clock.h"

#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int fixture_setup_closed(void **state) {
  struct fixture *f = calloc(1, sizeof *f);
  if (!f) return -1;
  snprintf(f->dir, sizeof f->dir, "/tmp/aragora-store-XXXXXX");
  if (!mkdtemp(f->dir)) return -1;
  snprintf(f->memory_path, sizeof f->memory_path, "%s/memory.db", f->dir);
  snprintf(f->elo_path, sizeof f->elo_path, "%s/elo.db", f->dir);
  f->options = (struct store_options){
      .memory_path = f->memory_path,
      .elo_path = f->elo_path,
      .pool_size = 4,
      .timeout_ms = 5000,
      .max_queued_bytes = 64 * 1024 * 1024,
  };
  *state = f;
  return 0;
}

void fixture_open(struct fixture *f) {
  struct error err = {0};
  if (store_open(&f->options, &f->store, &err)) fail_msg("%s", err.message);
}

int fixture_setup(void **state) {
  if (fixture_setup_closed(state)) return -1;
  fixture_open(*state);
  return 0;
}

void fixture_close(struct fixture *f) {
  store_close(f->store);
  f->store = NULL;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw) {
  return remove(path);
}

int fixture_teardown(void **state) {
  struct fixture *f = *state;
  fixture_close(f);
  nftw(f->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
  free(f);
  return 0;
}

void answers_init(struct answers *a) {
  *a = (struct answers){.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
}

void answers_add(void *answers, enum status status) {
  struct answers *a = answers;
  pthread_mutex_lock(&a->lock);
  a->statuses[a->count++] = status;
  pthread_cond_broadcast(&a->changed);
  pthread_mutex_unlock(&a->lock);
}

void answers_wait(struct answers *a, size_t count) {
  pthread_mutex_lock(&a->lock);
  while (a->count < count) pthread_cond_wait(&a->changed, &a->lock);
  pthread_mutex_unlock(&a->lock);
}

void gate_init(struct gate *g) {
  *g = (struct gate){.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
}

void gate_hold(void *gate, enum status status) {
  struct gate *g = gate;
  pthread_mutex_lock(&g->lock);
  g->entered = true;
  pthread_cond_broadcast(&g->changed);
  while (!g->released) pthread_cond_wait(&g->changed, &g->lock);
  pthread_mutex_unlock(&g->lock);
}

void gate_wait_entered(struct gate *g) {
  pthread_mutex_lock(&g->lock);
  while (!g->entered) pthread_cond_wait(&g->changed, &g->lock);
  pthread_mutex_unlock(&g->lock);
}

void gate_release(struct gate *g) {
  pthread_mutex_lock(&g->lock);
  g->released = true;
  pthread_cond_broadcast(&g->changed);
  pthread_mutex_unlock(&g->lock);
}

struct store_event make_event(uint64_t seq, const char *data) {
  struct store_event e = {
      .seq = seq,
      .type = "agent_message",
      .ts_ms = 1700000000000 + (int64_t)seq,
      .round = seq == 1 ? -1 : (int)seq,
      .agent = seq == 1 ? NULL : "demo-1",
      .data = data ? bytes_of(data) : (struct bytes){0},
  };
  if (data) memset(e.salt, (int)(seq & 0x7f) + 1, sizeof e.salt);
  memset(e.digest, (int)(seq & 0x7f) + 2, sizeof e.digest);
  memset(e.hash, (int)(seq & 0x7f) + 3, sizeof e.hash);
  return e;
}

struct store_debate make_debate(const char *task, int64_t created_ms) {
  return (struct store_debate){
      .tenant_id = (char *)"local",
      .owner_id = (char *)"local",
      .task = (char *)task,
      .agents = (char *)"[\"demo-1\",\"demo-2\"]",
      .status = (char *)"pending",
      .consensus = (char *)"majority",
      .created_ms = created_ms,
      .completed_ms = -1,
      .duration_ms = -1,
      .confidence_ppm = -1,
      .cost_usd_micro = -1,
  };
}

static enum status put(struct fixture *f, const char *id, uint64_t seq,
                       enum store_row_change change, const struct store_debate *row) {
  struct answers a;
  answers_init(&a);
  struct store_event e = make_event(seq, "{\"content\":\"text\"}");
  assert_int_equal(store_append(f->store, id, &e, 1, change, row, NULL, 0, answers_add, &a),
                   STATUS_OK);
  answers_wait(&a, 1);
  return a.statuses[0];
}

enum status put_debate(struct fixture *f, const char *id, const struct store_debate *row) {
  return put(f, id, 1, STORE_ROW_INSERT, row);
}

enum status put_event(struct fixture *f, const char *id, uint64_t seq) {
  return put(f, id, seq, STORE_ROW_NONE, NULL);
}

static bool count_next(void *ctx, const struct store_event *event) {
  size_t *count = ctx;
  assert_int_equal(event->seq, ++*count);
  return true;
}

size_t count_events(struct fixture *f, const char *id) {
  size_t count = 0;
  assert_int_equal(
      store_read_events(f->store, &PRINCIPAL_LOCAL, id, 0, 0, count_next, &count, NULL), STATUS_OK);
  return count;
}

void wait_writable(struct fixture *f, bool writable) {
  int64_t until = clock_mono_us(&clock_system) + 10 * 1000000;
  while (store_writable(f->store) != writable) {
    assert_true(clock_mono_us(&clock_system) < until);
    poll(NULL, 0, 1);
  }
}
