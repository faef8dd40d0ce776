/* The tracer: a thread that keeps the replay files of ended debates as the database says.
 *
 * The database notes, in the transaction that ends or deletes a debate, that its files are stale
 * (store_on_trace); the tracer writes or removes them and takes the note away when they are on
 * disk. So a crash loses none: what it left is written at the next start. It only reads the store,
 * has a low priority, and what fails is tried again, ever more slowly.
 */
#ifndef ARAGORA_OPS_TRACER_H
#define ARAGORA_OPS_TRACER_H

#include "ops/trace_place.h"
#include "store/store.h"

struct tracer;

struct tracer_options {
  bool write;   /* false: no new files; those that are there are still kept true, or removed */
  int64_t days; /* files of debates that ended longer ago are removed; 0 = none */
};

/* Takes the place over, also when it fails. Starts the thread. */
MUST_CHECK enum status tracer_start(struct store *store, struct trace_place *place,
                                    const struct tracer_options *options,
                                    struct tracer **ret_tracer, struct error *err);
/* What is due is still written, for at most half a second; the thread ends. Before store_close.
 * NULL is fine, here and below. */
void tracer_stop(struct tracer *tracer);
/* After store_close, which may still have an answer for it. */
void tracer_destroy(struct tracer *tracer);

#endif
