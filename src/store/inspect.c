#include "store/inspect.h"

#include "base/sha256.h"
#include "store/handle.h"
#include "store/replacement.h"
#include "store/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { URI_MAX = 16384, HASH_SIZE = 32, FORGET_BUSY_MS = 5000 };

struct inspect {
  sqlite3 *db;
  char *path;
  sqlite3_stmt *find_head;
};

/* --- opening ------------------------------------------------------------------------------- */

/* sqlite.org/uri.html: '?' and '#' end the path, '%' begins an escape. */
static void append_uri(struct buffer *uri, const char *path) {
  buffer_append_text(uri, "file:");
  for (const char *p = path; *p; p++) {
    if (*p == '?' || *p == '#' || *p == '%')
      buffer_printf(uri, "%%%02x", (unsigned)*p);
    else
      buffer_append_char(uri, *p);
  }
  buffer_append_text(uri, "?immutable=1");
}

static enum status open_immutable(const char *path, sqlite3 **ret_db, struct error *err) {
  BUFFER_LATER struct buffer uri;
  buffer_init(&uri, URI_MAX);
  append_uri(&uri, path);
  if (uri.overflow)
    return error_set(err, STATUS_INVALID, NULL, "the path %.128s is too long", path);
  return sqlite_open(uri.ptr, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, 0, ret_db, err);
}

/* An empty file passes for a new database elsewhere; here it has lost what it held. */
static enum status check_owner(sqlite3 *db, enum database kind, const char *path,
                               struct error *err) {
  int64_t tables = 0;
  const struct schema *schema = kind == DATABASE_ELO ? &schema_elo : &schema_memory;
  enum status s = sqlite_get_int(db,
                                 "SELECT count(*) FROM sqlite_schema WHERE type = 'table'"
                                 " AND name IN ('_aragora_migrations', 'commits')",
                                 0, &tables, err);
  if (!s && tables != 2)
    s = error_set(err, STATUS_CORRUPT, NULL, "%s: is not an Aragora %s database", path,
                  schema->what);
  return s ? s : schema_check(db, schema, path, err);
}

static enum status open_checked(sqlite3 *db, const char *path, enum database kind,
                                struct inspect **ret_inspect, struct error *err) {
  enum status s = check_owner(db, kind, path, err);
  struct inspect *i = s ? NULL : calloc(1, sizeof *i);
  if (i) i->path = strdup(path);
  if (!i || !i->path) {
    free(i);
    sqlite_close(db);
    return s ? s : error_set(err, STATUS_NOMEM, NULL, "out of memory");
  }
  i->db = db;
  *ret_inspect = i;
  return STATUS_OK;
}

enum status inspect_open(const char *path, enum database kind, struct inspect **ret_inspect,
                         struct error *err) {
  sqlite3 *db = NULL;
  enum status s = open_immutable(path, &db, err);
  return s ? s : open_checked(db, path, kind, ret_inspect, err);
}

enum status inspect_open_live(const char *path, enum database kind, int64_t busy_ms,
                              struct inspect **ret_inspect, struct error *err) {
  sqlite3 *db;
  /* For writing, since only such a connection clears -wal and -shm away when it is the last; but
   * that of a file which is refused stays as it was. */
  enum status s = replacement_finish(path, err);
  if (!s && access(path, F_OK) < 0 && errno == ENOENT)
    s = error_set(err, STATUS_NOT_FOUND, NULL, "there is no database %s", path);
  if (!s) s = sqlite_open(path, SQLITE_OPEN_READWRITE, busy_ms, &db, err);
  if (s) return s;
  sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
  s = sqlite_run(db, "PRAGMA query_only = 1", err);
  if (s) {
    sqlite_close(db);
    return s;
  }
  s = open_checked(db, path, kind, ret_inspect, err);
  if (!s) sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
  return s;
}

void inspect_close(struct inspect *i) {
  if (!i) return;
  sqlite3_finalize(i->find_head);
  sqlite_close(i->db);
  free(i->path);
  free(i);
}

sqlite3 *inspect_connection(const struct inspect *i) {
  return i->db;
}

/* --- its pages and its place ---------------------------------------------------------------- */

enum status inspect_integrity(struct inspect *i, struct error *err) {
  sqlite3_stmt *check;
  enum status s = sqlite_prepare(i->db, "PRAGMA integrity_check(1)", &check, err);
  if (s) return s;
  int rc = sqlite3_step(check);
  const char *text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(check, 0) : NULL;
  if (rc != SQLITE_ROW)
    s = sqlite_error(i->db, rc, err);
  else if (!text || strcmp(text, "ok") != 0)
    s = error_set(err, STATUS_CORRUPT, NULL, "%s: is damaged: %s", i->path, text ? text : "?");
  sqlite3_finalize(check);
  return s;
}

static enum status has_chain(sqlite3 *db, int64_t *ret_yes, struct error *err) {
  return sqlite_get_int(db,
                        "SELECT count(*) FROM pragma_table_info('commits') WHERE name = 'chain'", 0,
                        ret_yes, err);
}

static enum status read_chain(struct inspect *i, char out[INSPECT_CHAIN_SIZE], struct error *err) {
  sqlite3_stmt *row;
  enum status s = sqlite_prepare(i->db, "SELECT chain FROM commits WHERE id = 1", &row, err);
  if (s) return s;
  int rc = sqlite3_step(row);
  struct bytes chain = {NULL, 0};
  if (rc == SQLITE_ROW)
    chain = (struct bytes){(const char *)sqlite3_column_text(row, 0),
                           (size_t)sqlite3_column_bytes(row, 0)};
  if (rc != SQLITE_ROW && rc != SQLITE_DONE)
    s = sqlite_error(i->db, rc, err);
  else if (chain.len >= INSPECT_CHAIN_SIZE)
    s = error_set(err, STATUS_CORRUPT, NULL, "%s: the name of its chain is too long", i->path);
  else if (chain.len)
    memcpy(out, chain.ptr, chain.len);
  sqlite3_finalize(row);
  return s;
}

enum status inspect_position(struct inspect *i, struct inspect_position *ret_position,
                             struct error *err) {
  struct inspect_position p = {0};
  int64_t chained = 0;
  enum status s =
      sqlite_get_int(i->db, "SELECT max(version) FROM _aragora_migrations", 0, &p.schema, err);
  if (!s) s = sqlite_get_int(i->db, "SELECT number FROM commits WHERE id = 1", 0, &p.number, err);
  if (!s) s = has_chain(i->db, &chained, err);
  if (!s && chained) s = read_chain(i, p.chain, err);
  if (!s) *ret_position = p;
  return s;
}

enum status inspect_forget_chain(const char *path, struct error *err) {
  sqlite3 *db;
  int64_t chained = 0;
  enum status s = sqlite_open(path, SQLITE_OPEN_READWRITE, FORGET_BUSY_MS, &db, err);
  if (s) return s;
  s = has_chain(db, &chained, err);
  if (!s && chained) s = sqlite_run(db, "UPDATE commits SET chain = ''", err);
  sqlite_close(db); /* the last one: moves the -wal into the file and removes it */
  int fd = s ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  if (!s && (fd < 0 || fsync(fd) < 0))
    s = error_set(err, STATUS_IO, NULL, "%s: %s", path, strerror(errno));
  if (fd >= 0) close(fd);
  return s;
}

/* --- its debates ---------------------------------------------------------------------------- */

static enum status read_hash(struct inspect *i, sqlite3_stmt *row, int column,
                             const uint8_t **ret_hash, struct error *err) {
  *ret_hash = sqlite3_column_blob(row, column);
  if (*ret_hash && sqlite3_column_bytes(row, column) == HASH_SIZE) return STATUS_OK;
  return error_set(err, STATUS_CORRUPT, NULL, "%s: an event has no hash", i->path);
}

enum status inspect_heads(struct inspect *i, inspect_head_fn *each, void *ctx, struct error *err) {
  sqlite3_stmt *row;
  enum status s =
      sqlite_prepare(i->db,
                     "SELECT d.id, e.seq, e.hash FROM debates d JOIN events e ON"
                     " e.debate = d.num AND e.seq ="
                     " (SELECT max(seq) FROM events WHERE debate = d.num) ORDER BY d.id",
                     &row, err);
  if (s) return s;
  int rc = SQLITE_DONE;
  for (bool more = true; more && !s && (rc = sqlite3_step(row)) == SQLITE_ROW;) {
    const uint8_t *hash;
    const char *id = (const char *)sqlite3_column_text(row, 0);
    if (!id) s = error_set(err, STATUS_NOMEM, NULL, "out of memory");
    if (!s) s = read_hash(i, row, 2, &hash, err);
    if (!s) more = each(ctx, id, (uint64_t)sqlite3_column_int64(row, 1), hash);
  }
  if (!s && rc != SQLITE_ROW && rc != SQLITE_DONE) s = sqlite_error(i->db, rc, err);
  sqlite3_finalize(row);
  return s;
}

enum status inspect_has_head(struct inspect *i, const char *id, uint64_t seq,
                             const uint8_t hash[32], bool *ret_found, bool *ret_same,
                             struct error *err) {
  enum status s = STATUS_OK;
  if (!i->find_head)
    s = sqlite_prepare(i->db,
                       "SELECT e.hash FROM debates d LEFT JOIN events e ON e.debate = d.num"
                       " AND e.seq = ?2 WHERE d.id = ?1",
                       &i->find_head, err);
  if (s) return s;
  sqlite3_bind_text(i->find_head, 1, id, -1, SQLITE_STATIC);
  sqlite3_bind_int64(i->find_head, 2, (int64_t)seq);
  int rc = sqlite3_step(i->find_head);
  if (rc == SQLITE_ROW || rc == SQLITE_DONE) {
    const void *stored = rc == SQLITE_ROW ? sqlite3_column_blob(i->find_head, 0) : NULL;
    *ret_found = rc == SQLITE_ROW;
    *ret_same = stored && sqlite3_column_bytes(i->find_head, 0) == HASH_SIZE &&
                memcmp(stored, hash, HASH_SIZE) == 0;
  } else {
    s = sqlite_error(i->db, rc, err);
  }
  sqlite3_reset(i->find_head);
  return s;
}

enum status inspect_events(struct inspect *i, const char *id, store_event_fn *each, void *ctx,
                           struct error *err) {
  sqlite3_stmt *row;
  enum status s = sqlite_prepare(i->db,
                                 "SELECT " EVENT_ROW_COLUMNS
                                 " FROM events WHERE debate ="
                                 " (SELECT num FROM debates WHERE id = ?1) ORDER BY seq",
                                 &row, err);
  if (s) return s;
  sqlite3_bind_text(row, 1, id, -1, SQLITE_STATIC);
  int rc = SQLITE_DONE;
  struct store_event event;
  for (bool more = true; more && !s && (rc = sqlite3_step(row)) == SQLITE_ROW;) {
    s = event_from_row(row, &event);
    if (!s) more = each(ctx, &event);
  }
  if (s)
    error_set(err, s, NULL, "%s: an event of debate %.128s cannot be read", i->path, id);
  else if (rc != SQLITE_ROW && rc != SQLITE_DONE)
    s = sqlite_error(i->db, rc, err);
  sqlite3_finalize(row);
  return s;
}

/* --- census --------------------------------------------------------------------------------- */

static bool add_head(void *ctx, const char *id, uint64_t seq, const uint8_t hash[32]) {
  char number[BYTES_INT_SIZE];
  size_t len = bytes_from_int((int64_t)seq, number);
  sha256_add(ctx, bytes_of(id));
  sha256_add(ctx, BYTES_LITERAL(" "));
  sha256_add(ctx, (struct bytes){number, len});
  sha256_add(ctx, BYTES_LITERAL(" "));
  sha256_add(ctx, (struct bytes){(const char *)hash, HASH_SIZE});
  return true;
}

enum status inspect_census(struct inspect *i, struct inspect_census *ret_census,
                           struct error *err) {
  struct inspect_census c = {0};
  struct sha256_stream heads;
  sha256_start(&heads);
  enum status s = sqlite_get_int(i->db, "SELECT count(*) FROM debates", 0, &c.debates, err);
  if (!s) s = sqlite_get_int(i->db, "SELECT count(*) FROM events", 0, &c.events, err);
  if (!s) s = inspect_heads(i, add_head, &heads, err);
  if (s) return s;
  sha256_finish(&heads, c.heads_sha256);
  *ret_census = c;
  return STATUS_OK;
}
