#include "ops/rater.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/sparse.h"
#include "ops/rated_debate.h"
#include "ops/rating_mend.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
  GATHER_MS = 100, /* debates that end together are rated together, in one transaction */
  PAGE = 16,       /* of them; their logs are held folded */
  RETRY_FIRST_MS = 1000,
  RETRY_MAX_MS = 60000,
  LAST_MS = 500, /* at the end */
  LOW_PRIORITY = 10,
  AGENTS_SHOWN_MAX = 256,
};

struct rater {
  struct store *store;
  rater_match_fn *told;
  void *told_ctx;
  pthread_t thread;

  pthread_mutex_t lock; /* guards these */
  pthread_cond_t changed;
  bool due, stopping;

  _Atomic(const char *) trouble; /* written by the rater's thread */

  /* the rater's thread */
  int64_t through; /* the last number that is in the ratings; -1 = to be looked up */
  struct store_ended page[PAGE];
  char ids[PAGE][ID_DEBATE_MAX + 1];
  size_t count;
  struct rated_debate rated[PAGE];
  bool failing; /* said already */
  bool apart;   /* the ratings are of another time and stay so, which was said as well */
  int64_t retry_ms;
};

static int64_t now_ms(void) {
  return clock_mono_us(&clock_system) / 1000;
}

static void take_ended(void *ctx, const struct store_ended *ended) {
  struct rater *r = ctx;
  size_t len = strlen(ended->debate_id);
  if (len > ID_DEBATE_MAX) len = ID_DEBATE_MAX;
  memcpy(r->ids[r->count], ended->debate_id, len);
  r->ids[r->count][len] = '\0';
  r->page[r->count] = (struct store_ended){ended->number, r->ids[r->count]};
  r->count++;
}

/* ---- what stands in its way ---- */

static const char rebuilding[] =
    "The ratings are being made anew: they were of another time than the debates. Debates are "
    "rated afterwards.";
static const char apart[] =
    "Debates are not rated: the ratings are of another time than the debates. The log says why "
    "they were not made anew; with the server stopped, aragora ratings rebuild does.";
static const char failing[] =
    "Debates are not rated: it failed and is tried again. The log has the reason.";

const char *rater_trouble(const struct rater *r) {
  return r ? r->trouble : NULL;
}

/* ---- what is shown ---- */

static void show_rating(const char *agent, int64_t elo_milli) {
  metric_set(METRIC_AGENT_ELO, (const char *const[]){agent}, (elo_milli + 500) / 1000);
}

/* The page of metrics is public: of ratings it shows the operator's own tenant, of the others how
 * many debates were rated. */
static const struct principal shown_tenant = {.tenant_id = "local", .all_owners = true};

static void show_match(const struct store_match *match) {
  if (*match->reason) {
    metric_add(METRIC_UNRATED_DEBATES, (const char *const[]){match->reason}, 1);
    return;
  }
  metric_add(METRIC_RATED_DEBATES, NULL, 1);
  if (strcmp(match->tenant_id, shown_tenant.tenant_id) != 0) return;
  for (int i = 0; i < match->player_count; i++) {
    const struct store_player *p = &match->players[i];
    show_rating(p->who.agent, p->before_milli[STORE_OVERALL] + p->change_milli[STORE_OVERALL]);
  }
}

/* A type may have had several models: the gauge is of the one that played last. */
struct showing {
  struct {
    char agent[ID_AGENT_MAX_TEXT];
    int64_t elo_milli, updated_ms;
  } rows[AGENTS_SHOWN_MAX];
  size_t count;
};

static void show_standing(void *ctx, const struct store_standing *standing) {
  struct showing *s = ctx;
  size_t i = 0, len = strlen(standing->who.agent);
  while (i < s->count && strcmp(s->rows[i].agent, standing->who.agent) != 0) i++;
  if (i == AGENTS_SHOWN_MAX || len >= sizeof s->rows[i].agent) return;
  if (i < s->count && s->rows[i].updated_ms >= standing->updated_ms) return;
  if (i == s->count) s->count++;
  memcpy(s->rows[i].agent, standing->who.agent, len + 1);
  s->rows[i].elo_milli = standing->elo_milli;
  s->rows[i].updated_ms = standing->updated_ms;
}

/* Counters stand at 0 from the start, and ratings where they are. */
static void show_start(struct rater *r) {
  struct error err;
  for (int i = RATING_DONE + 1; i < RATING_REASONS; i++)
    metric_add(METRIC_UNRATED_DEBATES, (const char *const[]){rating_reason_names[i]}, 0);
  struct showing *showing = calloc(1, sizeof *showing);
  if (showing && !store_read_standings(r->store, &shown_tenant, "", SIZE_MAX >> 1, show_standing,
                                       showing, &err))
    for (size_t i = 0; i < showing->count; i++)
      show_rating(showing->rows[i].agent, showing->rows[i].elo_milli);
  free(showing);
}

/* ---- a page of debates ---- */

static void say_failed(struct rater *r, const char *id, const struct error *err) {
  struct log_context context = {NULL, id};
  if (!r->failing)
    log_error("ratings", &context,
              "rating=failed error=\"%s\" it is tried again; this is said once", err->message);
  r->failing = true;
  r->trouble = failing;
}

/* The last chapter of the debate's story in the log. */
static void say_rated(const struct store_match *match) {
  struct log_context context = {NULL, match->debate_id};
  if (strcmp(match->reason, rating_reason_names[RATING_UNREADABLE]) == 0) {
    log_warning("ratings", &context, "rating=none its log cannot be read");
    return;
  }
  if (*match->reason) log_info("ratings", &context, "rating=none reason=%s", match->reason);
  for (int i = 0; !*match->reason && i < match->player_count; i++) {
    const struct store_player *p = &match->players[i];
    log_info("ratings", &context, "rating=done agent=%s elo_milli=%lld change_milli=%lld",
             p->who.agent,
             (long long)(p->before_milli[STORE_OVERALL] + p->change_milli[STORE_OVERALL]),
             (long long)p->change_milli[STORE_OVERALL]);
  }
}

static void say(struct rater *r, const struct store_match *match) {
  r->through = match->number;
  say_rated(match);
  show_match(match);
  if (r->told) r->told(r->told_ctx, match);
}

/* Those of the page from `first` on, in one transaction. */
static enum status put(struct rater *r, size_t first, size_t count, struct error *err) {
  struct store_match *matches[PAGE] = {0};
  for (size_t i = 0; i < count; i++) matches[i] = &r->rated[first + i].match;
  enum status s = store_put_matches(r->store, matches, count, rated_debate_rate, NULL, err);
  for (size_t i = 0; !s && i < count; i++) say(r, matches[i]);
  return s;
}

/* Where they cannot be taken up together, one after the other as far as it goes. */
static enum status put_page(struct rater *r, size_t count, size_t *ret_done, struct error *err) {
  *ret_done = 0;
  enum status s = count ? put(r, 0, count, err) : STATUS_OK;
  if (!s) *ret_done = count;
  if (!s || s == STATUS_CONFLICT || count == 1) return s;
  for (s = STATUS_OK; *ret_done < count; ++*ret_done) {
    s = put(r, *ret_done, 1, err);
    if (s) break;
  }
  return s;
}

/* ---- all that is due ---- */

static bool is_stopping(struct rater *r) {
  pthread_mutex_lock(&r->lock);
  bool stopping = r->stopping;
  pthread_mutex_unlock(&r->lock);
  return stopping;
}

static bool goes_on(struct rater *r, int64_t deadline_ms) {
  return deadline_ms ? now_ms() < deadline_ms : !is_stopping(r);
}

/* The page that was found, as far as its logs can be read. */
static enum status take_page(struct rater *r, int64_t deadline_ms, struct error *err) {
  struct error unread;
  enum status s = STATUS_OK;
  size_t read = 0, done;
  while (!s && read < r->count && goes_on(r, deadline_ms)) {
    s = rated_debate_read(r->store, &r->page[read], &r->rated[read], &unread);
    if (!s) read++;
  }
  enum status put = put_page(r, read, &done, err);
  for (size_t i = 0; i < read; i++) rated_debate_done(&r->rated[i]);
  if (!put && s) *err = unread;
  if (!put) put = s;
  if (put == STATUS_CONFLICT)
    r->through = -1;
  else if (put)
    say_failed(r, r->ids[done], err);
  return put;
}

/* A page of them. STATUS_CONFLICT: another process was faster, and what is due is another. */
static enum status work_page(struct rater *r, int64_t deadline_ms, struct error *err) {
  enum status s = STATUS_OK;
  if (r->apart) return STATUS_UNAVAILABLE;
  if (r->through < 0) s = store_rated_through(r->store, &r->through, err);
  r->count = 0;
  if (s == STATUS_CONFLICT) { /* files were changed under us, which time alone will not mend */
    log_error("ratings", NULL, "rating=stopped reason=\"%s\" the next start makes them anew",
              err->message);
    r->apart = true;
    r->trouble = apart;
    return STATUS_UNAVAILABLE;
  }
  if (s) say_failed(r, NULL, err);
  if (s) return s;
  s = store_read_ended(r->store, r->through, PAGE, take_ended, r, err);
  return s ? s : take_page(r, deadline_ms, err);
}

/* False when something of it could not be done. */
static bool work(struct rater *r, int64_t deadline_ms) {
  struct error err = {0};
  enum status s;
  do s = work_page(r, deadline_ms, &err);
  while ((s == STATUS_CONFLICT || (!s && r->count == PAGE)) && goes_on(r, deadline_ms));
  if (s && s != STATUS_CONFLICT) {
    r->retry_ms = r->retry_ms ? r->retry_ms * 2 : RETRY_FIRST_MS;
    if (r->retry_ms > RETRY_MAX_MS) r->retry_ms = RETRY_MAX_MS;
    return false;
  }
  if (r->failing) log_info("ratings", NULL, "rating=ok what had failed is rated");
  r->failing = false;
  r->trouble = NULL;
  r->retry_ms = 0;
  return true;
}

/* ---- the thread ---- */

static void wake(void *ctx) {
  struct rater *r = ctx;
  pthread_mutex_lock(&r->lock);
  r->due = true;
  pthread_cond_broadcast(&r->changed);
  pthread_mutex_unlock(&r->lock);
}

/* Until `at_ms` (0 = for ever), or the end, or, where `or_due`, until something is due; which is
 * then taken. */
static void wait_until(struct rater *r, int64_t at_ms, bool or_due) {
  struct timespec until = {at_ms / 1000, at_ms % 1000 * 1000000};
  pthread_mutex_lock(&r->lock);
  while (!r->stopping && !(or_due && r->due)) {
    if (!at_ms)
      pthread_cond_wait(&r->changed, &r->lock);
    else if (pthread_cond_timedwait(&r->changed, &r->lock, &until))
      break;
  }
  pthread_mutex_unlock(&r->lock);
}

static void clear_due(struct rater *r) {
  pthread_mutex_lock(&r->lock);
  r->due = false;
  pthread_mutex_unlock(&r->lock);
}

static bool may_go_on(void *ctx, const struct rater_rebuilt *so_far) {
  (void)so_far;
  return !is_stopping(ctx);
}

/* Only at the start, when a file may have been put back while nobody looked. What else fails here
 * is met again by the first page. */
static void find_start(struct rater *r) {
  struct error err = {0};
  if (store_rated_through(r->store, &r->through, &err) != STATUS_CONFLICT) return;
  r->trouble = rebuilding;
  r->apart = rating_mend(r->store, err.message, may_go_on, r) != STATUS_OK;
  r->trouble = r->apart ? apart : NULL;
}

static void *rater_main(void *ctx) {
  struct rater *r = ctx;
  setpriority(PRIO_PROCESS, (id_t)gettid(), LOW_PRIORITY); /* of this thread (setpriority(2)) */
  find_start(r);
  show_start(r);
  while (!is_stopping(r)) {
    clear_due(r);
    bool done = work(r, 0);
    wait_until(r, done ? 0 : now_ms() + r->retry_ms, done);
    if (done) wait_until(r, now_ms() + GATHER_MS, false);
  }
  if (!r->failing && !r->apart) work(r, now_ms() + LAST_MS);
  return NULL;
}

static void destroy(struct rater *r) {
  pthread_cond_destroy(&r->changed);
  pthread_mutex_destroy(&r->lock);
  sparse_free(r, sizeof *r);
}

enum status rater_start(struct store *store, rater_match_fn *told, void *ctx,
                        struct rater **ret_rater, struct error *err) {
  struct rater *r = sparse_alloc(sizeof *r);
  if (!r) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  r->store = store;
  r->told = told;
  r->told_ctx = ctx;
  r->through = -1;
  pthread_mutex_init(&r->lock, NULL);
  clock_cond_init(&r->changed);
  /* First of all: what ends while the thread begins would else wait for the next end. */
  store_on_end(store, wake, r);
  int e = pthread_create(&r->thread, NULL, rater_main, r);
  if (e) {
    store_on_end(store, NULL, NULL);
    destroy(r);
    return error_set(err, STATUS_IO, NULL, "cannot start a thread: %s", strerror(e));
  }
  pthread_setname_np(r->thread, "rater");
  *ret_rater = r;
  return STATUS_OK;
}

void rater_stop(struct rater *r) {
  if (!r) return;
  store_on_end(r->store, NULL, NULL);
  pthread_mutex_lock(&r->lock);
  r->stopping = true;
  pthread_cond_broadcast(&r->changed);
  pthread_mutex_unlock(&r->lock);
  pthread_join(r->thread, NULL);
  destroy(r);
}

/* ---- everything anew ---- */

struct rebuild {
  struct store *store;
  struct rater pages; /* only what take_ended needs of it */
  struct rater_rebuilt done;
};

static bool is_gone(const char *reason) {
  return strcmp(reason, rating_reason_names[RATING_DELETED]) == 0 ||
         strcmp(reason, rating_reason_names[RATING_UNREADABLE]) == 0;
}

static enum status rebuild_one(struct rebuild *b, const struct store_ended *ended,
                               struct error *err) {
  struct rated_debate rated;
  struct store_match kept, *match = &rated.match;
  enum status s = rated_debate_read(b->store, ended, &rated, err);
  if (s) return s;
  if (is_gone(rated.match.reason)) {
    s = store_rebuild_look(b->store, ended->number, ended->debate_id, &kept, err);
    if (!s) match = &kept;
    if (!s) b->done.kept++;
    if (s == STATUS_NOT_FOUND) s = STATUS_OK;
  }
  if (!s) s = store_put_match(b->store, match, rated_debate_rate, NULL, err);
  if (!s && *match->reason) b->done.unrated++;
  if (!s && !*match->reason) b->done.rated++;
  rated_debate_done(&rated);
  return s;
}

static enum status rebuild_all(struct rebuild *b, rater_progress_fn *progress, void *ctx,
                               struct error *err) {
  struct rater *pages = &b->pages;
  enum status s = STATUS_OK;
  do {
    pages->count = 0;
    s = store_read_ended(b->store, pages->through, PAGE, take_ended, pages, err);
    for (size_t i = 0; !s && i < pages->count; i++) {
      s = rebuild_one(b, &pages->page[i], err);
      pages->through = pages->page[i].number;
    }
    if (!s && progress && !progress(ctx, &b->done))
      s = error_set(err, STATUS_CANCELLED, NULL, "the rebuild was stopped");
  } while (!s && pages->count == PAGE);
  return s;
}

enum status rater_rebuild(struct store *store, rater_progress_fn *progress, void *ctx,
                          struct rater_rebuilt *ret_rebuilt, struct error *err) {
  struct rebuild *b = calloc(1, sizeof *b);
  if (!b) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  struct error ignored;
  b->store = store;
  enum status s = store_rebuild_begin(store, err);
  if (!s) {
    s = rebuild_all(b, progress, ctx, err);
    enum status ended = store_rebuild_end(store, !s, s ? &ignored : err);
    if (!s) s = ended;
  }
  if (!s) *ret_rebuilt = b->done;
  free(b);
  return s;
}
