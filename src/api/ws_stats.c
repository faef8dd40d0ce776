/* GET /api/ws/stats: what the WebSockets of this process do and did, under the names of the earlier
 * server and the runbook's. */
#include "api/handlers.h"
#include "api/reply.h"
#include "api/state.h"
#include "base/metrics.h"

void handle_ws_stats(struct http_request *request, void *app) {
  const struct api *api = app;
  const struct options *o = api->parts.options;
  struct http_ws_stats ws = http_ws_stats(api->server);
  char now[CLOCK_ISO_SIZE];
  clock_format_iso(clock_wall_ms(&clock_system), now);
  /* With a token every WebSocket has brought it, else nobody has. */
  json_int_t known = o->api_token ? ws.active : 0;
  json_t *body = json_pack(
      "{s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "timestamp", now,
      "running", 1, "clients", (json_int_t)ws.active, "active_connections", (json_int_t)ws.active,
      "authenticated_clients", known, "total_connections", (json_int_t)ws.total, "messages_sent",
      (json_int_t)ws.messages_out, "messages_received", (json_int_t)ws.messages_in, "errors",
      (json_int_t)ws.errors, "active_loops", (json_int_t)metric_get(METRIC_DEBATES_ACTIVE, NULL),
      "sse_streams", (json_int_t)metric_get(METRIC_SSE_STREAMS, NULL), "overflows",
      (json_int_t)metric_get(METRIC_STREAM_OVERFLOWS, NULL), "uptime_seconds", api_uptime_s(api));
  reply_json(request, 200, body, NULL);
}
