/* The segment that is being written, and the thread that puts it on disk.
 *
 * The thread syncs what was written within sync_ms, and seals the segments that are done: sync,
 * rename from .part to .seg, sync of the directory. The writer never waits for it.
 */
#ifndef ARAGORA_STORE_ARCHIVE_SYNC_H
#define ARAGORA_STORE_ARCHIVE_SYNC_H

#include "store/archive_dir.h"
#include "store/store.h"

struct segment_file {
  struct segment_file *next;
  int fd;
  char *dir; /* of the archive */
  struct segment_head head;
  uint64_t size; /* bytes that count; what lies behind them was taken back */
  uint64_t records;
  int64_t opened_us;
  bool placed; /* its directories are synced */
};

/* Makes the file with its head; STATUS_IO or STATUS_FULL with the reason, nothing is left then. */
MUST_CHECK enum status segment_file_create(const char *dir, const struct segment_head *head,
                                           struct segment_file **ret_file, struct error *err);
/* One that an earlier run left open: to be sealed, or, without records, to be gone on with. */
MUST_CHECK enum status segment_file_reopen(const char *dir, const struct segment_head *head,
                                           uint64_t records, struct segment_file **ret_file,
                                           struct error *err);
/* Closes it and removes it. */
void segment_file_discard(struct segment_file *file);

struct syncer;

/* roll_ms: a segment with a record is sealed when it is this old. */
MUST_CHECK enum status syncer_start(int64_t sync_ms, int64_t roll_ms, struct syncer **ret_syncer,
                                    struct error *err);
/* Seals everything, ends the thread. NULL is fine. */
void syncer_stop(struct syncer *syncer);

/* The rest on the writer's thread. */

/* Gives it the file that is written from now on, or NULL for none; the one before gets sealed. */
void syncer_use(struct syncer *syncer, struct segment_file *file);
/* Gives it a file that is only to be sealed. */
void syncer_seal(struct syncer *syncer, struct segment_file *file);
/* The file being written, NULL when there is none, until syncer_give: it is not sealed meanwhile.
 */
struct segment_file *syncer_take(struct syncer *syncer);
/* `bytes` more count, one record of a commit at `ts_ms`; 0: nothing was written. */
void syncer_give(struct syncer *syncer, uint64_t bytes, int64_t ts_ms);
/* Whether a sync has failed since the last call: what was written may be lost. */
bool syncer_failed(struct syncer *syncer, struct error *ret_err);
/* Any thread: see store_on_seal. */
void syncer_on_seal(struct syncer *syncer, store_wake_fn *wake, void *ctx);
/* Any thread: every commit up to this Unix time is on disk in the archive; -1 = nothing yet. */
int64_t syncer_last_ms(struct syncer *syncer);

#endif
