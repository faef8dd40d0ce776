#include "runner/habits.h"

#include <stdio.h>
#include <stdlib.h>

struct begun_attempt { /* and not ended */
  char turn[TURN_ID_SIZE];
  char provider[HABITS_NAME_SIZE], model[HABITS_NAME_SIZE];
  int64_t prompt_bytes;
};

struct answered { /* a whole answer, whose content follows in the same transaction */
  char turn[TURN_ID_SIZE];
  struct model_habits *model; /* NULL = nothing waits */
  enum turn_kind kind;
  int64_t prompt_bytes, tokens_in, tokens_out, things;
};

struct habits_log {
  struct habits *habits;
  struct debate_config config;
  bool started, ended;
  struct course_habit course;
  struct begun_attempt open[DEBATE_MEMBERS_MAX];
  struct answered answered;
};

/* ---- the models ---- */

static bool is_name(const char *kept, const char *name) {
  return strncmp(kept, name, HABITS_NAME_SIZE - 1) == 0;
}

const struct model_habits *habits_find(const struct habits *h, const char *provider,
                                       const char *model) {
  for (int i = 0; i < h->model_count; i++)
    if (is_name(h->models[i].provider, provider) && is_name(h->models[i].model, model))
      return &h->models[i];
  return NULL;
}

/* The model's own row, a new one if need be; NULL when there are too many. */
static struct model_habits *place(struct habits *h, const char *provider, const char *model) {
  const struct model_habits *found = habits_find(h, provider, model);
  if (found) return (struct model_habits *)found;
  if (h->model_count == HABITS_MODELS_MAX) return NULL;
  struct model_habits *m = &h->models[h->model_count++];
  snprintf(m->provider, sizeof m->provider, "%s", provider);
  snprintf(m->model, sizeof m->model, "%s", model);
  return m;
}

static uint64_t hash_text(const char *text) {
  uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a */
  for (; *text; text++) h = (h ^ (unsigned char)*text) * UINT64_C(1099511628211);
  return h;
}

uint64_t habits_panel(const struct debate_config *c) {
  uint64_t sum = 0;
  for (int i = 0; i < c->member_count; i++)
    sum += hash_text(c->members[i].provider) * 31 + hash_text(c->members[i].model);
  return sum;
}

/* ---- the log ---- */

static bool known_kind(const char *name, enum turn_kind *ret_kind) {
  for (int i = 0; i < TURN_KIND_COUNT; i++) {
    if (strcmp(turn_kind_names[i], name) != 0) continue;
    *ret_kind = (enum turn_kind)i;
    return true;
  }
  return false;
}

static void start(struct habits_log *log, const json_t *data) {
  struct error err;
  if (log->started || debate_config_from_json(data, &log->config, &err)) return;
  log->started = true;
  log->course = (struct course_habit){.panel = habits_panel(&log->config),
                                      .members = log->config.member_count,
                                      .mode = log->config.mode,
                                      .topology = log->config.topology,
                                      .rounds_max = log->config.rounds};
}

static void begin_attempt(struct habits_log *log, const json_t *data) {
  struct begun_attempt *a = NULL;
  for (int i = 0; i < DEBATE_MEMBERS_MAX && !a; i++)
    if (!log->open[i].turn[0]) a = &log->open[i];
  if (!a) return;
  snprintf(a->turn, sizeof a->turn, "%s", json_get_text(data, "turn", ""));
  snprintf(a->provider, sizeof a->provider, "%s", json_get_text(data, "provider", ""));
  snprintf(a->model, sizeof a->model, "%s", json_get_text(data, "model", ""));
  /* Older logs do not say it, and reserved just that and the output limit. */
  int64_t reserved = json_get_int(data, "reserved_tokens", 0) - log->config.max_output_tokens;
  a->prompt_bytes = json_get_int(data, "prompt_bytes", reserved);
}

static int64_t known(const json_t *usage, const char *name) {
  int64_t value = json_get_int(usage, name, 0);
  return value > 0 ? value : 0;
}

static void note_end(struct habits_log *log, const struct begun_attempt *a, const json_t *data) {
  const json_t *usage = json_object_get(data, "usage");
  int64_t in = known(usage, "input") + known(usage, "cache_read") + known(usage, "cache_write");
  int64_t out = known(usage, "output");
  enum turn_kind kind;
  struct model_habits *m = place(log->habits, a->provider, a->model);
  if (!m || !known_kind(json_get_text(data, "kind", ""), &kind)) return;
  bool ok = strcmp(json_get_text(data, "outcome", ""), "ok") == 0;
  bool counted = in > 0 && out > 0 && a->prompt_bytes > 0;
  if (ok && counted && !json_get_bool(data, "fallback", false)) {
    log->answered = (struct answered){.model = m,
                                      .kind = kind,
                                      .prompt_bytes = a->prompt_bytes,
                                      .tokens_in = in,
                                      .tokens_out = out};
    memcpy(log->answered.turn, a->turn, sizeof log->answered.turn);
  } else if (!ok) {
    m->of[kind].failed_tokens += in + out;
  }
}

static void end_attempt(struct habits_log *log, const json_t *data) {
  const char *turn = json_get_text(data, "turn", "");
  for (int i = 0; *turn && i < DEBATE_MEMBERS_MAX; i++) {
    if (strncmp(log->open[i].turn, turn, TURN_ID_SIZE - 1) != 0) continue;
    note_end(log, &log->open[i], data);
    log->open[i].turn[0] = '\0';
    return;
  }
}

/* The content of the answer is complete. */
static void flush_answer(struct habits_log *log) {
  const struct answered *a = &log->answered;
  if (!a->model) return;
  struct habit *h = &a->model->of[a->kind];
  h->turns++;
  h->prompt_bytes += a->prompt_bytes;
  h->tokens_in += a->tokens_in;
  h->tokens_out += a->tokens_out;
  h->things += a->things;
  h->things_squared += a->things * a->things;
  h->things_tokens_out += a->things * a->tokens_out;
  log->habits->turns++;
  log->answered.model = NULL;
}

static int64_t length_of(const json_t *object, const char *name) {
  return (int64_t)json_string_length(json_object_get(object, name));
}

static void add_critique(struct answered *a, const json_t *data) {
  const json_t *items = json_object_get(data, "items");
  const json_t *item;
  size_t i;
  a->model->critiques++;
  a->model->items += (int64_t)json_array_size(items);
  a->things += (int64_t)json_array_size(items);
  json_array_foreach(items, i, item) a->model->item_bytes +=
      length_of(item, "claim") + length_of(item, "problem") + length_of(item, "why") +
      length_of(item, "fix");
}

static void add_content(struct habits_log *log, enum event_kind kind, const json_t *data) {
  struct answered *a = &log->answered;
  const char *turn = json_get_text(data, "turn", "");
  if (!a->model || strncmp(a->turn, turn, TURN_ID_SIZE - 1) != 0) return;
  if (kind == EVENT_CRITIQUE) {
    add_critique(a, data);
  } else if (kind == EVENT_VOTE) {
    a->things = (int64_t)json_array_size(json_object_get(data, "ranking"));
  } else if (a->kind == TURN_JUDGMENT) {
    a->things = (int64_t)json_array_size(json_object_get(data, "scores"));
  } else {
    if (a->kind == TURN_REVISION)
      a->things = (int64_t)json_array_size(json_object_get(data, "responses"));
    a->model->answers++;
    a->model->answer_bytes += length_of(data, "answer");
  }
}

static void note_stop(struct habits_log *log, const json_t *data, int round) {
  static const char *const early[] = {"agreement", "one_position", "no_change", NULL};
  const char *reason = json_get_text(data, "reason", "");
  log->course.rounds = round > 0 ? round : 0;
  for (const char *const *name = early; *name; name++)
    log->course.early = log->course.early || strcmp(*name, reason) == 0;
}

static void add_parsed(struct habits_log *log, enum event_kind kind, int round,
                       const json_t *data) {
  bool content = kind == EVENT_AGENT_MESSAGE || kind == EVENT_CRITIQUE || kind == EVENT_VOTE;
  if (!content) flush_answer(log);
  switch (kind) {
    case EVENT_DEBATE_START: start(log, data); break;
    case EVENT_ATTEMPT_START: begin_attempt(log, data); break;
    case EVENT_ATTEMPT_END: end_attempt(log, data); break;
    case EVENT_AGENT_MESSAGE:
    case EVENT_CRITIQUE:
    case EVENT_VOTE: add_content(log, kind, data); break;
    case EVENT_STOP: note_stop(log, data, round); break;
    case EVENT_CONSENSUS:
      log->course.positions = (int)json_array_size(json_object_get(data, "positions"));
      break;
    case EVENT_DEBATE_END: log->ended = true; break;
    default: break;
  }
}

bool habits_add_event(struct habits_log *log, const struct store_event *event) {
  enum event_kind kind = event_kind_parse(event->type);
  json_t *data;
  /* Deleted content and a line that is none teach nothing. */
  if (!event->data.ptr || json_parse(event->data, &data, NULL)) return false;
  add_parsed(log, kind, event->round, data);
  json_decref(data);
  return log->started;
}

enum status habits_debate_begin(struct habits *habits, struct habits_log **ret_log) {
  struct habits_log *log = calloc(1, sizeof *log);
  if (!log) return STATUS_NOMEM;
  log->habits = habits;
  *ret_log = log;
  return STATUS_OK;
}

void habits_debate_end(struct habits_log *log) {
  struct habits *h = log->habits;
  flush_answer(log);
  if (log->ended && log->course.positions > 0 && h->course_count < HABITS_DEBATES_MAX)
    h->courses[h->course_count++] = log->course;
  if (log->started) debate_config_done(&log->config);
  free(log);
}

/* ---- the store ---- */

static bool add_stored(void *ctx, const struct store_event *event) {
  return habits_add_event(ctx, event);
}

static enum status read_log(struct store *store, const struct principal *who, const char *id,
                            struct habits *habits, struct error *err) {
  struct habits_log *log;
  if (habits_debate_begin(habits, &log)) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  enum status s = store_read_events(store, who, id, 0, 0, add_stored, log, err);
  habits_debate_end(log);
  return s == STATUS_NOT_FOUND ? STATUS_OK : s; /* deleted since it was listed */
}

enum status habits_read(struct store *store, const struct principal *who, int debates,
                        struct habits *ret_habits, struct error *err) {
  struct store_list_query query = {
      .status = "completed", .limit = (size_t)debates, .before_created_ms = -1};
  struct store_debate *rows;
  size_t count;
  int64_t total;
  memset(ret_habits, 0, sizeof *ret_habits);
  if (debates < 1) return STATUS_OK;
  enum status s = store_list_debates(store, who, &query, &rows, &count, &total, err);
  if (s) return s;
  for (size_t i = 0; i < count && !s; i++) s = read_log(store, who, rows[i].id, ret_habits, err);
  store_list_free(rows, count);
  return s;
}
