/* Ctrl-C, SIGTERM and a terminal that closes, as something a loop can wait for. Main thread, but
 * for the handler. */
#ifndef ARAGORA_CLI_INTERRUPT_H
#define ARAGORA_CLI_INTERRUPT_H

#include <stdbool.h>

/* SIGINT, SIGTERM and SIGHUP are caught from here on, before the first thread. The `last`-th of
 * them ends the process at once with CLI_INTERRUPTED: a person who presses Ctrl-C again means it.
 */
void interrupt_catch(int last);
/* From here on a SIGHUP that a process sends is no interruption but the wish to read configuration
 * and log file anew. That of a terminal which is gone still is one. */
void interrupt_catch_reload(void);
/* True once after one or more of them came; interrupt_take first. */
bool interrupt_take_reload(void);
/* A descriptor that is readable once one came and until it was taken; -1 before interrupt_catch. */
int interrupt_fd(void);
/* How many came so far; what is readable becomes silent. */
int interrupt_take(void);
/* Waits until one came, or `fd` (may be -1) is readable, or the time is over (-1 = no limit). True
 * when one came. */
bool interrupt_wait(int fd, int timeout_ms);

#endif
