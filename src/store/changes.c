#include "store/changes.h"

#include <endian.h>
#include <stdlib.h>

/* Longest patchset of a transaction: the writer drains 8 MiB at a time, one batch may have 256. */
enum { TABLE_MAX_BYTES = 1 << 30, KEPT_BYTES = 1 << 20 };

enum { COLUMN_HAS_DEFAULT = 1 };

struct changes_table {
  char *name;
  int columns;
  uint8_t *keys;  /* a column: its place in the primary key from 1, or 0 */
  uint8_t *flags; /* a column: COLUMN_HAS_DEFAULT */
  bool usable;    /* has a primary key and no generated column */
  bool triggers;  /* has some, whose changes only the hook sees */
  size_t head;    /* bytes of the section's head, which `bytes` always begins with */
  size_t mark;
  struct buffer bytes;
};

/* --- the encoding --------------------------------------------------------------------------- */

/* Room for `len` more bytes, which the caller writes and counts. */
static uint8_t *room(struct buffer *b, size_t len) {
  bool has = b->ptr && !b->overflow && len < b->cap - b->len;
  return has || buffer_reserve(b, len) ? (uint8_t *)b->ptr + b->len : NULL;
}

static void put_be64(struct buffer *b, uint8_t type, uint64_t value) {
  uint8_t *at = room(b, 1 + sizeof value);
  if (!at) return;
  value = htobe64(value);
  *at = type;
  memcpy(at + 1, &value, sizeof value);
  b->len += 1 + sizeof value;
}

/* SQLite's variable-length integer: seven bits a byte, the highest first. */
static size_t encode_varint(uint32_t value, uint8_t out[5]) {
  size_t len = 1;
  while (len < 5 && value >> (7 * len)) len++;
  for (size_t i = 0; i < len; i++)
    out[i] = (uint8_t)((value >> (7 * (len - 1 - i)) & 0x7f) | (i + 1 < len ? 0x80 : 0));
  return len;
}

static void put_run(struct buffer *b, uint8_t type, const void *data, size_t len) {
  uint8_t *at = room(b, 6 + len);
  if (!at) return;
  *at = type;
  size_t head = 1 + encode_varint((uint32_t)len, at + 1);
  if (len) memcpy(at + head, data, len);
  b->len += head + len;
}

static uint64_t bits_of(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static void put_byte(struct buffer *b, uint8_t byte) {
  uint8_t *at = room(b, 1);
  if (!at) return;
  *at = byte;
  b->len++;
}

/* A text is read as a blob: that spares SQLite a copy with a NUL at its end. Its type is asked
 * first, as reading changes what is answered. The types' codes are the format's too. */
static void put_value(struct buffer *b, sqlite3_value *value) {
  int type = sqlite3_value_type(value);
  switch (type) {
    case SQLITE_INTEGER: put_be64(b, SQLITE_INTEGER, (uint64_t)sqlite3_value_int64(value)); break;
    case SQLITE_FLOAT: put_be64(b, SQLITE_FLOAT, bits_of(sqlite3_value_double(value))); break;
    case SQLITE_TEXT:
    case SQLITE_BLOB: {
      const void *data = sqlite3_value_blob(value);
      put_run(b, (uint8_t)type, data, (size_t)sqlite3_value_bytes(value));
      break;
    }
    default: put_byte(b, SQLITE_NULL);
  }
}

static void put_head(struct buffer *b, uint8_t operation) {
  uint8_t head[2] = {operation, 0}; /* 0: not "indirect", which nobody asks for */
  buffer_append(b, head, sizeof head);
}

/* --- one changed row ------------------------------------------------------------------------ */

typedef int value_fn(sqlite3 *db, int column, sqlite3_value **ret_value);

static sqlite3_value *value_of(struct changes *changes, value_fn *side, int column) {
  sqlite3_value *value = NULL;
  if (side(changes->db, column, &value) != SQLITE_OK) changes->missed = true;
  return value;
}

static void put_side(struct changes *changes, struct changes_table *t, value_fn *side,
                     bool keys_only) {
  for (int i = 0; i < t->columns; i++) {
    if (keys_only && !t->keys[i]) continue;
    sqlite3_value *value = value_of(changes, side, i);
    if (value) put_value(&t->bytes, value);
  }
}

static void put_insert(struct changes *changes, struct changes_table *t) {
  put_head(&t->bytes, SQLITE_INSERT);
  put_side(changes, t, sqlite3_preupdate_new, false);
}

static void put_delete(struct changes *changes, struct changes_table *t) {
  put_head(&t->bytes, SQLITE_DELETE);
  put_side(changes, t, sqlite3_preupdate_old, true);
}

static bool same_value(sqlite3_value *a, sqlite3_value *b) {
  int type = sqlite3_value_type(a);
  if (type != sqlite3_value_type(b)) return false;
  if (type == SQLITE_INTEGER) return sqlite3_value_int64(a) == sqlite3_value_int64(b);
  if (type == SQLITE_FLOAT) {
    return bits_of(sqlite3_value_double(a)) == bits_of(sqlite3_value_double(b));
  }
  if (type == SQLITE_NULL) return true;
  const void *x = sqlite3_value_blob(a), *y = sqlite3_value_blob(b);
  int len = sqlite3_value_bytes(a);
  return len == sqlite3_value_bytes(b) && (len == 0 || memcmp(x, y, (size_t)len) == 0);
}

/* An old NULL where the column has a default may stand for the default (see the header). */
static bool is_changed(const struct changes_table *t, int column, sqlite3_value *old,
                       sqlite3_value *new) {
  if (!same_value(old, new)) return true;
  return (t->flags[column] & COLUMN_HAS_DEFAULT) && sqlite3_value_type(old) == SQLITE_NULL;
}

/* The key and what is different; a row that stays as it was leaves nothing. A changed key is no
 * update in a patchset. */
static void put_update(struct changes *changes, struct changes_table *t) {
  size_t before = t->bytes.len;
  bool any = false;
  put_head(&t->bytes, SQLITE_UPDATE);
  for (int i = 0; i < t->columns; i++) {
    sqlite3_value *old = value_of(changes, sqlite3_preupdate_old, i);
    sqlite3_value *new = value_of(changes, sqlite3_preupdate_new, i);
    if (!old || !new) return;
    bool changed = is_changed(t, i, old, new);
    if (changed && t->keys[i]) {
      t->bytes.len = before;
      put_delete(changes, t);
      put_insert(changes, t);
      return;
    }
    any |= changed;
    if (changed || t->keys[i])
      put_value(&t->bytes, new);
    else
      put_byte(&t->bytes, 0);
  }
  if (!any) t->bytes.len = before;
}

static struct changes_table *find_table(struct changes *changes, const char *name) {
  for (size_t i = 0; i < changes->count; i++) {
    size_t at = (changes->last + i) % changes->count;
    if (strcmp(changes->tables[at].name, name) != 0) continue;
    changes->last = at;
    return &changes->tables[at];
  }
  return NULL;
}

static void on_change(void *ctx, sqlite3 *db, int operation, const char *database, const char *name,
                      sqlite3_int64 old_rowid, sqlite3_int64 new_rowid) {
  struct changes *changes = ctx;
  if (strcmp(database, "main") != 0 || strncmp(name, "sqlite_", 7) == 0) return;
  struct changes_table *t = find_table(changes, name);
  if (!t || !t->usable || sqlite3_preupdate_count(db) != t->columns)
    changes->missed = true;
  else if (operation == SQLITE_INSERT)
    put_insert(changes, t);
  else if (operation == SQLITE_UPDATE)
    put_update(changes, t);
  else
    put_delete(changes, t);
}

static void on_rollback(void *ctx) {
  changes_clear(ctx);
}

/* --- rows described by hand ------------------------------------------------------------------ */

struct changes_table *changes_by_hand(struct changes *changes, const char *table, int columns) {
  struct changes_table *t = find_table(changes, table);
  if (!t || !t->usable || t->triggers || t->columns != columns) return NULL;
  sqlite3_preupdate_hook(changes->db, NULL, NULL);
  return t;
}

void changes_by_hook(struct changes *changes) {
  sqlite3_preupdate_hook(changes->db, on_change, changes);
}

void changes_put_insert(struct changes_table *table) {
  put_head(&table->bytes, SQLITE_INSERT);
}

void changes_put_int(struct changes_table *table, int64_t value) {
  put_be64(&table->bytes, SQLITE_INTEGER, (uint64_t)value);
}

void changes_put_text(struct changes_table *table, struct bytes text) {
  put_run(&table->bytes, SQLITE_TEXT, text.ptr, text.len);
}

void changes_put_blob(struct changes_table *table, struct bytes blob) {
  put_run(&table->bytes, SQLITE_BLOB, blob.ptr, blob.len);
}

void changes_put_null(struct changes_table *table) {
  put_byte(&table->bytes, SQLITE_NULL);
}

/* --- the tables ----------------------------------------------------------------------------- */

static struct changes_table *add_table(struct changes *changes, const char *name) {
  struct changes_table *more =
      realloc(changes->tables, (changes->count + 1) * sizeof *changes->tables);
  if (!more) return NULL;
  changes->tables = more;
  struct changes_table *t = &more[changes->count++];
  *t = (struct changes_table){.name = strdup(name), .usable = true};
  buffer_init(&t->bytes, TABLE_MAX_BYTES);
  return t->name ? t : NULL;
}

static bool add_column(struct changes_table *t, int key, bool has_default, bool generated) {
  uint8_t *keys = realloc(t->keys, (size_t)t->columns + 1);
  if (keys) t->keys = keys;
  uint8_t *flags = realloc(t->flags, (size_t)t->columns + 1);
  if (flags) t->flags = flags;
  if (!keys || !flags) return false;
  keys[t->columns] = (uint8_t)key;
  flags[t->columns] = has_default ? COLUMN_HAS_DEFAULT : 0;
  t->columns++;
  if (generated) t->usable = false;
  return true;
}

static enum status read_tables(struct changes *changes, sqlite3_stmt *rows, struct error *err) {
  int rc;
  struct changes_table *t = NULL;
  while ((rc = sqlite3_step(rows)) == SQLITE_ROW) {
    const char *name = (const char *)sqlite3_column_text(rows, 0);
    if (!name) return STATUS_NOMEM;
    if (!t || strcmp(t->name, name) != 0) t = add_table(changes, name);
    if (t) t->triggers = sqlite3_column_int(rows, 4) != 0;
    if (!t || !add_column(t, sqlite3_column_int(rows, 1), sqlite3_column_int(rows, 2) != 0,
                          sqlite3_column_int(rows, 3) != 0))
      return STATUS_NOMEM;
  }
  return rc == SQLITE_DONE ? STATUS_OK : sqlite_error(changes->db, rc, err);
}

/* 'P', the number of columns, their places in the key, the name with its NUL. */
static bool begin_section(struct changes_table *t) {
  uint8_t head[6] = {'P'};
  buffer_append(&t->bytes, head, 1 + encode_varint((uint32_t)t->columns, head + 1));
  buffer_append(&t->bytes, t->keys, (size_t)t->columns);
  buffer_append(&t->bytes, t->name, strlen(t->name) + 1);
  t->head = t->mark = t->bytes.len;
  bool has_key = false;
  for (int i = 0; i < t->columns; i++) has_key |= t->keys[i] > 0;
  t->usable &= has_key;
  return !t->bytes.overflow;
}

static enum status find_tables(struct changes *changes, struct error *err) {
  sqlite3_stmt *rows;
  enum status status =
      sqlite_prepare(changes->db,
                     "SELECT t.name, c.pk, c.dflt_value IS NOT NULL, c.hidden <> 0, EXISTS ("
                     " SELECT 1 FROM sqlite_schema g WHERE g.type = 'trigger'"
                     " AND g.tbl_name = t.name COLLATE NOCASE)"
                     " FROM sqlite_schema t, pragma_table_xinfo(t.name) c WHERE t.type = 'table'"
                     " AND t.rootpage > 0 AND t.name NOT LIKE 'sqlite/_%' ESCAPE '/'"
                     " ORDER BY t.rowid, c.cid",
                     &rows, err);
  if (status) return status;
  status = read_tables(changes, rows, err);
  sqlite3_finalize(rows);
  for (size_t i = 0; !status && i < changes->count; i++)
    if (!begin_section(&changes->tables[i])) status = STATUS_NOMEM;
  if (!status && changes->count > CHANGES_PIECES_MAX)
    status = error_set(err, STATUS_UNSUPPORTED, NULL, "more than %d tables", CHANGES_PIECES_MAX);
  if (status == STATUS_NOMEM) error_set(err, status, NULL, "out of memory");
  return status;
}

enum status changes_init(struct changes *changes, sqlite3 *db, struct error *err) {
  changes_done(changes);
  changes->db = db;
  enum status status = find_tables(changes, err);
  if (status) return status;
  sqlite3_preupdate_hook(db, on_change, changes);
  sqlite3_rollback_hook(db, on_rollback, changes);
  return STATUS_OK;
}

void changes_done(struct changes *changes) {
  if (changes->db) {
    sqlite3_preupdate_hook(changes->db, NULL, NULL);
    sqlite3_rollback_hook(changes->db, NULL, NULL);
  }
  for (size_t i = 0; i < changes->count; i++) {
    struct changes_table *t = &changes->tables[i];
    free(t->name);
    free(t->keys);
    free(t->flags);
    buffer_done(&t->bytes);
  }
  free(changes->tables);
  *changes = (struct changes){0};
}

void changes_mark(struct changes *changes) {
  for (size_t i = 0; i < changes->count; i++)
    changes->tables[i].mark = changes->tables[i].bytes.len;
}

/* What was missed stays missed: who rewinds does not know when that was. */
void changes_rewind(struct changes *changes) {
  for (size_t i = 0; i < changes->count; i++)
    changes->tables[i].bytes.len = changes->tables[i].mark;
}

static void clear_table(struct changes_table *t) {
  t->bytes.len = t->mark = t->head;
  t->bytes.overflow = false;
  if (t->bytes.cap <= KEPT_BYTES) return;
  char *less = realloc(t->bytes.ptr, KEPT_BYTES); /* one large transaction is not kept for ever */
  if (!less) return;
  t->bytes.ptr = less;
  t->bytes.cap = KEPT_BYTES;
}

void changes_clear(struct changes *changes) {
  for (size_t i = 0; i < changes->count; i++) clear_table(&changes->tables[i]);
  changes->missed = false;
}

enum status changes_list(const struct changes *changes, struct iovec ret_pieces[CHANGES_PIECES_MAX],
                         size_t *ret_count) {
  size_t count = 0;
  for (size_t i = 0; i < changes->count; i++) {
    const struct changes_table *t = &changes->tables[i];
    if (t->bytes.overflow) return STATUS_UNSUPPORTED;
    if (t->bytes.len > t->head) ret_pieces[count++] = (struct iovec){t->bytes.ptr, t->bytes.len};
  }
  if (changes->missed) return STATUS_UNSUPPORTED;
  *ret_count = count;
  return STATUS_OK;
}
