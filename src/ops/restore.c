#include "base/clock.h"
#include "ops/archive_gather.h"
#include "ops/backup.h"
#include "ops/disk.h"
#include "ops/examine.h"
#include "ops/fetch.h"
#include "ops/moment.h"
#include "ops/staging.h"
#include "store/archive_replay.h"
#include "store/replacement.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Where SQLite keeps its locks on a database file: every connection to one in WAL mode holds a read
 * lock within these bytes until it is closed (sqlite.org/src, os.h: PENDING_BYTE and what follows
 * it; sqlite.org/fileformat2.html section 1.4). */
enum { SQLITE_SHARED_FIRST = 0x40000002, SQLITE_SHARED_SIZE = 510 };

struct restoring {
  const struct backup_site *site;
  const char *targets[MANIFEST_FILES];
  char fresh[MANIFEST_FILES][REPLACEMENT_PATH_MAX];
  int directory_fd, claims[MANIFEST_FILES]; /* -1 = not held */
  struct restore_report report;
};

static void directory_of_target(const struct restoring *r, char out[DISK_PATH_MAX]) {
  const char *slash = strrchr(r->targets[0], '/');
  snprintf(out, DISK_PATH_MAX, "%.*s", slash ? (int)(slash - r->targets[0]) + 1 : 1,
           slash ? r->targets[0] : ".");
}

/* ---- nobody else may be at it ---- */

static enum status lock_directory(struct restoring *r, struct error *err) {
  char beside[DISK_PATH_MAX];
  enum status s = disk_path(r->targets[0], "..", beside, err); /* for the length alone */
  if (s) return s;
  s = disk_make_parents(r->targets[0], err);
  if (!s) s = disk_make_parents(r->targets[1], err);
  if (s) return s;
  directory_of_target(r, beside);
  r->directory_fd = open(beside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (r->directory_fd < 0) return disk_error(err, "open", beside);
  if (flock(r->directory_fd, LOCK_EX | LOCK_NB) == 0) return STATUS_OK;
  return error_set(err, STATUS_CONFLICT, NULL, "another restore is at work in %s", beside);
}

static enum status look_for_others(int fd, const char *path, struct error *err) {
  struct flock others = {.l_type = F_WRLCK,
                         .l_whence = SEEK_SET,
                         .l_start = SQLITE_SHARED_FIRST,
                         .l_len = SQLITE_SHARED_SIZE};
  if (fcntl(fd, F_GETLK, &others) < 0) return disk_error(err, "look at the locks of", path);
  if (others.l_type == F_UNLCK) return STATUS_OK;
  return error_set(err, STATUS_CONFLICT, NULL, "process %d uses the database %s: end it first",
                   (int)others.l_pid, path);
}

/* A server holds a flock on the file (process_claim); any program that has it open with SQLite
 * holds a lock of the other kind. Ours is held until the end, so that no server starts meanwhile.
 */
static enum status claim(const char *path, int *ret_fd, struct error *err) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno == ENOENT ? STATUS_OK : disk_error(err, "open", path);
  *ret_fd = fd;
  if (flock(fd, LOCK_EX | LOCK_NB) < 0)
    return error_set(err, STATUS_CONFLICT, NULL, "a server uses the database %s: stop it first",
                     path);
  return look_for_others(fd, path, err);
}

static enum status check_targets(struct restoring *r, bool force, struct error *err) {
  enum status s = STATUS_OK;
  for (int i = 0; i < MANIFEST_FILES && !s; i++) {
    s = claim(r->targets[i], &r->claims[i], err);
    if (s || r->claims[i] < 0) continue;
    r->report.replaced = true;
    if (!force)
      s = error_set(
          err, STATUS_CONFLICT, NULL,
          "%s is there; --force puts the backup in its place and keeps the old file beside "
          "it, --into restores elsewhere",
          r->targets[i]);
  }
  return s;
}

static void let_go(struct restoring *r) {
  for (int i = 0; i < MANIFEST_FILES; i++)
    if (r->claims[i] >= 0) close(r->claims[i]);
  if (r->directory_fd >= 0) close(r->directory_fd);
}

/* ---- which backup ---- */

static enum status no_backup(const struct backup_site *site, const struct catalogue *c,
                             const struct restore_request *q, struct error *err) {
  char at[CLOCK_ISO_SIZE], oldest[CLOCK_ISO_SIZE];
  const struct catalogue_entry *first = NULL;
  for (size_t i = 0; i < c->count; i++)
    if (c->entries[i].readable) first = &c->entries[i];
  if (!first)
    return error_set(err, STATUS_NOT_FOUND, NULL, "there is no usable backup in %s",
                     place_name(site->place));
  clock_format_iso(q->at_ms, at);
  clock_format_iso(first->created_ms, oldest);
  return error_set(err, STATUS_NOT_FOUND, NULL, "no backup is as old as %s; the oldest is of %s",
                   at, oldest);
}

static enum status choose(const struct backup_site *site, const struct restore_request *q,
                          struct manifest *ret_manifest, struct error *err) {
  struct catalogue c;
  if (q->name) {
    enum status s = fetch_manifest(site->place, q->name, ret_manifest, err);
    if (!s && q->at_ms >= 0 && ret_manifest->created_ms > q->at_ms)
      s = error_set(err, STATUS_INVALID, NULL, "the backup %s is younger than that moment",
                    q->name);
    return s;
  }
  enum status s = catalogue_read(site->place, &c, err);
  if (s) return s;
  const struct catalogue_entry *e = catalogue_at(&c, q->at_ms >= 0 ? q->at_ms : INT64_MAX);
  if (e)
    *ret_manifest = e->manifest;
  else
    s = no_backup(site, &c, q, err);
  catalogue_done(&c);
  return s;
}

/* ---- beside the old ones ---- */

static enum status check_space(const struct restoring *r, struct error *err) {
  struct statvfs fs;
  char dir[DISK_PATH_MAX];
  int64_t needed = 0;
  for (int i = 0; i < MANIFEST_FILES; i++) needed += r->report.manifest.files[i].raw_bytes;
  directory_of_target(r, dir);
  if (statvfs(dir, &fs) < 0) return disk_error(err, "look at", dir);
  int64_t free_bytes = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
  if (free_bytes >= needed) return STATUS_OK;
  return error_set(err, STATUS_FULL, NULL,
                   "%s has room for %" PRId64 " MiB; the backup needs %" PRId64 " MiB", dir,
                   free_bytes >> 20, (needed >> 20) + 1);
}

/* `replayed`: they hold more than the manifest says. */
static enum status examine_copies(struct restoring *r, bool replayed, struct error *err) {
  const char *const both[MANIFEST_FILES] = {r->fresh[0], r->fresh[1]};
  const struct examination how = {.progress = r->site->progress, .replayed = replayed};
  return examine(both, &r->report.manifest, &how, &r->report.chains, err);
}

/* With what SQLite keeps beside it: a log that a restore which died has left would be taken for the
 * new copy's own. */
static enum status remove_copy(const char *path, struct error *err) {
  static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
  enum status s = STATUS_OK;
  for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes && !s; i++) {
    char name[REPLACEMENT_PATH_MAX + 16];
    snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
    s = disk_remove(name, err);
  }
  return s;
}

static enum status unpack_both(struct restoring *r, struct error *err) {
  enum status s = STATUS_OK;
  for (int i = 0; i < MANIFEST_FILES && !s; i++) {
    s = replacement_path(r->targets[i], r->fresh[i], err);
    if (!s) s = remove_copy(r->fresh[i], err);
    if (!s)
      s = fetch_database(r->site->place, &r->report.manifest, (enum database)i, r->fresh[i], true,
                         r->site->progress, err);
  }
  return s ? s : examine_copies(r, false, err);
}

/* ---- forward to a moment ---- */

static enum status nothing_archived(const struct restoring *r, int64_t at_ms, struct error *err) {
  struct catalogue c;
  char at[CLOCK_ISO_SIZE], made[CLOCK_ISO_SIZE], later[CLOCK_ISO_SIZE] = "(none)";
  const struct manifest *m = &r->report.manifest;
  enum status s = catalogue_read(r->site->place, &c, err);
  if (s) return s;
  for (size_t i = 0; i < c.count && c.entries[i].created_ms > m->created_ms; i++)
    if (c.entries[i].readable) clock_format_iso(c.entries[i].created_ms, later);
  catalogue_done(&c);
  clock_format_iso(at_ms, at);
  clock_format_iso(m->created_ms, made);
  return error_set(err, STATUS_CONFLICT, NULL,
                   "%s cannot be reached: neither %s nor %s has archived commits of the chain that "
                   "goes on from this backup; the nearest moments are its own, %s, and that of a "
                   "later backup, %s",
                   at, r->site->archive_dir ? r->site->archive_dir : "this disk",
                   place_name(r->site->place), made, later);
}

static enum status gather(const struct restoring *r, int64_t at_ms, const char *into,
                          struct error *err) {
  const struct manifest *m = &r->report.manifest;
  const struct archive_wanted wanted = {.local = r->site->archive_dir,
                                        .place = r->site->place,
                                        .chain = m->chain,
                                        .number = (uint64_t)m->number,
                                        .until_ms = at_ms,
                                        .progress = r->site->progress};
  size_t segments = 0;
  if (!*m->chain) return STATUS_OK; /* the replay says so */
  enum status s = archive_gather(&wanted, into, &segments, err);
  return s || segments ? s : nothing_archived(r, at_ms, err);
}

/* Brings the unpacked copy forward by what was archived behind the backup. The ratings stay those
 * of the backup: they can be made again from the logs. */
static enum status replay(struct restoring *r, int64_t at_ms, struct error *err) {
  r->report.reached_ms = r->report.manifest.created_ms;
  if (at_ms < 0 || at_ms == r->report.manifest.created_ms) return STATUS_OK;
  struct archive_replayed replayed;
  struct staging staging = {.fd = -1};
  char beside[DISK_PATH_MAX];
  directory_of_target(r, beside);
  enum status s = staging_make(beside, &staging, err);
  if (!s) s = gather(r, at_ms, staging.path, err);
  if (!s) s = archive_replay(staging.path, r->fresh[0], at_ms, &replayed, err);
  staging_drop(&staging);
  if (s) return s;
  r->report.replayed = (int64_t)replayed.count;
  if (!replayed.count) return STATUS_OK;
  r->report.reached_ms = replayed.last_ms;
  return examine_copies(r, true, err);
}

static void name_aside(struct restoring *r) {
  char stamp[MOMENT_STAMP_SIZE];
  moment_stamp(clock_wall_ms(&clock_system), stamp);
  snprintf(r->report.aside, sizeof r->report.aside, "before-restore-%s-%04x", stamp,
           randombytes_random() & 0xffff);
}

static enum status restore(struct restoring *r, const struct restore_request *q,
                           struct error *err) {
  enum status s = lock_directory(r, err);
  /* What an earlier one decided is done first; then there may be files where none were. */
  if (!s) s = replacement_finish(r->targets[0], err);
  if (!s) s = check_targets(r, q->force, err);
  if (!s) s = choose(r->site, q, &r->report.manifest, err);
  if (!s) s = check_space(r, err);
  if (!s) s = unpack_both(r, err);
  if (!s) s = replay(r, q->at_ms, err);
  if (!s) s = inspect_forget_chain(r->fresh[0], err);
  for (int i = 0; i < MANIFEST_FILES && !s; i++) /* the unpacking took its time */
    if (r->claims[i] >= 0) s = look_for_others(r->claims[i], r->targets[i], err);
  if (s) {
    for (int i = 0; i < MANIFEST_FILES; i++)
      if (r->fresh[i][0] && remove_copy(r->fresh[i], NULL)) continue; /* s says what went wrong */
    return s;
  }
  name_aside(r);
  return replacement_run(r->targets[0], r->targets[1], r->report.aside, err);
}

enum status backup_restore(const struct backup_site *site, const struct restore_request *request,
                           struct restore_report *ret_report, struct error *err) {
  struct restoring r = {.site = site,
                        .targets = {site->memory_path, site->elo_path},
                        .directory_fd = -1,
                        .claims = {-1, -1}};
  enum status s = restore(&r, request, err);
  let_go(&r);
  if (!s) *ret_report = r.report;
  return s;
}
