/* A trivial owner of asks: so many at once through src/provider/ask.h, each let go at once, one
 * after the other, and what came of them counted. Each place is a debate of its own that pays for
 * its calls; with a hub it has one subscriber, and the words go there as the runner sends them.
 * Loop thread.
 */
#ifndef ARAGORA_BENCH_ASKER_H
#define ARAGORA_BENCH_ASKER_H

#include "hub/hub.h"
#include "provider/ask.h"

struct asker;

struct asker_counts {
  long done[OUTCOME_UNKNOWN + 1]; /* asks, by outcome */
  long attempts;
  long failed[OUTCOME_UNKNOWN + 1]; /* attempts that another followed, by outcome */
  long frames;                      /* that subscribers were given */
};

/* The question that is asked: of a usual size, 4 KiB of texts. */
struct ask_spec asker_question(const struct agent_binding *binding);

/* `hub` may be NULL. Ends the process when it cannot. */
struct asker *asker_create(struct loop *loop, struct provider *provider,
                           const struct agent_binding *binding, struct hub *hub, size_t at_once);
/* When nothing is asked. */
void asker_destroy(struct asker *asker);

/* Runs the loop until so many more asks are done. */
void asker_run(struct asker *asker, long asks);
const struct asker_counts *asker_counts(const struct asker *asker);

#endif
