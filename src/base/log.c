#include "base/log.h"

#include "base/clock.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

/* PIPE_BUF on Linux: one write of this much to a pipe (journald, tail) is never interleaved with
 * another thread's, pipe(7). */
enum { LINE_MAX_BYTES = 4096, CLOSING_BYTES = 8, SECRET_MIN_CHARS = 12 };

static atomic_int level_now = LOG_LEVEL_INFO;
static int file_fd = -1;
static bool plain_stderr = false;

static const char *const level_names[] = {"DEBUG", "INFO", "WARNING", "ERROR"};

/* How the credentials we handle begin: vendors' keys, ours, and the header that carries them. */
static const char *const secret_prefixes[] = {"sk-", "xai-", "gsk_", "AIza", "ara_", "Bearer "};

struct line {
  char text[LINE_MAX_BYTES];
  size_t len;
  bool full;
};

enum status log_level_parse(const char *text, enum log_level *ret_level) {
  for (size_t i = 0; text && i < sizeof level_names / sizeof *level_names; i++) {
    if (strcasecmp(text, level_names[i]) != 0) continue;
    *ret_level = (enum log_level)i;
    return STATUS_OK;
  }
  return STATUS_INVALID;
}

static enum status open_file(const char *file, int *ret_fd, struct error *err) {
  int fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
  if (fd < 0)
    return error_set(err, STATUS_IO, "log_file", "cannot open the log file %s: %s", file,
                     strerror(errno));
  *ret_fd = fd;
  return STATUS_OK;
}

enum status log_open(enum log_level level, const char *file, bool plain, struct error *err) {
  int fd = -1;
  enum status s = file ? open_file(file, &fd, err) : STATUS_OK;
  if (s) return s;
  log_close();
  file_fd = fd;
  plain_stderr = plain;
  log_set_level(level);
  return STATUS_OK;
}

enum status log_reopen(const char *file, struct error *err) {
  int fd = -1;
  if (file_fd < 0 || !file) return STATUS_OK;
  enum status s = open_file(file, &fd, err);
  if (s) return s;
  /* Under the number that the writers know, in one step. */
  if (dup3(fd, file_fd, O_CLOEXEC) < 0)
    s = error_set(err, STATUS_IO, "log_file", "cannot reopen the log file %s: %s", file,
                  strerror(errno));
  close(fd);
  return s;
}

void log_close(void) {
  if (file_fd >= 0) close(file_fd);
  file_fd = -1;
}

void log_set_level(enum log_level level) {
  atomic_store_explicit(&level_now, (int)level, memory_order_relaxed);
}

bool log_enabled(enum log_level level) {
  return (int)level >= atomic_load_explicit(&level_now, memory_order_relaxed);
}

static void line_append(struct line *line, const char *data, size_t len) {
  if (line->full || len > LINE_MAX_BYTES - CLOSING_BYTES - line->len) {
    line->full = true;
    return;
  }
  memcpy(line->text + line->len, data, len);
  line->len += len;
}

static void line_append_text(struct line *line, const char *text) {
  line_append(line, text, strlen(text));
}

enum escaping { ESCAPE_CONTROLS, ESCAPE_JSON };

/* Valid UTF-8 without controls whatever the bytes are; an escape that does not fit ends the line
 * whole. */
static void line_append_escaped(struct line *line, enum escaping how, const char *text,
                                size_t len) {
  size_t i = 0;
  while (i < len && !line->full) {
    unsigned char c = (unsigned char)text[i];
    size_t n = utf8_char_length(text + i, len - i);
    char escape[8];
    if (how == ESCAPE_JSON && (c == '"' || c == '\\')) {
      line_append(line, (char[]){'\\', (char)c}, 2);
    } else if (c == '\n') {
      line_append(line, "\\n", 2);
    } else if (c < 0x20 || c == 0x7f) {
      snprintf(escape, sizeof escape, "\\u%04x", c);
      line_append(line, escape, 6);
    } else if (n) {
      line_append(line, text + i, n);
    } else {
      line_append(line, "\xef\xbf\xbd", 3);
    }
    i += n ? n : 1;
  }
}

static bool is_token_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '.' || c == '~' || c == '+' || c == '/' || c == '=';
}

/* The last line of defence for credentials that an upstream error text repeats: what follows a
 * known prefix becomes stars. Callers still never pass a secret. */
static void redact(char *text) {
  for (size_t i = 0; i < sizeof secret_prefixes / sizeof *secret_prefixes; i++) {
    size_t prefix_len = strlen(secret_prefixes[i]);
    for (char *p = text; (p = strcasestr(p, secret_prefixes[i])) != NULL;) {
      bool inside_word = p > text && is_token_char(p[-1]) && p[-1] != '=' && p[-1] != '/';
      char *secret = p + prefix_len;
      char *end = secret;
      while (is_token_char(*end)) end++;
      if (!inside_word && end - secret >= SECRET_MIN_CHARS)
        memset(secret, '*', (size_t)(end - secret));
      p = end > p ? end : p + 1;
    }
  }
}

static void write_whole(int fd, const char *data, size_t len) {
  while (len) {
    ssize_t n = write(fd, data, len);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return; /* a log that cannot be written must not stop the server */
    data += n;
    len -= (size_t)n;
  }
}

static void append_pair(struct line *line, const char *key, const char *value) {
  if (!value) return;
  line_append_text(line, ",\"");
  line_append_text(line, key);
  line_append_text(line, "\":\"");
  line_append_escaped(line, ESCAPE_JSON, value, utf8_prefix(bytes_of(value), 256));
  line_append_text(line, "\"");
}

static void format_json(struct line *line, enum log_level level, const char *logger,
                        const struct log_context *context, const char *message) {
  char ts[CLOCK_ISO_SIZE];
  clock_format_iso(clock_wall_ms(&clock_system), ts);
  line_append_text(line, "{\"ts\":\"");
  line_append_text(line, ts);
  line_append_text(line, "\"");
  append_pair(line, "level", level_names[level]);
  append_pair(line, "logger", logger);
  if (context) {
    append_pair(line, "request_id", context->request_id);
    append_pair(line, "debate_id", context->debate_id);
  }
  line_append_text(line, ",\"msg\":\"");
  line_append_escaped(line, ESCAPE_JSON, message, strlen(message));
  /* CLOSING_BYTES are always free for this. */
  line->len += (size_t)sprintf(line->text + line->len, "%s\"}\n", line->full ? "..." : "");
}

static void format_plain(struct line *line, enum log_level level, const char *logger,
                         const struct log_context *context, const char *message) {
  time_t now = (time_t)(clock_wall_ms(&clock_system) / 1000);
  struct tm tm;
  localtime_r(&now, &tm);
  char head[64];
  int n = snprintf(head, sizeof head, "%02d:%02d:%02d %-7s %.16s  ", tm.tm_hour, tm.tm_min,
                   tm.tm_sec, level_names[level], logger);
  line_append(line, head, (size_t)n);
  line_append_escaped(line, ESCAPE_CONTROLS, message, strlen(message));
  if (context && context->debate_id) {
    line_append_text(line, " debate=");
    line_append_escaped(line, ESCAPE_CONTROLS, context->debate_id, strlen(context->debate_id));
  }
  line->len += (size_t)sprintf(line->text + line->len, "%s\n", line->full ? "..." : "");
}

void log_line(enum log_level level, const char *logger, const struct log_context *context,
              const char *format, ...) {
  if (!log_enabled(level)) return;
  char message[LINE_MAX_BYTES];
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof message, format, args);
  va_end(args);
  redact(message);

  struct line line;
  line.len = 0;
  line.full = false;
  if (file_fd >= 0 || !plain_stderr) format_json(&line, level, logger, context, message);
  if (file_fd >= 0) write_whole(file_fd, line.text, line.len);
  if (plain_stderr) {
    line.len = 0;
    line.full = false;
    format_plain(&line, level, logger, context, message);
  }
  write_whole(STDERR_FILENO, line.text, line.len);
}
