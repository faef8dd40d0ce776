/* For the system tests: archive_tool replay DIR DATABASE UNTIL_MS, or verify DIR. Prints one line
 * of JSON; exit code 1 and the reason on standard error when it cannot.
 */
#include "store/archive_list.h"
#include "store/archive_replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static int fail(const struct error *err) {
  fprintf(stderr, "%s %s\n", status_name(err->status), err->message);
  return 1;
}

static int replay(const char *dir, const char *path, int64_t until_ms) {
  struct archive_replayed r;
  struct error err;
  if (archive_replay(dir, path, until_ms, &r, &err)) return fail(&err);
  printf("{\"first\":%" PRIu64 ",\"last\":%" PRIu64 ",\"last_ms\":%" PRId64 ",\"count\":%" PRIu64
         ",\"torn\":%s}\n",
         r.first, r.last, r.last_ms, r.count, r.torn ? "true" : "false");
  return 0;
}

static void tell(void *ctx, const char *problem) {
  fprintf(stderr, "%s\n", problem);
}

static int verify(const char *dir) {
  struct archive_verified v;
  struct error err;
  if (archive_verify(dir, tell, NULL, &v, &err)) return fail(&err);
  printf("{\"chains\":%zu,\"segments\":%zu,\"commits\":%" PRIu64 ",\"problems\":%zu}\n", v.chains,
         v.segments, v.commits, v.problems);
  return 0;
}

int main(int argc, char **argv) {
  if (argc == 5 && strcmp(argv[1], "replay") == 0)
    return replay(argv[2], argv[3], strtoll(argv[4], NULL, 10));
  if (argc == 3 && strcmp(argv[1], "verify") == 0) return verify(argv[2]);
  fprintf(stderr, "archive_tool replay DIR DATABASE UNTIL_MS | verify DIR\n");
  return 2;
}
