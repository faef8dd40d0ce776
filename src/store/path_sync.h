/* Puts a file, or the directory that names it, on disk. Blocks. */
#ifndef ARAGORA_STORE_PATH_SYNC_H
#define ARAGORA_STORE_PATH_SYNC_H

#include "base/bytes.h"

/* STATUS_FULL or STATUS_IO with one line that names the path. */
MUST_CHECK enum status path_sync(const char *path, struct error *err);
/* The directory that `path` lies in: a name is on disk when its directory is. */
MUST_CHECK enum status path_sync_directory(const char *path, struct error *err);

#endif
