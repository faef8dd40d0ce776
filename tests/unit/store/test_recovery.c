/* What happens to the files: a killed process, a disk that refuses, files that are not ours. This
 * is about SQLite and looks beneath store.h. */
#include "base/metrics.h"
#include "fixture.h"
#include "store/database.h"
#include "store/jobs.h"
#include "store/migrator.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void run_sql(const char *path, const char *sql) {
  sqlite3 *db;
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  char *message = NULL;
  if (sqlite3_exec(db, sql, NULL, NULL, &message)) fail_msg("%s: %s", sql, message);
  sqlite3_close(db);
}

static void assert_sql_text(const char *path, const char *sql, const char *expected) {
  sqlite3 *db;
  sqlite3_stmt *s;
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_step(s), SQLITE_ROW);
  assert_string_equal((const char *)sqlite3_column_text(s, 0), expected);
  sqlite3_finalize(s);
  sqlite3_close(db);
}

/* Opening must fail with this status, name the file, and leave it as it is. */
static void assert_refused(struct fixture *f, const char *path, enum status expected) {
  struct stat before, after;
  struct error err = {0};
  bool there = stat(path, &before) == 0;
  assert_int_equal(store_open(&f->options, &f->store, &err), expected);
  assert_non_null(strstr(err.message, path));
  assert_null(strchr(err.message, '\n'));
  if (!there || !S_ISREG(before.st_mode)) return;
  assert_int_equal(stat(path, &after), 0);
  assert_int_equal(before.st_size, after.st_size);
  assert_memory_equal(&before.st_mtim, &after.st_mtim, sizeof before.st_mtim);
}

/* --- kill -9 ------------------------------------------------------------------------------- */

enum { KILL_DEBATES = 8, KILL_AFTER = 150 };

struct acknowledged {
  uint32_t debate;
  uint32_t seq;
};

struct reporter {
  int fd;
  struct acknowledged what;
};

/* On the writer's thread of the child: what was told is on disk. */
static void report(void *ctx, enum status status) {
  struct reporter *r = ctx;
  if (status || write(r->fd, &r->what, sizeof r->what) != sizeof r->what) _exit(1);
  free(r);
}

static void append_for_ever(struct fixture *f, int fd) {
  struct store_debate row = make_debate("task", 1);
  for (uint32_t seq = 1;; seq++)
    for (uint32_t i = 0; i < KILL_DEBATES; i++) {
      char id[8];
      snprintf(id, sizeof id, "k%u", i);
      struct reporter *r = malloc(sizeof *r);
      *r = (struct reporter){fd, {i, seq}};
      struct store_event e = make_event(seq, "{\"content\":\"text\"}");
      enum status status = STATUS_FULL;
      while (status == STATUS_FULL)
        status = store_append(f->store, id, &e, 1, seq == 1 ? STORE_ROW_INSERT : STORE_ROW_NONE,
                              &row, NULL, 0, report, r);
      if (status) _exit(1);
    }
}

static void nothing_acknowledged_is_lost_by_a_kill(void **state) {
  struct fixture *f = *state;
  f->options.max_queued_bytes = 16 * 1024;
  for (int round = 0; round < 3; round++) {
    int fds[2];
    uint32_t seen[KILL_DEBATES] = {0};
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
      close(fds[0]);
      if (store_open(&f->options, &f->store, NULL)) _exit(1);
      append_for_ever(f, fds[1]);
    }
    close(fds[1]);
    struct acknowledged a;
    for (int n = 0; read(fds[0], &a, sizeof a) == sizeof a; n++) {
      assert_int_equal(a.seq, seen[a.debate] + 1);
      seen[a.debate] = a.seq;
      if (n == KILL_AFTER * (round + 1)) kill(child, SIGKILL); /* the rest of the pipe counts */
    }
    close(fds[0]);
    int how;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how));
    fixture_open(f);
    for (uint32_t i = 0; i < KILL_DEBATES; i++) {
      char id[8];
      snprintf(id, sizeof id, "k%u", i);
      assert_true(seen[i] > 0);
      assert_true(count_events(f, id) >= seen[i]);
    }
    fixture_close(f);
    assert_sql_text(f->memory_path, "PRAGMA integrity_check", "ok");
    assert_sql_text(f->memory_path,
                    "SELECT CASE WHEN (SELECT sum(total) FROM debate_totals WHERE owner_id = '')"
                    " = (SELECT count(*) FROM debates) THEN 'same' ELSE 'differ' END",
                    "same");
    unlink(f->memory_path);
  }
}

/* --- a disk that refuses ------------------------------------------------------------------- */

/* Appends while the store cannot write: taken, not told, read as before; then told. */
static void hold_and_recover(struct fixture *f, void (*refuse)(struct fixture *f),
                             void (*relent)(struct fixture *f)) {
  struct answers a;
  answers_init(&a);
  struct store_debate row = make_debate("task", 1);
  assert_int_equal(put_debate(f, "d1", &row), STATUS_OK);
  int64_t errors = metric_get(METRIC_STORE_ERRORS, NULL);
  refuse(f);
  for (uint64_t seq = 2; seq <= 5; seq++) {
    struct store_event e = make_event(seq, "{}");
    assert_int_equal(
        store_append(f->store, "d1", &e, 1, STORE_ROW_NONE, NULL, NULL, 0, answers_add, &a),
        STATUS_OK);
  }
  wait_writable(f, false);
  bool told = a.count > 0;
  size_t stored = count_events(f, "d1");
  relent(f);
  assert_false(told);
  assert_int_equal(stored, 1);
  answers_wait(&a, 4);
  for (int i = 0; i < 4; i++) assert_int_equal(a.statuses[i], STATUS_OK);
  wait_writable(f, true);
  assert_int_equal(count_events(f, "d1"), 5);
  assert_true(metric_get(METRIC_STORE_ERRORS, NULL) > errors);
}

static sqlite3 *locker;

static void lock_file(struct fixture *f) {
  assert_int_equal(sqlite3_open(f->memory_path, &locker), SQLITE_OK);
  assert_int_equal(sqlite3_exec(locker, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
}

static void unlock_file(struct fixture *f) {
  sqlite3_close(locker);
}

static void a_foreign_lock_is_waited_for(void **state) {
  struct fixture *f = *state;
  f->options.timeout_ms = 20;
  fixture_open(f);
  hold_and_recover(f, lock_file, unlock_file);
}

/* No file may grow, as on a disk that is full. */
static void limit_files(struct fixture *f) {
  struct rlimit limit;
  signal(SIGXFSZ, SIG_IGN);
  getrlimit(RLIMIT_FSIZE, &limit);
  limit.rlim_cur = 4096;
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void unlimit_files(struct fixture *f) {
  struct rlimit limit;
  getrlimit(RLIMIT_FSIZE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_FSIZE, &limit);
}

static void a_full_disk_is_waited_for(void **state) {
  struct fixture *f = *state;
  fixture_open(f);
  hold_and_recover(f, limit_files, unlimit_files);
}

static enum status put_job(struct fixture *f) {
  static const char *const requests[] = {"{}"};
  const struct store_job job = {.id = "one",
                                .tenant_id = "local",
                                .owner_id = "local",
                                .max_parallel = 1,
                                .items = 1,
                                .created_ms = 1,
                                .cancelled_ms = -1};
  struct answers a;
  answers_init(&a);
  assert_int_equal(store_put_job(f->store, &job, requests, answers_add, &a), STATUS_OK);
  answers_wait(&a, 1);
  return a.statuses[0];
}

/* Nobody knows of it yet, so nobody is kept waiting; and when nothing is held that would try again,
 * the store finds out by itself that there is room. */
static void a_debate_does_not_begin_on_a_full_disk(void **state) {
  struct fixture *f = *state;
  fixture_open(f);
  struct store_debate row = make_debate("task", 1);
  assert_int_equal(put_debate(f, "d1", &row), STATUS_OK);
  limit_files(f);
  enum status refused = put_debate(f, "d2", &row);
  enum status batch = put_job(f);
  struct error err = {0};
  enum status why = store_check_writable(f->store, &err);
  unlimit_files(f);
  assert_int_equal(batch, STATUS_IO);
  assert_int_equal(refused, STATUS_IO); /* EFBIG; a full disk says NO_SPACE (tests/system) */
  assert_int_equal(why, STATUS_IO);
  assert_non_null(strstr(err.message, f->memory_path));
  wait_writable(f, true);
  assert_int_equal(put_debate(f, "d2", &row), STATUS_OK);
  assert_int_equal(put_event(f, "d2", 2), STATUS_OK);
}

/* What is held stays in order while what is not leaves from between. */
static void what_was_promised_is_held(void **state) {
  struct fixture *f = *state;
  fixture_open(f);
  struct answers held, begun;
  answers_init(&held);
  answers_init(&begun);
  struct store_debate row = make_debate("task", 1);
  assert_int_equal(put_debate(f, "d1", &row), STATUS_OK);
  limit_files(f);
  for (uint64_t seq = 2; seq <= 6; seq++) {
    char id[8];
    struct store_event next = make_event(seq, "{}"), first = make_event(1, "{}");
    struct store_event second = make_event(2, "{}");
    snprintf(id, sizeof id, "n%d", (int)seq);
    assert_int_equal(
        store_append(f->store, "d1", &next, 1, STORE_ROW_NONE, NULL, NULL, 0, answers_add, &held),
        STATUS_OK);
    assert_int_equal(
        store_append(f->store, id, &first, 1, STORE_ROW_INSERT, &row, NULL, 0, answers_add, &begun),
        STATUS_OK);
    assert_int_equal(
        store_append(f->store, id, &second, 1, STORE_ROW_NONE, NULL, NULL, 0, answers_add, &begun),
        STATUS_OK);
  }
  answers_wait(&begun, 10);
  bool told = held.count > 0;
  unlimit_files(f);
  assert_false(told);
  for (int i = 0; i < 10; i++) assert_int_equal(begun.statuses[i], STATUS_IO);
  answers_wait(&held, 5);
  for (int i = 0; i < 5; i++) assert_int_equal(held.statuses[i], STATUS_OK);
  assert_int_equal(count_events(f, "d1"), 6);
}

/* A lock that passes delays a write and is no problem of the disk's. */
static void a_short_lock_is_no_problem(void **state) {
  struct fixture *f = *state;
  f->options.timeout_ms = 30000;
  fixture_open(f);
  struct answers a;
  answers_init(&a);
  struct store_debate row = make_debate("task", 1);
  struct store_event e = make_event(1, "{}");
  int64_t errors = metric_get(METRIC_STORE_ERRORS, NULL);
  lock_file(f);
  assert_int_equal(
      store_append(f->store, "d1", &e, 1, STORE_ROW_INSERT, &row, NULL, 0, answers_add, &a),
      STATUS_OK);
  while (metric_get(METRIC_STORE_ERRORS, NULL) == errors) usleep(1000); /* it has met the lock */
  assert_true(store_writable(f->store));
  assert_int_equal(a.count, 0);
  unlock_file(f);
  answers_wait(&a, 1);
  assert_int_equal(a.statuses[0], STATUS_OK);
}

static void closing_on_a_refusing_disk_tells_why(void **state) {
  struct fixture *f = *state;
  f->options.timeout_ms = 20;
  fixture_open(f);
  struct answers a;
  answers_init(&a);
  struct store_debate row = make_debate("task", 1);
  struct store_event e = make_event(1, "{}");
  lock_file(f);
  assert_int_equal(
      store_append(f->store, "d1", &e, 1, STORE_ROW_INSERT, &row, NULL, 0, answers_add, &a),
      STATUS_OK);
  fixture_close(f);
  unlock_file(f);
  assert_int_equal(a.count, 1);
  assert_int_equal(a.statuses[0], STATUS_TIMEOUT);
}

/* --- files that are refused ---------------------------------------------------------------- */

static void a_file_that_is_no_database_is_refused(void **state) {
  struct fixture *f = *state;
  const char *contents[] = {"hello",
                            "This is a text of more than a hundred bytes, so that its head"
                            " can be read, but it is not the head of any database at all."};
  for (int i = 0; i < 2; i++) {
    FILE *file = fopen(f->memory_path, "w");
    assert_non_null(file);
    fputs(contents[i], file);
    fclose(file);
    assert_refused(f, f->memory_path, STATUS_CORRUPT);
  }
}

static void somebody_elses_database_is_refused(void **state) {
  struct fixture *f = *state;
  run_sql(f->memory_path, "CREATE TABLE notes (text)");
  assert_refused(f, f->memory_path, STATUS_CORRUPT);
  run_sql(f->memory_path, "PRAGMA application_id = 77");
  assert_refused(f, f->memory_path, STATUS_CORRUPT);
}

static void swapped_files_are_refused(void **state) {
  struct fixture *f = *state;
  fixture_open(f);
  fixture_close(f);
  f->options.memory_path = f->elo_path;
  f->options.elo_path = f->memory_path;
  assert_refused(f, f->elo_path, STATUS_CORRUPT);
}

static void damage(const char *path, off_t at, size_t len) {
  int fd = open(path, O_WRONLY);
  assert_true(fd >= 0);
  char noise[4096];
  memset(noise, 0xa5, sizeof noise);
  assert_int_equal(pwrite(fd, noise, len, at), (ssize_t)len);
  close(fd);
}

static void fill(struct fixture *f) {
  fixture_open(f);
  struct store_debate row = make_debate("task", 1);
  assert_int_equal(put_debate(f, "d1", &row), STATUS_OK);
  for (uint64_t seq = 2; seq < 40; seq++) assert_int_equal(put_event(f, "d1", seq), STATUS_OK);
  fixture_close(f);
}

static void a_damaged_file_is_refused(void **state) {
  struct fixture *f = *state;
  fill(f);
  struct stat st;
  assert_int_equal(stat(f->memory_path, &st), 0);
  damage(f->memory_path, st.st_size - 4096, 4096); /* one page, far behind the head */
  assert_refused(f, f->memory_path, STATUS_CORRUPT);
  damage(f->memory_path, 0, 16);
  assert_refused(f, f->memory_path, STATUS_CORRUPT);
}

static void a_cut_file_is_refused(void **state) {
  struct fixture *f = *state;
  fill(f);
  assert_int_equal(truncate(f->memory_path, 3 * 4096), 0);
  assert_refused(f, f->memory_path, STATUS_CORRUPT);
}

/* SQLite ignores frames that do not add up. */
static void a_garbage_wal_is_tolerated(void **state) {
  struct fixture *f = *state;
  fill(f);
  char path[128];
  snprintf(path, sizeof path, "%s-wal", f->memory_path);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  for (int i = 0; i < 2000; i++) fputs("garbage ", file);
  fclose(file);
  fixture_open(f);
  assert_int_equal(count_events(f, "d1"), 39);
}

static void a_place_that_cannot_be_written_is_refused(void **state) {
  struct fixture *f = *state;
  char path[128];
  snprintf(path, sizeof path, "%s/none/memory.db", f->dir);
  f->options.memory_path = path;
  assert_refused(f, path, STATUS_IO);
  f->options.memory_path = f->dir;
  assert_refused(f, f->dir, STATUS_IO);
  if (geteuid() == 0) return; /* root may write everywhere */
  f->options.memory_path = f->memory_path;
  chmod(f->dir, 0500);
  assert_refused(f, f->memory_path, STATUS_IO);
  chmod(f->dir, 0700);
}

/* --- migrations ---------------------------------------------------------------------------- */

static void a_newer_database_is_refused_unless_it_says_otherwise(void **state) {
  struct fixture *f = *state;
  fill(f);
  run_sql(f->memory_path,
          "INSERT INTO _aragora_migrations"
          " (version, name, checksum, min_reader_version, applied_ms)"
          " VALUES (99, 'future', 'c', 1, 0);"
          "PRAGMA user_version = 99");
  fixture_open(f); /* additive: the old program reads on */
  assert_int_equal(count_events(f, "d1"), 39);
  fixture_close(f);
  run_sql(f->memory_path,
          "UPDATE _aragora_migrations SET min_reader_version = 99"
          " WHERE version = 99");
  assert_refused(f, f->memory_path, STATUS_UNSUPPORTED);
  char command[256];
  struct error err = {0};
  assert_int_equal(store_open(&f->options, &f->store, &err), STATUS_UNSUPPORTED);
  snprintf(command, sizeof command, "run: aragora migrate rollback --to %zu --db-path %s",
           migrations_memory_count, f->memory_path);
  assert_non_null(strstr(err.message, command));
}

/* Whichever of the two is refused, the other one is not made. */
static void a_refusal_leaves_both_files_alone(void **state) {
  struct fixture *f = *state;
  run_sql(f->elo_path, "CREATE TABLE notes (text)");
  assert_refused(f, f->elo_path, STATUS_CORRUPT);
  struct stat st;
  assert_true(stat(f->memory_path, &st) != 0 || st.st_size == 0);
}

static void new_files_come_whole_and_alone(void **state) {
  struct fixture *f = *state;
  fixture_open(f);
  struct stat st;
  assert_int_equal(stat(f->memory_path, &st), 0);
  assert_int_equal(st.st_mode & 0777 & ~0640, 0);
  assert_true(st.st_size > 0); /* the schema is in the file itself, not in a log beside it */
  DIR *dir = opendir(f->dir);
  for (struct dirent *e; (e = readdir(dir));) assert_null(strstr(e->d_name, "fresh"));
  closedir(dir);
  fixture_close(f);
  assert_sql_text(f->memory_path, "PRAGMA journal_mode", "wal");
  assert_sql_text(f->elo_path, "PRAGMA journal_mode", "wal");
}

static int copy(const char *from, const char *to) {
  char command[300];
  snprintf(command, sizeof command, "cp '%s' '%s'", from, to);
  return system(command);
}

/* The log of a database that somebody removed. */
static void an_orphaned_log_is_no_part_of_a_new_file(void **state) {
  struct fixture *f = *state;
  char wal[128], kept[128];
  snprintf(wal, sizeof wal, "%s-wal", f->memory_path);
  snprintf(kept, sizeof kept, "%s/kept", f->dir);
  fixture_open(f);
  struct store_debate row = make_debate("task", 1);
  assert_int_equal(put_debate(f, "d1", &row), STATUS_OK);
  assert_int_equal(copy(wal, kept), 0);
  fixture_close(f);
  assert_int_equal(unlink(f->memory_path), 0);
  assert_int_equal(unlink(f->elo_path), 0);
  unlink(wal);
  assert_int_equal(rename(kept, wal), 0);
  fixture_open(f);
  assert_int_equal(put_debate(f, "d1", &row), STATUS_OK);
  assert_int_equal(count_events(f, "d1"), 1);
}

static void another_migration_of_the_same_number_is_refused(void **state) {
  struct fixture *f = *state;
  fill(f);
  run_sql(f->memory_path, "UPDATE _aragora_migrations SET checksum = 'other' WHERE version = 1");
  assert_refused(f, f->memory_path, STATUS_UNSUPPORTED);
}

static void a_dump_that_was_read_back_is_ours(void **state) {
  struct fixture *f = *state;
  fill(f);
  run_sql(f->memory_path, "PRAGMA application_id = 0; PRAGMA journal_mode = DELETE");
  fixture_open(f);
  assert_int_equal(count_events(f, "d1"), 39);
  assert_sql_text(f->memory_path, "PRAGMA journal_mode", "wal");
}

/* A file of schema 1 with a debate in it, as the release before 0002 left it. */
static void make_version_1(struct fixture *f, const struct schema *schema_1) {
  sqlite3 *db;
  assert_int_equal(database_open(f->memory_path, schema_1, 100, &db, NULL), STATUS_OK);
  assert_int_equal(database_prepare(db, schema_1, f->memory_path, NULL), STATUS_OK);
  assert_int_equal(sqlite_run(db,
                              "INSERT INTO debates (id, slug, status, created_ms, task)"
                              " VALUES ('d1', 'slug', 'completed', 1, 'task');"
                              "INSERT INTO events (debate, seq, type, ts_ms, digest, hash, salt,"
                              " data) VALUES (1, 1, 'debate_start', 2, zeroblob(32), zeroblob(32),"
                              " zeroblob(32), '{}')",
                              NULL),
                   STATUS_OK);
  sqlite_close(db);
}

static void count_breakers(void *ctx, const struct store_breaker *breaker) {
  assert_string_equal(breaker->name, "acme/m-1");
  ++*(int *)ctx;
}

/* No start does it: it is refused, with the command, and the file stays as it is. */
static void migrate_by_hand(struct fixture *f) {
  struct migrator *m;
  struct error err = {0};
  assert_refused(f, f->memory_path, STATUS_UNSUPPORTED);
  assert_int_equal(store_open(&f->options, &f->store, &err), STATUS_UNSUPPORTED);
  assert_non_null(strstr(err.message, "run: aragora migrate apply --db-path /tmp/"));
  assert_int_equal(migrator_open(DATABASE_MEMORY, f->memory_path, 100, &m, NULL), STATUS_OK);
  while (migrator_version(m) < (int64_t)migrations_memory_count)
    assert_int_equal(migrator_apply(m, (int64_t)migrations_memory_count, NULL), STATUS_OK);
  migrator_close(m);
}

static void a_database_of_version_1_goes_on(void **state) {
  struct fixture *f = *state;
  static const size_t one = 1;
  struct schema schema_1 = schema_memory;
  schema_1.count = &one;
  make_version_1(f, &schema_1);
  assert_sql_text(f->memory_path, "SELECT max(version) FROM _aragora_migrations", "1");
  migrate_by_hand(f);
  fixture_open(f);
  assert_int_equal(count_events(f, "d1"), 1);
  assert_int_equal(put_event(f, "d1", 2), STATUS_OK);
  struct store_breaker breaker = {"acme/m-1", 2, 5, 60000, 1, -1, 1, -1, ""};
  assert_int_equal(store_put_breaker(f->store, &breaker), STATUS_OK);
  fixture_close(f);
  fixture_open(f); /* and is not migrated twice */
  int breakers = 0;
  assert_int_equal(count_events(f, "d1"), 2);
  assert_int_equal(store_read_breakers(f->store, count_breakers, &breakers, NULL), STATUS_OK);
  assert_int_equal(breakers, 1);
  fixture_close(f);
  char newest[24];
  snprintf(newest, sizeof newest, "%zu", migrations_memory_count);
  assert_sql_text(f->memory_path, "SELECT count(*) FROM _aragora_migrations", newest);
  /* The release before may be started again. */
  sqlite3 *db;
  assert_int_equal(database_open(f->memory_path, &schema_1, 100, &db, NULL), STATUS_OK);
  sqlite_close(db);
}

/* --- how the connections are ---------------------------------------------------------------- */

static int64_t pragma(sqlite3 *db, const char *sql) {
  int64_t value;
  assert_int_equal(sqlite_get_int(db, sql, -1, &value, NULL), STATUS_OK);
  return value;
}

static void a_commit_is_synced(void **state) {
  struct fixture *f = *state;
  sqlite3 *db, *reader;
  assert_int_equal(database_open(f->memory_path, &schema_memory, 100, &db, NULL), STATUS_OK);
  assert_int_equal(database_prepare(db, &schema_memory, f->memory_path, NULL), STATUS_OK);
  assert_int_equal(pragma(db, "PRAGMA synchronous"), 2);
  assert_int_equal(pragma(db, "PRAGMA foreign_keys"), 1);
  assert_int_equal(pragma(db, "PRAGMA application_id"), schema_memory.application_id);
  assert_sql_text(f->memory_path, "PRAGMA journal_mode", "wal");
  int defensive = 0;
  sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, -1, &defensive);
  assert_int_equal(defensive, 1);
  assert_int_equal(database_open_reader(f->memory_path, 100, &reader, NULL), STATUS_OK);
  assert_int_equal(sqlite_run(reader, "DELETE FROM debates", NULL), STATUS_IO);
  sqlite_close(reader);
  sqlite_close(db);
  struct stat st;
  assert_int_equal(stat(f->memory_path, &st), 0);
  assert_int_equal(st.st_mode & 0007, 0);
}

static void every_transaction_has_a_number(void **state) {
  struct fixture *f = *state;
  fill(f); /* 39 appends, each waited for */
  assert_sql_text(f->memory_path, "SELECT number FROM commits", "39");
}

/* The runbook's commands, from another process's connection, while the store is open. */
static void the_command_line_does_no_harm(void **state) {
  struct fixture *f = *state;
  fill(f);
  fixture_open(f);
  struct store_debate row = make_debate("task", 1);
  const char *commands[] = {"PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM", "ANALYZE",
                            "PRAGMA wal_checkpoint(RESTART)"};
  for (int i = 0; i < 4; i++) {
    char id[8];
    snprintf(id, sizeof id, "c%d", i);
    assert_int_equal(put_debate(f, id, &row), STATUS_OK);
    run_sql(f->memory_path, commands[i]);
    assert_int_equal(put_event(f, id, 2), STATUS_OK);
    assert_int_equal(count_events(f, id), 2);
  }
  assert_int_equal(count_events(f, "d1"), 39);
}

/* What a rollback of SQLite's took back is not remembered by the writer either. */
static void a_deleted_debate_is_gone(void **state) {
  struct fixture *f = *state;
  fixture_open(f);
  struct store_debate row = make_debate("task", 1);
  assert_int_equal(put_debate(f, "d1", &row), STATUS_OK);
  run_sql(f->memory_path, "PRAGMA foreign_keys = 1; DELETE FROM debates");
  assert_int_equal(put_event(f, "d1", 2), STATUS_CONFLICT);
  assert_int_equal(put_debate(f, "d1", &row), STATUS_OK);
  assert_int_equal(put_event(f, "d1", 2), STATUS_OK);
  assert_int_equal(count_events(f, "d1"), 2);
}

/* A rule that our own check does not know: broken in the middle of a crowd, it fails one batch. */
static void a_foreign_rule_fails_one_batch(void **state) {
  struct fixture *f = *state;
  fixture_open(f);
  fixture_close(f);
  run_sql(f->memory_path, "CREATE UNIQUE INDEX one_bad ON events (type) WHERE type = 'bad'");
  fixture_open(f);
  struct answers a;
  struct gate gate;
  answers_init(&a);
  gate_init(&gate);
  struct store_debate row = make_debate("task", 1);
  struct store_event e = make_event(1, "{}"), bad[12];
  assert_int_equal(
      store_append(f->store, "d0", &e, 1, STORE_ROW_INSERT, &row, NULL, 0, gate_hold, &gate),
      STATUS_OK);
  gate_wait_entered(&gate);
  for (int i = 0; i < 12; i++) {
    bad[i] = make_event((uint64_t)i + 1, "{}");
    bad[i].type = i == 10 ? "bad" : "good";
  }
  const char *ids[] = {"d1", "d2", "d3"};
  for (int i = 0; i < 3; i++) {
    const struct store_spending spent = {
        .tenant_id = "local", .owner_id = ids[i], .day = 1, .tokens = 10};
    if (i == 2) bad[10].type = "good";
    assert_int_equal(
        store_append(f->store, ids[i], bad, 12, STORE_ROW_INSERT, &row, &spent, 1, answers_add, &a),
        STATUS_OK);
  }
  gate_release(&gate);
  answers_wait(&a, 3);
  assert_int_equal(a.statuses[0], STATUS_OK);
  assert_int_equal(a.statuses[1], STATUS_CONFLICT);
  assert_int_equal(a.statuses[2], STATUS_OK);
  assert_int_equal(count_events(f, "d1"), 12);
  assert_int_equal(count_events(f, "d3"), 12);
  fixture_close(f);
  assert_sql_text(f->memory_path, "SELECT group_concat(owner_id || ' ' || tokens) FROM spending",
                  "d1 10,d3 10");
}

static void the_wal_stays_small(void **state) {
  struct fixture *f = *state;
  fixture_open(f);
  struct answers a;
  answers_init(&a);
  struct store_debate row = make_debate("task", 1);
  enum { BIG = 1024 * 1024, COUNT = 96 };
  char *data = malloc(BIG + 1), path[128];
  memset(data, 'x', BIG);
  data[BIG] = '\0';
  for (uint64_t seq = 1; seq <= COUNT; seq++) {
    struct store_event e = make_event(seq, data);
    enum store_row_change change = seq == 1 ? STORE_ROW_INSERT : STORE_ROW_NONE;
    assert_int_equal(store_append(f->store, "d1", &e, 1, change, &row, NULL, 0, answers_add, &a),
                     STATUS_OK);
    answers_wait(&a, seq > 32 ? seq - 32 : 0);
  }
  free(data);
  answers_wait(&a, COUNT);
  snprintf(path, sizeof path, "%s-wal", f->memory_path);
  struct stat st;
  assert_int_equal(stat(path, &st), 0);
  assert_true(st.st_size < 64 * 1024 * 1024);
}

/* The last connection to close would remove the -wal; with another program's open, ours is not. */
static void closing_empties_the_wal_beside_others(void **state) {
  struct fixture *f = *state;
  fixture_open(f);
  struct store_debate row = make_debate("task", 1);
  assert_int_equal(put_debate(f, "d1", &row), STATUS_OK);
  sqlite3 *other = NULL;
  char path[128];
  struct stat st;
  assert_int_equal(sqlite3_open(f->memory_path, &other), SQLITE_OK);
  assert_int_equal(sqlite3_exec(other, "SELECT * FROM debates", NULL, NULL, NULL), SQLITE_OK);
  snprintf(path, sizeof path, "%s-wal", f->memory_path);
  assert_int_equal(stat(path, &st), 0);
  assert_true(st.st_size > 0);
  fixture_close(f);
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_size, 0);
  sqlite3_close(other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup_closed, fixture_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(nothing_acknowledged_is_lost_by_a_kill),
      TEST(a_foreign_lock_is_waited_for),
      TEST(a_full_disk_is_waited_for),
      TEST(a_debate_does_not_begin_on_a_full_disk),
      TEST(what_was_promised_is_held),
      TEST(a_short_lock_is_no_problem),
      TEST(closing_on_a_refusing_disk_tells_why),
      TEST(a_file_that_is_no_database_is_refused),
      TEST(somebody_elses_database_is_refused),
      TEST(swapped_files_are_refused),
      TEST(a_damaged_file_is_refused),
      TEST(a_cut_file_is_refused),
      TEST(a_garbage_wal_is_tolerated),
      TEST(a_place_that_cannot_be_written_is_refused),
      TEST(a_newer_database_is_refused_unless_it_says_otherwise),
      TEST(a_refusal_leaves_both_files_alone),
      TEST(new_files_come_whole_and_alone),
      TEST(an_orphaned_log_is_no_part_of_a_new_file),
      TEST(another_migration_of_the_same_number_is_refused),
      TEST(a_dump_that_was_read_back_is_ours),
      TEST(a_database_of_version_1_goes_on),
      TEST(a_commit_is_synced),
      TEST(every_transaction_has_a_number),
      TEST(the_command_line_does_no_harm),
      TEST(a_deleted_debate_is_gone),
      TEST(a_foreign_rule_fails_one_batch),
      TEST(the_wal_stays_small),
      TEST(closing_empties_the_wal_beside_others),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
