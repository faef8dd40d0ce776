#include "io/loop.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <utlist.h>

struct message {
  struct message *next;
  void (*fn)(void *arg);
  void *arg;
};

struct loop {
  uv_loop_t uv;
  uv_async_t door;
  uv_prepare_t turn_end;   /* runs before each wait */
  struct loop_task *tasks; /* due in this turn; utlist */
  pthread_mutex_t lock;    /* guards first and last */
  struct message *first, **last;
  struct loop_timer *idle_timers; /* stopped handles, kept: closing one takes a turn of the loop */
  struct loop_timer *timers;      /* every handle ever made */
  bool stopping;
};

struct loop_timer {
  uv_timer_t handle;
  struct loop *loop;
  void (*fn)(void *arg);
  void *arg;
  struct loop_timer *next_idle;
  struct loop_timer *next;
};

static _Thread_local const struct loop *current;

static struct message *take_messages(struct loop *loop) {
  pthread_mutex_lock(&loop->lock);
  struct message *first = loop->first;
  loop->first = NULL;
  loop->last = &loop->first;
  pthread_mutex_unlock(&loop->lock);
  return first;
}

static void on_door(uv_async_t *door) {
  struct loop *loop = door->data;
  struct message *m = take_messages(loop);
  while (m) {
    struct message *next = m->next;
    m->fn(m->arg);
    free(m);
    m = next;
  }
}

/* What a task defers in its turn belongs to this turn as well. */
static void on_turn_end(uv_prepare_t *turn_end) {
  struct loop *loop = turn_end->data;
  while (loop->tasks) {
    struct loop_task *task = loop->tasks;
    loop_defer_cancel(loop, task);
    task->fn(task->arg);
  }
}

void loop_defer(struct loop *loop, struct loop_task *task, void (*fn)(void *arg), void *arg) {
  if (task->due) return;
  task->due = true;
  task->fn = fn;
  task->arg = arg;
  DL_APPEND(loop->tasks, task);
}

void loop_defer_cancel(struct loop *loop, struct loop_task *task) {
  if (!task->due) return;
  task->due = false;
  DL_DELETE(loop->tasks, task);
}

enum status loop_create(struct loop **ret_loop, struct error *err) {
  struct loop *loop = calloc(1, sizeof *loop);
  if (!loop) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  int e = uv_loop_init(&loop->uv);
  if (e) {
    free(loop);
    return error_set(err, STATUS_IO, NULL, "event loop: %s", uv_strerror(e));
  }
  e = uv_async_init(&loop->uv, &loop->door, on_door);
  if (e) {
    uv_loop_close(&loop->uv);
    free(loop);
    return error_set(err, STATUS_IO, NULL, "event loop: %s", uv_strerror(e));
  }
  loop->door.data = loop;
  /* Neither can fail (libuv documents both as always 0). */
  uv_prepare_init(&loop->uv, &loop->turn_end);
  uv_prepare_start(&loop->turn_end, on_turn_end);
  loop->turn_end.data = loop;
  pthread_mutex_init(&loop->lock, NULL);
  loop->last = &loop->first;
  /* libuv and OpenSSL write to sockets without MSG_NOSIGNAL: a peer that left must be an error of
   * that write, not the end of the process. */
  signal(SIGPIPE, SIG_IGN);
  *ret_loop = loop;
  return STATUS_OK;
}

static void close_handle(uv_handle_t *handle, void *arg) {
  (void)arg;
  if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

void loop_destroy(struct loop *loop) {
  if (!loop) return;
  for (struct message *m = take_messages(loop); m;) {
    struct message *next = m->next;
    free(m);
    m = next;
  }
  uv_walk(&loop->uv, close_handle, NULL);
  uv_run(&loop->uv, UV_RUN_DEFAULT);
  uv_loop_close(&loop->uv);
  while (loop->timers) {
    struct loop_timer *next = loop->timers->next;
    free(loop->timers);
    loop->timers = next;
  }
  pthread_mutex_destroy(&loop->lock);
  free(loop);
}

void loop_run(struct loop *loop) {
  current = loop;
  loop->stopping = false;
  /* The door keeps the loop alive; only a stop message ends it. */
  while (!loop->stopping) uv_run(&loop->uv, UV_RUN_DEFAULT);
  on_turn_end(&loop->turn_end);
  current = NULL;
}

static void stop(void *arg) {
  struct loop *loop = arg;
  loop->stopping = true;
  uv_stop(&loop->uv);
}

void loop_stop(struct loop *loop) {
  loop_post(loop, stop, loop);
}

void loop_post(struct loop *loop, void (*fn)(void *arg), void *arg) {
  struct message *m = malloc(sizeof *m);
  if (!m) abort();
  *m = (struct message){.fn = fn, .arg = arg};
  pthread_mutex_lock(&loop->lock);
  bool was_empty = !loop->first;
  *loop->last = m;
  loop->last = &m->next;
  pthread_mutex_unlock(&loop->lock);
  if (was_empty) uv_async_send(&loop->door);
}

bool loop_is_current(const struct loop *loop) {
  return current == loop;
}

uv_loop_t *loop_uv(struct loop *loop) {
  return &loop->uv;
}

uint64_t loop_now_ms(const struct loop *loop) {
  return uv_now(&loop->uv);
}

static void timer_retire(struct loop_timer *timer) {
  timer->fn = NULL;
  timer->next_idle = timer->loop->idle_timers;
  timer->loop->idle_timers = timer;
}

static void on_timer(uv_timer_t *handle) {
  struct loop_timer *timer = handle->data;
  void (*fn)(void *arg) = timer->fn;
  void *arg = timer->arg;
  timer_retire(timer);
  fn(arg);
}

static struct loop_timer *timer_take(struct loop *loop) {
  struct loop_timer *timer = loop->idle_timers;
  if (timer) {
    loop->idle_timers = timer->next_idle;
    return timer;
  }
  timer = calloc(1, sizeof *timer);
  if (!timer) abort(); /* a deadline that is not kept is worse than a stop */
  uv_timer_init(&loop->uv, &timer->handle);
  timer->handle.data = timer;
  timer->loop = loop;
  timer->next = loop->timers;
  loop->timers = timer;
  return timer;
}

struct loop_timer *loop_timer_start(struct loop *loop, uint64_t delay_ms, void (*fn)(void *arg),
                                    void *arg) {
  struct loop_timer *timer = timer_take(loop);
  timer->fn = fn;
  timer->arg = arg;
  /* Before loop_run the cached clock is as old as the loop: a timer would fire early. */
  if (current != loop) uv_update_time(&loop->uv);
  uv_timer_start(&timer->handle, on_timer, delay_ms, 0);
  return timer;
}

void loop_timer_cancel(struct loop_timer *timer) {
  if (!timer || !timer->fn) return;
  uv_timer_stop(&timer->handle);
  timer_retire(timer);
}
