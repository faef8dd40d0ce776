#include "cli/process.h"

#include "base/env_vars.h"
#include "base/log.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

enum {
  COMMAND_LINE_MAX = 65536,
  PATH_SIZE = 4096,
  CLAIMS_MAX = 4,
  DESCRIPTORS_BESIDE = 512, /* of connections: databases, providers, listeners */
  HEAP_KEPT_BYTES = 16 << 20,
  HEAP_BLOCK_BYTES = 1 << 20, /* from here on a block is mapped alone, and given back when freed */
};

/* True when "aragora.server" as a regular expression is found in it. */
static bool says_server(const char *line, size_t len) {
  static const char first[] = "aragora", second[] = "server";
  enum { FIRST = sizeof first - 1, SECOND = sizeof second - 1 };
  for (size_t i = 0; i + FIRST + 1 + SECOND <= len; i++)
    if (memcmp(line + i, first, FIRST) == 0 && memcmp(line + i + FIRST + 1, second, SECOND) == 0)
      return true;
  return false;
}

/* As pgrep reads it; NUL bytes between the arguments match '.' like the spaces it makes of them. */
static bool is_named_server(void) {
  FILE *file = fopen("/proc/self/cmdline", "re");
  if (!file) return true; /* it cannot be looked up by anybody else either */
  char *line = malloc(COMMAND_LINE_MAX);
  size_t len = line ? fread(line, 1, COMMAND_LINE_MAX, file) : 0;
  bool named = !line || says_server(line, len);
  free(line);
  fclose(file);
  return named;
}

void process_name_server(int argc, char **argv) {
  char path[PATH_SIZE], name[] = "aragora", command[] = "server";
  if (is_named_server()) return;
  ssize_t len = readlink("/proc/self/exe", path, sizeof path - 1);
  char **arguments = calloc((size_t)argc + 2, sizeof *arguments);
  if (len > 0 && arguments) {
    path[len] = 0;
    arguments[0] = name;
    arguments[1] = command;
    for (int i = 1; i < argc; i++) arguments[i + 1] = argv[i];
    execve(path, arguments, env_vars_before()); /* it reads the file of variables itself */
  }
  free(arguments); /* an odd name is no reason not to serve */
}

/* Neither can fail for these values: prctl(2), and a soft limit below the hard one. */
static void set_dumps(bool allowed) {
  struct rlimit limit;
  prctl(PR_SET_DUMPABLE, allowed, 0, 0, 0);
  if (getrlimit(RLIMIT_CORE, &limit)) return;
  limit.rlim_cur = allowed ? limit.rlim_max : 0;
  setrlimit(RLIMIT_CORE, &limit);
}

void process_forbid_dumps(void) {
  set_dumps(false);
}

void process_allow_dumps(void) {
  set_dumps(true);
}

/* The C library gives the top of a heap back at 128 KiB (mallopt(3), M_TRIM_THRESHOLD), which a
 * debate's step passes twice over: 20 page faults a debate, each some microseconds of the kernel's
 * (and of the hypervisor's, where there is one). One value set, the other moves no more by itself.
 */
void process_keep_heap(void) {
  mallopt(M_TRIM_THRESHOLD, HEAP_KEPT_BYTES);
  mallopt(M_MMAP_THRESHOLD, HEAP_BLOCK_BYTES);
}

void process_raise_descriptors(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit)) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int64_t process_connections(int64_t wanted) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == RLIM_INFINITY) return wanted;
  int64_t all = (int64_t)limit.rlim_cur;
  int64_t most = all / 2 > DESCRIPTORS_BESIDE ? all - DESCRIPTORS_BESIDE : all / 2;
  return wanted < most ? wanted : most;
}

/* What this process has claimed: a lock of flock(2) belongs to one opening of the file, so that the
 * second one would be refused by the first. */
static struct {
  dev_t device;
  ino_t file;
} claims[CLAIMS_MAX];
static size_t claim_count;

static bool is_claimed(const struct stat *st) {
  for (size_t i = 0; i < claim_count; i++)
    if (claims[i].device == st->st_dev && claims[i].file == st->st_ino) return true;
  return false;
}

enum status process_claim(const char *db_path, struct error *err) {
  struct stat st;
  if (stat(db_path, &st) == 0 && is_claimed(&st)) return STATUS_OK;
  /* flock, which SQLite does not use: its fcntl locks are another kind. The descriptor stays open
   * on purpose; closing it would also drop SQLite's own locks on the file (fcntl(2)). */
  int fd = open(db_path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return error_set(err, STATUS_IO, NULL, "cannot open %s: %s", db_path, strerror(errno));
  if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
    return error_set(err, STATUS_CONFLICT, NULL, "another server uses the database %s", db_path);
  if (fstat(fd, &st) == 0 && claim_count < CLAIMS_MAX) {
    claims[claim_count].device = st.st_dev;
    claims[claim_count++].file = st.st_ino;
  }
  return STATUS_OK;
}

/* ---- systemd ---- */

#ifdef HAVE_SYSTEMD
static struct {
  __typeof__(&sd_notify) notify;
  __typeof__(&sd_watchdog_enabled) watchdog_enabled;
} systemd; /* NULL where systemd did not start this process */
static pthread_once_t systemd_once = PTHREAD_ONCE_INIT;

/* Loaded by those alone that it says something to: it brings five more libraries, which take 2 ms
 * of every start. It is never closed. */
static void load_systemd(void) {
  if (!getenv("NOTIFY_SOCKET") && !getenv("WATCHDOG_USEC")) return;
  void *library = dlopen("libsystemd.so.0", RTLD_NOW | RTLD_LOCAL);
  if (library) {
    *(void **)&systemd.notify = dlsym(library, "sd_notify");
    *(void **)&systemd.watchdog_enabled = dlsym(library, "sd_watchdog_enabled");
  }
  if (!systemd.notify || !systemd.watchdog_enabled)
    log_warning("server", NULL, "systemd=unheard %s", dlerror());
}
#endif

int64_t process_watchdog_us(void) {
#ifdef HAVE_SYSTEMD
  uint64_t interval = 0;
  pthread_once(&systemd_once, load_systemd);
  if (systemd.watchdog_enabled && systemd.watchdog_enabled(0, &interval) > 0)
    return (int64_t)interval;
#endif
  return 0;
}

void process_notify(const char *state) {
#ifdef HAVE_SYSTEMD
  pthread_once(&systemd_once, load_systemd);
  if (systemd.notify) systemd.notify(0, state);
#else
  (void)state;
#endif
}
