/* What the files of this room share: the runner's own struct. Not for other rooms. */
#ifndef ARAGORA_RUNNER_INTERNAL_H
#define ARAGORA_RUNNER_INTERNAL_H

#include "runner/live.h"

#include <stdatomic.h>
#include <uthash.h>

struct runner_entry { /* id -> running or queued debate */
  const char *id;     /* the live's own */
  struct live *live;
  UT_hash_handle hh;
};

struct runner {
  struct loop *loop;
  struct store *store;
  struct hub *hub;
  struct provider *provider;
  const struct agent_table *agents;
  const struct options *options;
  const struct clock *clock;
  struct runner_entry *table;            /* loop thread */
  struct live *queue_first, *queue_last; /* loop thread: debates that wait for admission */
  _Atomic int64_t running, queued;       /* written on the loop, read anywhere */
  atomic_bool accepting;
  void (*idle)(void *ctx); /* set by runner_drain */
  void *idle_ctx;
};

/* The debate's last event is on its way to the disk: it leaves the table, the next one starts. */
void runner_live_ended(struct runner *runner, struct live *live);

#endif
