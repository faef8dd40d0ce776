/* Batches of debates that wait to be started; here a job, since a batch is the writer's.
 *
 * A job's items are started one by one: store_append_start with the item as its origin puts the
 * debate's id in the place of what was asked for, in the transaction that inserts the debate, so
 * that no item is started twice, whoever dies in between.
 */
#ifndef ARAGORA_STORE_JOBS_H
#define ARAGORA_STORE_JOBS_H

#include "store/store.h"

struct store_job {
  const char *id, *tenant_id, *owner_id;
  const char *key_id;   /* the API key that it came with, or NULL */
  int64_t max_parallel; /* debates of it that run or wait to run at once */
  int64_t items;
  int64_t created_ms, cancelled_ms; /* Unix; -1 = it was not cancelled */
};

/* Queues the job with its items' requests, bodies of starts, `items` of them. Copies everything;
 * any thread; answers as store_append. */
MUST_CHECK enum status store_put_job(struct store *store, const struct store_job *job,
                                     const char *const *requests, store_done_fn *done, void *ctx);
/* No item of it is started from here on, and the requests of those that were not are gone. `done`
 * gets STATUS_CONFLICT when there is no such job of the principal, or it was cancelled. */
MUST_CHECK enum status store_cancel_job(struct store *store, const struct principal *who,
                                        const char *id, int64_t now_ms, store_done_fn *done,
                                        void *ctx);
/* The item cannot be started, and why. STATUS_CONFLICT when it was. */
MUST_CHECK enum status store_fail_item(struct store *store, const char *job_id, int64_t item,
                                       const char *why, store_done_fn *done, void *ctx);

/* --- reads, as those of store.h --- */

/* How the items stand. */
struct store_job_counts {
  int64_t waiting;                                       /* to be started */
  int64_t refused;                                       /* could not be */
  int64_t active, completed, failed, cancelled, deleted; /* debates by status */
};
typedef void store_job_fn(void *ctx, const struct store_job *job,
                          const struct store_job_counts *counts);
/* One job; each(ctx, ...) is called once. */
MUST_CHECK enum status store_get_job(struct store *store, const struct principal *who,
                                     const char *id, store_job_fn *each, void *ctx,
                                     struct error *err);
/* Newest first, at most `limit`; `unfinished`: those that have items to start, oldest first. */
MUST_CHECK enum status store_list_jobs(struct store *store, const struct principal *who,
                                       bool unfinished, size_t limit, store_job_fn *each, void *ctx,
                                       struct error *err);

struct store_item {
  int64_t item;
  const char *request;   /* "" once it was started, or the job was cancelled before */
  const char *debate_id; /* NULL = it was not */
  const char *status;    /* of the debate; NULL = there is none */
  const char *task;      /* likewise */
  const char *error;     /* why it could not be started, or NULL */
};
typedef void store_item_fn(void *ctx, const struct store_item *item);
/* Of a job that the caller has looked up: in order; `waiting`: the first one to start alone, none
 * of a cancelled job. */
MUST_CHECK enum status store_read_items(struct store *store, const char *job_id, bool waiting,
                                        store_item_fn *each, void *ctx, struct error *err);

#endif
