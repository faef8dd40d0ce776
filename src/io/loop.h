/* The event loop: libuv with one thread, timers, and the door through which other threads enter.
 *
 * Everything that runs on the loop runs on one thread and never blocks.
 */
#ifndef ARAGORA_IO_LOOP_H
#define ARAGORA_IO_LOOP_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct loop;

MUST_CHECK enum status loop_create(struct loop **ret_loop, struct error *err);
/* After loop_run returned; closes what is left and frees. NULL is fine. */
void loop_destroy(struct loop *loop);

/* Runs on the calling thread until loop_stop. */
void loop_run(struct loop *loop);
/* Any thread. What was posted before still runs. */
void loop_stop(struct loop *loop);

/* Any thread: runs fn(arg) on the loop's thread, in the order of posting. Never blocks beyond a
 * mutex; an allocation failure aborts the process, since the message could not be lost. */
void loop_post(struct loop *loop, void (*fn)(void *arg), void *arg);

/* True on the loop's own thread (from loop_run on). */
bool loop_is_current(const struct loop *loop);
uv_loop_t *loop_uv(struct loop *loop);
/* Milliseconds of the loop's own clock (monotonic, cached for the current turn). Loop thread. */
uint64_t loop_now_ms(const struct loop *loop);

/* One-shot timers; loop thread only. The handle is valid until it fired or was cancelled. */
struct loop_timer;
struct loop_timer *loop_timer_start(struct loop *loop, uint64_t delay_ms, void (*fn)(void *arg),
                                    void *arg);
void loop_timer_cancel(struct loop_timer *timer); /* NULL is fine */

/* Something to do once more in this turn of the loop: after all that was ready, timers included,
 * and before the loop waits again. Lives in its owner; zeroed memory is one that is not due. */
struct loop_task {
  struct loop_task *prev, *next; /* in the loop's list */
  void (*fn)(void *arg);
  void *arg;
  bool due;
};

/* Loop thread only. fn(arg) runs once, in the order of the calls; one that is due already stays
 * where it is. The task must outlive it, or be cancelled. */
void loop_defer(struct loop *loop, struct loop_task *task, void (*fn)(void *arg), void *arg);
void loop_defer_cancel(struct loop *loop, struct loop_task *task); /* fine when it is not due */

#endif
