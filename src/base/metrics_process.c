#include "base/metrics_process.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void append_process_value(struct buffer *out, const char *name, const char *type,
                                 const char *help, const char *value) {
  buffer_printf(out, "# HELP process_%s %s\n# TYPE process_%s %s\nprocess_%s %s\n", name, help,
                name, type, name, value);
}

static void append_process_int(struct buffer *out, const char *name, const char *help,
                               int64_t value) {
  char text[24];
  snprintf(text, sizeof text, "%lld", (long long)value);
  append_process_value(out, name, "gauge", help, text);
}

/* -1 when /proc is not there. Since Linux 6.2 its size is their number; with thousands of them a
 * listing costs milliseconds (proc_pid_fd(5)). */
static int64_t count_open_files(void) {
  struct stat st;
  if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0) return st.st_size;
  DIR *dir = opendir("/proc/self/fd");
  if (!dir) return -1;
  int64_t n = -1; /* the directory's own descriptor */
  while (readdir(dir)) n++;
  closedir(dir);
  return n - 2; /* "." and ".." */
}

static bool read_proc(const char *path, char *text, size_t size) {
  FILE *f = fopen(path, "re");
  if (!f) return false;
  size_t n = fread(text, 1, size - 1, f);
  fclose(f);
  text[n] = '\0';
  return n > 0;
}

static void append_process_memory(struct buffer *out) {
  char text[256];
  if (!read_proc("/proc/self/statm", text, sizeof text)) return;
  char *rest;
  int64_t virtual_pages = strtoll(text, &rest, 10);
  int64_t resident_pages = strtoll(rest, NULL, 10);
  int64_t page = sysconf(_SC_PAGESIZE);
  append_process_int(out, "virtual_memory_bytes", "Virtual memory size", virtual_pages * page);
  append_process_int(out, "resident_memory_bytes", "Resident memory size", resident_pages * page);
}

/* Field number `wanted` of /proc/self/stat, counted from 1 (proc(5)): the fields follow the last
 * ')' since the name may hold anything. -1 = unknown. */
static int64_t stat_field(const char *text, int wanted) {
  const char *p = strrchr(text, ')');
  for (int field = 2; p && field < wanted; field++) p = strchr(p + 1, ' ');
  return p ? strtoll(p, NULL, 10) : -1;
}

/* Unix time at which the process started, in seconds: field 22 counts clock ticks since boot. */
static double process_start_s(int64_t ticks) {
  struct timespec wall;
  struct timespec boot;
  clock_gettime(CLOCK_REALTIME, &wall);
  clock_gettime(CLOCK_BOOTTIME, &boot);
  double booted = (double)(wall.tv_sec - boot.tv_sec) + (double)(wall.tv_nsec - boot.tv_nsec) / 1e9;
  return booted + (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

static void append_process_stat(struct buffer *out) {
  char text[1024];
  char value[64];
  if (!read_proc("/proc/self/stat", text, sizeof text)) return;
  int64_t threads = stat_field(text, 20);
  int64_t ticks = stat_field(text, 22);
  if (threads > 0) append_process_int(out, "threads", "Threads", threads);
  if (ticks < 0) return;
  snprintf(value, sizeof value, "%.2f", process_start_s(ticks));
  append_process_value(out, "start_time_seconds", "gauge", "Start time since the epoch", value);
}

void metrics_process_append(struct buffer *out) {
  char text[64];
  struct rusage used;
  if (getrusage(RUSAGE_SELF, &used) == 0) {
    long long us = (long long)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 +
                   used.ru_utime.tv_usec + used.ru_stime.tv_usec;
    snprintf(text, sizeof text, "%lld.%06lld", us / 1000000, us % 1000000);
    append_process_value(out, "cpu_seconds_total", "counter", "User and system time", text);
  }
  append_process_memory(out);
  append_process_stat(out);
  int64_t files = count_open_files();
  if (files >= 0) append_process_int(out, "open_fds", "Open file descriptors", files);
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
    append_process_int(out, "max_fds", "Limit of open file descriptors", (int64_t)limit.rlim_cur);
}
