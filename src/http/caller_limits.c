#include "http/caller_limits.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

static unsigned char hash_key[crypto_shorthash_KEYBYTES];
static pthread_once_t hash_key_once = PTHREAD_ONCE_INIT;

static void make_hash_key(void) {
  crypto_shorthash_keygen(hash_key);
}

/* SipHash with a key of this process: addresses come from outside. */
static unsigned address_hash(const void *key, size_t len) {
  pthread_once(&hash_key_once, make_hash_key);
  unsigned char out[crypto_shorthash_BYTES];
  crypto_shorthash(out, key, len, hash_key);
  unsigned hash;
  memcpy(&hash, out, sizeof hash);
  return hash;
}

#define HASH_NONFATAL_OOM                    1
#define HASH_FUNCTION(key, length, ret_hash) ((ret_hash) = address_hash((key), (length)))
#include <uthash.h>

enum { ADDRESS_WINDOW_MS = 60000 };

struct address {
  UT_hash_handle hh;
  unsigned char key[16];
  int64_t window_ms; /* when the current minute began */
  int64_t opened;    /* in that minute */
  int64_t open;
};

struct address_limits {
  pthread_mutex_t lock;
  int64_t per_minute, at_once;
  struct address *addresses;
};

enum status address_limits_create(int64_t per_minute, int64_t at_once,
                                  struct address_limits **ret_limits) {
  struct address_limits *l = calloc(1, sizeof *l);
  if (!l) return STATUS_NOMEM;
  pthread_mutex_init(&l->lock, NULL);
  l->per_minute = per_minute;
  l->at_once = at_once;
  *ret_limits = l;
  return STATUS_OK;
}

static void address_forget(struct address_limits *l, struct address *a) {
  HASH_DEL(l->addresses, a);
  free(a);
}

void address_limits_destroy(struct address_limits *limits) {
  if (!limits) return;
  struct address *a, *next;
  HASH_ITER(hh, limits->addresses, a, next) address_forget(limits, a);
  pthread_mutex_destroy(&limits->lock);
  free(limits);
}

static void address_key(const char *peer, unsigned char key[16]) {
  memset(key, 0, 16);
  if (inet_pton(AF_INET6, peer, key) == 1) {
    memset(key + 8, 0, 8);
  } else if (inet_pton(AF_INET, peer, key + 12) == 1) {
    key[10] = key[11] = 0xff;
  }
}

static void address_sweep(struct address_limits *l, int64_t now_ms) {
  struct address *a, *next;
  HASH_ITER(hh, l->addresses, a, next) {
    if (a->open == 0 && now_ms - a->window_ms >= ADDRESS_WINDOW_MS) address_forget(l, a);
  }
}

/* The address, made when it is new; NULL when there is no room for it. */
static struct address *address_get(struct address_limits *l, const char *peer, int64_t now_ms) {
  struct address *a = NULL;
  unsigned char key[16];
  address_key(peer, key);
  HASH_FIND(hh, l->addresses, key, sizeof key, a);
  if (a) return a;
  if (HASH_COUNT(l->addresses) >= ADDRESS_LIMITS_KEPT) address_sweep(l, now_ms);
  if (HASH_COUNT(l->addresses) >= ADDRESS_LIMITS_KEPT) return NULL;
  a = calloc(1, sizeof *a);
  if (!a) return NULL;
  memcpy(a->key, key, sizeof key);
  a->window_ms = now_ms;
  HASH_ADD(hh, l->addresses, key, sizeof a->key, a);
  if (a->hh.tbl) return a;
  free(a);
  return NULL;
}

enum status address_limits_enter(struct address_limits *limits, const char *peer, int64_t now_ms,
                                 int *ret_retry_after_s) {
  struct address_limits *l = limits;
  enum status status = STATUS_OK;
  pthread_mutex_lock(&l->lock);
  struct address *a = address_get(l, peer, now_ms);
  int64_t left_ms = a ? a->window_ms + ADDRESS_WINDOW_MS - now_ms : ADDRESS_WINDOW_MS;
  if (a && left_ms <= 0) {
    a->window_ms = now_ms;
    a->opened = 0;
    left_ms = ADDRESS_WINDOW_MS;
  }
  if (!a || (l->per_minute > 0 && a->opened >= l->per_minute)) {
    *ret_retry_after_s = (int)((left_ms + 999) / 1000);
    status = STATUS_FULL;
  } else if (l->at_once > 0 && a->open >= l->at_once) {
    *ret_retry_after_s = 5;
    status = STATUS_FULL;
  } else {
    a->opened++;
    a->open++;
  }
  pthread_mutex_unlock(&l->lock);
  return status;
}

void address_limits_leave(struct address_limits *limits, const char *peer) {
  struct address *a = NULL;
  unsigned char key[16];
  address_key(peer, key);
  pthread_mutex_lock(&limits->lock);
  HASH_FIND(hh, limits->addresses, key, sizeof key, a);
  if (a && a->open > 0) a->open--;
  pthread_mutex_unlock(&limits->lock);
}
