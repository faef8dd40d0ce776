#include "http/caller_limits.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <utlist.h>

static unsigned char hash_key[crypto_shorthash_KEYBYTES];
static pthread_once_t hash_key_once = PTHREAD_ONCE_INIT;

static void make_hash_key(void) {
  crypto_shorthash_keygen(hash_key);
}

/* SipHash with a key of this process: addresses come from outside. */
static unsigned caller_hash(const void *key, size_t len) {
  pthread_once(&hash_key_once, make_hash_key);
  unsigned char out[crypto_shorthash_BYTES];
  crypto_shorthash(out, key, len, hash_key);
  unsigned hash;
  memcpy(&hash, out, sizeof hash);
  return hash;
}

#define HASH_NONFATAL_OOM                    1
#define HASH_FUNCTION(key, length, ret_hash) ((ret_hash) = caller_hash((key), (length)))
#include <uthash.h>

enum { CALLER_FORGET_TRIES = 8 };

struct caller_entry {
  UT_hash_handle hh;
  struct caller_entry *next, *prev; /* limits->by_age */
  struct caller caller;
  int64_t window_ms; /* when its window began */
  int64_t taken, refused;
  int64_t open;
};

struct caller_limits {
  pthread_mutex_t lock;
  struct caller_limits_options options;
  struct caller_entry *entries;
  struct caller_entry *by_age; /* the oldest window first */
  int64_t refused;
};

/* --- who --- */

struct caller caller_of_address(const struct address *address) {
  struct caller c = {0};
  memcpy(c.key, address->bytes, address_is_v4(address) ? 16 : 8);
  return c;
}

struct caller caller_of_credential(const uint8_t key[16]) {
  struct caller c = {.by_token = true};
  memcpy(c.key, key, sizeof c.key);
  return c;
}

void caller_format(const struct caller *caller, char out[CALLER_NAME_SIZE]) {
  struct address a;
  memcpy(a.bytes, caller->key, sizeof a.bytes);
  if (caller->by_token) {
    memcpy(out, "token", sizeof "token");
    return;
  }
  address_format(&a, out);
  if (!address_is_v4(&a)) strncat(out, "/64", CALLER_NAME_SIZE - strlen(out) - 1);
}

/* --- the table --- */

enum status caller_limits_create(const struct caller_limits_options *options,
                                 struct caller_limits **ret_limits) {
  struct caller_limits *l = calloc(1, sizeof *l);
  if (!l) return STATUS_NOMEM;
  pthread_mutex_init(&l->lock, NULL);
  l->options = *options;
  *ret_limits = l;
  return STATUS_OK;
}

static void caller_forget(struct caller_limits *l, struct caller_entry *e) {
  HASH_DEL(l->entries, e);
  DL_DELETE(l->by_age, e);
  free(e);
}

void caller_limits_destroy(struct caller_limits *limits) {
  if (!limits) return;
  struct caller_entry *e, *next;
  HASH_ITER(hh, limits->entries, e, next) caller_forget(limits, e);
  pthread_mutex_destroy(&limits->lock);
  free(limits);
}

static void caller_begin_window(struct caller_limits *l, struct caller_entry *e, int64_t now_ms) {
  DL_DELETE(l->by_age, e);
  DL_APPEND(l->by_age, e);
  e->window_ms = now_ms;
  e->taken = e->refused = 0;
}

/* Makes room for one. Who holds a connection cannot be forgotten, but goes to the end of the line;
 * of those there are no more than there are connections. */
static void caller_make_room(struct caller_limits *l) {
  for (int i = 0; i < CALLER_FORGET_TRIES && l->by_age; i++) {
    struct caller_entry *e = l->by_age;
    if (e->open == 0) {
      caller_forget(l, e);
      return;
    }
    DL_DELETE(l->by_age, e);
    DL_APPEND(l->by_age, e);
  }
}

static struct caller_entry *caller_find(struct caller_limits *l, const struct caller *caller) {
  struct caller_entry *e = NULL;
  HASH_FIND(hh, l->entries, caller->key, sizeof caller->key, e);
  return e;
}

/* The caller's entry in a window that has not ended, made when it is new; NULL without memory. */
static struct caller_entry *caller_get(struct caller_limits *l, const struct caller *caller,
                                       int64_t now_ms) {
  struct caller_entry *e = caller_find(l, caller);
  if (e) {
    if (now_ms - e->window_ms >= l->options.window_ms) caller_begin_window(l, e, now_ms);
    return e;
  }
  if (HASH_COUNT(l->entries) >= (unsigned)l->options.kept) caller_make_room(l);
  e = calloc(1, sizeof *e);
  if (!e) return NULL;
  e->caller = *caller;
  e->window_ms = now_ms;
  HASH_ADD(hh, l->entries, caller.key, sizeof e->caller.key, e);
  if (e->hh.tbl) {
    DL_APPEND(l->by_age, e);
    return e;
  }
  free(e);
  return NULL;
}

/* --- taking and leaving --- */

static struct caller_standing caller_standing(const struct caller_limits *l,
                                              const struct caller_entry *e, int64_t now_ms) {
  struct caller_standing s = {.remaining = l->options.per_window, .reset_ms = l->options.window_ms};
  if (!e) return s;
  s.open = e->open;
  int64_t left_ms = e->window_ms + l->options.window_ms - now_ms;
  if (left_ms <= 0) return s;
  s.reset_ms = left_ms;
  s.remaining = e->taken < s.remaining ? s.remaining - e->taken : 0;
  return s;
}

static enum status caller_take(struct caller_limits *l, const struct caller *caller, int64_t now_ms,
                               bool hold, struct caller_standing *ret) {
  const struct caller_limits_options *o = &l->options;
  pthread_mutex_lock(&l->lock);
  struct caller_entry *e = caller_get(l, caller, now_ms);
  bool over_window = e && o->per_window > 0 && e->taken >= o->per_window;
  bool full = !e || over_window || (hold && o->at_once > 0 && e->open >= o->at_once);
  if (!full) {
    e->taken++;
    e->open += hold;
  } else {
    l->refused++;
    if (e) e->refused++;
  }
  *ret = caller_standing(l, e, now_ms);
  ret->over_window = over_window;
  ret->first = full && (!e || e->refused == 1);
  pthread_mutex_unlock(&l->lock);
  return full ? STATUS_FULL : STATUS_OK;
}

enum status caller_limits_take(struct caller_limits *limits, const struct caller *caller,
                               int64_t now_ms, struct caller_standing *ret) {
  return caller_take(limits, caller, now_ms, false, ret);
}

enum status caller_limits_enter(struct caller_limits *limits, const struct caller *caller,
                                int64_t now_ms, struct caller_standing *ret) {
  return caller_take(limits, caller, now_ms, true, ret);
}

void caller_limits_leave(struct caller_limits *limits, const struct caller *caller) {
  pthread_mutex_lock(&limits->lock);
  struct caller_entry *e = caller_find(limits, caller);
  if (e && e->open > 0) e->open--;
  pthread_mutex_unlock(&limits->lock);
}

/* --- for an operator --- */

struct caller_standing caller_limits_look(struct caller_limits *limits, const struct caller *caller,
                                          int64_t now_ms) {
  pthread_mutex_lock(&limits->lock);
  struct caller_standing s = caller_standing(limits, caller_find(limits, caller), now_ms);
  pthread_mutex_unlock(&limits->lock);
  return s;
}

struct caller_limits_totals caller_limits_total(struct caller_limits *limits) {
  pthread_mutex_lock(&limits->lock);
  struct caller_limits_totals t = {HASH_COUNT(limits->entries), limits->refused};
  pthread_mutex_unlock(&limits->lock);
  return t;
}

size_t caller_limits_refused(struct caller_limits *limits, int64_t now_ms,
                             struct caller_refused *out, size_t max) {
  size_t n = 0;
  pthread_mutex_lock(&limits->lock);
  struct caller_entry *newest = limits->by_age ? limits->by_age->prev : NULL;
  for (struct caller_entry *e = newest; e && n < max; e = e == limits->by_age ? NULL : e->prev) {
    int64_t left_ms = e->window_ms + limits->options.window_ms - now_ms;
    if (e->refused > 0 && left_ms > 0)
      out[n++] = (struct caller_refused){e->caller, e->refused, left_ms};
  }
  pthread_mutex_unlock(&limits->lock);
  return n;
}
