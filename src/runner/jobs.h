/* The thread that starts the debates of batches: one at a time, oldest batch first, as long as the
 * server has a free place for a running debate, so that a batch never fills the queue for others.
 *
 * All that it knows is in the store: after a crash it goes on where the database stands, and the
 * store starts no item twice. Any thread calls these.
 */
#ifndef ARAGORA_RUNNER_JOBS_H
#define ARAGORA_RUNNER_JOBS_H

#include "runner/runner.h"

struct jobs;

/* Borrows all; they outlive it. Starts nothing yet. NULL when memory is short. */
struct jobs *jobs_create(struct runner *runner, struct store *store, const struct options *options);
/* Once. STATUS_INTERNAL when there is no thread. */
MUST_CHECK enum status jobs_start(struct jobs *jobs, struct error *err);
/* A batch was stored or cancelled: it is looked at now. */
void jobs_wake(struct jobs *jobs);
/* Starts nothing from here on; waits for a start under way, for which runner and loop must still
 * work. NULL is fine. */
void jobs_stop(struct jobs *jobs);
/* After jobs_stop, when nobody calls it any more. NULL is fine. */
void jobs_destroy(struct jobs *jobs);

#endif
