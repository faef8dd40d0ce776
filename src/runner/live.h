/* One running debate: its state, its chain, and the turns that are being asked.
 *
 * Owned by the runner; loop thread only, but for live_create and live_restore before it is handed
 * there. Events are folded the moment they are handed to the store; what they cause waits for the
 * commit:
 *
 *   advance:  drafts -> seal -> fold -> next ... -> one delivery to the store
 *   commit:   (writer) frames to the hub -> (loop) requests leave, waiting callers are answered
 */
#ifndef ARAGORA_RUNNER_LIVE_H
#define ARAGORA_RUNNER_LIVE_H

#include "debate/chain.h"
#include "debate/debate.h"
#include "runner/runner.h"

struct live;

enum live_state {
  LIVE_QUEUED,  /* waits for admission, in the runner's queue and table, or is held, in the table
                   alone */
  LIVE_RUNNING, /* turns are asked; in the runner's table */
  LIVE_ENDED,   /* debate_end is handed to the store, or it was given up or left; nothing is asked
                   any more; freed when the last delivery is through */
};

/* Called on the loop when a delivery is on disk (or failed for good). */
typedef void live_committed_fn(void *ctx, enum status status);

/* A debate that has not begun. `row` is what the store lists, copied. The reference is the
 * caller's. */
MUST_CHECK enum status live_create(struct runner *runner, const struct store_debate *row,
                                   struct live **ret_live);
/* Takes the text: the request that brings the debate, for the server's log. */
void live_take_request_id(struct live *live, char *request_id);
/* NULL is fine. Frees it once no delivery is under way. */
void live_unref(struct live *live);
void live_ref(struct live *live);

/* What a debate begins with. */
struct live_start {
  const struct debate_config *config;
  struct drafts *inherited;          /* events of another log that follow debate_start; taken */
  const struct store_start_key *key; /* NULL = none; the caller's until `committed`, as the next */
  const struct store_origin *origin;
  bool queued;
};
/* Writes debate_start, and what is inherited, with the row, the key and the origin, and asks,
 * unless it is queued. `committed` when it is on disk; not after an error: then nothing was
 * written. */
MUST_CHECK enum status live_begin(struct live *live, const struct live_start *start,
                                  live_committed_fn *committed, void *ctx);
/* Takes an event of the store's log up into the state; before live_continue. Any one thread. */
MUST_CHECK enum status live_restore(struct live *live, const struct store_event *event,
                                    struct error *err);
/* After the last event was restored: closes unknown attempts and notes the resumption. The live may
 * be freed. */
void live_take_up(struct live *live, bool queued);
/* Asks what the log of one that was taken up asks for; does nothing where it waits, or has ended.
 * The live may be freed. */
void live_go_on(struct live *live);

/* A queued debate begins. The live may be freed. */
void live_admit(struct live *live);
/* A fact from outside; `committed` (may be NULL) when it is on disk. STATUS_CONFLICT when the
 * debate has ended. After any other error the debate was given up and may be freed. */
MUST_CHECK enum status live_fact(struct live *live, enum event_kind kind, const char *reason,
                                 live_committed_fn *committed, void *ctx);
/* The process goes: the sockets close, nothing more is appended, the log stays as it is. */
void live_leave(struct live *live);

const char *live_id(const struct live *live);
struct runner *live_runner(const struct live *live);
const struct debate *live_debate(const struct live *live);
/* Running time so far, in milliseconds. */
int64_t live_elapsed_ms(const struct live *live);
/* For the runner's queue. */
struct live *live_next(const struct live *live);
void live_set_next(struct live *live, struct live *next);

#endif
