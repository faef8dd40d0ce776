#include "base/log.h"
#include "base/metrics.h"
#include "runner/internal.h"
#include "runner/panel.h"

#include <stdio.h>
#include <stdlib.h>

enum { DECIDING_MAX_MS = 1000 };

/* ---- time and money ---- */

/* What a turn that begins now gets: the turn timeout, or its step's share of what is left. Some of
 * it is kept for the decision: an agent that stalls in the last step is cut before the deadline,
 * and what the others said is counted. */
static int64_t turn_time_ms(const struct live *live) {
  const struct debate_config *c = &live->debate->config;
  int64_t left = c->deadline_ms - live_elapsed_ms(live);
  left -= left / 20 < DECIDING_MAX_MS ? left / 20 : DECIDING_MAX_MS;
  int64_t share = left / debate_steps_left(live->debate);
  return share < c->turn_timeout_ms ? share : c->turn_timeout_ms;
}

/* Of that, what is left to the question that is asked next. */
static int64_t question_time_ms(const struct asking *asking) {
  int64_t now_us = clock_mono_us(asking->live->runner->clock);
  int64_t time = asking->time_ms - (now_us - asking->started_us) / 1000;
  return time > 1 ? time : 1;
}

static struct hub_token token_of(const struct asking *asking, int attempt) {
  const struct debate *d = asking->live->debate;
  const struct turn *t = &d->turns[asking->turn];
  return (struct hub_token){asking->turn_id, debate_turn_agent(d, t)->name,
                            turn_kind_names[t->kind], t->round, attempt};
}

static void on_attempt_start(void *ctx, const struct ask_attempt *attempt) {
  struct asking *asking = ctx;
  struct live *live = asking->live;
  struct delivery *delivery = delivery_gather(live);
  struct drafts drafts = {0};
  struct attempt_begin begin = {attempt->provider,        attempt->model,
                                attempt->reserved_tokens, attempt->reserved_usd_micro,
                                attempt->hedge,           attempt->prompt_bytes};
  enum status s =
      delivery ? debate_begin_attempt(live->debate, asking->turn, &begin, &drafts) : STATUS_NOMEM;
  if (!s) s = delivery_seal(delivery, &drafts);
  if (s) {
    drafts_done(&drafts);
    live_give_up(live, s, "an attempt could not be noted");
    return;
  }
  const struct asking_attempt begun = {attempt->number,
                                       live->debate->turns[asking->turn].attempts,
                                       delivery->number,
                                       attempt->day,
                                       {attempt->reserved_tokens, attempt->reserved_usd_micro}};
  delivery_book(delivery, begun.day, NULL, &begun.reserved);
  if (attempt->hedge) {
    metric_add(METRIC_AGENT_HEDGES, (const char *const[]){asking->binding.type}, 1);
    asking->hedge = begun;
    return;
  }
  asking->open = begun;
  asking->state = ASKING_SEALING;
}

void asking_proceed(struct live *live, uint64_t delivery) {
  for (int i = 0; live->askings && i < live->asking_count; i++) {
    struct asking *asking = &live->askings[i];
    if (asking->state == ASKING_SEALING && asking->open.sealed_in == delivery) {
      asking->state = ASKING_SENT;
      asking->open.sealed_in = 0;
      ask_proceed(asking->ask, asking->open.number);
    } else if (asking->hedge.sealed_in == delivery) {
      asking->hedge.sealed_in = 0;
      ask_proceed(asking->ask, asking->hedge.number);
    }
  }
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
  if (!asking->tokens_of) hub_token_start(live->runner->hub, live->row.id, &token);
  asking->tokens_of = attempt;
  hub_token_delta(live->runner->hub, live->row.id, &token, buffer_bytes(&words));
  runner_has_to_tell(live->runner);
}

static void on_token_reset(void *ctx, int attempt) {
  struct asking *asking = ctx;
  struct hub_token token = token_of(asking, attempt);
  asking->live_text = (struct live_text){0};
  if (asking->tokens_of)
    hub_token_reset(asking->live->runner->hub, asking->live->row.id, &token, "the attempt failed");
  asking->tokens_of = 0;
  runner_has_to_tell(asking->live->runner);
}

static void close_tokens(struct asking *asking, const struct ask_result *r, bool used) {
  if (!asking->tokens_of) return;
  struct hub_token token = token_of(asking, asking->tokens_of);
  struct hub *hub = asking->live->runner->hub;
  bool shown = asking->tokens_of == r->attempt; /* a hedge's words never are */
  asking->tokens_of = 0;
  runner_has_to_tell(asking->live->runner);
  if (!used || !shown) {
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
  if (r->outcome != OUTCOME_OK && r->outcome != OUTCOME_CANCELLED)
    metric_add(METRIC_AGENT_FAILURES, (const char *const[]){type, outcome_name(r->outcome)}, 1);
  metric_observe_us(METRIC_AGENT_RESPONSE, (const char *const[]){type}, r->latency_ms * 1000);
  int64_t in = (r->usage.input > 0 ? r->usage.input : 0) +
               (r->usage.cache_read > 0 ? r->usage.cache_read : 0) +
               (r->usage.cache_write > 0 ? r->usage.cache_write : 0);
  if (in) metric_add(METRIC_TOKENS_USED, (const char *const[]){type, "in"}, in);
  if (r->usage.output > 0)
    metric_add(METRIC_TOKENS_USED, (const char *const[]){type, "out"}, r->usage.output);
  story_attempt(asking, r);
}

static const struct asking_attempt *attempt_of(const struct asking *asking, int number) {
  return number == asking->hedge.number ? &asking->hedge : &asking->open;
}

static struct attempt_result result_of(const struct ask_result *r, const struct asking *asking,
                                       bool final) {
  return (struct attempt_result){.attempt = attempt_of(asking, r->attempt)->logged,
                                 .outcome = r->outcome,
                                 .final = final,
                                 .truncated = r->truncated,
                                 .fallback = r->fallback,
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
                                 .booked_tokens = r->booked.tokens,
                                 .booked_usd_micro = r->booked.usd_micro,
                                 .ttft_ms = r->ttft_ms,
                                 .latency_ms = r->latency_ms};
}

/* ---- a budget that is used up ---- */

/* The turn that ends the debate: one that no budget pays for, when nothing else is under way. What
 * is, has been paid for, and its answer shall count. */
static const struct asking *last_exhausted(const struct live *live) {
  const struct asking *exhausted = NULL;
  for (int i = 0; i < live->asking_count; i++) {
    const struct asking *asking = &live->askings[i];
    if (asking->state == ASKING_EXHAUSTED) exhausted = asking;
    if (asking->state != ASKING_EXHAUSTED && asking->state != ASKING_FREE) return NULL;
  }
  return exhausted;
}

static void end_exhausted(struct live *live, const struct asking *exhausted) {
  enum status s = live_fact(live, EVENT_BUDGET_EXHAUSTED, exhausted->exhausted, NULL, NULL);
  if (s && s != STATUS_CONFLICT) live_give_up(live, s, "the budget could not be noted");
}

static void exhaust(struct asking *asking, const char *words) {
  struct live *live = asking->live;
  asking->state = ASKING_EXHAUSTED;
  asking->exhausted = bytes_dup(bytes_of(words)); /* NULL: the fact then has no reason */
  struct log_context context = live_log_context(live);
  struct log_quoted detail;
  log_warning("runner", &context, "budget=exhausted turn=%s detail=%s", asking->turn_id,
              log_quote(&detail, words));
  const struct asking *last = last_exhausted(live);
  if (last) end_exhausted(live, last);
}

static void book(struct asking *asking, struct delivery *delivery, const struct ask_result *r) {
  const struct asking_attempt *a = attempt_of(asking, r->attempt);
  delivery_book(delivery, a->day, &a->reserved, &r->booked);
}

/* An attempt ended that others follow, or that leaves the turn to its hedge. */
static void forget_attempt(struct asking *asking, int number) {
  bool hedged = asking->hedge.number;
  if (number != asking->hedge.number) {
    asking->open = asking->hedge;
    asking->state = !hedged                  ? ASKING_ANNOUNCED
                    : asking->open.sealed_in ? ASKING_SEALING
                                             : ASKING_SENT;
  }
  asking->hedge = (struct asking_attempt){0};
}

/* Appends what an attempt's end, or a turn's without one (`r` NULL), gave, and goes on from there.
 * The asking may be gone when it returns. */
static void note(struct asking *asking, enum status s, struct delivery *delivery,
                 struct drafts *drafts, const struct ask_result *r, bool final) {
  struct live *live = asking->live;
  int turn = asking->turn;
  if (!s) s = delivery_seal(delivery, drafts);
  if (!s && r && r->beside) book(asking, delivery, r->beside);
  if (!s && r) book(asking, delivery, r);
  if (final)
    asking_clear(asking);
  else
    forget_attempt(asking, r->attempt);
  if (!s) {
    bool open = live->debate->turn_count > turn && live->debate->turns[turn].status == TURN_OPEN;
    const struct asking *last = open ? NULL : last_exhausted(live);
    if (last)
      end_exhausted(live, last);
    else
      live_advance(live, delivery);
    return;
  }
  drafts_done(drafts);
  live_give_up(live, s, "an answer could not be noted");
}

static void record(struct asking *asking, const struct ask_result *r, bool final) {
  struct live *live = asking->live;
  count_attempt(asking, r);
  struct delivery *delivery = delivery_gather(live);
  struct drafts drafts = {0};
  struct attempt_result result = result_of(r, asking, final);
  enum status s = delivery ? STATUS_OK : STATUS_NOMEM;
  if (!s && r->beside) {
    struct attempt_result beside = result_of(r->beside, asking, false);
    count_attempt(asking, r->beside);
    s = debate_answer(live->debate, asking->turn, &beside, &drafts);
  }
  size_t before = drafts.count;
  if (!s) s = debate_answer(live->debate, asking->turn, &result, &drafts);
  if (!s && (final || r->attempt == asking->open.number)) {
    bool used = drafts.count > before + 1 && drafts.items[before + 1].kind != EVENT_AGENT_ERROR;
    close_tokens(asking, r, used);
  }
  note(asking, s, delivery, &drafts, r, final);
}

static void on_attempt_end(void *ctx, const struct ask_result *r) {
  record(ctx, r, false);
}

static void on_done(void *ctx, const struct ask_result *r) {
  struct asking *asking = ctx;
  struct live *live = asking->live;
  asking->ask = NULL;
  if (asking->state != ASKING_ANNOUNCED) {
    record(asking, r, true);
    return;
  }
  if (r->exhausted) {
    exhaust(asking, r->detail);
    return;
  }
  /* Over before its (next) attempt was announced: there is no attempt that it could end. */
  struct delivery *delivery = delivery_gather(live);
  struct drafts drafts = {0};
  enum status s = delivery
                      ? debate_fail_turn(live->debate, asking->turn, r->outcome, r->detail, &drafts)
                      : STATUS_NOMEM;
  note(asking, s, delivery, &drafts, NULL, true);
}

static const struct ask_ops ask_ops = {on_attempt_start, on_token, on_token_reset, on_attempt_end,
                                       on_done};

void asking_clear(struct asking *asking) {
  if (asking->state == ASKING_FREE) return;
  prompt_done(&asking->prompt);
  asking->prompt = (struct prompt){0};
  free(asking->exhausted);
  asking->exhausted = NULL;
  asking->ask = NULL;
  asking->open = asking->hedge = (struct asking_attempt){0};
  asking->state = ASKING_FREE;
}

static struct asking *slot_of(const struct live *live, int turn) {
  return &live->askings[(turn - live->debate->step_first) % live->asking_count];
}

bool asking_is_asked(const struct live *live, int turn) {
  const struct asking *asking = slot_of(live, turn);
  return asking->state != ASKING_FREE && asking->turn == turn;
}

/* A repair goes on with the time of the turn's first question. */
static void take_turn(struct asking *asking, struct live *live, int turn) {
  const struct debate *d = live->debate;
  const struct turn *t = &d->turns[turn];
  bool repair = t->bad_reply && asking->step == d->step_number && asking->turn == turn;
  if (!repair) {
    asking->started_us = clock_mono_us(live->runner->clock);
    asking->time_ms = turn_time_ms(live);
  }
  asking->live = live;
  asking->turn = turn;
  asking->step = d->step_number;
  asking->tokens_of = 0;
  asking->live_text = (struct live_text){0};
  debate_turn_id(d, t, asking->turn_id);
}

static enum status start_ask(struct asking *asking, struct error *err) {
  struct live *live = asking->live;
  const struct debate *d = live->debate;
  const struct turn *t = &d->turns[asking->turn];
  struct ask_spec spec = {.binding = &asking->binding,
                          .debate_key = (uintptr_t)live,
                          .agent = debate_turn_agent(d, t)->name,
                          .agent_index = t->member,
                          .system = bytes_of(asking->prompt.system),
                          .prefix = bytes_of(asking->prompt.prefix),
                          .prompt = bytes_of(asking->prompt.text),
                          .schema_name = turn_kind_names[t->kind],
                          .schema = bytes_of(asking->prompt.schema),
                          .max_output_tokens = d->config.max_output_tokens,
                          .timeout_ms = question_time_ms(asking),
                          .budget = &live->budget,
                          .log = live_log_context(live),
                          .turn = asking->turn_id};
  return ask_start(live->runner->provider, &spec, &ask_ops, asking, &asking->ask, err);
}

/* The turn fails in the log, without an attempt. */
static enum status fail_turn(struct live *live, struct delivery *delivery, int turn,
                             enum outcome outcome, const char *detail) {
  struct drafts drafts = {0};
  enum status s = debate_fail_turn(live->debate, turn, outcome, detail, &drafts);
  if (!s) return delivery_seal(delivery, &drafts);
  drafts_done(&drafts);
  return s;
}

enum status asking_start(struct live *live, struct delivery *delivery, int turn) {
  const struct debate *d = live->debate;
  const struct debate_agent *agent = debate_turn_agent(d, &d->turns[turn]);
  struct asking *asking = slot_of(live, turn);
  take_turn(asking, live, turn);
  if (!panel_binding(live->runner->agents, agent, &asking->binding))
    return fail_turn(live, delivery, turn, OUTCOME_UNAVAILABLE,
                     panel_absence(live->runner->agents, agent));
  enum status s = debate_prompt(d, turn, &asking->prompt);
  if (s) return s;
  asking->state = ASKING_ANNOUNCED;
  struct error err = {0};
  s = start_ask(asking, &err);
  if (!s) return STATUS_OK;
  asking_clear(asking);
  return fail_turn(live, delivery, turn,
                   s == STATUS_FULL ? OUTCOME_OVERLOADED : OUTCOME_UNAVAILABLE, err.message);
}

/* The end of one that was under way, in the log and the books. */
static enum status cut_attempt(struct asking *asking, struct delivery *delivery,
                               const struct asking_attempt *attempt,
                               const struct ledger_amounts *booked) {
  struct drafts drafts = {0};
  const struct ask_result r = {.attempt = attempt->number,
                               .outcome = OUTCOME_CANCELLED,
                               .provider = asking->binding.provider,
                               .model = asking->binding.model,
                               .detail = "cut when the debate ended",
                               .request_id = "",
                               .usage = {-1, -1, -1, -1, -1},
                               .cost_usd_micro = -1,
                               .booked = *booked,
                               .ttft_ms = -1,
                               .latency_ms = -1};
  struct attempt_result result = result_of(&r, asking, true);
  enum status s = debate_answer(asking->live->debate, asking->turn, &result, &drafts);
  if (!s) s = delivery_seal(delivery, &drafts);
  if (!s) book(asking, delivery, &r);
  drafts_done(&drafts);
  return s;
}

enum status asking_cut(struct asking *asking, struct delivery *delivery) {
  struct live *live = asking->live;
  const struct turn *t = &live->debate->turns[asking->turn];
  enum status s = STATUS_OK;
  struct ask_owed owed = {asking->open.reserved, asking->hedge.reserved};
  if (asking->ask) owed = ask_cancel(asking->ask);
  if (asking->tokens_of) {
    const struct ask_result r = {.outcome = OUTCOME_CANCELLED};
    close_tokens(asking, &r, false);
  }
  if (t->hedge.number) s = cut_attempt(asking, delivery, &asking->hedge, &owed.hedge);
  if (!s && t->attempt_open) s = cut_attempt(asking, delivery, &asking->open, &owed.open);
  asking_clear(asking);
  return s;
}
