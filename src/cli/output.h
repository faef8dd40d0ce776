/* Writing to standard output and standard error. Main thread. */
#ifndef ARAGORA_CLI_OUTPUT_H
#define ARAGORA_CLI_OUTPUT_H

#include "base/json.h"

/* Writes all of it, as bytes_write does, and empties it; false also when it had overflowed. */
bool output_buffer(int fd, struct buffer *b);
/* One JSON text with a newline: indented for people when the descriptor is a terminal. */
bool output_json(int fd, const json_t *value);

/* "aragora: <message>" on standard error; returns the exit code that fits the error's status. */
int output_error(const struct error *err);
/* That exit code alone. */
int output_exit_of(enum status status);

#endif
