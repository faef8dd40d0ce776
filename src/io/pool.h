/* A bounded pool of threads for work that may block (SQL, password hashing).
 * pool_submit is one of the four doors between threads.
 */
#ifndef ARAGORA_IO_POOL_H
#define ARAGORA_IO_POOL_H

#include "base/status.h"

#include <stddef.h>

struct pool;

/* `threads` workers, at most `max_queued` jobs waiting. */
MUST_CHECK enum status pool_create(size_t threads, size_t max_queued, struct pool **ret_pool,
                                   struct error *err);
/* Finishes what is queued, joins the workers, frees. NULL is fine. */
void pool_destroy(struct pool *pool);
/* Any thread. STATUS_FULL when the queue is: nothing was taken. */
MUST_CHECK enum status pool_submit(struct pool *pool, void (*fn)(void *arg), void *arg);

#endif
