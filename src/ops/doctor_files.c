#include "ops/doctor.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 4096, FIX_SIZE = 5000, OTHERS_READ = 04, OTHERS_WRITE = 02 };

static void format(char *out, size_t size, const char *before, const char *path) {
  snprintf(out, size, "%s%s", before, path);
}

/* ---- the data directory ---- */

static void check_directory(const struct doctor_place *place, const struct findings *to) {
  const char *dir = place->data_dir;
  char fix[FIX_SIZE];
  struct stat st;
  if (stat(dir, &st) < 0) {
    format(fix, sizeof fix, "a start makes it if it can; else: install -d -m 0750 ", dir);
    finding_tell(to, errno == ENOENT ? FINDING_WARN : FINDING_FAIL, "data", fix, "%s: %s", dir,
                 strerror(errno));
  } else if (!S_ISDIR(st.st_mode)) {
    finding_tell(to, FINDING_FAIL, "data", "name another one with ARAGORA_DATA_DIR",
                 "%s is not a directory", dir);
  } else if (access(dir, R_OK | W_OK | X_OK) < 0) {
    format(fix, sizeof fix, "give it to the server's user: chown USER ", dir);
    finding_tell(to, FINDING_FAIL, "data", fix, "%s cannot be written by this user", dir);
  } else if (st.st_mode & OTHERS_WRITE) {
    format(fix, sizeof fix, "chmod o= ", dir);
    finding_tell(to, FINDING_FAIL, "data", fix, "everybody may write to %s (mode %04o)", dir,
                 (unsigned)st.st_mode & 07777);
  } else {
    finding_tell(to, FINDING_OK, "data", NULL, "the directory %s can be used", dir);
  }
}

/* ---- the databases' files ---- */

/* True when it told something. */
static bool check_file(const char *path, const struct stat *main_file, const struct findings *to) {
  char fix[FIX_SIZE];
  struct stat st;
  if (stat(path, &st) < 0) return false;
  if (st.st_mode & (OTHERS_READ | OTHERS_WRITE)) {
    format(fix, sizeof fix, "chmod o= ", path);
    finding_tell(to, FINDING_FAIL, "permissions", fix, "%s may be %s by everybody (mode %04o)",
                 path, st.st_mode & OTHERS_WRITE ? "written" : "read",
                 (unsigned)st.st_mode & 07777);
  } else if (st.st_uid != main_file->st_uid) {
    snprintf(fix, sizeof fix, "chown %u:%u %s", (unsigned)main_file->st_uid,
             (unsigned)main_file->st_gid, path);
    finding_tell(to, FINDING_FAIL, "permissions", fix,
                 "%s belongs to user %u, its database to user %u", path, (unsigned)st.st_uid,
                 (unsigned)main_file->st_uid);
  } else if (access(path, R_OK | W_OK) < 0) {
    finding_tell(to, FINDING_FAIL, "permissions", "run this as the server's user, or chown it",
                 "%s cannot be %s by this user", path, access(path, R_OK) < 0 ? "read" : "written");
  } else {
    return false;
  }
  return true;
}

static size_t check_database_files(const char *path, const struct findings *to, bool *told) {
  static const char *const suffixes[] = {"", "-wal", "-shm"};
  char name[PATH_SIZE];
  struct stat st;
  size_t files = 0;
  if (stat(path, &st) < 0) return 0;
  for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
    snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
    files += access(name, F_OK) == 0;
    if (check_file(name, &st, to)) *told = true;
  }
  return files;
}

static void check_permissions(const struct doctor_place *place, const struct findings *to) {
  bool told = false;
  size_t files = 0;
  for (int i = 0; i < DATABASES; i++) files += check_database_files(place->paths[i], to, &told);
  if (!told && files)
    finding_tell(to, FINDING_OK, "permissions", NULL,
                 "%zu database files, none of them readable for everybody", files);
}

/* ---- the log ---- */

static void check_log(const struct doctor_place *place, const struct findings *to) {
  const char *path = place->log_file;
  char directory[PATH_SIZE];
  if (!path) {
    finding_tell(to, FINDING_OK, "log", NULL, "standard error only");
    return;
  }
  const char *slash = strrchr(path, '/');
  snprintf(directory, sizeof directory, "%.*s", slash ? (int)(slash - path) + 1 : 1,
           slash ? path : ".");
  const char *wanted = access(path, F_OK) == 0 ? path : directory;
  if (access(wanted, W_OK) < 0)
    finding_tell(to, FINDING_FAIL, "log",
                 "make it writable for the server's user, or set another "
                 "ARAGORA_LOG_FILE",
                 "%s: %s", wanted, strerror(errno));
  else
    finding_tell(to, FINDING_OK, "log", NULL, "%s can be written", path);
}

void doctor_check_files(const struct doctor_place *place, const struct findings *to) {
  check_directory(place, to);
  check_permissions(place, to);
  check_log(place, to);
}
