/* The runner makes a debate happen: admission, the loop of ask and append, deadlines, cancel and
 * resume. It owns every running debate's state (struct debate) and is the only one who appends.
 *
 * A debate is data on the loop thread. Events are folded when they are handed to the store, and
 * what they cause (a request to a provider, a frame to a subscriber) waits until they are on disk.
 * Functions without a note may be called from any thread.
 */
#ifndef ARAGORA_RUNNER_RUNNER_H
#define ARAGORA_RUNNER_RUNNER_H

#include "base/clock.h"
#include "base/options.h"
#include "base/principal.h"
#include "debate/spec.h"
#include "hub/hub.h"
#include "io/loop.h"
#include "provider/ask.h"
#include "store/store.h"

struct runner;

MUST_CHECK enum status runner_create(struct loop *loop, struct store *store, struct hub *hub,
                                     struct provider *provider, const struct agent_table *agents,
                                     const struct options *options, struct runner **ret_runner,
                                     struct error *err);
/* Loop stopped. NULL is fine. */
void runner_destroy(struct runner *runner);

/* What a caller learns of a debate that was started. Borrowed during the callback. */
struct runner_started {
  const char *id;
  const char *slug;
  const char *status;   /* "running", or "pending" when it waits for admission */
  const json_t *agents; /* names */
  bool demo;
};
typedef void runner_started_fn(void *ctx, enum status status, const struct error *err,
                               const struct runner_started *started);

/* Resolves the panel, writes debate_start and answers once it is on disk; on the writer's or the
 * loop's thread. Takes the spec in every case. STATUS_INVALID names the field, STATUS_FULL when the
 * queue of debates is full, STATUS_UNAVAILABLE while stopping. */
void runner_start(struct runner *runner, const struct principal *who, struct debate_spec *spec,
                  runner_started_fn *done, void *ctx);

/* Asks a debate to stop; looks it up first (blocks; not on the loop thread), and answers when the
 * request is on disk. STATUS_NOT_FOUND, STATUS_CONFLICT when it had ended. */
typedef void runner_cancelled_fn(void *ctx, enum status status);
void runner_cancel(struct runner *runner, const struct principal *who, const char *debate_id,
                   const char *reason, runner_cancelled_fn *done, void *ctx);

/* Takes up every unfinished debate of the store from its log; once, before serving. Blocks; not on
 * the loop thread. */
MUST_CHECK enum status runner_resume(struct runner *runner, size_t *ret_count, struct error *err);

/* No new debates from here on. With `wait`, `idle(ctx)` is called on the loop when none runs. */
void runner_drain(struct runner *runner, void (*idle)(void *ctx), void *ctx);

struct runner_stats {
  int64_t running, queued;
  bool accepting;
};
struct runner_stats runner_stats(const struct runner *runner);

#endif
