/* A store in a directory of its own, and the small things that its tests share. */
#ifndef ARAGORA_TESTS_STORE_FIXTURE_H
#define ARAGORA_TESTS_STORE_FIXTURE_H

#include "store/store.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct fixture {
  char dir[64];
  char memory_path[96];
  char elo_path[96];
  struct store_options options;
  struct store *store;
};

/* cmocka's setup and teardown: *state is a struct fixture with an open, empty store. */
int fixture_setup(void **state);
int fixture_teardown(void **state);
/* The same without opening: for tests that prepare the files. */
int fixture_setup_closed(void **state);
void fixture_open(struct fixture *f);
void fixture_close(struct fixture *f);

/* What a done function was told. Waiting is for an event, never for a time. */
struct answers {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  size_t count;
  enum status statuses[2048]; /* in the order of the calls */
};
void answers_init(struct answers *a);
void answers_add(void *answers, enum status status); /* a store_done_fn */
void answers_wait(struct answers *a, size_t count);

/* A done function that keeps the writer busy from `entered` until `release`. */
struct gate {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool entered, released;
};
void gate_init(struct gate *g);
void gate_hold(void *gate, enum status status);
void gate_wait_entered(struct gate *g);
void gate_release(struct gate *g);

/* An event with recognisable salt, digest and hash; borrows `data`. */
struct store_event make_event(uint64_t seq, const char *data);
/* A pending debate of the local principal; borrows. */
struct store_debate make_debate(const char *task, int64_t created_ms);
/* Inserts a debate with a first event, or appends one event, and waits for the status. */
enum status put_debate(struct fixture *f, const char *id, const struct store_debate *row);
enum status put_event(struct fixture *f, const char *id, uint64_t seq);
/* How many events of the debate the local principal reads, checking that seq runs from 1. */
size_t count_events(struct fixture *f, const char *id);
/* Waits, at most 10 s, until store_writable answers `writable`. */
void wait_writable(struct fixture *f, bool writable);

#endif
