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
  uint8_t hash[SHA256_SIZE];
  struct identity identity; /* what the key makes of whoever brings it */
  bool works;               /* but for `expires_us` of the identity */
  int64_t rate;             /* requests a minute; 0 = any */
  double left;              /* of them, at `left_us` of the monotonic clock */
  int64_t left_us;
  int64_t used_ms; /* that was noted */
  UT_hash_handle hh;
};

struct key_ring {
  struct store *store;
  const struct clock *clock;
  size_t max;
  void (*on_read)(void *ctx, const struct store_key *key);
  void *ctx;
  pthread_mutex_t lock;
  struct key_entry *entries; /* in the order of their reading */
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
  pthread_mutex_init(&ring->lock, NULL);
  *ret_ring = ring;
  return STATUS_OK;
}

static void drop(struct key_ring *ring, struct key_entry *entry) {
  HASH_DEL(ring->entries, entry);
  free(entry);
}

void key_ring_destroy(struct key_ring *ring) {
  if (!ring) return;
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
  uint64_t generation; /* before the read */
  bool failed;
};

/* What it had left of its rate and when it was used stay. */
static void keep(void *ctx, const struct store_key *key) {
  struct reading *reading = ctx;
  struct key_ring *ring = reading->ring;
  struct key_entry *entry = calloc(1, sizeof *entry), *former;
  if (!entry || strlen(key->id) >= sizeof entry->id) {
    reading->failed = true;
    free(entry);
    return;
  }
  memcpy(entry->id, key->id, strlen(key->id));
  memcpy(entry->hash, key->hash, sizeof entry->hash);
  entry->generation = reading->generation;
  entry->works = make_identity(key, &entry->identity) && key->revoked_ms < 0;
  entry->rate = key->requests_per_minute;
  entry->left = (double)entry->rate;
  entry->left_us = clock_mono_us(ring->clock);
  entry->used_ms = key->last_used_ms;
  pthread_mutex_lock(&ring->lock);
  HASH_FIND_STR(ring->entries, entry->id, former);
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
  bool kept = entry->hh.tbl != NULL;
  pthread_mutex_unlock(&ring->lock);
  if (!kept) free(entry);
  reading->failed = reading->failed || !kept;
  if (ring->on_read && key->revoked_ms < 0) ring->on_read(ring->ctx, key);
}

static enum credential read_key(struct key_ring *ring, const char *id, struct error *err) {
  struct reading reading = {ring, store_keys_generation(ring->store), false};
  enum status s = store_get_key(ring->store, &PRINCIPAL_SYSTEM, id, keep, &reading, err);
  if (s == STATUS_NOT_FOUND) return CREDENTIAL_BAD;
  return s || reading.failed ? CREDENTIAL_FAILED : CREDENTIAL_GOOD;
}

enum status key_ring_refresh(struct key_ring *ring, const char *tenant_id, const char *owner_id,
                             struct error *err) {
  const struct principal owner = {.tenant_id = tenant_id, .owner_id = owner_id};
  struct reading reading = {ring, store_keys_generation(ring->store), false};
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

/* CREDENTIAL_LATER when it has to be read first. */
static enum credential look_up(struct key_ring *ring, const char *id,
                               const uint8_t hash[SHA256_SIZE], uint64_t generation,
                               struct identity *ret, struct error *err) {
  struct key_entry *entry;
  bool used = false;
  enum credential answer = CREDENTIAL_LATER;
  pthread_mutex_lock(&ring->lock);
  HASH_FIND_STR(ring->entries, id, entry);
  if (entry && entry->generation >= generation) answer = check(ring, entry, hash, ret, err);
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

static bool stands(void *ctx, const struct identity *identity) {
  struct key_ring *ring = ctx;
  struct key_entry *entry;
  pthread_mutex_lock(&ring->lock);
  HASH_FIND_STR(ring->entries, identity->key_id, entry);
  bool answer = !entry || (entry->works && !expired(ring, &entry->identity));
  pthread_mutex_unlock(&ring->lock);
  return answer;
}

struct auth_verifier key_ring_verifier(struct key_ring *ring) {
  return (struct auth_verifier){.verify = verify, .stands = stands, .ctx = ring};
}
