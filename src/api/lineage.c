/* Debates that come from other ones: forks, which take over a log up to the end of a round, and
 * follow-ups, which ask about what was left open. */
#include "api/deleted.h"
#include "api/dry_run.h"
#include "api/handlers.h"
#include "api/params.h"
#include "api/quota_reply.h"
#include "api/reply.h"
#include "api/state.h"
#include "debate/branch.h"
#include "debate/spec.h"
#include "ops/debate_row.h"
#include "ops/loaded_debate.h"
#include "ops/stored_event.h"

#include <sodium.h>
#include <stdlib.h>

enum { FORKS_MAX = 1000 };

struct descent { /* from the request to the answer */
  struct http_request *request;
  struct api *api;
  char *parent_id;
  char *crux;       /* NULL = a fork */
  int branch_point; /* of a fork */
  int messages;     /* that it inherits */
  bool modified_context;
};

static void descent_free(struct descent *d) {
  free(d->parent_id);
  free(d->crux);
  free(d);
}

static struct descent *descent_make(struct http_request *request, struct api *api,
                                    const char *parent_id, const char *crux) {
  struct descent *d = calloc(1, sizeof *d);
  if (!d) return NULL;
  d->request = request;
  d->api = api;
  d->parent_id = bytes_dup(bytes_of(parent_id));
  d->crux = crux ? bytes_dup(bytes_of(crux)) : NULL;
  if (d->parent_id && (!crux || d->crux)) return d;
  descent_free(d);
  return NULL;
}

static json_t *fork_body(const struct descent *d, const struct runner_started *started) {
  return json_pack("{s:b, s:s, s:s, s:s, s:i, s:i, s:b, s:s, s:O}", "success", 1, "debate_id",
                   started->id, "branch_id", started->id, "parent_debate_id", d->parent_id,
                   "branch_point", d->branch_point, "messages_inherited", d->messages,
                   "modified_context", d->modified_context, "status", started->status, "agents",
                   started->agents);
}

static json_t *followup_body(const struct descent *d, const struct runner_started *started) {
  return json_pack("{s:b, s:s, s:s, s:s, s:s, s:s, s:s, s:O}", "success", 1, "debate_id",
                   started->id, "followup_id", started->id, "parent_debate_id", d->parent_id,
                   "crux", d->crux, "task", d->crux, "status", started->status, "agents",
                   started->agents);
}

/* The loop's thread. */
static void on_started(void *ctx, enum status status, const struct error *err,
                       const struct runner_started *started) {
  struct descent *d = ctx;
  if (status == STATUS_QUOTA)
    quota_reply(d->request, d->api, err, NULL);
  else if (status)
    reply_failure(d->request, status, err, NULL);
  else
    reply_json(d->request, 200, d->crux ? followup_body(d, started) : fork_body(d, started), NULL);
  descent_free(d);
}

/* Answers for a parent that cannot be read. */
static void refuse(struct http_request *request, struct api *api, const char *id,
                   enum status status, const struct error *err) {
  if (status == STATUS_NOT_FOUND && deleted_reply(request, api, id)) return;
  reply_failure(request, status, err, NULL);
}

static enum status read_body(const struct http_request *request, json_t **ret_body,
                             struct error *err) {
  enum status s = json_parse(http_request_body(request), ret_body, err);
  if (!s && !json_is_object(*ret_body))
    s = error_set(err, STATUS_INVALID, NULL, "the body must be a JSON object");
  return s ? s : dry_run_refuse(*ret_body, err);
}

/* ---- forks ---- */

static enum status feed(void *ctx, const struct event *event, const struct store_event *stored,
                        struct error *err) {
  return branch_feed(ctx, event, stored->hash, err);
}

struct fork_request {
  int branch_point;
  const char *context; /* NULL = the parent's */
};

static enum status read_fork(const struct api *api, const json_t *body,
                             struct fork_request *ret_fork, struct error *err) {
  const json_t *point = json_object_get(body, "branch_point");
  const json_t *context = json_object_get(body, "modified_context");
  int64_t limit = api->parts.options->max_context_bytes;
  if (!json_is_integer(point) || json_integer_value(point) < 0 ||
      json_integer_value(point) > DEBATE_ROUNDS_MAX)
    return error_set(err, STATUS_INVALID, "branch_point",
                     "branch_point must be a round, 0 to %d: the last one to take over",
                     DEBATE_ROUNDS_MAX);
  if (context && !json_is_null(context) && !json_is_string(context))
    return error_set(err, STATUS_INVALID, "modified_context", "modified_context must be a text");
  if ((int64_t)json_string_length(context) > limit)
    return error_set(err, STATUS_INVALID, "modified_context",
                     "modified_context must be at most %lld bytes", (long long)limit);
  *ret_fork = (struct fork_request){(int)json_integer_value(point), json_string_value(context)};
  return STATUS_OK;
}

static enum status read_branch(struct api *api, const struct principal *who, const char *id,
                               int round, struct debate_config *ret_config,
                               struct drafts *ret_inherited, struct error *err) {
  struct branch *branch = branch_create(round);
  if (!branch) return STATUS_NOMEM;
  enum status s = stored_event_each(api->parts.store, who, id, feed, branch, err);
  if (!s) s = branch_take(branch, id, ret_config, ret_inherited, err);
  branch_destroy(branch);
  return s;
}

static void draw_nonce(struct debate_config *config) {
  uint8_t nonce[16];
  randombytes_buf(nonce, sizeof nonce);
  bytes_to_hex(nonce, sizeof nonce, config->nonce);
}

static int count_messages(const struct drafts *drafts) {
  int count = 0;
  for (size_t i = 0; i < drafts->count; i++)
    count +=
        drafts->items[i].kind == EVENT_AGENT_MESSAGE || drafts->items[i].kind == EVENT_CRITIQUE;
  return count;
}

static void start_fork(struct http_request *request, struct api *api, const char *id,
                       const struct fork_request *fork) {
  struct error err = {0};
  struct debate_config config = {0};
  struct drafts inherited = {0};
  struct principal who = api_principal(request);
  struct descent *d = descent_make(request, api, id, NULL);
  enum status s =
      d ? read_branch(api, &who, id, fork->branch_point, &config, &inherited, &err) : STATUS_NOMEM;
  if (!s && fork->context) s = bytes_replace(&config.context, bytes_of(fork->context));
  if (s) {
    debate_config_done(&config);
    drafts_done(&inherited);
    reply_failure(request, s, &err, NULL);
    if (d) descent_free(d);
    return;
  }
  draw_nonce(&config);
  d->branch_point = fork->branch_point;
  d->messages = count_messages(&inherited);
  d->modified_context = fork->context != NULL;
  runner_fork(api->parts.runner, &who, &config, &inherited, http_request_id(request), on_started,
              d);
}

/* POST /api/debates/{id}/fork {branch_point, modified_context?} */
void handle_debate_fork(struct http_request *request, void *app) {
  struct api *api = app;
  struct error err = {0};
  struct store_debate row = {0};
  struct fork_request fork = {0};
  JSON_LATER json_t *body = NULL;
  const char *id = NULL;
  struct principal who = api_principal(request);
  enum status s = params_debate_id(request, &id, &err);
  if (!s) s = read_body(request, &body, &err);
  if (!s) s = read_fork(api, body, &fork, &err);
  if (!s) s = store_get_debate(api->parts.store, &who, id, &row, &err);
  if (s)
    refuse(request, api, id, s, &err);
  else
    start_fork(request, api, row.id, &fork);
  store_debate_done(&row);
}

/* ---- follow-ups ---- */

/* What the other debate came to, for the agents as material. */
static json_t *decision_text(const struct debate *d) {
  BUFFER_LATER struct buffer text;
  buffer_init(&text, SIZE_MAX / 4);
  const char *conclusion = json_get_text(d->consensus, "conclusion", NULL);
  bool reached = json_get_bool(d->consensus, "reached", false);
  const json_t *dissent = json_object_get(d->consensus, "dissent");
  buffer_printf(&text, "An earlier debate was about this question:\n%s\n\n", d->config.task);
  if (conclusion)
    buffer_printf(&text, "%s\n%s\n",
                  reached ? "It decided:" : "It decided nothing; ahead was:", conclusion);
  else
    buffer_append_text(&text, "It came to no answer.\n");
  for (size_t i = 0; i < json_array_size(dissent); i++)
    buffer_printf(&text, "\nSomebody else held:\n%s\n",
                  json_get_text(json_array_get(dissent, i), "answer", ""));
  return text.overflow ? NULL : json_text(buffer_bytes(&text));
}

/* The parent's panel as a start names it; none where it is no panel that a caller could name. */
static json_t *panel_names(const struct debate_config *c) {
  json_t *names = json_array();
  if (c->member_count < DEBATE_AGENTS_MIN || c->member_count > DEBATE_AGENTS_MAX ||
      c->mode == MODE_SELF_CONSISTENCY)
    return names;
  for (int i = 0; i < c->member_count; i++) {
    const struct debate_agent *a = &c->members[i];
    const char *role = a->role ? a->role : "";
    json_t *name = json_sprintf("%s%s%s", a->type, *role ? ":" : "", role);
    if (json_array_append_new(names, name)) {
      json_decref(names);
      return NULL;
    }
  }
  return names;
}

/* The body of a start; NULL when memory is short. */
static json_t *followup_start(const struct debate *parent, const json_t *body) {
  json_t *start = json_pack("{s:O, s:o}", "task", json_object_get(body, "crux"), "context",
                            decision_text(parent));
  json_t *agents = json_object_get(body, "agents");
  json_t *rounds = json_object_get(body, "max_rounds");
  bool given = agents && !json_is_null(agents);
  json_t *panel = given ? json_incref(agents) : panel_names(&parent->config);
  bool failed = !start || !panel;
  if (!failed && (given || json_array_size(panel) > 0))
    failed = json_object_set(start, "agents", panel) != 0;
  if (!failed && rounds && !json_is_null(rounds))
    failed = json_object_set(start, "max_rounds", rounds) != 0;
  json_decref(panel);
  if (!failed) return start;
  json_decref(start);
  return NULL;
}

static enum status read_followup(const struct api *api, const struct debate *parent,
                                 const json_t *body, struct debate_spec *ret_spec,
                                 struct error *err) {
  const struct options *o = api->parts.options;
  /* The context is what the server itself makes of the other debate; no caller can shorten it. */
  struct debate_spec_limits limits = {o->max_question_chars, INT64_MAX};
  if (!json_is_string(json_object_get(body, "crux")))
    return error_set(err, STATUS_INVALID, "crux", "crux must be a text: what the debate is about");
  if (!parent->end) return error_set(err, STATUS_CONFLICT, NULL, "the debate has not ended");
  JSON_LATER json_t *start = followup_start(parent, body);
  if (!start) return STATUS_NOMEM;
  enum status s = debate_spec_parse(start, &limits, ret_spec, err);
  if (s == STATUS_INVALID && strcmp(err->field, "task") == 0)
    error_set(err, s, "crux", "crux must be 1 to %lld characters",
              (long long)limits.max_question_chars);
  return s;
}

/* POST /api/debates/{id}/followup {crux, agents?, max_rounds?} */
void handle_debate_followup(struct http_request *request, void *app) {
  struct api *api = app;
  struct error err = {0};
  struct loaded_debate loaded = {0};
  struct debate_spec spec = {0};
  JSON_LATER json_t *body = NULL;
  const char *id = NULL;
  struct principal who = api_principal(request);
  enum status s = params_debate_id(request, &id, &err);
  if (!s) s = read_body(request, &body, &err);
  if (!s) s = loaded_debate_read(api->parts.store, &who, id, &loaded, &err);
  if (s) {
    refuse(request, api, id, s, &err);
    return;
  }
  s = read_followup(api, loaded.debate, body, &spec, &err);
  struct descent *d = s ? NULL : descent_make(request, api, loaded.row.id, spec.task);
  if (!s && !d) {
    debate_spec_done(&spec);
    s = STATUS_NOMEM;
  }
  loaded_debate_done(&loaded);
  if (s) {
    reply_failure(request, s, &err, NULL);
    return;
  }
  spec.request_id = bytes_dup(bytes_of(http_request_id(request)));
  const struct store_origin origin = {.parent_id = d->parent_id, .branch_point = -1};
  runner_start(api->parts.runner, &who, &spec, NULL, &origin, on_started, d);
}

/* ---- what came of a debate ---- */

static void add_child(void *ctx, const struct store_child *child) {
  json_t *row = json_pack(
      "{s:s, s:s, s:s, s:s, s:o, s:o, s:o}", "debate_id", child->debate_id, "branch_id",
      child->debate_id, "relation", child->branch_point < 0 ? "followup" : "fork", "status",
      child->status, "task", json_text(bytes_of(child->task)), "branch_point",
      json_int_or_null(child->branch_point), "created_at", json_time_or_null(child->created_ms));
  json_array_append_new(ctx, row ? row : json_null());
}

/* GET /api/debates/{id}/forks */
void handle_debate_forks(struct http_request *request, void *app) {
  struct api *api = app;
  struct error err = {0};
  struct store_debate row = {0};
  const char *id = NULL;
  struct principal who = api_principal(request);
  json_t *forks = json_array();
  enum status s = forks ? params_debate_id(request, &id, &err) : STATUS_NOMEM;
  if (!s) s = store_get_debate(api->parts.store, &who, id, &row, &err);
  if (!s)
    s = store_list_children(api->parts.store, &who, row.id, FORKS_MAX, add_child, forks, &err);
  if (s) {
    json_decref(forks);
    refuse(request, api, id, s, &err);
  } else {
    reply_json(request, 200,
               json_pack("{s:s, s:o, s:I}", "debate_id", row.id, "forks", forks, "total",
                         (json_int_t)json_array_size(forks)),
               NULL);
  }
  store_debate_done(&row);
}
