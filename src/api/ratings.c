/* What the ratings know of single agents:
 *
 *   GET /api/agents/{agent}, /api/agent/{agent}/profile
 *   GET /api/agent/{agent}/history?limit&domain
 *   GET /api/agent/{agent}/rivals?limit, /allies?limit, /head-to-head/{opponent}
 *   GET /api/agent/compare?agents=a,b
 *   GET /api/matches/recent?limit
 *
 * An agent is named by its type: that is the model that it has now; a type that is gone is the
 * model that played under it last.
 */
#include "api/ratings.h"

#include "api/handlers.h"
#include "api/params.h"
#include "api/reply.h"
#include "base/id.h"
#include "ops/debate_row.h"
#include "rating/game.h"

#include <stdlib.h>

enum { LIMIT = 20, LIMIT_MAX = 100, RELATIONS_LIMIT = 5, COMPARED_MAX = 10, AGENTS_TEXT_MAX = 512 };

static const char *const results[] = {"loss", "draw", "win"};

/* ---- who ---- */

struct subject {
  const char *type;
  struct table_row row; /* its place in the overall table; its texts are the list's or ours */
  char *provider, *model;
  bool available;
};

static void subject_done(struct subject *s) {
  free(s->provider);
  free(s->model);
}

static enum status name_binding(const struct agent_binding *a, struct subject *s,
                                struct error *err) {
  s->provider = bytes_dup(bytes_of(a->provider));
  s->model = bytes_dup(bytes_of(a->model));
  s->available = a->available;
  s->row.demo = a->wire == WIRE_DEMO;
  s->row.current = true;
  return s->provider && s->model ? STATUS_OK : error_set(err, STATUS_NOMEM, NULL, "out of memory");
}

static void take_row(struct subject *s, const struct rating_list *list) {
  for (size_t i = 0; i < list->count; i++) {
    const struct table_row *row = &list->rows[i];
    if (strcmp(row->provider, s->provider) != 0 || strcmp(row->model, s->model) != 0) continue;
    bool current = s->row.current;
    s->row = *row;
    s->row.current = current;
  }
  s->row.provider = s->provider;
  s->row.model = s->model;
  s->row.agent = s->type;
}

/* STATUS_NOT_FOUND for a name that is no agent's now and under which nobody was rated. */
static enum status find_subject(struct api *api, const struct principal *who, const char *type,
                                const struct rating_list *list, struct subject *ret_subject,
                                struct error *err) {
  struct subject s = {.type = type, .row = {.elo_milli = ELO_START_MILLI, .updated_ms = -1}};
  const struct agent_binding *a = agents_find(api_agents(api), bytes_of(type));
  enum status status = a ? name_binding(a, &s, err)
                         : store_find_contender(api->parts.store, who, type, &s.provider, &s.model,
                                                &s.row.demo, err);
  if (status) {
    subject_done(&s);
    return status == STATUS_NOT_FOUND
               ? error_set(err, status, NULL, "there is no agent \"%.32s\"", type)
               : status;
  }
  take_row(&s, list);
  *ret_subject = s;
  return STATUS_OK;
}

static struct store_contender contender_of(const struct subject *s) {
  return (struct store_contender){s->provider, s->model, s->type, s->row.demo};
}

/* What every answer about an agent needs. */
struct asking {
  struct http_request *request;
  struct api *api;
  struct principal who;
  struct rating_list list;
  struct subject subject;
  struct store_contender contender;
};

static void leave(struct asking *q) {
  subject_done(&q->subject);
  rating_list_done(&q->list);
}

/* False when it has answered already. */
static bool enter(struct http_request *request, struct api *api, const char *type,
                  struct asking *ret_asking) {
  struct error err = {0};
  struct asking q = {.request = request, .api = api, .who = api_principal(request)};
  enum status s = ratings_list(api, &q.who, "", &q.list, &err);
  if (!s) s = find_subject(api, &q.who, type, &q.list, &q.subject, &err);
  if (s) {
    rating_list_done(&q.list);
    reply_failure(request, s, &err, NULL);
    return false;
  }
  q.contender = contender_of(&q.subject);
  *ret_asking = q;
  return true;
}

/* The answer, or why there is none; takes the reference. */
static void finish(struct asking *q, enum status s, const struct error *err, json_t *body) {
  if (s) {
    json_decref(body);
    reply_failure(q->request, s, err, NULL);
  } else {
    reply_json(q->request, 200, body, NULL);
  }
  leave(q);
}

/* ---- the profile ---- */

static void add_domain(void *ctx, const char *domain, const struct store_standing *s) {
  struct table_row row = {.elo_milli = s->elo_milli,
                          .wins = s->wins,
                          .losses = s->losses,
                          .draws = s->draws,
                          .updated_ms = s->updated_ms};
  if (!*domain) return; /* the overall table's */
  json_array_append_new(
      ctx, json_pack("{s:s, s:o, s:I, s:I, s:I, s:I, s:b, s:o}", "domain", domain, "elo",
                     rating_points(row.elo_milli), "wins", (json_int_t)row.wins, "losses",
                     (json_int_t)row.losses, "draws", (json_int_t)row.draws, "games",
                     (json_int_t)table_games(&row), "provisional", table_is_provisional(&row),
                     "updated_at", json_time_or_null(row.updated_ms)));
}

/* `rank` is null without a place in the table: an agent that cannot be asked and never played. */
static json_t *profile_of(const struct subject *s) {
  json_t *profile = rating_list_row(&s->row);
  if (!profile) return NULL;
  json_object_set_new(profile, "type", json_string(s->type));
  json_object_set_new(profile, "rating", rating_points(s->row.elo_milli));
  json_object_set_new(profile, "available", json_boolean(s->available));
  if (!s->row.rank) json_object_set_new(profile, "rank", json_null());
  return profile;
}

void handle_agent_profile(struct http_request *request, void *app) {
  struct asking q;
  struct error err = {0};
  if (!enter(request, app, http_request_param(request, "agent"), &q)) return;
  json_t *profile = profile_of(&q.subject), *domains = json_array();
  enum status s =
      store_read_domains(q.api->parts.store, &q.who, &q.contender, add_domain, domains, &err);
  if (json_object_set_new(profile, "domains", domains)) {
    json_decref(profile);
    profile = NULL;
  }
  finish(&q, s, &err, profile);
}

/* ---- history ---- */

static void add_step(void *ctx, const struct store_rating_step *step) {
  json_array_append_new(
      ctx, json_pack("{s:s, s:s, s:o, s:o, s:s, s:o, s:o}", "debate_id", step->debate_id, "domain",
                     step->domain, "elo", rating_points(step->elo_milli), "elo_change",
                     rating_points(step->change_milli), "result", results[step->result + 1],
                     "created_at", json_time_or_null(step->ended_ms), "timestamp",
                     json_time_or_null(step->ended_ms)));
}

void handle_agent_history(struct http_request *request, void *app) {
  struct asking q;
  struct error err = {0};
  const char *domain = http_request_query(request, "domain");
  size_t limit = (size_t)params_int(request, "limit", LIMIT, 1, LIMIT_MAX);
  if (!enter(request, app, http_request_param(request, "agent"), &q)) return;
  json_t *steps = json_array();
  enum status s = store_read_rating_history(q.api->parts.store, &q.who, &q.contender,
                                            domain ? domain : "", limit, add_step, steps, &err);
  finish(&q, s, &err,
         json_pack("{s:s, s:s, s:s, s:O, s:o, s:I}", "agent", q.subject.type, "provider",
                   q.subject.provider, "model", q.subject.model, "history", steps, "matches", steps,
                   "count", (json_int_t)json_array_size(steps)));
}

/* ---- relations ---- */

static json_t *relation_object(const struct store_relation *r) {
  json_int_t compared = (json_int_t)r->wins + r->losses + r->draws;
  return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "name",
                   r->opponent.agent, "agent", r->opponent.agent, "provider", r->opponent.provider,
                   "model", r->opponent.model, "wins", (json_int_t)r->wins, "losses",
                   (json_int_t)r->losses, "draws", (json_int_t)r->draws, "matches", compared,
                   "agreements", (json_int_t)r->agreed, "debates", (json_int_t)r->debates,
                   "updated_at", json_time_or_null(r->updated_ms));
}

struct met {
  struct store_relation *all; /* with texts that are ours */
  size_t count, cap;
  bool failed;
};

static void meet(void *ctx, const struct store_relation *relation) {
  struct met *m = ctx;
  if (m->count == m->cap) {
    size_t cap = m->cap ? m->cap * 2 : 16;
    struct store_relation *grown = realloc(m->all, cap * sizeof *grown);
    if (!grown) {
      m->failed = true;
      return;
    }
    m->all = grown;
    m->cap = cap;
  }
  struct store_relation *r = &m->all[m->count++];
  *r = *relation;
  r->opponent.provider = bytes_dup(bytes_of(relation->opponent.provider));
  r->opponent.model = bytes_dup(bytes_of(relation->opponent.model));
  r->opponent.agent = bytes_dup(bytes_of(relation->opponent.agent));
  m->failed = m->failed || !r->opponent.provider || !r->opponent.model || !r->opponent.agent;
}

static void met_done(struct met *m) {
  for (size_t i = 0; i < m->count; i++) {
    free((char *)m->all[i].opponent.provider);
    free((char *)m->all[i].opponent.model);
    free((char *)m->all[i].opponent.agent);
  }
  free(m->all);
}

static int64_t compared_of(const struct store_relation *r) {
  return r->wins + r->losses + r->draws;
}

static int by_number(int64_t a, int64_t b) {
  return (a > b) - (a < b);
}

/* Most comparisons first, then the closer record. */
static int by_rivalry(const void *one, const void *other) {
  const struct store_relation *a = one, *b = other;
  int order = by_number(compared_of(b), compared_of(a));
  if (!order) order = by_number(llabs(a->wins - a->losses), llabs(b->wins - b->losses));
  return order ? order : strcmp(a->opponent.agent, b->opponent.agent);
}

/* Most agreements first, then the greater share of the debates together. */
static int by_alliance(const void *one, const void *other) {
  const struct store_relation *a = one, *b = other;
  int order = by_number(b->agreed, a->agreed);
  if (!order) order = by_number(a->debates, b->debates);
  return order ? order : strcmp(a->opponent.agent, b->opponent.agent);
}

static json_t *list_of(const struct met *m, size_t limit, bool allies) {
  json_t *out = json_array();
  for (size_t i = 0; out && i < m->count && json_array_size(out) < limit; i++)
    if (allies ? m->all[i].agreed : compared_of(&m->all[i]))
      json_array_append_new(out, relation_object(&m->all[i]));
  return out;
}

static void show_relations(struct http_request *request, struct api *api, bool allies) {
  struct asking q;
  struct error err = {0};
  struct met met = {0};
  size_t limit = (size_t)params_int(request, "limit", RELATIONS_LIMIT, 1, LIMIT_MAX);
  if (!enter(request, api, http_request_param(request, "agent"), &q)) return;
  enum status s =
      store_read_relations(api->parts.store, &q.who, &q.contender, NULL, meet, &met, &err);
  if (!s && met.failed) s = error_set(&err, STATUS_NOMEM, NULL, "out of memory");
  json_t *body = NULL;
  if (!s) {
    if (met.count) qsort(met.all, met.count, sizeof *met.all, allies ? by_alliance : by_rivalry);
    body = json_pack("{s:s, s:o}", "agent", q.subject.type, allies ? "allies" : "rivals",
                     list_of(&met, limit, allies));
  }
  met_done(&met);
  finish(&q, s, &err, body);
}

void handle_agent_rivals(struct http_request *request, void *app) {
  show_relations(request, app, false);
}

void handle_agent_allies(struct http_request *request, void *app) {
  show_relations(request, app, true);
}

static void take_relation(void *ctx, const struct store_relation *relation) {
  json_t **out = ctx;
  *out = relation_object(relation);
}

void handle_agent_head_to_head(struct http_request *request, void *app) {
  struct asking q;
  struct error err = {0};
  struct subject opponent = {0};
  json_t *relation = NULL;
  if (!enter(request, app, http_request_param(request, "agent"), &q)) return;
  enum status s = find_subject(q.api, &q.who, http_request_param(request, "opponent"), &q.list,
                               &opponent, &err);
  struct store_contender other = contender_of(&opponent);
  if (!s)
    s = store_read_relations(q.api->parts.store, &q.who, &q.contender, &other, take_relation,
                             &relation, &err);
  json_t *body = NULL;
  if (!s) {
    struct store_relation none = {.opponent = other, .updated_ms = -1};
    if (!relation) relation = relation_object(&none);
    if (relation) {
      json_object_del(relation, "name");
      json_object_del(relation, "provider");
      json_object_del(relation, "model");
      json_object_set_new(relation, "agent", json_string(q.subject.type));
      json_object_set_new(relation, "opponent", json_string(opponent.type));
      json_object_set_new(relation, "agent_elo", rating_points(q.subject.row.elo_milli));
      json_object_set_new(relation, "opponent_elo", rating_points(opponent.row.elo_milli));
      body = relation;
      relation = NULL;
    }
  }
  json_decref(relation);
  subject_done(&opponent);
  finish(&q, s, &err, body);
}

/* ---- several ---- */

static enum status compare(struct api *api, const struct principal *who, char *names,
                           const struct rating_list *list, json_t *out, struct error *err) {
  char *rest = NULL;
  enum status s = STATUS_OK;
  for (char *name = strtok_r(names, ", ", &rest); !s && name; name = strtok_r(NULL, ", ", &rest)) {
    struct subject subject = {0};
    if (json_array_size(out) == COMPARED_MAX)
      return error_set(err, STATUS_INVALID, "agents", "names at most %d agents", COMPARED_MAX);
    s = find_subject(api, who, name, list, &subject, err);
    if (!s && json_array_append_new(out, profile_of(&subject)))
      s = error_set(err, STATUS_NOMEM, NULL, "out of memory");
    subject_done(&subject);
  }
  if (!s && json_array_size(out) == 0)
    s = error_set(err, STATUS_INVALID, "agents", "names the agents to compare: agents=a,b");
  return s;
}

void handle_agents_compare(struct http_request *request, void *app) {
  struct api *api = app;
  struct error err = {0};
  struct rating_list list;
  struct principal who = api_principal(request);
  const char *names = http_request_query(request, "agents");
  char copy[AGENTS_TEXT_MAX] = "";
  if (names && strlen(names) < sizeof copy) memcpy(copy, names, strlen(names) + 1);
  enum status s = ratings_list(api, &who, "", &list, &err);
  if (s) {
    reply_failure(request, s, &err, NULL);
    return;
  }
  json_t *agents = json_array();
  s = compare(api, &who, copy, &list, agents, &err);
  rating_list_done(&list);
  if (s) {
    json_decref(agents);
    reply_failure(request, s, &err, NULL);
  } else {
    reply_json(
        request, 200,
        json_pack("{s:o, s:I}", "agents", agents, "count", (json_int_t)json_array_size(agents)),
        NULL);
  }
}

/* ---- matches ---- */

static void add_match(void *ctx, const struct store_match *match) {
  json_t *players = json_array(), *names = json_array(), *changes = json_object();
  for (int i = 0; i < match->player_count; i++) {
    const struct store_player *p = &match->players[i];
    int64_t change = p->change_milli[STORE_OVERALL];
    json_array_append_new(names, json_string(p->who.agent));
    json_object_set_new(changes, p->who.agent, rating_points(change));
    json_array_append_new(
        players, json_pack("{s:s, s:s, s:s, s:o, s:o, s:s}", "agent", p->who.agent, "provider",
                           p->who.provider, "model", p->who.model, "elo",
                           rating_points(p->before_milli[STORE_OVERALL] + change), "elo_change",
                           rating_points(change), "result", results[p->result + 1]));
  }
  json_array_append_new(
      ctx, json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "debate_id", match->debate_id, "domain",
                     match->domain, "participants", names, "elo_changes", changes, "players",
                     players, "created_at", json_time_or_null(match->ended_ms)));
}

void handle_matches_recent(struct http_request *request, void *app) {
  struct api *api = app;
  struct error err = {0};
  struct principal who = api_principal(request);
  size_t limit = (size_t)params_int(request, "limit", LIMIT, 1, LIMIT_MAX);
  json_t *matches = json_array();
  enum status s = store_read_matches(api->parts.store, &who, limit, add_match, matches, &err);
  if (s) {
    json_decref(matches);
    reply_failure(request, s, &err, NULL);
    return;
  }
  reply_json(
      request, 200,
      json_pack("{s:o, s:I}", "matches", matches, "count", (json_int_t)json_array_size(matches)),
      NULL);
}
