#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/help.h"
#include "cli/process.h"
#include "cli/terminal.h"

#include <signal.h>
#include <stdio.h>

static bool is_one_of(const char *text, const char *a, const char *b) {
  return strcmp(text, a) == 0 || strcmp(text, b) == 0;
}

static bool wants_help(int argc, char **argv) {
  for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
    if (is_one_of(argv[i], "--help", "-h")) return true;
  return false;
}

int cli_main(int argc, char **argv) {
  process_forbid_dumps();
  /* A reader that goes away is an error of one write, never the end of the process. */
  signal(SIGPIPE, SIG_IGN);
  terminal_use_utf8();
  if (argc < 2 || is_one_of(argv[1], "--help", "-h")) return help_show(NULL);
  if (is_one_of(argv[1], "--version", "-V")) return cli_version(argc - 1, argv + 1);
  const struct command *command = command_find(argv[1]);
  if (!command && argv[1][0] == '-') {
    fprintf(stderr, "aragora: unknown flag %.64s; flags follow a command, see \"aragora help\"\n",
            argv[1]);
    return CLI_USAGE;
  }
  if (!command) return help_unknown_command(argv[1]);
  if (!command->own_help && wants_help(argc - 1, argv + 1)) return help_show(command);
  return command->run(argc - 1, argv + 1);
}
