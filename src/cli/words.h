/* The words that a command's usage names, "list" and "show" of "debates list | show ID". Pure. */
#ifndef ARAGORA_CLI_WORDS_H
#define ARAGORA_CLI_WORDS_H

#include "base/bytes.h"
#include "cli/command.h"

/* Appends them, with blanks between. */
void words_of_usage(const struct command *command, struct buffer *out);

#endif
