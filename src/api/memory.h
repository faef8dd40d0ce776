/* What holds memory, by subsystem, as far as it can be counted truly; what is left is the
 * allocator's own and libraries'. */
#ifndef ARAGORA_API_MEMORY_H
#define ARAGORA_API_MEMORY_H

#include "api/state.h"

/* The first two are the process's; the three after them what malloc has of it; the rest are parts
 * of what malloc has in use. */
#define MEMORY_TABLE(X)                                                                       \
  X(RESIDENT, "resident", "all pages in memory")                                              \
  X(ANONYMOUS, "anonymous", "of these, no file's: heaps and stacks")                          \
  X(MALLOC_USED, "malloc_used", "allocated by malloc and not freed")                          \
  X(MALLOC_FREE, "malloc_free", "freed, kept by malloc")                                      \
  X(MALLOC_MAPPED, "malloc_mapped", "of the used: large blocks with pages of their own")      \
  X(READERS, "database_readers", "SQLite, for idle connections that read: pages, statements") \
  X(HUB, "hub", "frames of running debates, kept for their subscribers")                      \
  X(STORE_QUEUE, "store_queue", "events that wait for the disk")                              \
  X(METRICS, "metrics", "series")                                                             \
  X(ERRORS, "errors", "the last warnings and errors of the log")

#define MEMORY_ENUM(id, name, what) MEMORY_##id,
enum memory { MEMORY_TABLE(MEMORY_ENUM) MEMORY_COUNT };
#undef MEMORY_ENUM

struct memory_reading {
  int64_t wall_ms;
  int64_t bytes[MEMORY_COUNT]; /* -1 = the system does not say */
  int64_t debates, queued, subscribers, websockets;
};

const char *memory_name(enum memory subsystem);
const char *memory_meaning(enum memory subsystem);

/* Any thread; reads /proc and takes malloc's locks for some microseconds. */
void memory_read(const struct api *api, struct memory_reading *ret_reading);
void memory_show(const struct memory_reading *reading); /* as metrics */

/* ---- over time, with --profile-memory ---- */

struct memory_profile;

/* The first reading is what growth is counted from. A thread of its own takes another every
 * options.profile_memory_s. */
MUST_CHECK enum status memory_profile_start(const struct api *api, struct memory_profile **ret,
                                            struct error *err);
/* Notes in the log what grew since the start. NULL is fine. */
void memory_profile_stop(struct memory_profile *profile);
/* The first reading and the last ones, oldest first: at most `max`; returns how many. */
size_t memory_profile_readings(struct memory_profile *profile, struct memory_reading *ret_first,
                               struct memory_reading *out, size_t max);
enum { MEMORY_READINGS_MAX = 240 };

#endif
