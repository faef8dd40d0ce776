/* A runner with everything around it but a provider: a real loop thread, a real store in a
 * directory of its own, a real hub, and scripted_ask.c in the provider's place.
 *
 * world_open ... world_leave ... world_open is a process that ends and starts again over the same
 * files.
 */
#ifndef ARAGORA_TESTS_RUNNER_WORLD_H
#define ARAGORA_TESTS_RUNNER_WORLD_H

#include "base/id.h"
#include "debate/check.h"
#include "runner/runner.h"
#include "scripted_ask.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { WATCHES_MAX = 256, FRAMES_MAX = 400 };

/* Something that happens once, and somebody who waits for it. */
struct signal_flag {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool raised;
};
void signal_init(struct signal_flag *s);
void signal_raise(void *signal_flag);
void signal_wait(struct signal_flag *s);

/* A debate that was started: its answer, and its frames from the hub. */
struct watch {
  struct world *world;
  struct signal_flag answered, woken;
  enum status status;
  struct error err;
  char id[ID_DEBATE_MAX + 1];
  char shown[16]; /* the status that the caller was told */
  struct hub_subscription *subscription;
  struct frame *frames[FRAMES_MAX]; /* those with a seq */
  size_t frame_count, token_frames;
  bool ended;
};

struct world {
  char dir[64];
  char memory_path[96], elo_path[96];
  size_t max_queued_bytes;
  struct options options;
  struct budgets_options budgets;
  struct agent_table agents;
  struct loop *loop;
  pthread_t thread;
  struct store *store;
  struct hub *hub;
  struct provider *provider;
  struct runner *runner;
  struct signal_flag idle;
  struct watch *watches[WATCHES_MAX];
  size_t watch_count;
};

enum world_end {
  WORLD_IN_ORDER,   /* as runner_stop says */
  WORLD_LOOP_FIRST, /* the loop ends while debates run, then the store */
};

int world_setup(void **state); /* cmocka; closed */
int world_teardown(void **state);
void world_open(struct world *w);
void world_leave(struct world *w, enum world_end how);

/* Three agents "alpha", "beta", "gamma", a majority, one round; from here a test changes it. */
void world_spec(struct debate_spec *spec, const char *task);
/* Takes the spec; does not wait. */
struct watch *world_start(struct world *w, struct debate_spec *spec);
/* Waits for the answer to the request. */
void watch_answered(struct watch *watch);
/* Waits until the stream has ended: the last frame is in `frames`. */
void watch_end(struct watch *watch);
/* Waits for the first live words. */
void watch_words(struct watch *watch);
enum status world_cancel(struct world *w, const char *id);
/* Waits until nothing runs or waits; no new debates afterwards. */
void world_drain(struct world *w);
/* Runs on the loop, waits until it has. */
void world_on_loop(struct world *w, void (*fn)(void *arg), void *arg);

/* The stored log, checked: chain, canonical form, and the engine says the same again. The state is
 * the caller's to debate_destroy. */
struct debate *world_check_log(struct world *w, const char *id);
/* Events of a kind, of an agent (NULL = any), whose data has text under key (NULL = any). */
size_t world_count(struct world *w, const char *id, const char *type, const char *agent,
                   const char *key, const char *text);
/* The row's status, as long as it lasts to the next call. */
const char *world_row_status(struct world *w, const char *id);

#endif
