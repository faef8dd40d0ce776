#include "api/unavailable.h"

#include <stdio.h>

/* A path stands for itself and all below it; `*` is any one segment. `method` NULL = any. */
static const struct row {
  const char *method, *path, *feature;
} rows[] = {
    {"PATCH", "/api/debates/*", "Changing a debate"},
    {NULL, "/api/debates/*/citations", "Citations"},
    {NULL, "/api/debates/*/evidence", "Evidence"},
    {NULL, "/api/debates/*/verify", "Verification"},
    {NULL, "/api/debates/*/verification-report", "Verification"},
    {NULL, "/api/debates/*/meta-critique", "Meta-critique"},
    {NULL, "/api/debates/*/graph", "Debate graphs"},
    {NULL, "/api/debates/*/broadcast", "Broadcasts"},
    {NULL, "/api/debates/graph", "Debate graphs"},
    {NULL, "/api/debates/matrix", "Debate matrices"},
    {NULL, "/api/analytics/agent", "Analytics of one agent"},
    {NULL, "/api/analytics/debates", "Analytics of single debates"},
    {NULL, "/api/auth/mfa", "Second factors"},
    {NULL, "/api/billing", "Billing"},
    {NULL, "/api/breakpoints", "Breakpoints"},
    {NULL, "/api/consensus", "The memory of past decisions"},
    {NULL, "/api/documents", "Documents"},
    {NULL, "/api/flips", "Flip detection"},
    {NULL, "/api/gauntlet", "Gauntlets"},
    {NULL, "/api/history/cycles", "The history of cycles"},
    {NULL, "/api/history/events", "The history of cycles"},
    {NULL, "/api/history/summary", "The history's summary"},
    {NULL, "/api/invitations", "Organizations"},
    {NULL, "/api/memory", "Memory"},
    {NULL, "/api/modes", "Modes of agents"},
    {NULL, "/api/nomic", "The nomic loop"},
    {NULL, "/api/org", "Organizations"},
    {NULL, "/api/organizations", "Organizations"},
    {NULL, "/api/pulse", "Trending topics"},
    {"DELETE", "/api/replays/*", "Deleting a replay without its debate"},
    {NULL, "/api/tournaments", "Tournaments"},
    {NULL, "/api/verify", "Verification"},
};

static size_t segment_length(const char *at) {
  return strcspn(at, "/");
}

/* True when the path is the pattern, or begins with it and a slash. */
static bool is_below(const char *path, const char *pattern) {
  while (*pattern == '/') {
    if (*path != '/') return false;
    size_t want = segment_length(++pattern);
    size_t have = segment_length(++path);
    bool any = want == 1 && *pattern == '*';
    if (any ? have == 0 : have != want || memcmp(path, pattern, have) != 0) return false;
    pattern += want;
    path += have;
  }
  return *path == '\0' || *path == '/';
}

const char *unavailable_feature(const char *method, const char *path) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if ((!rows[i].method || strcmp(rows[i].method, method) == 0) && is_below(path, rows[i].path))
      return rows[i].feature;
  return NULL;
}

bool unavailable_answer(struct http_request *request, void *app) {
  (void)app;
  char message[128];
  const char *feature =
      unavailable_feature(http_request_method(request), http_request_path(request));
  if (!feature) return false;
  snprintf(message, sizeof message, "Not available on this server: %s", feature);
  http_respond_error(request, 501, "FEATURE_UNAVAILABLE", NULL, message);
  return true;
}
