/* One call of store_append, store_put_breaker, store_delete_debate or store_drop_traces as it waits
 * in the writer's queue: a copy of everything in one block, but for its row of the audit log.
 *
 * Made on the caller's thread, owned by the writer from then on.
 */
#ifndef ARAGORA_STORE_BATCH_H
#define ARAGORA_STORE_BATCH_H

#include "store/audit_writer.h"
#include "store/deletion.h"
#include "store/job_change.h"
#include "store/key_change.h"
#include "store/share_change.h"
#include "store/store.h"
#include "store/user_change.h"

struct batch {
  struct batch *next;
  size_t size;           /* of the block, for the queue's limit */
  const char *debate_id; /* "" = no debate's: a breaker's row */
  struct store_event *events;
  size_t count;
  struct store_spending *spending;
  size_t spending_count;
  enum store_row_change change;
  struct store_debate row;             /* its texts lie in the block */
  const struct store_start_key *key;   /* of the row to insert, in the block; NULL = none */
  struct store_origin origin;          /* of the row to insert; its texts lie in the block */
  const struct store_breaker *breaker; /* in the block; NULL = it is a debate's batch */
  const struct deletion *deletion;     /* likewise */
  const struct job_change *job;        /* likewise */
  const struct key_change *key_change; /* likewise */
  const struct share_change *share;    /* likewise */
  const struct store_trace *traces;    /* likewise, `count` of them */
  struct audit_pending *audit;         /* a row of the audit log that goes with it, or NULL */
  bool only_audit;                     /* and it is nothing else */
  const struct user_change *user;      /* likewise */
  store_done_fn *done;
  void *ctx;
  enum status result; /* STATUS_OK until it has failed for good */
};

/* STATUS_INVALID for a batch without events and change, STATUS_TOO_LARGE, STATUS_NOMEM. */
MUST_CHECK enum status batch_make(const char *debate_id, const struct store_event *events,
                                  size_t count, enum store_row_change change,
                                  const struct store_debate *row, const struct store_start_key *key,
                                  const struct store_origin *origin,
                                  const struct store_spending *spending, size_t spending_count,
                                  struct batch **ret_batch);
/* STATUS_INVALID without a name, STATUS_TOO_LARGE, STATUS_NOMEM. */
MUST_CHECK enum status batch_make_breaker(const struct store_breaker *breaker,
                                          struct batch **ret_batch);
/* STATUS_INVALID without an id, STATUS_TOO_LARGE, STATUS_NOMEM. */
MUST_CHECK enum status batch_make_deletion(const struct deletion *deletion,
                                           struct batch **ret_batch);
/* STATUS_INVALID without a trace, STATUS_TOO_LARGE, STATUS_NOMEM. */
MUST_CHECK enum status batch_make_traces(const struct store_trace *traces, size_t count,
                                         struct batch **ret_batch);
/* STATUS_INVALID without an id, STATUS_TOO_LARGE, STATUS_NOMEM. */
MUST_CHECK enum status batch_make_job(const struct job_change *change, struct batch **ret_batch);
/* One that is a row of the audit log alone. STATUS_TOO_LARGE, STATUS_NOMEM. */
MUST_CHECK enum status batch_make_audit(const struct audit_entry *entry, struct batch **ret_batch);
/* Any batch, before it is queued: the entry is written in its transaction, if and only if the batch
 * is. NULL = none. STATUS_TOO_LARGE, STATUS_NOMEM: the batch is as it was. */
MUST_CHECK enum status batch_attach_audit(struct batch *batch, const struct audit_entry *entry);
/* STATUS_NOMEM. */
MUST_CHECK enum status batch_make_user(const struct user_change *change, struct batch **ret_batch);
/* STATUS_TOO_LARGE, STATUS_NOMEM. */
MUST_CHECK enum status batch_make_key(const struct key_change *change, struct batch **ret_batch);
/* STATUS_INVALID, STATUS_NOMEM. */
MUST_CHECK enum status batch_make_share(const struct share_change *change,
                                        struct batch **ret_batch);
void batch_free(struct batch *batch);
/* Whether both append to one log. What is no debate's belongs to nothing else. */
bool batch_same_debate(const struct batch *one, const struct batch *other);

#endif
