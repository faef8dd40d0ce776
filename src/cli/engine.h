/* The parts that run debates, put together in the order that they need: the server's, and those of
 * an `ask` that needs no server.
 *
 * Made and unmade on the main thread; from engine_start on the loop has a thread of its own.
 */
#ifndef ARAGORA_CLI_ENGINE_H
#define ARAGORA_CLI_ENGINE_H

#include "auth/audit.h"
#include "base/options.h"
#include "hub/hub.h"
#include "io/loop.h"
#include "io/pool.h"
#include "ops/rater.h"
#include "ops/tracer.h"
#include "provider/agents.h"
#include "provider/ask.h"
#include "runner/runner.h"
#include "store/store.h"

#include <pthread.h>

struct engine {
  struct options options; /* owned */
  struct store *store;
  struct audit *audit;
  struct agent_table *agents; /* with the former ones behind it */
  size_t reloads;             /* how many those are */
  struct loop *loop;
  struct hub *hub;
  struct provider *provider;
  struct runner *runner;
  struct tracer *tracer;
  struct rater *rater;
  rater_match_fn *rated; /* may be set before engine_follow: who is told of ratings */
  void *rated_ctx;
  struct trace_place *replays; /* until the tracer has it */
  pthread_t thread;
  bool started;
};

/* Opens the store alone, for commands that only read: STATUS_NOT_FOUND when there is no database,
 * and none is made. Takes the options over, and wants engine_close, in every case. */
MUST_CHECK enum status engine_open_archive(struct engine *e, struct options *options,
                                           struct error *err);
/* The same for commands that write a little, also beside a server; makes the databases where there
 * are none. */
MUST_CHECK enum status engine_open_store(struct engine *e, struct options *options,
                                         struct error *err);
/* Opens everything, making the databases where there are none; circuit breakers stand as they did
 * when the last process that used the database ended. Likewise. */
MUST_CHECK enum status engine_open(struct engine *e, struct options *options, struct error *err);
/* Debates can run from here on. */
MUST_CHECK enum status engine_start(struct engine *e, struct error *err);
/* What follows debates, of this process and those before: replay files and ratings. After
 * engine_start, and once no other process has the databases. */
MUST_CHECK enum status engine_follow(struct engine *e, struct error *err);
/* Ends what runs, in the order that runner_stop gives: the jobs of the pool (NULL = there is none),
 * which may still start and cancel debates, the runner, the store, the loop's thread. Running
 * debates are left where they stand, resumable; what was appended is on disk, and whoever waited
 * for the runner has been answered. */
void engine_stop(struct engine *e, struct pool *pool);

enum { ENGINE_RELOADS_MAX = 256 }; /* of agents that differ; about 30 KB each, kept to the end */

/* Reads agents and key files anew. What differs is for the debates that start and the turns that
 * are asked from here on, and is appended to `ret_changes`, without values; nothing there = all is
 * as before. On an error, which names file or variable and field, all stays as it was. */
MUST_CHECK enum status engine_reload_agents(struct engine *e, struct buffer *ret_changes,
                                            struct error *err);
/* Frees the rest; engine_stop first. */
void engine_close(struct engine *e);

#endif
