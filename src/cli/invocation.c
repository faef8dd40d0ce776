#include "cli/invocation.h"

#include "base/options_load.h"
#include "cli/output.h"

static int go_on(const struct command *command, int argc, char **argv, void *values,
                 struct options *options, invocation_fn *run) {
  struct arguments arguments;
  int code = CLI_USAGE;
  if (arguments_read(command, argc, argv, values, options, &arguments))
    code = run(values, &arguments, options);
  options_done(options);
  return code;
}

int invocation_run(const struct command *command, int argc, char **argv, void *values,
                   invocation_fn *run) {
  struct options options;
  struct error err = {0};
  if (options_load(&options, argc, argv, &err)) return output_error(&err);
  return go_on(command, argc, argv, values, &options, run);
}

int invocation_ask(const struct command *command, enum remote_use use, int argc, char **argv,
                   void *values, invocation_fn *run) {
  struct options options;
  struct error err = {0};
  if (remote_load_options(&options, use, argc, argv, &err)) return output_error(&err);
  return go_on(command, argc, argv, values, &options, run);
}
