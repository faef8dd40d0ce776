/* What most commands do around their work: the settings read, the arguments read by the command's
 * table, and both given to one function. Main thread.
 */
#ifndef ARAGORA_CLI_INVOCATION_H
#define ARAGORA_CLI_INVOCATION_H

#include "cli/arguments.h"
#include "cli/remote.h"

/* `values` is the struct that the command's flags fill; the result is the exit code. */
typedef int invocation_fn(const void *values, const struct arguments *arguments,
                          struct options *options);

/* Runs `run`, or says on standard error what is wrong with the settings or the arguments; returns
 * the exit code. `values` has its defaults already. */
int invocation_run(const struct command *command, int argc, char **argv, void *values,
                   invocation_fn *run);
/* The same for a command that may ask a server: see remote_load_options. */
int invocation_ask(const struct command *command, enum remote_use use, int argc, char **argv,
                   void *values, invocation_fn *run);

#endif
