/* GET /api/system/rate-limits: the limits on callers, how the one who asks stands, and who is being
 * turned away. */
#include "api/handlers.h"
#include "api/reply.h"
#include "api/state.h"

#include <stdlib.h>

static json_t *limit_object(const struct http_limit *l, int64_t now_ms) {
  char reset_at[CLOCK_ISO_SIZE];
  clock_format_iso(now_ms + l->reset_ms, reset_at);
  return json_pack("{s:s, s:s, s:I, s:I, s:s, s:o, s:I, s:I}", "endpoint", l->endpoint, "type",
                   l->type, "limit", (json_int_t)l->limit, "remaining", (json_int_t)l->remaining,
                   "reset_at", reset_at, "window_seconds",
                   json_int_or_null(l->window_s > 0 ? l->window_s : -1), "callers",
                   (json_int_t)l->callers, "refused_total", (json_int_t)l->refused);
}

static json_t *refused_object(const struct http_refused *r, int64_t now_ms) {
  char reset_at[CLOCK_ISO_SIZE];
  clock_format_iso(now_ms + r->reset_ms, reset_at);
  return json_pack("{s:s, s:s, s:I, s:s}", "caller", r->caller, "type", r->type, "refused",
                   (json_int_t)r->refused, "reset_at", reset_at);
}

void handle_limits_show(struct http_request *request, void *app) {
  const struct options *o = ((const struct api *)app)->parts.options;
  struct http_limit limits[HTTP_LIMITS_MAX];
  struct http_refused *refused = calloc(HTTP_REFUSED_MAX, sizeof *refused);
  int64_t now_ms = clock_wall_ms(&clock_system);
  json_t *limit_rows = json_array(), *refused_rows = json_array();
  size_t n = http_limits(request, limits);
  for (size_t i = 0; i < n; i++)
    json_array_append_new(limit_rows, limit_object(&limits[i], now_ms));
  n = refused ? http_refused(request, refused) : 0;
  for (size_t i = 0; i < n; i++) {
    json_array_append_new(refused_rows, refused_object(&refused[i], now_ms));
  }
  free(refused);
  json_t *body = json_pack("{s:o, s:s, s:o, s:s, s:I}", "limits", limit_rows, "caller",
                           http_request_peer(request), "refused", refused_rows, "trusted_proxies",
                           o->trusted_proxies ? o->trusted_proxies : "none", "callers_remembered",
                           (json_int_t)o->rate_limit_callers);
  reply_json(request, 200, body, NULL);
}
