/* The gathered writes of a commit: SQLite's own calls are counted and made to fail in its VFS. */
#include "store/gather.h"
#include "store/sqlite.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

typedef ssize_t write_at(int, const void *, size_t, off64_t);

static write_at *real_write;
static int writes, fail_from; /* the first write that fails, 0 = none */

static ssize_t counted_write(int fd, const void *bytes, size_t len, off64_t at) {
  writes++;
  if (fail_from && writes >= fail_from) {
    errno = ENOSPC;
    return -1;
  }
  return real_write(fd, bytes, len, at);
}

struct gathered {
  char path[64];
  sqlite3 *db, *reader;
};

static void set_write(write_at *f) {
  sqlite3_vfs *own = sqlite3_vfs_find(NULL);
  assert_int_equal(own->xSetSystemCall(own, "pwrite64", (sqlite3_syscall_ptr)f), SQLITE_OK);
}

static void exec(sqlite3 *db, const char *sql) {
  struct error err = {0};
  if (sqlite_run(db, sql, &err)) fail_msg("%s: %s", sql, err.message);
}

static int setup(void **state) {
  struct gathered *g = calloc(1, sizeof *g);
  *state = g;
  snprintf(g->path, sizeof g->path, "/tmp/aragora-gather-XXXXXX");
  int fd = mkstemp(g->path);
  if (fd < 0) return -1;
  close(fd);
  if (sqlite_open_gathering(g->path, 100, &g->db, NULL)) return -1;
  if (sqlite_open(g->path, SQLITE_OPEN_READONLY, 100, &g->reader, NULL)) return -1;
  exec(g->db,
       "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;"
       "CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB)");
  sqlite3_vfs *own = sqlite3_vfs_find(NULL);
  real_write = (write_at *)own->xGetSystemCall(own, "pwrite64");
  writes = fail_from = 0;
  set_write(counted_write);
  return 0;
}

static int teardown(void **state) {
  struct gathered *g = *state;
  set_write(NULL);
  sqlite_close(g->reader);
  sqlite_close(g->db);
  unlink(g->path);
  free(g);
  return 0;
}

static int64_t sum(sqlite3 *db) {
  int64_t value = -1;
  assert_int_equal(
      sqlite_get_int(db, "SELECT coalesce(sum(length(body)), 0) FROM t", -1, &value, NULL),
      STATUS_OK);
  return value;
}

static void assert_sound(sqlite3 *db) {
  int64_t problems = -1;
  assert_int_equal(sqlite_get_int(db,
                                  "SELECT count(*) FROM pragma_integrity_check"
                                  " WHERE integrity_check <> 'ok'",
                                  -1, &problems, NULL),
                   STATUS_OK);
  assert_int_equal(problems, 0);
}

static void a_commit_is_one_write(void **state) {
  struct gathered *g = *state;
  exec(g->db, "INSERT INTO t (body) VALUES (zeroblob(60000))"); /* fifteen pages and the tree's */
  assert_int_equal(writes, 1);
  assert_int_equal(sum(g->reader), 60000);
}

static void a_large_commit_is_several(void **state) {
  struct gathered *g = *state;
  exec(g->db, "INSERT INTO t (body) VALUES (zeroblob(4000000))");
  assert_in_range(writes, 4000000 / 131072, 2 * 4000000 / 131072);
  assert_int_equal(sum(g->reader), 4000000);
}

/* Nothing of a transaction is in the log, or on its way there, before its commit. */
static void pages_beyond_the_cache_wait_for_the_commit(void **state) {
  struct gathered *g = *state;
  exec(g->db, "PRAGMA cache_size = 10; BEGIN");
  for (int i = 0; i < 100; i++) exec(g->db, "INSERT INTO t (body) VALUES (randomblob(3000))");
  assert_int_equal(sum(g->db), 300000);
  assert_int_equal(sum(g->reader), 0);
  assert_int_equal(writes, 0);
  exec(g->db, "UPDATE t SET body = zeroblob(3500) WHERE id % 7 = 0; COMMIT");
  assert_int_equal(sum(g->reader), 300000 + 14 * 500);
  exec(g->db, "BEGIN; DELETE FROM t; ROLLBACK; PRAGMA wal_checkpoint(TRUNCATE)");
  assert_int_equal(sum(g->reader), 300000 + 14 * 500);
  assert_sound(g->reader);
}

/* The other connection's commit takes the place in the log that the one which was rolled back would
 * have had. */
static void what_was_rolled_back_is_never_written(void **state) {
  struct gathered *g = *state;
  sqlite3 *other;
  assert_int_equal(sqlite_open(g->path, SQLITE_OPEN_READWRITE, 100, &other, NULL), STATUS_OK);
  exec(g->db, "PRAGMA cache_size = -1000; PRAGMA wal_checkpoint(TRUNCATE); BEGIN IMMEDIATE");
  exec(g->db,
       "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)"
       " INSERT INTO t (body) SELECT randomblob(3000) FROM n");
  exec(g->db, "ROLLBACK");
  exec(other,
       "PRAGMA wal_autocheckpoint = 0;"
       "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)"
       " INSERT INTO t (body) SELECT randomblob(3000) FROM n");
  exec(g->db, "INSERT INTO t (body) VALUES (zeroblob(500))");
  assert_int_equal(sum(g->reader), 2000 * 3000 + 500);
  assert_sound(other);
  sqlite_close(other);
}

static void a_write_that_fails_fails_its_commit(void **state) {
  struct gathered *g = *state;
  exec(g->db, "INSERT INTO t (body) VALUES (zeroblob(100))");
  fail_from = writes + 1;
  assert_int_not_equal(sqlite_run(g->db, "INSERT INTO t (body) VALUES (zeroblob(60000))", NULL),
                       STATUS_OK);
  assert_int_equal(sum(g->reader), 100);
  fail_from = 0;
  exec(g->db, "INSERT INTO t (body) VALUES (zeroblob(200))");
  assert_int_equal(sum(g->db), 300);
  assert_int_equal(sum(g->reader), 300);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_commit_is_one_write, setup, teardown),
      cmocka_unit_test_setup_teardown(a_large_commit_is_several, setup, teardown),
      cmocka_unit_test_setup_teardown(pages_beyond_the_cache_wait_for_the_commit, setup, teardown),
      cmocka_unit_test_setup_teardown(what_was_rolled_back_is_never_written, setup, teardown),
      cmocka_unit_test_setup_teardown(a_write_that_fails_fails_its_commit, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
