/* Backups in a directory, of real databases: made, damaged at every place, restored, pruned. */
#include "ops/backup.h"

#include "ops/disk.h"
#include "ops/staging.h"
#include "store/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
  char dir[64], memory[128], elo[128], place[128];
  struct backup_site site;
};

static void open_store(const struct fixture *f, struct store **ret_store) {
  struct store_options options = {.memory_path = f->memory,
                                  .elo_path = f->elo,
                                  .pool_size = 2,
                                  .timeout_ms = 2000,
                                  .max_queued_bytes = 1 << 20};
  struct error err = {0};
  if (store_open(&options, ret_store, &err)) fail_msg("%s", err.message);
}

static int setup(void **state) {
  struct fixture *f = calloc(1, sizeof *f);
  struct store *store = NULL;
  struct error err = {0};
  snprintf(f->dir, sizeof f->dir, "/tmp/aragora-backup-XXXXXX");
  if (!mkdtemp(f->dir)) return -1;
  snprintf(f->memory, sizeof f->memory, "%s/m.db", f->dir);
  snprintf(f->elo, sizeof f->elo, "%s/e.db", f->dir);
  snprintf(f->place, sizeof f->place, "%s/place/", f->dir);
  open_store(f, &store);
  store_close(store);
  struct place_settings settings = {.staging_dir = f->dir};
  f->site = (struct backup_site){
      .memory_path = f->memory, .elo_path = f->elo, .busy_ms = 2000, .load_percent = 100};
  if (place_open(f->place, &settings, &f->site.place, &err)) fail_msg("%s", err.message);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  struct fixture *f = *state;
  place_close(f->site.place);
  int rc = disk_remove(f->dir, NULL) ? -1 : 0;
  free(f);
  return rc;
}

static struct manifest create(const struct fixture *f, enum backup_kind kind) {
  struct manifest m;
  bool verified = false;
  struct error err = {0};
  if (backup_create(&f->site, kind, &m, &verified, &err)) fail_msg("%s", err.message);
  assert_true(verified);
  return m;
}

static size_t count_entries(const char *path) {
  size_t count = 0;
  DIR *dir = opendir(path);
  assert_non_null(dir);
  for (struct dirent *e; (e = readdir(dir));)
    count += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
  closedir(dir);
  return count;
}

static enum status verify(const struct fixture *f, const char *name, struct error *err) {
  int64_t chains;
  return backup_verify(&f->site, name, true, &chains, err);
}

static enum status restore(const struct fixture *f, const char *name, bool force,
                           struct restore_report *report, struct error *err) {
  struct restore_request request = {.name = name, .at_ms = -1, .force = force};
  return backup_restore(&f->site, &request, report, err);
}

static void test_made_listed_verified(void **state) {
  struct fixture *f = *state;
  struct error err = {0};
  struct catalogue c;
  struct manifest first = create(f, BACKUP_MANUAL), second = create(f, BACKUP_FULL);
  assert_int_equal(catalogue_read(f->site.place, &c, &err), STATUS_OK);
  assert_int_equal(c.count, 2);
  assert_string_equal(c.entries[0].name, second.name);
  assert_string_equal(c.entries[1].name, first.name);
  assert_true(c.entries[0].readable && c.entries[0].verified_ms > 0);
  assert_ptr_equal(catalogue_at(&c, first.created_ms - 1), NULL);
  assert_string_equal(catalogue_at(&c, INT64_MAX)->name, second.name);
  catalogue_done(&c);
  if (verify(f, first.name, &err)) fail_msg("%s", err.message);
  assert_int_equal(catalogue_read(f->site.place, &c, &err), STATUS_OK);
  assert_true(c.entries[1].verified_ms > 0);
  catalogue_done(&c);
  assert_int_equal(count_entries(f->place), 2); /* nothing of the staging is left */
  assert_int_equal(count_entries(f->dir), 3);   /* two databases without -wal, and the place */
}

static void flip(const char *path, long at) {
  FILE *file = fopen(path, "r+");
  assert_non_null(file);
  fseek(file, at, SEEK_SET);
  int c = fgetc(file);
  fseek(file, at, SEEK_SET);
  fputc(c ^ 1, file);
  fclose(file);
}

static void test_one_flipped_byte(void **state) {
  struct fixture *f = *state;
  static const char *const names[] = {"aragora_memory.db.zst", "aragora_elo.db.zst",
                                      "manifest.json"};
  struct manifest m = create(f, BACKUP_MANUAL);
  struct restore_report report;
  for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
    char path[256];
    struct stat st;
    snprintf(path, sizeof path, "%s%s/%s", f->place, m.name, names[n]);
    assert_int_equal(stat(path, &st), 0);
    for (long at = 0; at < st.st_size; at += st.st_size / 7) {
      struct error err = {0};
      flip(path, at);
      assert_int_equal(verify(f, m.name, &err), STATUS_CORRUPT);
      assert_non_null(strstr(err.message, names[n]));
      assert_int_equal(restore(f, m.name, true, &report, &err), STATUS_CORRUPT);
      assert_non_null(strstr(err.message, names[n]));
      flip(path, at);
    }
    assert_int_equal(truncate(path, st.st_size / 2), 0);
    struct error err = {0};
    assert_int_equal(verify(f, m.name, &err), STATUS_CORRUPT);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(verify(f, m.name, &err), STATUS_NOT_FOUND);
    assert_non_null(strstr(err.message, n < 2 ? names[n] : m.name));
    m = create(f, BACKUP_MANUAL);
  }
  assert_int_equal(access(f->memory, F_OK), 0);
  assert_int_equal(count_entries(f->dir), 3); /* no restore left or moved anything */
}

static void test_restore_is_careful(void **state) {
  struct fixture *f = *state;
  struct manifest m = create(f, BACKUP_MANUAL);
  struct restore_report report;
  struct error err = {0};
  struct store *store = NULL;
  assert_int_equal(restore(f, NULL, false, &report, &err), STATUS_CONFLICT);
  assert_non_null(strstr(err.message, "--force"));

  int fd = open(f->memory, O_RDONLY | O_CLOEXEC); /* as a server does */
  assert_int_equal(flock(fd, LOCK_EX), 0);
  assert_int_equal(restore(f, NULL, true, &report, &err), STATUS_CONFLICT);
  assert_non_null(strstr(err.message, "server"));
  close(fd);

  /* Another process has it open with SQLite. */
  int ready[2], done[2];
  char c;
  assert_int_equal(pipe(ready), 0);
  assert_int_equal(pipe(done), 0);
  pid_t child = fork();
  if (child == 0) {
    open_store(f, &store);
    if (write(ready[1], "r", 1) != 1) _exit(1);
    if (read(done[0], &c, 1) != 1) _exit(1);
    store_close(store);
    _exit(0);
  }
  assert_int_equal(read(ready[0], &c, 1), 1);
  assert_int_equal(restore(f, NULL, true, &report, &err), STATUS_CONFLICT);
  char pid[32];
  snprintf(pid, sizeof pid, "process %d ", (int)child);
  assert_non_null(strstr(err.message, pid));
  assert_int_equal(write(done[1], "d", 1), 1);
  int status = -1;
  waitpid(child, &status, 0);
  assert_int_equal(status, 0);
  for (int i = 0; i < 2; i++) {
    close(ready[i]);
    close(done[i]);
  }

  if (restore(f, m.name, true, &report, &err)) fail_msg("%s", err.message);
  assert_true(report.replaced);
  open_store(f, &store);
  store_close(store);
  assert_int_equal(count_entries(f->dir), 5); /* and both old files */
}

static void test_restores_where_nothing_is(void **state) {
  struct fixture *f = *state;
  struct manifest m = create(f, BACKUP_MANUAL);
  struct restore_report report;
  struct error err = {0};
  char memory[128], elo[128];
  snprintf(memory, sizeof memory, "%s/new/deep/m.db", f->dir);
  snprintf(elo, sizeof elo, "%s/new/other/e.db", f->dir);
  f->site.memory_path = memory;
  f->site.elo_path = elo;
  if (restore(f, NULL, false, &report, &err)) fail_msg("%s", err.message);
  assert_false(report.replaced);
  assert_string_equal(report.manifest.name, m.name);
  struct inspect *i = NULL;
  assert_int_equal(inspect_open(memory, DATABASE_MEMORY, &i, &err), STATUS_OK);
  inspect_close(i);
  assert_int_equal(inspect_open(elo, DATABASE_ELO, &i, &err), STATUS_OK);
  inspect_close(i);
  struct restore_request early = {.at_ms = 1000, .force = true};
  assert_int_equal(backup_restore(&f->site, &early, &report, &err), STATUS_NOT_FOUND);
  assert_non_null(strstr(err.message, "the oldest is of 20"));
}

static void note(void *ctx, const struct catalogue_entry *e) {
  (void)e;
  ++*(int *)ctx;
}

static void test_prune(void **state) {
  struct fixture *f = *state;
  const struct retention_policy policy = {7, 30};
  const int64_t day = 24LL * 3600 * 1000;
  struct error err = {0};
  char path[256];
  int removed = 0;
  struct manifest hot = create(f, BACKUP_HOT), full = create(f, BACKUP_FULL),
                  last = create(f, BACKUP_HOT);
  snprintf(path, sizeof path, "%s%s/manifest.json", f->place, hot.name);
  assert_int_equal(unlink(path), 0); /* cut off */
  assert_int_equal(
      backup_prune(&f->site, &policy, last.created_ms + 3600 * 1000, false, note, &removed, &err),
      STATUS_OK);
  assert_int_equal(removed, 0);
  assert_int_equal(
      backup_prune(&f->site, &policy, last.created_ms + 40 * day, true, note, &removed, &err),
      STATUS_OK);
  assert_int_equal(removed, 2);
  assert_int_equal(count_entries(f->place), 3);
  assert_int_equal(
      backup_prune(&f->site, &policy, last.created_ms + 40 * day, false, note, &removed, &err),
      STATUS_OK);
  assert_int_equal(removed, 4);
  assert_int_equal(count_entries(f->place), 1);
  assert_int_equal(verify(f, last.name, &err), STATUS_OK);
  assert_int_equal(verify(f, full.name, &err), STATUS_NOT_FOUND);
}

static void test_staging_of_the_dead_is_swept(void **state) {
  struct fixture *f = *state;
  struct staging mine, theirs;
  struct error err = {0};
  char path[DISK_PATH_MAX + 8];
  assert_int_equal(staging_make(f->place, &mine, &err), STATUS_OK);
  snprintf(path, sizeof path, "%s/file", mine.path);
  assert_int_equal(disk_write(path, BYTES_LITERAL("x"), &err), STATUS_OK);
  pid_t child = fork();
  if (child == 0) _exit(staging_make(f->place, &theirs, &err) ? 1 : 0); /* and leaves it */
  int status = -1;
  waitpid(child, &status, 0);
  assert_int_equal(status, 0);
  assert_int_equal(count_entries(f->place), 2);
  assert_int_equal(staging_make(f->place, &theirs, &err), STATUS_OK);
  assert_int_equal(count_entries(f->place), 2); /* the dead one's went, mine stayed */
  assert_int_equal(access(path, F_OK), 0);
  staging_drop(&mine);
  staging_drop(&theirs);
  assert_int_equal(count_entries(f->place), 0);
}

static void test_drill(void **state) {
  struct fixture *f = *state;
  struct drill_report report;
  struct error err = {0};
  assert_int_equal(backup_drill(&f->site, &report, &err), STATUS_NOT_FOUND);
  struct manifest m = create(f, BACKUP_MANUAL);
  if (backup_drill(&f->site, &report, &err)) fail_msg("%s", err.message);
  assert_string_equal(report.manifest.name, m.name);
  assert_true(report.compared);
  assert_int_equal(count_entries(f->dir), 3);
}

static void test_places(void **state) {
  struct fixture *f = *state;
  struct place_settings settings = {.staging_dir = f->dir};
  struct place *place = NULL;
  struct error err = {0};
  assert_int_equal(place_open("", &settings, &place, &err), STATUS_INVALID);
  assert_int_equal(place_open("ftp://host/dir", &settings, &place, &err), STATUS_INVALID);
  assert_string_equal(err.field, "backup_to");
  struct catalogue c;
  assert_int_equal(place_open("/nonexistent/place", &settings, &place, &err), STATUS_OK);
  assert_int_equal(catalogue_read(place, &c, &err), STATUS_OK);
  assert_int_equal(c.count, 0);
  catalogue_done(&c);
  place_close(place);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
      TEST(test_made_listed_verified),
      TEST(test_one_flipped_byte),
      TEST(test_restore_is_careful),
      TEST(test_restores_where_nothing_is),
      TEST(test_prune),
      TEST(test_staging_of_the_dead_is_swept),
      TEST(test_drill),
      TEST(test_places),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
