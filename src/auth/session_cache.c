#include "auth/session_cache.h"

#include "base/sparse.h"

#include <pthread.h>

enum { SETS = 1024, WAYS = 4 };

struct session_cache {
  pthread_mutex_t lock;
  uint64_t moment; /* of the last change */
  unsigned turn;   /* whose place is taken next */
  struct cached_session entries[SETS][WAYS];
};

enum status session_cache_create(struct session_cache **ret_cache) {
  struct session_cache *c = sparse_alloc(sizeof *c);
  if (!c) return STATUS_NOMEM;
  pthread_mutex_init(&c->lock, NULL);
  *ret_cache = c;
  return STATUS_OK;
}

void session_cache_destroy(struct session_cache *c) {
  if (!c) return;
  pthread_mutex_destroy(&c->lock);
  sparse_free(c, sizeof *c);
}

/* FNV-1a. Ids come out of tokens that we have signed: nobody chooses them. */
static struct cached_session *set_of(struct session_cache *c, const char *id) {
  uint64_t hash = UINT64_C(14695981039346656037);
  for (; *id; id++) hash = (hash ^ (unsigned char)*id) * UINT64_C(1099511628211);
  return c->entries[(hash ^ hash >> 32) % SETS];
}

static struct cached_session *find(struct session_cache *c, const char *id) {
  struct cached_session *set = set_of(c, id);
  for (int i = 0; i < WAYS; i++)
    if (strcmp(set[i].id, id) == 0) return &set[i];
  return NULL;
}

static struct cached_session *place_for(struct session_cache *c, const char *id) {
  struct cached_session *e = find(c, id), *set = set_of(c, id);
  for (int i = 0; !e && i < WAYS; i++)
    if (!*set[i].id) e = &set[i];
  return e ? e : &set[c->turn++ % WAYS];
}

bool session_cache_find(struct session_cache *c, const char *id, int64_t now_ms,
                        struct cached_session *ret_session) {
  pthread_mutex_lock(&c->lock);
  const struct cached_session *e = find(c, id);
  bool known = e && (e->ended || now_ms - e->read_ms < SESSION_FRESH_MS);
  if (known) *ret_session = *e;
  pthread_mutex_unlock(&c->lock);
  return known;
}

uint64_t session_cache_moment(struct session_cache *c) {
  pthread_mutex_lock(&c->lock);
  uint64_t moment = c->moment;
  pthread_mutex_unlock(&c->lock);
  return moment;
}

void session_cache_put(struct session_cache *c, uint64_t moment,
                       const struct cached_session *session) {
  pthread_mutex_lock(&c->lock);
  if (c->moment == moment) *place_for(c, session->id) = *session;
  pthread_mutex_unlock(&c->lock);
}

void session_cache_end(struct session_cache *c, const char *id) {
  pthread_mutex_lock(&c->lock);
  c->moment++;
  struct cached_session *e = place_for(c, id);
  *e = (struct cached_session){.ended = true};
  if (identity_set(e->id, id)) *e = (struct cached_session){0};
  pthread_mutex_unlock(&c->lock);
}

void session_cache_forget_user(struct session_cache *c, const char *user_id) {
  pthread_mutex_lock(&c->lock);
  c->moment++;
  struct cached_session *e = &c->entries[0][0];
  for (size_t i = 0; i < (size_t)SETS * WAYS; i++, e++)
    if (!e->ended && strcmp(e->user_id, user_id) == 0) *e = (struct cached_session){0};
  pthread_mutex_unlock(&c->lock);
}
