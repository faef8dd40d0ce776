/* A bounded pool of threads for work that may block (SQL, password hashing).
 * pool_submit is one of the four doors between threads.
 */
#ifndef ARAGORA_IO_POOL_H
#define ARAGORA_IO_POOL_H

#include "base/status.h"

#include <stddef.h>

struct pool;

/* Up to `threads` workers, at most `max_queued` jobs waiting. One worker is there from the start;
 * the others are started when a job finds none that waits, and stay. */
MUST_CHECK enum status pool_create(size_t threads, size_t max_queued, struct pool **ret_pool,
                                   struct error *err);
/* Finishes what is queued and joins the workers; what is submitted from here on is refused. The
 * pool's memory stays, for those who may still try. Not on a thread of the pool. */
void pool_stop(struct pool *pool);
/* Stops it, if it was not, and frees. NULL is fine. */
void pool_destroy(struct pool *pool);
struct pool_stats {
  size_t max_threads, threads; /* at most, and started so far */
  size_t busy;                 /* of these */
  size_t waiting;              /* jobs */
};
struct pool_stats pool_stats(struct pool *pool); /* any thread */
/* Any thread. Nothing was taken when it answers STATUS_FULL, as the queue is, or
 * STATUS_UNAVAILABLE, as the pool stops. */
MUST_CHECK enum status pool_submit(struct pool *pool, void (*fn)(void *arg), void *arg);

#endif
