/* Plans for the two databases, carrying them out, and the copies that stay. */
#include "ops/migrate.h"

#include "ops/copies.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
// clang-format off
#include <cmocka.h>
// clang-format on

struct place {
  char dir[64];
  char memory[96], elo[96];
};

static int set_up(void **state) {
  struct place *p = calloc(1, sizeof *p);
  snprintf(p->dir, sizeof p->dir, "/tmp/aragora-migrate-XXXXXX");
  if (!mkdtemp(p->dir)) return -1;
  snprintf(p->memory, sizeof p->memory, "%s/memory.db", p->dir);
  snprintf(p->elo, sizeof p->elo, "%s/elo.db", p->dir);
  *state = p;
  return 0;
}

static int tear_down(void **state) {
  struct place *p = *state;
  DIR *dir = opendir(p->dir);
  for (struct dirent *entry; dir && (entry = readdir(dir));)
    if (entry->d_name[0] != '.') unlinkat(dirfd(dir), entry->d_name, 0);
  if (dir) closedir(dir);
  rmdir(p->dir);
  free(p);
  return 0;
}

static struct migrate_request request_of(const struct place *p, enum migrate_direction direction,
                                         int64_t to) {
  return (struct migrate_request){direction, {p->memory, p->elo}, to, 100, 2};
}

static void carry_out(const struct migrate_request *request, struct migrate_plan *plan) {
  struct error err = {0};
  if (migrate_plan_make(request, plan, &err)) fail_msg("plan: %s", err.message);
  if (migrate_run(plan, &err)) fail_msg("run: %s", err.message);
}

static size_t count_files(const struct place *p, const char *part) {
  size_t count = 0;
  DIR *dir = opendir(p->dir);
  assert_non_null(dir);
  for (struct dirent *entry; (entry = readdir(dir));) count += strstr(entry->d_name, part) != NULL;
  closedir(dir);
  return count;
}

static void up_from_nothing_and_down_and_up(void **state) {
  struct place *p = *state;
  struct migrate_plan plan;
  struct migrate_request up = request_of(p, MIGRATE_UP, -1);
  carry_out(&up, &plan);
  struct migrate_part *memory = &plan.parts[DATABASE_MEMORY], *elo = &plan.parts[DATABASE_ELO];
  int64_t newest = memory->before.latest;
  assert_int_equal(memory->reached, newest);
  assert_int_equal(elo->reached, elo->before.latest);
  assert_string_equal(memory->copy, ""); /* there was nothing */
  assert_int_equal(migrate_part_steps(memory), 0);
  migrate_plan_done(&plan);

  carry_out(&up, &plan); /* nothing to do, nothing copied */
  assert_int_equal(migrate_part_steps(&plan.parts[DATABASE_MEMORY]), 0);
  assert_int_equal(count_files(p, ".before-"), 0);
  migrate_plan_done(&plan);

  struct migrate_request down = request_of(p, MIGRATE_DOWN, -1);
  down.paths[DATABASE_ELO] = NULL;
  for (int round = 0; round < 4; round++) {
    carry_out(&down, &plan);
    assert_int_equal(plan.parts[DATABASE_MEMORY].reached, newest - 1);
    assert_int_equal(access(plan.parts[DATABASE_MEMORY].copy, F_OK), 0);
    assert_true(plan.parts[DATABASE_MEMORY].copy_bytes > 0);
    migrate_plan_done(&plan);
    carry_out(&up, &plan);
    assert_int_equal(plan.parts[DATABASE_MEMORY].reached, newest);
    migrate_plan_done(&plan);
  }
  assert_int_equal(count_files(p, "memory.before-"), 2); /* the newest two */
}

static void expect_refused(const struct migrate_request *request, enum status status,
                           const char *words) {
  struct migrate_plan plan;
  struct error err = {0};
  assert_int_equal(migrate_plan_make(request, &plan, &err), status);
  if (!strstr(err.message, words)) fail_msg("\"%s\" is not in: %s", words, err.message);
}

static void numbers_that_fit_none_are_refused(void **state) {
  struct place *p = *state;
  struct migrate_plan plan;
  struct migrate_request down = request_of(p, MIGRATE_DOWN, -1), up = request_of(p, MIGRATE_UP, -1);
  expect_refused(&down, STATUS_NOT_FOUND, "there is no database");
  up.paths[DATABASE_ELO] = down.paths[DATABASE_ELO] = NULL;
  up.to = 1;
  carry_out(&up, &plan);
  assert_int_equal(plan.parts[DATABASE_MEMORY].reached, 1);
  migrate_plan_done(&plan);
  expect_refused(&down, STATUS_INVALID, "say --to 0");
  up.to = 1000;
  expect_refused(&up, STATUS_INVALID, "there is no such migration");
  up.to = 0;
  expect_refused(&up, STATUS_INVALID, "aragora migrate rollback");
  down.to = 2;
  expect_refused(&down, STATUS_INVALID, "aragora migrate apply");
  down.to = 0; /* meant */
  carry_out(&down, &plan);
  assert_int_equal(plan.parts[DATABASE_MEMORY].reached, 0);
  assert_int_equal(count_files(p, "memory.before-0-"), 1);
  migrate_plan_done(&plan);
}

static void note_version(void *ctx, const struct migrator_entry *entry) {
  char digits[24];
  snprintf(digits, sizeof digits, "%lld ", (long long)entry->version);
  strcat(ctx, digits);
}

static void steps_come_in_the_order_of_the_way(void **state) {
  struct place *p = *state;
  struct migrate_plan plan;
  struct migrate_request up = request_of(p, MIGRATE_UP, -1);
  char text[64] = "";
  assert_int_equal(migrate_plan_make(&up, &plan, NULL), STATUS_OK);
  migrate_part_each(&plan.parts[DATABASE_MEMORY], 0, 3, note_version, text);
  assert_string_equal(text, "1 2 3 ");
  text[0] = '\0';
  migrate_part_each(&plan.parts[DATABASE_MEMORY], 3, 1, note_version, text);
  assert_string_equal(text, "3 2 ");
  migrate_plan_done(&plan);
  assert_int_equal(count_files(p, ".db"), 0); /* a plan makes nothing */
}

static void touch(const struct place *p, const char *name) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s", p->dir, name);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fclose(file);
}

/* Only what looks exactly like one of ours is removed. */
static void the_newest_copies_stay_and_strangers_too(void **state) {
  struct place *p = *state;
  static const char *const strangers[] = {
      "memory.before-x-20260101T000000000Z.db",     "memory.before-1-2026.db",
      "memory.before-1-20260101T000000000Z.db-wal", "other.before-1-20260101T000000000Z.db",
      "memory.before-1-20260101T000000000Z.dbx",    "memory.db"};
  size_t count = sizeof strangers / sizeof *strangers;
  for (size_t i = 0; i < count; i++) touch(p, strangers[i]);
  touch(p, "memory.before-9-20260101T000000000Z.db");
  touch(p, "memory.before-2-20260103T000000000Z.db");
  touch(p, "memory.before-10-20260102T000000000Z.db");
  touch(p, "memory.before-3-20260104T000000000Z.db.partial");
  assert_int_equal(copies_trim(p->memory, 2, NULL), STATUS_OK);
  assert_int_equal(count_files(p, "before-9-"), 0); /* the oldest by time, not by number */
  assert_int_equal(count_files(p, "before-2-"), 1);
  assert_int_equal(count_files(p, "before-10-"), 1);
  assert_int_equal(count_files(p, ".partial"), 0);
  for (size_t i = 0; i < count; i++) assert_int_equal(count_files(p, strangers[i]) > 0, true);
}

static void a_copy_is_named_by_file_number_and_time(void **state) {
  char name[128];
  assert_true(copies_name("/data/aragora_memory.db", 4, 1795473432345, name, sizeof name));
  assert_string_equal(name, "/data/aragora_memory.before-4-20261123T223712345Z.db");
  assert_true(copies_name("odd", 0, 0, name, sizeof name));
  assert_string_equal(name, "odd.before-0-19700101T000000000Z.db");
  assert_false(copies_name("/data/aragora_memory.db", 4, 0, name, 20));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(up_from_nothing_and_down_and_up),         TEST(numbers_that_fit_none_are_refused),
      TEST(steps_come_in_the_order_of_the_way),      TEST(the_newest_copies_stay_and_strangers_too),
      TEST(a_copy_is_named_by_file_number_and_time),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
