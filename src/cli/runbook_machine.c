/* The checks that look at this machine: files, programs, processes. */
#include "base/json.h"
#include "cli/runbook.h"
#include "store/inspect.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 4096, TAIL_MAX = 64 << 10, FILE_MAX_BYTES = 4 << 20 };

static enum runbook_result skip(char *why, const char *words) {
  snprintf(why, RUNBOOK_WHY_SIZE, "%s", words);
  return RUNBOOK_SKIPPED;
}

/* ---- databases ---- */

/* Bytes 18 and 19 of the file's header are 2 in WAL mode (sqlite.org/fileformat2.html, 1.3.3). */
static bool is_wal(const char *path) {
  unsigned char head[20] = {0};
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  bool whole = fd >= 0 && read(fd, head, sizeof head) == (ssize_t)sizeof head;
  if (fd >= 0) close(fd);
  return whole && head[18] == 2 && head[19] == 2;
}

enum runbook_result runbook_check_database(const struct runbook *book,
                                           const struct runbook_check *check, char *why) {
  enum database kind = strcmp(check->target, "elo") == 0 ? DATABASE_ELO : DATABASE_MEMORY;
  const struct options *o = book->options;
  const char *path = kind == DATABASE_ELO ? o->elo_path : o->db_path;
  struct inspect *inspect = NULL;
  struct error err = {0};
  if (!book->local) return skip(why, "the server is on another machine");
  enum status s = inspect_open_live(path, kind, o->db_timeout_s * 1000, &inspect, &err);
  if (!s) s = inspect_integrity(inspect, &err);
  inspect_close(inspect);
  if (s)
    snprintf(why, RUNBOOK_WHY_SIZE, "%s", err.message);
  else if (!is_wal(path))
    snprintf(why, RUNBOOK_WHY_SIZE, "%.256s is not in WAL mode", path);
  else
    return RUNBOOK_HOLDS;
  return RUNBOOK_FAILS;
}

/* ---- the log ---- */

/* The last whole line of the file, for free(); NULL when there is none. */
static char *last_line(int fd) {
  off_t end = lseek(fd, 0, SEEK_END), from = end > TAIL_MAX ? end - TAIL_MAX : 0;
  char *text = calloc(1, TAIL_MAX + 1);
  ssize_t got = text ? pread(fd, text, TAIL_MAX, from) : -1;
  char *stop = got > 0 ? strrchr(text, '\n') : NULL;
  if (!stop) {
    free(text);
    return NULL;
  }
  *stop = '\0';
  char *start = strrchr(text, '\n');
  if (start) memmove(text, start + 1, strlen(start + 1) + 1);
  return text;
}

static bool has_keys(const json_t *line, const char *keys, char *why) {
  for (const char *at = keys; *at;) {
    size_t len = strcspn(at, " ");
    if (!json_is_string(json_object_getn(line, at, len))) {
      snprintf(why, RUNBOOK_WHY_SIZE, "its last line has no \"%.*s\"", (int)len, at);
      return false;
    }
    at += len + strspn(at + len, " ");
  }
  return true;
}

enum runbook_result runbook_check_log(const struct runbook *book, const struct runbook_check *check,
                                      char *why) {
  const json_t *told = runbook_setting(book, "log_file");
  const char *named = told ? json_string_value(told) : book->options->log_file;
  const char *path = named || told ? named : "/var/log/aragora/server.log";
  JSON_LATER json_t *line = NULL;
  if (!book->local) return skip(why, "the server is on another machine");
  if (told && path && *path != '/')
    return skip(why, "its path is relative to the server's directory: name it with --log-file");
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0 && !named)
    return skip(why, "there is no log file (ARAGORA_LOG_FILE); standard error has the log");
  if (fd < 0) {
    snprintf(why, RUNBOOK_WHY_SIZE, "%.200s: %s", path, strerror(errno));
    return RUNBOOK_FAILS;
  }
  FREE_LATER char *text = last_line(fd);
  close(fd);
  if (!text || json_parse(bytes_of(text), &line, NULL)) {
    snprintf(why, RUNBOOK_WHY_SIZE, "%.200s: %s", path, text ? "no JSON" : "no line");
    return RUNBOOK_FAILS;
  }
  return has_keys(line, check->expect, why) ? RUNBOOK_HOLDS : RUNBOOK_FAILS;
}

/* ---- files, programs, processes ---- */

enum runbook_result runbook_check_file(const struct runbook_check *check, char *why) {
  json_error_t error;
  if (access(check->target, R_OK)) return skip(why, "the file is not under this directory");
  JSON_LATER json_t *json = json_load_file(check->target, 0, &error);
  if (json) return RUNBOOK_HOLDS;
  snprintf(why, RUNBOOK_WHY_SIZE, "line %d: %s", error.line, error.text);
  return RUNBOOK_FAILS;
}

enum runbook_result runbook_check_program(const struct runbook_check *check, char *why) {
  const char *path = getenv("PATH");
  char file[PATH_SIZE];
  while (path && *path) {
    size_t len = strcspn(path, ":");
    snprintf(file, sizeof file, "%.*s/%s", (int)(len < PATH_SIZE / 2 ? len : PATH_SIZE / 2), path,
             check->target);
    if (access(file, X_OK) == 0) return RUNBOOK_HOLDS;
    path += len + (path[len] == ':');
  }
  return skip(why, "the program is not installed on this machine");
}

/* As pgrep -f: the arguments with spaces between them. */
static bool read_command_line(const char *pid, char line[PATH_SIZE]) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%.20s/cmdline", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t got = fd < 0 ? -1 : read(fd, line, PATH_SIZE - 1);
  if (fd >= 0) close(fd);
  for (ssize_t i = 0; i < got; i++)
    if (!line[i]) line[i] = ' ';
  if (got > 0) line[got] = '\0';
  return got > 0;
}

static bool process_matches(const regex_t *pattern) {
  char line[PATH_SIZE];
  bool found = false;
  DIR *all = opendir("/proc");
  for (struct dirent *each; !found && all && (each = readdir(all));) {
    long pid = strtol(each->d_name, NULL, 10);
    found = pid > 0 && pid != (long)getpid() && read_command_line(each->d_name, line) &&
            regexec(pattern, line, 0, NULL, 0) == 0;
  }
  if (all) closedir(all);
  return found;
}

enum runbook_result runbook_check_process(const struct runbook *book,
                                          const struct runbook_check *check, char *why) {
  regex_t pattern;
  if (!book->local) return skip(why, "the server is on another machine");
  if (regcomp(&pattern, check->target, REG_EXTENDED | REG_NOSUB)) return RUNBOOK_FAILS;
  bool found = process_matches(&pattern);
  regfree(&pattern);
  if (found) return RUNBOOK_HOLDS;
  snprintf(why, RUNBOOK_WHY_SIZE, "no process matches \"%s\"", check->target);
  return RUNBOOK_FAILS;
}
