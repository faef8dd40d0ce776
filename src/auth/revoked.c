#include "auth/revoked.h"

#include "auth/accounts_state.h"
#include "base/sha256.h"

#include <stdlib.h>

/* A table that cannot grow refuses the entry instead of ending the process. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct revoked_token {
  uint8_t hash[SHA256_SIZE];
  UT_hash_handle hh;
};

struct revoked {
  struct store *store;
  const struct clock *clock;
  size_t max;
  pthread_mutex_t lock;        /* of what follows */
  uint64_t moment;             /* of the last one that was added */
  int64_t read_us;             /* monotonic; -1 = never */
  struct revoked_token *table; /* of those that have not expired when they were read */
};

enum status revoked_create(struct store *store, const struct clock *clock, size_t max,
                           struct revoked **ret_revoked) {
  struct revoked *r = calloc(1, sizeof *r);
  if (!r) return STATUS_NOMEM;
  r->store = store;
  r->clock = clock;
  r->max = max;
  r->read_us = -1;
  pthread_mutex_init(&r->lock, NULL);
  *ret_revoked = r;
  return STATUS_OK;
}

static void drop_all(struct revoked_token **table) {
  while (*table) {
    struct revoked_token *token = *table;
    HASH_DEL(*table, token);
    free(token);
  }
}

void revoked_destroy(struct revoked *r) {
  if (!r) return;
  drop_all(&r->table);
  pthread_mutex_destroy(&r->lock);
  free(r);
}

/* False when memory is short. */
static bool put(struct revoked_token **table, const uint8_t hash[SHA256_SIZE]) {
  struct revoked_token *token = calloc(1, sizeof *token);
  if (!token) return false;
  memcpy(token->hash, hash, sizeof token->hash);
  HASH_ADD(hh, *table, hash, sizeof token->hash, token);
  if (token->hh.tbl) return true;
  free(token);
  return false;
}

/* Locked. */
static bool contains(const struct revoked *r, const uint8_t hash[SHA256_SIZE]) {
  struct revoked_token *token;
  HASH_FIND(hh, r->table, hash, SHA256_SIZE, token);
  return token != NULL;
}

/* ---- reading ---- */

struct reading {
  struct revoked_token *table;
  bool failed;
};

static void keep(void *ctx, const uint8_t hash[STORE_HASH_SIZE]) {
  struct reading *reading = ctx;
  reading->failed = !put(&reading->table, hash) || reading->failed;
}

/* Locked. What was read while one was added may lack that one: then both count. */
static void take_over(struct revoked *r, struct reading *reading, bool whole) {
  struct revoked_token *token, *next;
  if (whole) {
    token = r->table;
    r->table = reading->table;
    reading->table = token;
    return;
  }
  for (token = reading->table; token; token = next) {
    next = token->hh.next;
    if (!contains(r, token->hash) && !put(&r->table, token->hash)) reading->failed = true;
  }
}

static enum status read_all(struct revoked *r) {
  struct reading reading = {0};
  struct error err;
  int64_t read_us = clock_mono_us(r->clock);
  pthread_mutex_lock(&r->lock);
  uint64_t moment = r->moment;
  pthread_mutex_unlock(&r->lock);
  enum status s = store_read_revoked(r->store, clock_wall_ms(r->clock), keep, &reading, &err);
  if (!s && reading.failed) s = STATUS_NOMEM;
  pthread_mutex_lock(&r->lock);
  if (!s) take_over(r, &reading, moment == r->moment);
  if (!s && reading.failed) s = STATUS_NOMEM;
  if (!s) r->read_us = read_us;
  pthread_mutex_unlock(&r->lock);
  drop_all(&reading.table);
  return s;
}

static enum credential look(struct revoked *r, const uint8_t hash[SHA256_SIZE]) {
  int64_t now_us = clock_mono_us(r->clock);
  pthread_mutex_lock(&r->lock);
  bool fresh = r->read_us >= 0 && now_us - r->read_us < (int64_t)REVOKED_FRESH_MS * 1000;
  enum credential answer = contains(r, hash) ? CREDENTIAL_BAD
                           : fresh           ? CREDENTIAL_GOOD
                                             : CREDENTIAL_LATER;
  pthread_mutex_unlock(&r->lock);
  return answer;
}

static enum credential check(void *ctx, const uint8_t hash[SHA256_SIZE], bool may_block) {
  struct revoked *r = ctx;
  enum credential answer = look(r, hash);
  if (answer != CREDENTIAL_LATER || !may_block) return answer;
  if (read_all(r)) return CREDENTIAL_FAILED;
  answer = look(r, hash);
  return answer == CREDENTIAL_LATER ? CREDENTIAL_FAILED : answer;
}

static bool stands(void *ctx, const uint8_t hash[SHA256_SIZE]) {
  struct revoked *r = ctx;
  pthread_mutex_lock(&r->lock);
  bool answer = !contains(r, hash);
  pthread_mutex_unlock(&r->lock);
  return answer;
}

struct auth_revocations revoked_plug(struct revoked *r) {
  return (struct auth_revocations){check, stands, r};
}

/* ---- writing ---- */

enum status revoked_add(struct revoked *r, const uint8_t hash[STORE_HASH_SIZE], int64_t expires_s,
                        const struct audit_entry *entry) {
  /* Known to stand in the table: a row that cannot be inserted would undo the commit of everybody
   * who waits with it, as often as somebody likes. */
  pthread_mutex_lock(&r->lock);
  bool there = contains(r, hash);
  pthread_mutex_unlock(&r->lock);
  if (there) return STATUS_CONFLICT;
  struct account_write w;
  account_write_begin(&w);
  enum status s = account_write_end(
      &w, store_revoke_token(r->store, hash, expires_s * 1000, (int64_t)r->max,
                             clock_wall_ms(r->clock), entry, account_write_done, &w));
  pthread_mutex_lock(&r->lock);
  bool known = contains(r, hash);
  /* Without memory the next call reads it. */
  if (!s && !known && !put(&r->table, hash)) r->read_us = -1;
  if (!s) r->moment++;
  pthread_mutex_unlock(&r->lock);
  /* The store tells not why: that the token is there can be read. */
  if (s == STATUS_CONFLICT && !known && check(r, hash, true) != CREDENTIAL_BAD) s = STATUS_FULL;
  return s;
}
