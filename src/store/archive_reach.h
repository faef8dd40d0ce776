/* How far an archive reaches from where a copy of the database stands, and its commits from there
 * on.
 *
 * Any thread; only reads the archive, beside a server that writes it.
 */
#ifndef ARAGORA_STORE_ARCHIVE_REACH_H
#define ARAGORA_STORE_ARCHIVE_REACH_H

#include "store/archive_dir.h"

/* How far the archive reaches from where a database stands. Times are Unix milliseconds. */
struct archive_reach {
  struct position from;
  int64_t from_ms;      /* the time of that position; -1 = no segment knows it */
  uint64_t last_number; /* of the last commit at or before the asked moment, from.number = none */
  int64_t last_ms;      /* its time */
  uint64_t count;       /* commits from `from` to it */
  bool torn;            /* the archive ends in a record that was never finished */
  bool reached;         /* the moment can be reached; otherwise it lies between these two: */
  int64_t before_ms;    /* the last moment that can be reached from here, -1 = none */
  int64_t after_ms;     /* the first after the gap that may be, with a later base; -1 = unknown */
};

/* Reads and checks everything up to `until_ms`, and writes nothing. db_path is a database that
 * nobody writes. Whether the moment can be reached is in the answer, not the status: a moment
 * before the database's own is not (before_ms -1, after_ms its time), one in a hole or behind a
 * damaged record neither, nor one after another chain has begun, as nobody knows what happened
 * between. STATUS_CONFLICT: the database is of no chain, or of one that is not in this archive.
 * STATUS_IO, STATUS_CORRUPT, STATUS_UNSUPPORTED. */
MUST_CHECK enum status archive_find_reach(const char *dir, const char *db_path, int64_t until_ms,
                                          struct archive_reach *ret_reach, struct error *err);

/* Why there are no more commits. */
enum archive_end {
  ARCHIVE_END,      /* the chain has no more */
  ARCHIVE_END_TORN, /* nor this one, which was never finished */
  ARCHIVE_END_GAP   /* one is missing or damaged */
};

/* A walk along a chain from a position. */
struct archive_walk {
  const char *dir; /* borrowed */
  struct position from;
  int64_t from_ms; /* as in archive_reach; known once archive_walk_next was called */
  enum archive_end end;
  int64_t after_gap_ms; /* the time before the first commit behind the gap; -1 = unknown */
  struct segment_name *names;
  size_t count, at;
  bool loaded;
  struct segment segment;
};

/* STATUS_CONFLICT, STATUS_IO. */
MUST_CHECK enum status archive_walk_start(const char *dir, const struct position *from,
                                          struct archive_walk *ret_walk, struct error *err);
void archive_walk_stop(struct archive_walk *walk);
/* The next commit, valid until the next call; STATUS_NOT_FOUND when there is none, and walk->end
 * says why. STATUS_IO, STATUS_UNSUPPORTED. */
MUST_CHECK enum status archive_walk_next(struct archive_walk *walk,
                                         struct segment_record *ret_record, struct error *err);

#endif
