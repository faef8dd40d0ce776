/* Debates that come from other ones: forks, which take over a log up to the end of a round, and
 * follow-ups, which ask about what was left open. */
#include "api/deleted.h"
#include "api/dry_run.h"
#include "api/handlers.h"
#include "api/params.h"
#include "api/reply.h"
#include "api/starting.h"
#include "debate/branch.h"
#include "debate/spec.h"
#include "ops/debate_row.h"
#include "ops/stored_event.h"

#include <sodium.h>
#include <stdlib.h>

enum { FORKS_MAX = 1000 };

/* Answers for a parent that cannot be read. */
static void refuse(struct http_request *request, struct api *api, const char *id,
                   enum status status, const struct error *err) {
  if (status == STATUS_NOT_FOUND && deleted_reply(request, api, id)) return;
  reply_failure(request, status, err, NULL);
}

static enum status read_body(const struct http_request *request, json_t **ret_body,
                             struct error *err) {
  enum status s = params_body(request, ret_body, err);
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

static bool is_message(enum event_kind kind) {
  return kind == EVENT_AGENT_MESSAGE || kind == EVENT_CRITIQUE;
}

static int count_messages(const struct drafts *drafts) {
  int count = 0;
  for (size_t i = 0; i < drafts->count; i++) count += is_message(drafts->items[i].kind);
  return count;
}

/* What its answer says of the debate it comes from. */
static bool describe(struct starting *s, const char *parent_id, const char *task) {
  s->parent_id = bytes_dup(bytes_of(parent_id));
  s->task = bytes_dup(bytes_of(task));
  return s->parent_id && s->task;
}

static enum status read_parent(struct starting *s, const struct fork_request *fork,
                               struct debate_config *ret_config, struct drafts *ret_inherited,
                               struct error *err) {
  struct store_debate row = {0};
  struct store *store = s->api->parts.store;
  struct principal who = api_principal(s->request);
  enum status status = store_get_debate(store, &who, s->of, &row, err);
  if (!status)
    status = read_branch(s->api, &who, row.id, fork->branch_point, ret_config, ret_inherited, err);
  if (!status && fork->context)
    status = bytes_replace(&ret_config->context, bytes_of(fork->context));
  if (!status && !describe(s, row.id, ret_config->task)) status = STATUS_NOMEM;
  store_debate_done(&row);
  return status;
}

static void begin_fork(struct starting *s) {
  struct error err = {0};
  struct fork_request fork = {0};
  struct debate_config config = {0};
  struct drafts inherited = {0};
  struct principal who = api_principal(s->request);
  enum status status = read_fork(s->api, s->body, &fork, &err);
  if (!status) status = read_parent(s, &fork, &config, &inherited, &err);
  if (status) {
    debate_config_done(&config);
    drafts_done(&inherited);
    starting_fail(s, status, &err);
    return;
  }
  draw_nonce(&config);
  s->messages = count_messages(&inherited);
  runner_fork(s->api->parts.runner, &who, &config, &inherited, starting_key(s),
              http_request_id(s->request), starting_done, s);
}

static enum status count_inherited(void *ctx, const struct event *event,
                                   const struct store_event *stored, struct error *err) {
  (void)stored;
  (void)err;
  if (is_message(event->kind) && json_get_bool(event->data, "inherited", false)) ++*(int *)ctx;
  return STATUS_OK;
}

static enum status recall_fork(struct starting *s, const struct loaded_debate *loaded,
                               struct error *err) {
  struct principal who = api_principal(s->request);
  s->messages = 0;
  return stored_event_each(s->api->parts.store, &who, loaded->row.id, count_inherited, &s->messages,
                           err);
}

static json_t *more_of_fork(const struct starting *s, const char *id) {
  return json_pack("{s:s, s:s, s:O, s:i, s:b}", "branch_id", id, "parent_debate_id", s->parent_id,
                   "branch_point", json_object_get(s->body, "branch_point"), "messages_inherited",
                   s->messages, "modified_context",
                   json_is_string(json_object_get(s->body, "modified_context")));
}

static void run(struct http_request *request, struct api *api, const struct starting_kind *kind) {
  struct error err = {0};
  json_t *body = NULL;
  const char *id = NULL;
  enum status s = params_debate_id(request, &id, &err);
  if (!s) s = read_body(request, &body, &err);
  if (!s) {
    starting_run(request, api, kind, id, body, NULL);
    return;
  }
  json_decref(body);
  reply_failure(request, s, &err, NULL);
}

/* POST /api/debates/{id}/fork {branch_point, modified_context?} */
void handle_debate_fork(struct http_request *request, void *app) {
  static const struct starting_kind kind = {begin_fork, more_of_fork, recall_fork};
  run(request, app, &kind);
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

static void begin_followup(struct starting *s) {
  struct error err = {0};
  struct loaded_debate loaded = {0};
  struct debate_spec spec = {0};
  struct principal who = api_principal(s->request);
  enum status status = loaded_debate_read(s->api->parts.store, &who, s->of, &loaded, &err);
  if (!status) {
    status = read_followup(s->api, loaded.debate, s->body, &spec, &err);
    if (!status && !describe(s, loaded.row.id, spec.task)) {
      debate_spec_done(&spec);
      status = STATUS_NOMEM;
    }
    loaded_debate_done(&loaded);
  }
  if (status) {
    starting_fail(s, status, &err);
    return;
  }
  spec.request_id = bytes_dup(bytes_of(http_request_id(s->request)));
  const struct store_origin origin = {.parent_id = s->parent_id, .branch_point = -1};
  runner_start(s->api->parts.runner, &who, &spec, starting_key(s), &origin, starting_done, s);
}

static json_t *more_of_followup(const struct starting *s, const char *id) {
  return json_pack("{s:s, s:s, s:O}", "followup_id", id, "parent_debate_id", s->parent_id, "crux",
                   json_object_get(s->body, "crux"));
}

/* POST /api/debates/{id}/followup {crux, agents?, max_rounds?} */
void handle_debate_followup(struct http_request *request, void *app) {
  static const struct starting_kind kind = {begin_followup, more_of_followup, NULL};
  run(request, app, &kind);
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
