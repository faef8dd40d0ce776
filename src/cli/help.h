/* The texts of `aragora help`. Main thread. */
#ifndef ARAGORA_CLI_HELP_H
#define ARAGORA_CLI_HELP_H

#include "cli/command.h"

/* Prints a command's help, or the overview for NULL; returns the exit code. */
int help_show(const struct command *command);
/* Says on standard error that there is none of this name, and which is near. CLI_USAGE. */
int help_unknown_command(const char *name);

#endif
