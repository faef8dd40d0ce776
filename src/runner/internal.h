/* What the files of this room share. Not for other rooms; loop thread, where nothing else is said.
 *
 *   runner.c   admission, the table and the queue of debates, starting, cancelling, leaving
 *   resume.c   what the last process left unfinished
 *   live.c     one debate: its life, and the loop of ask and append
 *   asking.c   one turn that is being asked
 *   delivery.c    what is appended together: sealing, handing over to the store, holding what it
 *                 refuses
 *   panel.c       a request resolved against the agents that exist
 */
#ifndef ARAGORA_RUNNER_INTERNAL_H
#define ARAGORA_RUNNER_INTERNAL_H

#include "debate/live_text.h"
#include "runner/live.h"

#include <stdatomic.h>

/* A table that cannot grow refuses the entry instead of ending the process. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct delivery;
struct resume;

/* Who waits for a debate's end. */
struct runner_waiter {
  struct runner_waiter *next;
  runner_cancelled_fn *done;
  void *ctx;
};

struct runner_entry { /* id -> running or queued debate */
  const char *id;     /* the live's own */
  struct live *live;
  struct runner_waiter *waiters;
  UT_hash_handle hh;
};

enum { RUNNER_SALTS = 128, DELIVERY_DAYS = 2 };

/* Attempts that ended in a delivery, by provider and model. */
struct delivery_usage {
  struct store_usage *rows; /* their texts are in one block each, `provider` */
  size_t count, cap;
};

struct runner {
  struct loop *loop;
  struct store *store;
  struct hub *hub;
  struct provider *provider;
  _Atomic(const struct agent_table *) agents; /* see runner_use_agents */
  const struct options *options;
  const struct clock *clock;
  struct runner_entry *table;            /* loop thread */
  struct live *queue_first, *queue_last; /* loop thread: debates that wait for admission */
  struct delivery *deliveries;           /* loop thread: begun, not yet through; utlist */
  struct buffer scratch;                 /* loop thread: a frame while it is made */
  struct loop_timer *tell_timer;         /* loop thread: subscribers are told when it fires */
  uint8_t salts[RUNNER_SALTS][CHAIN_SALT_SIZE]; /* drawn ahead; loop thread */
  size_t salts_left;
  _Atomic int64_t running, queued, held; /* written on the loop, read anywhere */
  atomic_bool accepting;
  atomic_bool resuming;  /* debates of the last process are not all in the table yet */
  struct resume *resume; /* loop thread: those that are being taken up, or go on next */
  bool stopped;          /* loop thread: runner_stop was here */
  void (*drain)(void *ctx), (*idle)(void *ctx); /* asked for; in force on the loop */
  void *drain_ctx, *idle_ctx;
};

/* The debate's last event is on the disk, or it was given up: it leaves the table, the next one
 * starts. The live may be freed by it. */
void runner_live_ended(struct runner *runner, struct live *live);
/* Events or tokens went to the hub: within the option's interval their subscribers are told. */
void runner_has_to_tell(struct runner *runner);
/* A delivery is through. */
void runner_delivery_done(struct runner *runner);
/* A debate of the last process comes into the table: it runs, is held, or waits like a new one. An
 * error leaves it to the caller. */
MUST_CHECK enum status runner_take_up(struct runner *runner, struct live *live, bool *ret_queued);
/* All of them are in it. */
void runner_taken_up(struct runner *runner);
/* The loop has stopped: forgets what was not taken up. */
void resume_abandon(struct runner *runner);

/* ---- a debate ---- */

enum asking_state {
  ASKING_FREE,      /* the slot is empty */
  ASKING_ANNOUNCED, /* ask_start ran; the provider has not announced its (next) attempt yet */
  ASKING_SEALING,   /* attempt_start is on its way to the disk, in delivery `open.sealed_in` */
  ASKING_SENT,      /* the request left */
  ASKING_EXHAUSTED, /* a budget cannot pay for it: the debate ends once its other turns have */
};

/* A turn that is being asked: one slot a turn of the current step. */
/* An attempt that was announced and has not ended. */
struct asking_attempt {
  int number;         /* in the ask */
  int logged;         /* in the turn: the log's */
  uint64_t sealed_in; /* a delivery's number: an earlier one's commit must not wake it; 0 = sent */
  int64_t day;        /* in which it is booked */
  struct ledger_amounts reserved;
};

struct asking {
  struct live *live;
  enum asking_state state;
  struct asking_attempt open;  /* of SEALING and SENT */
  struct asking_attempt hedge; /* beside it; number 0 = there is none */
  int turn;
  struct ask *ask;
  struct prompt prompt; /* borrowed by the ask */
  struct agent_binding binding;
  char turn_id[TURN_ID_SIZE];
  int step;                   /* in which the time below began */
  int64_t started_us;         /* of the turn, its repair included */
  int64_t time_ms;            /* that the turn has from then on, its repair included */
  char *exhausted;            /* which budget, of ASKING_EXHAUSTED */
  int tokens_of;              /* the attempt whose words are shown; 0 = none are */
  struct live_text live_text; /* the answer's words out of the reply under way */
};

struct agent_count { /* for agent_seq */
  const char *name;
  uint64_t count;
};

struct live {
  struct runner *runner;
  struct live *next; /* in the queue */
  enum live_state state;
  int refs; /* the runner's, and one a delivery */
  struct store_debate row;
  char *request_id; /* that brought it, for the server's log; NULL = none, or of another process */
  struct debate *debate;
  struct budget budget; /* open with the askings */
  uint8_t head[CHAIN_HASH_SIZE];
  struct agent_count counts[DEBATE_MEMBERS_MAX + DEBATE_JUDGES_MAX];
  struct asking *askings; /* as many as a step may have turns; NULL before the configuration */
  int asking_count;
  struct loop_timer *deadline;
  int64_t since_us;           /* monotonic: from when the running time counts beyond the log's */
  int64_t log_clock_ms;       /* the log's time above the monotonic one; 0 = no event yet */
  struct delivery *gathering; /* what this turn of the loop appends; not submitted yet */
  struct loop_task submit;    /* submits it at the end of the turn */
  uint64_t delivered;         /* the number of the last delivery begun */
  struct delivery *held_first, *held_last; /* refused by a full queue; in order */
  struct loop_timer *held_timer;
  bool opened; /* in the hub */
  bool held;   /* of the last process, and waits for a key: see runner_resume */
  bool broken; /* nothing more is appended: the log could not be continued, or the process goes */
};

struct log_context live_log_context(const struct live *live);
/* What an event means, in the server's log: all lines of one debate together tell its story. */
void story_tell(const struct live *live, const struct event *event,
                const struct attempt_note *note);
void story_attempt(const struct asking *asking, const struct ask_result *result);
void story_begin(const struct live *live);
/* With the row as it ends. */
void story_end(const struct live *live);
/* Asks and appends whatever the state calls for. The live may be freed. */
void live_advance(struct live *live, struct delivery *delivery);
/* The log cannot be continued (memory, or a fold that refused): the debate stops here, its log as
 * it stands on disk, and is taken up again at the next start. The live may be freed. */
void live_give_up(struct live *live, enum status status, const char *why);
/* Cancels what is being asked, without a word in the log. */
void live_cut_askings(struct live *live);

/* ---- a turn; asking.c ---- */

/* Starts asking an open turn; one that cannot be asked fails in the log. */
MUST_CHECK enum status asking_start(struct live *live, struct delivery *delivery, int turn);
bool asking_is_asked(const struct live *live, int turn);
/* Closes its socket and books what was under way at its reserve; what was not sent yet at nothing.
 */
MUST_CHECK enum status asking_cut(struct asking *asking, struct delivery *delivery);
/* The ask is over or cancelled: forgets it. */
void asking_clear(struct asking *asking);
/* A delivery is on disk: the requests of the attempts that began in it leave. */
void asking_proceed(struct live *live, uint64_t delivery);

/* ---- what is appended together; delivery.c ---- */

struct sealed { /* an event with its bytes, until the store has copied them */
  struct store_event event;
  char *data;
};

/* One transaction: all that a debate appends in one turn of the loop. Begun and filled on the loop,
 * its live's `gathering`; from delivery_submit the writer's until its done function, or held by its
 * live; then the loop's, which frees it. */
struct delivery {
  struct delivery *prev, *next; /* in the runner's list */
  struct delivery *held_next;
  struct live *live;
  uint64_t number; /* counted in the debate, from 1 */
  struct sealed *events;
  struct frame **frames;
  size_t count, cap;
  struct store_spending spending[DELIVERY_DAYS]; /* what the events change in what was spent */
  size_t spending_count;
  struct delivery_usage usage[DELIVERY_DAYS]; /* of each of these */
  const struct store_start_key *key;          /* of the start; its caller's until `committed` */
  const struct store_origin *origin;          /* likewise */
  enum store_row_change change;
  bool ends;   /* debate_end is among them */
  bool held;   /* not with the store yet */
  bool untold; /* subscribers wait to be told of its events */
  live_committed_fn *committed;
  void *ctx;
  enum status status;
};

/* What the debate gathers in this turn of the loop, begun now if need be; submitted at the turn's
 * end. NULL when memory is short. */
struct delivery *delivery_gather(struct live *live);
/* Who is told when it is on disk. At most one a delivery: an earlier one is submitted for that, and
 * the answer is the delivery to go on with, NULL when memory is short. */
struct delivery *delivery_tell(struct delivery *delivery, live_committed_fn *committed, void *ctx);
/* Nothing of what was gathered is appended, nobody told. The live may be freed. */
void delivery_drop(struct live *live);
/* Seals the drafts into the delivery and folds them; takes the drafts in every case. After an error
 * none of them will be appended, and the debate cannot go on. */
MUST_CHECK enum status delivery_seal(struct delivery *delivery, struct drafts *drafts);
/* What was sealed changes an attempt's booking on that day from `before` (NULL = there was none) to
 * `now`. */
void delivery_book(struct delivery *delivery, int64_t day, const struct ledger_amounts *before,
                   const struct ledger_amounts *now);
/* Gives what was gathered to the store, if anything was. A full queue holds it, in order: a paid
 * answer is never dropped. */
void delivery_submit(struct live *live);
/* The process goes: what is gathered or held goes to the store now or fails. */
void delivery_flush(struct runner *runner);
/* Loop stopped, store closed: answers and frees what never came through. */
void delivery_abandon_all(struct runner *runner);
/* One logged event more of this agent; returns how many there are. 0 for NULL. */
uint64_t delivery_count_agent(struct live *live, const char *agent);

#endif
