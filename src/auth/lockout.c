#include "auth/lockout.h"

#include "base/secret.h"
#include "base/sha256.h"
#include "base/sparse.h"

#include <pthread.h>
#include <sodium.h>

enum { SETS = 4096, WAYS = 4, KEY_SIZE = 16, STEP = 5 };
#define MINUTE_MS INT64_C(60000)
/* After so long without a try it counts from 0 again: longer than any closing lasts, or the longest
 * would be forgotten as it ends. */
#define FORGOTTEN_MS (48 * 60 * MINUTE_MS)

struct entry {
  uint8_t key[KEY_SIZE];
  int failures; /* 0 = the place is free */
  int64_t tried_ms, closed_until_ms;
  bool told; /* of this closing */
};

struct lockout {
  pthread_mutex_t lock;
  unsigned char secret[crypto_shorthash_KEYBYTES];
  struct entry entries[SETS][WAYS];
};

enum status lockout_create(struct lockout **ret_lockout) {
  struct lockout *l = sparse_alloc(sizeof *l);
  if (!l) return STATUS_NOMEM;
  pthread_mutex_init(&l->lock, NULL);
  randombytes_buf(l->secret, sizeof l->secret);
  *ret_lockout = l;
  return STATUS_OK;
}

void lockout_destroy(struct lockout *l) {
  if (!l) return;
  pthread_mutex_destroy(&l->lock);
  sparse_free(l, sizeof *l);
}

static int64_t closing_ms(int failures) {
  if (failures >= 4 * STEP) return 24 * 60 * MINUTE_MS;
  if (failures % STEP) return 0;
  return failures >= 2 * STEP ? 60 * MINUTE_MS : 15 * MINUTE_MS;
}

static struct entry *set_of(struct lockout *l, const char *email, uint8_t key[KEY_SIZE]) {
  uint8_t hash[SHA256_SIZE];
  uint64_t place;
  sha256_of(bytes_of(email), hash);
  memcpy(key, hash, KEY_SIZE);
  crypto_shorthash((unsigned char *)&place, key, KEY_SIZE, l->secret);
  return l->entries[place % SETS];
}

static struct entry *find(struct entry *set, const uint8_t key[KEY_SIZE]) {
  for (int i = 0; i < WAYS; i++)
    if (set[i].failures && secret_equal(set[i].key, key, KEY_SIZE)) return &set[i];
  return NULL;
}

/* A free place, or the one of whoever failed least, and of those the longest ago. */
static struct entry *make_room(struct entry *set) {
  struct entry *least = &set[0];
  for (int i = 1; i < WAYS; i++)
    if (set[i].failures < least->failures ||
        (set[i].failures == least->failures && set[i].tried_ms < least->tried_ms))
      least = &set[i];
  *least = (struct entry){0};
  return least;
}

enum status lockout_take(struct lockout *l, const char *email, int64_t now_ms,
                         int64_t *ret_wait_ms) {
  uint8_t key[KEY_SIZE];
  enum status status = STATUS_OK;
  pthread_mutex_lock(&l->lock);
  struct entry *set = set_of(l, email, key);
  struct entry *e = find(set, key);
  if (e && now_ms < e->closed_until_ms) {
    *ret_wait_ms = e->closed_until_ms - now_ms;
    status = STATUS_DENIED;
  } else {
    if (!e) e = make_room(set);
    if (now_ms - e->tried_ms > FORGOTTEN_MS) e->failures = 0;
    memcpy(e->key, key, KEY_SIZE);
    e->failures++;
    e->tried_ms = now_ms;
    e->closed_until_ms = now_ms + closing_ms(e->failures);
    e->told = false;
  }
  pthread_mutex_unlock(&l->lock);
  return status;
}

bool lockout_tell(struct lockout *l, const char *email, int64_t now_ms) {
  uint8_t key[KEY_SIZE];
  pthread_mutex_lock(&l->lock);
  struct entry *e = find(set_of(l, email, key), key);
  bool news = e && now_ms < e->closed_until_ms && !e->told;
  if (news) e->told = true;
  pthread_mutex_unlock(&l->lock);
  return news;
}

void lockout_give_back(struct lockout *l, const char *email) {
  uint8_t key[KEY_SIZE];
  pthread_mutex_lock(&l->lock);
  struct entry *e = find(set_of(l, email, key), key);
  if (e) {
    e->failures--;
    e->closed_until_ms = 0;
  }
  pthread_mutex_unlock(&l->lock);
}

void lockout_clear(struct lockout *l, const char *email) {
  uint8_t key[KEY_SIZE];
  pthread_mutex_lock(&l->lock);
  struct entry *e = find(set_of(l, email, key), key);
  if (e) *e = (struct entry){0};
  pthread_mutex_unlock(&l->lock);
}
