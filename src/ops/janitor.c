#include "ops/janitor.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "ops/archive_prune.h"
#include "ops/backup_site.h"
#include "ops/expiry.h"
#include "ops/schedule.h"
#include "store/upkeep.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
  DAY_MS = 24 * 3600 * 1000,
  HOUR_MS = 3600 * 1000,
  MINUTE_MS = 60 * 1000,
  EXPIRED_AT_ONCE = 500,
  LOOK_FIRST_MS = 500,
  LOOK_MS = 10 * 1000, /* how often it looks at the clock on the wall, which may jump */
};

struct janitor {
  const struct options *options;
  struct store *store;
  struct schedule_policy policy;
  struct progress progress;
  pthread_t thread;
  bool started;
  /* of the thread */
  struct schedule_past past;
  bool known;           /* the past was read from the backups */
  pthread_mutex_t lock; /* guards what follows */
  pthread_cond_t wake;
  bool stopping;
  struct janitor_state state;
};

static int64_t now_ms(void) {
  return clock_wall_ms(&clock_system);
}

/* ---- stopping ---- */

static bool is_stopping(struct janitor *j) {
  pthread_mutex_lock(&j->lock);
  bool stopping = j->stopping;
  pthread_mutex_unlock(&j->lock);
  return stopping;
}

static bool step(void *ctx, const char *what, int64_t done, int64_t total) {
  (void)what;
  (void)done;
  (void)total;
  return !is_stopping(ctx);
}

/* False when it shall stop. */
static bool wait_until(struct janitor *j, int64_t at_ms) {
  int64_t now = now_ms();
  /* At first often: the writer may be about to begin a chain of the archive, which wants a base. */
  int64_t look_ms = now - j->past.started_ms < LOOK_MS ? LOOK_FIRST_MS : LOOK_MS;
  int64_t wait = at_ms <= now ? 0 : at_ms - now < look_ms ? at_ms - now : look_ms;
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  int64_t ns = until.tv_nsec + wait * 1000000;
  until.tv_sec += ns / 1000000000;
  until.tv_nsec = ns % 1000000000;
  pthread_mutex_lock(&j->lock);
  int rc = 0;
  while (!j->stopping && rc == 0) rc = pthread_cond_timedwait(&j->wake, &j->lock, &until);
  bool go_on = !j->stopping;
  pthread_mutex_unlock(&j->lock);
  return go_on;
}

/* ---- what is known and shown ---- */

static void show_success(struct janitor *j, const char *name, int64_t created_ms,
                         int64_t duration_ms) {
  pthread_mutex_lock(&j->lock);
  j->state.last_success_ms = created_ms;
  snprintf(j->state.last_name, sizeof j->state.last_name, "%s", name);
  if (duration_ms >= 0) {
    j->state.last_duration_ms = duration_ms;
    j->state.last_failure_ms = -1;
    j->state.failures = 0;
    j->state.problem[0] = 0;
  }
  pthread_mutex_unlock(&j->lock);
  metric_set(METRIC_BACKUP_LAST_SUCCESS, NULL, created_ms / 1000);
}

static void show_failure(struct janitor *j, const struct error *err) {
  pthread_mutex_lock(&j->lock);
  j->state.last_failure_ms = j->past.last_failure_ms;
  j->state.failures = j->past.failures;
  snprintf(j->state.problem, sizeof j->state.problem, "%s", err->message);
  pthread_mutex_unlock(&j->lock);
}

static void show_working(struct janitor *j, bool working) {
  pthread_mutex_lock(&j->lock);
  j->state.working = working;
  pthread_mutex_unlock(&j->lock);
}

static void show_next(struct janitor *j) {
  struct schedule_policy backups = j->policy;
  backups.checkpoint_ms = backups.expiry_ms = 0;
  struct schedule_next next = schedule_decide(&backups, &j->past, now_ms());
  pthread_mutex_lock(&j->lock);
  bool told = next.act != SCHEDULE_NOTHING && (j->known || j->past.failures > 0);
  j->state.next_ms = told ? next.at_ms : -1;
  pthread_mutex_unlock(&j->lock);
}

void janitor_get_state(struct janitor *j, struct janitor_state *ret_state) {
  int64_t period = j->policy.hot_ms ? j->policy.hot_ms : j->policy.full_ms;
  pthread_mutex_lock(&j->lock);
  *ret_state = j->state;
  pthread_mutex_unlock(&j->lock);
  int64_t last = ret_state->last_success_ms;
  ret_state->overdue = ret_state->scheduled && last >= 0 && now_ms() - last > 2 * period;
}

static void failed(struct janitor *j, const char *what, const struct error *err) {
  j->past.failures++;
  j->past.last_failure_ms = now_ms();
  metric_add(METRIC_BACKUP_FAILURES, NULL, 1);
  show_failure(j, err);
  log_error("janitor", NULL, "event=%s_failed failures=%" PRId64 " reason=\"%s\"", what,
            j->past.failures, err->message);
}

/* ---- acts ---- */

static void checkpoint_one(struct janitor *j, enum database database, const char *path) {
  struct upkeep_result c;
  struct error err = {0};
  if (upkeep_checkpoint(database, path, j->options->db_timeout_s * 1000, &c, &err)) {
    log_warning("janitor", NULL, "event=checkpoint_failed reason=\"%s\"", err.message);
    return;
  }
  metric_add(METRIC_CHECKPOINTS, NULL, 1);
  log_info("janitor", NULL,
           "event=checkpoint db=%s pages=%" PRId64 " waiting=%" PRId64 " duration_ms=%" PRId64,
           path, c.moved, c.waiting, c.took_us / 1000);
}

static void prune_archive(struct janitor *j, const struct backup_site *site) {
  struct store_archive_state archive;
  struct catalogue c = {0};
  struct error err = {0};
  size_t removed = 0, shipped = 0;
  store_archive_state(j->store, &archive);
  if (!archive.enabled) return;
  int64_t before = now_ms() - j->options->full_backup_keep_days * (int64_t)DAY_MS;
  enum status s = catalogue_read(site->place, &c, &err);
  if (!s) s = archive_prune(site->archive_dir, &c, archive.chain, before, &removed, &err);
  if (!s) s = archive_prune_place(site->place, &c, archive.chain, before, &shipped, &err);
  catalogue_done(&c);
  if (s)
    log_warning("janitor", NULL, "event=archive_prune_failed reason=\"%s\"", err.message);
  else if (removed || shipped)
    log_info("janitor", NULL, "event=archive_prune segments=%zu shipped=%zu", removed, shipped);
}

/* Where no backup of the schedule does it. */
static void prune_unscheduled(struct janitor *j) {
  struct backup_site site = {0};
  struct error err = {0};
  if (j->policy.hot_ms || j->policy.full_ms) return;
  if (backup_site_open(j->options, &j->progress, &site, &err))
    log_warning("janitor", NULL, "event=archive_prune_failed reason=\"%s\"", err.message);
  else
    prune_archive(j, &site);
  backup_site_close(&site);
}

static void checkpoint(struct janitor *j) {
  j->past.last_checkpoint_ms = now_ms();
  checkpoint_one(j, DATABASE_MEMORY, j->options->db_path);
  checkpoint_one(j, DATABASE_ELO, j->options->elo_path);
  store_note_checkpoint(j->store);
  prune_unscheduled(j);
}

/* A bounded part each time; where more are past their term it goes on at once. */
static void expire(struct janitor *j) {
  const struct expiry_terms terms = expiry_terms_of(j->options);
  size_t deleted = 0;
  struct error err = {0};
  if (expiry_enforce(j->store, &terms, now_ms(), EXPIRED_AT_ONCE, &deleted, &err))
    log_warning("janitor", NULL, "event=expiry_failed deleted=%zu reason=\"%s\"", deleted,
                err.message);
  else if (deleted)
    log_info("janitor", NULL, "event=expiry deleted=%zu", deleted);
  if (err.message[0] || deleted < EXPIRED_AT_ONCE) j->past.last_expiry_ms = now_ms();
}

static void log_removed(void *ctx, const struct catalogue_entry *entry) {
  (void)ctx;
  log_info("janitor", NULL, "event=backup_removed name=%s", entry->name);
}

/* The janitor's own connection to the place: credentials in files may have changed. */
static enum status make_backup(struct janitor *j, enum backup_kind kind, struct manifest *m,
                               bool *ret_verified, struct error *err) {
  struct backup_site site = {0};
  const struct retention_policy keep = {j->options->backup_keep_days,
                                        j->options->full_backup_keep_days};
  struct error cause = {0};
  enum status s = backup_site_open(j->options, &j->progress, &site, err);
  if (!s) s = backup_create(&site, kind, m, ret_verified, err);
  store_note_checkpoint(j->store);
  /* What cannot be removed makes no backup worse. */
  enum status pruned =
      s ? s : backup_prune(&site, &keep, now_ms(), false, log_removed, NULL, &cause);
  if (!pruned)
    prune_archive(j, &site);
  else if (!s && pruned != STATUS_CANCELLED)
    log_warning("janitor", NULL, "event=backup_prune_failed reason=\"%s\"", cause.message);
  backup_site_close(&site);
  return s;
}

/* The archive goes on from every backup of its chain. */
static void note_base(struct janitor *j, const struct manifest *m) {
  struct error err = {0};
  if (*m->chain && store_archive_note_base(j->store, m->chain, &err) &&
      err.status != STATUS_UNSUPPORTED)
    log_warning("janitor", NULL, "event=base_not_noted reason=\"%s\"", err.message);
}

static void made(struct janitor *j, enum schedule_act act, const struct manifest *m, bool verified,
                 int64_t us) {
  int64_t raw = m->files[0].raw_bytes + m->files[1].raw_bytes;
  int64_t stored = m->files[0].bytes + m->files[1].bytes;
  j->past.failures = 0;
  j->past.last_backup_ms = m->created_ms;
  if (m->kind == BACKUP_FULL) j->past.last_full_ms = m->created_ms;
  if (act == SCHEDULE_BASE) j->past.last_base_ms = m->created_ms;
  note_base(j, m);
  show_success(j, m->name, m->created_ms, us / 1000);
  metric_add(METRIC_BACKUPS, (const char *const[]){backup_kind_name(m->kind)}, 1);
  metric_set(METRIC_BACKUP_BYTES, (const char *const[]){"raw"}, raw);
  metric_set(METRIC_BACKUP_BYTES, (const char *const[]){"stored"}, stored);
  metric_observe_us(METRIC_BACKUP_DURATION, NULL, us);
  log_info("janitor", NULL,
           "event=backup name=%s debates=%" PRId64 " bytes=%" PRId64 " stored_bytes=%" PRId64
           " duration_ms=%" PRId64 " verified=%s",
           m->name, m->census.debates, raw, stored, us / 1000, verified ? "true" : "false");
}

static void backup(struct janitor *j, enum schedule_act act) {
  struct manifest m;
  struct error err = {0};
  bool verified = false;
  int64_t start = clock_mono_us(&clock_system);
  show_working(j, true);
  enum status s =
      make_backup(j, act == SCHEDULE_FULL ? BACKUP_FULL : BACKUP_HOT, &m, &verified, &err);
  if (s == STATUS_OK)
    made(j, act, &m, verified, clock_mono_us(&clock_system) - start);
  else if (s != STATUS_CANCELLED)
    failed(j, "backup", &err);
  show_working(j, false);
}

/* ---- the schedule ---- */

static void take_entry(struct janitor *j, const struct catalogue_entry *e) {
  if (!e->readable || (e->kind != BACKUP_HOT && e->kind != BACKUP_FULL)) return;
  if (e->created_ms > j->past.last_backup_ms) {
    j->past.last_backup_ms = e->created_ms;
    show_success(j, e->name, e->created_ms, -1);
  }
  if (e->kind == BACKUP_FULL && e->created_ms > j->past.last_full_ms)
    j->past.last_full_ms = e->created_ms;
}

/* A place that does not answer is a failed backup: nobody knows when the last one was. */
static bool read_past(struct janitor *j) {
  struct backup_site site = {0};
  struct catalogue c = {0};
  struct error err = {0};
  enum status s = backup_site_open(j->options, &j->progress, &site, &err);
  if (!s) s = catalogue_read(site.place, &c, &err);
  for (size_t i = 0; !s && i < c.count; i++) take_entry(j, &c.entries[i]);
  catalogue_done(&c);
  backup_site_close(&site);
  if (s && s != STATUS_CANCELLED) failed(j, "backup_list", &err);
  return s == STATUS_OK;
}

/* Nothing was ever written: there is nothing to keep. What cannot be read is the backup's to tell.
 */
static bool has_data(struct janitor *j) {
  struct inspect *live = NULL;
  struct inspect_position p = {0};
  struct error err = {0};
  enum status s = inspect_open_live(j->options->db_path, DATABASE_MEMORY, LOOK_MS, &live, &err);
  if (!s) s = inspect_position(live, &p, &err);
  inspect_close(live);
  int64_t own = *p.chain != 0; /* the commit that names the archive's chain */
  return s || p.number > own;
}

/* False when nothing can be done about it now. */
static bool act(struct janitor *j, enum schedule_act what) {
  if (what == SCHEDULE_CHECKPOINT || what == SCHEDULE_EXPIRY) {
    if (what == SCHEDULE_CHECKPOINT) checkpoint(j);
    if (what == SCHEDULE_EXPIRY) expire(j);
    return true;
  }
  if (!j->known) j->known = read_past(j);
  if (!j->known) return true; /* a failure, which puts the next try off */
  /* What was read may say that none is due. */
  struct schedule_next again = schedule_decide(&j->policy, &j->past, now_ms());
  if (again.act != what || again.at_ms > now_ms()) return true;
  if (!has_data(j)) return false;
  backup(j, what);
  return true;
}

static void look_at_archive(struct janitor *j) {
  struct store_archive_state archive;
  store_archive_state(j->store, &archive);
  j->past.base_wanted_ms = archive.enabled ? archive.base_wanted_since_ms : -1;
}

static void *run(void *ctx) {
  struct janitor *j = ctx;
  bool scheduled = j->policy.hot_ms || j->policy.full_ms;
  if (scheduled) j->known = read_past(j);
  for (;;) {
    look_at_archive(j);
    struct schedule_next next = schedule_decide(&j->policy, &j->past, now_ms());
    show_next(j);
    bool due = next.at_ms <= now_ms();
    bool done = due && act(j, next.act);
    if (!wait_until(j, done ? 0 : due ? INT64_MAX : next.at_ms)) break;
  }
  return NULL;
}

/* ---- its life ---- */

static struct schedule_policy policy_of(const struct options *o) {
  const struct expiry_terms t = expiry_terms_of(o);
  bool expires = t.completed_days || t.failed_days || t.demo_days;
  return (struct schedule_policy){.hot_ms = o->backup_hours * HOUR_MS,
                                  .full_ms = o->full_backup_days * DAY_MS,
                                  .expiry_ms = expires ? HOUR_MS : 0,
                                  .checkpoint_ms = o->checkpoint_minutes * MINUTE_MS,
                                  .delay_ms = o->backup_delay_minutes * MINUTE_MS};
}

static void init_lock(struct janitor *j) {
  pthread_mutex_init(&j->lock, NULL);
  clock_cond_init(&j->wake);
}

enum status janitor_create(const struct options *options, struct janitor **ret_janitor,
                           struct error *err) {
  struct janitor *j = calloc(1, sizeof *j);
  if (!j) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  j->options = options;
  j->policy = policy_of(options);
  j->progress = (struct progress){step, j};
  j->state = (struct janitor_state){.scheduled = j->policy.hot_ms || j->policy.full_ms,
                                    .last_success_ms = -1,
                                    .last_duration_ms = -1,
                                    .last_failure_ms = -1,
                                    .next_ms = -1};
  init_lock(j);
  *ret_janitor = j;
  return STATUS_OK;
}

enum status janitor_start(struct janitor *j, struct store *store, struct error *err) {
  j->store = store;
  j->past = (struct schedule_past){now_ms(), -1, -1, -1, -1, -1, 0, -1, -1};
  int failure = pthread_create(&j->thread, NULL, run, j);
  if (failure)
    return error_set(err, STATUS_IO, NULL, "cannot start a thread: %s", strerror(failure));
  j->started = true;
  pthread_setname_np(j->thread, "janitor");
  return STATUS_OK;
}

void janitor_stop(struct janitor *j) {
  if (!j || !j->started) return;
  pthread_mutex_lock(&j->lock);
  j->stopping = true;
  pthread_cond_signal(&j->wake);
  pthread_mutex_unlock(&j->lock);
  pthread_join(j->thread, NULL);
  j->started = false;
}

void janitor_destroy(struct janitor *j) {
  if (!j) return;
  pthread_cond_destroy(&j->wake);
  pthread_mutex_destroy(&j->lock);
  free(j);
}
