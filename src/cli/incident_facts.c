/* Collects what a server, its log and its machine say. */
#include "base/clock.h"
#include "cli/incident.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CALL_MS = 10000, ANSWER_MAX = 16 << 20, TAIL_BYTES = 256 << 10, MESSAGE_MAX = 120 };

static void note(struct incident *i, const char *what, const char *why) {
  buffer_printf(&i->unread, "%s: %.300s\n", what, why);
}

static void add_fact(struct incident *i, int64_t ms, const char *format, ...) PRINTF_LIKE(3, 4);
static void add_fact(struct incident *i, int64_t ms, const char *format, ...) {
  if (i->fact_count == INCIDENT_FACTS_MAX) return;
  struct incident_fact *fact = &i->facts[i->fact_count++];
  va_list args;
  va_start(args, format);
  vsnprintf(fact->text, sizeof fact->text, format, args);
  va_end(args);
  fact->ms = ms;
}

/* ---- files ---- */

static enum status write_file(struct incident *i, const char *name, struct bytes text,
                              struct error *err) {
  BUFFER_LATER struct buffer clean;
  buffer_init(&clean, 2 * ANSWER_MAX);
  incident_redact(i->options, &clean, text);
  if (clean.overflow) return error_set(err, STATUS_NOMEM, NULL, "%s is too large", name);
  int fd = openat(i->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return error_set(err, STATUS_IO, NULL, "%s: %s", name, strerror(errno));
  bool whole = bytes_write(buffer_bytes(&clean), fd);
  if (close(fd) || !whole)
    return error_set(err, STATUS_IO, NULL, "%s cannot be written: %s", name, strerror(errno));
  return STATUS_OK;
}

static enum status write_json(struct incident *i, const char *name, const json_t *value,
                              struct error *err) {
  FREE_LATER char *text = json_dumps(value, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
  if (!text) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  return write_file(i, name, bytes_of(text), err);
}

/* ---- the server ---- */

/* What says with 503 that the server is not well, and why. */
static bool tells_by_503(const char *path) {
  return strcmp(path, "/api/health") == 0 || strcmp(path, "/readyz") == 0;
}

/* False with a note when there is no answer of 200, or 503 as health gives. */
static bool ask(struct incident *i, const char *path, struct buffer *ret_text) {
  struct error err = {0};
  char why[64];
  long http_status = 0;
  if (!i->remote) {
    note(i, path, "no address of a server");
    return false;
  }
  if (remote_ask(i->remote, "GET", path, CALL_MS, &http_status, ret_text, &err)) {
    note(i, path, err.message);
    return false;
  }
  if (http_status == 200 || (http_status == 503 && tells_by_503(path))) return true;
  snprintf(why, sizeof why, "HTTP %ld", http_status);
  note(i, path, why);
  return false;
}

/* NULL with a note when there is none. */
static json_t *ask_json(struct incident *i, const char *path) {
  BUFFER_LATER struct buffer text;
  json_t *value = NULL;
  buffer_init(&text, ANSWER_MAX);
  if (!ask(i, path, &text)) return NULL;
  if (json_parse(buffer_bytes(&text), &value, NULL)) {
    note(i, path, "no JSON");
    return NULL;
  }
  incident_leave_out_texts(value);
  return value;
}

static void facts_of_health(struct incident *i, const json_t *health) {
  int64_t up_s = json_get_int(health, "uptime", -1);
  if (up_s >= 0) add_fact(i, i->now_ms - up_s * 1000, "The server that answers now was started");
}

static void facts_of_breakers(struct incident *i, const json_t *body) {
  const char *agent;
  json_t *breaker;
  json_object_foreach(json_object_get(body, "circuit_breakers"), agent, breaker) {
    double open_s = json_number_value(json_object_get(breaker, "open_duration"));
    if (strcmp(json_get_text(breaker, "status", ""), "closed") == 0) continue;
    add_fact(i, i->now_ms - (int64_t)(open_s * 1e3), "The circuit breaker of %.60s opened", agent);
  }
}

static const struct page {
  const char *path, *file;
  void (*facts)(struct incident *incident, const json_t *body);
} pages[] = {
    {"/api/health", "health.json", facts_of_health},
    {"/readyz", "ready.json", NULL},
    {"/api/circuit-breakers", "breakers.json", facts_of_breakers},
    {"/api/agents/health", "agents.json", NULL},
    {"/api/ws/stats", "websockets.json", NULL},
    {"/api/system/errors?limit=100", "errors.json", NULL},
    {"/api/system/rate-limits", "rate_limits.json", NULL},
    {"/api/system/config", "config.json", NULL},
    {"/api/budgets", "budgets.json", NULL},
};

static enum status collect_pages(struct incident *i, struct error *err) {
  enum status s = STATUS_OK;
  for (size_t n = 0; !s && n < sizeof pages / sizeof *pages; n++) {
    JSON_LATER json_t *body = ask_json(i, pages[n].path);
    if (!body) continue;
    if (pages[n].facts) pages[n].facts(i, body);
    s = write_json(i, pages[n].file, body, err);
  }
  return s;
}

static enum status collect_metrics(struct incident *i, struct error *err) {
  BUFFER_LATER struct buffer text;
  buffer_init(&text, ANSWER_MAX);
  if (!ask(i, "/api/metrics", &text)) return STATUS_OK;
  return write_file(i, "metrics.txt", buffer_bytes(&text), err);
}

/* How many debates there are by state; never which. */
static enum status collect_counts(struct incident *i, struct error *err) {
  static const char *const states[] = {"pending", "running", "completed", "failed", "cancelled"};
  JSON_LATER json_t *counts = json_object();
  char path[64];
  for (size_t n = 0; n < sizeof states / sizeof *states; n++) {
    snprintf(path, sizeof path, "/api/debates?limit=1&status=%s", states[n]);
    JSON_LATER json_t *body = ask_json(i, path);
    if (!body) return STATUS_OK;
    json_object_set_new(counts, states[n], json_integer(json_get_int(body, "total", 0)));
  }
  return write_json(i, "debates.json", counts, err);
}

/* ---- the log ---- */

/* The first error of what was kept. */
static void facts_of_log(struct incident *i, struct bytes log) {
  while (log.len) {
    const char *end = memchr(log.ptr, '\n', log.len);
    size_t len = end ? (size_t)(end - log.ptr) : log.len;
    JSON_LATER json_t *line = NULL;
    if (json_parse((struct bytes){log.ptr, len}, &line, NULL)) line = NULL;
    bool date_only = false;
    int64_t ms = 0;
    if (strcmp(json_get_text(line, "level", ""), "ERROR") == 0 &&
        clock_parse_iso(json_get_text(line, "ts", ""), &ms, &date_only)) {
      add_fact(i, ms, "First error in the kept log: %.*s", MESSAGE_MAX,
               json_get_text(line, "msg", ""));
      return;
    }
    size_t taken = end ? len + 1 : len;
    log = (struct bytes){log.ptr + taken, log.len - taken};
  }
}

/* The last lines, whole ones. */
static enum status collect_log(struct incident *i, struct error *err) {
  const char *path = i->options->log_file ? i->options->log_file : "/var/log/aragora/server.log";
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  FREE_LATER char *text = malloc(TAIL_BYTES);
  off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
  off_t from = end > TAIL_BYTES ? end - TAIL_BYTES : 0;
  ssize_t got = fd >= 0 && text ? pread(fd, text, TAIL_BYTES, from) : -1;
  if (got < 0) note(i, path, strerror(errno));
  if (fd >= 0) close(fd);
  if (got < 0) return STATUS_OK;
  struct bytes log = {text, (size_t)got};
  const char *first = from ? memchr(log.ptr, '\n', log.len) : NULL;
  if (first) log = (struct bytes){first + 1, log.len - (size_t)(first + 1 - text)};
  facts_of_log(i, log);
  return write_file(i, "log.jsonl", log, err);
}

/* ---- the machine ---- */

static enum status collect_machine(struct incident *i, struct error *err) {
  BUFFER_LATER struct buffer text;
  struct utsname u;
  struct statvfs disk;
  buffer_init(&text, 4096);
  buffer_printf(&text, "aragora %s (the command; health.json has the server's)\n", ARAGORA_VERSION);
  if (!uname(&u)) buffer_printf(&text, "system %s %s %s\n", u.sysname, u.release, u.machine);
  const char *dir = i->options->data_dir;
  if (statvfs(dir, &disk))
    note(i, dir, strerror(errno));
  else
    buffer_printf(&text, "disk of %s: %llu of %llu bytes free\n", dir,
                  (unsigned long long)disk.f_bavail * disk.f_frsize,
                  (unsigned long long)disk.f_blocks * disk.f_frsize);
  return write_file(i, "machine.txt", buffer_bytes(&text), err);
}

/* `aragora doctor --offline --json`, as a process of its own: it ends as it must, and asks nobody.
 */
static enum status collect_doctor(struct incident *i, struct error *err) {
  const struct options *o = i->options;
  char data[] = "--data-dir", db[] = "--db-path", elo[] = "--elo-path", config[] = "--config",
       offline[] = "--offline", json[] = "--json", name[] = "aragora", command[] = "doctor";
  char *const argv[] = {name,
                        command,
                        offline,
                        json,
                        data,
                        o->data_dir,
                        db,
                        o->db_path,
                        elo,
                        o->elo_path,
                        o->config ? config : NULL,
                        o->config,
                        NULL};
  posix_spawn_file_actions_t actions;
  BUFFER_LATER struct buffer text;
  char piece[4096];
  int pipes[2], exit_status = 0;
  pid_t pid;
  buffer_init(&text, ANSWER_MAX);
  if (pipe2(pipes, O_CLOEXEC)) return error_set(err, STATUS_IO, NULL, "no pipe");
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipes[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  int failed = posix_spawn(&pid, "/proc/self/exe", &actions, NULL, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(pipes[1]);
  for (ssize_t n; !failed && (n = read(pipes[0], piece, sizeof piece)) > 0;)
    buffer_append(&text, piece, (size_t)n);
  close(pipes[0]);
  if (!failed) waitpid(pid, &exit_status, 0);
  if (failed || !text.len) {
    note(i, "doctor", failed ? strerror(failed) : "it said nothing");
    return STATUS_OK;
  }
  return write_file(i, "doctor.json", buffer_bytes(&text), err);
}

enum status incident_collect(struct incident *i, struct error *err) {
  enum status s = collect_pages(i, err);
  if (!s) s = collect_metrics(i, err);
  if (!s) s = collect_counts(i, err);
  if (!s) s = collect_log(i, err);
  if (!s) s = collect_machine(i, err);
  if (!s) s = collect_doctor(i, err);
  return s;
}
