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

/* Restores into the provider's budgets what the store says was spent today. Blocks. */
MUST_CHECK enum status runner_create(struct loop *loop, struct store *store, struct hub *hub,
                                     struct provider *provider, const struct agent_table *agents,
                                     const struct options *options, struct runner **ret_runner,
                                     struct error *err);
/* After runner_stop, the store closed and the loop stopped (see there); before provider, hub and
 * loop are destroyed. NULL is fine. */
void runner_destroy(struct runner *runner);

/* A new table: for the debates that start and the turns that are asked from here on, as after a
 * restart. A turn that is being asked goes on with the row that it has; both tables must live as
 * long as the runner. */
void runner_use_agents(struct runner *runner, const struct agent_table *agents);

/* What a caller learns of a debate that was started. Borrowed during the callback. */
struct runner_started {
  const char *id;
  const char *slug;
  const char *status;   /* "running", or "pending" when it waits for admission */
  const json_t *agents; /* names */
  int rounds;           /* that it may have at most */
  bool demo;
};
typedef void runner_started_fn(void *ctx, enum status status, const struct error *err,
                               const struct runner_started *started);

/* Resolves the panel, writes debate_start and answers once it is on disk; on the loop's thread, or
 * before it returns when memory is short. Takes the spec in every case. STATUS_INVALID names the
 * field, STATUS_FULL when the queue of debates is full, STATUS_EXHAUSTED when a cap of the
 * principal, its API key, the day or the process cannot pay for a call, STATUS_QUOTA when the plan
 * of the tenant has no debate left, STATUS_NO_SPACE while the disk is full,
 * STATUS_IO while the store cannot be written, STATUS_UNAVAILABLE while stopping.
 * `key` (NULL = none; text and digest are read, and copied) is stored with the debate: the caller
 * sees to it that the same key is not started twice at once; see api/start_keys.h. `origin` (NULL =
 * none) is copied; STATUS_CONFLICT when its item of a batch was started or cancelled meanwhile. */
void runner_start(struct runner *runner, const struct principal *who, struct debate_spec *spec,
                  const struct store_start_key *key, const struct store_origin *origin,
                  runner_started_fn *done, void *ctx);

/* A debate that goes on from another one's events: debate_start with the other's configuration,
 * whose parent fields say which it is, then the events, then whatever the engine asks next. Takes
 * both in every case; `request_id` (NULL = none) is for the log. Answers as runner_start;
 * STATUS_INVALID names `agents` when one of the panel is not to be asked any more. `key` as there.
 */
void runner_fork(struct runner *runner, const struct principal *who, struct debate_config *config,
                 struct drafts *inherited, const struct store_start_key *key,
                 const char *request_id, runner_started_fn *done, void *ctx);

/* Asks a debate to stop; looks it up first (blocks; not on the loop thread), and answers when the
 * request is on disk. STATUS_NOT_FOUND, STATUS_CONFLICT when it had ended, STATUS_UNAVAILABLE while
 * stopping. */
typedef void runner_cancelled_fn(void *ctx, enum status status);
void runner_cancel(struct runner *runner, const struct principal *who, const char *debate_id,
                   const char *reason, runner_cancelled_fn *done, void *ctx);

/* Asks a debate to stop if it still runs, and answers once its end is on disk; at once for one that
 * has ended or is not this process's. `debate_id` as the store has it. Any thread; answers on the
 * loop's, or here when memory is short. STATUS_UNAVAILABLE when the process ends first. */
void runner_end(struct runner *runner, const char *debate_id, const char *reason,
                runner_cancelled_fn *done, void *ctx);

/* Takes up every unfinished debate of the store from its log, oldest first; once. Those beyond the
 * limit of running debates wait in the queue, whatever its limit. A debate whose log cannot be read
 * is left alone and named in the server's log; one whose agents' keys are not set is held: nothing
 * is asked or appended until it is cancelled, and a start with the keys takes it up. *ret_count =
 * those that go on. Blocks while the logs are read, with a few threads; not on the loop thread.
 * What follows is done by the loop a few debates a turn: first all of them are resumed in their
 * logs, then they ask. */
MUST_CHECK enum status runner_resume(struct runner *runner, size_t *ret_count, struct error *err);

/* No new debates from here on, and none of those that wait for admission begins: they are taken up
 * at the next start. `idle(ctx)` (may be NULL) is called on the loop, once, when none runs and
 * everything is on disk; it must not destroy anything itself. */
void runner_drain(struct runner *runner, void (*idle)(void *ctx), void *ctx);

/* Leaves every debate where it stands, to be taken up at the next start: closes their sockets, and
 * appends and asks nothing from here on. Blocks until the loop has done it; not on the loop thread.
 *
 * The order at the end of a process, so that nothing is touched after it was freed and everybody
 * who waits gets an answer:
 *   1. runner_drain, for those who wait for the debates' own ends
 *   2. every thread ends that calls runner_start and runner_cancel: the HTTP threads, then the pool
 *   3. runner_stop, while loop and store still work
 *   4. store_close: commits what it has; its done functions post to the loop, which still runs
 *   5. loop_stop and join: what was posted runs, so that every runner_start and runner_cancel has
 *      been answered
 *   6. runner_destroy, then provider_destroy, hub_destroy, loop_destroy
 * Where 4 comes after 5, runner_destroy answers who still waits for the store. */
void runner_stop(struct runner *runner);

struct runner_stats {
  int64_t running, queued;
  int64_t held; /* of the last process: they wait for a start with the keys of their agents */
  bool accepting;
};
struct runner_stats runner_stats(const struct runner *runner);

#endif
