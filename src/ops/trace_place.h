/* Where replay files lie: NAME is "DEBATE_ID/events.jsonl" and "DEBATE_ID/meta.json". A directory,
 * or a bucket. Blocks; the tracer's thread. */
#ifndef ARAGORA_OPS_TRACE_PLACE_H
#define ARAGORA_OPS_TRACE_PLACE_H

#include "base/bytes.h"

struct trace_place;

struct trace_place_ops {
  /* Takes a file; it is in the place after `settle`. `of_ms` is the time that its age is counted
   * from. */
  enum status (*put)(struct trace_place *place, const char *name, struct bytes content,
                     int64_t of_ms, struct error *err);
  /* Everything that was put is under its name, in the order of the puts, whole and durable, in the
   * place of what had the name before. After a failure nothing of it counts as put. Many at once,
   * as a disk takes about half a millisecond of the processor for each file that it is asked to
   * sync. */
  enum status (*settle)(struct trace_place *place, struct error *err);
  /* Whether there is a replay of the debate. */
  bool (*has)(struct trace_place *place, const char *debate_id);
  /* Removes the replay; what is not there is fine. */
  enum status (*remove)(struct trace_place *place, const char *debate_id, struct error *err);
  /* A bounded step through what is there: removes what is older than `before_ms`. *ret_more is
   * false at the end; the next call begins anew. */
  enum status (*sweep)(struct trace_place *place, int64_t before_ms, bool *ret_more,
                       size_t *ret_removed, struct error *err);
  /* Any thread: what waits for a network gives up at this monotonic time (ms). NULL = nothing
   * does. */
  void (*hurry)(struct trace_place *place, int64_t until_ms);
  void (*close)(struct trace_place *place);
};

struct trace_place {
  const struct trace_place_ops *ops;
};

/* `where` is a directory, or s3://BUCKET[/PREFIX] with the endpoint (NULL = Amazon's) and the
 * region; what is on its way there lies in a file of `staging_dir`, which must exist.
 * STATUS_INVALID, with the option's name, for a bucket that cannot be one or without credentials.
 * The age of a replay in a bucket is that of its upload. */
struct trace_settings {
  const char *staging_dir, *s3_endpoint, *s3_region;
};
MUST_CHECK enum status trace_place_open(const char *where, const struct trace_settings *settings,
                                        struct trace_place **ret_place, struct error *err);

/* A directory, made with its parents when something is put there. */
MUST_CHECK enum status trace_directory_open(const char *path, struct trace_place **ret_place,
                                            struct error *err);

#endif
