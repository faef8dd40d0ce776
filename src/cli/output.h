/* Writing to standard output and standard error. Main thread. */
#ifndef ARAGORA_CLI_OUTPUT_H
#define ARAGORA_CLI_OUTPUT_H

#include "base/json.h"

/* Writes everything; false when the reader is gone or the disk is full. */
bool output_bytes(int fd, struct bytes data);
/* The same, and empties it; false also when the buffer had overflowed. */
bool output_buffer(int fd, struct buffer *b);
/* One JSON text with a newline: indented for people when the descriptor is a terminal. */
bool output_json(int fd, const json_t *value);

/* "aragora: <message>" on standard error; returns the exit code that fits the error's status. */
int output_error(const struct error *err);
/* That exit code alone. */
int output_exit_of(enum status status);

#endif
