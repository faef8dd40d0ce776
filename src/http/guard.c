#include "http/guard.h"

#include <stdlib.h>
#include <strings.h>

enum { GUARD_ORIGINS_MAX = 64 };

enum status guard_init(struct guard *g, const char *allowed_origins, bool local_only,
                       struct error *err) {
  *g = (struct guard){.local_only = local_only};
  const char *p = allowed_origins ? allowed_origins : "*";
  g->origins = calloc(GUARD_ORIGINS_MAX, sizeof *g->origins);
  if (!g->origins) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  while (*p) {
    size_t n = strcspn(p, ",");
    struct bytes item = bytes_trimmed((struct bytes){p, n});
    p += n + (p[n] == ',');
    if (item.len == 0) continue;
    if (bytes_equal(item, BYTES_LITERAL("*"))) {
      g->any_origin = true;
      continue;
    }
    if (g->origin_count == GUARD_ORIGINS_MAX) {
      guard_done(g);
      return error_set(err, STATUS_INVALID, "allowed_origins", "more than %d origins",
                       GUARD_ORIGINS_MAX);
    }
    g->origins[g->origin_count] = bytes_dup(item);
    if (!g->origins[g->origin_count++]) {
      guard_done(g);
      return error_set(err, STATUS_NOMEM, NULL, "out of memory");
    }
  }
  return STATUS_OK;
}

void guard_done(struct guard *g) {
  for (size_t i = 0; i < g->origin_count; i++) free(g->origins[i]);
  free(g->origins);
  *g = (struct guard){0};
}

bool guard_host_is_local(const char *host) {
  static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    size_t n = strlen(names[i]);
    if (strncasecmp(host, names[i], n) != 0) continue;
    if (host[n] == '\0') return true;
    if (host[n] == ':' && strspn(host + n + 1, "0123456789") == strlen(host + n + 1)) return true;
  }
  return false;
}

/* The host[:port] of an http(s) origin, or NULL. */
static const char *guard_origin_host(const char *origin) {
  if (strncasecmp(origin, "http://", 7) == 0) return origin + 7;
  if (strncasecmp(origin, "https://", 8) == 0) return origin + 8;
  return NULL;
}

bool guard_origin_is_local(const char *origin) {
  const char *host = guard_origin_host(origin);
  return host && guard_host_is_local(host);
}

bool guard_admits(const struct guard *g, const char *host, const char *origin) {
  if (!g->local_only) return true;
  return host && guard_host_is_local(host) && (!origin || guard_origin_is_local(origin));
}

const char *guard_cors_origin(const struct guard *g, const char *origin) {
  if (g->any_origin) return "*";
  for (size_t i = 0; origin && i < g->origin_count; i++) {
    if (strcmp(g->origins[i], origin) == 0) return g->origins[i];
  }
  return NULL;
}

bool guard_admits_websocket(const struct guard *g, const char *host, const char *origin) {
  if (!origin || guard_cors_origin(g, origin)) return true;
  const char *from = guard_origin_host(origin);
  return from && host && strcasecmp(from, host) == 0;
}
