/* GET /api/leaderboard, /api/leaderboard/rankings, /api/rankings ?limit&domain&league */
#include "api/handlers.h"
#include "api/notices.h"
#include "api/params.h"
#include "api/ratings.h"
#include "api/reply.h"
#include "rating/game.h"

#include <stdlib.h>

enum { LIMIT_MAX = 50, DOMAIN_MAX = 64, TRIES = 3 };

struct waiter {
  struct waiter *next;
  struct http_request *request;
};

struct leaderboard_page {
  pthread_mutex_t lock; /* guards what follows */
  struct http_shared *body;
  uint64_t made_of; /* the generation that `body` shows */
  uint64_t now;     /* the generation of the ratings; from 1 */
  bool making;      /* a job of the pool is at it */
  struct waiter *waiting;
};

struct leaderboard_page *leaderboard_page_create(void) {
  struct leaderboard_page *page = calloc(1, sizeof *page);
  if (!page) return NULL;
  pthread_mutex_init(&page->lock, NULL);
  page->now = 1;
  return page;
}

void leaderboard_page_destroy(struct leaderboard_page *page) {
  if (!page) return;
  http_shared_unref(page->body);
  pthread_mutex_destroy(&page->lock);
  free(page);
}

void leaderboard_page_expire(struct leaderboard_page *page) {
  pthread_mutex_lock(&page->lock);
  page->now++;
  pthread_mutex_unlock(&page->lock);
}

enum status ratings_list(struct api *api, const struct principal *who, const char *domain,
                         struct rating_list *ret_list, struct error *err) {
  const struct agent_table *table = api_agents(api);
  FREE_LATER struct rating_agent *agents = calloc(table->count + 1, sizeof *agents);
  if (!agents) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  for (size_t i = 0; i < table->count; i++) {
    const struct agent_binding *a = &table->agents[i];
    agents[i] =
        (struct rating_agent){a->type, a->provider, a->model, a->wire == WIRE_DEMO, a->available};
  }
  return rating_list_read(api->parts.store, who, domain, agents, table->count, ret_list, err);
}

/* ---- the shared answer ---- */

static struct http_shared *make(struct api *api) {
  struct rating_list list;
  struct error err = {0};
  struct principal who = PRINCIPAL_LOCAL;
  if (ratings_list(api, &who, "", &list, &err)) return NULL;
  JSON_LATER json_t *body = rating_list_body(&list, "", "", LIMIT_MAX);
  rating_list_done(&list);
  FREE_LATER char *text = body ? json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(10)) : NULL;
  return text ? http_shared_create(bytes_of(text), "application/json") : NULL;
}

static void respond(struct http_request *request, struct http_shared *body) {
  if (body)
    http_respond_shared(request, 200, body);
  else
    reply_failure(request, STATUS_UNAVAILABLE, NULL, NULL);
}

static uint64_t generation(struct leaderboard_page *page) {
  pthread_mutex_lock(&page->lock);
  uint64_t now = page->now;
  pthread_mutex_unlock(&page->lock);
  return now;
}

/* Pool thread. One that asked after a change does not get what was made before it. */
static void make_page(void *arg) {
  struct api *api = arg;
  struct leaderboard_page *page = api->leaderboard;
  struct http_shared *body = NULL;
  uint64_t of = 0;
  for (int i = 0; i < TRIES && generation(page) != of; i++) {
    of = generation(page);
    http_shared_unref(body);
    body = make(api);
  }
  pthread_mutex_lock(&page->lock);
  struct http_shared *old = page->body;
  page->body = body;
  page->made_of = of;
  page->making = false;
  struct waiter *waiter = page->waiting;
  page->waiting = NULL;
  if (body) http_shared_ref(body); /* ours, while the waiters are answered */
  pthread_mutex_unlock(&page->lock);
  http_shared_unref(old);
  while (waiter) {
    struct waiter *next = waiter->next;
    respond(waiter->request, body ? http_shared_ref(body) : NULL);
    free(waiter);
    waiter = next;
  }
  http_shared_unref(body);
}

static void show_shared(struct http_request *request, struct api *api) {
  struct leaderboard_page *page = api->leaderboard;
  struct waiter *waiter = NULL;
  struct http_shared *body = NULL;
  pthread_mutex_lock(&page->lock);
  if (page->body && page->made_of == page->now)
    body = http_shared_ref(page->body);
  else if (page->making || !pool_submit(api->parts.pool, make_page, api))
    page->making = true;
  if (!body && page->making) waiter = malloc(sizeof *waiter);
  if (waiter) {
    *waiter = (struct waiter){page->waiting, request};
    page->waiting = waiter;
  }
  pthread_mutex_unlock(&page->lock);
  if (!waiter) respond(request, body);
}

/* ---- any other question ---- */

struct question {
  struct api *api;
  struct http_request *request;
};

static enum status check(const struct http_request *request, const char **ret_domain,
                         const char **ret_league, struct error *err) {
  const char *domain = http_request_query(request, "domain");
  const char *league = http_request_query(request, "league");
  if (!domain) domain = "";
  if (!league) league = "";
  if (strlen(domain) > DOMAIN_MAX)
    return error_set(err, STATUS_INVALID, "domain", "has at most %d bytes", DOMAIN_MAX);
  if (*league && strcmp(league, game_league(false)) != 0 && strcmp(league, game_league(true)) != 0)
    return error_set(err, STATUS_INVALID, "league", "must be %s or %s, not \"%.32s\"",
                     game_league(false), game_league(true), league);
  *ret_domain = domain;
  *ret_league = league;
  return STATUS_OK;
}

/* Pool thread. */
static void answer(void *arg) {
  struct question *q = arg;
  struct rating_list list;
  struct error err = {0};
  struct principal who = api_principal(q->request);
  const char *domain = "", *league = "";
  size_t limit = (size_t)params_int(q->request, "limit", LIMIT_MAX, 1, LIMIT_MAX);
  enum status s = check(q->request, &domain, &league, &err);
  if (!s) s = ratings_list(q->api, &who, domain, &list, &err);
  if (s) {
    reply_failure(q->request, s, &err, NULL);
  } else {
    reply_json(q->request, 200, rating_list_body(&list, domain, league, limit), NULL);
    rating_list_done(&list);
  }
  free(q);
}

void handle_leaderboard(struct http_request *request, void *app) {
  struct api *api = app;
  bool plain = !http_request_query(request, "domain") && !http_request_query(request, "league") &&
               params_int(request, "limit", LIMIT_MAX, 1, LIMIT_MAX) == LIMIT_MAX;
  if (plain) {
    show_shared(request, api);
    return;
  }
  struct question *q = malloc(sizeof *q);
  if (q) *q = (struct question){api, request};
  if (q && !pool_submit(api->parts.pool, answer, q)) return;
  free(q);
  reply_failure(request, STATUS_UNAVAILABLE, NULL, NULL);
}

/* ---- what those who watch a debate are told ---- */

static void tell(struct api *api, const char *debate_id, const char *type, json_t *data) {
  struct frame *frame = notice_frame(type, debate_id, data);
  if (frame) hub_tell(api->parts.hub, debate_id, frame);
}

/* The one who won most by it; NULL when nobody did, or two alike. */
static const char *winner_of(const struct store_match *match) {
  const struct store_player *best = NULL;
  bool alike = false;
  for (int i = 0; i < match->player_count; i++) {
    const struct store_player *p = &match->players[i];
    int64_t change = p->change_milli[STORE_OVERALL];
    alike = best && change == best->change_milli[STORE_OVERALL] ? true : alike;
    if (best && change <= best->change_milli[STORE_OVERALL]) continue;
    best = p;
    alike = false;
  }
  return best && best->result > 0 && !alike ? best->who.agent : NULL;
}

static void tell_match(struct api *api, const struct store_match *match) {
  json_t *names = json_array(), *changes = json_object();
  for (int i = 0; i < match->player_count; i++) {
    const struct store_player *p = &match->players[i];
    json_array_append_new(names, json_string(p->who.agent));
    json_object_set_new(changes, p->who.agent, rating_points(p->change_milli[STORE_OVERALL]));
  }
  tell(api, match->debate_id, "match_recorded",
       json_pack("{s:s, s:o, s:o, s:s, s:o}", "debate_id", match->debate_id, "participants", names,
                 "elo_changes", changes, "domain", match->domain, "winner",
                 json_text_or_null(winner_of(match))));
}

static void tell_players(struct api *api, const struct store_match *match) {
  for (int i = 0; i < match->player_count; i++) {
    const struct store_player *p = &match->players[i];
    int64_t elo = p->before_milli[STORE_OVERALL] + p->change_milli[STORE_OVERALL];
    tell(api, match->debate_id, "agent_elo_updated",
         json_pack("{s:s, s:o, s:o, s:s, s:s, s:b}", "agent", p->who.agent, "new_elo",
                   rating_points(elo), "change", rating_points(p->change_milli[STORE_OVERALL]),
                   "debate_id", match->debate_id, "domain", match->domain, "is_winner",
                   p->result > 0));
  }
}

static void tell_table(struct api *api, const struct store_match *match) {
  struct rating_list list = {0};
  struct error err = {0};
  struct principal who = PRINCIPAL_LOCAL;
  if (ratings_list(api, &who, "", &list, &err)) return; /* the page itself says what is wrong */
  json_t *rows = json_array();
  for (size_t i = 0; i < list.count && i < LIMIT_MAX; i++) {
    const struct table_row *row = &list.rows[i];
    json_array_append_new(
        rows,
        json_pack("{s:s, s:o, s:I, s:I}", "agent", row->agent, "elo", rating_points(row->elo_milli),
                  "wins", (json_int_t)row->wins, "debates", (json_int_t)table_games(row)));
  }
  rating_list_done(&list);
  tell(api, match->debate_id, "leaderboard_update",
       json_pack("{s:s, s:o}", "debate_id", match->debate_id, "leaderboard", rows));
}

void api_on_match(void *ctx, const struct store_match *match) {
  struct api *api = ctx;
  leaderboard_page_expire(api->leaderboard);
  if (*match->reason || !hub_is_heard(api->parts.hub, match->debate_id)) return;
  tell_match(api, match);
  tell_players(api, match);
  tell_table(api, match);
}
