/* What standard output or standard error is connected to: how wide, with colours or without. */
#ifndef ARAGORA_CLI_TERMINAL_H
#define ARAGORA_CLI_TERMINAL_H

#include <stdbool.h>

enum { TERMINAL_WIDTH = 80, TERMINAL_WIDTH_MIN = 40, TERMINAL_WIDTH_MAX = 120 };

struct terminal {
  bool tty;
  bool colour;
  int width; /* TERMINAL_WIDTH_MIN to _MAX: longer lines are hard to read */
};

/* What decides about colours. */
struct terminal_wish {
  bool no_colour_flag;        /* --no-color */
  const char *no_color;       /* NO_COLOR (no-color.org): any text but an empty one */
  const char *clicolor_force; /* CLICOLOR_FORCE (bixense.com/clicolors): any text but "0" */
  const char *term;           /* TERM: "dumb" has none */
  bool tty;
};
bool terminal_wants_colour(const struct terminal_wish *wish);

/* Looks at the descriptor and the environment. */
struct terminal terminal_look(int fd, bool no_colour_flag);

/* Characters are UTF-8 from here on, whatever LANG says: debates are, and terminals have been for
 * long. Once, before the first thread. */
void terminal_use_utf8(void);

#endif
