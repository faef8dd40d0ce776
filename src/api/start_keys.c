#include "api/start_keys.h"

#include "base/sha256.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* A table that cannot grow refuses the entry instead of ending the process. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct start_entry {
  UT_hash_handle hh;
  struct start_waiter *first, **last;
  char name[]; /* tenant, owner and key, each on a line: none of them has a line end */
};

struct start_keys {
  pthread_mutex_t lock;
  struct start_entry *table;
};

struct start_keys *start_keys_create(void) {
  struct start_keys *keys = calloc(1, sizeof *keys);
  if (keys) pthread_mutex_init(&keys->lock, NULL);
  return keys;
}

void start_keys_destroy(struct start_keys *keys) {
  if (!keys) return;
  struct start_entry *e, *next;
  HASH_ITER(hh, keys->table, e, next) {
    HASH_DEL(keys->table, e);
    free(e);
  }
  pthread_mutex_destroy(&keys->lock);
  free(keys);
}

static struct start_entry *make_entry(const struct principal *who, const char *key) {
  size_t size = strlen(who->tenant_id) + strlen(who->owner_id) + strlen(key) + 3;
  struct start_entry *e = calloc(1, sizeof *e + size);
  if (!e) return NULL;
  snprintf(e->name, size, "%s\n%s\n%s", who->tenant_id, who->owner_id, key);
  e->last = &e->first;
  return e;
}

/* The lock is held. The fresh entry is taken when it is the first of its name. */
static enum start_keys_answer enter(struct start_keys *keys, struct start_entry *fresh,
                                    struct start_waiter *waiter) {
  struct start_entry *e;
  HASH_FIND_STR(keys->table, fresh->name, e);
  if (!e) {
    HASH_ADD_STR(keys->table, name, fresh);
    return fresh->hh.tbl ? START_KEYS_FIRST : START_KEYS_NO_MEMORY;
  }
  waiter->next = NULL;
  *e->last = waiter;
  e->last = &waiter->next;
  return START_KEYS_WAITS;
}

enum start_keys_answer start_keys_enter(struct start_keys *keys, const struct principal *who,
                                        const char *key, struct start_waiter *waiter,
                                        struct start_entry **ret_entry) {
  struct start_entry *fresh = make_entry(who, key);
  if (!fresh) return START_KEYS_NO_MEMORY;
  pthread_mutex_lock(&keys->lock);
  enum start_keys_answer answer = enter(keys, fresh, waiter);
  pthread_mutex_unlock(&keys->lock);
  if (answer == START_KEYS_FIRST)
    *ret_entry = fresh;
  else
    free(fresh);
  return answer;
}

struct start_waiter *start_keys_leave(struct start_keys *keys, struct start_entry *entry) {
  pthread_mutex_lock(&keys->lock);
  HASH_DEL(keys->table, entry);
  pthread_mutex_unlock(&keys->lock);
  struct start_waiter *first = entry->first;
  free(entry);
  return first;
}

bool start_key_valid(const char *text) {
  size_t len = strlen(text);
  for (const char *p = text; *p; p++)
    if (*p < 0x21 || *p > 0x7e) return false;
  return len > 0 && len <= START_KEY_MAX;
}

bool start_key_digest(const json_t *body, uint8_t ret_digest[32]) {
  char *text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
  if (text) sha256_of(bytes_of(text), ret_digest);
  free(text);
  return text != NULL;
}
