/* How far long work is, on standard error: one line that is written over on a terminal, one line
 * for each part of the work elsewhere. */
#ifndef ARAGORA_CLI_METER_H
#define ARAGORA_CLI_METER_H

#include <stdbool.h>
#include <stdint.h>

struct meter {
  bool shown, tty;
  const char *what; /* the part at work */
  int64_t began_us, drawn_us;
  bool drawn; /* a line stands on the terminal */
};

void meter_init(struct meter *meter, bool shown);
/* A progress step (ops/progress.h); never asks to stop. One thread at a time. */
bool meter_step(void *meter, const char *what, int64_t done, int64_t total);
/* Before anything else is printed. */
void meter_clear(struct meter *meter);

#endif
