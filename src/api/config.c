/* GET /api/system/config: the settings in force, as `aragora config show --json` has them. */
#include "api/handlers.h"
#include "api/reply.h"
#include "api/state.h"
#include "base/options_view.h"

void handle_config_show(struct http_request *request, void *app) {
  const struct api *api = app;
  reply_json(request, 200, options_view(api->parts.options), NULL);
}
