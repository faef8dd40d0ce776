/* `aragora healthcheck`: for containers and scripts; says nothing while all is well. */
#include "cli/arguments.h"
#include "cli/output.h"
#include "cli/remote.h"

#include <stdio.h>
#include <stdlib.h>

enum { CALL_MS = 5000 };

struct healthcheck_values {
  const char *server;
};

const struct flag healthcheck_flags[] = {
    {"--server", 0, FLAG_TEXT, offsetof(struct healthcheck_values, server), 0, 0, "URL",
     "the server [ARAGORA_API_URL]; default this machine at ARAGORA_PORT or 8080"},
    {0},
};

static int ask_health(const struct options *options, const char *url) {
  struct error err = {0};
  struct remote remote;
  JSON_LATER json_t *health = NULL;
  if (remote_open(url, options, &remote, &err)) return output_error(&err);
  enum status s = remote_call(&remote, "/api/health", NULL, CALL_MS, &health, &err);
  remote_close(&remote);
  if (!s) return CLI_OK;
  output_error(&err);
  return CLI_ERROR; /* 0 or 1: container engines reserve the rest */
}

int cli_healthcheck(int argc, char **argv) {
  struct healthcheck_values v = {0};
  struct arguments arguments;
  struct options options;
  struct error err = {0};
  const struct command *self = command_find("healthcheck");
  if (remote_load_options(&options, REMOTE_ALWAYS, argc, argv, &err)) return output_error(&err);
  BUFFER_LATER struct buffer own;
  buffer_init(&own, 4096);
  remote_append_own_url(&own, &options);
  int code = CLI_USAGE;
  if (!arguments_read(self, argc, argv, &v, &options, &arguments)) {
    /* said already */
  } else if (arguments.count) {
    arguments_wrong(self, "it takes no \"%.64s\"", arguments.positional[0]);
  } else {
    const char *url = remote_url(v.server);
    code = ask_health(&options, url ? url : own.ptr);
  }
  options_done(&options);
  return code;
}
