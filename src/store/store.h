/* The store: every debate's log, and the row that lists it.
 *
 * `aragora_memory.db` is the truth, `aragora_elo.db` a projection that can be rebuilt. SQLite in
 * WAL mode with synchronous=FULL. One writer thread drains a queue, one transaction a drain (group
 * commit); reads run on the caller's thread (the handler pool), each on a pooled connection, and
 * block. Every read takes a principal. Nothing above this header knows rowids or a dialect of SQL.
 */
#ifndef ARAGORA_STORE_STORE_H
#define ARAGORA_STORE_STORE_H

#include "base/bytes.h"
#include "base/clock.h"
#include "base/principal.h"

struct store;

/* The archive of changes for point-in-time recovery: docs/internals/archive.md. */
struct store_archive_options {
  const char *dir;           /* made when it is missing, its parent is not; NULL = no archive */
  uint64_t segment_bytes;    /* a segment that is this long is sealed */
  int64_t roll_ms;           /* and one with a record that is this old */
  int64_t sync_ms;           /* how long a commit may wait until it is on disk in the archive */
  const struct clock *clock; /* of the records' times; NULL = the system's */
};

struct store_options {
  const char *memory_path;
  const char *elo_path;
  size_t pool_size;        /* read connections at most; opened when needed */
  int64_t timeout_ms;      /* how long a read waits for a lock or a free connection, and a write for
                              a lock before store_check_writable speaks of it */
  size_t max_queued_bytes; /* of the writer's queue; beyond it store_append answers STATUS_FULL */
  struct store_archive_options archive;
  int64_t audit_rows_max; /* of the audit log: beyond it the oldest go; 0 = none do */
};

/* Opens both databases and checks that they are ours, not newer and not behind; makes the schema by
 * the numbered migrations when they are empty. STATUS_CORRUPT / STATUS_UNSUPPORTED / STATUS_IO with
 * a one-line reason that names the file, and the command to run where one helps; nothing is touched
 * then. Starts the writer. */
MUST_CHECK enum status store_open(const struct store_options *options, struct store **ret_store,
                                  struct error *err);
/* Commits what is queued, checkpoints, joins the writer. NULL is fine. */
void store_close(struct store *store);

/* One event as it is kept. */
struct store_event {
  uint64_t seq;
  const char *type;
  int64_t ts_ms;
  int round;         /* -1 = none */
  const char *agent; /* NULL = none */
  struct bytes data; /* canonical JSON; empty (NULL) when the content was deleted */
  uint8_t salt[32];  /* zeros when deleted */
  uint8_t digest[32];
  uint8_t hash[32];
};

/* A debate's row: what a list shows without folding the log. */
struct store_debate {
  char *id;
  char *tenant_id;
  char *owner_id;
  char *slug;
  char *task;
  char *agents;    /* JSON array of names */
  char *metadata;  /* the caller's JSON bytes as they came, or NULL */
  char *status;    /* pending, running, completed, failed, cancelled */
  char *outcome;   /* debate_end's, or NULL while it runs */
  char *consensus; /* the rule */
  char *key_id;    /* the API key that started it, or NULL */
  int64_t created_ms;
  int64_t completed_ms; /* -1 while it runs */
  int64_t duration_ms;  /* running time, -1 while it runs */
  int64_t rounds_used;
  int64_t confidence_ppm; /* -1 = none */
  int64_t cost_usd_micro; /* -1 = unknown */
  bool consensus_reached;
  bool degraded;
  bool demo;
  bool is_public; /* read only: it has a link that works (store/shares.h) */
  uint64_t last_seq;
};
void store_debate_done(struct store_debate *debate); /* frees the texts */

enum store_row_change { STORE_ROW_NONE, STORE_ROW_INSERT, STORE_ROW_UPDATE };

/* Called on the writer thread after the commit (STATUS_OK) or when the append failed for good. On a
 * full or failing disk the batch is held and retried instead (see store_check_writable); but one
 * that inserts a debate, of which nobody knows yet, fails with STATUS_NO_SPACE or the disk's other
 * status. */
typedef void store_done_fn(void *ctx, enum status status);

/* What was used, of one provider and model; or, with both "", debates that began. */
struct store_usage {
  const char *provider, *model;
  int64_t debates;
  int64_t turns; /* turns of a debate that were asked */
  int64_t calls; /* attempts that ended: what follows is their sum */
  int64_t tokens, tokens_in, tokens_out;
  int64_t usd_micro;
  int64_t unpriced; /* calls whose cost nobody knows */
};

/* What somebody spent on a UTC day, reserves of open attempts included, or by how much that
 * changes: then it may be less than 0. */
struct store_spending {
  const char *tenant_id, *owner_id;
  const char *key_id; /* NULL = no API key's */
  int64_t day;        /* since 1970-01-01 */
  int64_t tokens, usd_micro;
  int64_t unpriced;                /* attempts whose cost nobody knows */
  const struct store_usage *usage; /* what ended on it, to be booked as well; none when read */
  size_t usage_count;
};

/* Queues one batch for one debate: its events in order and its row, in one transaction. Copies
 * everything. Batches of one debate commit in the order of the calls. For STORE_ROW_UPDATE only
 * status, outcome, completed_ms, duration_ms, rounds_used, confidence_ppm, cost_usd_micro,
 * consensus_reached and degraded are written. Any thread. STATUS_FULL when the queue is over its
 * limit, STATUS_UNAVAILABLE while it closes, STATUS_INVALID and STATUS_TOO_LARGE for the batch
 * itself: nothing was taken. `done` gets STATUS_CONFLICT when a seq is not the log's next one, when
 * the id to insert is taken or the one to append to unknown, and for what was queued behind such a
 * batch.
 * `spending` is what the events change in what was spent and used; in the same transaction, like
 * the row. A debate that is inserted counts against its tenant's plan (base/plan.h): STATUS_QUOTA
 * when that has none left, and nothing was written. */
MUST_CHECK enum status store_append(struct store *store, const char *debate_id,
                                    const struct store_event *events, size_t count,
                                    enum store_row_change change, const struct store_debate *row,
                                    const struct store_spending *spending, size_t spending_count,
                                    store_done_fn *done, void *ctx);

struct audit_entry;

/* Why a debate's content goes. */
struct store_deletion {
  const char *debate_id;
  const char *reason;     /* the caller's words, or "" */
  const char *deleted_by; /* who asked for it */
  int64_t deleted_ms;
  bool abandoned; /* nobody runs it: its log could not be resumed, so that it may go unended */
  const struct audit_entry *audit; /* written together with it; NULL = none */
};

/* Queues the deletion of a debate that has ended (or is abandoned) and that the principal may see:
 * its row, its texts and its salts go, in one transaction with the tombstone that takes their
 * place. The freed pages are overwritten; copies in the write-ahead log, archives and backups go
 * with those. Copies everything; any thread; answers as store_append. `done` gets STATUS_CONFLICT
 * when there is no such debate or it has not ended. */
MUST_CHECK enum status store_delete_debate(struct store *store, const struct principal *who,
                                           const struct store_deletion *deletion,
                                           store_done_fn *done, void *ctx);

/* What makes the start of a debate safe to ask for again: a key that the caller chose, unique to
 * the owner within the tenant, and a digest of what was asked. */
struct store_start_key {
  const char *text;
  uint8_t digest[32];
  int64_t created_ms;
  int64_t expired_ms; /* a key that was made before this counts no more */
};

/* Where a debate comes from. */
struct store_origin {
  const char *parent_id; /* NULL = no other debate */
  int branch_point;      /* the last round that was taken over; -1 = none: a follow-up */
  const char *batch_id;  /* NULL = no batch */
  int64_t batch_item;
};

/* As store_append with STORE_ROW_INSERT; the key, of the row's tenant and owner, is stored in the
 * same transaction, and a few of all that have expired are removed. `done` gets STATUS_CONFLICT
 * when the key stands for another debate already, or the origin's item of a batch was started or
 * cancelled: then nothing was written. `key` and `origin` NULL = none. */
MUST_CHECK enum status store_append_start(struct store *store, const char *debate_id,
                                          const struct store_event *events, size_t count,
                                          const struct store_debate *row,
                                          const struct store_start_key *key,
                                          const struct store_origin *origin,
                                          const struct store_spending *spending,
                                          size_t spending_count, store_done_fn *done, void *ctx);

/* A circuit breaker as it outlives a restart: one row a service, under its name. */
struct store_breaker {
  const char *name;
  int64_t state; /* as the caller numbers them, like everything here */
  int64_t failures;
  int64_t cooldown_ms;
  int64_t opened_ms, cooling_until_ms, last_failure_ms, last_success_ms; /* Unix, -1 = never */
  const char *misconfigured;                                             /* the reason, or "" */
};

enum {
  STORE_BREAKERS_MAX = 512
}; /* rows; a new name beyond takes the place of the oldest change */

/* Queues the row of one breaker, in the place of the one of that name; it rides in the next
 * transaction, and nobody is told. Copies everything. Any thread, never blocks. STATUS_INVALID
 * without a name, else as store_append. */
MUST_CHECK enum status store_put_breaker(struct store *store, const struct store_breaker *breaker);

/* A debate whose replay files are stale: it ended, or was deleted, in a transaction that noted so.
 */
struct store_trace {
  const char *debate_id;
  int64_t changed_in; /* which note it is */
};

/* Queues that files are on disk and the notes go, but those that were made anew meanwhile. Copies
 * everything; any thread; answers as store_append, `done` as there. */
MUST_CHECK enum status store_drop_traces(struct store *store, const struct store_trace *traces,
                                         size_t count, store_done_fn *done, void *ctx);

/* `wake` is called on the writer's thread after a commit that may have made notes; it must not
 * wait. One at a time; NULL ends it, and it is not running any more when this returns. */
typedef void store_wake_fn(void *ctx);
void store_on_trace(struct store *store, store_wake_fn *wake, void *ctx);

/* STATUS_OK, or why appends fail: STATUS_NO_SPACE, STATUS_IO, STATUS_TIMEOUT (locked by another
 * program for longer than timeout_ms), with the file's name; no new work should be admitted then.
 * Any thread. */
MUST_CHECK enum status store_check_writable(struct store *store, struct error *err);
bool store_writable(struct store *store);
/* What SQLite holds for the connections that read debates and are idle; no other can be asked from
 * a thread that is not its own. Any thread. */
int64_t store_readers_bytes(struct store *store);
/* What waits for the writer or is being written. Any thread. */
size_t store_queued_bytes(struct store *store);

/* How the archive stands. A backup whose `commits` says (chain, number) is a base for every later
 * commit of that chain. */
struct store_archive_state {
  bool enabled;
  bool running;   /* every commit is archived; false also until the first is looked at */
  bool failing;   /* the archive cannot be written; tried again by itself */
  char chain[33]; /* "" unless it is running */
  int64_t number; /* of the last commit */
  int64_t base_wanted_since_ms; /* the chain has no base since it began; -1 = it has one */
  int64_t last_synced_ms; /* commits up to this time are on disk in the archive; -1 = none since the
                             start */
};
/* Any thread, never blocks for long. */
void store_archive_state(const struct store *store, struct store_archive_state *ret_state);
/* A backup made within this chain is complete: no other base is wanted. Kept across restarts.
 * STATUS_IO; STATUS_UNSUPPORTED without an archive. Any thread that may block. */
MUST_CHECK enum status store_archive_note_base(struct store *store, const char *chain,
                                               struct error *err);
/* Any thread: this process has made a checkpoint of the database through a connection of its own,
 * or a backup, which ends with one. Without it a crash would begin a new chain of the archive. */
void store_note_checkpoint(struct store *store);

/* `wake` is called on the archive's thread when segments were sealed, in store_close too; it must
 * not block, nor call the store. NULL = nobody. Nothing happens without an archive. */
void store_on_seal(struct store *store, store_wake_fn *wake, void *ctx);

/* --- reads; any thread that may block; STATUS_NOT_FOUND for what the principal may not see --- */

/* By id or by slug. The result is the caller's, for store_debate_done. */
MUST_CHECK enum status store_get_debate(struct store *store, const struct principal *who,
                                        const char *id_or_slug, struct store_debate *ret_debate,
                                        struct error *err);

/* Calls each(ctx, event) for events with seq > after, in order, at most `limit` (0 = all), until it
 * returns false. The event is valid during the call, which must not wait and must not use the
 * store: it holds a connection and a state of the database. */
typedef bool store_event_fn(void *ctx, const struct store_event *event);
MUST_CHECK enum status store_read_events(struct store *store, const struct principal *who,
                                         const char *debate_id, uint64_t after, size_t limit,
                                         store_event_fn *each, void *ctx, struct error *err);

/* What is left of a deleted debate. store_read_events reads its chain, without the content. */
struct store_tombstone {
  char *debate_id, *tenant_id, *owner_id;
  char *status;              /* with which the debate had ended */
  char *deleted_by, *reason; /* reason "" = none was given */
  int64_t created_ms, deleted_ms;
  uint64_t last_seq;
};
void store_tombstone_done(struct store_tombstone *tombstone); /* frees the texts */

/* By id alone: a slug is made of the question. The result is the caller's. */
MUST_CHECK enum status store_get_tombstone(struct store *store, const struct principal *who,
                                           const char *debate_id,
                                           struct store_tombstone *ret_tombstone,
                                           struct error *err);

typedef void store_id_fn(void *ctx, const char *id, const struct principal *owner);

/* Ids of ended debates that were created before `before_ms`, oldest first, at most `limit`; the
 * system's. `status` and `demo` pick the class that a term is for. */
MUST_CHECK enum status store_expired(struct store *store, const char *status, bool demo,
                                     int64_t before_ms, size_t limit, store_id_fn *each, void *ctx,
                                     struct error *err);

/* The debate that the key stands for with this very principal (text for free()), and whether it was
 * started by the same request: text, digest and expired_ms are read. The debate may have been
 * deleted since; then every request counts as the same. STATUS_NOT_FOUND when the key is free. */
MUST_CHECK enum status store_find_start_key(struct store *store, const struct principal *who,
                                            const struct store_start_key *key, char **ret_debate_id,
                                            bool *ret_same, struct error *err);

struct store_list_query {
  const char *status;        /* NULL = any */
  size_t limit;              /* 1..1000 */
  size_t offset;             /* counted from the newest; 0 with a cursor */
  int64_t before_created_ms; /* cursor: rows older than (created, id); -1 = from the newest */
  const char *before_id;
};
/* Newest first. *ret_rows is an array of *ret_count for store_list_free (not for
 * store_debate_done), without metadata (NULL) and last_seq (0); *ret_total counts all that
 * match without limit and offset (kept by the database, not counted by a scan). */
MUST_CHECK enum status store_list_debates(struct store *store, const struct principal *who,
                                          const struct store_list_query *query,
                                          struct store_debate **ret_rows, size_t *ret_count,
                                          int64_t *ret_total, struct error *err);
void store_list_free(struct store_debate *rows, size_t count);

/* A debate that came from another one. */
struct store_child {
  const char *debate_id, *status, *task;
  int branch_point; /* -1 = a follow-up */
  int64_t created_ms;
};
typedef void store_child_fn(void *ctx, const struct store_child *child);
/* Those of the parent that the principal may see, by id, at most `limit`; the parent need not be
 * there any more. What each is given and must not do are as in store_read_events. */
MUST_CHECK enum status store_list_children(struct store *store, const struct principal *who,
                                           const char *parent_id, size_t limit,
                                           store_child_fn *each, void *ctx, struct error *err);

struct store_search_query {
  const char *text; /* a part of the question or of the slug; ASCII letters of either case */
  size_t limit;     /* 1..1000 */
  size_t offset;    /* counted from the newest that matches */
  size_t newest;    /* how many debates are looked at, at most; 1 or more */
};
struct store_search_result {
  struct store_debate *rows; /* as store_list_debates gives them, for store_list_free */
  size_t count;
  int64_t total; /* that match, of those looked at */
  bool complete; /* all debates were looked at */
};
/* Newest first. Looks at every question within the bound: about two microseconds each. */
MUST_CHECK enum status store_search_debates(struct store *store, const struct principal *who,
                                            const struct store_search_query *query,
                                            struct store_search_result *ret_result,
                                            struct error *err);

/* Debates of one UTC day (since 1970-01-01) that ended the same way, or have not. */
struct store_day_count {
  int64_t day;
  const char *status;
  int64_t debates, consensus_reached;
  int64_t timed, duration_ms; /* those whose running time is known, and its sum */
};
typedef void store_day_fn(void *ctx, const struct store_day_count *count);
/* Those that were created from since_ms on, by day and status, oldest first. What each is given and
 * must not do are as in store_read_events. */
MUST_CHECK enum status store_count_days(struct store *store, const struct principal *who,
                                        int64_t since_ms, store_day_fn *each, void *ctx,
                                        struct error *err);
/* In how many of the same debates each agent took part: the `limit` with most, most first. */
typedef void store_panel_fn(void *ctx, const char *agent, int64_t debates);
MUST_CHECK enum status store_count_panels(struct store *store, const struct principal *who,
                                          int64_t since_ms, size_t limit, store_panel_fn *each,
                                          void *ctx, struct error *err);

/* Ids of debates that have not ended, oldest first, for resuming; system principal only. */
MUST_CHECK enum status store_unfinished(struct store *store, store_id_fn *each, void *ctx,
                                        struct error *err);

/* Calls each(ctx, breaker) for every row that is stored, the last changed first; what it is given
 * and what it must not do are as in store_read_events. */
typedef void store_breaker_fn(void *ctx, const struct store_breaker *breaker);
MUST_CHECK enum status store_read_breakers(struct store *store, store_breaker_fn *each, void *ctx,
                                           struct error *err);

/* Calls each(ctx, spending) for everybody's days from `since_day` on; system's. The texts are valid
 * during the call, which must not wait and must not use the store. */
typedef void store_spending_fn(void *ctx, const struct store_spending *spending);
MUST_CHECK enum status store_read_spending(struct store *store, int64_t since_day,
                                           store_spending_fn *each, void *ctx, struct error *err);

/* Calls each(ctx, trace) for at most `limit` notes with ids greater than after_id, in their order;
 * the system's. What it is given and what it must not do are as in store_read_events. */
typedef void store_trace_fn(void *ctx, const struct store_trace *trace);
MUST_CHECK enum status store_read_traces(struct store *store, const char *after_id, size_t limit,
                                         store_trace_fn *each, void *ctx, struct error *err);

/* For how long the writer has been at one commit, in microseconds, waits for another try not
 * counted: what hangs. Any thread. */
int64_t store_writer_busy_us(const struct store *store);

/* A round trip to each database, for health. */
struct store_pulse {
  struct error problem; /* its status is STATUS_OK when the database answers */
  int64_t us;           /* how long that took */
};
void store_ping(struct store *store, struct store_pulse *ret_memory, struct store_pulse *ret_elo);

/* "short-words-of-the-task-2026-11-23", made unique with a part of the id. */
void store_make_slug(struct bytes task, int64_t created_ms, const char *id, char *out, size_t size);

#endif
