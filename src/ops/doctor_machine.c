#include "ops/doctor.h"
#include "ops/last_backup.h"
#include "store/upkeep.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { FIX_SIZE = 256, MIB = 1024 * 1024, HOUR_MS = 3600000 };
#define GIB (1024.0 * MIB)

/* ---- disk ---- */

/* Below the first nothing can be written for long; below the second, or without room for a second
 * copy of the databases, a backup or a migration may fail. */
enum { DISK_FAIL_BYTES = 64 * MIB, DISK_WARN_BYTES = 1024 * MIB };

static int64_t size_of_databases(const struct doctor_place *place) {
  int64_t sum = 0;
  struct stat st;
  for (int i = 0; i < DATABASES; i++)
    if (stat(place->paths[i], &st) == 0) sum += st.st_size;
  return sum;
}

static void check_disk(const struct doctor_place *place, const struct findings *to) {
  struct statvfs fs;
  if (statvfs(place->data_dir, &fs) < 0) {
    if (errno != ENOENT)
      finding_tell(to, FINDING_FAIL, "disk", NULL, "%s: %s", place->data_dir, strerror(errno));
    return;
  }
  int64_t free_bytes = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
  int64_t used = size_of_databases(place);
  bool read_only = fs.f_flag & ST_RDONLY, no_names = fs.f_files && fs.f_favail < 100;
  const char *fix = "make room, or move the data directory (ARAGORA_DATA_DIR)";
  enum finding_level level = FINDING_OK;
  if (free_bytes < DISK_WARN_BYTES || free_bytes < 2 * used) level = FINDING_WARN;
  if (free_bytes < DISK_FAIL_BYTES || read_only || no_names) level = FINDING_FAIL;
  if (read_only)
    finding_tell(to, level, "disk", "remount it writable", "%s is read-only", place->data_dir);
  else if (no_names)
    finding_tell(to, level, "disk", "remove files", "%s: the file system is out of inodes",
                 place->data_dir);
  else
    finding_tell(to, level, "disk", level ? fix : NULL,
                 "%.1f GiB free of %.1f GiB at %s; the databases take %.1f MiB",
                 (double)free_bytes / GIB, (double)fs.f_blocks * (double)fs.f_frsize / GIB,
                 place->data_dir, (double)used / MIB);
}

/* ---- clock ---- */

/* Nothing of this program is older: an earlier time is a clock that was never set. */
#define CLOCK_EARLIEST_MS INT64_C(1735689600000) /* 2025-01-01 */
enum { SKEW_MAX_MS = 5000, FUTURE_MAX_MS = 60000, MONO_READS = 1000 };

static bool goes_backwards(const struct clock *clock) {
  int64_t last = clock_mono_us(clock);
  for (int i = 0; i < MONO_READS; i++) {
    int64_t now = clock_mono_us(clock);
    if (now < last) return true;
    last = now;
  }
  return false;
}

/* By how much the time that the file system gives a new file differs; on a network it is another
 * machine's. The file never has a name. 0 where none can be made. */
static int64_t file_system_skew_ms(const struct doctor_place *place) {
  struct stat st;
  int fd = open(place->data_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0) return 0;
  int64_t skew = 0;
  if (write(fd, "", 1) == 1 && fstat(fd, &st) == 0)
    skew = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000 -
           clock_wall_ms(place->clock);
  close(fd);
  return skew;
}

static void check_clock(const struct doctor_place *place, const struct findings *to) {
  const char *fix = "set the clock and keep it set: timedatectl set-ntp true";
  int64_t now_ms = clock_wall_ms(place->clock), newest_ms = -1;
  int64_t skew_ms = file_system_skew_ms(place);
  char now[CLOCK_ISO_SIZE];
  clock_format_iso(now_ms, now);
  if (upkeep_newest_event(place->paths[DATABASE_MEMORY], place->timeout_ms, &newest_ms, NULL))
    newest_ms =
        -1; /* of a database that is damaged or of another schema, which is told elsewhere */
  if (now_ms < CLOCK_EARLIEST_MS)
    finding_tell(to, FINDING_FAIL, "clock", fix, "it says %s, before this program was written",
                 now);
  else if (goes_backwards(place->clock))
    finding_tell(to, FINDING_FAIL, "clock", "choose another clock source of the kernel",
                 "the monotonic clock goes backwards");
  else if (newest_ms > now_ms + FUTURE_MAX_MS)
    finding_tell(to, FINDING_WARN, "clock", fix,
                 "it says %s, and the last event is %" PRId64 " s later: it was set back", now,
                 (newest_ms - now_ms) / 1000);
  else if (skew_ms > SKEW_MAX_MS || skew_ms < -SKEW_MAX_MS)
    finding_tell(to, FINDING_WARN, "clock", fix, "the file system of %s is %" PRId64 " s %s of it",
                 place->data_dir, (skew_ms < 0 ? -skew_ms : skew_ms) / 1000,
                 skew_ms < 0 ? "behind" : "ahead");
  else
    finding_tell(to, FINDING_OK, "clock", NULL, "%s, as the file system and the log have it", now);
}

/* ---- descriptors ---- */

enum { DESCRIPTORS_BESIDE = 512 }; /* databases, providers, listeners */

static void check_descriptors(const struct doctor_place *place, const struct findings *to) {
  struct rlimit limit;
  char fix[FIX_SIZE];
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return;
  int64_t wanted = place->max_connections + DESCRIPTORS_BESIDE;
  if (limit.rlim_max == RLIM_INFINITY || (int64_t)limit.rlim_max >= wanted) {
    finding_tell(to, FINDING_OK, "descriptors", NULL, "up to %lld, for %lld connections",
                 (long long)limit.rlim_max, (long long)place->max_connections);
    return;
  }
  snprintf(fix, sizeof fix,
           "LimitNOFILE=%lld in the systemd unit, or a lower ARAGORA_MAX_CONNECTIONS",
           (long long)wanted);
  finding_tell(to, FINDING_WARN, "descriptors", fix,
               "the system allows %lld, and %lld connections may come", (long long)limit.rlim_max,
               (long long)place->max_connections);
}

void doctor_check_machine(const struct doctor_place *place, const struct findings *to) {
  check_disk(place, to);
  check_clock(place, to);
  check_descriptors(place, to);
}

/* ---- backup ---- */

enum { BACKUP_WARN_HOURS = 26 }; /* one a day, and some time to make it */

void doctor_check_backup(const struct doctor_place *place, const struct findings *to) {
  struct last_backup last;
  struct error err = {0};
  const char *fix = "aragora backup create";
  const struct place_settings settings = {
      .staging_dir = place->data_dir, .endpoint = place->s3_endpoint, .region = place->s3_region};
  if (last_backup_find(place->backup_to, &settings, &last, &err)) {
    finding_tell(to, FINDING_WARN, "backup", fix, "%s", err.message);
    return;
  }
  if (last.created_ms < 0) {
    finding_tell(to, FINDING_WARN, "backup", fix, "no backup found in %s", place->backup_to);
    return;
  }
  int64_t hours = (clock_wall_ms(place->clock) - last.created_ms) / HOUR_MS;
  bool old = hours > BACKUP_WARN_HOURS;
  finding_tell(to, old ? FINDING_WARN : FINDING_OK, "backup", old ? fix : NULL,
               "the last one is %lld h old: %s", (long long)(hours < 0 ? 0 : hours), last.name);
}
