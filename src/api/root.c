/* GET /: what is here, for who opens the address in a browser. */
#include "api/handlers.h"

static const char page[] =
    "<!doctype html>\n"
    "<html lang=\"en\">\n"
    "<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<title>Aragora</title>\n"
    "<h1>Aragora " ARAGORA_VERSION
    "</h1>\n"
    "<p>Language models debate a question; this server runs the debates.</p>\n"
    "<pre>curl -d '{\"task\":\"Is 91 a prime number?\"}' http://localhost:8080/api/debates</pre>\n"
    "<ul>\n"
    "<li><a href=\"/api/debates\">Debates</a></li>\n"
    "<li><a href=\"/api/agents\">Agents</a></li>\n"
    "<li><a href=\"/api/health\">Health</a></li>\n"
    "<li><a href=\"/metrics\">Metrics</a></li>\n"
    "<li><a href=\"/api/openapi.json\">The API, as OpenAPI 3.1</a></li>\n"
    "</ul>\n"
    "</html>\n";

void handle_root_show(struct http_request *request, void *app) {
  http_respond(request, 200, "text/html; charset=utf-8", BYTES_LITERAL(page), NULL);
}
