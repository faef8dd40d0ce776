/* A file of variables by the rules of systemd's EnvironmentFile (systemd.exec(5)), a variable at a
 * time. Pure; the caller has read the file.
 *
 * Lines without "=" and lines that begin with "#" or ";" are nothing. A value is freed of blanks at
 * both ends. In '...' nothing is special, in "..." a backslash stands before " \ ` $ and before the
 * end of a line, which is then none; outside of both it makes any character an ordinary one.
 * Quotation marks may span lines. What systemd passes over with a warning, a name that is none
 * ("export X"), is an error here, as is a quotation mark that is never closed.
 */
#ifndef ARAGORA_BASE_ENV_FILE_H
#define ARAGORA_BASE_ENV_FILE_H

#include "base/bytes.h"

struct env_file {
  struct bytes rest;   /* at the start the whole text */
  int line;            /* of the variable; 0 at the start */
  struct bytes name;   /* into the text */
  struct buffer value; /* the caller's: buffer_init before, buffer_done after */
  int next_line;       /* its own */
};

/* The next variable. STATUS_NOT_FOUND at the end. STATUS_INVALID with the reason, without what the
 * line holds, at `line`; the next call goes on after it. STATUS_TOO_LARGE: its value is longer than
 * the buffer may grow. */
MUST_CHECK enum status env_file_next(struct env_file *file, struct error *err);

#endif
