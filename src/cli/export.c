/* `aragora export`: one debate, or all that match, as a file; from the databases here or a server.
 *
 * A file appears under its name when it is whole; until then it is NAME.part. */
#include "ops/export.h"
#include "base/clock.h"
#include "base/figure.h"
#include "base/id.h"
#include "base/log.h"
#include "base/options_load.h"
#include "cli/arguments.h"
#include "cli/engine.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PIECE_BYTES = 64 << 10, PIECE_MAX = 1 << 30, SHOW_EVERY_US = 500000, FILE_MODE = 0640 };

struct export_values {
  const char *server, *format, *table, *status, *since, *until, *limit, *output;
  bool quiet;
};

#define AT(field) offsetof(struct export_values, field)
const struct flag export_flags[] = {
    {"--format", 'f', FLAG_TEXT, AT(format), 0, 0, "json|csv|html|md", "json unless said"},
    {"--output", 'o', FLAG_TEXT, AT(output), 0, 0, "FILE", "where to; - = standard output (-)"},
    {"--table", 0, FLAG_TEXT, AT(table), 0, 0, "TABLE",
     "csv: summary, messages, critiques, votes, turns; json: full, summary"},
    {"--status", 0, FLAG_TEXT, AT(status), 0, 0, "pending|running|completed|failed|cancelled",
     "only those"},
    {"--since", 0, FLAG_TEXT, AT(since), 0, 0, "TIME", "only those that began then or later"},
    {"--until", 0, FLAG_TEXT, AT(until), 0, 0, "TIME", "only those that began until then"},
    {"--limit", 'n', FLAG_TEXT, AT(limit), 0, 0, "N", "so many at most, newest first"},
    {"--server", 0, FLAG_TEXT, AT(server), 0, 0, "URL",
     "of a server instead of the databases here [ARAGORA_API_URL]"},
    {"--quiet", 'q', FLAG_SWITCH, AT(quiet), 0, 0, NULL, "say nothing about the progress"},
    {0},
};

static const struct command *self(void) {
  return command_find("export");
}

/* ---- where it goes ---- */

struct target {
  int fd;
  const char *name; /* NULL = standard output */
  char *part;
  bool show, shown; /* progress on standard error */
  int64_t shown_us;
  uint64_t bytes;
};

static enum status target_open(struct target *t, const struct export_values *v, struct error *err) {
  *t = (struct target){.fd = STDOUT_FILENO,
                       .show = !v->quiet && isatty(STDERR_FILENO),
                       .shown_us = clock_mono_us(&clock_system)};
  if (!v->output || strcmp(v->output, "-") == 0) {
    t->show = t->show && !isatty(STDOUT_FILENO);
    return STATUS_OK;
  }
  BUFFER_LATER struct buffer part;
  buffer_init(&part, strlen(v->output) + 8);
  buffer_printf(&part, "%s.part", v->output);
  t->part = buffer_steal(&part);
  if (!t->part) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  t->name = v->output;
  t->fd = open(t->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);
  if (t->fd >= 0) return STATUS_OK;
  return error_set(err, STATUS_IO, NULL, "cannot write %.200s: %s", t->part, strerror(errno));
}

static void clear_line(struct target *t) {
  if (t->shown) fputs("\r\033[K", stderr);
  t->shown = false;
}

/* On success the file gets its name. */
static enum status target_close(struct target *t, bool whole, struct error *err) {
  enum status s = STATUS_OK;
  clear_line(t);
  if (t->name && t->fd >= 0) {
    bool ok = whole && fsync(t->fd) == 0;
    ok = close(t->fd) == 0 && ok;
    if (ok) ok = rename(t->part, t->name) == 0;
    if (whole && !ok)
      s = error_set(err, STATUS_IO, NULL, "cannot write %.200s: %s", t->name, strerror(errno));
    if (!ok) unlink(t->part);
  }
  free(t->part);
  return s;
}

static void show(struct target *t, uint64_t debates) {
  int64_t now_us = clock_mono_us(&clock_system);
  if (!t->show || now_us - t->shown_us < SHOW_EVERY_US) return;
  BUFFER_LATER struct buffer line;
  t->shown_us = now_us;
  t->shown = true;
  buffer_init(&line, 256);
  buffer_append_text(&line, "\r\033[K");
  if (debates) {
    figure_append_count(&line, (int64_t)debates);
    buffer_append_text(&line, " debates, ");
  }
  figure_append_count(&line, (int64_t)(t->bytes >> 10));
  buffer_append_text(&line, " KiB");
  output_buffer(STDERR_FILENO, &line);
}

static enum status target_write(struct target *t, struct bytes piece, struct error *err) {
  if (interrupt_take() > 0) return error_set(err, STATUS_CANCELLED, NULL, "interrupted");
  if (!bytes_write(piece, t->fd))
    return error_set(err, STATUS_IO, NULL, "cannot write %.200s: %s",
                     t->name ? t->name : "to standard output", strerror(errno));
  t->bytes += piece.len;
  return STATUS_OK;
}

/* ---- from the databases here ---- */

static enum status copy_here(struct store *store, const struct export_options *options,
                             struct target *t, struct error *err) {
  const struct principal who = PRINCIPAL_LOCAL;
  BUFFER_LATER struct buffer piece;
  struct export *export;
  bool done = false;
  buffer_init(&piece, PIECE_MAX);
  enum status s = export_open(store, &who, options, &export, err);
  if (s) return s;
  while (!s && !done) {
    s = export_step(export, &piece, &done, err);
    if (s || (!done && piece.len < PIECE_BYTES)) continue;
    s = target_write(t, buffer_bytes(&piece), err);
    buffer_clear(&piece);
    show(t, export_count(export));
  }
  export_close(export);
  return s;
}

static enum status run_here(const struct export_options *options, struct options *o,
                            struct target *t, struct error *err) {
  struct engine engine;
  enum status s = log_open(LOG_LEVEL_ERROR, NULL, true, err);
  if (s) return s;
  s = engine_open_archive(&engine, o, err);
  if (!s) s = copy_here(engine.store, options, t, err);
  engine_close(&engine);
  return s;
}

/* ---- from a server ---- */

static void add_word(struct buffer *path, char between, const char *name, const char *value) {
  if (!value || !*value) return;
  char *escaped = curl_easy_escape(NULL, value, 0);
  if (!escaped) path->overflow = true;
  bool first = !path->ptr || !strchr(path->ptr, '?');
  buffer_printf(path, "%c%s=%s", first ? '?' : between, name, escaped ? escaped : "");
  curl_free(escaped);
}

static void make_path(const struct export_values *v, const struct export_query *q, const char *id,
                      struct buffer *path) {
  const char *format = export_format_name(q->format);
  if (id) {
    buffer_printf(path, "/api/debates/%s/export/%s?wrapped=false", id, format);
    add_word(path, '&', "table", v->table);
    return;
  }
  buffer_printf(path, "/api/debates/export?format=%s", format);
  add_word(path, '&', "table", v->table);
  add_word(path, '&', "status", v->status);
  add_word(path, '&', "since", v->since);
  add_word(path, '&', "until", v->until);
  add_word(path, '&', "limit", v->limit);
}

struct fetching {
  struct target *target;
  struct error *err;
};

static bool take_piece(void *ctx, struct bytes piece) {
  struct fetching *f = ctx;
  if (target_write(f->target, piece, f->err)) return false;
  show(f->target, 0);
  return true;
}

static enum status run_there(const struct export_values *v, const struct export_query *q,
                             const struct options *o, const char *id, const char *url,
                             struct target *t, struct error *err) {
  struct remote remote;
  struct error own = {0};
  struct fetching fetching = {t, &own};
  BUFFER_LATER struct buffer path;
  buffer_init(&path, 8192);
  make_path(v, q, id, &path);
  if (path.overflow) return error_set(err, STATUS_INVALID, NULL, "an argument is too long");
  enum status s = remote_open(url, o, &remote, err);
  if (s) return s;
  s = remote_fetch(&remote, path.ptr, take_piece, &fetching, err);
  remote_close(&remote);
  if (own.status) {
    *err = own;
    s = own.status;
  }
  return s;
}

/* ---- the command ---- */

static int report(const struct target *t, enum status s, const struct error *err) {
  if (s == STATUS_UNAVAILABLE) return remote_error(err);
  if (s) return output_error(err);
  if (t->name && isatty(STDERR_FILENO)) fprintf(stderr, "%s\n", t->name);
  return CLI_OK;
}

static int run(const struct export_values *v, const char *id, struct options *o) {
  struct error err = {0};
  struct target target;
  struct export_options options = {.id = id, .now_ms = clock_wall_ms(&clock_system)};
  struct export_words words = {v->format, v->table, v->status, v->since, v->until, v->limit};
  const char *url = remote_url(v->server);
  if (export_query_read(&words, &options.query, &err))
    return arguments_wrong(self(), "--%s %s", err.field, err.message);
  interrupt_catch(2);
  enum status s = target_open(&target, v, &err);
  if (!s)
    s = url ? run_there(v, &options.query, o, id, url, &target, &err)
            : run_here(&options, o, &target, &err);
  struct error late = {0};
  enum status closed = target_close(&target, s == STATUS_OK, &late);
  return s ? report(&target, s, &err) : report(&target, closed, &late);
}

int cli_export(int argc, char **argv) {
  struct export_values v = {0};
  struct arguments arguments;
  struct options options;
  struct error err = {0};
  if (remote_load_options(&options, REMOTE_IF_NAMED, argc, argv, &err)) return output_error(&err);
  int code = CLI_USAGE;
  if (arguments_read(self(), argc, argv, &v, &options, &arguments)) {
    const char *id = arguments.count ? arguments.positional[0] : NULL;
    if (arguments.count > 1)
      arguments_wrong(self(), "one debate, or none for all that match");
    else if (id && !id_valid(bytes_of(id), ID_DEBATE_MAX))
      arguments_wrong(self(), "\"%.64s\" is no id of a debate", id);
    else if (id && (v.status || v.since || v.until || v.limit))
      arguments_wrong(self(), "--status, --since, --until and --limit are for several debates");
    else
      code = run(&v, id, &options);
  }
  options_done(&options);
  return code;
}
