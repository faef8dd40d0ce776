#include "io/pool.h"

#include "base/sparse.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct job {
  void (*fn)(void *arg);
  void *arg;
};

struct pool {
  pthread_mutex_t lock; /* guards everything below */
  pthread_cond_t work;
  bool stopping;
  struct job *ring; /* of max_queued */
  size_t max_queued, head, queued;
  size_t waiting; /* threads that wait for a job, or were told of one and have not taken it */
  size_t thread_count, max_threads;
  pthread_t threads[];
};

static void *run_worker(void *arg) {
  struct pool *pool = arg;
  pthread_setname_np(pthread_self(), "pool"); /* not that of whoever submitted the job */
  pthread_mutex_lock(&pool->lock);
  for (;;) {
    pool->waiting++;
    while (!pool->queued && !pool->stopping) pthread_cond_wait(&pool->work, &pool->lock);
    pool->waiting--;
    if (!pool->queued) break;
    struct job job = pool->ring[pool->head];
    pool->head = (pool->head + 1) % pool->max_queued;
    pool->queued--;
    pthread_mutex_unlock(&pool->lock);
    job.fn(job.arg);
    pthread_mutex_lock(&pool->lock);
  }
  pthread_mutex_unlock(&pool->lock);
  return NULL;
}

/* With the lock held, or before anybody else knows the pool. */
static int add_worker(struct pool *pool) {
  int failed = pthread_create(&pool->threads[pool->thread_count], NULL, run_worker, pool);
  if (!failed) pool->thread_count++;
  return failed;
}

enum status pool_create(size_t threads, size_t max_queued, struct pool **ret_pool,
                        struct error *err) {
  if (!threads || !max_queued)
    return error_set(err, STATUS_INVALID, NULL, "a pool needs a thread and room for a job");
  struct pool *pool = calloc(1, sizeof *pool + threads * sizeof pool->threads[0]);
  if (!pool) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  pool->ring = sparse_alloc(max_queued * sizeof *pool->ring);
  if (!pool->ring) {
    free(pool);
    return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  }
  pool->max_queued = max_queued;
  pthread_mutex_init(&pool->lock, NULL);
  pthread_cond_init(&pool->work, NULL);
  pool->max_threads = threads;
  int failed = add_worker(pool);
  if (failed) {
    pool_destroy(pool);
    return error_set(err, STATUS_IO, NULL, "cannot start a thread: %s", strerror(failed));
  }
  *ret_pool = pool;
  return STATUS_OK;
}

void pool_stop(struct pool *pool) {
  pthread_mutex_lock(&pool->lock);
  pool->stopping = true;
  pthread_cond_broadcast(&pool->work);
  pthread_mutex_unlock(&pool->lock);
  for (size_t i = 0; i < pool->thread_count; i++) pthread_join(pool->threads[i], NULL);
  pool->thread_count = 0;
}

void pool_destroy(struct pool *pool) {
  if (!pool) return;
  pool_stop(pool);
  pthread_cond_destroy(&pool->work);
  pthread_mutex_destroy(&pool->lock);
  sparse_free(pool->ring, pool->max_queued * sizeof *pool->ring);
  free(pool);
}

enum status pool_submit(struct pool *pool, void (*fn)(void *arg), void *arg) {
  enum status status = STATUS_OK;
  pthread_mutex_lock(&pool->lock);
  if (pool->stopping) {
    status = STATUS_UNAVAILABLE;
  } else if (pool->queued == pool->max_queued) {
    status = STATUS_FULL;
  } else {
    pool->ring[(pool->head + pool->queued) % pool->max_queued] = (struct job){fn, arg};
    pool->queued++;
    /* Where the system has no thread left, those that are there take the job in time. */
    if (pool->queued > pool->waiting && pool->thread_count < pool->max_threads) add_worker(pool);
    pthread_cond_signal(&pool->work);
  }
  pthread_mutex_unlock(&pool->lock);
  return status;
}

struct pool_stats pool_stats(struct pool *pool) {
  pthread_mutex_lock(&pool->lock);
  struct pool_stats stats = {pool->max_threads, pool->thread_count,
                             pool->thread_count - pool->waiting, pool->queued};
  pthread_mutex_unlock(&pool->lock);
  return stats;
}
