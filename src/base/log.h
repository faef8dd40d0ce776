/* The log: one JSON object a line, to standard error and, where set, a file.
 *
 * Keys: ts, level, logger, msg, and request_id and debate_id where the context has them. The
 * message carries key=value text, so that both `jq` and the runbook's greps
 * ("agent=openai-api", "rate_limit", "429") work on the same file. Control characters, and those
 * that turn the direction of text around (CVE-2021-42574), are escaped; callers never pass a secret
 * or a prompt, and quote what others wrote (log_quote). Only the edge that handles an error logs
 * it, once. What still looks like a credential (sk-..., Bearer ...) is starred out before it is
 * written. Any thread: a line is formatted on the stack and written with one write(2) a place.
 */
#ifndef ARAGORA_BASE_LOG_H
#define ARAGORA_BASE_LOG_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

struct log_context {
  const char *request_id; /* or NULL */
  const char *debate_id;  /* or NULL */
};

const char *log_level_name(enum log_level level);
/* "DEBUG", "INFO", "WARNING", "ERROR" in any case. */
MUST_CHECK enum status log_level_parse(const char *text, enum log_level *ret_level);

/* Before the first thread. `file` may be NULL; one that cannot be opened is an error. `plain`
 * is for people (development, command line): standard error then carries "12:34:56 INFO runner
 * message" lines; the file is JSON in any case. Before log_open: JSON at INFO, standard error. */
MUST_CHECK enum status log_open(enum log_level level, const char *file, bool plain,
                                struct error *err);
/* Opens the file anew under its name, for who moved the old one away (logrotate); whoever writes
 * meanwhile writes to the one or the other. Without a log file it does nothing. STATUS_IO: the old
 * one is written on. Any thread, after log_open. */
MUST_CHECK enum status log_reopen(const char *file, struct error *err);
void log_close(void);
/* The file moves away by itself once it holds `max_bytes`; see log_file_limit. Before log_open. */
void log_rotate(int64_t max_bytes, int keep);
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);

/* A text from outside as a value of a message: between double quotes, those within it made single,
 * so that it ends where it seems to and cannot pass for another key=value. Returns quoted->text. */
enum { LOG_QUOTED_SIZE = 400 };
struct log_quoted {
  char text[LOG_QUOTED_SIZE]; /* what is longer is cut between characters */
};
const char *log_quote(struct log_quoted *quoted, const char *text);

/* `logger` is the room that speaks ("runner"); `context` may be NULL. Lines over 4 KiB are cut. */
void log_line(enum log_level level, const char *logger, const struct log_context *context,
              const char *format, ...) PRINTF_LIKE(4, 5);

#define log_debug(logger, context, ...) \
  (log_enabled(LOG_LEVEL_DEBUG) ? log_line(LOG_LEVEL_DEBUG, logger, context, __VA_ARGS__) : (void)0)
#define log_info(logger, context, ...)    log_line(LOG_LEVEL_INFO, logger, context, __VA_ARGS__)
#define log_warning(logger, context, ...) log_line(LOG_LEVEL_WARNING, logger, context, __VA_ARGS__)
#define log_error(logger, context, ...)   log_line(LOG_LEVEL_ERROR, logger, context, __VA_ARGS__)

#endif
