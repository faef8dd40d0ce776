/* Upkeep of the files, beside an open store where that is allowed. */
#include "fixture.h"
#include "store/database.h"
#include "store/upkeep.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct problems {
  int count;
  char first[512];
};

static void note(void *ctx, const char *text) {
  struct problems *p = ctx;
  if (!p->count++) snprintf(p->first, sizeof p->first, "%s", text);
}

static struct upkeep_result check(struct fixture *f, struct problems *p) {
  struct upkeep_result r;
  struct error err = {0};
  *p = (struct problems){0};
  if (upkeep_check(DATABASE_MEMORY, f->memory_path, 1000, note, p, &r, &err))
    fail_msg("%s", err.message);
  assert_int_equal(r.problems, p->count);
  return r;
}

static void put_some(struct fixture *f) {
  struct store_debate row = make_debate("task", 1);
  assert_int_equal(put_debate(f, "d1", &row), STATUS_OK);
  for (uint64_t seq = 2; seq < 60; seq++) assert_int_equal(put_event(f, "d1", seq), STATUS_OK);
}

static void an_open_store_is_looked_after(void **state) {
  struct fixture *f = *state;
  struct problems p;
  struct upkeep_result r;
  fixture_open(f);
  put_some(f);
  r = check(f, &p);
  assert_int_equal(p.count, 0);
  assert_true(r.pages > 10 && r.log_before > 0);
  assert_int_equal(upkeep_checkpoint(DATABASE_MEMORY, f->memory_path, 1000, &r, NULL), STATUS_OK);
  assert_true(r.moved > 10);
  assert_int_equal(r.waiting, 0);
  assert_true(r.log_before > 0 && r.log_after == 0 && r.file_after > r.file_before);
  assert_int_equal(upkeep_analyze(DATABASE_MEMORY, f->memory_path, 1000, &r, NULL), STATUS_OK);
  assert_true(r.indexes > 0);
  struct error err = {0};
  assert_int_equal(upkeep_vacuum(DATABASE_MEMORY, f->memory_path, 20, &r, &err), STATUS_TIMEOUT);
  assert_non_null(strstr(err.message, "another program has it open"));
  assert_int_equal(put_event(f, "d1", 60), STATUS_OK);
  assert_int_equal(count_events(f, "d1"), 60);
}

/* What a reader still sees cannot be overwritten; the rest is moved, and it is said. */
static void a_reader_keeps_a_part_of_the_log(void **state) {
  struct fixture *f = *state;
  struct upkeep_result r;
  sqlite3 *reader;
  fixture_open(f);
  put_some(f);
  assert_int_equal(sqlite3_open(f->memory_path, &reader), SQLITE_OK);
  assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT * FROM debates", NULL, NULL, NULL),
                   SQLITE_OK);
  assert_int_equal(put_event(f, "d1", 60), STATUS_OK);
  assert_int_equal(upkeep_checkpoint(DATABASE_MEMORY, f->memory_path, 20, &r, NULL), STATUS_OK);
  assert_true(r.waiting > 0 && r.moved > 0 && r.log_after > 0);
  sqlite3_close(reader);
  assert_int_equal(upkeep_checkpoint(DATABASE_MEMORY, f->memory_path, 1000, &r, NULL), STATUS_OK);
  assert_int_equal(r.waiting, 0);
  assert_int_equal(r.log_after, 0);
}

static void a_vacuum_gives_room_back(void **state) {
  struct fixture *f = *state;
  struct upkeep_result r;
  fixture_open(f);
  put_some(f);
  fixture_close(f);
  sqlite3 *db;
  assert_int_equal(sqlite3_open(f->memory_path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_exec(db,
                                "CREATE TABLE big (x BLOB); INSERT INTO big VALUES"
                                " (zeroblob(1000000)); DROP TABLE big",
                                NULL, NULL, NULL),
                   SQLITE_OK);
  sqlite3_close(db);
  assert_int_equal(upkeep_vacuum(DATABASE_MEMORY, f->memory_path, 1000, &r, NULL), STATUS_OK);
  assert_true(r.file_before > 1000000 && r.file_after < 500000);
  assert_int_equal(r.free_pages, 0);
  fixture_open(f);
  assert_int_equal(count_events(f, "d1"), 59);
}

static void damage_is_found_and_told(void **state) {
  struct fixture *f = *state;
  struct problems p;
  struct stat st;
  fixture_open(f);
  put_some(f);
  fixture_close(f);
  assert_int_equal(stat(f->memory_path, &st), 0);
  FILE *file = fopen(f->memory_path, "r+");
  assert_non_null(file);
  fseek(file, st.st_size - 4096, SEEK_SET);
  for (int i = 0; i < 512; i++) fputs("noise...", file);
  fclose(file);
  check(f, &p);
  assert_true(p.count > 0);
}

/* A file in which nothing can be read says so to whatever is asked of it. */
static void what_cannot_be_read_is_told_once(void **state) {
  struct fixture *f = *state;
  struct problems p;
  fixture_open(f);
  put_some(f);
  fixture_close(f);
  assert_int_equal(truncate(f->memory_path, 20000), 0);
  check(f, &p);
  assert_int_equal(p.count, 1);
}

static void a_row_that_refers_to_none_is_found(void **state) {
  struct fixture *f = *state;
  struct problems p;
  fixture_open(f);
  put_some(f);
  fixture_close(f);
  sqlite3 *db;
  assert_int_equal(sqlite3_open(f->memory_path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_exec(db, "DELETE FROM debates", NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(db);
  check(f, &p);
  assert_string_equal(p.first, "a row of events refers to none of debates");
}

static void what_is_not_ours_is_left_alone(void **state) {
  struct fixture *f = *state;
  struct upkeep_result r;
  struct error err = {0};
  assert_int_equal(upkeep_analyze(DATABASE_ELO, f->elo_path, 20, &r, &err), STATUS_NOT_FOUND);
  fixture_open(f);
  fixture_close(f);
  assert_int_equal(upkeep_analyze(DATABASE_ELO, f->memory_path, 20, &r, &err), STATUS_CORRUPT);
  assert_non_null(strstr(err.message, "is not an Aragora ratings database"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup_closed, fixture_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(an_open_store_is_looked_after),    TEST(a_reader_keeps_a_part_of_the_log),
      TEST(a_vacuum_gives_room_back),         TEST(damage_is_found_and_told),
      TEST(what_cannot_be_read_is_told_once), TEST(a_row_that_refers_to_none_is_found),
      TEST(what_is_not_ours_is_left_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
