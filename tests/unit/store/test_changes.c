/* Patchsets made row by row: applied to a copy they give the same rows, and where a session makes
 * one too, the same bytes. */
#include "dump.h"
#include "store/changes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

struct pair {
  sqlite3 *db, *copy;
  struct changes changes;
};

static void run(sqlite3 *db, const char *sql) {
  char *message = NULL;
  if (sqlite3_exec(db, sql, NULL, NULL, &message)) fail_msg("%s: %s", sql, message);
}

static void open_pair(struct pair *p, const char *schema) {
  *p = (struct pair){0};
  assert_int_equal(sqlite3_open(":memory:", &p->db), SQLITE_OK);
  assert_int_equal(sqlite3_open(":memory:", &p->copy), SQLITE_OK);
  run(p->db, "PRAGMA foreign_keys = 1");
  run(p->db, schema);
  run(p->copy, schema);
  assert_int_equal(changes_init(&p->changes, p->db, NULL), STATUS_OK);
}

static void close_pair(struct pair *p) {
  changes_done(&p->changes);
  sqlite3_close(p->db);
  sqlite3_close(p->copy);
}

static struct bytes gather(const struct changes *changes, struct buffer *out) {
  struct iovec pieces[CHANGES_PIECES_MAX];
  size_t count;
  buffer_init(out, 64 << 20);
  assert_int_equal(changes_list(changes, pieces, &count), STATUS_OK);
  for (size_t i = 0; i < count; i++) buffer_append(out, pieces[i].iov_base, pieces[i].iov_len);
  return buffer_bytes(out);
}

static int no_conflict(void *ctx, int conflict, sqlite3_changeset_iter *iter) {
  fail_msg("a conflict of kind %d", conflict);
  return SQLITE_CHANGESET_ABORT;
}

/* The changes so far are brought into the copy, which must be the same then. */
static void assert_copied(struct pair *p) {
  BUFFER_LATER struct buffer b;
  struct bytes patchset = gather(&p->changes, &b);
  sqlite3_db_config(p->copy, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
  sqlite3_db_config(p->copy, SQLITE_DBCONFIG_ENABLE_FKEY, 0, NULL);
  assert_int_equal(sqlite3changeset_apply(p->copy, (int)patchset.len, (void *)patchset.ptr, NULL,
                                          no_conflict, NULL),
                   SQLITE_OK);
  FREE_LATER char *one = dump_database(p->db), *other = dump_database(p->copy);
  assert_string_equal(one, other);
  changes_clear(&p->changes);
}

static const char kinds[] =
    "CREATE TABLE kinds (a INTEGER PRIMARY KEY, b, c TEXT, d BLOB, e REAL);"
    "CREATE TABLE pairs (x TEXT, y INTEGER, z TEXT UNIQUE, PRIMARY KEY (y, x));"
    "CREATE TABLE flat (day INTEGER, who TEXT, sum INTEGER, PRIMARY KEY (who, day)) WITHOUT ROWID;";

static void every_kind_of_value_and_change_is_copied(void **state) {
  static const char *const steps[] = {
      "INSERT INTO kinds VALUES (1, NULL, 'text', x'00ff', 1.5), (2, 3, '', x'', -0.0)",
      "INSERT INTO kinds VALUES (-9223372036854775807, 'x', 'a' || char(0), zeroblob(9), 1e99)",
      "INSERT INTO kinds VALUES (3, 9223372036854775807, hex(zeroblob(70000)), zeroblob(40000), 4)",
      "UPDATE kinds SET b = 'other', e = NULL WHERE a = 1",
      "UPDATE kinds SET c = c || 'x', d = x'01' WHERE a = 3",
      "UPDATE kinds SET c = c", /* changes nothing */
      "UPDATE kinds SET a = 77 WHERE a = 2",
      "REPLACE INTO kinds VALUES (77, 1, 'replaced', NULL, 2)",
      "INSERT INTO pairs VALUES ('p', 1, 'u1'), ('q', 1, 'u2'), ('p', 2, 'u3')",
      "REPLACE INTO pairs VALUES ('r', 9, 'u1')", /* displaces another key's row */
      "UPDATE pairs SET z = CASE z WHEN 'u2' THEN 'swap' ELSE z END",
      "UPDATE pairs SET y = y + 1",
      "INSERT INTO flat VALUES (1, 'a', 5), (2, 'a', 6), (1, 'b', 7)",
      "INSERT INTO flat VALUES (1, 'a', 5) ON CONFLICT (who, day) DO UPDATE SET sum = sum + 5",
      "INSERT INTO flat VALUES (1, 'b', 5) ON CONFLICT DO NOTHING",
      "UPDATE flat SET day = 9 WHERE who = 'b'",
      "DELETE FROM flat WHERE who = 'a' AND day = 2",
      "DELETE FROM pairs",
      "DELETE FROM kinds WHERE a < 0",
  };
  struct pair p;
  open_pair(&p, kinds);
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
    run(p.db, steps[i]);
    assert_copied(&p);
  }
  close_pair(&p);
  open_pair(&p, kinds);
  run(p.db, "BEGIN"); /* now all in one patchset, rows changed several times */
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) run(p.db, steps[i]);
  run(p.db, "COMMIT");
  assert_copied(&p);
  close_pair(&p);
}

/* What the extension itself makes of the same transaction. */
static void the_bytes_are_those_of_a_session(void **state) {
  static const char *const steps[] = {
      "INSERT INTO kinds VALUES (5, NULL, 'text', x'00ff', 1.5)",
      "UPDATE kinds SET c = 'new', e = 2.5 WHERE a = 5",
      "DELETE FROM kinds WHERE a = 5",
      "INSERT INTO pairs VALUES ('p', 1, hex(zeroblob(9000)))",
      "UPDATE pairs SET z = 'short'",
      "DELETE FROM pairs",
      "INSERT INTO flat VALUES (7, 'who', 8)",
      "UPDATE flat SET sum = sum + 1",
      "DELETE FROM flat",
  };
  struct pair p;
  open_pair(&p, kinds);
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
    sqlite3_session *session;
    int size;
    void *theirs;
    /* one hook a connection: the statement is run for the one, undone, and run for the other */
    run(p.db, "SAVEPOINT step");
    run(p.db, steps[i]);
    BUFFER_LATER struct buffer b;
    struct bytes ours = gather(&p.changes, &b);
    run(p.db, "ROLLBACK TO step");
    changes_done(&p.changes);
    assert_int_equal(sqlite3session_create(p.db, "main", &session), SQLITE_OK);
    assert_int_equal(sqlite3session_attach(session, NULL), SQLITE_OK);
    run(p.db, steps[i]);
    assert_int_equal(sqlite3session_patchset(session, &size, &theirs), SQLITE_OK);
    assert_int_equal(ours.len, size);
    assert_memory_equal(ours.ptr, theirs, ours.len);
    sqlite3_free(theirs);
    sqlite3session_delete(session);
    run(p.db, "RELEASE step");
    assert_int_equal(changes_init(&p.changes, p.db, NULL), STATUS_OK);
  }
  close_pair(&p);
}

static void what_triggers_and_cascades_do_is_there(void **state) {
  struct pair p;
  open_pair(&p,
            "CREATE TABLE a (id INTEGER PRIMARY KEY, n);"
            "CREATE TABLE b (id INTEGER PRIMARY KEY, a REFERENCES a (id) ON DELETE CASCADE);"
            "CREATE TABLE total (id INTEGER PRIMARY KEY, n);"
            "INSERT INTO total VALUES (1, 0);"
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE total SET n = n + new.n; END;");
  run(p.db,
      "BEGIN; INSERT INTO a VALUES (1, 5), (2, 6); INSERT INTO b VALUES (10, 1), (11, 2);"
      "COMMIT");
  assert_copied(&p);
  run(p.db, "DELETE FROM a WHERE id = 1");
  assert_copied(&p);
  close_pair(&p);
}

/* Rows from before an ALTER TABLE ADD COLUMN do not hold the column. */
static void a_column_that_was_added_is_copied(void **state) {
  struct pair p;
  static const char schema[] =
      "CREATE TABLE t (id INTEGER PRIMARY KEY, n);"
      "INSERT INTO t VALUES (1, 1), (2, 2), (3, 3), (4, 4);"
      "ALTER TABLE t ADD COLUMN d TEXT DEFAULT 'x'; ALTER TABLE t ADD COLUMN e";
  open_pair(&p, schema);
  run(p.db,
      "UPDATE t SET n = 10 WHERE id = 1; UPDATE t SET d = NULL WHERE id = 2;"
      "UPDATE t SET d = 'x', e = 5 WHERE id = 3; DELETE FROM t WHERE id = 4");
  assert_copied(&p);
  close_pair(&p);
}

static void rows_described_by_hand_are_the_same(void **state) {
  struct pair p;
  open_pair(&p, kinds);
  assert_null(changes_by_hand(&p.changes, "pairs", 4));
  assert_null(changes_by_hand(&p.changes, "nowhere", 3));
  run(p.db, "CREATE TRIGGER flat_t AFTER INSERT ON Flat BEGIN SELECT 1; END");
  assert_int_equal(changes_init(&p.changes, p.db, NULL), STATUS_OK);
  assert_null(changes_by_hand(&p.changes, "flat", 3));
  run(p.db, "INSERT INTO pairs VALUES ('text', 70000, NULL), ('', -1, 'u')");
  BUFFER_LATER struct buffer hooked, described;
  gather(&p.changes, &hooked);
  run(p.db, "DELETE FROM pairs");
  changes_clear(&p.changes);
  struct changes_table *t = changes_by_hand(&p.changes, "pairs", 3);
  changes_put_insert(t);
  changes_put_text(t, bytes_of("text"));
  changes_put_int(t, 70000);
  changes_put_null(t);
  changes_put_insert(t);
  changes_put_text(t, bytes_of(""));
  changes_put_int(t, -1);
  changes_put_text(t, bytes_of("u"));
  run(p.db, "INSERT INTO pairs VALUES ('text', 70000, NULL), ('', -1, 'u')");
  changes_by_hook(&p.changes);
  gather(&p.changes, &described);
  assert_true(bytes_equal(buffer_bytes(&hooked), buffer_bytes(&described)));
  run(p.db, "INSERT INTO flat VALUES (1, 'a', 1)"); /* the hook is back */
  assert_copied(&p);
  close_pair(&p);
}

static void what_was_taken_back_is_not_there(void **state) {
  struct pair p;
  open_pair(&p, kinds);
  run(p.db, "BEGIN; INSERT INTO kinds (a) VALUES (1); ROLLBACK");
  assert_copied(&p);
  run(p.db, "BEGIN; INSERT INTO kinds (a) VALUES (2); SAVEPOINT s");
  changes_mark(&p.changes);
  run(p.db, "INSERT INTO kinds (a) VALUES (3); INSERT INTO flat VALUES (1, 'a', 1)");
  run(p.db, "ROLLBACK TO s; RELEASE s");
  changes_rewind(&p.changes);
  run(p.db, "INSERT INTO kinds (a) VALUES (4); COMMIT");
  assert_copied(&p);
  run(p.db, "BEGIN; INSERT INTO pairs VALUES ('p', 1, 'u')");
  assert_int_equal(sqlite3_exec(p.db,
                                "INSERT OR ROLLBACK INTO pairs VALUES ('q', 2, 'v'),"
                                " ('r', 3, 'u')",
                                NULL, NULL, NULL),
                   SQLITE_CONSTRAINT);
  assert_copied(&p);
  close_pair(&p);
}

static void what_cannot_be_told_is_admitted(void **state) {
  struct pair p;
  struct iovec pieces[CHANGES_PIECES_MAX];
  size_t count;
  open_pair(&p, "CREATE TABLE keyless (a)");
  run(p.db, "INSERT INTO keyless VALUES (1)");
  assert_int_equal(changes_list(&p.changes, pieces, &count), STATUS_UNSUPPORTED);
  changes_clear(&p.changes);
  assert_int_equal(changes_list(&p.changes, pieces, &count), STATUS_OK);
  run(p.db, "CREATE TABLE later (a INTEGER PRIMARY KEY); INSERT INTO later VALUES (1)");
  assert_int_equal(changes_list(&p.changes, pieces, &count), STATUS_UNSUPPORTED);
  close_pair(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_kind_of_value_and_change_is_copied),
      cmocka_unit_test(the_bytes_are_those_of_a_session),
      cmocka_unit_test(what_triggers_and_cascades_do_is_there),
      cmocka_unit_test(a_column_that_was_added_is_copied),
      cmocka_unit_test(rows_described_by_hand_are_the_same),
      cmocka_unit_test(what_was_taken_back_is_not_there),
      cmocka_unit_test(what_cannot_be_told_is_admitted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
