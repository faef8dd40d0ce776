#include "store/store.h"

#include "base/clock.h"
#include "base/log.h"
#include "store/database.h"
#include "store/fresh.h"
#include "store/handle.h"
#include "store/replacement.h"

#include <stdlib.h>

/* The writer waits this long inside SQLite for somebody else's lock; after it, the batch is held
 * and tried again, and nobody is kept from stopping it. */
enum { WRITER_BUSY_MS = 1000 };

enum { ELO_READERS = 4 }; /* what they read is small, and most of it is cached above */

/* Migrating is the operator's decision: the file is copied first, and the way back may lose data.
 */
static enum status refuse_behind(sqlite3 *db, const struct schema *schema, const char *path,
                                 const struct store_options *o, struct error *err) {
  struct schema_state state;
  int64_t ours = (int64_t)*schema->count;
  enum status status = schema_read(db, schema, path, &state, err);
  if (status || state.version == 0 || state.version >= ours) return status;
  return error_set(err, STATUS_UNSUPPORTED, NULL,
                   "%s: has schema %lld and this program %lld; run: aragora migrate apply"
                   " --db-path %s --elo-path %s",
                   path, (long long)state.version, (long long)ours, o->memory_path, o->elo_path);
}

/* Where there is neither file; else what is there may refuse, and then nothing is made. What a
 * restore has put beside them comes first. */
static enum status make_files(const struct store_options *o, bool *ret_made, struct error *err) {
  enum status status = replacement_finish(o->memory_path, err);
  *ret_made = false;
  if (status || !fresh_is_free(o->memory_path) || !fresh_is_free(o->elo_path)) return status;
  struct fresh elo = {.path = o->elo_path, .image = &image_elo};
  struct fresh memory = {.path = o->memory_path, .image = &image_memory};
  *ret_made = fresh_make(&elo, &memory);
  return STATUS_OK;
}

/* Both files are checked before either is changed. */
static enum status open_files(struct store *store, const struct store_options *o, sqlite3 **ret_db,
                              struct error *err) {
  int64_t busy_ms = o->timeout_ms < WRITER_BUSY_MS ? o->timeout_ms : WRITER_BUSY_MS;
  sqlite3 *db, *elo = NULL;
  bool made;
  enum status status = make_files(o, &made, err);
  database_open_fn *open = made ? database_open_made : database_open;
  if (!status) status = open(o->memory_path, &schema_memory, busy_ms, &db, err);
  if (status) return status;
  status = open(o->elo_path, &schema_elo, o->timeout_ms, &elo, err);
  if (!status) status = refuse_behind(db, &schema_memory, o->memory_path, o, err);
  if (!status) status = refuse_behind(elo, &schema_elo, o->elo_path, o, err);
  if (!status) status = database_prepare(db, &schema_memory, o->memory_path, err);
  if (!status) status = database_prepare(elo, &schema_elo, o->elo_path, err);
  if (!status) status = elo_init(&store->elo, elo, err);
  if (status) {
    if (store->elo.db)
      elo_done(&store->elo);
    else
      sqlite_close(elo);
    sqlite_close(db);
    return status;
  }
  *ret_db = db;
  return STATUS_OK;
}

static enum status open_parts(struct store *store, const struct store_options *o,
                              struct error *err) {
  sqlite3 *db = NULL;
  enum status status = open_files(store, o, &db, err);
  if (status) return status;
  if (reader_pool_make(o->memory_path, o->pool_size, o->timeout_ms, &store->readers) ||
      reader_pool_make(o->elo_path, ELO_READERS, o->timeout_ms, &store->elo_readers)) {
    sqlite_close(db);
    return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  }
  return writer_start(db, o->max_queued_bytes, o->timeout_ms, o->archive.dir ? &o->archive : NULL,
                      o->audit_rows_max, &store->writer, err);
}

enum status store_open(const struct store_options *options, struct store **ret_store,
                       struct error *err) {
  struct store *store = calloc(1, sizeof *store);
  if (!store) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  pthread_mutex_init(&store->elo_lock, NULL);
  enum status status = open_parts(store, options, err);
  if (status) {
    store_close(store);
    return status;
  }
  *ret_store = store;
  return STATUS_OK;
}

void store_close(struct store *store) {
  if (!store) return;
  /* Readers first: whoever closes a file last moves its -wal into it, and only the writer may. */
  reader_pool_free(store->readers);
  reader_pool_free(store->elo_readers);
  writer_stop(store->writer);
  elo_done(&store->elo);
  pthread_mutex_destroy(&store->elo_lock);
  free(store);
}

enum status store_queue(struct store *store, struct batch *batch, const struct audit_entry *audit,
                        store_done_fn *done, void *ctx) {
  batch->done = done;
  batch->ctx = ctx;
  enum status status = batch_attach_audit(batch, audit);
  if (!status) status = writer_append(store->writer, batch);
  if (status) batch_free(batch);
  return status;
}

enum status store_append(struct store *store, const char *debate_id,
                         const struct store_event *events, size_t count,
                         enum store_row_change change, const struct store_debate *row,
                         const struct store_spending *spending, size_t spending_count,
                         store_done_fn *done, void *ctx) {
  struct batch *batch;
  enum status status = batch_make(debate_id, events, count, change, row, NULL, NULL, spending,
                                  spending_count, &batch);
  return status ? status : store_queue(store, batch, NULL, done, ctx);
}

enum status store_append_start(struct store *store, const char *debate_id,
                               const struct store_event *events, size_t count,
                               const struct store_debate *row, const struct store_start_key *key,
                               const struct store_origin *origin,
                               const struct store_spending *spending, size_t spending_count,
                               store_done_fn *done, void *ctx) {
  struct batch *batch;
  enum status status = batch_make(debate_id, events, count, STORE_ROW_INSERT, row, key, origin,
                                  spending, spending_count, &batch);
  return status ? status : store_queue(store, batch, NULL, done, ctx);
}

enum status store_check_writable(struct store *store, struct error *err) {
  return writer_check(store->writer, err);
}

bool store_writable(struct store *store) {
  return writer_check(store->writer, NULL) == STATUS_OK;
}

int64_t store_readers_bytes(struct store *store) {
  return reader_pool_bytes(store->readers);
}

size_t store_queued_bytes(struct store *store) {
  return writer_queued_bytes(store->writer);
}

int64_t store_writer_busy_us(const struct store *store) {
  return writer_busy_us(store->writer);
}

void store_archive_state(const struct store *store, struct store_archive_state *ret_state) {
  struct archive *archive = writer_archive(store->writer);
  *ret_state = (struct store_archive_state){.base_wanted_since_ms = -1, .last_synced_ms = -1};
  if (archive) archive_get_state(archive, ret_state);
}

enum status store_archive_note_base(struct store *store, const char *chain, struct error *err) {
  struct archive *archive = writer_archive(store->writer);
  if (!archive) return error_set(err, STATUS_UNSUPPORTED, NULL, "commits are not archived");
  return archive_note_base(archive, chain, err);
}

void store_note_checkpoint(struct store *store) {
  writer_note_checkpoint(store->writer);
}

void store_on_seal(struct store *store, store_wake_fn *wake, void *ctx) {
  struct archive *archive = writer_archive(store->writer);
  if (archive) archive_on_seal(archive, wake, ctx);
}

void principal_bind(sqlite3_stmt *statement, const struct principal *who) {
  sqlite3_bind_text(statement, 1, who->tenant_id, -1, SQLITE_STATIC);
  sqlite3_bind_text(statement, 2, who->owner_id, -1, SQLITE_STATIC);
  sqlite3_bind_int(statement, 3, (int)scope_of(who));
}

const char *scope_condition(enum scope scope) {
  switch (scope) {
    case SCOPE_SYSTEM: return "1";
    case SCOPE_TENANT: return "tenant_id = ?1";
    case SCOPE_OWNER:
    default: return "tenant_id = ?1 AND owner_id = ?2";
  }
}

static enum status ping(struct reader_pool *pool, struct error *err) {
  struct reader *reader;
  sqlite3_stmt *s;
  enum status status = reader_take(pool, &reader, err);
  if (status) return status;
  status = reader_prepare(reader, READER_PING, "SELECT number FROM commits", &s, err);
  if (!status) {
    int rc = sqlite3_step(s);
    if (rc != SQLITE_ROW) status = sqlite_error(reader->db, rc, err);
    sqlite3_reset(s);
  }
  reader_give(pool, reader);
  return status;
}

/* Logged when it changes: health is asked for ever. */
static struct store_pulse pulse_of(struct reader_pool *pool, const char *name, atomic_int *last) {
  struct store_pulse pulse = {.us = clock_mono_us(&clock_system)};
  struct log_quoted reason;
  pulse.problem.status = ping(pool, &pulse.problem);
  pulse.us = clock_mono_us(&clock_system) - pulse.us;
  int before = atomic_exchange(last, (int)pulse.problem.status);
  if (before == (int)pulse.problem.status) return pulse;
  if (pulse.problem.status)
    log_error("store", NULL, "event=database_unreadable database=%s reason=%s", name,
              log_quote(&reason, pulse.problem.message));
  else
    log_info("store", NULL, "event=database_readable database=%s", name);
  return pulse;
}

void store_ping(struct store *store, struct store_pulse *ret_memory, struct store_pulse *ret_elo) {
  *ret_memory = pulse_of(store->readers, "memory", &store->memory_pulse);
  *ret_elo = pulse_of(store->elo_readers, "elo", &store->elo_pulse);
}
