/* GET /api/metrics and /metrics: Prometheus text, or JSON for who asks for it. */
#include "api/gauges.h"
#include "api/handlers.h"
#include "api/metrics_json.h"
#include "api/params.h"
#include "api/reply.h"
#include "api/state.h"
#include "base/metrics.h"

enum { METRICS_BYTES_MAX = 4 << 20 };

void handle_metrics_show(struct http_request *request, void *app) {
  const char *format = http_request_query(request, "format");
  if (params_only_json(request) || (format && strcmp(format, "json") == 0)) {
    reply_json(request, 200, metrics_json(app), NULL);
    return;
  }
  gauges_look(app);
  BUFFER_LATER struct buffer text;
  buffer_init(&text, METRICS_BYTES_MAX);
  enum status s = metrics_render(&text);
  if (s)
    reply_failure(request, s, NULL, NULL);
  else
    http_respond(request, 200, "text/plain; version=0.0.4; charset=utf-8", buffer_bytes(&text),
                 NULL);
}
