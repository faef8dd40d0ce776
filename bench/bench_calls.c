/* Memory over very many calls to a provider through src/provider, some of them faulty: what is held
 * when nothing is asked must not grow with the calls that were.
 *
 * Prints `name<TAB>value<TAB>unit<TAB>unit of work`. Usage: bench_calls PORT [calls]
 * PORT is one of `aragora fake-provider`, whose script makes the faults: a tenth of the answers.
 */
#include "asker.h"
#include "base/clock.h"
#include "base/log.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

enum { AT_ONCE = 256, ANSWER_MAX = 1 << 20, NEVER = 1 << 30 };

struct memory {
  long calls;
  double malloced_kib, anonymous_kib;
};

static void must(enum status status, const struct error *err) {
  if (!status) return;
  fprintf(stderr, "bench_calls: %s %s\n", status_name(status), err ? err->message : "");
  exit(1);
}

static void print(const char *name, double value, const char *unit, const char *work) {
  printf("%s\t%.2f\t%s\t%s\n", name, value, unit, work);
  fflush(stdout);
}

static double anonymous_kib(void) {
  char line[256];
  double value = -1;
  FILE *f = fopen("/proc/self/status", "r");
  if (!f) must(STATUS_IO, NULL);
  while (fgets(line, sizeof line, f))
    if (strncmp(line, "RssAnon:", 8) == 0) value = atof(line + 8);
  fclose(f);
  return value;
}

/* Asks until about so many calls have been made since the start (one in ten is made again), and
 * ends with none under way. */
static struct memory run_to(struct asker *asker, long calls) {
  const struct asker_counts *counts = asker_counts(asker);
  asker_run(asker, (calls - counts->attempts) / 10 * 9 + 1);
  struct mallinfo2 m = mallinfo2();
  return (struct memory){counts->attempts, (double)(m.uordblks + m.hblkhd) / 1024, anonymous_kib()};
}

static void print_memory(const struct memory *m) {
  char work[64];
  snprintf(work, sizeof work, "after %ld calls, none under way", m->calls);
  print("malloced", m->malloced_kib, "KiB", work);
  print("anonymous memory", m->anonymous_kib, "KiB", work);
}

static void print_slope(const struct memory *from, const struct memory *to) {
  char work[64];
  double thousands = (double)(to->calls - from->calls) / 1000;
  snprintf(work, sizeof work, "1,000 calls, from %ld on", from->calls);
  print("growth of malloced", (to->malloced_kib - from->malloced_kib) * 1024 / thousands, "bytes",
        work);
  print("growth of anonymous memory", (to->anonymous_kib - from->anonymous_kib) * 1024 / thousands,
        "bytes", work);
}

static void print_counts(const struct asker_counts *c) {
  char name[64];
  for (int i = 0; i <= OUTCOME_UNKNOWN; i++) {
    snprintf(name, sizeof name, "calls that ended %s", outcome_name((enum outcome)i));
    if (c->done[i] + c->failed[i])
      print(name, (double)(c->done[i] + c->failed[i]), "calls", "of all");
  }
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: bench_calls PORT [calls]\n");
    return 2;
  }
  char base_url[64];
  struct error err = {0};
  struct loop *loop;
  struct provider *provider;
  const long calls = argc > 2 ? atol(argv[2]) : 1000000;
  const struct provider_options options = {.connections_per_host = 64,
                                           .max_queued = 1024,
                                           .connect_timeout_ms = 5000,
                                           .idle_timeout_ms = 60000,
                                           .max_answer_bytes = ANSWER_MAX,
                                           .max_retries = 3,
                                           .breaker_threshold = NEVER};
  const struct agent_binding binding = {.type = "openai-api",
                                        .provider = "openai",
                                        .model = "gpt-5.2",
                                        .wire = WIRE_OPENAI,
                                        .base_url = base_url,
                                        .key = "bench",
                                        .key_variable = "OPENAI_API_KEY",
                                        .output_tokens_max = 8192,
                                        .available = true};
  snprintf(base_url, sizeof base_url, "http://127.0.0.1:%d/v1", atoi(argv[1]));
  must(log_open(LOG_LEVEL_ERROR, NULL, true, &err), &err);
  must(loop_create(&loop, &err), &err);
  must(provider_create(loop, &options, &provider, &err), &err);
  struct asker *asker = asker_create(loop, provider, &binding, NULL, AT_ONCE);
  int64_t start_us = clock_mono_us(&clock_system);
  const int percents[] = {1, 10, 50, 100};
  struct memory warm = {0};
  struct memory now = {0};
  for (size_t i = 0; i < sizeof percents / sizeof *percents; i++) {
    now = run_to(asker, calls / 100 * percents[i]);
    print_memory(&now);
    if (percents[i] == 10) warm = now;
  }
  print_slope(&warm, &now);
  print_counts(asker_counts(asker));
  print("wall time", (double)(clock_mono_us(&clock_system) - start_us) / 1e6, "s", "all of it");
  asker_destroy(asker);
  provider_destroy(provider);
  loop_destroy(loop);
  return 0;
}
