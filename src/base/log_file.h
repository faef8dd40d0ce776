/* The file of the log: appended to by every thread, moved away by logrotate (log_file_reopen) or,
 * where a size is set, by itself: server.log becomes server.log.1, that one server.log.2, and so
 * on. Whoever writes at that moment writes to the one or the other; no line is lost or cut in two.
 * One a process; used by log.c alone. */
#ifndef ARAGORA_BASE_LOG_FILE_H
#define ARAGORA_BASE_LOG_FILE_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

/* The file moves away once it holds `max_bytes` (0 = never), and `keep` of the older ones stay
 * (0 = it never moves). Before the first thread. */
void log_file_limit(int64_t max_bytes, int keep);

/* NULL = there is none. STATUS_IO names the file. Before the first thread. */
MUST_CHECK enum status log_file_open(const char *path, struct error *err);
/* Opens it anew under this name. STATUS_IO: the old one is written on. Any thread. */
MUST_CHECK enum status log_file_reopen(const char *path, struct error *err);
void log_file_close(void);
bool log_file_is_open(void);

/* STATUS_IO, once for each time that it should have moved away and could not; the line is written
 * all the same. Any thread. */
MUST_CHECK enum status log_file_write(const char *line, size_t len, struct error *err);
/* All of it, or what the descriptor takes: a log that cannot be written stops nobody. */
void log_file_write_to(int fd, const char *line, size_t len);

#endif
