/* What the runner costs, alone: CPU of the loop's thread for a call and for a debate when the
 * provider answers at once (asking, sealing, folding, frames, handing over; without making the
 * scripted replies), CPU of the writer beside it, and the memory of a debate that waits for its
 * answers.
 *
 * Prints `name<TAB>value<TAB>unit<TAB>unit of work`. Usage: bench_runner [directory on a disk]
 */
#include "base/log.h"
#include "base/options_load.h"
#include "runner/runner.h"
#include "scripted_ask.h"

#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { DEBATES = 400, FIRST_SILENT = 200, SILENT = 1000, AGENTS = 3 };

struct bench {
  struct loop *loop;
  pthread_t thread;
  struct store *store;
  struct hub *hub;
  struct provider *provider;
  struct agent_table agents;
  struct options options;
  struct runner *runner;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  int done;
};

static void must(enum status status, const struct error *err) {
  if (!status) return;
  fprintf(stderr, "bench_runner: %s %s\n", status_name(status), err ? err->message : "");
  exit(1);
}

static void print(const char *name, double value, const char *unit, const char *work) {
  printf("%s\t%.2f\t%s\t%s\n", name, value, unit, work);
}

static void tick(void *ctx) {
  struct bench *b = ctx;
  pthread_mutex_lock(&b->lock);
  b->done++;
  pthread_cond_signal(&b->changed);
  pthread_mutex_unlock(&b->lock);
}

static void wait_for(struct bench *b, int count) {
  pthread_mutex_lock(&b->lock);
  while (b->done < count) pthread_cond_wait(&b->changed, &b->lock);
  b->done = 0;
  pthread_mutex_unlock(&b->lock);
}

static void on_started(void *ctx, enum status status, const struct error *err,
                       const struct runner_started *started) {
  (void)started;
  must(status, err);
  tick(ctx);
}

static void start(struct bench *b, int count) {
  static const char *const names[AGENTS] = {"alpha", "beta", "gamma"};
  for (int i = 0; i < count; i++) {
    struct debate_spec spec;
    debate_spec_init(&spec);
    spec.task = bytes_dup(BYTES_LITERAL("Design a rate limiter for a public API"));
    for (int k = 0; k < AGENTS; k++) spec.agents[k] = bytes_dup(bytes_of(names[k]));
    spec.agent_count = AGENTS;
    spec.fast_path = false;
    spec.seed = (uint64_t)i;
    spec.seed_given = true;
    runner_start(b->runner, &PRINCIPAL_LOCAL, &spec, NULL, NULL, on_started, b);
  }
  wait_for(b, count);
}

static double clock_us(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void *run_loop(void *arg) {
  loop_run(arg);
  return NULL;
}

static void open_all(struct bench *b, const char *dir) {
  char memory_path[256];
  char elo_path[256];
  struct error err = {0};
  snprintf(memory_path, sizeof memory_path, "%s/bench_memory.db", dir);
  snprintf(elo_path, sizeof elo_path, "%s/bench_elo.db", dir);
  struct store_options store = {.memory_path = memory_path,
                                .elo_path = elo_path,
                                .pool_size = 4,
                                .timeout_ms = 5000,
                                .max_queued_bytes = (size_t)1 << 30};
  struct provider_options provider = {0};
  b->done = 0;
  must(store_open(&store, &b->store, &err), &err);
  must(loop_create(&b->loop, &err), &err);
  must(hub_create(10000, &b->hub, &err), &err);
  must(provider_create(b->loop, &provider, &b->provider, &err), &err);
  must(runner_create(b->loop, b->store, b->hub, b->provider, &b->agents, &b->options, &b->runner,
                     &err),
       &err);
  if (pthread_create(&b->thread, NULL, run_loop, b->loop)) must(STATUS_IO, NULL);
}

static void close_all(struct bench *b) {
  runner_stop(b->runner);
  store_close(b->store);
  loop_stop(b->loop);
  pthread_join(b->thread, NULL);
  runner_destroy(b->runner);
  provider_destroy(b->provider);
  hub_destroy(b->hub);
  loop_destroy(b->loop);
}

static void bench_calls(struct bench *b) {
  clockid_t loop_clock;
  if (pthread_getcpuclockid(b->thread, &loop_clock)) must(STATUS_IO, NULL);
  const struct scripted_rules at_once = {0};
  scripted_set(&at_once);
  double compose = scripted_compose_us();
  double loop = clock_us(loop_clock);
  double process = clock_us(CLOCK_PROCESS_CPUTIME_ID);
  start(b, DEBATES);
  runner_drain(b->runner, tick, b);
  wait_for(b, 1);
  compose = scripted_compose_us() - compose;
  loop = clock_us(loop_clock) - loop - compose;
  process = clock_us(CLOCK_PROCESS_CPUTIME_ID) - process - compose;
  double calls = (double)scripted_counts().answered;
  print("runner_call", loop / calls, "us CPU of the loop",
        "call: asked, answered, sealed, folded, handed over");
  print("runner_debate", loop / DEBATES, "us CPU of the loop", "debate of 3 agents, 2 rounds");
  print("runner_all", process / calls, "us CPU", "call, the writer with its syncs included");
  print("runner_calls", calls / DEBATES, "calls", "debate");
}

static struct scripted_answer silent(void *ctx, const struct scripted_question *question) {
  (void)ctx;
  (void)question;
  return (struct scripted_answer){.deed = SCRIPT_SILENT};
}

static void start_silent(struct bench *b, int count, long sent) {
  start(b, count);
  while (scripted_counts().proceeded < sent) poll(NULL, 0, 1);
}

static void bench_memory(struct bench *b) {
  const struct scripted_rules rules = {.answer = silent};
  scripted_set(&rules);
  start_silent(b, FIRST_SILENT, (long)FIRST_SILENT * AGENTS);
  size_t before = mallinfo2().uordblks;
  start_silent(b, SILENT, (long)(FIRST_SILENT + SILENT) * AGENTS);
  size_t after = mallinfo2().uordblks;
  print("runner_memory", (double)(after - before) / SILENT, "bytes",
        "debate of 3 agents that waits for its first answers");
}

int main(int argc, char **argv) {
  struct bench b = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
  struct error err = {0};
  char dir[200];
  snprintf(dir, sizeof dir, "%s/bench-runner-XXXXXX", argc > 1 ? argv[1] : "/tmp");
  if (!mkdtemp(dir)) must(STATUS_IO, NULL);
  must(options_init(&b.options, &err), &err);
  must(log_open(LOG_LEVEL_ERROR, NULL, true, &err), &err);
  mallopt(M_ARENA_MAX, 1); /* mallinfo2 counts the first arena */
  b.options.max_concurrent_debates = FIRST_SILENT + SILENT;
  struct agent_binding row = {.provider = "acme",
                              .model = "acme-large",
                              .wire = WIRE_OPENAI,
                              .context_tokens = 200000,
                              .price_input_usd_micro = -1,
                              .price_output_usd_micro = -1,
                              .available = true};
  struct agent_binding rows[AGENTS] = {row, row, row};
  rows[0].type = "alpha";
  rows[1].type = "beta";
  rows[2].type = "gamma";
  b.agents = (struct agent_table){rows, AGENTS, NULL, NULL};
  open_all(&b, dir);
  bench_calls(&b);
  close_all(&b);
  open_all(&b, dir);
  bench_memory(&b);
  close_all(&b);
  options_done(&b.options);
  const char *names[] = {"bench_memory.db", "bench_elo.db"};
  for (int i = 0; i < 2; i++) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, names[i]);
    unlink(path);
  }
  rmdir(dir);
  return 0;
}
