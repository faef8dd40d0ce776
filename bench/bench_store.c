/* What the store costs, in CPU: an append in the writer's thread when a hundred debates write at
 * once, a page of a list at growing numbers of debates, and a log read back.
 *
 * Prints `name<TAB>value<TAB>unit<TAB>unit of work`. Usage: bench_store [directory on a disk]
 */
#include "base/clock.h"
#include "store/archive_replay.h"
#include "store/store.h"

#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Five times a hundred debates of 70 events: about what one of 18 calls logs. */
enum { CROWD = 100, GENERATIONS = 5, EVENTS = 70, PAGE = 20, READS = 500 };

static void must(enum status status, const struct error *err) {
  if (!status) return;
  fprintf(stderr, "bench_store: %s %s\n", status_name(status), err ? err->message : "");
  exit(1);
}

static double cpu_us(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void print(const char *name, double value, const char *unit, const char *work) {
  printf("%s\t%.2f\t%s\t%s\n", name, value, unit, work);
  fflush(stdout);
}

/* The done function of a crowd's last batch: the writer waits in it until the next crowd is
 * queued, so that every transaction takes exactly one crowd. */
struct turn {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool writer_waits, go;
  double writer_us;
};

static void wait_for_crowd(void *ctx, enum status status) {
  struct turn *t = ctx;
  must(status, NULL);
  pthread_mutex_lock(&t->lock);
  t->writer_us = cpu_us(CLOCK_THREAD_CPUTIME_ID);
  t->writer_waits = true;
  pthread_cond_broadcast(&t->changed);
  while (!t->go) pthread_cond_wait(&t->changed, &t->lock);
  t->go = false;
  pthread_mutex_unlock(&t->lock);
}

static void wait_for_writer(struct turn *t) {
  pthread_mutex_lock(&t->lock);
  while (!t->writer_waits) pthread_cond_wait(&t->changed, &t->lock);
  t->writer_waits = false;
  pthread_mutex_unlock(&t->lock);
}

static void let_go(struct turn *t) {
  pthread_mutex_lock(&t->lock);
  t->go = true;
  pthread_cond_broadcast(&t->changed);
  pthread_mutex_unlock(&t->lock);
}

static void check(void *ctx, enum status status) {
  must(status, NULL);
}

static struct store_debate debate(int64_t created_ms) {
  return (struct store_debate){.task = (char *)"Design a rate limiter for a public API",
                               .agents = (char *)"[\"a\",\"b\",\"c\"]",
                               .status = (char *)"pending",
                               .consensus = (char *)"majority",
                               .created_ms = created_ms,
                               .completed_ms = -1,
                               .duration_ms = -1,
                               .confidence_ppm = -1,
                               .cost_usd_micro = -1};
}

static struct store_event event(uint64_t seq) {
  static char data[440];
  if (!data[0]) {
    memset(data, 'x', sizeof data - 1);
    memcpy(data, "{\"content\":\"", 12);
    memcpy(data + sizeof data - 3, "\"}", 2);
  }
  return (struct store_event){.seq = seq,
                              .type = "agent_message",
                              .ts_ms = 1700000000000,
                              .round = 1,
                              .agent = "anthropic-api",
                              .data = bytes_of(data)};
}

static void append_crowd(struct store *store, int generation, uint64_t seq, struct turn *turn) {
  struct store_debate row = debate(1);
  struct store_event e = event(seq);
  for (int i = 0; i < CROWD; i++) {
    char id[32];
    snprintf(id, sizeof id, "%08xcrowd%d", (unsigned)i * 2654435761u, generation);
    bool last = i == CROWD - 1;
    must(store_append(store, id, &e, 1, seq == 1 ? STORE_ROW_INSERT : STORE_ROW_NONE, &row, NULL, 0,
                      last ? wait_for_crowd : check, turn),
         NULL);
  }
}

/* One generation; the writer's CPU in microseconds, without the crowd that makes the debates. */
static double append_generation(struct store *store, int generation, struct turn *turn) {
  double start = 0;
  for (uint64_t seq = 1; seq <= EVENTS; seq++) {
    append_crowd(store, generation, seq, turn);
    if (seq > 1) let_go(turn);
    wait_for_writer(turn);
    if (seq == 1) start = turn->writer_us; /* new debates are measured by store_insert */
  }
  double us = turn->writer_us - start;
  let_go(turn);
  return us;
}

/* With and without an archive in turn, as the machine's own speed changes. */
static void bench_append(struct store *store, struct store *archived) {
  static struct turn turn = {.lock = PTHREAD_MUTEX_INITIALIZER,
                             .changed = PTHREAD_COND_INITIALIZER};
  double us = 0, archived_us = 0;
  for (int g = 0; g < GENERATIONS; g++) {
    us += append_generation(store, g, &turn);
    archived_us += append_generation(archived, g, &turn);
  }
  int events = CROWD * (EVENTS - 1) * GENERATIONS;
  print("store_append", us / events, "us CPU of the writer",
        "event, 100 debates at once, sync and checkpoints included");
  print("store_append_archived", archived_us / events, "us CPU of the writer",
        "the same, archived; in the same run");
}

static void insert_debates(struct store *store, int from, int to) {
  static struct turn turn = {.lock = PTHREAD_MUTEX_INITIALIZER,
                             .changed = PTHREAD_COND_INITIALIZER};
  struct store_event e = event(1);
  double start = cpu_us(CLOCK_PROCESS_CPUTIME_ID);
  for (int i = from; i < to; i++) {
    char id[32];
    struct store_debate row = debate(1700000000000 + i);
    snprintf(id, sizeof id, "%08xlist%d", (unsigned)i * 2654435761u, i);
    bool last = i == to - 1 || i % 1000 == 999;
    must(store_append(store, id, &e, 1, STORE_ROW_INSERT, &row, NULL, 0,
                      last ? wait_for_crowd : check, &turn),
         NULL);
    if (!last) continue;
    wait_for_writer(&turn);
    let_go(&turn);
  }
  if (to - from >= 10000)
    print("store_insert", (cpu_us(CLOCK_PROCESS_CPUTIME_ID) - start) / (to - from), "us CPU",
          "new debate with its first event, in crowds");
}

static void bench_list(struct store *store, int debates) {
  struct store_list_query query = {.limit = PAGE, .before_created_ms = -1};
  struct store_debate *rows;
  size_t count;
  int64_t total = 0;
  double start = 0;
  for (int i = -20; i < READS; i++) {
    if (i == 0) start = cpu_us(CLOCK_THREAD_CPUTIME_ID);
    must(store_list_debates(store, &PRINCIPAL_LOCAL, &query, &rows, &count, &total, NULL), NULL);
    store_list_free(rows, count);
  }
  double us = (cpu_us(CLOCK_THREAD_CPUTIME_ID) - start) / READS;
  char name[64];
  snprintf(name, sizeof name, "store_list_%d", debates);
  print(name, us, "us CPU", "page of 20 with its total");
}

static bool sum_bytes(void *ctx, const struct store_event *e) {
  *(size_t *)ctx += e->data.len;
  return true;
}

static void bench_read(struct store *store) {
  char id[32];
  snprintf(id, sizeof id, "%08xcrowd%d", 7 * 2654435761u, 1);
  size_t bytes = 0;
  double start = cpu_us(CLOCK_THREAD_CPUTIME_ID);
  for (int i = 0; i < READS; i++) {
    struct store_debate row;
    must(store_get_debate(store, &PRINCIPAL_LOCAL, id, &row, NULL), NULL);
    store_debate_done(&row);
    must(store_read_events(store, &PRINCIPAL_LOCAL, id, 0, EVENTS, sum_bytes, &bytes, NULL), NULL);
  }
  print("store_read", (cpu_us(CLOCK_THREAD_CPUTIME_ID) - start) / READS, "us CPU",
        "row and log of 70 events");
}

/* `archive_dir` may be NULL. */
static struct store *open_store(const char *dir, const char *archive_dir) {
  char memory_path[256], elo_path[256];
  snprintf(memory_path, sizeof memory_path, "%s/bench_memory.db", dir);
  snprintf(elo_path, sizeof elo_path, "%s/bench_elo.db", dir);
  struct store_options options = {
      .memory_path = memory_path,
      .elo_path = elo_path,
      .pool_size = 4,
      .timeout_ms = 5000,
      .max_queued_bytes = (size_t)1 << 30,
      .archive = {
          .dir = archive_dir, .segment_bytes = 16 << 20, .roll_ms = 3600000, .sync_ms = 500}};
  struct store *store;
  struct error err;
  double start = cpu_us(CLOCK_MONOTONIC);
  must(store_open(&options, &store, &err), &err);
  if (!archive_dir) print("store_open", (cpu_us(CLOCK_MONOTONIC) - start) / 1e3, "ms", "start");
  return store;
}

/* A store with an archive, and a copy of its empty database to bring forward. */
static struct store *open_archived(const char *dir, const char *base) {
  char archive_dir[256], sql[320];
  struct store_archive_state state;
  sqlite3 *db;
  snprintf(archive_dir, sizeof archive_dir, "%s/archive", dir);
  struct store *store = open_store(dir, archive_dir);
  do {
    usleep(1000);
    store_archive_state(store, &state);
  } while (!state.running);
  snprintf(sql, sizeof sql, "%s/bench_memory.db", dir);
  must(sqlite_open(sql, SQLITE_OPEN_READWRITE, 5000, &db, NULL), NULL);
  snprintf(sql, sizeof sql, "VACUUM INTO '%s'", base);
  must(sqlite_run(db, sql, NULL), NULL);
  sqlite_close(db);
  return store;
}

static void bench_replay(const char *dir, const char *base) {
  char archive_dir[256];
  struct archive_replayed r;
  struct error err;
  snprintf(archive_dir, sizeof archive_dir, "%s/archive", dir);
  double start = cpu_us(CLOCK_THREAD_CPUTIME_ID);
  must(archive_replay(archive_dir, base, INT64_MAX, &r, &err), &err);
  print("archive_replay", (cpu_us(CLOCK_THREAD_CPUTIME_ID) - start) / (double)r.count, "us CPU",
        "commit of 100 events");
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw) {
  return remove(path);
}

int main(int argc, char **argv) {
  char dir[200];
  snprintf(dir, sizeof dir, "%s/bench-store-XXXXXX", argc > 1 ? argv[1] : "/tmp");
  if (!mkdtemp(dir)) must(STATUS_IO, NULL);
  char archived_dir[220], base[240];
  snprintf(archived_dir, sizeof archived_dir, "%s/archived", dir);
  snprintf(base, sizeof base, "%s/base.db", dir);
  if (mkdir(archived_dir, 0700)) must(STATUS_IO, NULL);
  struct store *store = open_store(dir, NULL), *archived = open_archived(archived_dir, base);
  bench_append(store, archived);
  store_close(archived);
  bench_replay(archived_dir, base);
  bench_read(store);
  int sizes[] = {1000, 10000, 100000}, have = CROWD * GENERATIONS;
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    if (sizes[i] > have) insert_debates(store, have, sizes[i]);
    have = sizes[i];
    bench_list(store, have);
  }
  store_close(store);
  store_close(open_store(dir, NULL));
  nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
  return 0;
}
