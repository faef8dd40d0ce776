/* Reads a command's arguments by its flag table and, where it takes them, by the option table.
 * Main thread.
 */
#ifndef ARAGORA_CLI_ARGUMENTS_H
#define ARAGORA_CLI_ARGUMENTS_H

#include "base/options.h"
#include "cli/command.h"

enum { ARGUMENTS_POSITIONAL_MAX = 8 };

struct arguments {
  const char *positional[ARGUMENTS_POSITIONAL_MAX];
  int count;
};

/* argv[0] is the command's name. Fills the struct that the flags' offsets point into and *options
 * (NULL when the command takes none). False after a usage error, which was printed. */
bool arguments_read(const struct command *command, int argc, char **argv, void *values,
                    struct options *options, struct arguments *ret_arguments);

/* "aragora ask: ..." and where help is, on standard error. Returns CLI_USAGE. */
int arguments_wrong(const struct command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* True when the command takes this row of the option table. */
bool arguments_takes_option(const struct command *command, const struct option *row);

#endif
