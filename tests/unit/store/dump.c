#include "dump.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* sqlite3_mprintf, for free(). */
static char *format(const char *sql, ...) {
  va_list args;
  va_start(args, sql);
  char *theirs = sqlite3_vmprintf(sql, args);
  va_end(args);
  char *ours = strdup(theirs);
  sqlite3_free(theirs);
  return ours;
}

static char *get_text(sqlite3 *db, const char *sql) {
  sqlite3_stmt *s;
  if (sqlite3_prepare_v2(db, sql, -1, &s, NULL)) fail_msg("%s: %s", sql, sqlite3_errmsg(db));
  char *text = sqlite3_step(s) == SQLITE_ROW && sqlite3_column_text(s, 0)
                   ? strdup((const char *)sqlite3_column_text(s, 0))
                   : strdup("");
  sqlite3_finalize(s);
  return text;
}

static void dump_table(sqlite3 *db, const char *table, struct buffer *out) {
  FREE_LATER char *columns_sql = format(
      "SELECT group_concat('quote(\"' || name || '\")', ' || ''|'' || ') FROM"
      " pragma_table_info(%Q)",
      table);
  FREE_LATER char *keys_sql = format(
      "SELECT group_concat('\"' || name || '\"') FROM (SELECT name FROM"
      " pragma_table_info(%Q) WHERE pk ORDER BY pk)",
      table);
  FREE_LATER char *columns = get_text(db, columns_sql), *keys = get_text(db, keys_sql);
  FREE_LATER char *sql =
      format("SELECT %s FROM \"%w\" ORDER BY %s", columns, table, *keys ? keys : "1");
  sqlite3_stmt *s;
  if (sqlite3_prepare_v2(db, sql, -1, &s, NULL)) fail_msg("%s: %s", sql, sqlite3_errmsg(db));
  while (sqlite3_step(s) == SQLITE_ROW)
    buffer_printf(out, "%s: %s\n", table, (const char *)sqlite3_column_text(s, 0));
  sqlite3_finalize(s);
}

char *dump_database(sqlite3 *db) {
  struct buffer out;
  sqlite3_stmt *tables;
  buffer_init(&out, 256 << 20);
  assert_int_equal(sqlite3_prepare_v2(db,
                                      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name"
                                      " NOT LIKE 'sqlite/_%' ESCAPE '/' ORDER BY name",
                                      -1, &tables, NULL),
                   SQLITE_OK);
  while (sqlite3_step(tables) == SQLITE_ROW)
    dump_table(db, (const char *)sqlite3_column_text(tables, 0), &out);
  sqlite3_finalize(tables);
  return buffer_steal(&out);
}

char *dump_file(const char *path) {
  sqlite3 *db;
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  char *text = dump_database(db);
  sqlite3_close(db);
  return text;
}

void copy_database(const char *from, const char *to) {
  sqlite3 *source, *target;
  assert_int_equal(sqlite3_open_v2(from, &source, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
  sqlite3_busy_timeout(source, 10000);
  assert_int_equal(sqlite3_open(to, &target), SQLITE_OK);
  sqlite3_backup *backup = sqlite3_backup_init(target, "main", source, "main");
  assert_non_null(backup);
  assert_int_equal(sqlite3_backup_step(backup, -1), SQLITE_DONE);
  assert_int_equal(sqlite3_backup_finish(backup), SQLITE_OK);
  sqlite3_close(target);
  sqlite3_close(source);
}

void assert_sound(const char *path) {
  sqlite3 *db;
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  FREE_LATER char *whole = get_text(db, "PRAGMA integrity_check");
  FREE_LATER char *orphans = get_text(db, "SELECT count(*) FROM pragma_foreign_key_check");
  assert_string_equal(whole, "ok");
  assert_string_equal(orphans, "0");
  sqlite3_close(db);
}
