#include "api/health.h"

#include "api/agent_checks.h"
#include "api/handlers.h"
#include "api/reply.h"
#include "api/state.h"
#include "base/clock.h"

#include <stdlib.h>

enum {
  FRESH_US = 1000 * 1000,     /* a body is handed out as it is */
  STALE_US = 5 * 1000 * 1000, /* is still handed out, while a new one is made */
};

struct waiter {
  struct waiter *next;
  struct http_request *request;
};

struct health_page {
  struct api *api;
  health_maker *make;
  pthread_mutex_t lock; /* guards what follows */
  struct http_shared *body;
  int http_status;
  int64_t made_us; /* monotonic */
  bool making;     /* a job of the pool is at it */
  struct waiter *waiting;
};

struct health_page *health_page_create(struct api *api, health_maker *make) {
  struct health_page *page = calloc(1, sizeof *page);
  if (!page) return NULL;
  page->api = api;
  page->make = make;
  pthread_mutex_init(&page->lock, NULL);
  return page;
}

void health_page_destroy(struct health_page *page) {
  if (!page) return;
  http_shared_unref(page->body);
  pthread_mutex_destroy(&page->lock);
  free(page);
}

static void respond(struct http_request *request, struct http_shared *body, int status) {
  if (body)
    http_respond_shared(request, status, body);
  else
    reply_failure(request, STATUS_NOMEM, NULL, NULL);
}

/* Pool thread. */
static void make_body(void *arg) {
  struct health_page *page = arg;
  int status = 503;
  struct http_shared *body = page->make(page->api, &status);
  pthread_mutex_lock(&page->lock);
  struct http_shared *old = page->body;
  page->body = body;
  page->http_status = status;
  page->made_us = clock_mono_us(&clock_system);
  page->making = false;
  struct waiter *waiter = page->waiting;
  page->waiting = NULL;
  if (body) http_shared_ref(body); /* ours, while the waiters are answered */
  pthread_mutex_unlock(&page->lock);
  http_shared_unref(old);
  while (waiter) {
    struct waiter *next = waiter->next;
    respond(waiter->request, body ? http_shared_ref(body) : NULL, status);
    free(waiter);
    waiter = next;
  }
  http_shared_unref(body);
}

/* With the lock held: what may be handed out now, or NULL. Starts a new one where it is due. */
static struct http_shared *take_body(struct health_page *page, int *ret_status) {
  int64_t age = clock_mono_us(&clock_system) - page->made_us;
  bool fresh = page->body && age < FRESH_US;
  if (!fresh && !page->making)
    page->making = pool_submit(page->api->parts.pool, make_body, page) == 0;
  /* Without a place in the pool the old answer is better than none: the process does serve. */
  bool usable = page->body && (age < STALE_US || !page->making);
  *ret_status = page->http_status;
  return usable ? http_shared_ref(page->body) : NULL;
}

static void show(struct http_request *request, struct health_page *page) {
  struct waiter *waiter = NULL;
  int status = 503;
  pthread_mutex_lock(&page->lock);
  struct http_shared *body = take_body(page, &status);
  if (!body && page->making) waiter = malloc(sizeof *waiter);
  if (waiter) {
    *waiter = (struct waiter){page->waiting, request};
    page->waiting = waiter;
  }
  pthread_mutex_unlock(&page->lock);
  if (!waiter) respond(request, body, status);
}

/* GET /api/health */
void handle_health_show(struct http_request *request, void *app) {
  const struct api *api = app;
  show(request, api->health);
}

/* GET /api/health/deep */
void handle_health_deep(struct http_request *request, void *app) {
  const struct api *api = app;
  show(request, api->health_deep);
}

/* GET /api/health/detailed */
void handle_health_detailed(struct http_request *request, void *app) {
  const struct api *api = app;
  show(request, api->health_detailed);
}

/* GET /healthz: the process answers. */
void handle_health_alive(struct http_request *request, void *app) {
  const struct api *api = app;
  http_respond_shared(request, 200, http_shared_ref(api->alive));
}

/* GET /readyz: new work is accepted and can be stored, and the last check of the agents leaves some
 * hope for it. */
void handle_health_ready(struct http_request *request, void *app) {
  const struct api *api = app;
  bool accepting = runner_stats(api->parts.runner).accepting;
  bool writable = store_writable(api->parts.store);
  agent_checks_refresh(api->checks);
  bool agents = !agent_checks_hopeless(api->checks);
  bool ready = accepting && writable && agents;
  reply_json(request, ready ? 200 : 503,
             json_pack("{s:s, s:{s:b, s:b, s:b, s:b}}", "status", ready ? "ready" : "not_ready",
                       "checks", "storage", writable, "elo_system", writable, "accepting",
                       accepting, "agents", agents),
             NULL);
}
