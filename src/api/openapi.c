/* GET /api/openapi.json, /api/openapi and /api/openapi.yaml: the description of this API. */
#include "api/openapi.h"

#include "api/handlers.h"

static const char *const headers[] = {"Cache-Control: no-cache", NULL};

void handle_openapi_show(struct http_request *request, void *app) {
  struct bytes body = {openapi_text, openapi_size};
  http_respond(request, 200, "application/json", body, headers);
}

/* JSON is YAML 1.2 (yaml.org/spec/1.2.2, 1.3): the same text serves. The type is RFC 9512's. */
void handle_openapi_yaml(struct http_request *request, void *app) {
  struct bytes body = {openapi_text, openapi_size};
  http_respond(request, 200, "application/yaml", body, headers);
}
