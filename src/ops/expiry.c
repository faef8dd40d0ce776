#include "ops/expiry.h"

#include "base/id.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { AT_ONCE = 64, DAY_MS = 24 * 60 * 60 * 1000 };

struct expiry_terms expiry_terms_of(const struct options *o) {
  return (struct expiry_terms){o->retain_debates_days, o->retain_failed_days, o->retain_demo_days};
}

struct expired { /* collected first: no deletion within a read */
  char ids[AT_ONCE][ID_DEBATE_MAX + 1];
  size_t count;
};

static void collect(void *ctx, const char *id, const struct principal *owner) {
  struct expired *e = ctx;
  (void)owner;
  if (e->count < AT_ONCE) snprintf(e->ids[e->count++], sizeof *e->ids, "%s", id);
}

struct waiting {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool done;
  enum status status;
};

static void on_done(void *ctx, enum status status) {
  struct waiting *w = ctx;
  pthread_mutex_lock(&w->lock);
  w->status = status;
  w->done = true;
  pthread_cond_signal(&w->changed);
  pthread_mutex_unlock(&w->lock);
}

static enum status delete_one(struct store *store, const char *id, int64_t days, int64_t now_ms,
                              struct error *err) {
  const struct principal system = PRINCIPAL_SYSTEM;
  char reason[64];
  snprintf(reason, sizeof reason, "older than %lld days", (long long)days);
  const struct store_deletion what = {id, reason, "retention", now_ms, false, NULL};
  struct waiting w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, STATUS_OK};
  enum status s = store_delete_debate(store, &system, &what, on_done, &w);
  if (!s) {
    pthread_mutex_lock(&w.lock);
    while (!w.done) pthread_cond_wait(&w.changed, &w.lock);
    pthread_mutex_unlock(&w.lock);
    s = w.status;
  }
  /* Somebody else was quicker. */
  if (s == STATUS_CONFLICT || !s) return STATUS_OK;
  return error_set(err, s, NULL, "debate %.128s is past its term and cannot be deleted: %s", id,
                   status_name(s));
}

/* One class, as far as `limit` allows. */
static enum status enforce(struct store *store, const char *status_name, bool demo, int64_t days,
                           int64_t now_ms, size_t limit, size_t *deleted, struct error *err) {
  enum status s = STATUS_OK;
  struct expired *expired = days > 0 ? malloc(sizeof *expired) : NULL;
  if (days > 0 && !expired) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  while (expired && !s && *deleted < limit) {
    size_t room = limit - *deleted < AT_ONCE ? limit - *deleted : AT_ONCE;
    expired->count = 0;
    s = store_expired(store, status_name, demo, now_ms - days * DAY_MS, room, collect, expired,
                      err);
    for (size_t i = 0; !s && i < expired->count; i++, ++*deleted)
      s = delete_one(store, expired->ids[i], days, now_ms, err);
    if (expired->count < room) break;
  }
  free(expired);
  return s;
}

enum status expiry_enforce(struct store *store, const struct expiry_terms *terms, int64_t now_ms,
                           size_t limit, size_t *ret_deleted, struct error *err) {
  const struct {
    const char *status;
    bool demo;
    int64_t days;
  } classes[] = {
      {"completed", false, terms->completed_days}, {"cancelled", false, terms->completed_days},
      {"failed", false, terms->failed_days},       {"completed", true, terms->demo_days},
      {"cancelled", true, terms->demo_days},       {"failed", true, terms->demo_days},
  };
  enum status s = STATUS_OK;
  *ret_deleted = 0;
  for (size_t i = 0; !s && i < sizeof classes / sizeof *classes; i++)
    s = enforce(store, classes[i].status, classes[i].demo, classes[i].days, now_ms, limit,
                ret_deleted, err);
  return s;
}
