/* Putting other database files in the place of ours, whole or not at all.
 *
 * The new files lie ready beside the old ones (`PATH.restored`), on disk. From the moment the note
 * `MEMORY_PATH.replace` is on disk the new state is decided: old files, with their -wal and -shm,
 * are renamed aside and the new ones take their names. Whoever opens the databases next completes
 * what a crash cut off (database_open calls replacement_finish). Before that moment nothing has
 * changed.
 *
 * Any thread; one at a time, also between processes: the note is locked while it is carried out.
 */
#ifndef ARAGORA_STORE_REPLACEMENT_H
#define ARAGORA_STORE_REPLACEMENT_H

#include "base/bytes.h"

enum { REPLACEMENT_PATH_MAX = 4096 };

/* Where the new file of a database must lie. */
MUST_CHECK enum status replacement_path(const char *path, char out[REPLACEMENT_PATH_MAX],
                                        struct error *err);

/* Replaces both. Old files go to PATH.ASIDE, PATH.ASIDE-wal and PATH.ASIDE-shm; `aside` is a word
 * like "before-20261129T142314Z". When this fails the note may already stand: then the next
 * replacement_finish goes on, and *err says so. */
MUST_CHECK enum status replacement_run(const char *memory_path, const char *elo_path,
                                       const char *aside, struct error *err);

/* Completes what was begun; nearly always there is nothing, which costs one system call. Before
 * anybody asks whether a database is there: in between it has no file of that name. */
MUST_CHECK enum status replacement_finish(const char *memory_path, struct error *err);

#endif
