#include "cli/meter.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/figure.h"
#include "cli/output.h"

#include <unistd.h>

enum { DRAW_US = 100 * 1000, FIRST_GUESS_US = 1000 * 1000, LINE_MAX_BYTES = 512 };

void meter_init(struct meter *m, bool shown) {
  *m = (struct meter){.shown = shown, .tty = isatty(STDERR_FILENO)};
}

/* ANSI's "erase in line", behind a carriage return. */
static void draw(struct meter *m, int64_t done, int64_t total, int64_t now) {
  BUFFER_LATER struct buffer line;
  buffer_init(&line, LINE_MAX_BYTES);
  buffer_printf(&line, "\r\033[K%s", m->what);
  if (total > 0) buffer_printf(&line, " %d %%", (int)(done * 100 / total));
  int64_t spent = now - m->began_us;
  if (total > 0 && done > 0 && spent > FIRST_GUESS_US) {
    buffer_append_text(&line, ", about ");
    figure_append_duration(&line,
                           (int64_t)((double)spent / (double)done * (double)(total - done)) / 1000);
    buffer_append_text(&line, " left");
  }
  output_buffer(STDERR_FILENO, &line);
  m->drawn = true;
  m->drawn_us = now;
}

bool meter_step(void *meter, const char *what, int64_t done, int64_t total) {
  struct meter *m = meter;
  if (!m->shown) return true;
  int64_t now = clock_mono_us(&clock_system);
  bool other = what != m->what;
  if (other) {
    m->what = what;
    m->began_us = now;
  }
  if (m->tty && (other || now - m->drawn_us > DRAW_US)) draw(m, done, total, now);
  if (!m->tty && other) {
    BUFFER_LATER struct buffer line;
    buffer_init(&line, LINE_MAX_BYTES);
    buffer_printf(&line, "%s\n", what);
    output_buffer(STDERR_FILENO, &line);
  }
  return true;
}

void meter_clear(struct meter *m) {
  if (m->drawn) bytes_write(BYTES_LITERAL("\r\033[K"), STDERR_FILENO);
  m->drawn = false;
}
