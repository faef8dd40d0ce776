#include "store/handle.h"

/* Nobody can say any more of which request a deleted debate was: none is refused for it. */
static bool is_same(sqlite3_stmt *row, const struct store_start_key *key) {
  const void *digest = sqlite3_column_blob(row, 1);
  size_t size = (size_t)sqlite3_column_bytes(row, 1);
  return size == 0 || (size == sizeof key->digest && memcmp(digest, key->digest, size) == 0);
}

static enum status find(struct reader *reader, const struct principal *who,
                        const struct store_start_key *key, char **ret_debate_id, bool *ret_same,
                        struct error *err) {
  sqlite3_stmt *s;
  enum status status = reader_prepare(reader, READER_START_KEY,
                                      "SELECT debate_id, digest FROM idempotency_keys"
                                      " WHERE tenant_id = ?1 AND owner_id = ?2 AND key = ?3"
                                      " AND created_ms >= ?4",
                                      &s, err);
  if (status) return status;
  sqlite3_bind_text(s, 1, who->tenant_id, -1, SQLITE_STATIC);
  sqlite3_bind_text(s, 2, who->owner_id, -1, SQLITE_STATIC);
  sqlite3_bind_text(s, 3, key->text, -1, SQLITE_STATIC);
  sqlite3_bind_int64(s, 4, key->expired_ms);
  int rc = sqlite3_step(s);
  if (rc == SQLITE_ROW) {
    const char *id = (const char *)sqlite3_column_text(s, 0);
    char *copy = id ? bytes_dup(bytes_of(id)) : NULL;
    if (copy) {
      *ret_debate_id = copy;
      *ret_same = is_same(s, key);
    } else {
      status = error_set(err, STATUS_NOMEM, NULL, "out of memory");
    }
  } else if (rc == SQLITE_DONE) {
    status = error_set(err, STATUS_NOT_FOUND, NULL, "no such key");
  } else {
    status = sqlite_error(reader->db, rc, err);
  }
  sqlite3_reset(s);
  return status;
}

enum status store_find_start_key(struct store *store, const struct principal *who,
                                 const struct store_start_key *key, char **ret_debate_id,
                                 bool *ret_same, struct error *err) {
  struct reader *reader;
  enum status status = reader_take(store->readers, &reader, err);
  if (status) return status;
  status = find(reader, who, key, ret_debate_id, ret_same, err);
  reader_give(store->readers, reader);
  return status;
}
