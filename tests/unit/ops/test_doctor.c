/* What the doctor finds in files and on the machine, each fault planted. */
#include "ops/disk.h"
#include "ops/doctor.h"
#include "ops/manifest.h"
#include "ops/migrate.h"

#include <dirent.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static int64_t wall_ms_now, mono_step = 1;

static int64_t fake_wall(void *ctx) {
  (void)ctx;
  return wall_ms_now;
}

static int64_t fake_mono(void *ctx) {
  static int64_t now = 1000000;
  (void)ctx;
  return now += mono_step;
}

static const struct clock fake_clock = {fake_wall, fake_mono, NULL};

struct place {
  char dir[64], memory[96], elo[96], backups[96];
  struct doctor_place place;
  struct buffer told; /* "ok disk: what; fix\n" */
};

static int set_up(void **state) {
  struct place *p = calloc(1, sizeof *p);
  struct migrate_plan plan;
  struct error err = {0};
  snprintf(p->dir, sizeof p->dir, "/tmp/aragora-doctor-XXXXXX");
  if (!mkdtemp(p->dir)) return -1;
  snprintf(p->memory, sizeof p->memory, "%s/memory.db", p->dir);
  snprintf(p->elo, sizeof p->elo, "%s/elo.db", p->dir);
  snprintf(p->backups, sizeof p->backups, "%s/backups", p->dir);
  p->place = (struct doctor_place){.data_dir = p->dir,
                                   .paths = {p->memory, p->elo},
                                   .backup_to = p->backups,
                                   .s3_region = "us-east-1",
                                   .timeout_ms = 1000,
                                   .max_connections = 100,
                                   .clock = &fake_clock};
  buffer_init(&p->told, 65536);
  wall_ms_now = clock_wall_ms(&clock_system);
  mono_step = 1;
  struct migrate_request up = {MIGRATE_UP, {p->memory, p->elo}, -1, 1000, 5};
  if (migrate_plan_make(&up, &plan, &err) || migrate_run(&plan, &err)) return -1;
  migrate_plan_done(&plan);
  *state = p;
  return 0;
}

static void empty(const char *path) {
  DIR *dir = opendir(path);
  for (struct dirent *entry; dir && (entry = readdir(dir));)
    if (entry->d_name[0] != '.') unlinkat(dirfd(dir), entry->d_name, 0);
  if (dir) closedir(dir);
  rmdir(path);
}

static int tear_down(void **state) {
  struct place *p = *state;
  assert_int_equal(disk_remove(p->backups, NULL), STATUS_OK);
  empty(p->dir);
  buffer_done(&p->told);
  free(p);
  return 0;
}

static void take(void *ctx, const struct finding *f) {
  static const char *const levels[] = {"ok", "warn", "fail"};
  struct place *p = ctx;
  buffer_printf(&p->told, "%s %s: %s; %s\n", levels[f->level], f->check, f->what,
                f->fix ? f->fix : "-");
}

typedef void check_fn(const struct doctor_place *place, const struct findings *to);

static void expect(struct place *p, check_fn *check, const char *words) {
  buffer_clear(&p->told);
  check(&p->place, &(struct findings){take, p});
  if (!p->told.ptr || !strstr(p->told.ptr, words))
    fail_msg("\"%s\" is not in:\n%s", words, p->told.ptr ? p->told.ptr : "");
}

static void run_sql(const char *path, const char *sql) {
  sqlite3 *db;
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(db);
}

static void nothing_is_wrong_where_nothing_is(void **state) {
  struct place *p = *state;
  check_fn *all[] = {doctor_check_files, doctor_check_databases, doctor_check_machine};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    expect(p, all[i], "ok ");
    if (strstr(p->told.ptr, "fail ")) fail_msg("%s", p->told.ptr);
  }
}

static void files_for_everybody_are_found(void **state) {
  struct place *p = *state;
  chmod(p->elo, 0644);
  expect(p, doctor_check_files, "fail permissions: ");
  expect(p, doctor_check_files, "elo.db may be read by everybody (mode 0644); chmod o= /tmp/");
  chmod(p->elo, 0646);
  expect(p, doctor_check_files, "may be written by everybody");
  chmod(p->elo, 0640);
  chmod(p->dir, 0777);
  expect(p, doctor_check_files, "fail data: everybody may write to");
  chmod(p->dir, 0750);
  expect(p, doctor_check_files, "ok permissions: ");
  if (geteuid() != 0) return; /* only root gives files away */
  assert_int_equal(chown(p->elo, 1, 1), 0);
  char wal[128];
  snprintf(wal, sizeof wal, "%s-wal", p->elo);
  FILE *file = fopen(wal, "w");
  assert_non_null(file);
  fclose(file);
  chmod(wal, 0640);
  expect(p, doctor_check_files, "elo.db-wal belongs to user 0, its database to user 1; chown 1:1 ");
}

static void directories_that_cannot_be_used_are_found(void **state) {
  struct place *p = *state;
  p->place.data_dir = "/tmp/aragora-doctor-none";
  expect(p, doctor_check_files, "warn data: /tmp/aragora-doctor-none: No such file");
  p->place.data_dir = p->memory;
  expect(p, doctor_check_files, "fail data: ");
  p->place.log_file = "/tmp/aragora-doctor-none/server.log";
  expect(p, doctor_check_files, "fail log: /tmp/aragora-doctor-none/: No such file");
}

static void databases_that_are_wrong_are_found(void **state) {
  struct place *p = *state;
  struct migrate_plan plan;
  struct migrate_request down = {MIGRATE_DOWN, {p->memory, NULL}, -1, 1000, 5};
  assert_int_equal(migrate_plan_make(&down, &plan, NULL), STATUS_OK);
  assert_int_equal(migrate_run(&plan, NULL), STATUS_OK);
  migrate_plan_done(&plan);
  expect(p, doctor_check_databases, "fail memory: ");
  expect(p, doctor_check_databases, "stop the server; aragora migrate apply");
  run_sql(p->elo,
          "INSERT INTO _aragora_migrations (version, name, checksum, min_reader_version,"
          " applied_ms) VALUES (9, 'x', 'y', 9, 0)");
  expect(p, doctor_check_databases, "or: aragora migrate rollback --database elo --to 2");
  unlink(p->memory);
  expect(p, doctor_check_databases, "ok memory: ");
  FILE *file = fopen(p->memory, "w");
  assert_non_null(file);
  for (int i = 0; i < 100; i++) fputs("no database ", file);
  fclose(file);
  expect(p, doctor_check_databases, "fail memory: /tmp/");
}

static int first_page_of(const char *path, const char *table) {
  sqlite3 *db;
  sqlite3_stmt *look;
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  assert_int_equal(
      sqlite3_prepare_v2(db, "SELECT rootpage FROM sqlite_schema WHERE name = ?1", -1, &look, NULL),
      SQLITE_OK);
  sqlite3_bind_text(look, 1, table, -1, SQLITE_STATIC);
  assert_int_equal(sqlite3_step(look), SQLITE_ROW);
  int page = sqlite3_column_int(look, 0);
  sqlite3_finalize(look);
  sqlite3_close(db);
  return page;
}

/* Of a page that the look at the migrations does not read. */
static void damage_is_found(void **state) {
  struct place *p = *state;
  int page = first_page_of(p->memory, "events");
  FILE *file = fopen(p->memory, "r+");
  assert_non_null(file);
  fseek(file, (page - 1) * 4096L, SEEK_SET);
  for (int i = 0; i < 512; i++) fputs("noise...", file);
  fclose(file);
  expect(p, doctor_check_databases, "fail memory: ");
  expect(p, doctor_check_databases, "is damaged: ");
}

static void a_wrong_clock_is_found(void **state) {
  struct place *p = *state;
  expect(p, doctor_check_machine, "ok clock: ");
  wall_ms_now -= 3600 * 1000;
  expect(p, doctor_check_machine, "is 3600 s ahead of it");
  run_sql(p->memory,
          "INSERT INTO debates (num, id, slug, status, created_ms, task)"
          " VALUES (1, 'd', 's', 'completed', 1, 't');"
          "INSERT INTO events (debate, seq, type, ts_ms, digest, hash)"
          " VALUES (1, 1, 'debate_start', unixepoch() * 1000, x'00', x'00')");
  expect(p, doctor_check_machine, "the last event is 3");
  wall_ms_now = 1000;
  expect(p, doctor_check_machine, "fail clock: it says 1970-01-01T00:00:01.000Z");
  wall_ms_now = clock_wall_ms(&clock_system);
  mono_step = -1;
  expect(p, doctor_check_machine, "fail clock: the monotonic clock goes backwards");
}

static void too_few_descriptors_are_found(void **state) {
  struct place *p = *state;
  struct rlimit limit;
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
  if (limit.rlim_max == RLIM_INFINITY) return;
  p->place.max_connections = (int64_t)limit.rlim_max;
  expect(p, doctor_check_machine, "warn descriptors: ");
  p->place.max_connections = 10;
  expect(p, doctor_check_machine, "ok descriptors: ");
}

/* A backup as far as a list of them goes. */
static void put_manifest(struct place *p, const char *name, int64_t created_ms, bool damaged) {
  struct manifest m = {.created_ms = created_ms};
  char path[256];
  struct buffer text;
  snprintf(m.name, sizeof m.name, "%s", name);
  buffer_init(&text, MANIFEST_BYTES_MAX);
  assert_int_equal(manifest_append(&text, &m), STATUS_OK);
  if (damaged) text.ptr[20] ^= 1;
  mkdir(p->backups, 0750);
  snprintf(path, sizeof path, "%s/%s", p->backups, name);
  mkdir(path, 0750);
  snprintf(path, sizeof path, "%s/%s/manifest.json", p->backups, name);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(text.ptr, file);
  fclose(file);
  buffer_done(&text);
}

static void the_last_backup_is_the_newest_manifest(void **state) {
  struct place *p = *state;
  expect(p, doctor_check_backup, "warn backup: no backup found in ");
  put_manifest(p, "20990101T000000Z-hot-0000000b", wall_ms_now + 1000, true);
  expect(p, doctor_check_backup, "warn backup: no backup found in ");
  put_manifest(p, "20231114T221320Z-hot-0000000a", 1700000000000, false);
  expect(p, doctor_check_backup, "h old: 20231114T221320Z-hot-0000000a; aragora backup create");
  put_manifest(p, "20231114T221320Z-hot-0000000c", wall_ms_now - 3 * 3600000, false);
  put_manifest(p, "20231114T221320Z-hot-0000000d", 1700000000001, false);
  expect(p, doctor_check_backup,
         "ok backup: the last one is 3 h old: 20231114T221320Z-hot-0000000c; -");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(nothing_is_wrong_where_nothing_is),
      TEST(files_for_everybody_are_found),
      TEST(directories_that_cannot_be_used_are_found),
      TEST(databases_that_are_wrong_are_found),
      TEST(damage_is_found),
      TEST(a_wrong_clock_is_found),
      TEST(too_few_descriptors_are_found),
      TEST(the_last_backup_is_the_newest_manifest),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
