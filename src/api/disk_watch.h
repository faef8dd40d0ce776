/* How large the databases are and how full their disks, remembered: a disk that hangs must not hang
 * who asks. A job of the pool looks when somebody asks; the answer waits for it a moment and is
 * otherwise what was seen last. Any thread.
 */
#ifndef ARAGORA_API_DISK_WATCH_H
#define ARAGORA_API_DISK_WATCH_H

#include "base/options.h"
#include "io/pool.h"

struct disk_watch;

struct disk_place {
  int64_t free_bytes,
      size_bytes; /* for the server, of the file system; -1 = there is no such place */
};

struct disk_file {
  int64_t bytes,
      wal_bytes; /* 0 for one that is not there, as a log is not before the first write */
};

struct disk_figures {
  struct disk_file memory, elo;
  struct disk_place data, archive, log;
  int64_t taken_us; /* monotonic */
};

/* Looks once. The options and the pool are borrowed; NULL when memory is short. */
struct disk_watch *disk_watch_create(const struct options *options, struct pool *pool);
/* After the pool has stopped. NULL is fine. */
void disk_watch_destroy(struct disk_watch *watch);

/* As they are now, or where a disk does not answer within 20 ms as they were. */
void disk_watch_get(struct disk_watch *watch, struct disk_figures *ret_figures);

#endif
