#include "cli/output.h"

#include "cli/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

bool output_buffer(int fd, struct buffer *b) {
  bool ok = !b->overflow && bytes_write(buffer_bytes(b), fd);
  buffer_clear(b);
  return ok;
}

bool output_json(int fd, const json_t *value) {
  /* 15 digits bring back every decimal figure we print; 17 would show 0.033 as
   * 0.033000000000000002. */
  size_t form = isatty(fd) ? JSON_INDENT(2) : JSON_COMPACT;
  char *text = json_dumps(value, form | JSON_REAL_PRECISION(15));
  bool ok = text && bytes_write(bytes_of(text), fd) && bytes_write(BYTES_LITERAL("\n"), fd);
  free(text);
  return ok;
}

int output_exit_of(enum status status) {
  switch (status) {
    case STATUS_OK: return CLI_OK;
    case STATUS_INVALID: return CLI_USAGE;
    case STATUS_NOT_FOUND: return CLI_NOT_FOUND;
    case STATUS_DENIED: return CLI_DENIED;
    case STATUS_CANCELLED: return CLI_INTERRUPTED;
    default: return CLI_ERROR;
  }
}

int output_error(const struct error *err) {
  const char *message = err->message[0] ? err->message : status_name(err->status);
  bool names_field = err->field[0] && !strstr(message, err->field);
  fprintf(stderr, "aragora: %s%s%s\n", names_field ? err->field : "", names_field ? ": " : "",
          message);
  return output_exit_of(err->status);
}
