#include "cli/terminal.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static bool is_set(const char *text) {
  return text && *text;
}

bool terminal_wants_colour(const struct terminal_wish *wish) {
  if (wish->no_colour_flag || is_set(wish->no_color)) return false;
  if (is_set(wish->clicolor_force) && strcmp(wish->clicolor_force, "0") != 0) return true;
  return wish->tty && !(wish->term && strcmp(wish->term, "dumb") == 0);
}

static int width_of(int fd, bool tty) {
  struct winsize size;
  int width = TERMINAL_WIDTH;
  const char *columns = getenv("COLUMNS");
  if (tty && ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    width = size.ws_col;
  else if (is_set(columns) && atoi(columns) > 0)
    width = atoi(columns);
  if (width < TERMINAL_WIDTH_MIN) return TERMINAL_WIDTH_MIN;
  return width > TERMINAL_WIDTH_MAX ? TERMINAL_WIDTH_MAX : width;
}

struct terminal terminal_look(int fd, bool no_colour_flag) {
  struct terminal_wish wish = {no_colour_flag, getenv("NO_COLOR"), getenv("CLICOLOR_FORCE"),
                               getenv("TERM"), isatty(fd)};
  return (struct terminal){wish.tty, terminal_wants_colour(&wish), width_of(fd, wish.tty)};
}

void terminal_use_utf8(void) {
  if (!setlocale(LC_CTYPE, "C.UTF-8")) setlocale(LC_CTYPE, "");
}
