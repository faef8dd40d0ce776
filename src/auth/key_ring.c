#include "auth/key_ring.h"

#include "auth/api_key.h"
#include "base/secret.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

/* A table that cannot grow refuses the entry instead of ending the process. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* Of a key in constant use the time of its last use is written once a minute. */
enum { USE_NOTED_MS = 60000, MINUTE_US = 60000000, OWNER_KEYS_MAX = 1000 };

struct key_entry {
  char id[API_KEY_PREFIX_SIZE];
  uint64_t generation; /* in which it was read */
  int64_t read_us;     /* likewise: monotonic, before the read */
  uint8_t hash[SHA256_SIZE];
  struct identity identity; /* what the key makes of whoever brings it */
  bool works;               /* but for `expires_us` of the identity */
  int64_t rate;             /* requests a minute; 0 = any */
  double left;              /* of them, at `left_us` of the monotonic clock */
  int64_t left_us;
  int64_t used_ms; /* that was noted */
  UT_hash_handle hh;
};

/* Whether it stands is to be found out. */
struct question {
  struct identity identity; /* of the first who asked */
  UT_hash_handle hh;        /* by its key_id */
};

struct key_ring {
  struct store *store;
  const struct clock *clock;
  size_t max;
  void (*on_read)(void *ctx, const struct store_key *key);
  void *ctx;
  struct pool *pool;
  struct auth *auth;
  pthread_mutex_t lock;       /* of what follows */
  struct key_entry *entries;  /* in the order of their reading */
  struct question *questions; /* one a key; the pool's */
  bool answering;             /* a job of the pool takes them */
};

enum status key_ring_create(const struct key_ring_options *options, struct key_ring **ret_ring,
                            struct error *err) {
  struct key_ring *ring = calloc(1, sizeof *ring);
  if (!ring) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  ring->store = options->store;
  ring->clock = options->clock ? options->clock : &clock_system;
  ring->max = options->max_keys ? options->max_keys : 1;
  ring->on_read = options->on_read;
  ring->ctx = options->ctx;
  ring->pool = options->pool;
  ring->auth = options->auth;
  pthread_mutex_init(&ring->lock, NULL);
  *ret_ring = ring;
  return STATUS_OK;
}

static void drop(struct key_ring *ring, struct key_entry *entry) {
  HASH_DEL(ring->entries, entry);
  free(entry);
}

static void drop_question(struct key_ring *ring, struct question *question) {
  HASH_DEL(ring->questions, question);
  free(question);
}

void key_ring_destroy(struct key_ring *ring) {
  if (!ring) return;
  while (ring->questions) drop_question(ring, ring->questions);
  while (ring->entries) drop(ring, ring->entries);
  pthread_mutex_destroy(&ring->lock);
  free(ring);
}

/* ---- what a key may do ---- */

bool key_scopes_read(const char *scopes, permission_set *ret_set, struct bytes *ret_wrong) {
  permission_set set = 0;
  if (!*scopes) {
    *ret_set = permission_of_keys();
    return true;
  }
  while (*scopes) {
    struct bytes name = {scopes, strcspn(scopes, " ")};
    enum permission permission;
    scopes += name.len + strspn(scopes + name.len, " ");
    if (!permission_find(name, &permission) || !permission_in(permission_of_keys(), permission)) {
      *ret_wrong = name;
      return false;
    }
    set = permission_add(set, permission);
  }
  *ret_set = set;
  return true;
}

/* The operator's own things belong to nobody who has an account; every other key dies with its
 * owner's. */
static bool role_of(const struct store_key *key, enum role *ret_role) {
  if (*key->role) return key->is_owner_active && role_parse(bytes_of(key->role), ret_role);
  *ret_role = ROLE_ADMIN;
  return strcmp(key->tenant_id, identity_local.tenant_id) == 0 &&
         strcmp(key->owner_id, identity_local.user_id) == 0;
}

/* False for one that can be nobody's credential. */
static bool make_identity(const struct store_key *key, struct identity *ret) {
  permission_set scopes;
  struct bytes wrong;
  *ret = (struct identity){.kind = IDENTITY_KEY,
                           .expires_us = key->expires_ms < 0 ? 0 : key->expires_ms * 1000};
  if (!role_of(key, &ret->role) || !key_scopes_read(key->scopes, &scopes, &wrong)) return false;
  ret->allowed = permission_of_role(ret->role) & permission_of_keys() & scopes;
  return identity_set(ret->tenant_id, key->tenant_id) == STATUS_OK &&
         identity_set(ret->user_id, key->owner_id) == STATUS_OK &&
         identity_set(ret->key_id, key->id) == STATUS_OK &&
         identity_set(ret->credential_id, key->id) == STATUS_OK;
}

/* ---- reading ---- */

struct reading {
  struct key_ring *ring;
  uint64_t generation; /* before the read, as the next */
  int64_t read_us;
  bool failed;
};

static struct reading begin_reading(struct key_ring *ring) {
  return (struct reading){ring, store_keys_generation(ring->store), clock_mono_us(ring->clock),
                          false};
}

/* NULL when memory is short. */
static struct key_entry *make_entry(const struct reading *reading, const char *id) {
  struct key_entry *entry = calloc(1, sizeof *entry);
  if (!entry || strlen(id) >= sizeof entry->id) {
    free(entry);
    return NULL;
  }
  memcpy(entry->id, id, strlen(id));
  entry->generation = reading->generation;
  entry->read_us = reading->read_us;
  return entry;
}

/* Of two reads that went on at once the older one may come last. */
static bool is_newer(const struct key_entry *entry, const struct key_entry *than) {
  if (entry->generation != than->generation) return entry->generation > than->generation;
  return entry->read_us > than->read_us;
}

/* Locked. Takes the entry: false when it is not in the table. What it had left of its rate and when
 * it was used stay. */
static bool put_entry(struct key_ring *ring, struct key_entry *entry, struct key_entry *former) {
  if (former) {
    if (former->rate == entry->rate) {
      entry->left = former->left;
      entry->left_us = former->left_us;
    }
    if (former->used_ms > entry->used_ms) entry->used_ms = former->used_ms;
    drop(ring, former);
  } else if (HASH_COUNT(ring->entries) >= ring->max) {
    drop(ring, ring->entries);
  }
  HASH_ADD_STR(ring->entries, id, entry);
  if (entry->hh.tbl) return true;
  free(entry);
  return false;
}

static void keep(void *ctx, const struct store_key *key) {
  struct reading *reading = ctx;
  struct key_ring *ring = reading->ring;
  struct key_entry *entry = make_entry(reading, key->id), *former;
  if (!entry) {
    reading->failed = true;
    return;
  }
  memcpy(entry->hash, key->hash, sizeof entry->hash);
  entry->works = make_identity(key, &entry->identity) && key->revoked_ms < 0;
  entry->rate = key->requests_per_minute;
  entry->left = (double)entry->rate;
  entry->left_us = clock_mono_us(ring->clock);
  entry->used_ms = key->last_used_ms;
  pthread_mutex_lock(&ring->lock);
  HASH_FIND_STR(ring->entries, entry->id, former);
  bool outdated = former && is_newer(former, entry), kept = true;
  if (outdated)
    free(entry);
  else
    kept = put_entry(ring, entry, former);
  pthread_mutex_unlock(&ring->lock);
  reading->failed = reading->failed || !kept;
  if (ring->on_read && !outdated && key->revoked_ms < 0) ring->on_read(ring->ctx, key);
}

/* There is no such row any more: nothing is known of it. */
static void forget(const struct reading *reading, const char *id) {
  struct key_ring *ring = reading->ring;
  struct key_entry *entry;
  pthread_mutex_lock(&ring->lock);
  HASH_FIND_STR(ring->entries, id, entry);
  if (entry && entry->generation <= reading->generation && entry->read_us <= reading->read_us)
    drop(ring, entry);
  pthread_mutex_unlock(&ring->lock);
}

/* Puts in its place that it works no more. Without memory it is found out by the next read. */
static void end_entry(const struct reading *reading, const char *id) {
  struct key_ring *ring = reading->ring;
  struct key_entry *entry = make_entry(reading, id), *former;
  if (!entry) return;
  pthread_mutex_lock(&ring->lock);
  HASH_FIND_STR(ring->entries, id, former);
  if (former) memcpy(entry->hash, former->hash, sizeof entry->hash);
  bool kept = put_entry(ring, entry, former);
  (void)kept;
  pthread_mutex_unlock(&ring->lock);
}

void key_ring_end(struct key_ring *ring, const char *id) {
  struct reading reading = begin_reading(ring);
  end_entry(&reading, id);
}

static enum credential read_key(struct key_ring *ring, const char *id, struct error *err) {
  struct reading reading = begin_reading(ring);
  enum status s = store_get_key(ring->store, &PRINCIPAL_SYSTEM, id, keep, &reading, err);
  if (s == STATUS_NOT_FOUND) {
    forget(&reading, id);
    return CREDENTIAL_BAD;
  }
  return s || reading.failed ? CREDENTIAL_FAILED : CREDENTIAL_GOOD;
}

enum status key_ring_refresh(struct key_ring *ring, const char *tenant_id, const char *owner_id,
                             struct error *err) {
  const struct principal owner = {.tenant_id = tenant_id, .owner_id = owner_id};
  struct reading reading = begin_reading(ring);
  enum status s = store_list_keys(ring->store, &owner, true, OWNER_KEYS_MAX, keep, &reading, err);
  return !s && reading.failed ? error_set(err, STATUS_NOMEM, NULL, "out of memory") : s;
}

/* ---- checking ---- */

static bool expired(const struct key_ring *ring, const struct identity *identity) {
  return identity->expires_us && identity->expires_us <= clock_wall_ms(ring->clock) * 1000;
}

/* A bucket of a minute's requests that fills steadily. */
static bool take_request(struct key_ring *ring, struct key_entry *entry, struct error *err) {
  if (entry->rate <= 0) return true;
  int64_t now_us = clock_mono_us(ring->clock);
  double rate = (double)entry->rate / MINUTE_US;
  entry->left += (double)(now_us - entry->left_us) * rate;
  entry->left_us = now_us;
  if (entry->left > (double)entry->rate) entry->left = (double)entry->rate;
  if (entry->left >= 1) {
    entry->left -= 1;
    return true;
  }
  if (err) {
    error_set(err, STATUS_FULL, NULL, "the API key's rate of %lld requests a minute is used up",
              (long long)entry->rate);
    err->retry_after_s = (long)((1 - entry->left) / rate / 1e6) + 1;
  }
  return false;
}

static bool note_use(struct key_ring *ring, struct key_entry *entry) {
  int64_t now_ms = clock_wall_ms(ring->clock);
  if (now_ms - entry->used_ms < USE_NOTED_MS) return false;
  entry->used_ms = now_ms;
  return true;
}

/* A queue that is full loses the time of a use, and nothing else. */
static void write_use(struct key_ring *ring, const char *id) {
  enum status s = store_use_key(ring->store, id, clock_wall_ms(ring->clock));
  (void)s;
}

static enum credential refuse(struct error *err, const char *why) {
  error_set(err, STATUS_DENIED, NULL, "%s", why);
  return CREDENTIAL_BAD;
}

/* Locked. */
static enum credential check(struct key_ring *ring, struct key_entry *entry,
                             const uint8_t hash[SHA256_SIZE], struct identity *ret,
                             struct error *err) {
  if (!secret_equal(entry->hash, hash, SHA256_SIZE)) return refuse(err, "no such API key");
  if (!entry->works) return refuse(err, "the API key was revoked, or its owner disabled");
  if (expired(ring, &entry->identity)) return refuse(err, "the API key has expired");
  if (!take_request(ring, entry, err)) return CREDENTIAL_LIMITED;
  *ret = entry->identity;
  return CREDENTIAL_GOOD;
}

static bool is_fresh(const struct key_ring *ring, const struct key_entry *entry,
                     uint64_t generation) {
  return entry->generation >= generation &&
         clock_mono_us(ring->clock) - entry->read_us < (int64_t)KEY_FRESH_MS * 1000;
}

/* CREDENTIAL_LATER when it has to be read first. */
static enum credential look_up(struct key_ring *ring, const char *id,
                               const uint8_t hash[SHA256_SIZE], uint64_t generation,
                               struct identity *ret, struct error *err) {
  struct key_entry *entry;
  bool used = false;
  enum credential answer = CREDENTIAL_LATER;
  pthread_mutex_lock(&ring->lock);
  HASH_FIND_STR(ring->entries, id, entry);
  if (entry && is_fresh(ring, entry, generation)) answer = check(ring, entry, hash, ret, err);
  if (answer == CREDENTIAL_GOOD) used = note_use(ring, entry);
  pthread_mutex_unlock(&ring->lock);
  if (used) write_use(ring, id);
  return answer;
}

static enum credential verify(void *ctx, struct bytes text, bool may_block, struct identity *ret,
                              struct error *err) {
  struct key_ring *ring = ctx;
  char id[API_KEY_PREFIX_SIZE];
  uint8_t hash[SHA256_SIZE];
  if (!api_key_parse(text, id, hash)) return refuse(err, "no API key: its checksum is wrong");
  uint64_t generation = store_keys_generation(ring->store);
  enum credential answer = look_up(ring, id, hash, generation, ret, err);
  if (answer != CREDENTIAL_LATER || !may_block) return answer;
  answer = read_key(ring, id, err);
  if (answer == CREDENTIAL_GOOD) answer = look_up(ring, id, hash, generation, ret, err);
  if (answer == CREDENTIAL_LATER) answer = CREDENTIAL_FAILED; /* others crowded it out again */
  return answer;
}

/* ---- whether what was let in may stay ---- */

/* A key that may more than before ends nothing. */
static bool still_allows(const struct key_ring *ring, const struct key_entry *entry,
                         const struct identity *identity) {
  const struct identity *now = &entry->identity;
  return entry->works && !expired(ring, now) && now->role >= identity->role &&
         (identity->allowed & ~now->allowed) == 0;
}

/* The question that is next, or false: then none is being answered any more. */
static bool next_question(struct key_ring *ring, struct identity *ret_identity) {
  pthread_mutex_lock(&ring->lock);
  struct question *question = ring->questions;
  if (question) {
    *ret_identity = question->identity;
    drop_question(ring, question);
  } else {
    ring->answering = false;
  }
  pthread_mutex_unlock(&ring->lock);
  return question != NULL;
}

/* False when it is known that the identity is none any more. */
static bool look(struct key_ring *ring, const struct identity *identity) {
  struct error err;
  struct key_entry *entry;
  struct reading reading = begin_reading(ring);
  enum credential read = read_key(ring, identity->key_id, &err);
  if (read == CREDENTIAL_BAD) end_entry(&reading, identity->key_id);
  if (read != CREDENTIAL_GOOD) return read != CREDENTIAL_BAD;
  pthread_mutex_lock(&ring->lock);
  HASH_FIND_STR(ring->entries, identity->key_id, entry);
  bool answer = !entry || still_allows(ring, entry, identity);
  pthread_mutex_unlock(&ring->lock);
  return answer;
}

/* On the pool: one job reads for all who ask, so that a crowd of streams leaves it to others. */
static void answer_questions(void *arg) {
  struct key_ring *ring = arg;
  struct identity identity;
  bool ended = false;
  while (next_question(ring, &identity)) ended = !look(ring, &identity) || ended;
  if (ended && ring->auth) auth_tell_revoked(ring->auth);
}

/* Locked. True when a job has to be begun for it. Without memory the next who asks tries again. */
static bool add_question(struct key_ring *ring, const struct identity *identity) {
  struct question *question;
  HASH_FIND(hh, ring->questions, identity->key_id, strlen(identity->key_id), question);
  if (!question && HASH_COUNT(ring->questions) < ring->max &&
      (question = calloc(1, sizeof *question))) {
    question->identity = *identity;
    HASH_ADD_KEYPTR(hh, ring->questions, question->identity.key_id,
                    strlen(question->identity.key_id), question);
    if (!question->hh.tbl) free(question);
  }
  bool begin = ring->questions && !ring->answering;
  ring->answering = ring->answering || begin;
  return begin;
}

static bool stands(void *ctx, const struct identity *identity) {
  struct key_ring *ring = ctx;
  struct key_entry *entry;
  uint64_t generation = store_keys_generation(ring->store);
  bool begin = false;
  pthread_mutex_lock(&ring->lock);
  HASH_FIND_STR(ring->entries, identity->key_id, entry);
  bool answer = !entry || still_allows(ring, entry, identity);
  bool known = entry && is_fresh(ring, entry, generation);
  if (answer && !known && ring->pool) begin = add_question(ring, identity);
  pthread_mutex_unlock(&ring->lock);
  if (begin && pool_submit(ring->pool, answer_questions, ring)) {
    pthread_mutex_lock(&ring->lock);
    ring->answering = false; /* what was asked waits for the next who asks */
    pthread_mutex_unlock(&ring->lock);
  }
  return answer;
}

struct auth_verifier key_ring_verifier(struct key_ring *ring) {
  return (struct auth_verifier){.verify = verify, .stands = stands, .ctx = ring};
}
