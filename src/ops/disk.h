/* Files and directories, so that they are on disk when the function returns. Any thread. */
#ifndef ARAGORA_OPS_DISK_H
#define ARAGORA_OPS_DISK_H

#include "base/bytes.h"

enum { DISK_PATH_MAX = 4096 };

/* "dir/name"; STATUS_INVALID when it is too long. */
MUST_CHECK enum status disk_path(const char *dir, const char *name, char out[DISK_PATH_MAX],
                                 struct error *err);
/* With its parents, mode 0750. */
MUST_CHECK enum status disk_make_directories(const char *path, struct error *err);
/* Those above the last name of the path. */
MUST_CHECK enum status disk_make_parents(const char *path, struct error *err);

MUST_CHECK enum status disk_sync_file(const char *path, struct error *err);
MUST_CHECK enum status disk_sync_directory(const char *path, struct error *err);
/* The directory that the path lies in. */
MUST_CHECK enum status disk_sync_parent(const char *path, struct error *err);

/* A new file of that content (mode 0640); replaces one of that name whole. */
MUST_CHECK enum status disk_write(const char *path, struct bytes content, struct error *err);
/* Moves a file, over file systems too; it is on disk under its new name, whole or not at all. */
MUST_CHECK enum status disk_move(const char *from, const char *to, struct error *err);
/* Removes a file, or a directory with all that is in it; what is not there is fine. */
MUST_CHECK enum status disk_remove(const char *path, struct error *err);

/* What errno says, with the path. */
enum status disk_error(struct error *err, const char *what, const char *path);

#endif
