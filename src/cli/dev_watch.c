#include "cli/dev_watch.h"

#include "base/clock.h"
#include "base/env_vars.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FILES_MAX = 4, QUIET_MS = 300, CHECK_MS = 10000, WORDS_SIZE = 320, EVENTS_SIZE = 16384 };

struct watched {
  char path[PATH_MAX];
  struct stat seen; /* all zero where there is none */
};

struct dev_watch {
  int fd;
  int64_t due_us; /* 0 = nothing is pending */
  int argc;       /* as the operator gave them, without what a restart appended */
  char **argv;
  long long port, ws_port;         /* as the operator's settings name them; 0 = any */
  struct watched files[FILES_MAX]; /* the program first */
  size_t count;
};

static int64_t now_us(void) {
  return clock_mono_us(&clock_system);
}

/* ---- which files ---- */

static bool is_same(const struct stat *a, const struct stat *b) {
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
         a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* True when it is no longer what it was, which is then forgotten. */
static bool has_changed(struct watched *f) {
  struct stat now = {0};
  if (stat(f->path, &now) < 0) return false; /* on its way: the next event tells */
  if (is_same(&now, &f->seen)) return false;
  f->seen = now;
  return true;
}

/* Its directory: a file that is replaced is another file. */
static void watch_file(struct dev_watch *w, const char *path) {
  char directory[PATH_MAX];
  if (!path || w->count == FILES_MAX) return;
  struct watched *f = &w->files[w->count];
  snprintf(f->path, sizeof f->path, "%s", path);
  snprintf(directory, sizeof directory, "%s", path);
  if (stat(path, &f->seen) < 0) return;
  if (inotify_add_watch(w->fd, dirname(directory), IN_CLOSE_WRITE | IN_MOVED_TO) < 0)
    log_warning("server", NULL, "dev=blind changes of %s are not noticed: %s", path,
                strerror(errno));
  w->count++;
}

/* What the process before this one, by a restart, left: how many arguments it appended, and what
 * was set without them. */
static const char note_name[] = "ARAGORA_DEV_PORTS";

static void take_note(struct dev_watch *w) {
  const char *text = getenv(note_name);
  char *rest = NULL;
  if (!text) return;
  w->argc -= (int)strtol(text, &rest, 10);
  w->port = strtoll(rest, &rest, 10);
  w->ws_port = strtoll(rest, &rest, 10);
}

enum status dev_watch_open(const struct options *o, int argc, char **argv,
                           struct dev_watch **ret_watch, struct error *err) {
  char program[PATH_MAX];
  ssize_t len = readlink("/proc/self/exe", program, sizeof program - 1);
  struct dev_watch *w = calloc(1, sizeof *w);
  if (!w) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (w->fd < 0 || len <= 0) {
    dev_watch_close(w);
    return error_set(err, STATUS_IO, "--dev", "cannot watch files: %s", strerror(errno));
  }
  program[len] = '\0';
  w->argc = argc;
  w->argv = argv;
  w->port = o->port;
  w->ws_port = o->ws_port;
  take_note(w);
  watch_file(w, program);
  watch_file(w, o->config);
  watch_file(w, o->env_file);
  watch_file(w, o->agents_file);
  *ret_watch = w;
  return STATUS_OK;
}

void dev_watch_close(struct dev_watch *w) {
  if (w && w->fd >= 0) close(w->fd);
  free(w);
}

int dev_watch_fd(const struct dev_watch *w) {
  return w ? w->fd : -1;
}

/* ---- the new program, asked ---- */

/* The command's arguments behind others; NULL-terminated, for free(). */
static char **arguments_after(const struct dev_watch *w, const char *const *first, size_t count,
                              const char *const *last, size_t last_count) {
  char **out = calloc(count + (size_t)w->argc + last_count + 1, sizeof *out);
  size_t n = 0;
  if (!out) return NULL;
  for (size_t i = 0; i < count; i++) out[n++] = (char *)first[i];
  for (int i = 1; i < w->argc; i++) out[n++] = w->argv[i];
  for (size_t i = 0; i < last_count; i++) out[n++] = (char *)last[i];
  return out;
}

static bool start_child(const char *program, char **argv, int out_fd, pid_t *ret_pid) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out_fd, STDERR_FILENO);
  int failed = posix_spawn(ret_pid, program, &actions, NULL, argv, env_vars_before());
  posix_spawn_file_actions_destroy(&actions);
  return !failed;
}

/* Reads to the end, or to the deadline; the beginning is kept as one line. */
static bool read_words(int fd, char words[WORDS_SIZE]) {
  char piece[512];
  size_t len = 0;
  ssize_t n = 1;
  int64_t until_us = now_us() + CHECK_MS * 1000LL;
  while (n > 0) {
    struct pollfd ready = {fd, POLLIN, 0};
    int64_t left_ms = (until_us - now_us()) / 1000;
    if (left_ms <= 0) return false;
    if (poll(&ready, 1, (int)left_ms) <= 0) continue;
    n = read(fd, piece, sizeof piece);
    for (ssize_t i = 0; i < n && len < WORDS_SIZE - 1; i++)
      words[len++] = piece[i] == '\n' ? ' ' : piece[i];
  }
  words[len] = '\0';
  return n == 0;
}

/* True when it ends with 0 in time; what it said is in `words`. */
static bool run_program(const char *program, char **argv, char words[WORDS_SIZE]) {
  int ends[2], status = -1;
  pid_t pid;
  words[0] = '\0';
  if (!argv || pipe2(ends, O_CLOEXEC) < 0) return false;
  bool started = start_child(program, argv, ends[1], &pid);
  close(ends[1]);
  bool ended = started && read_words(ends[0], words);
  close(ends[0]);
  if (!started) return false;
  if (!ended) kill(pid, SIGKILL);
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  return ended && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool is_sound(const struct dev_watch *w) {
  static const char *const version[] = {"aragora", "--version"};
  static const char *const validate[] = {"aragora", "config", "validate"};
  const char *program = w->files[0].path;
  char words[WORDS_SIZE];
  char *ask_version[] = {(char *)version[0], (char *)version[1], NULL};
  if (!run_program(program, ask_version, words)) {
    log_warning("server", NULL, "dev=kept the new program does not say its version: %s", words);
    return false;
  }
  FREE_LATER char **ask_validate = arguments_after(w, validate, 3, NULL, 0);
  if (!run_program(program, ask_validate, words)) {
    log_warning("server", NULL, "dev=kept the new configuration cannot be used: %s", words);
    return false;
  }
  return true;
}

/* ---- when ---- */

int dev_watch_timeout_ms(const struct dev_watch *w) {
  if (!w || !w->due_us) return -1;
  int64_t left_us = w->due_us - now_us();
  return left_us > 0 ? (int)(left_us / 1000) + 1 : 0;
}

bool dev_watch_is_due(struct dev_watch *w) {
  char events[EVENTS_SIZE];
  bool changed = false;
  if (!w) return false;
  while (read(w->fd, events, sizeof events) > 0) w->due_us = now_us() + QUIET_MS * 1000LL;
  if (!w->due_us || now_us() < w->due_us) return false;
  w->due_us = 0;
  for (size_t i = 0; i < w->count; i++) {
    if (!has_changed(&w->files[i])) continue;
    log_info("server", NULL, "dev=changed %s", w->files[i].path);
    changed = true;
  }
  return changed && is_sound(w);
}

/* ---- becoming it ---- */

/* A port as the new program finds it set; as it was where it does not say. */
static long long configured(const struct dev_watch *w, const char *name, long long before) {
  const char *const get[] = {"aragora", "config", "get", name};
  char words[WORDS_SIZE], *rest = words;
  FREE_LATER char **ask = arguments_after(w, get, 4, NULL, 0);
  if (!run_program(w->files[0].path, ask, words)) return before;
  long long value = strtoll(words, &rest, 10);
  return rest == words ? before : value;
}

/* The environment with the note; NULL-terminated, for free(). */
static char **environment_with(char *note) {
  char *const *before = env_vars_before();
  size_t count = 0, len = strlen(note_name), n = 0;
  while (before[count]) count++;
  char **out = calloc(count + 2, sizeof *out);
  for (size_t i = 0; out && i < count; i++)
    if (strncmp(before[i], note_name, len) != 0 || before[i][len] != '=') out[n++] = before[i];
  if (out) out[n] = note;
  return out;
}

/* Where the port was any, or is set as before, the new process listens where the old one did. */
static bool is_kept(const char *name, long long before, long long now) {
  if (before == now) return true;
  log_info("server", NULL, "dev=port %s was %lld and is %lld now", name, before, now);
  return false;
}

void dev_watch_restart(const struct dev_watch *w, int port, int ws_port) {
  static const char *const server[] = {"aragora", "server"};
  char port_flag[32], ws_port_flag[32], note[96];
  const char *kept[2];
  size_t count = 0;
  long long now = configured(w, "PORT", w->port), ws_now = configured(w, "WS_PORT", w->ws_port);
  snprintf(port_flag, sizeof port_flag, "--port=%d", port);
  snprintf(ws_port_flag, sizeof ws_port_flag, "--ws-port=%d", ws_port);
  if (is_kept("PORT", w->port, now)) kept[count++] = port_flag;
  if (is_kept("WS_PORT", w->ws_port, ws_now)) kept[count++] = ws_port_flag;
  snprintf(note, sizeof note, "%s=%zu %lld %lld", note_name, count, now, ws_now);
  FREE_LATER char **arguments = arguments_after(w, server, 2, kept, count);
  FREE_LATER char **environment = environment_with(note);
  if (arguments && environment) execve(w->files[0].path, arguments, environment);
  log_error("server", NULL, "dev=failed cannot start %s: %s", w->files[0].path, strerror(errno));
}
