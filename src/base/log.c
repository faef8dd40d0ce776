#include "base/log.h"

#include "base/clock.h"
#include "base/json_run.h"
#include "base/log_file.h"
#include "base/log_ring.h"
#include "base/metrics.h"
#include "base/utf8.h"

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
static bool plain_stderr = false;

static const char *const level_names[] = {"DEBUG", "INFO", "WARNING", "ERROR"};

/* How the credentials we handle begin: vendors' keys, ours, and the header that carries them. */
static const char *const secret_prefixes[] = {"sk-", "xai-", "gsk_", "AIza", "ara_", "Bearer "};

/* What a character is to us, in the low bits of a letter: '@' and 'A' nothing, 'C' may stand in a
 * credential, 'G' is also part of a word, 'O' may also be the first of a prefix. */
enum { KIND_TOKEN = 2, KIND_WORD = 4, KIND_START = 8 };
static const char kinds[129] =
    "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@"
    "AA@AAAAAAAAGAGGCGGGGGGGGGGAAACAA" /* SPACE to ? */
    "AOOGGGGOGGGGGGGGGGGOGGGGOGGA@AAG" /* @ to _ */
    "AOOGGGGOGGGGGGGGGGGOGGGGOGGAAAG@";

struct line {
  char text[LINE_MAX_BYTES];
  size_t len;
  bool full;
};

const char *log_level_name(enum log_level level) {
  return level_names[level];
}

enum status log_level_parse(const char *text, enum log_level *ret_level) {
  for (size_t i = 0; text && i < sizeof level_names / sizeof *level_names; i++) {
    if (strcasecmp(text, level_names[i]) != 0) continue;
    *ret_level = (enum log_level)i;
    return STATUS_OK;
  }
  return STATUS_INVALID;
}

enum status log_open(enum log_level level, const char *file, bool plain, struct error *err) {
  enum status s = log_file_open(file, err);
  if (s) return s;
  plain_stderr = plain;
  log_set_level(level);
  return STATUS_OK;
}

enum status log_reopen(const char *file, struct error *err) {
  return log_file_reopen(file, err);
}

void log_close(void) {
  log_file_close();
}

void log_rotate(int64_t max_bytes, int keep) {
  log_file_limit(max_bytes, keep);
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

static bool is_kind(char c, int kind) {
  return (unsigned char)c < 128 && kinds[(unsigned char)c] & kind;
}

enum escaping { ESCAPE_CONTROLS, ESCAPE_JSON };

/* How many characters from here on are printing ASCII that needs no escape. */
static size_t plain_run(const char *text, size_t len) {
  size_t run = json_run_of_ascii(text, text + len);
  const char *del = memchr(text, 0x7f, run);
  return del ? (size_t)(del - text) : run;
}

/* The code of a valid character that must not reach a terminal as it is, or 0: U+0080..009F, line
 * and paragraph separator, and what turns the direction of text around. */
static unsigned wary_code(const unsigned char *u, size_t n) {
  if (n == 2 && u[0] == 0xc2 && u[1] < 0xa0) return u[1];
  if (n == 2 && u[0] == 0xd8 && u[1] == 0x9c) return 0x061c;
  if (n != 3 || u[0] != 0xe2) return 0;
  if (u[1] == 0x80 && (u[2] == 0x8e || u[2] == 0x8f || (u[2] >= 0xa8 && u[2] <= 0xae)))
    return 0x2000u + (u[2] - 0x80u);
  if (u[1] == 0x81 && u[2] >= 0xa6 && u[2] <= 0xa9) return 0x2040u + (u[2] - 0x80u);
  return 0;
}

static void line_append_code(struct line *line, unsigned code) {
  char escape[8];
  snprintf(escape, sizeof escape, "\\u%04x", code & 0xffff);
  line_append(line, escape, 6);
}

/* One character that is no part of a plain run; returns its length. */
static size_t line_append_odd(struct line *line, enum escaping how, const char *text, size_t len) {
  unsigned char c = (unsigned char)text[0];
  size_t n = utf8_char_length(text, len);
  unsigned wary = n ? wary_code((const unsigned char *)text, n) : 0;
  if (how == ESCAPE_JSON && (c == '"' || c == '\\'))
    line_append(line, (char[]){'\\', (char)c}, 2);
  else if (c == '\n')
    line_append(line, "\\n", 2);
  else if (c < 0x20 || c == 0x7f)
    line_append_code(line, c);
  else if (wary)
    line_append_code(line, wary);
  else
    line_append(line, n ? text : "\xef\xbf\xbd", n ? n : 3);
  return n ? n : 1;
}

/* Valid UTF-8 without controls whatever the bytes are; an escape that does not fit ends the line
 * whole. */
static void line_append_escaped(struct line *line, enum escaping how, const char *text,
                                size_t len) {
  size_t i = 0;
  while (i < len && !line->full) {
    size_t run = plain_run(text + i, len - i);
    size_t room = LINE_MAX_BYTES - CLOSING_BYTES - line->len;
    size_t fits = run < room ? run : room;
    line_append(line, text + i, fits);
    if (fits < run) line->full = true;
    i += run;
    if (i < len && !line->full) i += line_append_odd(line, how, text + i, len - i);
  }
}

/* What follows a known prefix at `p` becomes stars; returns how far that reached, 0 = there is
 * none.
 */
static size_t redact_at(char *p) {
  for (size_t i = 0; i < sizeof secret_prefixes / sizeof *secret_prefixes; i++) {
    const char *prefix = secret_prefixes[i];
    if ((*p | 0x20) != (*prefix | 0x20)) continue;
    size_t prefix_len = strlen(prefix);
    if (strncasecmp(p, prefix, prefix_len) != 0) continue;
    char *secret = p + prefix_len;
    char *end = secret;
    while (is_kind(*end, KIND_TOKEN)) end++;
    if (end - secret < SECRET_MIN_CHARS) continue;
    memset(secret, '*', (size_t)(end - secret));
    return (size_t)(end - p);
  }
  return 0;
}

/* The last line of defence for credentials that an upstream error text repeats. Callers still never
 * pass a secret. */
static void redact(char *text) {
  for (char *p = text; *p;) {
    size_t n = is_kind(*p, KIND_START) ? redact_at(p) : 0;
    p += n;
    if (n && !is_kind(p[-1], KIND_WORD)) continue;
    while (is_kind(*p, KIND_WORD)) p++;
    while (*p && !is_kind(*p, KIND_WORD)) p++;
  }
}

const char *log_quote(struct log_quoted *quoted, const char *text) {
  size_t len = utf8_prefix(bytes_of(text), sizeof quoted->text - 3);
  quoted->text[0] = '"';
  for (size_t i = 0; i < len; i++) quoted->text[i + 1] = text[i] == '"' ? '\'' : text[i];
  memcpy(quoted->text + len + 1, "\"", 2);
  return quoted->text;
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
  if (level >= LOG_LEVEL_WARNING) log_ring_put(level, logger, context, message);
  metric_add(METRIC_LOG_LINES, (const char *const[]){level_names[level]}, 1);

  struct line line;
  line.len = 0;
  line.full = false;
  struct error err;
  enum status moved = STATUS_OK;
  bool to_file = log_file_is_open();
  if (to_file || !plain_stderr) format_json(&line, level, logger, context, message);
  if (to_file) moved = log_file_write(line.text, line.len, &err);
  if (plain_stderr) {
    line.len = 0;
    line.full = false;
    format_plain(&line, level, logger, context, message);
  }
  log_file_write_to(STDERR_FILENO, line.text, line.len);
  /* Once: with a tiny limit the line that says so is itself due to move the file. */
  if (moved && strcmp(logger, "log") != 0)
    log_warning("log", NULL, "log_file=not_rotated error=\"%s\"", err.message);
}
