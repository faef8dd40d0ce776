/* CPU of one line of the server's log, as a debate writes it most often: an attempt's end.
 *
 *   bench_log FILE LINES    to FILE, and to standard error wherever that goes
 *
 * Prints one line of `key=value` figures on standard output.
 */
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static double used_us(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
         (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

int main(int argc, char **argv) {
  struct error err;
  if (argc != 3) return 2;
  long lines = strtol(argv[2], NULL, 10);
  const char *file = strcmp(argv[1], "-") == 0 ? NULL : argv[1];
  log_rotate(10 << 20, 5);
  if (log_open(LOG_LEVEL_INFO, file, false, &err)) {
    fprintf(stderr, "%s\n", err.message);
    return 1;
  }
  const struct log_context context = {"req-0123456789ab", "kq3v7r5n2m8x4c6t9w1z3b5d7f"};
  double before = used_us();
  for (long i = 0; i < lines; i++)
    log_info("runner", &context,
             "agent=%s turn=%s attempt=%d provider=%s model=%s outcome=%s status=%d "
             "latency_ms=%ld ttft_ms=%s tokens_in=%s tokens_out=%s",
             "openai-api", "1.critique.openai-api", 1, "openai", "gpt-5.2", "ok", 200, i % 60000,
             "350", "1204", "311");
  printf("us_per_line=%.3f\n", (used_us() - before) / (double)lines);
  return 0;
}
