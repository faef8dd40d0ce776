/* `aragora incident`: keeps the state of a server in trouble beside the report that is to be
 * written, under .nomic/incidents/ of the working directory. */
#include "cli/incident.h"

#include "base/clock.h"
#include "cli/invocation.h"
#include "cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_MAX_LENGTH = 60, PATH_SIZE = 160, REPORT_MAX = 1 << 20, DATE_LENGTH = 10 };

static const char place[] = ".nomic/incidents";

struct incident_values {
  const char *server, *severity;
};

#define AT(field) offsetof(struct incident_values, field)
const struct flag incident_flags[] = {
    {"--severity", 0, FLAG_TEXT, AT(severity), 0, 0, "P1|P2", "how bad it is; default P1"},
    {"--server", 0, FLAG_TEXT, AT(server), 0, 0, "URL",
     "the server [ARAGORA_API_URL]; default this machine at ARAGORA_PORT or 8080"},
    {0},
};

static const struct command *self(void) {
  return command_find("incident");
}

/* ---- the report ---- */

static int by_time(const void *a, const void *b) {
  const struct incident_fact *one = a, *other = b;
  return (one->ms > other->ms) - (one->ms < other->ms);
}

static void append_moment(struct buffer *out, int64_t ms, const char *date, const char *text) {
  char iso[CLOCK_ISO_SIZE]; /* 2026-11-29T22:40:00.000Z */
  clock_format_iso(ms, iso);
  bool other_day = strncmp(iso, date, DATE_LENGTH) != 0;
  buffer_printf(out, "- %.5s - %s", iso + DATE_LENGTH + 1, text);
  if (other_day) buffer_printf(out, " (%.10s)", iso);
  buffer_append_char(out, '\n');
}

/* The form of the runbook, "Post-Incident Review". Times are UTC. */
static void append_report(struct buffer *out, struct incident *i, const char *title,
                          const char *severity) {
  qsort(i->facts, i->fact_count, sizeof *i->facts, by_time);
  buffer_printf(out, "# Incident: %s\n\n## Summary\n%s: Brief description of what happened\n\n",
                title, severity);
  buffer_append_text(out, "## Timeline\n");
  for (size_t n = 0; n < i->fact_count; n++)
    append_moment(out, i->facts[n].ms, title, i->facts[n].text);
  buffer_append_text(out, "- HH:MM - First alert\n");
  append_moment(out, i->now_ms, title, "Investigation started");
  buffer_append_text(out,
                     "- HH:MM - Root cause identified\n"
                     "- HH:MM - Mitigation applied\n"
                     "- HH:MM - Service restored\n\n"
                     "## Root Cause\nTechnical description\n\n"
                     "## Action Items\n"
                     "- [ ] Preventive measure 1\n"
                     "- [ ] Preventive measure 2\n");
}

/* ---- the command ---- */

static bool name_valid(const char *name) {
  size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
  return len && len <= NAME_MAX_LENGTH && !name[len] && name[0] != '-' && name[len - 1] != '-';
}

static enum status make_directory(const char *path, struct error *err) {
  if (mkdir(path, 0700) == 0) return STATUS_OK;
  if (errno == EEXIST)
    return error_set(err, STATUS_CONFLICT, NULL, "%s is there already; choose another name", path);
  return error_set(err, STATUS_IO, NULL, "%s: %s", path, strerror(errno));
}

static enum status make_place(struct error *err) {
  static const char *const parents[] = {".nomic", place};
  for (int n = 0; n < 2; n++)
    if (mkdir(parents[n], 0700) && errno != EEXIST)
      return error_set(err, STATUS_IO, NULL, "%s: %s", parents[n], strerror(errno));
  return STATUS_OK;
}

/* The report first, so that nothing is collected for a name that is taken. */
static enum status open_files(const char *title, int *ret_report, int *ret_dir, struct error *err) {
  char dir[PATH_SIZE], report[PATH_SIZE];
  snprintf(dir, sizeof dir, "%s/%s", place, title);
  snprintf(report, sizeof report, "%s/%s.md", place, title);
  enum status s = make_place(err);
  if (s) return s;
  int fd = open(report, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0 && errno == EEXIST)
    return error_set(err, STATUS_CONFLICT, NULL, "%s is there already; choose another name",
                     report);
  if (fd < 0) return error_set(err, STATUS_IO, NULL, "%s: %s", report, strerror(errno));
  s = make_directory(dir, err);
  int at = s ? -1 : open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (!s && at < 0) s = error_set(err, STATUS_IO, NULL, "%s: %s", dir, strerror(errno));
  if (s) {
    close(fd);
    unlink(report);
    return s;
  }
  *ret_report = fd;
  *ret_dir = at;
  return STATUS_OK;
}

static int keep(struct incident *i, const char *title, const char *severity) {
  struct error err = {0};
  BUFFER_LATER struct buffer report, clean, words;
  int fd = -1;
  buffer_init(&report, REPORT_MAX);
  buffer_init(&clean, REPORT_MAX);
  buffer_init(&words, REPORT_MAX);
  if (open_files(title, &fd, &i->dir, &err)) return output_error(&err);
  enum status s = incident_collect(i, &err);
  close(i->dir);
  append_report(&report, i, title, severity);
  incident_redact(i->options, &clean, buffer_bytes(&report));
  bool written = output_buffer(fd, &clean);
  if (close(fd)) written = false;
  if (s) return output_error(&err);
  if (!written) return CLI_ERROR;
  buffer_printf(&words, "%s/%s.md\n%s/%s/\n", place, title, place, title);
  if (i->unread.len) buffer_printf(&words, "not read:\n%s", i->unread.ptr);
  return output_buffer(STDOUT_FILENO, &words) ? CLI_OK : CLI_ERROR;
}

static int run(const struct incident_values *v, const struct options *options, const char *name) {
  char iso[CLOCK_ISO_SIZE], title[DATE_LENGTH + NAME_MAX_LENGTH + 2];
  static struct incident i; /* large */
  struct error err = {0};
  struct remote remote;
  i = (struct incident){.options = options, .now_ms = clock_wall_ms(&clock_system)};
  clock_format_iso(i.now_ms, iso);
  snprintf(title, sizeof title, "%.10s-%s", iso, name);
  BUFFER_LATER struct buffer own;
  buffer_init(&own, 4096);
  remote_append_own_url(&own, options);
  const char *url = remote_url(v->server);
  if (remote_open(url ? url : own.ptr, options, &remote, &err)) return output_error(&err);
  i.remote = &remote;
  buffer_init(&i.unread, REPORT_MAX);
  int code = keep(&i, title, v->severity ? v->severity : "P1");
  buffer_done(&i.unread);
  remote_close(&remote);
  return code;
}

static int check_and_run(const void *values, const struct arguments *a, struct options *options) {
  const struct incident_values *v = values;
  struct error err = {0};
  if (a->count != 1) return arguments_wrong(self(), "it takes one name: database-full");
  if (!name_valid(a->positional[0]))
    return arguments_wrong(self(), "a name is 1 to %d of a to z, 0 to 9 and \"-\", not \"%.64s\"",
                           NAME_MAX_LENGTH, a->positional[0]);
  if (v->severity && strcmp(v->severity, "P1") != 0 && strcmp(v->severity, "P2") != 0)
    return arguments_wrong(self(), "--severity must be P1 or P2, not \"%.16s\"", v->severity);
  if (options_name_files(options, &err)) return output_error(&err);
  return run(v, options, a->positional[0]);
}

int cli_incident(int argc, char **argv) {
  struct incident_values v = {0};
  return invocation_ask(self(), REMOTE_ALWAYS, argc, argv, &v, check_and_run);
}
