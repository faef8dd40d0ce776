/* Rate limit headers of any bytes, "name:value" a line: what is read is within its bounds, and the
 * two forms of a reset never take the same text. */
#include "provider/rate_headers.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const int64_t wall_ms = INT64_C(1700000000000);

enum { HEADERS_MAX = 24 };
struct headers {
  char *names[HEADERS_MAX], *values[HEADERS_MAX];
  size_t count;
};

static const char *find(void *ctx, const char *name) {
  const struct headers *h = ctx;
  for (size_t i = 0; i < h->count; i++)
    if (strcasecmp(h->names[i], name) == 0) return h->values[i];
  return NULL;
}

static void check_reset(int64_t reset_ms) {
  if (reset_ms < -1 || reset_ms > RATE_RESET_MAX_MS) abort();
}

static void check_window(const struct rate_window *w) {
  if (w->limit < -1 || w->limit == 0 || w->remaining < -1) abort();
  check_reset(w->reset_ms);
}

static void check_text(const char *text) {
  int64_t duration_ms = rate_duration_parse(text), moment_ms = rate_moment_parse(text, wall_ms);
  check_reset(duration_ms);
  check_reset(moment_ms);
  if (duration_ms >= 0 && moment_ms >= 0) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = malloc(size + 1);
  if (!text) abort();
  memcpy(text, data, size);
  text[size] = '\0';
  check_text(text);
  struct headers h = {.count = 0};
  char *rest = text, *line;
  while (h.count < HEADERS_MAX && (line = strsep(&rest, "\n"))) {
    char *colon = strchr(line, ':');
    if (!colon) continue;
    *colon = '\0';
    h.names[h.count] = line;
    h.values[h.count++] = colon + 1;
    check_text(colon + 1);
  }
  struct rate_headers got;
  rate_headers_read(find, &h, wall_ms, &got);
  check_window(&got.requests);
  check_window(&got.tokens);
  free(text);
  return 0;
}
