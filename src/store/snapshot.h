/* A copy of both databases as they were at one instant, from any process, while a server writes.
 *
 * snapshot_begin takes the write locks of both for as long as it takes to open a read transaction
 * on each (tens of microseconds), so no commit falls between them; then everybody goes on writing.
 * snapshot_copy copies pages from the connection that holds the read transaction: others' commits
 * neither show in the copy nor make it begin again. Until snapshot_end the write-ahead log cannot
 * start over and grows by what is written meanwhile.
 *
 * One thread at a time; beginning and copying may be done by different ones.
 */
#ifndef ARAGORA_STORE_SNAPSHOT_H
#define ARAGORA_STORE_SNAPSHOT_H

#include "store/inspect.h"

struct snapshot;

struct snapshot_point {
  int64_t taken_ms;                    /* Unix; every commit in the copy is older */
  struct inspect_position position[2]; /* by enum database */
};

/* STATUS_TIMEOUT when a lock is not free within busy_ms; STATUS_NOT_FOUND for a file that is not
 * there, else as inspect_open. */
MUST_CHECK enum status snapshot_begin(const char *memory_path, const char *elo_path,
                                      int64_t busy_ms, struct snapshot **ret_snapshot,
                                      struct snapshot_point *ret_point, struct error *err);
void snapshot_end(struct snapshot *snapshot); /* NULL is fine */

struct snapshot_copying {
  bool check; /* the copy goes through inspect_integrity */
  /* Called after each piece of 256 KiB, and may sleep; false stops the copy with STATUS_CANCELLED.
   * NULL is fine. */
  bool (*step)(void *ctx, int64_t done_bytes, int64_t total_bytes);
  void *ctx;
};

/* Makes the file `to`, which must not be there, mode 0640: a plain database file in WAL mode with
 * no -wal beside it, on disk as far as the system was told nothing (no fsync). Nothing is left of
 * it when this fails. */
MUST_CHECK enum status snapshot_copy(struct snapshot *snapshot, enum database which, const char *to,
                                     const struct snapshot_copying *copying, struct error *err);

#endif
