#include "scripted_ask.h"

#include "provider/scripted_reply.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <utlist.h>

enum { NTHS = 4096 };

struct provider {
  struct loop *loop;
  struct budgets *budgets;
};

struct ask {
  struct ask *prev, *next; /* of those held; utlist */
  struct provider *provider;
  struct ask_spec spec;
  const struct ask_ops *ops;
  void *ctx;
  struct scripted_question question;
  struct scripted_answer answer;
  struct loop_timer *step, *total;
  struct budget_claim claim;
  struct ledger_amounts bound, owed;
  int attempt;
  bool ending, held;
};

static struct scripted_rules rules;
static struct ask *held; /* on the loop */
static bool released;
/* How often each agent was asked for each kind of reply about each question. */
static struct {
  char key[160];
  int count;
} nths[NTHS];
static _Atomic double compose_us; /* CPU, of the loop */
static _Atomic long started, proceeded, answered, failed, cancelled, open_asks;

void scripted_set(const struct scripted_rules *new_rules) {
  rules = *new_rules;
  released = false;
  memset(nths, 0, sizeof nths);
  started = proceeded = answered = failed = cancelled = 0;
}

struct scripted_counts scripted_counts(void) {
  return (struct scripted_counts){started, proceeded, answered, failed, cancelled, open_asks};
}

enum status provider_create(struct loop *loop, const struct provider_options *options,
                            struct provider **ret_provider, struct error *err) {
  *ret_provider = calloc(1, sizeof **ret_provider);
  if (!*ret_provider) return STATUS_NOMEM;
  (*ret_provider)->loop = loop;
  return budgets_create(loop, &options->budgets, &(*ret_provider)->budgets, err);
}

void provider_destroy(struct provider *provider) {
  budgets_destroy(provider->budgets);
  free(provider);
}

struct budgets *provider_budgets(struct provider *provider) {
  return provider->budgets;
}

static void release(struct ask *ask) {
  if (ask->held) DL_DELETE(held, ask);
  loop_timer_cancel(ask->step);
  loop_timer_cancel(ask->total);
  budget_release(&ask->claim);
  open_asks--;
  free(ask);
}

static struct ask_result result_of(const struct ask *ask, enum outcome outcome, const char *text) {
  bool ok = outcome == OUTCOME_OK;
  const struct agent_binding *b = ask->spec.binding;
  int64_t output = ask->answer.output_tokens ? ask->answer.output_tokens : 100;
  int64_t input = (int64_t)(ask->spec.system.len + ask->spec.prefix.len + ask->spec.prompt.len) / 4;
  bool priced = ok && b->price_input_usd_micro >= 0;
  return (struct ask_result){.attempt = ask->attempt,
                             .outcome = outcome,
                             .text = bytes_of(text),
                             .provider = b->provider,
                             .model = b->model,
                             .upstream_status = ok ? 200 : 503,
                             .detail = ok ? "" : "scripted",
                             .request_id = "r-1",
                             .usage = {ok ? input : -1, -1, -1, ok ? output : -1, -1},
                             .cost_usd_micro = priced ? 10 : -1,
                             .ttft_ms = 1,
                             .latency_ms = 2,
                             .retry_after_ms = -1};
}

/* As ask.c books it: what is known, else the reserve; what was refused, nothing. */
static void settle(struct ask *ask, struct ask_result *r) {
  bool ok = r->outcome == OUTCOME_OK;
  bool priced = ask->bound.usd_micro >= 0;
  r->booked.tokens = ok ? r->usage.input + r->usage.output : 0;
  r->booked.usd_micro = !priced ? -1 : ok ? r->cost_usd_micro : 0;
  ask->owed = (struct ledger_amounts){0};
  budget_settle(&ask->claim, r->booked.tokens, r->booked.usd_micro);
}

static void end(struct ask *ask, enum outcome outcome, const char *text) {
  struct ask_result result = result_of(ask, outcome, text);
  settle(ask, &result);
  if (outcome == OUTCOME_OK)
    answered++;
  else
    failed++;
  ask->ending = true;
  ask->ops->done(ask->ctx, &result);
  release(ask);
}

static double thread_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

double scripted_compose_us(void) {
  return compose_us;
}

static char *compose(const struct ask *ask) {
  const struct ask_spec *s = &ask->spec;
  struct scripted_options options = SCRIPTED_OPTIONS_DEFAULT;
  char *text = NULL;
  double begin = thread_us();
  BUFFER_LATER struct buffer prompt;
  buffer_init(&prompt, 1 << 24);
  buffer_append_bytes(&prompt, s->system);
  buffer_append_bytes(&prompt, s->prefix);
  buffer_append_bytes(&prompt, s->prompt);
  options.persona = s->agent_index;
  options.words = 40;
  if (scripted_reply_make(s->schema_name, s->schema, buffer_bytes(&prompt), &options, &text))
    abort();
  compose_us = compose_us + thread_us() - begin;
  return text;
}

static void on_total(void *arg) {
  struct ask *ask = arg;
  ask->total = NULL;
  end(ask, OUTCOME_TIMEOUT, "");
}

static void announce(void *arg);

static void on_answer(void *arg) {
  struct ask *ask = arg;
  ask->step = NULL;
  if (ask->attempt <= ask->answer.failing_attempts) {
    struct ask_result result = result_of(ask, OUTCOME_UNAVAILABLE, "");
    settle(ask, &result);
    ask->step = loop_timer_start(ask->provider->loop, 0, announce, ask);
    ask->ops->token_reset(ask->ctx, ask->attempt);
    ask->ops->attempt_end(ask->ctx, &result);
    return; /* it may be gone */
  }
  if (ask->answer.deed == SCRIPT_FAIL) {
    end(ask, ask->answer.outcome, "");
    return;
  }
  FREE_LATER char *text = ask->answer.deed == SCRIPT_MALFORMED
                              ? bytes_dup(BYTES_LITERAL("I would rather not say."))
                              : compose(ask);
  size_t half = strlen(text) / 2;
  ask->ops->token(ask->ctx, ask->attempt, (struct bytes){text, half});
  if (ask->answer.deed == SCRIPT_HALF) return;
  ask->ops->token(ask->ctx, ask->attempt, bytes_of(text + half));
  end(ask, OUTCOME_OK, text);
}

static void on_budget(void *arg) {
  struct ask *ask = arg;
  ask->step = loop_timer_start(ask->provider->loop, 0, announce, ask);
}

static bool claim(struct ask *ask) {
  const struct ask_spec *spec = &ask->spec;
  char words[BUDGET_WORDS_SIZE] = "";
  if (ask->claim.state == CLAIM_HELD) return true;
  int64_t prompt = (int64_t)(spec->system.len + spec->prefix.len + spec->prompt.len);
  ask->bound = (struct ledger_amounts){prompt + spec->max_output_tokens,
                                       spec->binding->price_input_usd_micro < 0 ? -1 : 1000};
  if (ask->answer.bound_tokens) ask->bound.tokens = ask->answer.bound_tokens;
  ask->claim.go = on_budget;
  ask->claim.ctx = ask;
  enum budget_answer answer =
      budget_claim(spec->budget, &ask->claim, ask->bound.tokens, ask->bound.usd_micro, words);
  if (answer == BUDGET_HELD || answer == BUDGET_WAITING) return answer == BUDGET_HELD;
  struct ask_result result = result_of(ask, OUTCOME_BUDGET, "");
  result.detail = words;
  result.exhausted = answer == BUDGET_EXHAUSTED;
  ask->ending = true;
  ask->ops->done(ask->ctx, &result);
  release(ask);
  return false;
}

static void announce(void *arg) {
  struct ask *ask = arg;
  const struct ask_spec *spec = &ask->spec;
  ask->step = NULL;
  if (ask->answer.deed == SCRIPT_LOST) {
    end(ask, OUTCOME_UNAVAILABLE, "");
    return;
  }
  if (!claim(ask)) return;
  struct ask_attempt attempt = {
      .number = ++ask->attempt,
      .provider = spec->binding->provider,
      .model = spec->binding->model,
      .prompt_bytes = (int64_t)(spec->system.len + spec->prefix.len + spec->prompt.len),
      .reserved_tokens = ask->bound.tokens,
      .reserved_usd_micro = ask->bound.usd_micro,
      .day = ask->claim.day};
  ask->ops->attempt_start(ask->ctx, &attempt);
}

static void answer_soon(struct ask *ask) {
  ask->step = loop_timer_start(ask->provider->loop, ask->answer.delay_ms, on_answer, ask);
}

void scripted_release(void *unused) {
  (void)unused;
  released = true;
  while (held) {
    struct ask *ask = held;
    DL_DELETE(held, ask);
    ask->held = false;
    answer_soon(ask);
  }
}

void ask_proceed(struct ask *ask, int attempt) {
  (void)attempt;
  proceeded++;
  ask->owed = ask->bound;
  if (rules.proceeding) rules.proceeding(rules.ctx, &ask->question);
  if (ask->answer.deed == SCRIPT_SILENT || ask->answer.deed == SCRIPT_TIMEOUT) return;
  if (ask->answer.deed != SCRIPT_HELD || released) {
    answer_soon(ask);
    return;
  }
  ask->held = true;
  DL_APPEND(held, ask);
}

static int next_nth(const struct ask_spec *spec) {
  char key[160];
  snprintf(key, sizeof key, "%s %s %.100s", spec->agent, spec->schema_name,
           spec->prefix.len > 100 ? spec->prefix.ptr + spec->prefix.len - 100 : "");
  for (int i = 0; i < NTHS; i++) {
    if (!nths[i].key[0]) snprintf(nths[i].key, sizeof key, "%s", key);
    if (strcmp(nths[i].key, key) == 0) return ++nths[i].count;
  }
  return NTHS;
}

enum status ask_start(struct provider *provider, const struct ask_spec *spec,
                      const struct ask_ops *ops, void *ctx, struct ask **ret_ask,
                      struct error *err) {
  struct scripted_question question = {spec, spec->schema_name, 0};
  struct scripted_answer answer = {0};
  started++;
  if (rules.answer) {
    question.nth = next_nth(spec);
    answer = rules.answer(rules.ctx, &question);
  }
  if (answer.deed == SCRIPT_FULL) return error_set(err, STATUS_FULL, NULL, "too many wait");
  struct ask *ask = calloc(1, sizeof *ask);
  if (!ask) return error_set(err, STATUS_NOMEM, NULL, "out of memory");
  ask->provider = provider;
  ask->spec = *spec;
  ask->ops = ops;
  ask->ctx = ctx;
  ask->question = question;
  ask->question.spec = &ask->spec;
  ask->answer = answer;
  ask->step = loop_timer_start(provider->loop, 0, announce, ask);
  if (answer.deed != SCRIPT_SILENT && answer.deed != SCRIPT_HALF && answer.deed != SCRIPT_HELD)
    ask->total = loop_timer_start(provider->loop, (uint64_t)spec->timeout_ms, on_total, ask);
  open_asks++;
  *ret_ask = ask;
  return STATUS_OK;
}

struct ask_owed ask_cancel(struct ask *ask) {
  struct ask_owed owed = {.open = ask->owed};
  if (ask->ending) return (struct ask_owed){0};
  cancelled++;
  if (owed.open.tokens) budget_settle(&ask->claim, owed.open.tokens, owed.open.usd_micro);
  release(ask);
  return owed;
}
