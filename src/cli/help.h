/* The texts of `aragora help`. Main thread. */
#ifndef ARAGORA_CLI_HELP_H
#define ARAGORA_CLI_HELP_H

#include "cli/command.h"

/* What the exit codes mean. */
struct help_exit {
  int code;
  const char *meaning;
};
extern const struct help_exit help_exit_table[];
extern const size_t help_exit_table_size;

/* Prints a command's help, or the overview for NULL; returns the exit code. */
int help_show(const struct command *command);
/* Says on standard error that there is none of this name, and which is near. CLI_USAGE. */
int help_unknown_command(const char *name);

#endif
