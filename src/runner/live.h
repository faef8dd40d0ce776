/* One running debate: its state, its chain, and the turns that are being asked.
 *
 * Owned by the runner; loop thread only, but for the store's completion. Events are folded the
 * moment they are handed to the store; what they cause waits for the commit:
 *
 *   advance:  drafts -> seal -> fold -> next ... -> one batch to the store
 *   commit:   (writer) frames to the hub -> (loop) requests leave, waiting callers are answered
 */
#ifndef ARAGORA_RUNNER_LIVE_H
#define ARAGORA_RUNNER_LIVE_H

#include "debate/chain.h"
#include "debate/debate.h"
#include "runner/runner.h"

struct live;

enum live_state {
  LIVE_QUEUED,  /* waits for admission; in the runner's queue */
  LIVE_RUNNING, /* turns are asked; in the runner's table */
  LIVE_ENDED,   /* debate_end is handed to the store; freed when the last batch is through */
};

/* Called on the loop when a batch is on disk (or failed for good). */
typedef void live_committed_fn(void *ctx, enum status status);

/* A debate that has not begun. Takes over `config`. `row` is what the store lists, copied. */
MUST_CHECK enum status live_create(struct runner *runner, const struct store_debate *row,
                                   struct live **ret_live);
void live_unref(struct live *live);

/* Writes debate_start with the row. `committed` when it is on disk. */
MUST_CHECK enum status live_begin(struct live *live, struct debate_config *config, bool queued,
                                  live_committed_fn *committed, void *ctx);
/* Takes an event of the store's log up into the state; before live_continue. Any one thread. */
MUST_CHECK enum status live_restore(struct live *live, const struct store_event *event,
                                    struct error *err);
/* After the last event was restored: closes unknown attempts, notes the resumption, goes on. */
void live_continue(struct live *live);

/* Asks, appends, ends: whatever the state calls for. */
void live_admit(struct live *live);
/* A fact from outside; `committed` may be NULL. STATUS_CONFLICT when the debate has ended. */
MUST_CHECK enum status live_fact(struct live *live, enum event_kind kind, const char *reason,
                                 live_committed_fn *committed, void *ctx);

const char *live_id(const struct live *live);
const struct store_debate *live_row(const struct live *live);
enum live_state live_state(const struct live *live);
const struct debate *live_debate(const struct live *live);
/* For the runner's lists. */
struct live *live_next(const struct live *live);
void live_set_next(struct live *live, struct live *next);

#endif
