#include "runner/live.h"

#include "base/id.h"
#include "base/log.h"
#include "base/metrics.h"
#include "debate/live_text.h"
#include "debate/result.h"
#include "debate/view.h"
#include "runner/internal.h"
#include "runner/panel.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

enum { APPEND_RETRY_MS = 50, CANONICAL_MAX = 64 * 1024 * 1024 };

enum asking_state {
  ASKING_FREE,      /* the slot is empty */
  ASKING_ANNOUNCED, /* ask_start ran; the provider has not announced its attempt yet */
  ASKING_SEALING,   /* attempt_start is on its way to the disk */
  ASKING_SENT,      /* the request left */
};

/* A turn that is being asked: one slot a turn of the current step. */
struct asking {
  struct live *live;
  enum asking_state state;
  unsigned generation; /* tells a slot's users apart: a late commit must not wake a new one */
  int turn;
  struct ask *ask;
  struct prompt prompt; /* borrowed by the ask */
  struct agent_binding binding;
  char turn_id[TURN_ID_SIZE];
  int step;           /* of the deadline below */
  int64_t started_us; /* of the turn, its repair included */
  bool tokens_shown;
  struct live_text live_text; /* the answer's words out of the reply under way */
};

struct agent_count { /* for agent_seq */
  const char *name;
  uint64_t count;
};

struct live {
  struct runner *runner;
  struct live *next;
  enum live_state state;
  int refs; /* the runner's, and one a batch under way; loop thread only */
  struct store_debate row;
  struct debate *debate;
  uint8_t head[CHAIN_HASH_SIZE];
  struct agent_count counts[DEBATE_MEMBERS_MAX + DEBATE_JUDGES_MAX];
  struct asking askings[DEBATE_MEMBERS_MAX];
  struct loop_timer *deadline;
  struct batch *held_first, *held_last; /* refused by a full queue; in order */
  struct loop_timer *held_timer;
  bool broken; /* the log could not be continued; nothing more is appended */
};

struct sealed { /* an event with its bytes, until the store has copied them */
  struct store_event event;
  char *data;
};

/* What was appended together: one transaction. */
struct batch {
  struct batch *next;
  struct live *live;
  struct sealed *events;
  struct frame **frames;
  size_t count, cap;
  enum store_row_change change;
  bool ends;             /* debate_end is among them */
  struct asking *asking; /* to be sent once this is on disk, or NULL */
  unsigned generation;
  live_committed_fn *committed;
  void *ctx;
  enum status status;
};

static void advance(struct live *live, struct batch *batch);

static struct log_context context_of(const struct live *live) {
  return (struct log_context){NULL, live->row.id};
}

/* ---- life ---- */

static enum status copy_text(char **field, const char *text) {
  if (!text) return STATUS_OK;
  *field = bytes_dup(bytes_of(text));
  return *field ? STATUS_OK : STATUS_NOMEM;
}

static enum status copy_row(const struct store_debate *row, struct store_debate *out) {
  *out = *row;
  out->id = out->tenant_id = out->owner_id = out->slug = out->task = NULL;
  out->agents = out->metadata = out->status = out->outcome = out->consensus = NULL;
  enum status s = copy_text(&out->id, row->id);
  if (!s) s = copy_text(&out->tenant_id, row->tenant_id);
  if (!s) s = copy_text(&out->owner_id, row->owner_id);
  if (!s) s = copy_text(&out->slug, row->slug);
  if (!s) s = copy_text(&out->task, row->task);
  if (!s) s = copy_text(&out->agents, row->agents);
  if (!s) s = copy_text(&out->metadata, row->metadata);
  if (!s) s = copy_text(&out->status, row->status);
  if (!s) s = copy_text(&out->outcome, row->outcome);
  if (!s) s = copy_text(&out->consensus, row->consensus);
  return s;
}

enum status live_create(struct runner *runner, const struct store_debate *row,
                        struct live **ret_live) {
  struct live *live = calloc(1, sizeof *live);
  if (!live) return STATUS_NOMEM;
  live->runner = runner;
  live->refs = 1;
  live->debate = debate_create(false);
  enum status s = copy_row(row, &live->row);
  if (s || !live->debate) {
    live_unref(live);
    return STATUS_NOMEM;
  }
  *ret_live = live;
  return STATUS_OK;
}

static void asking_clear(struct asking *asking) {
  if (asking->state == ASKING_FREE) return;
  prompt_done(&asking->prompt);
  asking->prompt = (struct prompt){0};
  asking->ask = NULL;
  asking->state = ASKING_FREE;
  asking->generation++;
}

void live_unref(struct live *live) {
  if (!live || --live->refs > 0) return;
  for (int i = 0; i < DEBATE_MEMBERS_MAX; i++) {
    if (live->askings[i].ask) ask_cancel(live->askings[i].ask);
    asking_clear(&live->askings[i]);
  }
  loop_timer_cancel(live->deadline);
  loop_timer_cancel(live->held_timer);
  debate_destroy(live->debate);
  store_debate_done(&live->row);
  free(live);
}

const char *live_id(const struct live *live) {
  return live->row.id;
}

const struct store_debate *live_row(const struct live *live) {
  return &live->row;
}

enum live_state live_state(const struct live *live) {
  return live->state;
}

const struct debate *live_debate(const struct live *live) {
  return live->debate;
}

struct live *live_next(const struct live *live) {
  return live->next;
}

void live_set_next(struct live *live, struct live *next) {
  live->next = next;
}

/* ---- batches ---- */

static void batch_free(struct batch *batch) {
  for (size_t i = 0; i < batch->count; i++) {
    free(batch->events[i].data);
    frame_unref(batch->frames[i]);
  }
  free(batch->events);
  free(batch->frames);
  free(batch);
}

static struct batch *batch_create(struct live *live) {
  struct batch *batch = calloc(1, sizeof *batch);
  if (batch) batch->live = live;
  return batch;
}

static bool batch_reserve(struct batch *batch) {
  if (batch->count < batch->cap) return true;
  size_t cap = batch->cap ? batch->cap * 2 : 8;
  struct sealed *events = realloc(batch->events, cap * sizeof *events);
  if (events) batch->events = events;
  struct frame **frames = realloc(batch->frames, cap * sizeof(struct frame *));
  if (frames) batch->frames = frames;
  if (!events || !frames) return false;
  batch->cap = cap;
  return true;
}

static uint64_t count_agent(struct live *live, const char *agent) {
  if (!agent) return 0;
  for (size_t i = 0; i < sizeof live->counts / sizeof *live->counts; i++) {
    struct agent_count *c = &live->counts[i];
    if (!c->name) c->name = agent; /* the configuration's text lives as long as the debate */
    if (strcmp(c->name, agent) == 0) return ++c->count;
  }
  return 0;
}

/* The agent's name as the configuration owns it, or NULL. */
static const char *own_name(const struct live *live, const char *agent) {
  const struct debate_config *c = &live->debate->config;
  for (int i = 0; agent && i < c->member_count; i++)
    if (strcmp(c->members[i].name, agent) == 0) return c->members[i].name;
  for (int i = 0; agent && i < c->judge_count; i++)
    if (strcmp(c->judges[i].name, agent) == 0) return c->judges[i].name;
  return NULL;
}

static struct frame *make_frame(struct live *live, const struct event *event) {
  static _Thread_local struct buffer scratch;
  if (!scratch.max) buffer_init(&scratch, CANONICAL_MAX);
  buffer_clear(&scratch);
  uint64_t agent_seq = count_agent(live, own_name(live, event->agent));
  if (view_frame(live->row.id, event, agent_seq, &scratch)) return NULL;
  bool end = event->kind == EVENT_DEBATE_END;
  struct frame *frame =
      frame_create(buffer_bytes(&scratch), event->seq, end || event->kind == EVENT_ERROR, end);
  if (scratch.cap > 256 * 1024) buffer_done(&scratch);
  return frame;
}

/* Seals one draft into the batch and folds it. */
static enum status seal(struct live *live, struct batch *batch, const struct draft *draft) {
  if (!batch_reserve(batch)) return STATUS_NOMEM;
  FREE_LATER char *data = json_canonical_dup(draft->data);
  if (!data) return STATUS_NOMEM;
  int64_t now = clock_wall_ms(live->runner->clock);
  struct event event = {.seq = live->debate->last_seq + 1,
                        .kind = draft->kind,
                        .ts_ms = now > live->debate->last_ms ? now : live->debate->last_ms,
                        .round = draft->round,
                        .agent = draft->agent,
                        .data = draft->data};
  struct error err;
  enum status s = debate_apply(live->debate, &event, &err);
  if (s) {
    struct log_context context = context_of(live);
    log_error("runner", &context, "event=%s error=\"%s\"", event_kind_name(event.kind),
              err.message);
    return s;
  }
  struct frame *frame = make_frame(live, &event);
  if (!frame) return STATUS_NOMEM;
  struct sealed *sealed = &batch->events[batch->count];
  *sealed = (struct sealed){.event = {.seq = event.seq,
                                      .type = event_kind_name(event.kind),
                                      .ts_ms = event.ts_ms,
                                      .round = event.round,
                                      .agent = own_name(live, event.agent),
                                      .data = bytes_of(data)}};
  struct store_event *e = &sealed->event;
  randombytes_buf(e->salt, sizeof e->salt);
  chain_digest(e->salt, e->data, e->digest);
  chain_extend(live->head, e->seq, e->type, e->ts_ms, e->round, e->agent, e->digest, e->hash);
  memcpy(live->head, e->hash, sizeof live->head);
  sealed->data = data;
  data = NULL;
  batch->frames[batch->count++] = frame;
  if (event.kind == EVENT_DEBATE_END) batch->ends = true;
  return STATUS_OK;
}

static enum status seal_all(struct live *live, struct batch *batch, struct drafts *drafts) {
  enum status s = STATUS_OK;
  for (size_t i = 0; i < drafts->count && !s; i++) s = seal(live, batch, &drafts->items[i]);
  drafts_done(drafts);
  return s;
}

/* The log cannot be continued (memory, or a bug that the fold refused): the debate stops here, its
 * log as it stands on disk, and is taken up again at the next start. */
static void give_up(struct live *live, enum status status, const char *why) {
  if (live->broken) return;
  live->broken = true;
  struct log_context context = context_of(live);
  log_error("runner", &context, "debate=stopped status=%s error=\"%s\"", status_name(status), why);
  for (int i = 0; i < DEBATE_MEMBERS_MAX; i++) {
    if (live->askings[i].ask) ask_cancel(live->askings[i].ask);
    asking_clear(&live->askings[i]);
  }
  live->state = LIVE_ENDED;
  hub_close_debate(live->runner->hub, live->row.id);
  runner_live_ended(live->runner, live);
}

/* Loop thread: the batch is on disk, its frames are with the subscribers. */
static void batch_committed(void *arg) {
  struct batch *batch = arg;
  struct live *live = batch->live;
  if (batch->committed) batch->committed(batch->ctx, batch->status);
  struct asking *asking = batch->asking;
  if (batch->status) {
    give_up(live, batch->status, "the store refused an append");
  } else if (asking && asking->generation == batch->generation && asking->state == ASKING_SEALING) {
    asking->state = ASKING_SENT;
    ask_proceed(asking->ask);
  }
  if (batch->ends && !batch->status && !live->broken) runner_live_ended(live->runner, live);
  batch_free(batch);
  live_unref(live);
}

/* Writer thread, after the commit: the only place where events become visible. */
static void on_stored(void *ctx, enum status status) {
  struct batch *batch = ctx;
  struct runner *runner = batch->live->runner;
  batch->status = status;
  for (size_t i = 0; i < batch->count && !status; i++) {
    hub_publish(runner->hub, batch->live->row.id, batch->frames[i]);
    batch->frames[i] = NULL;
  }
  if (batch->ends) hub_close_debate(runner->hub, batch->live->row.id);
  loop_post(runner->loop, batch_committed, batch);
}

static enum status hand_over(struct batch *batch) {
  struct live *live = batch->live;
  struct store_event *events = NULL;
  struct store_event few[16];
  if (batch->count > 16) {
    events = malloc(batch->count * sizeof *events);
    if (!events) return STATUS_FULL;
  }
  struct store_event *all = events ? events : few;
  for (size_t i = 0; i < batch->count; i++) all[i] = batch->events[i].event;
  enum status s = store_append(live->runner->store, live->row.id, all, batch->count, batch->change,
                               &live->row, on_stored, batch);
  free(events);
  return s;
}

static void retry_held(void *arg) {
  struct live *live = arg;
  live->held_timer = NULL;
  while (live->held_first) {
    struct batch *batch = live->held_first;
    struct batch *next = batch->next; /* the batch is the writer's once it is handed over */
    if (hand_over(batch) == STATUS_FULL) {
      live->held_timer = loop_timer_start(live->runner->loop, APPEND_RETRY_MS, retry_held, live);
      return;
    }
    live->held_first = next;
    if (!next) live->held_last = NULL;
  }
}

/* Gives the batch to the writer. A full queue holds it, in order: a paid answer is never dropped.
 */
static void submit(struct live *live, struct batch *batch) {
  if (batch->count == 0 && batch->change == STORE_ROW_NONE) {
    if (batch->committed) batch->committed(batch->ctx, STATUS_OK);
    batch_free(batch);
    return;
  }
  live->refs++;
  enum status s = live->held_first ? STATUS_FULL : hand_over(batch);
  if (!s) return;
  if (s != STATUS_FULL) {
    batch->status = s;
    loop_post(live->runner->loop, batch_committed, batch);
    return;
  }
  if (live->held_last)
    live->held_last->next = batch;
  else
    live->held_first = batch;
  live->held_last = batch;
  if (!live->held_timer)
    live->held_timer = loop_timer_start(live->runner->loop, APPEND_RETRY_MS, retry_held, live);
}

/* ---- asking ---- */

static int64_t elapsed_ms(const struct live *live) {
  const struct debate *d = live->debate;
  int64_t now = clock_wall_ms(live->runner->clock);
  int64_t since = now - d->elapsed_from_ms;
  return d->elapsed_ms + (since > 0 ? since : 0);
}

/* A turn gets the turn timeout, or its step's share of what is left of the deadline. */
static int64_t turn_time_ms(const struct live *live, const struct asking *asking) {
  const struct debate_config *c = &live->debate->config;
  int64_t left = c->deadline_ms - elapsed_ms(live);
  int64_t share = left / debate_steps_left(live->debate);
  int64_t time = share < c->turn_timeout_ms ? share : c->turn_timeout_ms;
  time -= (clock_mono_us(live->runner->clock) - asking->started_us) / 1000;
  return time > 1 ? time : 1;
}

static struct hub_token token_of(const struct asking *asking, int attempt) {
  const struct debate *d = asking->live->debate;
  const struct turn *t = &d->turns[asking->turn];
  return (struct hub_token){asking->turn_id, debate_turn_agent(d, t)->name,
                            turn_kind_names[t->kind], t->round, attempt};
}

/* True when the attempt would take the debate over one of its budgets. */
static bool over_budget(const struct live *live, const struct ask_attempt *attempt) {
  const struct debate *d = live->debate;
  if (d->config.budget_tokens >= 0 &&
      d->committed_tokens + attempt->reserved_tokens > d->config.budget_tokens)
    return true;
  return d->config.budget_usd_micro >= 0 &&
         (attempt->reserved_usd_micro < 0 ||
          d->committed_usd_micro + attempt->reserved_usd_micro > d->config.budget_usd_micro);
}

static void on_attempt_start(void *ctx, const struct ask_attempt *attempt) {
  struct asking *asking = ctx;
  struct live *live = asking->live;
  if (over_budget(live, attempt)) {
    enum status s = live_fact(live, EVENT_BUDGET_EXHAUSTED, NULL, NULL, NULL);
    if (s) give_up(live, s, "the budget could not be noted");
    return;
  }
  struct batch *batch = batch_create(live);
  struct drafts drafts = {0};
  struct attempt_begin begin = {attempt->provider, attempt->model, attempt->reserved_tokens,
                                attempt->reserved_usd_micro};
  enum status s =
      batch ? debate_begin_attempt(live->debate, asking->turn, &begin, &drafts) : STATUS_NOMEM;
  if (!s) s = seal_all(live, batch, &drafts);
  if (s) {
    if (batch) batch_free(batch);
    give_up(live, s, "an attempt could not be noted");
    return;
  }
  asking->state = ASKING_SEALING;
  batch->asking = asking;
  batch->generation = asking->generation;
  submit(live, batch);
}

/* People see the words of an answer as they come; critiques and ballots mean nothing until they are
 * whole, and are not shown. */
static void on_token(void *ctx, int attempt, struct bytes piece) {
  struct asking *asking = ctx;
  struct live *live = asking->live;
  enum turn_kind kind = live->debate->turns[asking->turn].kind;
  if (kind != TURN_PROPOSAL && kind != TURN_REVISION) return;
  BUFFER_LATER struct buffer words;
  buffer_init(&words, piece.len * 3 + 8);
  live_text_feed(&asking->live_text, piece, &words);
  if (!words.len) return;
  struct hub_token token = token_of(asking, attempt);
  if (!asking->tokens_shown) hub_token_start(live->runner->hub, live->row.id, &token);
  asking->tokens_shown = true;
  hub_token_delta(live->runner->hub, live->row.id, &token, buffer_bytes(&words));
}

static void on_token_reset(void *ctx, int attempt) {
  struct asking *asking = ctx;
  struct hub_token token = token_of(asking, attempt);
  asking->live_text = (struct live_text){0};
  if (asking->tokens_shown)
    hub_token_reset(asking->live->runner->hub, asking->live->row.id, &token, "the attempt failed");
  asking->tokens_shown = false;
}

static void close_tokens(struct asking *asking, const struct ask_result *r, bool used) {
  if (!asking->tokens_shown) return;
  struct hub_token token = token_of(asking, r->attempt);
  struct hub *hub = asking->live->runner->hub;
  asking->tokens_shown = false;
  if (!used) {
    hub_token_reset(hub, asking->live->row.id, &token, outcome_name(r->outcome));
    return;
  }
  char usage[256];
  char cost[40] = "null";
  if (r->cost_usd_micro >= 0)
    snprintf(cost, sizeof cost, "%lld.%06lld", (long long)(r->cost_usd_micro / 1000000),
             (long long)(r->cost_usd_micro % 1000000));
  int n = snprintf(usage, sizeof usage,
                   "{\"tokens_in\":%lld,\"tokens_out\":%lld,\"cost_usd\":%s,\"ttft_ms\":%lld,"
                   "\"latency_ms\":%lld}",
                   (long long)(r->usage.input > 0 ? r->usage.input : 0),
                   (long long)(r->usage.output > 0 ? r->usage.output : 0), cost,
                   (long long)r->ttft_ms, (long long)r->latency_ms);
  hub_token_end(hub, asking->live->row.id, &token, (struct bytes){usage, (size_t)n});
}

static void count_attempt(const struct asking *asking, const struct ask_result *r) {
  const char *type = asking->binding.type;
  metric_add(METRIC_AGENT_CALLS, (const char *const[]){type, outcome_name(r->outcome)}, 1);
  metric_observe_us(METRIC_AGENT_RESPONSE, (const char *const[]){type}, r->latency_ms * 1000);
  int64_t in = (r->usage.input > 0 ? r->usage.input : 0) +
               (r->usage.cache_read > 0 ? r->usage.cache_read : 0) +
               (r->usage.cache_write > 0 ? r->usage.cache_write : 0);
  if (in) metric_add(METRIC_TOKENS_USED, (const char *const[]){type, "in"}, in);
  if (r->usage.output > 0)
    metric_add(METRIC_TOKENS_USED, (const char *const[]){type, "out"}, r->usage.output);
  struct log_context context = context_of(asking->live);
  bool ok = r->outcome == OUTCOME_OK;
  log_line(ok ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "runner", &context,
           "agent=%s turn=%s attempt=%d outcome=%s status=%d latency_ms=%lld ttft_ms=%lld "
           "tokens_in=%lld tokens_out=%lld%s%s",
           type, asking->turn_id, r->attempt, outcome_name(r->outcome), r->upstream_status,
           (long long)r->latency_ms, (long long)r->ttft_ms, (long long)in,
           (long long)r->usage.output, ok ? "" : " detail=", ok ? "" : r->detail);
}

static struct attempt_result result_of(const struct ask_result *r, const struct asking *asking,
                                       bool final) {
  return (struct attempt_result){.outcome = r->outcome,
                                 .final = final,
                                 .truncated = r->truncated,
                                 .fallback = strcmp(r->provider, asking->binding.provider) != 0,
                                 .text = r->text,
                                 .provider = r->provider,
                                 .model = r->model,
                                 .detail = r->detail,
                                 .request_id = r->request_id,
                                 .upstream_status = r->upstream_status,
                                 .input = r->usage.input,
                                 .cache_read = r->usage.cache_read,
                                 .cache_write = r->usage.cache_write,
                                 .output = r->usage.output,
                                 .reasoning = r->usage.reasoning,
                                 .cost_usd_micro = r->cost_usd_micro,
                                 .ttft_ms = r->ttft_ms,
                                 .latency_ms = r->latency_ms};
}

/* Records an attempt's end and goes on from there. */
static void record(struct asking *asking, const struct ask_result *r, bool final) {
  struct live *live = asking->live;
  count_attempt(asking, r);
  struct batch *batch = batch_create(live);
  struct drafts drafts = {0};
  struct attempt_result result = result_of(r, asking, final);
  enum status s =
      batch ? debate_answer(live->debate, asking->turn, &result, &drafts) : STATUS_NOMEM;
  if (!s) {
    bool used = drafts.count > 1 && drafts.items[1].kind != EVENT_AGENT_ERROR;
    close_tokens(asking, r, used);
  }
  if (!s) s = seal_all(live, batch, &drafts);
  if (final) asking_clear(asking);
  if (s) {
    if (batch) batch_free(batch);
    give_up(live, s, "an answer could not be noted");
    return;
  }
  advance(live, batch);
}

static void on_attempt_end(void *ctx, const struct ask_result *r) {
  struct asking *asking = ctx;
  record(asking, r, false);
  if (asking->state != ASKING_FREE) asking->state = ASKING_ANNOUNCED;
}

static void on_done(void *ctx, const struct ask_result *r) {
  struct asking *asking = ctx;
  asking->ask = NULL;
  /* Ended before its attempt was announced or sealed: nothing of it is in the log. */
  if (asking->state == ASKING_ANNOUNCED) {
    struct live *live = asking->live;
    struct batch *batch = batch_create(live);
    struct drafts drafts = {0};
    enum status s =
        batch ? debate_fail_turn(live->debate, asking->turn, r->outcome, r->detail, &drafts)
              : STATUS_NOMEM;
    if (!s) s = seal_all(live, batch, &drafts);
    asking_clear(asking);
    if (s) {
      if (batch) batch_free(batch);
      give_up(live, s, "a failed turn could not be noted");
    } else {
      advance(live, batch);
    }
    return;
  }
  record(asking, r, true);
}

static const struct ask_ops ask_ops = {on_attempt_start, on_token, on_token_reset, on_attempt_end,
                                       on_done};

static struct asking *slot_of(struct live *live, int turn) {
  return &live->askings[(turn - live->debate->step_first) % DEBATE_MEMBERS_MAX];
}

/* Starts asking an open turn; a turn that cannot be asked fails in the log. */
static enum status ask_turn(struct live *live, struct batch *batch, int turn) {
  const struct debate *d = live->debate;
  const struct turn *t = &d->turns[turn];
  const struct debate_agent *agent = debate_turn_agent(d, t);
  struct asking *asking = slot_of(live, turn);
  struct drafts drafts = {0};
  enum status s;
  asking->live = live;
  asking->turn = turn;
  if (asking->step != d->step_number || asking->started_us == 0 || t->bad_reply == NULL)
    asking->started_us = clock_mono_us(live->runner->clock);
  asking->step = d->step_number;
  debate_turn_id(d, t, asking->turn_id);
  if (!panel_binding(live->runner->agents, agent, &asking->binding)) {
    s = debate_fail_turn(d, turn, OUTCOME_UNAVAILABLE, "the agent is gone from the table", &drafts);
    return s ? s : seal_all(live, batch, &drafts);
  }
  s = debate_prompt(d, turn, &asking->prompt);
  if (s) return s;
  asking->state = ASKING_ANNOUNCED;
  asking->tokens_shown = false;
  asking->live_text = (struct live_text){0};
  struct ask_spec spec = {.binding = &asking->binding,
                          .agent = agent->name,
                          .agent_index = t->member,
                          .system = bytes_of(asking->prompt.system),
                          .prefix = bytes_of(asking->prompt.prefix),
                          .prompt = bytes_of(asking->prompt.text),
                          .schema_name = turn_kind_names[t->kind],
                          .schema = bytes_of(asking->prompt.schema),
                          .max_output_tokens = d->config.max_output_tokens,
                          .timeout_ms = turn_time_ms(live, asking)};
  struct error err = {0};
  s = ask_start(live->runner->provider, &spec, &ask_ops, asking, &asking->ask, &err);
  if (!s) return STATUS_OK;
  asking_clear(asking);
  s = debate_fail_turn(d, turn, s == STATUS_FULL ? OUTCOME_OVERLOADED : OUTCOME_UNAVAILABLE,
                       err.message, &drafts);
  return s ? s : seal_all(live, batch, &drafts);
}

/* A fact ended the debate: the sockets close now, and what was under way is booked at its reserve.
 */
static enum status cut_all(struct live *live, struct batch *batch) {
  for (int i = 0; i < DEBATE_MEMBERS_MAX; i++) {
    struct asking *asking = &live->askings[i];
    if (asking->state == ASKING_FREE) continue;
    if (asking->ask) ask_cancel(asking->ask);
    const struct turn *t = &live->debate->turns[asking->turn];
    enum status s = STATUS_OK;
    if (t->attempt_open) {
      struct drafts drafts = {0};
      struct ask_result r = {.attempt = t->attempts,
                             .outcome = OUTCOME_CANCELLED,
                             .provider = asking->binding.provider,
                             .model = asking->binding.model,
                             .detail = "cut when the debate ended",
                             .request_id = "",
                             .usage = {-1, -1, -1, -1, -1},
                             .cost_usd_micro = t->reserved_usd_micro,
                             .ttft_ms = -1,
                             .latency_ms = -1};
      struct attempt_result result = result_of(&r, asking, true);
      close_tokens(asking, &r, false);
      s = debate_answer(live->debate, asking->turn, &result, &drafts);
      if (!s) s = seal_all(live, batch, &drafts);
    }
    asking_clear(asking);
    if (s) return s;
  }
  return STATUS_OK;
}

static bool is_asked(struct live *live, int turn) {
  const struct asking *asking = slot_of(live, turn);
  return asking->state != ASKING_FREE && asking->turn == turn;
}

/* ---- the loop of ask and append ---- */

static void finish_row(struct live *live) {
  const struct debate *d = live->debate;
  struct store_debate *row = &live->row;
  free(row->status);
  free(row->outcome);
  row->status = bytes_dup(bytes_of(debate_status(d)));
  row->outcome = debate_outcome(d) ? bytes_dup(bytes_of(debate_outcome(d))) : NULL;
  row->completed_ms = d->ended_ms;
  row->duration_ms = json_get_int(d->end, "elapsed_ms", -1);
  row->rounds_used = d->round;
  row->confidence_ppm = json_get_int(d->consensus, "share_ppm", -1);
  row->cost_usd_micro = d->cost_usd_micro;
  row->consensus_reached = json_get_bool(d->consensus, "reached", false);
  row->degraded = json_get_bool(d->end, "degraded", false);
  const char *outcome = row->outcome ? row->outcome : "";
  bool failed = row->status && strcmp(row->status, "failed") == 0;
  bool cancelled = row->status && strcmp(row->status, "cancelled") == 0;
  metric_add(failed      ? METRIC_DEBATES_FAILED
             : cancelled ? METRIC_DEBATES_CANCELLED
                         : METRIC_DEBATES_COMPLETED,
             NULL, 1);
  if (!cancelled)
    metric_add(failed ? METRIC_DEBATES_FAILED_TOTAL : METRIC_DEBATES_COMPLETED_TOTAL, NULL, 1);
  metric_observe_us(METRIC_DEBATE_DURATION, (const char *const[]){outcome},
                    row->duration_ms * 1000);
  struct log_context context = context_of(live);
  log_info("runner", &context,
           "debate=%s outcome=%s rounds=%d attempts=%d tokens_in=%lld tokens_out=%lld "
           "duration_ms=%lld degraded=%s",
           row->status ? row->status : "", outcome, d->round, d->attempts, (long long)d->tokens_in,
           (long long)d->tokens_out, (long long)row->duration_ms, row->degraded ? "yes" : "no");
}

/* One command of the engine. *ret_idle when there was nothing to do. */
static enum status step(struct live *live, struct batch *batch, bool *ret_idle) {
  struct commands commands;
  size_t before = batch->count;
  enum status s = debate_next(live->debate, &commands);
  if (s) return s;
  *ret_idle = false;
  if (commands.append.count) {
    s = seal_all(live, batch, &commands.append);
  } else if (commands.cut) {
    s = cut_all(live, batch);
    *ret_idle = batch->count == before;
  } else {
    for (int i = 0; i < commands.ask_count && !s; i++)
      if (!is_asked(live, commands.asks[i])) s = ask_turn(live, batch, commands.asks[i]);
    *ret_idle = batch->count == before; /* a turn that failed at once may have completed its step */
  }
  commands_done(&commands);
  return s;
}

static void advance(struct live *live, struct batch *batch) {
  enum status s = STATUS_OK;
  bool idle = live->state == LIVE_QUEUED || live->broken;
  while (!s && !idle && !batch->ends) s = step(live, batch, &idle);
  if (s) {
    /* What was sealed before stands; it was folded and must reach the disk. */
    submit(live, batch);
    give_up(live, s, "the debate could not go on");
    return;
  }
  if (batch->ends) {
    live->state = LIVE_ENDED;
    batch->change = STORE_ROW_UPDATE;
    finish_row(live);
    loop_timer_cancel(live->deadline);
    live->deadline = NULL;
  }
  submit(live, batch);
}

static void on_deadline(void *arg) {
  struct live *live = arg;
  live->deadline = NULL;
  enum status s = live_fact(live, EVENT_DEADLINE_REACHED, NULL, NULL, NULL);
  if (s && s != STATUS_CONFLICT) give_up(live, s, "the deadline could not be noted");
}

static void watch_deadline(struct live *live) {
  int64_t left = live->debate->config.deadline_ms - elapsed_ms(live);
  live->deadline =
      loop_timer_start(live->runner->loop, left > 0 ? (uint64_t)left : 0, on_deadline, live);
}

enum status live_fact(struct live *live, enum event_kind kind, const char *reason,
                      live_committed_fn *committed, void *ctx) {
  if (live->state == LIVE_ENDED) return STATUS_CONFLICT;
  struct batch *batch = batch_create(live);
  if (!batch) return STATUS_NOMEM;
  struct drafts drafts = {0};
  enum status s = drafts_add(&drafts, kind, -1, NULL, debate_fact_data(reason));
  if (!s) s = seal_all(live, batch, &drafts);
  if (s) {
    batch_free(batch);
    return s;
  }
  s = cut_all(live, batch);
  if (s) {
    submit(live, batch);
    give_up(live, s, "what was under way could not be cut");
    return s;
  }
  batch->committed = committed;
  batch->ctx = ctx;
  /* A queued debate ends without ever having been admitted. */
  if (live->state == LIVE_QUEUED) live->state = LIVE_RUNNING;
  advance(live, batch);
  return STATUS_OK;
}

enum status live_begin(struct live *live, struct debate_config *config, bool queued,
                       live_committed_fn *committed, void *ctx) {
  struct batch *batch = batch_create(live);
  if (!batch) return STATUS_NOMEM;
  struct drafts drafts = {0};
  enum status s = drafts_add(&drafts, EVENT_DEBATE_START, -1, NULL, debate_config_to_json(config));
  if (!s) s = hub_open_debate(live->runner->hub, live->row.id, 1);
  if (!s) s = seal_all(live, batch, &drafts);
  drafts_done(&drafts);
  if (s) {
    batch_free(batch);
    return s;
  }
  live->state = queued ? LIVE_QUEUED : LIVE_RUNNING;
  batch->change = STORE_ROW_INSERT;
  batch->committed = committed;
  batch->ctx = ctx;
  watch_deadline(live);
  advance(live, batch);
  return STATUS_OK;
}

void live_admit(struct live *live) {
  if (live->state != LIVE_QUEUED) return; /* a fact ended it while it waited */
  struct batch *batch = batch_create(live);
  live->state = LIVE_RUNNING;
  if (!batch) {
    give_up(live, STATUS_NOMEM, "no memory to begin");
    return;
  }
  char *running = bytes_dup(bytes_of("running"));
  if (running) {
    free(live->row.status);
    live->row.status = running;
    batch->change = STORE_ROW_UPDATE;
  }
  advance(live, batch);
}

enum status live_restore(struct live *live, const struct store_event *stored, struct error *err) {
  json_t *data = NULL;
  enum status s = json_parse(stored->data, &data, err);
  if (s) return s;
  struct event event = {stored->seq,   event_kind_parse(stored->type),
                        stored->ts_ms, stored->round,
                        stored->agent, data};
  s = debate_apply(live->debate, &event, err);
  json_decref(data);
  if (s) return s;
  count_agent(live, own_name(live, stored->agent));
  memcpy(live->head, stored->hash, sizeof live->head);
  if (live->debate->unsupported)
    return error_set(err, STATUS_UNSUPPORTED, NULL, "the log was written by a newer version");
  return STATUS_OK;
}

void live_continue(struct live *live) {
  struct debate *d = live->debate;
  struct batch *batch = batch_create(live);
  struct drafts drafts = {0};
  live->state = LIVE_RUNNING;
  int64_t elapsed = d->elapsed_ms + d->last_ms - d->elapsed_from_ms;
  enum status s =
      batch ? hub_open_debate(live->runner->hub, live->row.id, d->last_seq + 1) : STATUS_NOMEM;
  if (!s) s = debate_close_unknown(d, &drafts);
  if (!s)
    s = drafts_add(&drafts, EVENT_RESUMED, -1, NULL,
                   json_pack("{s:I}", "elapsed_ms", (json_int_t)elapsed));
  if (!s) s = seal_all(live, batch, &drafts);
  drafts_done(&drafts);
  if (s) {
    if (batch) batch_free(batch);
    give_up(live, s, "the debate could not be resumed");
    return;
  }
  watch_deadline(live);
  advance(live, batch);
}
