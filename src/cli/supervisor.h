/* What the server tells systemd while it runs (sd_notify(3)): that it lives, what it does, and that
 * a stop still gets somewhere. Without its library in the build, or where nobody asks, nothing.
 *
 * "WATCHDOG=1" is said by the loop's thread, and only while the store's writer gets on: a commit
 * that does not return within half the watchdog's time is one that hangs, and the pings end. A disk
 * that refuses is none: it is tried again, and a restart would not mend it.
 */
#ifndef ARAGORA_CLI_SUPERVISOR_H
#define ARAGORA_CLI_SUPERVISOR_H

#include "io/loop.h"
#include "runner/runner.h"
#include "store/store.h"

struct supervisor;

/* Once the loop runs. All borrowed. STATUS_NOMEM. */
MUST_CHECK enum status supervisor_start(struct loop *loop, const struct store *store,
                                        const struct runner *runner,
                                        struct supervisor **ret_supervisor, struct error *err);
/* From here on each tick asks for more time to stop while debates run ("EXTEND_TIMEOUT_USEC"). Any
 * thread. */
void supervisor_drain(struct supervisor *supervisor);
/* Nothing more is said; before runner_stop, which waits for the loop. NULL is fine. */
void supervisor_stop(struct supervisor *supervisor);
/* After the loop has ended. NULL is fine. */
void supervisor_destroy(struct supervisor *supervisor);

#endif
