/* `aragora version`, and `aragora --version`. */
#include "base/json.h"
#include "cli/arguments.h"
#include "cli/output.h"

#include <stdio.h>
#include <unistd.h>

struct version_values {
  bool json;
};

const struct flag version_flags[] = {
    {"--json", 0, FLAG_SWITCH, offsetof(struct version_values, json), 0, 0, NULL,
     "print one JSON object"},
    {0},
};

int cli_version(int argc, char **argv) {
  const struct command *self = command_find("version");
  struct version_values v = {0};
  struct arguments a;
  if (!arguments_read(self, argc, argv, &v, NULL, &a)) return CLI_USAGE;
  if (a.count) return arguments_wrong(self, "it takes no \"%.64s\"", a.positional[0]);
  if (!v.json) return puts("aragora " ARAGORA_VERSION) < 0 ? CLI_ERROR : CLI_OK;
  JSON_LATER json_t *body = json_pack("{s:s, s:s}", "name", "aragora", "version", ARAGORA_VERSION);
  return body && output_json(STDOUT_FILENO, body) ? CLI_OK : CLI_ERROR;
}
