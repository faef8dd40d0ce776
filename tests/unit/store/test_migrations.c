/* Every migration up, down and up again with data in place; what a migration may not do; what a
 * program does with a schema that is not its own; the copy before it. Beneath store.h. */
#include "base/clock.h"
#include "fixture.h"
#include "store/copy.h"
#include "store/database.h"
#include "store/migrator.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void run(sqlite3 *db, const char *sql) {
  char *message = NULL;
  if (sqlite3_exec(db, sql, NULL, NULL, &message)) fail_msg("%s: %s", sql, message);
}

static sqlite3 *open_at(const char *path, const struct schema *schema, int64_t version) {
  sqlite3 *db;
  struct error err = {0};
  if (database_open(path, schema, 1000, &db, &err)) fail_msg("%s", err.message);
  assert_int_equal(database_configure(db, path, &err), STATUS_OK);
  if (schema_create(db, schema, version, &err)) fail_msg("%s", err.message);
  return db;
}

static int64_t int_of(sqlite3 *db, const char *sql) {
  int64_t value = -1;
  struct error err = {0};
  if (sqlite_get_int(db, sql, -1, &value, &err)) fail_msg("%s: %s", sql, err.message);
  return value;
}

/* ---- all that stands in a database, as one text ---- */

static void append_rows(sqlite3 *db, const char *sql, struct buffer *out) {
  sqlite3_stmt *s;
  if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
    fail_msg("%s: %s", sql, sqlite3_errmsg(db));
  while (sqlite3_step(s) == SQLITE_ROW) {
    for (int i = 0; i < sqlite3_column_count(s); i++) {
      buffer_append(out, sqlite3_column_blob(s, i), (size_t)sqlite3_column_bytes(s, i));
      buffer_append_char(out, '|');
    }
    buffer_append_char(out, '\n');
  }
  sqlite3_finalize(s);
}

static char *schema_text(sqlite3 *db) {
  struct buffer out;
  buffer_init(&out, 1 << 20);
  append_rows(db,
              "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'"
              " AND name <> '_aragora_migrations' ORDER BY type, name",
              &out);
  return buffer_steal(&out);
}

/* For free(): the columns that the table has in `db`, as a list in SQL. */
static char *columns_of(sqlite3 *db, const char *table) {
  sqlite3_stmt *s;
  char sql[256];
  snprintf(sql, sizeof sql,
           "SELECT group_concat('\"' || name || '\"') FROM pragma_table_info('%s')", table);
  assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_step(s), SQLITE_ROW);
  char *columns = strdup((const char *)sqlite3_column_text(s, 0));
  sqlite3_finalize(s);
  return columns;
}

static bool has_table(sqlite3 *db, const char *name) {
  char sql[256];
  snprintf(sql, sizeof sql, "SELECT count(*) FROM sqlite_schema WHERE name = '%s'", name);
  return int_of(db, sql) > 0;
}

/* The rows of every table that both `other` and `third` have, without the columns that `other`
 * lacks: what a migration between the two may not lose. */
static char *shared_rows(sqlite3 *db, sqlite3 *other, sqlite3 *third) {
  struct buffer out;
  sqlite3_stmt *s;
  char sql[1024];
  buffer_init(&out, 1 << 20);
  assert_int_equal(sqlite3_prepare_v2(db,
                                      "SELECT name FROM sqlite_schema WHERE type = 'table'"
                                      " AND name NOT LIKE 'sqlite_%'"
                                      " AND name <> '_aragora_migrations' ORDER BY name",
                                      -1, &s, NULL),
                   SQLITE_OK);
  while (sqlite3_step(s) == SQLITE_ROW) {
    const char *name = (const char *)sqlite3_column_text(s, 0);
    if (!has_table(other, name) || !has_table(third, name)) continue;
    buffer_printf(&out, "%s\n", name);
    FREE_LATER char *columns = columns_of(other, name);
    snprintf(sql, sizeof sql, "SELECT %s FROM \"%s\" ORDER BY 1, 2", columns, name);
    append_rows(db, sql, &out);
  }
  sqlite3_finalize(s);
  return buffer_steal(&out);
}

/* ---- every migration ---- */

/* Something in every table of the newest schema. */
static void fill_memory(struct fixture *f) {
  struct answers a;
  answers_init(&a);
  fixture_open(f);
  struct store_debate row = make_debate("task", 1);
  struct store_event e = make_event(1, "{\"content\":\"text\"}");
  const struct store_spending spent = {.tenant_id = "local",
                                       .owner_id = "local",
                                       .day = 1,
                                       .tokens = 10,
                                       .usd_micro = 20,
                                       .unpriced = 1};
  const struct store_breaker breaker = {"acme/m-1", 2, 5, 60000, 1, -1, 1, -1, ""};
  assert_int_equal(
      store_append(f->store, "d1", &e, 1, STORE_ROW_INSERT, &row, &spent, 1, answers_add, &a),
      STATUS_OK);
  assert_int_equal(store_put_breaker(f->store, &breaker), STATUS_OK);
  row.status = (char *)"completed";
  row.slug = (char *)"gone";
  const struct store_deletion gone = {"d2", "no more", "local", 2, false, NULL};
  assert_int_equal(
      store_append(f->store, "d2", &e, 1, STORE_ROW_INSERT, &row, NULL, 0, answers_add, &a),
      STATUS_OK);
  assert_int_equal(store_delete_debate(f->store, &PRINCIPAL_LOCAL, &gone, answers_add, &a),
                   STATUS_OK);
  answers_wait(&a, 3);
  for (int i = 0; i < 3; i++) assert_int_equal(a.statuses[i], STATUS_OK);
  fixture_close(f);
}

static void fill_elo(sqlite3 *db) {
  run(db,
      "INSERT INTO contenders (tenant_id, provider, model, agent, demo)"
      " VALUES ('local', 'p', 'a', 'a', 0), ('local', 'p', 'b', 'b', 0);"
      "INSERT INTO standings VALUES (1, '', 1510000, 1, 0, 0, 1), (2, '', 1490000, 0, 1, 0, 1);"
      "INSERT INTO matches VALUES (1, 'd1', 'local', 'local', 'general', '', 1);"
      "INSERT INTO match_players VALUES (1, '', 1, 1510000, 10000, 1, 0);"
      "INSERT INTO match_pairs VALUES (1, 1, 2, 1, 0, 0);"
      "INSERT INTO head_to_head VALUES (1, 2, 1, 0, 0, 0, 1, 1);"
      "INSERT INTO match_totals VALUES ('local', '', 1, 1)");
}

static void assert_schema_of(sqlite3 *db, sqlite3 *fresh) {
  FREE_LATER char *have = schema_text(db), *want = schema_text(fresh);
  assert_string_equal(have, want);
}

/* Down from `version` and up again, compared with databases that were made at either. */
static void there_and_back(struct fixture *f, sqlite3 *db, const struct schema *schema,
                           int64_t version) {
  char paths[2][128];
  struct error err = {0};
  snprintf(paths[0], sizeof paths[0], "%s/fresh-%lld", f->dir, (long long)version - 1);
  snprintf(paths[1], sizeof paths[1], "%s/fresh-%lld", f->dir, (long long)version);
  sqlite3 *older = open_at(paths[0], schema, version - 1);
  sqlite3 *newer = open_at(paths[1], schema, version);
  FREE_LATER char *kept = shared_rows(db, older, newer);
  for (int round = 0; round < 2; round++) {
    if (schema_undo(db, schema, version, &err)) fail_msg("%s", err.message);
    assert_schema_of(db, older);
    FREE_LATER char *down = shared_rows(db, older, newer);
    assert_string_equal(down, kept);
    assert_int_equal(int_of(db, "PRAGMA user_version"), version - 1);
    if (schema_apply(db, schema, version - 1, &err)) fail_msg("%s", err.message);
    assert_schema_of(db, newer);
    FREE_LATER char *up = shared_rows(db, older, newer);
    assert_string_equal(up, kept);
    assert_int_equal(int_of(db, "PRAGMA user_version"), version);
    assert_int_equal(int_of(db,
                            "SELECT count(*) FROM pragma_integrity_check WHERE "
                            "integrity_check <> 'ok'"),
                     0);
  }
  sqlite3_close(older);
  sqlite3_close(newer);
  for (int i = 0; i < 2; i++) unlink(paths[i]);
}

static void every_migration(struct fixture *f, sqlite3 *db, const struct schema *schema) {
  for (int64_t version = (int64_t)*schema->count; version >= 1; version--) {
    there_and_back(f, db, schema, version);
    if (version > 1) assert_int_equal(schema_undo(db, schema, version, NULL), STATUS_OK);
  }
  sqlite3_close(db);
}

/* `made` by its image between the two times, against one that the migrations made. */
static void assert_as_migrated(struct fixture *f, const char *made, const struct schema *schema,
                               int64_t before_ms, int64_t after_ms) {
  static const char rows[] =
      "SELECT version, name, checksum, min_reader_version, down,"
      " down_checksum FROM _aragora_migrations ORDER BY version";
  static const char *const alike[] = {
      rows,
      "PRAGMA application_id",
      "PRAGMA user_version",
      "PRAGMA page_size",
      "PRAGMA auto_vacuum",
      "PRAGMA encoding",
      "PRAGMA journal_mode",
      "PRAGMA integrity_check",
      "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name",
  };
  char path[128], sql[160];
  sqlite3 *image;
  snprintf(path, sizeof path, "%s/migrated", f->dir);
  sqlite3 *migrated = open_at(path, schema, (int64_t)*schema->count);
  assert_int_equal(sqlite3_open(made, &image), SQLITE_OK);
  for (size_t i = 0; i < sizeof alike / sizeof *alike; i++) {
    struct buffer have, want;
    buffer_init(&have, 1 << 20);
    buffer_init(&want, 1 << 20);
    append_rows(image, alike[i], &have);
    append_rows(migrated, alike[i], &want);
    assert_true(have.len > 1);
    assert_string_equal(have.ptr, want.ptr);
    buffer_done(&have);
    buffer_done(&want);
  }
  snprintf(sql, sizeof sql,
           "SELECT count(*) FROM _aragora_migrations WHERE applied_ms BETWEEN %lld AND %lld",
           (long long)before_ms, (long long)after_ms);
  assert_int_equal(int_of(image, sql), (int64_t)*schema->count);
  sqlite3_close(image);
  sqlite3_close(migrated);
  unlink(path);
}

/* In a file that SQLite wrote its version stands there; an image has none. */
static void assert_unwritten(const char *path) {
  unsigned char head[100];
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  assert_int_equal(fread(head, 1, sizeof head, file), sizeof head);
  fclose(file);
  for (int i = 96; i < 100; i++) assert_int_equal(head[i], 0);
}

static void an_image_is_what_the_migrations_make(void **state) {
  struct fixture *f = *state;
  int64_t before_ms = clock_wall_ms(&clock_system);
  fixture_open(f);
  assert_unwritten(f->memory_path);
  assert_unwritten(f->elo_path);
  int64_t after_ms = clock_wall_ms(&clock_system);
  fixture_close(f);
  assert_as_migrated(f, f->memory_path, &schema_memory, before_ms, after_ms);
  assert_as_migrated(f, f->elo_path, &schema_elo, before_ms, after_ms);
}

static void every_migration_goes_down_and_up_with_data(void **state) {
  struct fixture *f = *state;
  fill_memory(f);
  every_migration(f, open_at(f->memory_path, &schema_memory, 0), &schema_memory);
  sqlite3 *elo = open_at(f->elo_path, &schema_elo, 0);
  fill_elo(elo);
  every_migration(f, elo, &schema_elo);
}

/* Going up one by one makes what making it at once makes. */
static void one_by_one_is_the_same_as_at_once(void **state) {
  struct fixture *f = *state;
  char path[128];
  snprintf(path, sizeof path, "%s/at-once", f->dir);
  sqlite3 *at_once = open_at(path, &schema_memory, (int64_t)migrations_memory_count);
  sqlite3 *db = open_at(f->memory_path, &schema_memory, 1);
  for (int64_t v = 1; v < (int64_t)migrations_memory_count; v++)
    assert_int_equal(schema_apply(db, &schema_memory, v, NULL), STATUS_OK);
  assert_schema_of(db, at_once);
  sqlite3_close(db);
  sqlite3_close(at_once);
}

/* ---- migrations of other programs ---- */

#define HASH "0123456789012345678901234567890123456789012345678901234567890123"

/* A program of its own history: these scripts behind a first table. */
struct program {
  struct migration list[3];
  size_t count;
  struct schema schema;
};

static struct schema *program_of(struct program *p, const char *up, const char *down,
                                 int64_t min_reader) {
  *p = (struct program){
      .list = {{1, 1, "first", HASH,
                "CREATE TABLE parents (id INTEGER PRIMARY KEY) STRICT;"
                "CREATE TABLE children (id INTEGER PRIMARY KEY, parent INTEGER NOT NULL"
                " REFERENCES parents (id) ON DELETE CASCADE) STRICT;",
                "DROP TABLE children; DROP TABLE parents;"},
               {2, min_reader, "second", HASH, up, down}},
      .count = up ? 2 : 1};
  p->schema = schema_memory;
  p->schema.migrations = p->list;
  p->schema.count = &p->count;
  return &p->schema;
}

static sqlite3 *open_family(struct fixture *f, const struct schema *schema) {
  sqlite3 *db = open_at(f->memory_path, schema, 1);
  run(db,
      "INSERT INTO parents VALUES (1), (2);"
      "INSERT INTO children VALUES (1, 1), (2, 1), (3, 2)");
  return db;
}

/* A table replaced by another one takes no rows of others along. */
static void a_replaced_table_keeps_its_children(void **state) {
  struct fixture *f = *state;
  struct program p;
  struct schema *schema = program_of(&p,
                                     "CREATE TABLE next (id INTEGER PRIMARY KEY, name TEXT) STRICT;"
                                     "INSERT INTO next (id) SELECT id FROM parents;"
                                     "DROP TABLE parents; ALTER TABLE next RENAME TO parents;",
                                     "ALTER TABLE parents DROP COLUMN name;", 1);
  sqlite3 *db = open_family(f, schema);
  assert_int_equal(schema_apply(db, schema, 1, NULL), STATUS_OK);
  assert_int_equal(int_of(db, "SELECT count(*) FROM children"), 3);
  assert_int_equal(int_of(db, "PRAGMA foreign_keys"), 1);
  assert_int_equal(schema_undo(db, schema, 2, NULL), STATUS_OK);
  assert_int_equal(int_of(db, "SELECT count(*) FROM children"), 3);
  sqlite3_close(db);
}

/* Each of them leaves everything as it was. */
static void a_script_that_fails_changes_nothing(void **state) {
  struct fixture *f = *state;
  static const struct {
    const char *up, *words;
    enum status status;
  } rows[] = {
      {"DELETE FROM children; CREATE TABLE parents (x);", "migration 2: table parents",
       STATUS_INTERNAL},
      {"DELETE FROM parents WHERE id = 1;", "2 rows that refer to none", STATUS_CONFLICT},
      {"DELETE FROM children; COMMIT; CREATE TABLE more (x INTEGER) STRICT;", "not authorized",
       STATUS_INTERNAL},
      {"DELETE FROM children; ATTACH '/tmp/elsewhere.db' AS x;", "not authorized", STATUS_INTERNAL},
      {"DELETE FROM children; PRAGMA journal_mode = DELETE;", "not authorized", STATUS_INTERNAL},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct program p;
    struct error err = {0};
    struct schema *schema = program_of(&p, rows[i].up, "", 1);
    sqlite3 *db = open_family(f, schema);
    FREE_LATER char *before = schema_text(db);
    assert_int_equal(schema_apply(db, schema, 1, &err), rows[i].status);
    if (!strstr(err.message, rows[i].words)) fail_msg("row %zu: %s", i, err.message);
    FREE_LATER char *after = schema_text(db);
    assert_string_equal(before, after);
    assert_int_equal(int_of(db, "SELECT count(*) FROM children"), 3);
    assert_int_equal(int_of(db, "SELECT max(version) FROM _aragora_migrations"), 1);
    assert_int_equal(int_of(db, "PRAGMA foreign_keys"), 1);
    sqlite3_close(db);
    unlink(f->memory_path);
  }
}

static void an_empty_database_gets_all_or_nothing(void **state) {
  struct fixture *f = *state;
  struct program p;
  struct schema *schema = program_of(&p, "CREATE TABLE parents (x);", "", 1);
  sqlite3 *db;
  assert_int_equal(database_open(f->memory_path, schema, 100, &db, NULL), STATUS_OK);
  assert_int_equal(database_prepare(db, schema, f->memory_path, NULL), STATUS_INTERNAL);
  assert_int_equal(int_of(db, "SELECT count(*) FROM sqlite_schema"), 0);
  sqlite3_close(db);
}

/* The release before has one migration less. */
static void an_older_program_steps_back_by_itself(void **state) {
  struct fixture *f = *state;
  struct program older, newer;
  struct error err = {0};
  struct schema *new_schema =
      program_of(&newer, "ALTER TABLE children RENAME TO kids;",
                 "-- a comment; and ' a quote\nALTER TABLE kids RENAME TO children;", 2);
  struct schema *old_schema = program_of(&older, NULL, NULL, 1);
  sqlite3 *db = open_family(f, new_schema);
  assert_int_equal(schema_apply(db, new_schema, 1, NULL), STATUS_OK);
  assert_int_equal(schema_check(db, old_schema, "x.db", &err), STATUS_UNSUPPORTED);
  assert_non_null(strstr(err.message, "run: aragora migrate rollback --to 1 --db-path x.db"));
  assert_int_equal(schema_undo(db, old_schema, 2, &err), STATUS_OK);
  assert_int_equal(schema_check(db, old_schema, "x.db", &err), STATUS_OK);
  assert_int_equal(int_of(db, "SELECT count(*) FROM children"), 3);
  sqlite3_close(db);
}

static void an_older_program_lives_with_what_is_added(void **state) {
  struct fixture *f = *state;
  struct program older, newer;
  struct schema *new_schema = program_of(&newer, "CREATE TABLE more (x INTEGER) STRICT;", "", 1);
  struct schema *old_schema = program_of(&older, NULL, NULL, 1);
  sqlite3 *db = open_family(f, new_schema);
  assert_int_equal(schema_apply(db, new_schema, 1, NULL), STATUS_OK);
  sqlite3_close(db);
  assert_int_equal(database_open(f->memory_path, old_schema, 100, &db, NULL), STATUS_OK);
  assert_int_equal(database_prepare(db, old_schema, f->memory_path, NULL), STATUS_OK);
  assert_int_equal(int_of(db, "PRAGMA user_version"), 2);
  sqlite3_close(db);
}

static void a_way_back_that_is_damaged_or_missing_is_not_taken(void **state) {
  struct fixture *f = *state;
  struct program older, newer;
  struct error err = {0};
  struct schema *new_schema =
      program_of(&newer, "CREATE TABLE more (x INTEGER) STRICT;", "DROP TABLE more;", 2);
  struct schema *old_schema = program_of(&older, NULL, NULL, 1);
  sqlite3 *db = open_family(f, new_schema);
  assert_int_equal(schema_apply(db, new_schema, 1, NULL), STATUS_OK);
  run(db, "UPDATE _aragora_migrations SET down = 'DROP TABLE children;' WHERE version = 2");
  assert_int_equal(schema_undo(db, old_schema, 2, &err), STATUS_CORRUPT);
  assert_int_equal(int_of(db, "SELECT count(*) FROM children"), 3);
  run(db, "UPDATE _aragora_migrations SET down = NULL, down_checksum = NULL WHERE version = 2");
  assert_int_equal(schema_undo(db, old_schema, 2, &err), STATUS_UNSUPPORTED);
  assert_non_null(strstr(err.message, "with the program that made it"));
  assert_int_equal(schema_undo(db, new_schema, 2, &err), STATUS_OK);
  sqlite3_close(db);
}

/* The table as the first programs made it. */
static void a_table_without_ways_back_gets_them(void **state) {
  struct fixture *f = *state;
  struct program p;
  struct schema *schema =
      program_of(&p, "CREATE TABLE more (x INTEGER) STRICT;", "DROP TABLE more;", 1);
  sqlite3 *db = open_family(f, schema);
  run(db,
      "ALTER TABLE _aragora_migrations DROP COLUMN down;"
      "ALTER TABLE _aragora_migrations DROP COLUMN down_checksum");
  assert_int_equal(schema_apply(db, schema, 1, NULL), STATUS_OK);
  assert_int_equal(int_of(db,
                          "SELECT down = 'DROP TABLE more;' FROM _aragora_migrations"
                          " WHERE version = 2"),
                   1);
  sqlite3_close(db);
}

/* ---- by hand ---- */

static void a_migrator_wants_the_file_for_itself(void **state) {
  struct fixture *f = *state;
  struct migrator *m;
  struct error err = {0};
  fill_memory(f);
  fixture_open(f);
  assert_int_equal(migrator_open(DATABASE_MEMORY, f->memory_path, 20, &m, &err), STATUS_TIMEOUT);
  assert_non_null(strstr(err.message, "another program has it open"));
  struct migrator_state look; /* but may be looked at */
  assert_int_equal(migrator_look(DATABASE_MEMORY, f->memory_path, 20, &look, NULL), STATUS_OK);
  assert_true(look.exists);
  assert_int_equal(look.version, migrations_memory_count);
  assert_int_equal(look.count, migrations_memory_count);
  migrator_state_done(&look);
  fixture_close(f);
  assert_int_equal(migrator_open(DATABASE_MEMORY, f->memory_path, 20, &m, &err), STATUS_OK);
  sqlite3 *db;
  assert_int_equal(sqlite3_open(f->memory_path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_exec(db, "SELECT * FROM debates", NULL, NULL, NULL), SQLITE_BUSY);
  sqlite3_close(db);
  migrator_close(m);
}

static void a_look_at_nothing_makes_nothing(void **state) {
  struct fixture *f = *state;
  struct migrator_state look;
  struct stat st;
  assert_int_equal(migrator_look(DATABASE_ELO, f->elo_path, 20, &look, NULL), STATUS_OK);
  assert_false(look.exists);
  assert_int_equal(look.version, 0);
  assert_int_equal(look.entries[0].applied_ms, -1);
  migrator_state_done(&look);
  assert_int_not_equal(stat(f->elo_path, &st), 0);
}

static void a_copy_holds_what_the_log_holds(void **state) {
  struct fixture *f = *state;
  char path[128], other[128];
  int64_t bytes = 0;
  struct stat st;
  struct error err = {0};
  snprintf(path, sizeof path, "%s/copy.db", f->dir);
  sqlite3 *db = open_at(f->memory_path, &schema_memory, 1);
  run(db,
      "INSERT INTO debates (id, slug, status, created_ms, task)"
      " VALUES ('d1', 'slug', 'completed', 1, 'task')"); /* is in the -wal only */
  chmod(f->memory_path, 0666);
  if (copy_make(db, path, &bytes, &err)) fail_msg("%s", err.message);
  assert_int_equal(copy_make(db, path, &bytes, &err), STATUS_CONFLICT);
  sqlite3_close(db);
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 0777 & ~(mode_t)0640, 0);
  assert_int_equal(st.st_size, bytes);
  snprintf(other, sizeof other, "%s.partial", path);
  assert_int_not_equal(stat(other, &st), 0);
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  assert_int_equal(int_of(db, "SELECT count(*) FROM debates"), 1);
  assert_int_equal(int_of(db,
                          "SELECT count(*) FROM pragma_journal_mode WHERE"
                          " journal_mode = 'delete'"),
                   1);
  sqlite3_close(db);
  snprintf(other, sizeof other, "%s-wal", path);
  assert_int_not_equal(stat(other, &st), 0);
}

static void a_damaged_database_is_not_copied(void **state) {
  struct fixture *f = *state;
  char path[128];
  int64_t bytes = 0;
  struct stat st;
  struct error err = {0};
  snprintf(path, sizeof path, "%s/copy.db", f->dir);
  fill_memory(f);
  assert_int_equal(stat(f->memory_path, &st), 0);
  FILE *file = fopen(f->memory_path, "r+");
  assert_non_null(file);
  for (long at = 2 * 4096; at < st.st_size; at += 4096) {
    fseek(file, at, SEEK_SET);
    fputs("noise", file);
  }
  fclose(file);
  sqlite3 *db;
  assert_int_equal(
      database_open_any(f->memory_path, &schema_memory, SQLITE_OPEN_READWRITE, 100, &db, NULL),
      STATUS_OK);
  assert_int_equal(copy_make(db, path, &bytes, &err), STATUS_CORRUPT);
  sqlite3_close(db);
  assert_int_not_equal(stat(path, &st), 0);
}

/* Every page can be read, but the row and its index no longer say the same. */
static void a_database_that_contradicts_itself_is_not_copied(void **state) {
  struct fixture *f = *state;
  static char content[1 << 20];
  char path[128];
  int64_t bytes = 0;
  struct stat st;
  struct error err = {0};
  snprintf(path, sizeof path, "%s/copy.db", f->dir);
  fill_memory(f);
  FILE *file = fopen(f->memory_path, "r+");
  assert_non_null(file);
  size_t len = fread(content, 1, sizeof content, file);
  char *slug = memmem(content, len, "task-1970", 9);
  assert_non_null(slug);
  fseek(file, slug - content, SEEK_SET);
  fputc('u', file);
  fclose(file);
  sqlite3 *db;
  assert_int_equal(
      database_open_any(f->memory_path, &schema_memory, SQLITE_OPEN_READWRITE, 100, &db, NULL),
      STATUS_OK);
  assert_int_equal(copy_make(db, path, &bytes, &err), STATUS_CORRUPT);
  assert_non_null(strstr(err.message, "is damaged: "));
  sqlite3_close(db);
  assert_int_not_equal(stat(path, &st), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup_closed, fixture_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(an_image_is_what_the_migrations_make),
      TEST(every_migration_goes_down_and_up_with_data),
      TEST(one_by_one_is_the_same_as_at_once),
      TEST(a_replaced_table_keeps_its_children),
      TEST(a_script_that_fails_changes_nothing),
      TEST(an_empty_database_gets_all_or_nothing),
      TEST(an_older_program_steps_back_by_itself),
      TEST(an_older_program_lives_with_what_is_added),
      TEST(a_way_back_that_is_damaged_or_missing_is_not_taken),
      TEST(a_table_without_ways_back_gets_them),
      TEST(a_migrator_wants_the_file_for_itself),
      TEST(a_look_at_nothing_makes_nothing),
      TEST(a_copy_holds_what_the_log_holds),
      TEST(a_damaged_database_is_not_copied),
      TEST(a_database_that_contradicts_itself_is_not_copied),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
