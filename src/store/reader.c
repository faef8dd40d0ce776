#include "store/reader.h"

#include "base/clock.h"
#include "store/database.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct reader_pool {
  pthread_mutex_t lock;
  pthread_cond_t given;
  struct reader *idle;
  size_t open, size;
  int64_t timeout_ms;
  char path[];
};

enum status reader_pool_make(const char *path, size_t size, int64_t timeout_ms,
                             struct reader_pool **ret_pool) {
  struct reader_pool *pool = calloc(1, sizeof *pool + strlen(path) + 1);
  if (!pool) return STATUS_NOMEM;
  memcpy(pool->path, path, strlen(path) + 1);
  pool->size = size ? size : 1;
  pool->timeout_ms = timeout_ms;
  pthread_mutex_init(&pool->lock, NULL);
  clock_cond_init(&pool->given);
  *ret_pool = pool;
  return STATUS_OK;
}

static void reader_free(struct reader *reader) {
  for (int i = 0; i < READER_STATEMENTS; i++) sqlite3_finalize(reader->statements[i]);
  sqlite_close(reader->db);
  free(reader);
}

void reader_pool_free(struct reader_pool *pool) {
  if (!pool) return;
  for (struct reader *reader = pool->idle, *next; reader; reader = next) {
    next = reader->next;
    reader_free(reader);
  }
  pthread_cond_destroy(&pool->given);
  pthread_mutex_destroy(&pool->lock);
  free(pool);
}

static enum status reader_make(struct reader_pool *pool, struct reader **ret_reader,
                               struct error *err) {
  struct reader *reader = calloc(1, sizeof *reader);
  if (!reader) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  enum status status = database_open_reader(pool->path, pool->timeout_ms, &reader->db, err);
  if (status) {
    free(reader);
    return status;
  }
  *ret_reader = reader;
  return STATUS_OK;
}

/* The lock is held. Waits until one is idle or may be opened. */
static enum status wait_for_one(struct reader_pool *pool) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  int64_t ns = until.tv_nsec + pool->timeout_ms % 1000 * 1000000;
  until.tv_sec += pool->timeout_ms / 1000 + ns / 1000000000;
  until.tv_nsec = ns % 1000000000;
  while (!pool->idle && pool->open >= pool->size)
    if (pthread_cond_timedwait(&pool->given, &pool->lock, &until) == ETIMEDOUT)
      return pool->idle || pool->open < pool->size ? STATUS_OK : STATUS_TIMEOUT;
  return STATUS_OK;
}

enum status reader_take(struct reader_pool *pool, struct reader **ret_reader, struct error *err) {
  pthread_mutex_lock(&pool->lock);
  enum status status = wait_for_one(pool);
  struct reader *reader = status ? NULL : pool->idle;
  if (reader)
    pool->idle = reader->next;
  else if (!status)
    pool->open++;
  pthread_mutex_unlock(&pool->lock);
  if (status) return error_set(err, status, NULL, "all %zu database readers are busy", pool->size);
  if (!reader) {
    status = reader_make(pool, &reader, err);
    if (status) {
      pthread_mutex_lock(&pool->lock);
      pool->open--;
      pthread_cond_signal(&pool->given);
      pthread_mutex_unlock(&pool->lock);
      return status;
    }
  }
  *ret_reader = reader;
  return STATUS_OK;
}

/* sqlite3_db_status: page cache, schema and statements are all that a connection keeps. */
static int64_t bytes_of_connection(sqlite3 *db) {
  static const int kinds[] = {SQLITE_DBSTATUS_CACHE_USED, SQLITE_DBSTATUS_SCHEMA_USED,
                              SQLITE_DBSTATUS_STMT_USED};
  int64_t bytes = 0;
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    int now = 0, most = 0;
    if (sqlite3_db_status(db, kinds[i], &now, &most, 0) == SQLITE_OK) bytes += now;
  }
  return bytes;
}

int64_t reader_pool_bytes(struct reader_pool *pool) {
  int64_t bytes = 0;
  pthread_mutex_lock(&pool->lock);
  for (struct reader *r = pool->idle; r; r = r->next) bytes += bytes_of_connection(r->db);
  pthread_mutex_unlock(&pool->lock);
  return bytes;
}

void reader_give(struct reader_pool *pool, struct reader *reader) {
  pthread_mutex_lock(&pool->lock);
  reader->next = pool->idle;
  pool->idle = reader;
  pthread_cond_signal(&pool->given);
  pthread_mutex_unlock(&pool->lock);
}

enum status reader_prepare(struct reader *reader, int slot, const char *sql,
                           sqlite3_stmt **ret_statement, struct error *err) {
  if (!reader->statements[slot]) {
    enum status status = sqlite_prepare(reader->db, sql, &reader->statements[slot], err);
    if (status) return status;
  }
  *ret_statement = reader->statements[slot];
  return STATUS_OK;
}

static enum status run(struct reader *reader, int slot, const char *sql, struct error *err) {
  sqlite3_stmt *s;
  enum status status = reader_prepare(reader, slot, sql, &s, err);
  if (status) return status;
  int rc = sqlite3_step(s);
  if (rc != SQLITE_DONE) status = sqlite_error(reader->db, rc, err);
  sqlite3_reset(s);
  return status;
}

enum status reader_begin(struct reader *reader, struct error *err) {
  return run(reader, READER_BEGIN, "BEGIN", err);
}

void reader_end(struct reader *reader) {
  if (run(reader, READER_END, "COMMIT", NULL) && !sqlite3_get_autocommit(reader->db))
    sqlite3_exec(reader->db, "ROLLBACK", NULL, NULL, NULL);
}
