#include "api/live_callers.h"

#include "api/notices.h"

#include <pthread.h>
#include <stdlib.h>

enum { SWEEP_MS = 1000 };

struct live_callers {
  struct loop *loop;
  struct auth *auth;
  atomic_bool posted;   /* a sweep is on its way to the loop */
  pthread_mutex_t lock; /* guards what follows */
  struct live_caller *first;
  bool ticking;
};

/* Those that do not stand any more leave the list. */
static void sweep(struct live_callers *callers) {
  pthread_mutex_lock(&callers->lock);
  for (struct live_caller *c = callers->first, *next; c; c = next) {
    next = c->next;
    if (!c->revoked && auth_stands(callers->auth, &c->identity)) continue;
    if (c->prev)
      c->prev->next = c->next;
    else
      callers->first = c->next;
    if (c->next) c->next->prev = c->prev;
    c->entered = false;
    c->ended(c->ctx);
  }
  pthread_mutex_unlock(&callers->lock);
}

/* Loop thread. Only here does the ticking end, so that there is one timer. */
static void tick(void *arg) {
  struct live_callers *callers = arg;
  sweep(callers);
  pthread_mutex_lock(&callers->lock);
  bool left = callers->first != NULL;
  callers->ticking = left;
  pthread_mutex_unlock(&callers->lock);
  if (left) loop_timer_start(callers->loop, SWEEP_MS, tick, callers);
}

static void start_ticking(void *arg) {
  struct live_callers *callers = arg;
  loop_timer_start(callers->loop, SWEEP_MS, tick, callers);
}

static void sweep_now(void *arg) {
  struct live_callers *callers = arg;
  atomic_store(&callers->posted, false);
  sweep(callers);
}

static void on_revoked(void *ctx) {
  struct live_callers *callers = ctx;
  if (!atomic_exchange(&callers->posted, true)) loop_post(callers->loop, sweep_now, callers);
}

struct live_callers *live_callers_create(struct loop *loop, struct auth *auth) {
  struct live_callers *callers = calloc(1, sizeof *callers);
  if (!callers) return NULL;
  callers->loop = loop;
  callers->auth = auth;
  pthread_mutex_init(&callers->lock, NULL);
  auth_on_revoked(auth, on_revoked, callers);
  return callers;
}

void live_callers_destroy(struct live_callers *callers) {
  if (!callers) return;
  auth_on_revoked(callers->auth, NULL, NULL);
  pthread_mutex_destroy(&callers->lock);
  free(callers);
}

/* Without a credential where one is wanted, and with the token itself, there is nothing that can
 * end; where none is wanted, that may change. */
static bool can_end(const struct identity *identity) {
  return identity->expires_us || identity->kind == IDENTITY_SESSION ||
         identity->kind == IDENTITY_KEY || identity->kind == IDENTITY_LOCAL ||
         identity->kind == IDENTITY_LINK;
}

void live_callers_enter(struct live_callers *callers, struct live_caller *caller,
                        const struct identity *identity, void (*ended)(void *ctx), void *ctx) {
  *caller = (struct live_caller){.identity = *identity, .ended = ended, .ctx = ctx};
  if (!can_end(identity)) return;
  pthread_mutex_lock(&callers->lock);
  caller->entered = true;
  caller->next = callers->first;
  if (caller->next) caller->next->prev = caller;
  callers->first = caller;
  bool start = !callers->ticking;
  callers->ticking = true;
  pthread_mutex_unlock(&callers->lock);
  if (start) loop_post(callers->loop, start_ticking, callers);
}

void live_callers_leave(struct live_callers *callers, struct live_caller *caller) {
  pthread_mutex_lock(&callers->lock);
  if (caller->entered) {
    if (caller->prev)
      caller->prev->next = caller->next;
    else
      callers->first = caller->next;
    if (caller->next) caller->next->prev = caller->prev;
    caller->entered = false;
  }
  pthread_mutex_unlock(&callers->lock);
}

void live_callers_end_link(struct live_callers *callers, const char *debate_id) {
  pthread_mutex_lock(&callers->lock);
  for (struct live_caller *c = callers->first; c; c = c->next)
    if (c->identity.kind == IDENTITY_LINK &&
        strcmp(c->identity.credential_id, debate_id) == 0) /* public */
      c->revoked = true;
  pthread_mutex_unlock(&callers->lock);
  on_revoked(callers);
}

struct frame *live_callers_notice(void) {
  return notice_frame(
      "auth_revoked", NULL,
      json_pack("{s:s, s:i}", "message", "The credential was revoked or has expired", "code", 401));
}

/* ---- a source that ends with the credential ---- */

struct guarded {
  struct live_callers *callers;
  struct live_caller caller;
  struct frame_source inner;
  atomic_bool ended;
  bool told;
  void (*wake)(void *arg); /* NULL until somebody reads; set and called under the callers' lock */
  void *arg;
};

static void guarded_ended(void *ctx) {
  struct guarded *g = ctx;
  atomic_store(&g->ended, true);
  if (g->wake) g->wake(g->arg);
}

static enum frame_poll guarded_poll(void *source, struct frame **ret_frame) {
  struct guarded *g = source;
  if (!atomic_load(&g->ended)) return g->inner.ops->poll(g->inner.source, ret_frame);
  struct frame *frame = g->told ? NULL : live_callers_notice();
  g->told = true;
  if (!frame) return FRAME_END;
  *ret_frame = frame;
  return FRAME_READY;
}

static void guarded_set_wake(void *source, void (*wake)(void *arg), void *arg) {
  struct guarded *g = source;
  pthread_mutex_lock(&g->callers->lock);
  g->wake = wake;
  g->arg = arg;
  pthread_mutex_unlock(&g->callers->lock);
  g->inner.ops->set_wake(g->inner.source, wake, arg);
}

static void guarded_close(void *source) {
  struct guarded *g = source;
  live_callers_leave(g->callers, &g->caller);
  g->inner.ops->close(g->inner.source);
  free(g);
}

enum status live_callers_guard(struct live_callers *callers, const struct identity *identity,
                               struct frame_source *source) {
  static const struct frame_source_ops ops = {guarded_poll, guarded_set_wake, guarded_close};
  if (!can_end(identity)) return STATUS_OK;
  struct guarded *g = calloc(1, sizeof *g);
  if (!g) {
    source->ops->close(source->source);
    return STATUS_NOMEM;
  }
  g->callers = callers;
  g->inner = *source;
  live_callers_enter(callers, &g->caller, identity, guarded_ended, g);
  source->ops = &ops;
  source->source = g;
  return STATUS_OK;
}
