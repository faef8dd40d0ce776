#include "api/memory.h"

#include "base/log_ring.h"
#include "base/metrics.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#define MEMORY_NAME(id, name, what) name,
static const char *const names[] = {MEMORY_TABLE(MEMORY_NAME)};
#undef MEMORY_NAME
#define MEMORY_WHAT(id, name, what) what,
static const char *const meanings[] = {MEMORY_TABLE(MEMORY_WHAT)};
#undef MEMORY_WHAT

const char *memory_name(enum memory subsystem) {
  return names[subsystem];
}

const char *memory_meaning(enum memory subsystem) {
  return meanings[subsystem];
}

/* A line "RssAnon:   1234 kB" of /proc/self/status, proc_pid_status(5). */
static void take_line(const char *line, const char *key, int64_t *bytes) {
  size_t len = strlen(key);
  if (strncmp(line, key, len) == 0 && line[len] == ':')
    *bytes = strtoll(line + len + 1, NULL, 10) * 1024;
}

static void read_process(struct memory_reading *r) {
  char line[256];
  FILE *f = fopen("/proc/self/status", "re");
  r->bytes[MEMORY_RESIDENT] = r->bytes[MEMORY_ANONYMOUS] = -1;
  if (!f) return;
  while (fgets(line, sizeof line, f)) {
    take_line(line, "VmRSS", &r->bytes[MEMORY_RESIDENT]);
    take_line(line, "RssAnon", &r->bytes[MEMORY_ANONYMOUS]);
  }
  fclose(f);
}

void memory_read(const struct api *api, struct memory_reading *r) {
  struct mallinfo2 m = mallinfo2();
  struct hub_stats hub = hub_stats(api->parts.hub);
  struct runner_stats runner = runner_stats(api->parts.runner);
  *r = (struct memory_reading){.wall_ms = clock_wall_ms(&clock_system),
                               .debates = runner.running,
                               .queued = runner.queued,
                               .subscribers = (int64_t)hub.subscribers};
  if (api->server) r->websockets = http_ws_stats(api->server).active;
  read_process(r);
  r->bytes[MEMORY_MALLOC_USED] = (int64_t)(m.uordblks + m.hblkhd);
  r->bytes[MEMORY_MALLOC_FREE] = (int64_t)m.fordblks;
  r->bytes[MEMORY_MALLOC_MAPPED] = (int64_t)m.hblkhd;
  r->bytes[MEMORY_READERS] = store_readers_bytes(api->parts.store);
  r->bytes[MEMORY_HUB] = (int64_t)hub.bytes;
  r->bytes[MEMORY_STORE_QUEUE] = (int64_t)store_queued_bytes(api->parts.store);
  r->bytes[MEMORY_METRICS] = (int64_t)metrics_bytes();
  r->bytes[MEMORY_ERRORS] = (int64_t)log_ring_bytes();
}

void memory_show(const struct memory_reading *r) {
  for (size_t i = 0; i < MEMORY_COUNT; i++)
    if (r->bytes[i] >= 0) metric_set(METRIC_MEMORY, (const char *const[]){names[i]}, r->bytes[i]);
}
